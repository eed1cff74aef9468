/**
 * Reductions and row functions. Without `axis`, sum, mean, max, min, variance, std and norm take the whole tensor or tree; argmax, sort, softmax and their
 * kin act along the last axis.
 */
import { fail } from '../diagnostics/diagnostic.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import type { Node } from '../ops/types.ts';
import { cast, range } from './arithmetic.ts';
import { pairwise } from './builtins-elementwise.ts';
import type { BuiltinCall, BuiltinFn } from './builtins.ts';
import { broadcastTo, leaves, plain, toNode } from './convert.ts';
import { exact, tensor, type Value } from './values.ts';

/** Nodes of all leaves; bool becomes `boolAs`. */
function parts(c: BuiltinCall, boolAs: 'f32' | 'i32'): Node[] {
  return leaves(c.e, c.value(0), c.at(0)).map((l) => {
    const node = toNode(c.e, l.value, c.at(0));
    return node.type.dtype === 'bool' ? cast(c.e, node, boolAs) : node;
  });
}

function reduceAll(c: BuiltinCall, op: string, node: Node): Node {
  return node.type.shape.length === 0 ? node : c.e.make(op, [node], { axes: range(0, node.type.shape.length) });
}

/** Reduction of the whole tensor or tree, or along one axis of a tensor (of every leaf of a compound value of equal structure). */
function reduction(
  c: BuiltinCall,
  op: string,
  boolAs: 'f32' | 'i32',
  finish?: (total: Node, count: number) => Node,
): Value {
  const nodes = parts(c, boolAs);
  if (c.named.has('axis')) {
    if (nodes.length !== 1)
      fail('OPT306', c.named.get('axis')?.span, `${c.name} along an axis takes one tensor, not a tree`, {
        hint: 'take a leaf, or leave the axis off',
      });
    const axis = c.axis(nodes[0].type.shape.length) as number;
    const count = nodes[0].type.shape[axis];
    const total = c.e.make(op, [nodes[0]], { axes: [axis] });
    return tensor(finish ? finish(total, count) : total);
  }
  const combine = { reduce_sum: 'add', reduce_max: 'max', reduce_min: 'min', reduce_prod: 'mul' }[op] as string;
  if (nodes.length === 0) return nothing(c);
  const total = nodes.map((n) => reduceAll(c, op, n)).reduce((a, b) => c.e.make(combine, [a, b]));
  const count = nodes.reduce((sum, n) => sum + sizeOf(n.type.shape), 0);
  return tensor(finish ? finish(total, count) : total);
}

/** Of a tree without leaves (the constraints of a kind that a problem has none of): sums are 0. */
function nothing(c: BuiltinCall): Value {
  if (c.name === 'sum' || c.name === 'norm') return tensor(c.e.constant(0));
  fail('OPT306', c.at(0), `${c.name} of a tree without leaves`, { hint: 'sum and norm of it are 0' });
}

function scale(c: BuiltinCall, node: Node, factor: number): Node {
  return c.e.make('mul', [node, c.e.constant(factor, 'f32', node.type.shape)]);
}

function floats(c: BuiltinCall): void {
  for (const l of leaves(c.e, c.value(0), c.at(0))) {
    const node = toNode(c.e, l.value, c.at(0), 'f32');
    if (node.type.dtype !== 'f32' && node.type.dtype !== 'bool') {
      fail('OPT301', c.at(0), `${c.name} takes f32, but this has type ${c.e.typeText(node.type)}`, {
        hint: 'convert it: f32(x)',
      });
    }
  }
}

const sum: BuiltinFn = (c) => {
  c.expect(1, 1, ['axis']);
  return reduction(c, 'reduce_sum', 'i32');
};

const mean: BuiltinFn = (c) => {
  c.expect(1, 1, ['axis']);
  floats(c);
  return reduction(asFloat(c), 'reduce_sum', 'f32', (total, count) => scale(c, total, 1 / count));
};

/** Literal arrays take f32. */
function asFloat(c: BuiltinCall): BuiltinCall {
  const value = c.value(0);
  if (value.kind !== 'exactArray' && value.kind !== 'exact') return c;
  const positional = [
    { value: tensor(toNode(c.e, value, c.at(0), 'f32')) as Value, span: c.at(0) },
    ...c.positional.slice(1),
  ];
  return Object.assign(Object.create(Object.getPrototypeOf(c)) as BuiltinCall, c, { positional });
}

/** Population variance: mean of squared distances from the mean. */
function variance(c: BuiltinCall): Node {
  floats(c);
  const value = asFloat(c);
  const nodes = parts(value, 'f32');
  if (c.named.has('axis')) {
    const [x] = nodes;
    const axis = c.axis(x.type.shape.length) as number;
    const n = x.type.shape[axis];
    const centre = scale(c, c.e.make('reduce_sum', [x], { axes: [axis] }), 1 / n);
    const spread = c.e.make('sub', [x, alongAxis(c, centre, x.type.shape, axis)]);
    return scale(
      c,
      c.e.make('reduce_sum', [c.e.make('integer_pow', [spread], { exponent: 2 })], { axes: [axis] }),
      1 / n,
    );
  }
  const count = nodes.reduce((total, n) => total + sizeOf(n.type.shape), 0);
  const add = (list: Node[]) => list.reduce((a, b) => c.e.make('add', [a, b]));
  const centre = scale(c, add(nodes.map((n) => reduceAll(c, 'reduce_sum', n))), 1 / count);
  const squares = nodes.map((n) =>
    reduceAll(
      c,
      'reduce_sum',
      c.e.make('integer_pow', [c.e.make('sub', [n, broadcastTo(c.e, centre, n.type.shape)])], { exponent: 2 }),
    ),
  );
  return scale(c, add(squares), 1 / count);
}

/** Euclidean norm of all entries. */
const norm: BuiltinFn = (c) => {
  c.expect(1, 1, ['axis']);
  floats(c);
  const value = asFloat(c);
  if (c.named.has('axis')) {
    const [x] = parts(value, 'f32');
    const axis = c.axis(x.type.shape.length) as number;
    return tensor(c.e.make('sqrt', [c.e.make('reduce_sum', [square(c, x)], { axes: [axis] })]));
  }
  const squares = parts(value, 'f32').map((n) => reduceAll(c, 'reduce_sum', square(c, n)));
  if (squares.length === 0) return nothing(c);
  return tensor(c.e.make('sqrt', [squares.reduce((a, b) => c.e.make('add', [a, b]))]));
};

function square(c: BuiltinCall, x: Node): Node {
  return c.e.make('integer_pow', [x], { exponent: 2 });
}

/** max(x), max(x, axis: 1), max(a, b). */
function extreme(pair: 'max' | 'min'): BuiltinFn {
  return (c) => {
    c.expect(1, Number.POSITIVE_INFINITY, ['axis']);
    if (c.positional.length === 1) {
      const v = plain(c.e, c.value(0), c.at(0));
      if (v.kind === 'exact') return v;
      if (v.kind === 'tuple' && v.items.every((x) => x.kind === 'exact'))
        return exact(Math[pair](...v.items.map((x) => (x.kind === 'exact' ? x.value : 0))));
      return reduction(c, `reduce_${pair}`, 'i32');
    }
    let result = pairwise(c, pair, 0, 1);
    for (let i = 2; i < c.positional.length; i++) {
      const step = Object.assign(Object.create(Object.getPrototypeOf(c)) as BuiltinCall, c, {
        positional: [{ value: result, span: c.span }, c.positional[i]],
      });
      result = pairwise(step, pair, 0, 1);
    }
    return result;
  };
}

// ---------------------------------------------------------------- along the last axis

/** The argument as one tensor with at least one axis, and the axis (the last, or the one named). */
function row(c: BuiltinCall, dtype?: 'f32'): { x: Node; axis: number } {
  const x = dtype ? c.float(0) : c.node(0);
  if (x.type.shape.length === 0)
    fail('OPT306', c.at(0), `${c.name} acts along an axis, but this is a scalar`, { hint: 'give a vector or matrix' });
  return { x, axis: c.axis(x.type.shape.length, x.type.shape.length - 1) as number };
}

/** Repeats a reduced value along `axis` again. */
export function alongAxis(c: BuiltinCall, node: Node, shape: readonly number[], axis: number): Node {
  return c.e.make('broadcast', [node], { shape, axes: range(0, shape.length).filter((a) => a !== axis) });
}

/** x minus its largest entry along the axis: the shift changes no derivative, so it is stopped. */
function shifted(c: BuiltinCall, x: Node, axis: number): { y: Node; top: Node } {
  const top = c.e.make('stop', [c.e.make('reduce_max', [x], { axes: [axis] })]);
  return { y: c.e.make('sub', [x, alongAxis(c, top, x.type.shape, axis)]), top };
}

/** Most numbers in one sort: a merge sort of more takes seconds on slow devices. */
const MOST_SORTED = 4_194_304;

/** Sorts along an axis, which must not be long: beyond the limit a device would seem to hang. */
function sorting(op: 'sort' | 'argsort'): BuiltinFn {
  const sorted = along(op, (c) => ({ descending: c.flag('descending') }), ['descending']);
  return (c) => {
    const value = sorted(c);
    const [x] = value.kind === 'tensor' ? value.node.inputs : [];
    const length = x?.type.shape.at(value.kind === 'tensor' ? (value.node.attrs.axis as number) : -1) ?? 0;
    if (length > MOST_SORTED && !c.e.witnesses.involved(length))
      fail('OPT507', c.at(0), `${op} of ${length} numbers: this version sorts at most ${MOST_SORTED} along an axis`, {
        hint: 'sort a part of them, or reshape them into rows and sort those',
      });
    return value;
  };
}

function along(
  op: string,
  attrs: (c: BuiltinCall) => Record<string, boolean> = () => ({}),
  names: readonly string[] = [],
): BuiltinFn {
  return (c) => {
    c.expect(1, 1, ['axis', ...names]);
    const { x, axis } = row(c);
    const value = x.type.dtype === 'bool' ? cast(c.e, x, 'i32') : x;
    return tensor(c.e.make(op, [value], { axis, ...attrs(c) }));
  };
}

const softmax: BuiltinFn = (c) => {
  c.expect(1, 1, ['axis']);
  const { x, axis } = row(c, 'f32');
  const weights = c.e.make('exp', [shifted(c, x, axis).y]);
  const total = c.e.make('reduce_sum', [weights], { axes: [axis] });
  return tensor(c.e.make('div', [weights, alongAxis(c, total, x.type.shape, axis)]));
};

function logTotal(c: BuiltinCall, y: Node, axis: number): Node {
  return c.e.make('log', [c.e.make('reduce_sum', [c.e.make('exp', [y])], { axes: [axis] })]);
}

const logSoftmax: BuiltinFn = (c) => {
  c.expect(1, 1, ['axis']);
  const { x, axis } = row(c, 'f32');
  const { y } = shifted(c, x, axis);
  return tensor(c.e.make('sub', [y, alongAxis(c, logTotal(c, y, axis), x.type.shape, axis)]));
};

const logsumexp: BuiltinFn = (c) => {
  c.expect(1, 1, ['axis']);
  const { x, axis } = row(c, 'f32');
  const { y, top } = shifted(c, x, axis);
  return tensor(c.e.make('add', [logTotal(c, y, axis), top]));
};

function logical(op: 'reduce_and' | 'reduce_or'): BuiltinFn {
  return (c) => {
    c.expect(1, 1, ['axis']);
    const x = c.node(0);
    if (x.type.dtype !== 'bool')
      fail('OPT301', c.at(0), `${c.name} takes conditions (bool), not ${c.e.typeText(x.type)}`, {
        hint: 'compare first: x != 0',
      });
    const axis = c.axis(x.type.shape.length);
    if (axis !== undefined) return tensor(c.e.make(op, [x], { axes: [axis] }));
    return tensor(reduceAll(c, op, x));
  };
}

export const reduceBuiltins: Record<string, BuiltinFn> = {
  sum,
  mean,
  max: extreme('max'),
  min: extreme('min'),
  prod: (c) => {
    c.expect(1, 1, ['axis']);
    return reduction(c, 'reduce_prod', 'i32');
  },
  all: logical('reduce_and'),
  any: logical('reduce_or'),
  variance: (c) => {
    c.expect(1, 1, ['axis']);
    return tensor(variance(c));
  },
  std: (c) => {
    c.expect(1, 1, ['axis']);
    return tensor(c.e.make('sqrt', [variance(c)]));
  },
  norm,
  argmax: along('argmax'),
  argmin: along('argmin'),
  sort: sorting('sort'),
  argsort: sorting('argsort'),
  cumsum: along('cumsum', () => ({ reverse: false })),
  cumprod: along('cumprod'),
  softmax,
  log_softmax: logSoftmax,
  logsumexp,
};
