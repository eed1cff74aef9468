/** OPT4xx: Owners, directions, versions, gradients. */
import type { CatalogEntry } from '../catalog.ts';

export const flowCodes = {
  OPT401: {
    title: 'derivative through a write',
    about:
      'A derivative was asked that would have to pass a `<-`, or in an expression an `update`: the value depends on a cell before it was written, and the objective on it afterwards. Saddle does not differentiate through writes, because which of the steps should count would be a guess. Write the steps as a `scan`, whose derivative goes through all of them; call the rule purely (`adam.step`) to differentiate through one update; or `stop` the value to say that it counts as a constant.',
    example: {
      wrong: 'w <- w - lr * grad(L(w), w)\nlet meta = grad(L(w), lr)',
      right: 'let v = w - lr * grad(L(w), w)\nlet meta = grad(L(w) at { w: v }, lr)',
    },
  },
  OPT410: {
    title: 'stale objective',
    about:
      'The objective was computed from an older version of what the update moves: a let reads the versions of its definition, and the target was moved since. The gradient would be taken at one point and applied at another. A fn is evaluated at each use and reads the current version. Reads that pass stop do not count.',
  },
  OPT411: {
    title: 'objective does not reach what it moves',
    about:
      'An update names a target on which its objective does not depend, so nothing would move. Usually a name is wrong, or the objective was computed from a copy.',
  },
  OPT412: {
    title: 'gradient is zero everywhere',
    about:
      'The objective depends on the target only through operations without a derivative (comparisons, argmax, sign, rounding, integers) or through stop. The update would do nothing, silently. Use straight_through, or a fn with a gradient clause, at the place shown.',
  },
  OPT413: {
    title: 'pipeline writes nothing',
    about: 'A pipeline of rules has stages that rewrite the direction g but none that writes the parameter p.',
  },
  OPT414: {
    title: 'replacement is not used',
    about:
      "'e at { x: v }' replaces reads of x in the graph of e, and e has none. Usually e captured another version or another name than was meant.",
  },
  OPT415: {
    title: 'nothing to differentiate by or to replace',
    about:
      'grad, at and their kin act on values computed at run time (cells, lets, arguments, draws) of type f32; numbers known at compile time and integers have no derivative. They need a name: an index or a sum written as the target is computed there, and nothing else reads it.',
  },
  OPT416: {
    title: 'frozen value moved',
    about: 'A frozen value is drawn or computed once and may never be moved or written.',
  },
  OPT417: {
    title: 'nobody moves this model',
    about:
      'No statement of any run moves the parameters of this model, so it keeps its initial values. Declare it from another model or frozen values, replace it by at, or add it to an update.',
  },
  OPT418: {
    title: 'moved by two statements of one step',
    about:
      'Two statements of one step move the same parameter. That is seldom meant: the second acts on the result of the first, with a rule state of its own. Minimize the sum in one update, or silence the warning by allow OPT418.',
  },
  OPT419: {
    title: 'negative reversal factor',
    about:
      'reverse(x, by: c) already negates the gradient. With a negative c the two signs cancel, and the adversary is helped instead of opposed: one of the silent errors of adversarial training.',
  },
  OPT420: {
    title: 'reversals cancel',
    about:
      'Two reversals lie on one path from the objective to a parameter, so the gradient arrives with its original sign.',
  },
  OPT421: {
    title: 'reversed and subtracted',
    about:
      'An objective enters the sum with a minus sign and also passes a reversal on its way to a parameter: the two signs cancel, so the parameter descends what it was meant to climb. Keep one of them.',
  },
  OPT422: {
    title: 'cannot be moved or written',
    about:
      'Only cells of the own run (var, models and their parts, states) can be moved by update or written by <-; values, lets and cells of other runs cannot.',
  },
  OPT423: {
    title: 'value of a step read outside of it',
    about:
      'A value that is computed at each step (a let of a train body, step, progress) is read by text that does not belong to the step. A fn is evaluated where it is used; a hyper is evaluated by the host for the phase that reads it.',
  },
  OPT424: {
    title: 'wrong place',
    about:
      'A construct stands where it has no meaning: a layer called outside of layers and models, an eval with times without a train phase, models of runs reached from outside of them.',
  },
  OPT425: {
    title: 'reads of several versions',
    about:
      'A derivative is asked by a cell that the expression reads both before and after it was moved, so it has no one place to be taken at.',
  },
  OPT426: {
    title: 'an eval writes',
    about:
      'An eval, export or until condition observes the run and writes nothing; updates and writes belong in train bodies.',
  },
  OPT427: {
    title: 'no rule takes this leaf',
    about:
      'A pipeline with alternatives, `by a() else b()`, serves each leaf by the first whose rules take its shape. A leaf that none of them takes would not be moved, which is an error.',
    example: {
      wrong: 'update bias by wide() else square() minimizing loss',
      right: 'update bias by wide() else sgd(0.1) minimizing loss',
    },
  },
  OPT428: {
    title: 'no eval in chunks',
    about:
      'An eval takes its rows in chunks where every metric is a function of sums, products, means, maxima and minima over them: these are accumulated chunk by chunk and the metrics computed from the totals. What sorts, compares or selects examples among each other needs all of them at once.',
  },
  OPT429: {
    title: 'a draw that no derivative passes',
    about:
      'A class, a coin or a gamma variate is no differentiable function of its arguments. Where it enters an objective as a number, the gradient by what moves the arguments would silently lack that part: the objective needs logp of the draw (the score function), or the draw is stopped. Locations and scales (normal, uniform, the scale of gamma) are differentiable as they are.',
    example: {
      wrong: 'sample a ~ bernoulli(p) f32\n  update w by sgd(0.1) minimizing cost(a)',
      right: 'sample a ~ bernoulli(p) f32\n  update w by sgd(0.1) minimizing stop(cost(a)) * logp(a)',
    },
  },
  OPT430: {
    title: 'a derivative of what has none',
    about:
      "An 'opaque' fn is a black box, and a gradient clause may say 'none' for an argument: a derivative that would have to pass there is an error. Where the value counts as a constant, 'stop' says so.",
    example: {
      wrong: 'opaque fn f(x) = x^2\n  update w by sgd(0.1) minimizing f(w)',
      right: 'fn f(x) = x^2\n  update w by sgd(0.1) minimizing f(w)',
    },
  },
  OPT431: {
    title: 'an objective without examples',
    about:
      'An estimator `for (L over e, P)` takes the objective example by example. It can do so where the objective is written `mean over b as e { … }`, in the statement itself or as a parameterless fn; a mean that was computed otherwise is one number.',
    example: {
      wrong: 'update Net by sgd(0.1) minimizing mean(losses(b)) with per_example_clipped(1)',
      right: 'update Net by sgd(0.1) minimizing mean over b as e { loss(e) } with per_example_clipped(1)',
    },
  },
  OPT432: {
    title: 'a reversal that an estimator cannot see',
    about:
      'reverse(x, by: c) changes derivatives and leaves values as they are. An estimator that compares values of the objective at several points would move what lies behind the reversal the wrong way.',
    example: {
      wrong: 'update Net by sgd(0.1) minimizing label + reverse(domain, by: 1) with spsa()',
      right: 'update Net by sgd(0.1) minimizing label - domain with spsa()',
    },
  },
  OPT433: {
    title: 'nobody descends a term, or a model climbs its own',
    about:
      'An adversary descends its own loss, and what is in front of it climbs: that is one reversal between the two. Where the loss is subtracted instead, in an update that also moves the adversary, the adversary climbs it too; where the reversal stands behind the adversary, all of them climb.',
    example: {
      wrong: 'update Features, Domain by sgd(0.1) minimizing task - domain',
      right: 'let domain = loss(Domain(reverse(h)))\nupdate Features, Domain by sgd(0.1) minimizing task + domain',
    },
  },
  OPT434: {
    title: 'nothing to combine',
    about:
      'An aggregator (pcgrad, mgda) makes one direction of those of several objectives. Of one objective, a sum too, there is one direction and nothing to combine; an objective that is written twice counts twice.',
    example: {
      wrong: 'update w by sgd(0.1) minimizing A + B with pcgrad()',
      right: 'update w by sgd(0.1) minimizing { A, B } with pcgrad()',
    },
  },
  OPT435: {
    title: 'a multiplier that descends',
    about:
      'An objective is linear in something it is minimized by, with a factor that another target moves, as a Lagrangian is in its multiplier: both going down, it has no minimum. The multiplier is to go up.',
    example: {
      wrong: 'update x, lam by sgd(0.1) minimizing f + lam * c',
      right: 'update x by sgd(0.1) minimizing f + lam * c\nupdate lam by sgd(0.1) maximizing f + lam * c',
    },
  },
  OPT436: {
    title: 'a state of no effect',
    about:
      'A state of a rule, solver, estimator or aggregator that no step reads, beside its own update, changes nothing: a multiplier that is published and not in the Lagrangian. One that is read and never written keeps its first value.',
    example: {
      wrong: 'state m = zeros_like(p)\nm <- 0.9 * m + g\np <- p - lr * g',
      right: 'state m = zeros_like(p)\nm <- 0.9 * m + g\np <- p - lr * m',
    },
  },
  OPT437: {
    title: 'rules that ignore the direction',
    about:
      'No rule of the pipeline reads the direction or the objective that it is given: the parameter moves, and whatever the objective is, the same way.',
    example: {
      wrong: 'update w by decay(0.1) minimizing L',
      right: 'update w by decay(0.1) |> sgd(0.1) minimizing L',
    },
  },
  OPT438: {
    title: 'values compared of another function than the one that was differentiated',
    about:
      'A rule or solver compares values of the objective at other points, as a line search does, and the objective reads what is moved behind a `stop`. For the derivative that is a constant; `at` moves it along, so that the values are those of another function, whose slope is not the derivative. Estimators hold what is stopped, and a derivative at another point has the constants of that point.',
    example: {
      wrong: 'minimize (x - stop(2 * x))^2    // solved by quasi_newton()',
      right: 'minimize (x - kept)^2    // var kept, written when it changes',
    },
  },
  OPT470: {
    title: 'derivative or replacement in a value of an earlier phase',
    about:
      'A let that stands outside of phases and is read by a later one is kept as a value. grad, at and their kin act on the graph of what they are given, and a kept value has none left: they would take it for a constant. A fn is evaluated where it is used.',
    example: {
      wrong: 'let f = sum(x^2)\ntrain 9 { … }\nmetric m = norm(grad(f, x))',
      right: 'fn f = sum(x^2)\ntrain 9 { … }\nmetric m = norm(grad(f, x))',
    },
  },
} satisfies Record<string, CatalogEntry>;
