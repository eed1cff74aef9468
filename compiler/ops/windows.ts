/**
 * Sliding windows and convolution. Spatial axes are neighbours and the feature axis comes last: x[n, h, w, c], kernels w[kh, kw, c, o], as numpy
 * writes them row-major and as a contraction over c reads them fastest. `windows` and `overlap_add` are transposes of each other; a
 * convolution is a contraction of windows, its derivative by the input a convolution again, that by the kernel a contraction over windows.
 */
import {
  axisAttr,
  drawArray,
  drawLength,
  int,
  need,
  range,
  sameShape,
  shapeAttr,
  shapeText,
  sizeOf,
  wrap,
} from './arrays.ts';
import { float, named, numeric } from './elementwise.ts';
import { addDefined, Terms } from './terms.ts';
import type { Attrs, NdArray, Node, OpDef, Rng } from './types.ts';
import {
  drawGeometry,
  type Geometry,
  geometryAttrs,
  geometryOf,
  tapElements,
  transposed,
  windowCounts,
} from './window-geometry.ts';

/** Sizes before, in and after the spatial axes that begin at attribute `axis`. */
function parts(shape: readonly number[], attrs: Attrs, rank: number) {
  const axis = attrs.axis as number;
  return {
    before: sizeOf(shape.slice(0, axis)),
    dims: shape.slice(axis, axis + rank),
    after: sizeOf(shape.slice(axis + rank)),
  };
}

const windowSize = (attrs: Attrs) => shapeAttr(attrs, 'size');

/** Spatial dims of the windows' input. */
function spatialOf(shape: readonly number[], attrs: Attrs): readonly number[] {
  const axis = axisAttr(attrs, 'axis', shape.length);
  const rank = windowSize(attrs).length;
  need(rank >= 1 && axis + rank <= shape.length, () => `windows over ${rank} axes from ${axis} of ${shapeText(shape)}`);
  return shape.slice(axis, axis + rank);
}

function windowsShape(shape: readonly number[], attrs: Attrs): number[] {
  const size = windowSize(attrs);
  const axis = attrs.axis as number;
  const counts = windowCounts(geometryOf(attrs, size), spatialOf(shape, attrs));
  return [...shape.slice(0, axis), ...counts, ...size, ...shape.slice(axis + size.length)];
}

const later = (attrs: Attrs): Attrs => ({ ...attrs, axis: (attrs.axis as number) + 1 });

const GEOMETRY =
  '{size} taps {dilation} apart, one window every {stride} elements, {low} and {high} elements of padding (cut off where negative), input elements {spread} apart';

const windows: Omit<OpDef, 'name'> = {
  about: `Sliding windows of x over the axes from {axis} on: ${GEOMETRY}; {fill} outside of x. Result axes: those before, one per spatial axis to count windows, one per spatial axis to count taps, those after.`,
  arity: 1,
  infer: ([x], attrs) => {
    numeric.result([x.dtype], attrs);
    need(typeof attrs.fill === 'number', () => `windows need a number 'fill'`);
    return { dtype: x.dtype, shape: windowsShape(x.shape, attrs) };
  },
  reference: ([x], attrs, type) => {
    const size = windowSize(attrs);
    const { before, dims, after } = parts(x.type.shape, attrs, size.length);
    const taps = tapElements(geometryOf(attrs, size), dims);
    const plane = sizeOf(dims);
    const data = new Float64Array(sizeOf(type.shape)).fill(attrs.fill as number);
    for (let p = 0, out = 0; p < before; p++) {
      for (const element of taps) {
        const from = (p * plane + element) * after;
        for (let q = 0; q < after; q++, out++) if (element >= 0) data[out] = x.data[from + q];
      }
    }
    return { type, data };
  },
  vjp: ({ b, node: { attrs }, inputs: [x] }, g) => {
    const { fill: _, ...rest } = attrs;
    return [b.make('overlap_add', [g], { ...rest, dims: spatialOf(x.type.shape, attrs) })];
  },
  jvp: ({ b, node }, [t]) => t && b.make('windows', [t], { ...node.attrs, fill: 0 }),
  batch: ({ b, node }, [x]) => b.make('windows', [x], later(node.attrs)),
  lower: { family: 'index' },
  sample: (rng) => {
    const { attrs, shape } = drawWindows(rng);
    const [dtype] = numeric.draw(rng, 1, {});
    return { inputs: [drawArray(rng, { dtype, shape })], attrs: { ...attrs, fill: rng.integer(0, 3) } };
  },
  tolerance: { relative: 0, absolute: 0 },
};

function drawWindows(rng: Rng): { attrs: Attrs; shape: number[] } {
  const { geometry, dims } = drawGeometry(rng, rng.integer(1, 3));
  const free = () => Array.from({ length: rng.integer(0, 2) }, () => drawLength(rng, 1, 6));
  const [before, after] = [free(), free()];
  const attrs = { axis: before.length, size: geometry.size, ...geometryAttrs(geometry) };
  return { attrs, shape: [...before, ...dims, ...after] };
}

const overlapAdd: Omit<OpDef, 'name'> = {
  about: `Transpose of windows: zeros of spatial {dims}, with every tap added at the element it lies at. Windows over the axes from {axis} on: ${GEOMETRY}.`,
  arity: 1,
  infer: ([y], attrs) => {
    numeric.result([y.dtype], attrs);
    const size = windowSize(attrs);
    const axis = axisAttr(attrs, 'axis', y.shape.length);
    const dims = shapeAttr(attrs, 'dims');
    const [before, after] = [y.shape.slice(0, axis), y.shape.slice(axis + 2 * size.length)];
    const shape = [...before, ...dims, ...after];
    need(
      dims.length === size.length && sameShape(windowsShape(shape, attrs), y.shape),
      () => `windows of ${shapeText(shape)} do not have the shape ${shapeText(y.shape)}`,
    );
    return { dtype: y.dtype, shape };
  },
  reference: ([y], attrs, type) => {
    const size = windowSize(attrs);
    const { before, dims, after } = parts(type.shape, attrs, size.length);
    const taps = tapElements(geometryOf(attrs, size), dims);
    const plane = sizeOf(dims);
    const data = new Float64Array(sizeOf(type.shape));
    for (let p = 0, from = 0; p < before; p++) {
      for (const element of taps) {
        const to = (p * plane + element) * after;
        for (let q = 0; q < after; q++, from++) if (element >= 0) data[to + q] += y.data[from];
      }
    }
    return { type, data: type.dtype === 'f32' ? data : data.map((v) => wrap(type.dtype, v)) };
  },
  vjp: ({ b, node: { attrs } }, g) => {
    const { dims: _, ...rest } = attrs;
    return [b.make('windows', [g], { ...rest, fill: 0 })];
  },
  jvp: ({ b, node }, [t]) => t && b.make('overlap_add', [t], node.attrs),
  batch: ({ b, node }, [y]) => b.make('overlap_add', [y], later(node.attrs)),
  lower: { family: 'overlap' },
  sample: (rng) => {
    const { attrs, shape } = drawWindows(rng);
    const [dtype] = numeric.draw(rng, 1, {});
    const dims = spatialOf(shape, attrs);
    return { inputs: [drawArray(rng, { dtype, shape: windowsShape(shape, attrs) })], attrs: { ...attrs, dims } };
  },
  tolerance: { relative: 1e-6, absolute: 1e-6 },
};

// ---------------------------------------------------------------- convolution

/** Sizes of conv(x[n, …dims, groups * depth], w[…size, depth, groups * width]). */
export interface ConvShape {
  readonly n: number;
  readonly dims: readonly number[];
  readonly geometry: Geometry;
  readonly counts: readonly number[];
  readonly groups: number;
  /** Input and output features of one group. */
  readonly depth: number;
  readonly width: number;
}

/** Reads a convolution's sizes; ShapeError where they do not fit. */
export function convShape(x: readonly number[], w: readonly number[], attrs: Attrs): ConvShape {
  const rank = w.length - 2;
  need(rank >= 1 && x.length === rank + 2, () => `a kernel ${shapeText(w)} does not slide over ${shapeText(x)}`);
  const groups = int(attrs, 'groups');
  const [depth, outputs] = w.slice(rank);
  need(
    groups >= 1 && x[rank + 1] === groups * depth && outputs % groups === 0,
    () => `a kernel ${shapeText(w)} in ${groups} groups does not fit the features of ${shapeText(x)}`,
  );
  const geometry = geometryOf(attrs, w.slice(0, rank));
  const dims = x.slice(1, -1);
  return { n: x[0], dims, geometry, counts: windowCounts(geometry, dims), groups, depth, width: outputs / groups };
}

const shapesOf = ([x, w]: readonly { readonly type: { readonly shape: readonly number[] } }[], attrs: Attrs) =>
  convShape(x.type.shape, w.type.shape, attrs);

/** The windows that a convolution contracts: [n, …counts, …size, features]. */
function convWindows(t: Terms, x: Node, c: ConvShape): Node {
  return t.b.make('windows', [x], { axis: 1, size: c.geometry.size, ...geometryAttrs(c.geometry), fill: 0 });
}

/** Cotangent of the kernel: windows contracted with g over examples and windows. */
function kernelCotangent(t: Terms, x: Node, g: Node, c: ConvShape): Node {
  const rank = c.dims.length;
  const shared = range(rank + 1);
  const all = convWindows(t, x, c);
  const contract = { lhs_contract: shared, rhs_contract: shared };
  if (c.groups === 1) return t.b.make('dot_general', [all, g], { ...contract, lhs_batch: [], rhs_batch: [] });
  const { size } = c.geometry;
  const grouped = t.reshape(all, [c.n, ...c.counts, ...size, c.groups, c.depth]);
  const split = t.reshape(g, [c.n, ...c.counts, c.groups, c.width]);
  const attrs = { ...contract, lhs_batch: [2 * rank + 1], rhs_batch: [rank + 1] };
  // [groups, …size, depth, width]
  const made = t.b.make('dot_general', [grouped, split], attrs);
  const order = [...range(rank + 1).map((a) => a + 1), 0, rank + 2];
  return t.reshape(t.permute(made, order), [...size, c.depth, c.groups * c.width]);
}

/** Cotangent of the input: g convolved with the kernel read from its other end, inputs and outputs exchanged. */
function inputCotangent(t: Terms, w: Node, g: Node, c: ConvShape): Node {
  const rank = c.dims.length;
  const { size } = c.geometry;
  const flipped = t.b.make('flip', [w], { axes: range(rank) });
  const split = t.reshape(flipped, [...size, c.depth, c.groups, c.width]);
  const swapped = t.permute(split, [...range(rank), rank + 2, rank + 1, rank]);
  const kernel = t.reshape(swapped, [...size, c.width, c.groups * c.depth]);
  const attrs = { ...geometryAttrs(transposed(c.geometry, c.dims)), groups: c.groups };
  return t.b.make('conv', [g, kernel], attrs);
}

/** One more mapped axis: of examples where only x has it, of output features where only w has it, of groups where both have it. */
function batchConv(
  t: Terms,
  node: Node,
  n: number,
  [x, w]: readonly Node[],
  [xMapped, wMapped]: readonly boolean[],
): Node {
  const c = shapesOf(node.inputs, node.attrs);
  const rank = c.dims.length;
  const { size } = c.geometry;
  const result = node.type.shape;
  if (!wMapped) {
    const merged = t.reshape(x, [n * c.n, ...x.type.shape.slice(2)]);
    return t.reshape(t.b.make('conv', [merged, w], node.attrs), [n, ...result]);
  }
  // kernels side by side: [n, …size, depth, groups, width] to output features in the order `sides`
  const wide = t.reshape(w, [n, ...size, c.depth, c.groups, c.width]);
  const taps = range(rank + 1).map((a) => a + 1);
  const sides = xMapped ? [0, rank + 2] : [rank + 2, 0];
  const kernel = t.reshape(t.permute(wide, [...taps, ...sides, rank + 3]), [...size, c.depth, n * c.groups * c.width]);
  if (!xMapped) {
    const made = t.reshape(t.b.make('conv', [x, kernel], node.attrs), [c.n, ...c.counts, c.groups, n, c.width]);
    return t.reshape(t.permute(made, [rank + 2, ...range(rank + 2), rank + 3]), [n, ...result]);
  }
  const order = [...range(rank + 1).map((a) => a + 1), 0, rank + 2];
  const features = t.reshape(t.permute(x, order), [c.n, ...c.dims, n * c.groups * c.depth]);
  const made = t.b.make('conv', [features, kernel], { ...node.attrs, groups: n * c.groups });
  const split = t.reshape(made, [c.n, ...c.counts, n, c.groups * c.width]);
  return t.permute(split, [rank + 1, ...range(rank + 1), rank + 2]);
}

const conv: Omit<OpDef, 'name'> = {
  about:
    'Cross-correlation of x[n, …, c] with a kernel w[…taps, c / groups, o] over the axes between: taps {dilation} apart, one result every {stride} elements, {low} and {high} zeros of padding (cut off where negative), input elements {spread} apart; output features in {groups} read only their own input features. Inputs: x, w.',
  arity: 2,
  infer: ([x, w], attrs) => {
    const c = convShape(x.shape, w.shape, attrs);
    return { dtype: float.result([x.dtype, w.dtype], attrs), shape: [c.n, ...c.counts, c.groups * c.width] };
  },
  reference: (inputs, attrs, type) => ({ type, data: convolved(inputs, shapesOf(inputs, attrs)) }),
  vjp: ({ b, node, inputs: [x, w] }, g) => {
    const t = new Terms(b);
    const c = shapesOf([x, w], node.attrs);
    return [inputCotangent(t, w, g, c), kernelCotangent(t, x, g, c)];
  },
  jvp: ({ b, node, inputs: [x, w] }, [dx, dw]) =>
    addDefined(new Terms(b), [dx && b.make('conv', [dx, w], node.attrs), dw && b.make('conv', [x, dw], node.attrs)]),
  batch: ({ b, node, n }, inputs, mapped) => batchConv(new Terms(b), node, n, inputs, mapped),
  lower: { family: 'contraction' },
  sample: (rng) => {
    const { geometry, dims } = drawGeometry(rng, rng.integer(1, 3));
    const [n, depth, width, groups] = [
      drawLength(rng, 1, 3),
      drawLength(rng, 1, 4),
      drawLength(rng, 1, 4),
      rng.integer(1, 3),
    ];
    const x = { dtype: 'f32' as const, shape: [n, ...dims, groups * depth] };
    const w = { dtype: 'f32' as const, shape: [...geometry.size, depth, groups * width] };
    return { inputs: [drawArray(rng, x), drawArray(rng, w)], attrs: { ...geometryAttrs(geometry), groups } };
  },
  tolerance: { relative: 1e-5, absolute: 1e-5 },
};

/** The sums of a convolution, as their definition says. */
function convolved([x, w]: readonly NdArray[], c: ConvShape): Float64Array {
  const taps = tapElements(c.geometry, c.dims);
  const [plane, places, size] = [sizeOf(c.dims), sizeOf(c.counts), sizeOf(c.geometry.size)];
  const [inputs, outputs] = [c.groups * c.depth, c.groups * c.width];
  const data = new Float64Array(c.n * places * outputs);
  for (let row = 0; row < c.n * places; row++) {
    const [example, place] = [Math.floor(row / places), row % places];
    for (let k = 0; k < size; k++) {
      const element = taps[place * size + k];
      if (element < 0) continue;
      const from = (example * plane + element) * inputs;
      for (let o = 0; o < outputs; o++) {
        const first = Math.floor(o / c.width) * c.depth;
        for (let i = 0; i < c.depth; i++) {
          data[row * outputs + o] += x.data[from + first + i] * w.data[(k * c.depth + i) * outputs + o];
        }
      }
    }
  }
  return data;
}

export const windowOps = named({ windows, overlap_add: overlapAdd, conv });
