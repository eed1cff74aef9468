/**
 * The distributions: what arguments each takes, what types it draws, its value for a key, and the logarithm of its density. Location and scale are
 * differentiable pathwise; what depends on other arguments is marked (`drawn`), so that a gradient that would silently leave it out is found.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { DType, Node, TensorType } from '../ops/types.ts';
import { cast, indicator } from './arithmetic.ts';
import type { Elaboration } from './context.ts';
import { broadcastTo, toFloat, toNode } from './convert.ts';
import type { DrawArguments } from './draw-arguments.ts';
import { faultWhere, impossible, impossibleMessage, notNegative, positive, share } from './draw-checks.ts';
import { permutation, subset } from './subsets.ts';
import { below, gumbel, lgamma, logGamma, orthonormal, standardNormal, unit } from './variates.ts';

/** A value and the logarithm of its density at z (the value's type): one number per element or event, to be summed. */
export interface Drawn {
  readonly node: Node;
  readonly density?: (z: Node) => Node;
}

export interface Place {
  readonly e: Elaboration;
  readonly d: ast.Draw;
  readonly args: DrawArguments;
  readonly key: Node;
}

export interface Distribution {
  readonly parameters: readonly string[];
  /** Types of its elements, as they may be declared. */
  readonly dtypes: readonly DType[];
  draw(at: Place, type: TensorType): Drawn;
  /** Type where none is given, if the arguments say it. */
  type?(at: Place): TensorType;
}

const op = (e: Elaboration, name: string, ...inputs: Node[]) => e.make(name, inputs);
const like = (e: Elaboration, x: Node, value: number) => e.constant(value, 'f32', x.type.shape);

/** Names a draw that is no differentiable function of its arguments. */
function drawn(e: Elaboration, name: string, node: Node): Node {
  return e.make('name', [node], { name, draw: name });
}

/** The same for a variate whose logarithm is computed with operations that differentiate, wrongly: rejection depends on the arguments too. */
function cut(e: Elaboration, name: string, node: Node): Node {
  return e.make('stop', [node], { draw: name });
}

const normal: Distribution = {
  parameters: ['mean', 'std'],
  dtypes: ['f32'],
  draw({ e, args, key }, { shape }) {
    const [mean, std] = [args.float('mean', shape), args.float('std', shape, notNegative)];
    const z = standardNormal(e, key, shape);
    const scaled = std ? op(e, 'mul', std, z) : z;
    return {
      node: mean ? op(e, 'add', mean, scaled) : scaled,
      density: (x) => {
        const centred = mean ? op(e, 'sub', x, mean) : x;
        const t = std ? op(e, 'div', centred, std) : centred;
        const half = op(e, 'mul', like(e, x, -0.5), op(e, 'mul', t, t));
        const constant = op(e, 'sub', half, like(e, x, 0.5 * Math.log(2 * Math.PI)));
        return std ? op(e, 'sub', constant, op(e, 'log', std)) : constant;
      },
    };
  },
};

/** Bounds of uniform, and whether rounding may reach the upper one, as it does not where the lower one is 0. */
function bounds(e: Elaboration, args: DrawArguments, shape: readonly number[]) {
  const [from, to] = [args.known('lo') ?? (args.find('lo') ? undefined : [0]), args.known('hi')];
  const least = from ? Math.max(...from) : Number.NEGATIVE_INFINITY;
  args.requireThat('hi', { holds: (x) => x >= least, wanted: `at least ${least}` });
  const lo = args.float('lo', shape);
  const given = args.float('hi', shape) ?? e.constant(1, 'f32', shape);
  const known = from && (args.find('hi') ? to : [1]);
  const wrong = op(e, 'lt', given, lo ?? like(e, given, 0));
  const hi = known ? given : faultWhere(e, given, wrong, 'hi of uniform must be at least lo');
  const below = (a: number, b: number) =>
    a === 0 || Math.fround(a + Math.fround(b - a) * (1 - 2 ** -23)) < Math.fround(b);
  return { lo, hi, reached: !(known && from.length === 1 && known.length === 1 && below(from[0], known[0])) };
}

const uniform: Distribution = {
  parameters: ['lo', 'hi'],
  dtypes: ['f32'],
  draw({ e, args, key }, { shape }) {
    const { lo, hi, reached } = bounds(e, args, shape);
    const u = unit(e, key, shape, 0);
    const width = lo ? op(e, 'sub', hi, lo) : hi;
    const from = lo ?? e.constant(0, 'f32', shape);
    const node = lo ? op(e, 'add', lo, op(e, 'mul', width, u)) : op(e, 'mul', hi, u);
    return {
      node: reached && lo ? op(e, 'select', op(e, 'lt', node, hi), node, lo) : node,
      density: (x) => {
        const inside = op(e, 'and', op(e, 'ge', x, from), op(e, 'lt', x, hi));
        return op(e, 'sub', indicator(e, inside), op(e, 'log', width));
      },
    };
  },
};

const bernoulli: Distribution = {
  parameters: ['p'],
  dtypes: ['f32', 'bool', 'i32'],
  draw({ e, args, key }, { dtype, shape }) {
    const p = args.float('p', shape, share) ?? e.constant(0.5, 'f32', shape);
    const up = op(e, 'lt', unit(e, key, shape, 0), p);
    return {
      node: drawn(e, 'bernoulli', cast(e, up, dtype)),
      density: (z) => {
        const other = op(e, 'sub', e.constant(1, 'f32', shape), p);
        if (dtype === 'bool') return op(e, 'log', op(e, 'select', z, p, other));
        const [zero, one] = [0, 1].map((x) => op(e, 'eq', z, e.constant(x, dtype, shape)));
        const none = e.constant(0, 'f32', shape);
        return op(e, 'log', op(e, 'select', one, p, op(e, 'select', zero, other, none)));
      },
    };
  },
};

const rademacher: Distribution = {
  parameters: [],
  dtypes: ['f32', 'i32'],
  draw({ e, key }, { dtype, shape }) {
    const up = op(e, 'lt', unit(e, key, shape, 0), e.constant(0.5, 'f32', shape));
    const node = op(e, 'select', up, e.constant(1, dtype, shape), e.constant(-1, dtype, shape));
    const one = e.constant(1, dtype, shape);
    return {
      node,
      density: (z) =>
        op(e, 'sub', indicator(e, op(e, 'eq', op(e, 'mul', z, z), one)), e.constant(Math.LN2, 'f32', shape)),
    };
  },
};

const gumbels: Distribution = {
  parameters: [],
  dtypes: ['f32'],
  draw: ({ e, key }, { shape }) => ({
    node: gumbel(e, key, shape),
    density: (z) => op(e, 'neg', op(e, 'add', z, op(e, 'exp', op(e, 'neg', z)))),
  }),
};

/** Whole numbers in [lo, hi): bits modulo the width (bias below width / 2^32). */
const integers: Distribution = {
  parameters: ['lo', 'hi'],
  dtypes: ['i32'],
  draw({ e, d, args, key }, { shape }) {
    const hi = args.value('hi');
    const lo = args.value('lo');
    if (!lo || !hi) fail('OPT321', d.span, 'integers needs its bounds', { hint: 'write ~ integers(0, n)' });
    const low = toNode(e, lo.value, lo.span, 'i32');
    const high = toNode(e, hi.value, hi.span, 'i32');
    const scalar = ({ type }: Node) => type.dtype === 'i32' && type.shape.length === 0;
    if (!scalar(low) || !scalar(high))
      fail('OPT321', d.span, 'the bounds of integers are i32 scalars', { hint: 'write ~ integers(0, n)' });
    if (lo.value.kind === 'exact' && hi.value.kind === 'exact' && hi.value.value <= lo.value.value)
      fail('OPT321', d.span, `integers(${lo.value.value}, ${hi.value.value}) is empty`, {
        hint: 'the upper bound is left out, so it must be greater',
      });
    const difference = op(e, 'sub', high, low);
    const known = lo.value.kind === 'exact' && hi.value.kind === 'exact';
    const checked = known
      ? difference
      : faultWhere(e, difference, op(e, 'le', high, low), 'hi of integers must be greater than lo');
    const width = e.make('bitcast', [checked], { dtype: 'u32' });
    const from = broadcastTo(e, low, shape);
    return {
      node: op(e, 'add', from, below(e, key, shape, broadcastTo(e, width, shape))),
      density: (z) => {
        const inside = op(e, 'and', op(e, 'ge', z, from), op(e, 'lt', z, broadcastTo(e, high, shape)));
        return op(e, 'sub', indicator(e, inside), op(e, 'log', broadcastTo(e, cast(e, width, 'f32'), shape)));
      },
    };
  },
};

/** Name, values and shape of the argument of `categorical`: weights or logits. */
function classScores({ e, d, args }: Place) {
  const name = args.find('logits') ? 'logits' : 'w';
  const logits = name === 'logits';
  const given = args.value(name);
  if (!given || (args.find('w') && args.find('logits')))
    fail('OPT321', d.span, 'categorical takes weights or logits', {
      hint: 'write ~ categorical(w), or ~ categorical(logits: z)',
    });
  const node = toFloat(e, given.value, given.span);
  const { shape } = node.type;
  if (!shape[shape.length - 1])
    fail('OPT321', given.span, `the classes lie along the last axis, but this has shape ${e.shapeText(shape)}`, {
      hint: 'give one weight for each class',
    });
  return {
    name,
    shape,
    scores: { node, known: args.known(name), span: given.span, logits, count: 1, what: 'categorical' },
  };
}

/** An index along the last axis of the weights, by the largest of log w + gumbel (Gumbel, 1954). Weights from which nothing can be drawn are a fault. */
const categorical: Distribution = {
  parameters: ['w', 'logits'],
  dtypes: ['i32'],
  type: (at) => ({ dtype: 'i32', shape: classScores(at).shape.slice(0, -1) }),
  draw(at, type) {
    const { e, args, key } = at;
    const { name, shape: own, scores: given } = classScores(at);
    const shape = [...type.shape, own[own.length - 1]];
    const axis = shape.length - 1;
    const along = (reduction: string, x: Node) => e.make(reduction, [x], { axes: [axis] });
    const values = args.needed(name, shape);
    const wrong = impossible(e, given);
    const best = (z: Node) => {
      const index = e.make('argmax', [op(e, 'add', z, gumbel(e, key, shape))], { axis });
      return drawn(e, 'categorical', wrong ? faultWhere(e, index, wrong, impossibleMessage(given)) : index);
    };
    const chosen = (z: Node) => {
      const index = e.make('broadcast', [z], { shape, axes: type.shape.map((_, a) => a) });
      return op(e, 'eq', e.make('iota', [], { shape, axis, dtype: 'i32' }), index);
    };
    const none = e.constant(0, 'f32', shape);
    const picked = (z: Node, x: Node) => along('reduce_sum', op(e, 'select', chosen(z), x, none));
    if (name === 'logits') {
      const top = e.make('stop', [along('reduce_max', values)]);
      const spread = e.make('broadcast', [top], { shape, axes: type.shape.map((_, a) => a) });
      return {
        node: best(values),
        density: (z) => {
          const total = op(e, 'log', along('reduce_sum', op(e, 'exp', op(e, 'sub', values, spread))));
          const logit = op(e, 'sub', picked(z, values), op(e, 'add', total, top));
          return op(e, 'add', logit, indicator(e, along('reduce_or', chosen(z))));
        },
      };
    }
    return {
      node: best(op(e, 'log', values)),
      density: (z) => op(e, 'sub', op(e, 'log', picked(z, values)), op(e, 'log', along('reduce_sum', values))),
    };
  },
};

/** The smallest normal number and the largest below 1: the ends of open ranges, which reals beyond them are rounded to (as PyTorch does). */
const LEAST = 2 ** -126;
const MOST = 1 - 2 ** -24;
const aboveZero = (e: Elaboration, x: Node) => op(e, 'max', x, like(e, x, LEAST));
/** log of t^(a - 1), 0 for a = 1 at t = 0 too. */
function powerLog(e: Elaboration, a: Node, logT: Node): Node {
  const exponent = op(e, 'sub', a, like(e, a, 1));
  const constant = op(e, 'and', op(e, 'eq', exponent, like(e, a, 0)), op(e, 'not', op(e, 'is_finite', logT)));
  return op(e, 'select', constant, like(e, a, 0), op(e, 'mul', exponent, logT));
}

/** The density where `inside` holds, minus infinity elsewhere. */
const supported = (e: Elaboration, density: Node, inside: Node) =>
  op(e, 'select', inside, density, indicator(e, inside));

const inside = (e: Elaboration, x: Node) => op(e, 'min', aboveZero(e, x), like(e, x, MOST));

/** Scale is a factor, and so pathwise; what depends on the shape is cut. */
const gamma: Distribution = {
  parameters: ['shape', 'scale'],
  dtypes: ['f32'],
  draw({ e, args, key }, { shape }) {
    const a = args.needed('shape', shape, positive);
    const scale = args.float('scale', shape, positive);
    const one = cut(e, 'gamma', aboveZero(e, op(e, 'exp', logGamma(e, key, a))));
    return {
      node: scale ? aboveZero(e, op(e, 'mul', scale, one)) : one,
      density: (z) => {
        const t = scale ? op(e, 'div', z, scale) : z;
        // not the logarithm of t, which may be below the smallest number
        const logT = scale ? op(e, 'sub', op(e, 'log', z), op(e, 'log', scale)) : op(e, 'log', z);
        const whole = op(e, 'sub', op(e, 'sub', powerLog(e, a, logT), t), lgamma(e, a));
        const density = scale ? op(e, 'sub', whole, op(e, 'log', scale)) : whole;
        return supported(e, density, op(e, 'ge', z, like(e, z, 0)));
      },
    };
  },
};

/** The first part of two gamma variates, in logarithms. */
const beta: Distribution = {
  parameters: ['a', 'b'],
  dtypes: ['f32'],
  draw({ e, args, key }, { shape }) {
    const [a, b] = [args.needed('a', shape, positive), args.needed('b', shape, positive)];
    const row = (x: Node) => e.make('reshape', [x], { shape: [1, ...shape] });
    const logs = logGamma(e, key, e.make('concat', [row(a), row(b)], { axis: 0 }));
    const [first, second] = [0, 1].map((i) =>
      e.make(
        'reshape',
        [
          e.make('slice', [logs], {
            start: [i, ...shape.map(() => 0)],
            limit: [i + 1, ...shape],
            stride: [1, ...shape.map(() => 1)],
          }),
        ],
        { shape },
      ),
    );
    return {
      node: cut(e, 'beta', inside(e, op(e, 'sigmoid', op(e, 'sub', first, second)))),
      density: (z) => {
        const left = powerLog(e, a, op(e, 'log', z));
        const right = powerLog(e, b, op(e, 'log1p', op(e, 'neg', z)));
        const norm = op(e, 'sub', op(e, 'add', lgamma(e, a), lgamma(e, b)), lgamma(e, op(e, 'add', a, b)));
        const density = op(e, 'sub', op(e, 'add', left, right), norm);
        return supported(e, density, op(e, 'and', op(e, 'ge', z, like(e, z, 0)), op(e, 'le', z, like(e, z, 1))));
      },
    };
  },
};

/** Parts of 1 along the last axis: gamma variates over their sum, in logarithms. */
const dirichlet: Distribution = {
  parameters: ['a'],
  dtypes: ['f32'],
  type: ({ e, d, args }) => {
    const given = args.value('a');
    if (!given) fail('OPT321', d.span, 'dirichlet needs its argument a', { hint: 'write ~ dirichlet(a)' });
    return toFloat(e, given.value, given.span).type;
  },
  draw({ e, d, args, key }, { shape }) {
    if (!shape[shape.length - 1])
      fail(
        'OPT321',
        d.span,
        `the parts of dirichlet lie along the last axis, but this has shape ${e.shapeText(shape)}`,
        {
          hint: 'write ~ dirichlet(1) f32[k]',
        },
      );
    const axis = shape.length - 1;
    const outer = shape.slice(0, -1);
    const along = (reduction: string, x: Node) => e.make(reduction, [x], { axes: [axis] });
    const spread = (x: Node) => e.make('broadcast', [x], { shape, axes: outer.map((_, i) => i) });
    const a = args.needed('a', shape, positive);
    const logs = logGamma(e, key, a);
    const parts = op(e, 'exp', op(e, 'sub', logs, spread(along('reduce_max', logs))));
    const shares = op(e, 'div', parts, spread(along('reduce_sum', parts)));
    return {
      // a single part is 1
      node: cut(e, 'dirichlet', shape[axis] === 1 ? shares : inside(e, shares)),
      density: (z) => {
        const terms = along('reduce_sum', op(e, 'sub', powerLog(e, a, op(e, 'log', z)), lgamma(e, a)));
        const density = op(e, 'add', terms, lgamma(e, along('reduce_sum', a)));
        return supported(e, density, along('reduce_and', op(e, 'ge', z, like(e, z, 0))));
      },
    };
  },
};

/** Orthonormal columns, or rows where they are fewer; it has no density by the lengths of its elements. */
const orthogonal: Distribution = {
  parameters: [],
  dtypes: ['f32'],
  draw({ e, d, key }, { shape }) {
    if (shape.length !== 2 || shape.includes(0))
      fail('OPT321', d.span, `orthogonal draws matrices, not ${e.typeText({ dtype: 'f32', shape })}`, {
        hint: 'write ~ orthogonal f32[m, n]',
      });
    return { node: orthonormal(e, key, shape) };
  },
};

export const distributions: Readonly<Record<string, Distribution>> = {
  normal,
  uniform,
  integers,
  bernoulli,
  rademacher,
  gumbel: gumbels,
  categorical,
  gamma,
  beta,
  dirichlet,
  permutation,
  subset,
  orthogonal,
};
