/**
 * Primitives with run-time indices. An index out of range is a fault of the run, never a clamp: the reference throws `IndexFault`,
 * the device records the node's place. Batching rules map an index outside its own element to -1, so that it faults too.
 */
import { axisAttr, drawArray, drawShape, int, need, range, sameShape, shapeText, sizeOf } from './arrays.ts';
import { equatable, named, numeric } from './elementwise.ts';
import { Terms } from './terms.ts';
import type { NdArray, Node, OpDef, Rng, TensorType } from './types.ts';

/** A run-time check failed: an index of `gather`, `scatter_add` or a dynamic slice does not lie in its axis, or a condition of `fault_where` holds. */
export class IndexFault extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'IndexFault';
  }
}

/** What is said of an index out of range; on devices `{index}` stands for the number, which the run finds. */
export function indexMessage(index: number | '{index}', size: number): string {
  return `index ${index} is out of range: the axis has ${size} element${size === 1 ? '' : 's'}`;
}

/** The same of a window of `size` elements (of one: an index) along an axis of `length`. */
export function windowMessage(start: number | '{index}', size: number, length: number): string {
  if (size === 1) return indexMessage(start, length);
  return `a window of ${size} that begins at ${start} does not fit: the axis has ${length} element${length === 1 ? '' : 's'}`;
}

/** The index itself, or a fault. */
export function checked(index: number, size: number): number {
  if (!(index >= 0 && index < size)) throw new IndexFault(indexMessage(index, size));
  return index;
}

export const EXACT = { relative: 0, absolute: 0 };
export const isIndex = (type: TensorType) =>
  need(type.dtype === 'i32', () => `an index must be i32, not ${type.dtype}`);

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
  checked: 1,
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

/** Drawn indices of an axis. */
export function drawIndices(rng: Rng, shape: readonly number[], size: number): NdArray {
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
  checked: 0,
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

export const indexOps = named({ gather, scatter_add: scatterAdd });
