/** Functions that order or rearrange: axes in another order, the largest k, quantiles; and `keep:` of reductions. */
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import { cast, range } from './arithmetic.ts';
import { reduceBuiltins } from './builtins-reduce.ts';
import { faultWhere, share as shares } from './draw-checks.ts';
import { BuiltinCall, type BuiltinFn } from './builtins.ts';
import { broadcastTo, toNode, toSize } from './convert.ts';
import { einsum } from './einsum.ts';
import { exact, kindText, tensor, type Value } from './values.ts';

/** permute(x, [2, 0, 1]): axis i of the result is axis axes[i] of x. */
const permute: BuiltinFn = (c) => {
  c.expect(2, 2);
  const x = c.node(0);
  const rank = x.type.shape.length;
  const list = c.value(1);
  const axes = list.kind === 'exactArray' ? list.values.map((a) => (a < 0 ? a + rank : a)) : [];
  if (axes.length !== rank || new Set(axes).size !== rank || axes.some((a) => !(a >= 0 && a < rank)))
    fail('OPT306', c.at(1), `permute names each of ${rank} axes once`, {
      labels: [{ span: c.at(0), text: `this has type ${c.e.typeText(x.type)}` }],
      hint: `for example [${range(0, rank).reverse().join(', ')}]`,
    });
  return tensor(c.e.make('permute', [x], { axes }));
};

/** The value sorted along an axis, and the axis. */
function sorted(c: BuiltinCall, descending: boolean): { x: Node; axis: number; order: Node } {
  const x = c.float(0);
  const rank = x.type.shape.length;
  if (rank === 0)
    fail('OPT306', c.at(0), `${c.name} acts along an axis, but this is a scalar`, { hint: 'give a vector or matrix' });
  const axis = c.axis(rank, rank - 1) as number;
  if (x.type.shape[axis] === 0)
    fail('OPT302', c.at(0), `${c.name} of an empty axis`, { hint: `this has type ${c.e.typeText(x.type)}` });
  return { x, axis, order: c.e.make('sort', [x], { axis, descending }) };
}

function cut(c: BuiltinCall, x: Node, axis: number, start: number, limit: number): Node {
  const { shape } = x.type;
  return c.e.make('slice', [x], {
    start: shape.map((_, a) => (a === axis ? start : 0)),
    limit: shape.map((d, a) => (a === axis ? limit : d)),
    stride: shape.map(() => 1),
  });
}

/** top_k(x, k): the k largest along the last axis, largest first, and their indices; of equal ones the first come first. */
const topK: BuiltinFn = (c) => {
  c.expect(2, 2, ['axis']);
  const k = toSize(c.e, c.value(1), c.at(1), 'k');
  const { x, axis, order } = sorted(c, true);
  if (k > x.type.shape[axis])
    fail('OPT302', c.at(1), `the ${k} largest of ${c.e.dim(x.type.shape[axis])} numbers`, {
      labels: [{ span: c.at(0), text: `this has type ${c.e.typeText(x.type)}` }],
      hint: 'k is at most the length of the axis',
    });
  const indices = c.e.make('argsort', [x], { axis, descending: true });
  return {
    kind: 'tuple',
    items: [tensor(cut(c, order, axis, 0, k)), tensor(cut(c, indices, axis, 0, k))],
  };
};

/** quantile(x, q): the value below which a share q lies, between neighbours on a straight line (numpy's default). Without an axis, of all entries. */
function quantileOf(c: BuiltinCall, q: Value, qSpan: BuiltinCall['span']): Value {
  const whole = c.named.has('axis') ? c : flattened(c);
  const { axis, order } = sorted(whole, false);
  const last = order.type.shape[axis] - 1;
  const drop = (node: Node): Node =>
    c.e.make('reshape', [node], { shape: node.type.shape.filter((_, a) => a !== axis) });
  if (q.kind === 'exact') {
    if (!(q.value >= 0 && q.value <= 1))
      fail('OPT311', qSpan, `a quantile lies in 0..1, not at ${q.value}`, { hint: 'the median is at 0.5' });
    const place = q.value * last;
    const low = Math.min(Math.floor(place), last);
    const at = (k: number) => drop(cut(c, order, axis, k, k + 1));
    return tensor(low === place ? at(low) : between(c, at(low), at(low + 1), c.e.constant(place - low)));
  }
  const given = toNode(c.e, q, qSpan, 'f32');
  if (given.type.dtype !== 'f32' || given.type.shape.length > 0)
    fail('OPT308', qSpan, `a quantile is one f32 number, but this has type ${c.e.typeText(given.type)}`, {
      hint: 'give one number in 0..1',
    });
  const outside = shares.outside(c.e, given);
  const share = faultWhere(c.e, given, outside, 'a quantile must be in 0..1');
  const scaled = c.e.make('mul', [share, c.e.constant(last)]);
  const floor = c.e.make('min', [c.e.make('floor', [scaled]), c.e.constant(Math.max(0, last - 1))]);
  const low = cast(c.e, floor, 'i32');
  const next = last === 0 ? low : c.e.make('add', [low, c.e.constant(1, 'i32')]);
  const at = (index: Node) => c.e.make('gather', [order, index], { axis });
  return tensor(between(c, at(low), at(next), c.e.make('sub', [scaled, floor])));
}

/** a + (b - a) * share */
function between(c: BuiltinCall, a: Node, b: Node, share: Node): Node {
  const weight = broadcastTo(c.e, share, a.type.shape);
  return c.e.make('add', [a, c.e.make('mul', [weight, c.e.make('sub', [b, a])])]);
}

/** The call with all entries of its argument as one vector. */
function flattened(c: BuiltinCall): BuiltinCall {
  const x = c.float(0);
  const flat = c.e.make('reshape', [x], { shape: [x.type.shape.reduce((a, b) => a * b, 1)] });
  const positional = [{ value: tensor(flat), span: c.at(0) }, ...c.positional.slice(1)];
  return new BuiltinCall(c.e, c.name, c.span, positional, c.named);
}

const quantile: BuiltinFn = (c) => {
  c.expect(2, 2, ['axis']);
  return quantileOf(c, c.value(1), c.at(1));
};

const median: BuiltinFn = (c) => {
  c.expect(1, 1, ['axis']);
  return quantileOf(c, exact(0.5, false), c.span);
};

/** A reduction that also takes keep: true, which leaves the reduced axis with length 1. */
function keepable(reduce: BuiltinFn): BuiltinFn {
  return (c) => {
    const keep = c.named.get('keep');
    if (!keep) return reduce(c);
    const kept = c.flag('keep');
    const named = new Map([...c.named].filter(([name]) => name !== 'keep'));
    const value = reduce(new BuiltinCall(c.e, c.name, c.span, c.positional, named));
    if (!kept) return value;
    if (!named.has('axis'))
      fail('OPT311', keep.span, 'keep: leaves the reduced axis in place, so axis: has to say which', {
        hint: `write ${c.name}(x, axis: -1, keep: true)`,
      });
    const { shape } = toNode(c.e, c.value(0), c.at(0)).type;
    const axis = c.axis(shape.length) as number;
    const node = toNode(c.e, value, c.span);
    return tensor(c.e.make('reshape', [node], { shape: shape.map((d, a) => (a === axis ? 1 : d)) }));
  };
}

const keepers = ['sum', 'mean', 'max', 'min', 'prod', 'all', 'any', 'variance', 'std', 'norm', 'logsumexp'] as const;

/** The reductions and row functions, with keep: where an axis goes. */
/** count(s): rows of a batch that count, fewer than len(s) where the run decides. */
const count: BuiltinFn = (c) => {
  c.expect(1, 1);
  const v = c.value(0);
  if (v.kind === 'exampleAxis') return v.elements.count ? tensor(v.elements.count) : exact(v.elements.length, true);
  if (v.kind !== 'batch')
    fail('OPT304', c.at(0), `count takes a batch, not ${kindText(v)}`, { hint: 'len(x) is the length of an array' });
  return v.capped ? tensor(v.capped) : exact(v.count, true);
};

/** pairs(x): (x[0..n - 1], x[1..n]), for loops over consecutive times. */
const pairs: BuiltinFn = (c) => {
  c.expect(1, 1);
  const node = c.node(0);
  const { shape } = node.type;
  const [n] = shape;
  if (n === undefined || n < 1)
    fail('OPT302', c.at(0), 'pairs takes an array of one element at least', {
      hint: 'pairs(x) has len(x) - 1 elements',
    });
  const part = (from: number, to: number) =>
    tensor(
      c.e.make('slice', [node], {
        start: [from, ...shape.slice(1).map(() => 0)],
        limit: [to, ...shape.slice(1)],
        stride: shape.map(() => 1),
      }),
    );
  return { kind: 'tuple', items: [part(0, n - 1), part(1, n)] };
};

export const reductions: Record<string, BuiltinFn> = {
  pairs,
  count,
  ...reduceBuiltins,
  ...Object.fromEntries(keepers.map((name) => [name, keepable(reduceBuiltins[name])])),
};

export const orderBuiltins: Record<string, BuiltinFn> = { permute, top_k: topK, quantile, median, einsum };
