/** Functions that make, join, move and measure arrays and trees. */
import { fail } from '../diagnostics/diagnostic.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import { knownRange, type Range } from '../ir/tensor/ranges.ts';
import type { DType, Node, TensorType } from '../ops/types.ts';
import { binary, cast, range } from './arithmetic.ts';
import type { BuiltinCall, BuiltinFn } from './builtins.ts';
import {
  broadcastTo,
  leafNodes,
  leaves,
  mapLeaves,
  plain,
  rebuild,
  shapeOf,
  toSize,
  toNode,
  totalSize,
} from './convert.ts';
import { exact, kindText, tensor, type Value } from './values.ts';

/** zeros(n, m): f32. */
function filled(value: number): BuiltinFn {
  return (c) => {
    c.expect(0, Number.POSITIVE_INFINITY);
    const shape = c.positional.flatMap((a) =>
      a.value.kind === 'exactArray'
        ? a.value.values.map((n) => toSize(c.e, exact(n), a.span, 'a size'))
        : [toSize(c.e, a.value, a.span, 'a size')],
    );
    return tensor(c.e.constant(value, 'f32', shape));
  };
}

function filledLike(value: number): BuiltinFn {
  return (c) => {
    c.expect(1, 1);
    return mapLeaves(c.e, c.value(0), c.at(0), (leaf) => {
      const { dtype, shape } = toNode(c.e, leaf, c.at(0)).type;
      return tensor(c.e.graph.constant(value, { dtype, shape }));
    });
  };
}

/** Nodes of all positional arguments in one dtype, that of the first that has one. */
function together(c: BuiltinCall): Node[] {
  const items = c.positional.length === 1 && c.value(0).kind === 'tuple' ? tupleItems(c) : c.positional;
  const typed = items.find((a) => a.value.kind !== 'exact' && a.value.kind !== 'exactArray');
  const integral = items.every((a) => (a.value.kind === 'exact' || a.value.kind === 'exactArray') && a.value.integral);
  const dtype: DType = typed ? toNode(c.e, typed.value, typed.span).type.dtype : integral ? 'i32' : 'f32';
  return items.map((a) => {
    const node = toNode(c.e, a.value, a.span, dtype);
    if (node.type.dtype !== dtype) {
      fail('OPT301', a.span, `${c.name} joins values of one type, but ${node.type.dtype} meets ${dtype}`, {
        labels: typed ? [{ span: typed.span, text: `this has type ${dtype}` }] : [],
        hint: 'convert them to one type: f32(x)',
      });
    }
    return node;
  });
}

function tupleItems(c: BuiltinCall): { value: Value; span: BuiltinCall['span'] }[] {
  const v = c.value(0);
  return v.kind === 'tuple' ? v.items.map((value) => ({ value, span: c.at(0) })) : [];
}

const concat: BuiltinFn = (c) => {
  c.expect(1, Number.POSITIVE_INFINITY, ['axis']);
  const nodes = together(c);
  const rank = nodes[0].type.shape.length;
  if (rank === 0)
    fail('OPT306', c.at(0), 'concat joins arrays, but this is a scalar', { hint: 'use stack for scalars' });
  const axis = c.axis(rank, 0) as number;
  nodes.forEach((node, i) => {
    const { shape } = node.type;
    if (shape.length === rank && shape.every((d, k) => k === axis || d === nodes[0].type.shape[k])) return;
    fail(
      'OPT302',
      c.positional[i]?.span ?? c.span,
      `concat along axis ${axis} needs equal shapes elsewhere, but ${c.e.shapeText(nodes[0].type.shape)} meets ${c.e.shapeText(shape)}`,
      {
        labels: [{ span: c.at(0), text: `this has shape ${c.e.shapeText(nodes[0].type.shape)}` }],
        hint: 'say the axis: concat(a, b, axis: 1)',
      },
    );
  });
  return tensor(nodes.length === 1 ? nodes[0] : c.e.make('concat', nodes, { axis }));
};

const stack: BuiltinFn = (c) => {
  c.expect(1, Number.POSITIVE_INFINITY, ['axis']);
  return tensor(stackNodes(c, together(c), c.axis((together(c)[0].type.shape.length ?? 0) + 1, 0) as number));
};

function stackNodes(c: BuiltinCall, nodes: readonly Node[], axis: number): Node {
  const [first] = nodes;
  const wide = nodes.map((node, i) => {
    if (node.type.shape.join() !== first.type.shape.join()) {
      fail(
        'OPT302',
        c.positional[i]?.span ?? c.span,
        `stack needs equal shapes, but ${c.e.shapeText(first.type.shape)} meets ${c.e.shapeText(node.type.shape)}`,
        {
          labels: [{ span: c.at(0), text: `this has shape ${c.e.shapeText(first.type.shape)}` }],
          hint: 'use concat to join arrays of different length',
        },
      );
    }
    return c.e.make('reshape', [node], {
      shape: [...first.type.shape.slice(0, axis), 1, ...first.type.shape.slice(axis)],
    });
  });
  return wide.length === 1 ? wide[0] : c.e.make('concat', wide, { axis });
}

/** -1, which stands for the size that is left over. */
const isRest = (v: Value): boolean => v.kind === 'exact' && v.value === -1;

/** reshape(x, [a, b]) or reshape(x, a, b); one dim may be -1. */
const reshape: BuiltinFn = (c) => {
  c.expect(2, Number.POSITIVE_INFINITY);
  const x = c.node(0);
  const dims = c.positional.slice(1).flatMap((a) => {
    if (a.value.kind === 'exactArray') return [...a.value.values];
    const items = a.value.kind === 'tuple' ? a.value.items : [a.value];
    return items.map((item) => (isRest(item) ? -1 : toSize(c.e, item, a.span, 'a size')));
  });
  if (dims.filter((d) => d === -1).length > 1)
    fail('OPT311', c.span, 'reshape can find out one size, but -1 stands twice', { hint: 'give all sizes but one' });
  const size = sizeOf(x.type.shape);
  const rest = sizeOf(dims.filter((d) => d !== -1));
  const shape = dims.map((d) => (d === -1 && rest > 0 ? size / rest : d));
  if (sizeOf(shape) !== size || shape.some((d) => d < 0 || !Number.isInteger(d))) {
    fail(
      'OPT302',
      c.span,
      `${c.e.shapeText(x.type.shape)} with ${c.e.dim(size)} elements cannot be reshaped to ${c.e.shapeText(dims)}`,
      {
        labels: [{ span: c.at(0), text: `this has type ${c.e.typeText(x.type)}` }],
        hint: 'the number of elements must stay',
      },
    );
  }
  return tensor(c.e.make('reshape', [x], { shape }));
};

/** Swaps the last two axes. */
const transpose: BuiltinFn = (c) => {
  c.expect(1, 1);
  const x = c.node(0);
  const rank = x.type.shape.length;
  if (rank < 2)
    fail('OPT306', c.at(0), `transpose swaps two axes, but this has type ${c.e.typeText(x.type)}`, {
      hint: 'write v[:, new] for a column',
    });
  return tensor(c.e.make('permute', [x], { axes: [...range(0, rank - 2), rank - 1, rank - 2] }));
};

const flip: BuiltinFn = (c) => {
  c.expect(1, 1, ['axis']);
  const x = c.node(0);
  return tensor(c.e.make('flip', [x], { axes: [c.axis(x.type.shape.length, 0) as number] }));
};

/** onehot(i, n): f32 with one more axis of n. An index outside 0..n is an error: now where that is certain, else of the run. */
const onehot: BuiltinFn = (c) => {
  c.expect(2, 2);
  const index = toNode(c.e, c.value(0), c.at(0), 'i32');
  if (index.type.dtype !== 'i32')
    fail('OPT301', c.at(0), `onehot takes i32 indices, not ${c.e.typeText(index.type)}`, {
      hint: 'convert them: i32(x)',
    });
  const n = toSize(c.e, c.value(1), c.at(1), 'the number of classes');
  const shape = [...index.type.shape, n];
  const wide = c.e.make('broadcast', [within(c, index, n)], { shape, axes: range(0, shape.length - 1) });
  const classes = c.e.make('iota', [], { shape, axis: shape.length - 1, dtype: 'i32' });
  return tensor(cast(c.e, c.e.make('eq', [wide, classes]), 'f32'));
};

/** The indices themselves; those of which it is not known that they lie in 0..n are looked up in 0, 1, …, n - 1, which faults outside of it. */
function within(c: BuiltinCall, index: Node, n: number): Node {
  const known = knownRange(index, (leaf) => fieldRange(c, leaf));
  if (known && known[0] >= 0 && known[1] < n) return index;
  if (known && sizeOf(index.type.shape) > 0) {
    const classes = known[0] === known[1] ? `${known[0]}` : `${known[0]} to ${known[1]}`;
    fail('OPT307', c.at(0), `${c.name} into ${c.e.dim(n)} classes, but the indices may be ${classes}`, {
      labels: [{ span: c.at(1), text: `${c.e.dim(n)} classes` }],
      hint: `give as many classes as there are, ${known[1] + 1} or more, or narrow the range of the data: in 0..${c.e.dim(n)}`,
    });
  }
  const classes = c.e.make('iota', [], { shape: [n], axis: 0, dtype: 'i32' });
  return c.e.make('gather', [classes, index], { axis: 0 });
}

/** The range that a data field is declared (and, when it is loaded, checked) to lie in. */
function fieldRange(c: BuiltinCall, node: Node): Range | undefined {
  if (node.attrs.source !== 'data') return undefined;
  const name = node.attrs.name as string;
  const data = c.e.data.find(
    (d) => name.startsWith(`${d.name}.`) && d.fields.some((f) => name === `${d.name}.${f.name}`),
  );
  const range = data?.fields.find((f) => name === `${data.name}.${f.name}`)?.range;
  return range && [Math.ceil(range[0]), Math.ceil(range[1]) - 1];
}

/** segment_sum(v, by: index, into: n): row i of v is added to row index[i] of n zero rows. */
const segmentSum: BuiltinFn = (c) => {
  c.expect(1, 1, ['by', 'into']);
  const by = c.named.get('by');
  const into = c.dim('into');
  if (!by || into === undefined)
    fail('OPT311', c.span, 'segment_sum needs by: and into:', { hint: 'write segment_sum(v, by: index, into: n)' });
  const v = c.node(0);
  const index = toNode(c.e, by.value, by.span, 'i32');
  if (index.type.dtype !== 'i32')
    fail('OPT301', by.span, `by: takes i32 indices, not ${c.e.typeText(index.type)}`, { hint: 'convert them: i32(x)' });
  const rank = index.type.shape.length;
  if (v.type.shape.length < rank || index.type.shape.some((d, i) => d !== v.type.shape[i])) {
    fail(
      'OPT302',
      by.span,
      `indices of shape ${c.e.shapeText(index.type.shape)} do not match the rows of ${c.e.typeText(v.type)}`,
      {
        labels: [{ span: c.at(0), text: `this has type ${c.e.typeText(v.type)}` }],
        hint: 'one index for each row',
      },
    );
  }
  return tensor(c.e.make('scatter_add', [index, v], { axis: 0, size: into }));
};

/** n numbers from a to b, both included, evenly spaced (in the exponent of 10 for logspace). */
function spaced(f: (x: number) => number): BuiltinFn {
  return (c) => {
    c.expect(3, 3);
    const [a, b] = [0, 1].map((i) => {
      const v = c.value(i);
      if (v.kind === 'exact') return v.value;
      return fail('OPT305', c.at(i), `the ends of ${c.name} must be known at compile time`, {
        hint: 'write a + (b - a) * f32(0..n) / (n - 1)',
      });
    });
    const n = toSize(c.e, c.value(2), c.at(2), 'the number of points');
    const values = Array.from({ length: n }, (_, i) => f(n === 1 ? a : a + ((b - a) * i) / (n - 1)));
    return { kind: 'exactArray', values, shape: [n], integral: false };
  };
}

// ---------------------------------------------------------------- trees

/** All leaves as one f32 vector, in order. */
const flat: BuiltinFn = (c) => {
  c.expect(1, 1);
  const vectors = leafNodes(c.e, c.value(0), c.at(0)).map((n) =>
    c.e.make('reshape', [n], { shape: [sizeOf(n.type.shape)] }),
  );
  if (vectors.length === 0) return tensor(c.e.constant(0, 'f32', [0]));
  const other = vectors.find((v) => v.type.dtype !== vectors[0].type.dtype);
  if (other)
    fail('OPT301', c.at(0), `flat joins leaves of one type, but ${other.type.dtype} meets ${vectors[0].type.dtype}`, {
      hint: 'take the float leaves only',
    });
  return tensor(vectors.length === 1 ? vectors[0] : c.e.make('concat', vectors, { axis: 0 }));
};

/** unflat(v, like: P): the inverse of flat. */
const unflat: BuiltinFn = (c) => {
  c.expect(1, 1, ['like']);
  const like = c.named.get('like');
  if (!like) fail('OPT311', c.span, 'unflat needs like:', { hint: 'write unflat(v, like: P)' });
  const v = c.node(0);
  const parts = leaves(c.e, like.value, like.span);
  const total = totalSize(c.e, like.value, like.span);
  if (v.type.shape.length !== 1 || v.type.shape[0] !== total) {
    fail('OPT302', c.at(0), `unflat needs a vector of ${c.e.dim(total)}, but this has type ${c.e.typeText(v.type)}`, {
      labels: [{ span: like.span, text: `this has ${c.e.dim(total)} entries` }],
      hint: 'the vector must have as many entries as the tree',
    });
  }
  let start = 0;
  const nodes = parts.map((leaf) => {
    const shape = shapeOf(c.e, leaf.value, like.span);
    const slice = c.e.make('slice', [v], { start: [start], limit: [start + sizeOf(shape)], stride: [1] });
    start += sizeOf(shape);
    return c.e.make('reshape', [slice], { shape });
  });
  return rebuild(c.e, like.value, nodes, c.span);
};

/** Inner product over all leaves. */
const dot: BuiltinFn = (c) => {
  c.expect(2, 2);
  const product = binary(c.e, '*', { value: c.value(0), span: c.at(0) }, { value: c.value(1), span: c.at(1) }, c.span);
  const sums = leafNodes(c.e, product, c.span, 'f32').map((n) =>
    n.type.shape.length === 0 ? n : c.e.make('reduce_sum', [n], { axes: range(0, n.type.shape.length) }),
  );
  return tensor(sums.length === 0 ? c.e.constant(0) : sums.reduce((a, b) => c.e.make('add', [a, b])));
};

const size: BuiltinFn = (c) => {
  c.expect(1, 1);
  return exact(totalSize(c.e, c.value(0), c.at(0)), true);
};

/** Rows of an array, batch or data set; parts of a tuple; elements of a range; elements of an array along `axis`. */
const len: BuiltinFn = (c) => {
  c.expect(1, 1, ['axis']);
  const v = plain(c.e, c.value(0), c.at(0));
  if (c.named.has('axis')) {
    const shape = shapeOf(c.e, v, c.at(0));
    return exact(shape[c.axis(shape.length) as number], true);
  }
  switch (v.kind) {
    case 'dataset':
      return exact(v.rows, true);
    case 'batch':
      return exact(v.count, true);
    case 'tuple':
      return exact(v.items.length, true);
    case 'range':
      return exact(v.length, true);
    case 'axis':
      return exact(v.axis.size, true);
    case 'family':
      return exact(v.members.size, true);
    case 'exampleAxis':
      return exact(v.elements.length, true);
    default: {
      const shape = shapeOf(c.e, v, c.at(0));
      if (shape.length === 0)
        fail('OPT306', c.at(0), `len counts rows, but this is ${kindText(v)}`, { hint: 'give an array' });
      return exact(shape[0], true);
    }
  }
};

/** shape(x): the dims of an array, for reshape and zeros. */
const shape: BuiltinFn = (c) => {
  c.expect(1, 1);
  const values = shapeOf(c.e, plain(c.e, c.value(0), c.at(0)), c.at(0));
  return { kind: 'exactArray', values, shape: [values.length], integral: true };
};

// ---------------------------------------------------------------- derivatives as primitives

const stop: BuiltinFn = (c) => {
  c.expect(1, 1);
  return mapLeaves(c.e, c.value(0), c.at(0), (leaf) =>
    leaf.kind === 'tensor' ? tensor(c.e.make('stop', [leaf.node], { written: true })) : leaf,
  );
};

/** reverse(x, by: λ): x, whose derivative is -λ times what arrives. */
const reverse: BuiltinFn = (c) => {
  c.expect(1, 1, ['by']);
  const by = c.named.get('by');
  const factor = by ? toNode(c.e, by.value, by.span, 'f32') : c.e.constant(1);
  if (factor.type.dtype !== 'f32' || factor.type.shape.length > 0) {
    fail('OPT308', by?.span, `by: is one f32 number, but this has type ${c.e.typeText(factor.type)}`, {
      hint: 'give one number of 0 or more',
    });
  }
  if (by?.value.kind === 'exact' && by.value.value < 0) {
    fail(
      'OPT419',
      by.span,
      `the factor of reverse is negative (${by.value.value}): the two signs cancel and nothing is reversed`,
      {
        hint: `reverse already negates: write by: ${-by.value.value}`,
      },
    );
  }
  return mapLeaves(c.e, c.value(0), c.at(0), (leaf) =>
    tensor(c.e.make('gradient_reversal', [toNode(c.e, leaf, c.at(0), 'f32'), factor])),
  );
};

/** straight_through(hard, soft): the value of hard, the derivative of soft: soft + stop(hard - soft) would round, so a custom gradient says it. */
const straightThrough: BuiltinFn = (c) => {
  c.expect(2, 2);
  const soft = c.float(1);
  const hard = broadcastTo(c.e, cast(c.e, toNode(c.e, c.value(0), c.at(0), 'f32'), 'f32'), soft.type.shape);
  const g = c.e.graph.parameter('region', 'g', soft.type as TensorType);
  return tensor(c.e.make('custom_gradient', [c.e.make('stop', [hard]), soft], { rule: { params: [g], results: [g] } }));
};

export const shapeBuiltins: Record<string, BuiltinFn> = {
  zeros: filled(0),
  ones: filled(1),
  zeros_like: filledLike(0),
  ones_like: filledLike(1),
  concat,
  stack,
  reshape,
  transpose,
  flip,
  onehot,
  one_hot: onehot,
  segment_sum: segmentSum,
  linspace: spaced((x) => x),
  logspace: spaced((x) => 10 ** x),
  flat,
  unflat,
  dot,
  size,
  shape,
  len,
  stop,
  reverse,
  straight_through: straightThrough,
};
