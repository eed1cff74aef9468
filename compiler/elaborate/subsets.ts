/** Draws of several things out of n: permutations and subsets in random order, also in proportion to weights. */
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import { indicator } from './arithmetic.ts';
import type { Elaboration } from './context.ts';
import { broadcastTo, toDim, toFloat } from './convert.ts';
import type { Distribution, Drawn, Place } from './distributions.ts';
import { faultWhere, impossible, impossibleMessage } from './draw-checks.ts';
import { gumbel } from './variates.ts';

const op = (e: Elaboration, name: string, ...inputs: Node[]) => e.make(name, inputs);

/** All of 0 … n - 1, in random order. */
export const permutation: Distribution = {
  parameters: ['n'],
  dtypes: ['i32'],
  type: (at) => {
    const n = countOf(at);
    if (n === undefined) fail('OPT321', at.d.span, 'permutation needs its length', { hint: 'write ~ permutation(n)' });
    return { dtype: 'i32', shape: [n] };
  },
  draw(at, { shape }) {
    const { e, d, key } = at;
    const n = countOf(at) ?? shape[0];
    if (shape.length !== 1 || shape[0] !== n)
      fail(
        'OPT321',
        d.span,
        `a permutation of ${e.dim(n)} is i32[${e.dim(n)}], not ${e.typeText({ dtype: 'i32', shape })}`,
        { hint: 'leave the type off' },
      );
    return { node: e.make('permutation', [key], { n }), density: equalDensity(e, n, n) };
  },
};

/** k of 0 … n - 1 without replacement, in random order: all alike, or each next one in proportion to its weight among those left. */
export const subset: Distribution = {
  parameters: ['n', 'weights'],
  dtypes: ['i32'],
  draw(at, { shape }) {
    const { e, d, key } = at;
    const weights = weightsOf(at);
    const n = countOf(at) ?? weights?.type.shape[0];
    if (n === undefined) fail('OPT321', d.span, 'subset needs n', { hint: 'write ~ subset(n) i32[k]' });
    const [k] = shape;
    if (shape.length !== 1 || k > n)
      fail('OPT321', d.span, `${e.shapeText(shape)} cannot be drawn from ${e.dim(n)} without replacement`, {
        hint: 'write ~ subset(n) i32[k] with k of at most n',
      });
    if (weights) return weighted(at, weights, k);
    return {
      node: e.make('shuffle_index', [key, e.constant(0, 'i32')], { rows: n, count: k }),
      density: equalDensity(e, n, k),
    };
  },
};

function equalDensity(e: Elaboration, n: number, k: number): Drawn['density'] {
  return (z) => op(e, 'sub', indicator(e, distinct(e, z, n)), e.constant(logChoices(n, k)));
}

/** Weights of a subset: f32[n]. */
function weightsOf(at: Place): Node | undefined {
  const { e, args } = at;
  const given = args.value('weights');
  if (!given) return undefined;
  const weights = toFloat(e, given.value, given.span);
  const n = countOf(at);
  const { shape } = weights.type;
  if (shape.length !== 1 || shape[0] === 0 || (n !== undefined && shape[0] !== n))
    fail('OPT321', given.span, `the weights of a subset are one for each element, not ${e.typeText(weights.type)}`, {
      hint: 'give f32[n]: ~ subset(n, weights: w) i32[k]',
    });
  return weights;
}

/** The k largest of log w + gumbel are draws one after the other (Efraimidis and Spirakis, 2006). Weights of which fewer than k are positive are a fault. */
function weighted({ e, key, args, d }: Place, weights: Node, k: number): Drawn {
  const { shape } = weights.type;
  const span = args.find('weights')?.span ?? d.span;
  const given = { node: weights, known: args.known('weights'), span, count: k, what: 'subset' };
  const wrong = impossible(e, given);
  const scores = op(e, 'add', op(e, 'log', weights), gumbel(e, key, shape));
  const order = e.make('argsort', [scores], { axis: 0, descending: true });
  const first = e.make('slice', [order], { start: [0], limit: [k], stride: [1] });
  const node = wrong ? faultWhere(e, first, wrong, impossibleMessage(given)) : first;
  return {
    node: e.make('name', [node], { name: 'subset', draw: 'subset' }),
    density: (z) => {
      const last = e.constant(shape[0] - 1, 'i32', [k]);
      const valid = op(e, 'min', op(e, 'max', z, e.constant(0, 'i32', [k])), last);
      const taken = e.make('gather', [weights, valid], { axis: 0 });
      // what is left before each draw, by sums alone: a difference of the whole and what was taken could be anything
      const ones = e.constant(1, 'f32', [k]);
      const times = e.make('scatter_add', [valid, ones], { axis: 0, size: shape[0] });
      const zero = e.constant(0, 'f32', shape);
      const others = op(e, 'select', op(e, 'gt', times, zero), zero, weights);
      const never = broadcastTo(e, e.make('reduce_sum', [others], { axes: [0] }), [k]);
      const left = op(e, 'add', e.make('cumsum', [taken], { axis: 0, reverse: true }), never);
      const terms = op(e, 'sub', op(e, 'log', taken), op(e, 'log', left));
      const sum = e.make('reduce_sum', [terms], { axes: [0] });
      const inside = distinct(e, z, shape[0]);
      return op(e, 'select', inside, sum, indicator(e, inside));
    },
  };
}

/** Number of things that a permutation or subset is of. */
function countOf({ e, args, d }: Place): number | undefined {
  const n = args.value('n');
  const count = n && toDim(e, n.value, n.span, `n of ${d.dist.text}`);
  if (n && count !== undefined && count < 1)
    fail('OPT321', n.span, `${d.dist.text} needs at least one element, not ${count}`, { hint: 'give n of 1 or more' });
  return count;
}

/** log n! - log (n - k)!, by summing: the count of ordered choices. */
function logChoices(n: number, k: number): number {
  let sum = 0;
  for (let i = 0; i < k; i++) sum += Math.log(n - i);
  return sum;
}

/** All k of `z` differ and lie in 0 … n - 1. */
function distinct(e: Elaboration, z: Node, n: number): Node {
  const k = z.type.shape[0];
  const [rows, columns] = [0, 1].map((axis) => e.make('broadcast', [z], { shape: [k, k], axes: [axis] }));
  const at = (axis: number) => e.make('iota', [], { shape: [k, k], axis, dtype: 'i32' });
  const differ = op(e, 'or', op(e, 'ne', rows, columns), op(e, 'eq', at(0), at(1)));
  const inside = op(e, 'and', op(e, 'ge', z, e.constant(0, 'i32', [k])), op(e, 'lt', z, e.constant(n, 'i32', [k])));
  const all = (x: Node, axes: number[]) => e.make('reduce_and', [x], { axes });
  return op(e, 'and', all(differ, [0, 1]), all(inside, [0]));
}
