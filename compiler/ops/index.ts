/**
 * Primitives with run-time indices. An index out of range is a fault of the run, never a clamp: the reference throws `IndexFault`,
 * the device records the node's place. Batching rules map an index outside its own element to -1, so that it faults too.
 */
import {
  axisAttr,
  drawArray,
  drawShape,
  int,
  need,
  range,
  sameShape,
  shapeAttr,
  shapeText,
  sizeOf,
  stridedOffsets,
  stridesOf,
} from './arrays.ts';
import { equatable, named, numeric } from './elementwise.ts';
import { Terms } from './terms.ts';
import type { Attrs, DType, NdArray, Node, OpDef, Rng, TensorType } from './types.ts';

/** An index of `gather`, `scatter_add` or a dynamic slice does not lie in its axis. */
export class IndexFault extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'IndexFault';
  }
}

function checked(index: number, size: number): number {
  if (!(index >= 0 && index < size))
    throw new IndexFault(`index ${index} is out of range: the axis has ${size} elements`);
  return index;
}

const EXACT = { relative: 0, absolute: 0 };
const isIndex = (type: TensorType) => need(type.dtype === 'i32', () => `an index must be i32, not ${type.dtype}`);

// ---------------------------------------------------------------- gather and scatter_add

/** Sizes before, along and after an axis. */
function around(shape: readonly number[], axis: number): { before: number; size: number; after: number } {
  return { before: sizeOf(shape.slice(0, axis)), size: shape[axis], after: sizeOf(shape.slice(axis + 1)) };
}

/** i32 `indices` of element e (leading axis of length n) as rows of n joined tables of `size` rows; those out of range become -1. */
function joinedIndices(t: Terms, indices: Node, n: number, size: number): Node {
  const { type } = indices;
  const inside = t.b.make('and', [
    t.compare('ge', indices, t.number(0, indices)),
    t.compare('lt', indices, t.number(size, indices)),
  ]);
  const table = t.scale(t.iota(type.shape, 0), size);
  need(n === type.shape[0], () => `mapped indices have ${type.shape[0]} elements instead of ${n}`);
  return t.select(inside, t.add(indices, table), t.number(-1, indices));
}

const gather: Omit<OpDef, 'name'> = {
  about:
    'Slices of x at i32 indices of any shape along {axis}, as numpy.take: shape x[:axis] + indices + x[axis+1:]. Inputs: x, indices.',
  arity: 2,
  infer: ([x, indices], attrs) => {
    isIndex(indices);
    const axis = axisAttr(attrs, 'axis', x.shape.length);
    return { dtype: x.dtype, shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)] };
  },
  reference: ([x, indices], attrs, type) => {
    const { before, size, after } = around(x.type.shape, attrs.axis as number);
    const data = new Float64Array(sizeOf(type.shape));
    const count = indices.data.length;
    for (let k = 0; k < count; k++) checked(indices.data[k], size);
    let out = 0;
    for (let p = 0; p < before; p++) {
      for (let k = 0; k < count; k++) {
        const from = (p * size + indices.data[k]) * after;
        for (let q = 0; q < after; q++) data[out++] = x.data[from + q];
      }
    }
    return { type, data };
  },
  vjp: ({ b, node, inputs: [x, indices] }, g) => {
    const axis = node.attrs.axis as number;
    return [b.make('scatter_add', [indices, g], { axis, size: x.type.shape[axis] }), undefined];
  },
  jvp: ({ b, node, inputs: [, indices] }, [t]) => t && b.make('gather', [t, indices], node.attrs),
  batch: ({ b, node, n }, [x, indices], [xMapped, indicesMapped]) => {
    const t = new Terms(b);
    const axis = node.attrs.axis as number;
    if (!indicesMapped) return b.make('gather', [x, indices], { axis: axis + 1 });
    const rank = node.inputs[1].type.shape.length;
    if (!xMapped) {
      // shape before + [n] + indices + after
      const result = b.make('gather', [x, indices], { axis });
      return t.permute(result, [axis, ...range(node.type.shape.length + 1).filter((a) => a !== axis)]);
    }
    // all tables side by side along the axis: [n, before, size, after] → [before, n size, after]
    const shape = x.type.shape.slice(1);
    const moved = t.permute(x, [
      ...range(axis).map((a) => a + 1),
      0,
      ...range(shape.length - axis).map((a) => axis + 1 + a),
    ]);
    const joined = t.reshape(moved, [...shape.slice(0, axis), n * shape[axis], ...shape.slice(axis + 1)]);
    const result = b.make('gather', [joined, joinedIndices(t, indices, n, shape[axis])], { axis });
    need(result.type.shape.length === shape.length + rank, () => 'gather: batched rank');
    return t.permute(result, [axis, ...range(result.type.shape.length).filter((a) => a !== axis)]);
  },
  lower: { family: 'gather' },
  sample: (rng) => {
    const shape = drawShape(rng, 1, 3, false);
    const axis = rng.integer(0, shape.length);
    const [dtype] = equatable.draw(rng, 1, {});
    return {
      inputs: [drawArray(rng, { dtype, shape }), drawIndices(rng, drawShape(rng, 0, 2), shape[axis])],
      attrs: { axis },
    };
  },
  tolerance: EXACT,
};

function drawIndices(rng: Rng, shape: readonly number[], size: number): NdArray {
  return drawArray(rng, { dtype: 'i32', shape }, () => rng.integer(0, size));
}

const scatterAdd: Omit<OpDef, 'name'> = {
  about:
    'Transpose of gather: zeros, with the updates added at i32 indices along {axis} of length {size}; duplicates add up, in order of the indices. Inputs: indices, updates.',
  arity: 2,
  infer: ([indices, updates], attrs) => {
    isIndex(indices);
    const rank = indices.shape.length;
    const axis = int(attrs, 'axis');
    const size = int(attrs, 'size');
    need(size >= 0, () => `scatter_add needs a size >= 0, not ${size}`);
    need(
      axis >= 0 &&
        axis + rank <= updates.shape.length &&
        sameShape(updates.shape.slice(axis, axis + rank), indices.shape),
      () =>
        `updates ${shapeText(updates.shape)} do not have the shape ${shapeText(indices.shape)} of the indices at axis ${axis}`,
    );
    return {
      dtype: numeric.result([updates.dtype], attrs),
      shape: [...updates.shape.slice(0, axis), size, ...updates.shape.slice(axis + rank)],
    };
  },
  reference: ([indices, updates], attrs, type) => {
    const { before, size, after } = around(type.shape, attrs.axis as number);
    const data = new Float64Array(sizeOf(type.shape));
    const count = indices.data.length;
    for (let k = 0; k < count; k++) checked(indices.data[k], size);
    let from = 0;
    for (let p = 0; p < before; p++) {
      for (let k = 0; k < count; k++) {
        const to = (p * size + indices.data[k]) * after;
        for (let q = 0; q < after; q++) data[to + q] += updates.data[from++];
      }
    }
    if (type.dtype === 'i32') data.forEach((v, i) => (data[i] = v | 0));
    if (type.dtype === 'u32') data.forEach((v, i) => (data[i] = v >>> 0));
    return { type, data };
  },
  vjp: ({ b, node, inputs: [indices] }, g) => [
    undefined,
    b.make('gather', [g, indices], { axis: node.attrs.axis as number }),
  ],
  jvp: ({ b, node, inputs: [indices] }, [, t]) => t && b.make('scatter_add', [indices, t], node.attrs),
  batch: ({ b, node, n }, [indices, updates], [indicesMapped, updatesMapped]) => {
    const t = new Terms(b);
    const axis = node.attrs.axis as number;
    const size = node.attrs.size as number;
    const all = updatesMapped ? updates : t.lead(updates, n);
    if (!indicesMapped) return b.make('scatter_add', [indices, all], { axis: axis + 1, size });
    // [n, before, indices, after] → [before, n, indices, after], into n joined tables, and back
    const rank = all.type.shape.length;
    const order = [...range(axis).map((a) => a + 1), 0, ...range(rank - 1 - axis).map((a) => axis + 1 + a)];
    const joined = b.make('scatter_add', [joinedIndices(t, indices, n, size), t.permute(all, order)], {
      axis,
      size: n * size,
    });
    const { shape } = node.type;
    const split = t.reshape(joined, [...shape.slice(0, axis), n, ...shape.slice(axis)]);
    return t.permute(split, [axis, ...range(shape.length + 1).filter((a) => a !== axis)]);
  },
  lower: { family: 'scatter' },
  sample: (rng) => {
    const shape = drawShape(rng, 1, 3, false);
    const axis = rng.integer(0, shape.length);
    const indices = drawIndices(rng, drawShape(rng, 0, 2), shape[axis]);
    const [dtype] = numeric.draw(rng, 1, {});
    const updates = [...shape.slice(0, axis), ...indices.type.shape, ...shape.slice(axis + 1)];
    return { inputs: [indices, drawArray(rng, { dtype, shape: updates })], attrs: { axis, size: shape[axis] } };
  },
  tolerance: { relative: 1e-6, absolute: 1e-6 },
};

// ---------------------------------------------------------------- dynamic slices

/** Flat offset of the window's first element; faults where the window does not fit. */
function windowBase(shape: readonly number[], sizes: readonly number[], starts: readonly NdArray[]): number {
  const strides = stridesOf(shape);
  return starts.reduce((base, start, a) => base + checked(start.data[0], shape[a] - sizes[a] + 1) * strides[a], 0);
}

function checkWindow(operand: TensorType, sizes: readonly number[], starts: readonly TensorType[]): void {
  const { shape } = operand;
  need(
    sizes.length === shape.length && starts.length === shape.length,
    () => `needs one size and one start per axis of ${shapeText(shape)}`,
  );
  for (const start of starts) {
    isIndex(start);
    need(start.shape.length === 0, () => `a start must be a scalar, not of shape ${shapeText(start.shape)}`);
  }
  need(
    sizes.every((size, a) => size >= 0 && size <= shape[a]),
    () => `a window of ${shapeText(sizes)} does not fit into ${shapeText(shape)}`,
  );
}

/** Drawn starts of a window within `shape`. */
function drawWindow(rng: Rng, shape: readonly number[]): { sizes: number[]; starts: NdArray[] } {
  const sizes = shape.map((dim) => rng.integer(1, dim + 1));
  const starts = shape.map((dim, a) => drawIndices(rng, [], dim - sizes[a] + 1));
  return { sizes, starts };
}

/** Starts of every element as [n] nodes. */
const mappedStarts = (t: Terms, starts: readonly Node[], mapped: readonly boolean[], n: number) =>
  starts.map((start, i) => (mapped[i] ? start : t.lead(start, n)));

/** bool [n]: do all windows fit? */
function windowsFit(
  t: Terms,
  starts: readonly Node[],
  shape: readonly number[],
  sizes: readonly number[],
  n: number,
): Node {
  let fits = t.b.constant(1, { dtype: 'bool', shape: [n] });
  starts.forEach((start, a) => {
    fits = t.b.make('and', [fits, t.compare('ge', start, t.number(0, start))]);
    fits = t.b.make('and', [fits, t.compare('le', start, t.number(shape[a] - sizes[a], start))]);
  });
  return fits;
}

/** A value of shape [n] repeated over `shape`, whose first axis has length n. */
const overElements = (t: Terms, x: Node, shape: readonly number[]) => t.broadcast(x, shape, [0]);

const dynamicSlice: Omit<OpDef, 'name'> = {
  about: 'The window of {sizes} that begins at run-time starts. Inputs: x, one i32 scalar start per axis.',
  arity: 'variadic',
  infer: ([x, ...starts], attrs) => {
    const sizes = shapeAttr(attrs, 'sizes');
    checkWindow(x, sizes, starts);
    return { dtype: x.dtype, shape: sizes };
  },
  reference: ([x, ...starts], _, type) => {
    const base = windowBase(x.type.shape, type.shape, starts);
    const offsets = stridedOffsets(type.shape, stridesOf(x.type.shape), base);
    return { type, data: Float64Array.from(offsets, (at) => x.data[at]) };
  },
  vjp: ({ b, inputs: [x, ...starts] }, g) => [
    b.make('dynamic_update_slice', [b.constant(0, x.type), g, ...starts]),
    ...starts.map(() => undefined),
  ],
  jvp: ({ b, node, inputs: [, ...starts] }, [t]) => t && b.make('dynamic_slice', [t, ...starts], node.attrs),
  // Starts that differ by element become one gather of flat elements.
  batch: ({ b, node, n }, [x, ...starts], [xMapped, ...startsMapped]) => {
    const t = new Terms(b);
    const sizes = node.attrs.sizes as readonly number[];
    if (!startsMapped.some(Boolean)) {
      const zero = b.constant(0, { dtype: 'i32', shape: [] });
      return b.make('dynamic_slice', [x, zero, ...starts], { sizes: [n, ...sizes] });
    }
    const { shape } = node.inputs[0].type;
    const strides = stridesOf(shape);
    const all = mappedStarts(t, starts, startsMapped, n);
    const result = [n, ...sizes];
    let flat = xMapped ? t.scale(t.iota(result, 0), sizeOf(shape)) : b.constant(0, { dtype: 'i32', shape: result });
    all.forEach((start, a) => {
      const at = t.add(overElements(t, start, result), t.iota(result, a + 1));
      flat = t.add(flat, t.scale(at, strides[a]));
    });
    const fits = overElements(t, windowsFit(t, all, shape, sizes, n), result);
    return t.takeFlat(x, t.select(fits, flat, t.number(-1, flat)));
  },
  lower: { family: 'gather' },
  sample: (rng) => {
    const shape = drawShape(rng, 0, 3, false);
    const { sizes, starts } = drawWindow(rng, shape);
    const [dtype] = equatable.draw(rng, 1, {});
    return { inputs: [drawArray(rng, { dtype, shape }), ...starts], attrs: { sizes } };
  },
  tolerance: EXACT,
};

const dynamicUpdateSlice: Omit<OpDef, 'name'> = {
  about:
    'x with the window that begins at run-time starts replaced by the update. Inputs: x, update, one i32 scalar start per axis.',
  arity: 'variadic',
  infer: ([x, update, ...starts]) => {
    checkWindow(x, update.shape, starts);
    need(x.dtype === update.dtype, () => `an update of ${update.dtype} does not fit into ${x.dtype}`);
    return x;
  },
  reference: ([x, update, ...starts], _, type) => {
    const base = windowBase(type.shape, update.type.shape, starts);
    const offsets = stridedOffsets(update.type.shape, stridesOf(type.shape), base);
    const data = Float64Array.from(x.data);
    for (let i = 0; i < offsets.length; i++) data[offsets[i]] = update.data[i];
    return { type, data };
  },
  vjp: ({ b, inputs: [, update, ...starts] }, g) => [
    b.make('dynamic_update_slice', [g, b.constant(0, update.type), ...starts]),
    b.make('dynamic_slice', [g, ...starts], { sizes: update.type.shape }),
    ...starts.map(() => undefined),
  ],
  jvp: ({ b, inputs: [x, update, ...starts] }, [tx, tu]) =>
    tx || tu
      ? b.make('dynamic_update_slice', [tx ?? b.constant(0, x.type), tu ?? b.constant(0, update.type), ...starts])
      : undefined,
  // Starts that differ by element: every place reads x, or the update where it lies in its element's window.
  batch: ({ b, node, n }, [x, update, ...starts], [xMapped, updateMapped, ...startsMapped]) => {
    const t = new Terms(b);
    const all = xMapped ? x : t.lead(x, n);
    if (!startsMapped.some(Boolean)) {
      const zero = b.constant(0, { dtype: 'i32', shape: [] });
      return b.make('dynamic_update_slice', [all, updateMapped ? update : t.lead(update, n), zero, ...starts]);
    }
    const result = all.type.shape;
    const sizes = node.inputs[1].type.shape;
    const each = mappedStarts(t, starts, startsMapped, n);
    if (sizeOf(sizes) === 0) return all;
    const strides = stridesOf(sizes);
    let inside = b.constant(1, { dtype: 'bool', shape: result });
    let flat = updateMapped
      ? t.scale(t.iota(result, 0), sizeOf(sizes))
      : b.constant(0, { dtype: 'i32', shape: result });
    each.forEach((start, a) => {
      const at = t.sub(t.iota(result, a + 1), overElements(t, start, result));
      inside = b.make('and', [inside, t.compare('ge', at, t.number(0, at))]);
      inside = b.make('and', [inside, t.compare('lt', at, t.number(sizes[a], at))]);
      flat = t.add(flat, t.scale(at, strides[a]));
    });
    const fits = overElements(t, windowsFit(t, each, result.slice(1), sizes, n), result);
    const index = t.select(fits, t.select(inside, flat, t.number(0, flat)), t.number(-1, flat));
    return t.select(inside, t.takeFlat(update, index), all);
  },
  lower: { family: 'update' },
  sample: (rng) => {
    const shape = drawShape(rng, 0, 3, false);
    const { sizes, starts } = drawWindow(rng, shape);
    const [dtype] = equatable.draw(rng, 1, {});
    return {
      inputs: [drawArray(rng, { dtype, shape }), drawArray(rng, { dtype, shape: sizes }), ...starts],
      attrs: {},
    };
  },
  tolerance: EXACT,
};

// ---------------------------------------------------------------- sort

/** Stable order of one line: ascending, or descending with ties still in order; NaN last. */
function lineOrder(data: Float64Array, base: number, stride: number, length: number, descending: boolean): number[] {
  const sign = descending ? -1 : 1;
  const value = (i: number) => data[base + i * stride];
  return range(length).sort((i, j) => {
    const [x, y] = [value(i), value(j)];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
    return sign * (x - y) || i - j;
  });
}

function sorter(
  about: string,
  indices: boolean,
  derivatives: Pick<OpDef, 'vjp' | 'jvp' | 'kink'>,
): Omit<OpDef, 'name'> {
  return {
    about,
    arity: 1,
    infer: ([x], attrs) => {
      axisAttr(attrs, 'axis', x.shape.length);
      const dtype: DType = numeric.result([x.dtype], attrs);
      return { dtype: indices ? 'i32' : dtype, shape: x.shape };
    },
    reference: ([x], attrs, type) => {
      const axis = attrs.axis as number;
      const stride = stridesOf(type.shape)[axis];
      const length = type.shape[axis];
      const data = new Float64Array(x.data.length);
      for (let base = 0; base < data.length; base++) {
        if (Math.floor(base / stride) % length !== 0) continue;
        const order = lineOrder(x.data, base, stride, length, attrs.descending === true);
        order.forEach((from, to) => (data[base + to * stride] = indices ? from : x.data[base + from * stride]));
      }
      return { type, data };
    },
    ...derivatives,
    batch: ({ b, node }, [x]) => b.make(node.op, [x], { ...node.attrs, axis: (node.attrs.axis as number) + 1 }),
    lower: { family: 'sort' },
    sample: (rng) => {
      const shape = drawShape(rng, 1, 3);
      const [dtype] = numeric.draw(rng, 1, {});
      return {
        inputs: [drawArray(rng, { dtype, shape })],
        attrs: { axis: rng.integer(0, shape.length), descending: rng.uniform() < 0.5 },
      };
    },
    tolerance: EXACT,
  };
}

/** Flat index into x of every sorted element: its place with the sorted axis replaced by argsort's index. */
function sortedFlatIndices(t: Terms, x: Node, attrs: Attrs): Node {
  const axis = attrs.axis as number;
  const order = t.b.make('argsort', [x], attrs);
  return t.add(t.offsetsExcept(x.type.shape, axis), t.scale(order, stridesOf(x.type.shape)[axis]));
}

/** Smallest distance between two elements, in whatever line. */
function gap([x]: readonly NdArray[]): number {
  const sorted = Float64Array.from(x.data).sort();
  let least = Infinity;
  for (let i = 1; i < sorted.length; i++) least = Math.min(least, sorted[i] - sorted[i - 1]);
  return least;
}

export const indexOps = named({
  gather,
  scatter_add: scatterAdd,
  dynamic_slice: dynamicSlice,
  dynamic_update_slice: dynamicUpdateSlice,
  sort: sorter('Elements along {axis} in ascending order, or {descending}; stable, NaN last.', false, {
    vjp: ({ b, node, inputs: [x] }, g) => {
      const t = new Terms(b);
      const size = sizeOf(x.type.shape);
      const flat = t.reshape(sortedFlatIndices(t, x, node.attrs), [size]);
      return [t.reshape(b.make('scatter_add', [flat, t.reshape(g, [size])], { axis: 0, size }), x.type.shape)];
    },
    jvp: ({ b, node, inputs: [x] }, [tangent]) => {
      const t = new Terms(b);
      return tangent && t.takeFlat(tangent, sortedFlatIndices(t, x, node.attrs));
    },
    kink: gap,
  }),
  argsort: sorter('Indices (i32) that sort x along {axis}, as `sort` does; stable.', true, {
    vjp: 'none',
    jvp: 'none',
  }),
});
