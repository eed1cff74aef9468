/** OPT2xx: Names, imports, placement. */
import type { CatalogEntry } from '../catalog.ts';

export const namesCodes = {
  OPT201: {
    title: 'unknown name',
    about:
      'A name is used that nothing in scope declares: no declaration of the file, no parameter, no `use`, no builtin. Names are case-sensitive.',
    example: { wrong: 'let loss = 1\nlet b = los + 1', right: 'let loss = 1\nlet b = loss + 1' },
  },
  OPT202: {
    title: 'unknown distribution',
    about:
      'After `~` stands the name of a distribution: normal, uniform, integers, bernoulli, rademacher, categorical, gumbel, gamma, beta, dirichlet, permutation, subset, orthogonal, or an initializer: glorot, he, lecun.',
    example: { wrong: 'sample z ~ gaussian f32[3]', right: 'sample z ~ normal f32[3]' },
  },
  OPT203: {
    title: 'unknown set',
    about:
      'In `over x: T in SET` stands a set: one that is declared or imported (`use sets { box }`), or a range `a..b` for whole numbers.',
    example: {
      wrong: 'problem p {\n  over x: f32 in bx(0, 1) = 0\n  minimize x\n}',
      right: 'use sets { box }\nproblem p {\n  over x: f32 in box(0, 1) = 0\n  minimize x\n}',
    },
  },
  OPT204: {
    title: 'unknown module',
    about:
      'A module of `use` is one of the standard library (nn, losses, rules …) or a file, written as a relative path in quotes: `use "./mine.opt" { f }`.',
    example: { wrong: 'use layers { linear }', right: 'use nn { linear }' },
  },
  OPT205: {
    title: 'name not in module',
    about:
      'The module exists but declares no such name. Only declarations of templates, dims, hypers and values at its top level can be used from outside.',
    example: { wrong: 'use nn { linnear }', right: 'use nn { linear }' },
  },
  OPT206: {
    title: 'declared twice',
    about:
      'Two declarations of one scope have the same name; which one was meant could not be told. An inner scope may reuse a name of an outer one; the members of a family (`let h[0]`, `let h[l + 1]`) share theirs.',
    example: { wrong: 'let a = 1\nlet a = 2', right: 'let a = 1\nlet b = 2' },
  },
  OPT207: {
    title: 'used before its definition',
    about:
      'Statements run in textual order, so a value or cell can be read only below its definition. Functions, layers, models, rules and the other templates may be used anywhere in their scope.',
    example: { wrong: 'let b = a + 1\nlet a = 1', right: 'let a = 1\nlet b = a + 1' },
  },
  OPT208: {
    title: 'unknown argument',
    about: 'A named argument does not fit any parameter of what is called.',
    example: { wrong: 'use rules { sgd }\nlet r = sgd(rate: 0.1)', right: 'use rules { sgd }\nlet r = sgd(lr: 0.1)' },
  },
  OPT209: {
    title: 'argument given twice',
    about: 'One parameter is given two values, by name twice or by position and by name.',
    example: { wrong: 'let a = clamp(1, 0, 2, lo: 0)', right: 'let a = clamp(1, 0, 2)' },
  },
  OPT210: {
    title: 'too many arguments',
    about: 'More unnamed arguments are given than there are parameters.',
    example: { wrong: 'let a = sqrt(1, 2)', right: 'let a = sqrt(1)' },
  },
  OPT211: {
    title: 'missing argument',
    about:
      'A parameter without a default got no value where the call has to be complete. (Elsewhere a call with open parameters is a partial application.)',
    example: { wrong: 'let a = clamp(1, 0)', right: 'let a = clamp(1, 0, 2)' },
  },
  OPT212: {
    title: 'not callable',
    about:
      'Parentheses behind a value that is no function. A product is written with `*`, a batch `D[64]`, a member `h[i]`.',
    example: { wrong: 'hyper a = 2\nlet b = a(3)', right: 'hyper a = 2\nlet b = a * 3' },
  },
  OPT213: {
    title: 'wrong kind of template',
    about:
      'Each place takes one kind: after `by` a rule, after `with` an estimator or aggregator, after `solve … by` a solver, after `run … =` a trial or `solve`, after `model … =` a layer.',
    example: { wrong: 'fn f(x) = x\nmodel M = f', right: 'layer f(x) { x }\nmodel M = f' },
  },
  OPT214: {
    title: 'layer called outside a model',
    about:
      'Each call of a layer owns parameters, which live in a model. So a layer is called only in the bodies of layers and models; elsewhere make an instance of it first.',
    example: {
      wrong: 'use nn { linear }\nlet y = linear(zeros(2, 3), 4)',
      right: 'use nn { linear }\nmodel Out = linear(o: 4)\nlet y = Out(zeros(2, 3))',
    },
  },
  OPT215: {
    title: 'template used as a value',
    about:
      'Rules, estimators, aggregators, solvers, layers, sets, classes and trials have no value of their own; they are given to a statement or to a parameter.',
    example: { wrong: 'use rules { sgd }\nlet a = sgd(0.1) + 1', right: 'let a = 0.1 + 1' },
  },
  OPT216: {
    title: 'unused import',
    about: 'A name taken by `use` is not used in this file.',
    example: {
      wrong: 'use nn { linear, relu }\nmodel M = linear(o: 2)',
      right: 'use nn { linear }\nmodel M = linear(o: 2)',
    },
  },
  OPT217: {
    title: 'circular imports',
    about: 'A file uses another that uses the first, directly or on the way. Move what both need into a third file.',
  },
  OPT218: {
    title: 'imports nested too deeply',
    about: 'Files use files that use files … more than 32 deep.',
  },
  OPT219: {
    title: 'import of a builtin',
    about: 'The name is part of the language and needs no `use`.',
    example: { wrong: 'use nn { tanh }\nlet a = tanh(1)', right: 'let a = tanh(1)' },
  },
  OPT220: {
    title: 'statement in the wrong place',
    about:
      'Some statements have a meaning only in certain bodies: `batch` and `every` in training and problems, `param` in layers and models, `metric` in `eval`, `next` and `emit` in `scan`, `minimize` and `subject to` in problems, `trial` and `run` at the top of a file.',
    example: {
      wrong: 'fn f(x) {\n  param w: f32 = 0\n  w * x\n}',
      right: 'layer f(x) {\n  param w: f32 = 0\n  w * x\n}',
    },
  },
  OPT221: {
    title: 'value used by nothing',
    about:
      'An expression stands where a statement is needed, so its value is lost. The value of a body is its last expression; `train`, `eval`, `trial` and loops have none.',
    example: { wrong: 'train 3 {\n  1 + 2\n}', right: 'train 3 {\n  report a = 1 + 2\n}' },
  },
  OPT222: {
    title: 'step outside training',
    about:
      '`step` and `progress` belong to the innermost `train` or `solve` around the text that reads them; a `hyper`, the body of a template and the arguments given to one may read them too, since they are evaluated there. `k` counts the updates of a rule, estimator or aggregator.',
    example: { wrong: 'let a = step + 1', right: 'train 3 {\n  report a = step + 1\n}' },
  },
  OPT223: {
    title: 'unknown dim',
    about:
      'A dim in a type is declared by `dim`, bound by a parameter such as `x: f32[n, i]`, or bound by a data file. Outside parameters and data a type can only use dims that are known.',
    example: { wrong: 'var x: f32[M] = 0', right: 'dim M = 4\nvar x: f32[M] = 0' },
  },
  OPT224: {
    title: 'write to what is no cell',
    about:
      'Only cells persist and can be written: `var`, `state`, the parameters of models, the variables of a problem. A `let` names one value for good; `frozen` is drawn once and never moves.',
    example: { wrong: 'let x = 1\ntrain 3 {\n  x <- x + 1\n}', right: 'var x = 1\ntrain 3 {\n  x <- x + 1\n}' },
  },
} satisfies Record<string, CatalogEntry>;
