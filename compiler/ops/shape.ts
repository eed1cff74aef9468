/**
 * Primitives that only move elements: every result element is one input element (or a constant). They cost nothing on the
 * device, where they become index arithmetic of a load. Their derivatives are their transposes.
 */
import {
  axesAttr,
  axisAttr,
  drawArray,
  drawOrder,
  drawShape,
  dtypeAttr,
  ints,
  need,
  permuted,
  range,
  sameShape,
  shapeAttr,
  shapeText,
  sizeOf,
  stridedOffsets,
  stridesOf,
  take,
} from './arrays.ts';
import { equatable, named } from './elementwise.ts';
import { Terms } from './terms.ts';
import type { Attrs, DerivativeContext, DType, NdArray, Node, OpDef, Rng, TensorType } from './types.ts';

const EXACT = { relative: 0, absolute: 0 };

/** A record of a primitive that is linear in its one input. */
function mover(spec: {
  readonly about: string;
  readonly shape: (shape: readonly number[], attrs: Attrs) => readonly number[];
  readonly reference: (x: NdArray, attrs: Attrs, type: TensorType) => Float64Array;
  /** Transposed map of a cotangent. */
  readonly transpose: (t: Terms, g: Node, ctx: DerivativeContext) => Node;
  /** Attributes of the same map with one more leading axis of length n. */
  readonly leadAttrs: (attrs: Attrs, n: number) => Attrs;
  readonly sampleAttrs: (rng: Rng, shape: readonly number[]) => Attrs;
  readonly sampleShape?: (rng: Rng) => number[];
}): Omit<OpDef, 'name'> {
  return {
    about: spec.about,
    arity: 1,
    infer: ([x], attrs) => ({ dtype: x.dtype, shape: spec.shape(x.shape, attrs) }),
    reference: ([x], attrs, type) => ({ type, data: spec.reference(x, attrs, type) }),
    vjp: (ctx, g) => [spec.transpose(new Terms(ctx.b), g, ctx)],
    jvp: ({ b, node }, [t]) => t && b.make(node.op, [t], node.attrs),
    batch: ({ b, node, n }, [x]) => b.make(node.op, [x], spec.leadAttrs(node.attrs, n)),
    lower: { family: 'index' },
    sample: (rng) => {
      const shape = spec.sampleShape?.(rng) ?? drawShape(rng, 0, 3);
      const [dtype] = equatable.draw(rng, 1, {});
      return { inputs: [drawArray(rng, { dtype, shape })], attrs: spec.sampleAttrs(rng, shape) };
    },
    tolerance: EXACT,
  };
}

/** Result dims of `slice` along each axis. */
function slicedShape(shape: readonly number[], attrs: Attrs): readonly number[] {
  const [start, limit, stride] = ['start', 'limit', 'stride'].map((name) => ints(attrs, name));
  need(
    [start, limit, stride].every((list) => list.length === shape.length),
    () => `slice needs a start, limit and stride per axis of ${shapeText(shape)}`,
  );
  return shape.map((dim, a) => {
    need(
      0 <= start[a] && start[a] <= limit[a] && limit[a] <= dim && stride[a] >= 1,
      () => `slice ${start[a]}..${limit[a]} by ${stride[a]} does not lie in axis ${a} of ${shapeText(shape)}`,
    );
    return Math.ceil((limit[a] - start[a]) / stride[a]);
  });
}

/** Length of an axis of n elements with `interior` zeros between any two. */
const spreadLength = (n: number, interior: number) => (n === 0 ? 0 : (n - 1) * (interior + 1) + 1);

function paddedShape(shape: readonly number[], attrs: Attrs): readonly number[] {
  const [low, high, interior] = ['low', 'high', 'interior'].map((name) => ints(attrs, name));
  need(
    [low, high, interior].every((list) => list.length === shape.length && list.every((v) => v >= 0)),
    () => `pad needs numbers low, high, interior >= 0 per axis of ${shapeText(shape)}`,
  );
  return shape.map((dim, a) => low[a] + spreadLength(dim, interior[a]) + high[a]);
}

/** Where the elements of a padded or concatenated part go in the result. */
function partOffsets(
  part: readonly number[],
  whole: readonly number[],
  low: readonly number[],
  step: readonly number[],
): Int32Array {
  const strides = stridesOf(whole);
  const base = low.reduce((sum, at, a) => sum + at * strides[a], 0);
  return stridedOffsets(
    part,
    strides.map((s, a) => s * step[a]),
    base,
  );
}

const lists = (attrs: Attrs, name: string) => attrs[name] as readonly number[];
const ones = (n: number) => Array.from({ length: n }, () => 1);

const concatRecord: Omit<OpDef, 'name'> = {
  about: 'The inputs one after another along {axis}.',
  arity: 'variadic',
  infer: (inputs, attrs) => {
    need(inputs.length > 0, () => 'concat needs at least one input');
    const [first] = inputs;
    const axis = axisAttr(attrs, 'axis', first.shape.length);
    for (const { dtype, shape } of inputs) {
      need(dtype === first.dtype, () => `concat takes one dtype, but got ${first.dtype} and ${dtype}`);
      need(
        sameShape(shape.with(axis, 0), first.shape.with(axis, 0)) && shape.length === first.shape.length,
        () => `${shapeText(first.shape)} and ${shapeText(shape)} differ outside axis ${axis}`,
      );
    }
    const total = inputs.reduce((sum, { shape }) => sum + shape[axis], 0);
    return { dtype: first.dtype, shape: first.shape.with(axis, total) };
  },
  reference: (inputs, attrs, type) => {
    const axis = attrs.axis as number;
    const data = new Float64Array(sizeOf(type.shape));
    let start = 0;
    for (const { type: part, data: values } of inputs) {
      const low = type.shape.map((_, a) => (a === axis ? start : 0));
      const offsets = partOffsets(part.shape, type.shape, low, ones(low.length));
      for (let i = 0; i < offsets.length; i++) data[offsets[i]] = values[i];
      start += part.shape[axis];
    }
    return { type, data };
  },
  vjp: ({ b, node, inputs }, g) => {
    const t = new Terms(b);
    const axis = node.attrs.axis as number;
    let start = 0;
    return inputs.map(({ type }) => t.sliceAxis(g, axis, start, (start += type.shape[axis])));
  },
  jvp: ({ b, node, inputs }, tangents) => {
    const t = new Terms(b);
    return t.concat(
      inputs.map(({ type }, i) => tangents[i] ?? t.zeros(type)),
      node.attrs.axis as number,
    );
  },
  batch: ({ b, node, n }, inputs, mapped) => {
    const t = new Terms(b);
    return t.concat(
      inputs.map((x, i) => (mapped[i] ? x : t.lead(x, n))),
      (node.attrs.axis as number) + 1,
    );
  },
  lower: { family: 'index' },
  sample: (rng) => {
    const shape = drawShape(rng, 1, 3);
    const axis = rng.integer(0, shape.length);
    const [dtype] = equatable.draw(rng, 1, {});
    const part = () => drawArray(rng, { dtype, shape: shape.with(axis, rng.integer(0, 4)) });
    return { inputs: Array.from({ length: rng.integer(1, 4) }, part), attrs: { axis } };
  },
  tolerance: EXACT,
};

const iotaRecord: Omit<OpDef, 'name'> = {
  about: 'The index along {axis} at every place of {shape}, as {dtype}.',
  arity: 0,
  infer: (_, attrs) => {
    const shape = shapeAttr(attrs, 'shape');
    axisAttr(attrs, 'axis', shape.length);
    const dtype = dtypeAttr(attrs);
    need(dtype !== 'bool', () => 'iota counts in f32, i32 or u32');
    return { dtype, shape };
  },
  reference: (_, attrs, type) => {
    const strides = type.shape.map((_, a) => (a === attrs.axis ? 1 : 0));
    return { type, data: Float64Array.from(stridedOffsets(type.shape, strides)) };
  },
  vjp: 'none',
  jvp: 'none',
  batch: ({ node }) => node,
  lower: { family: 'index' },
  sample: (rng) => {
    const shape = drawShape(rng, 1, 3);
    const dtype: DType = (['f32', 'i32', 'u32'] as const)[rng.integer(0, 3)];
    return { inputs: [], attrs: { shape, axis: rng.integer(0, shape.length), dtype } };
  },
  tolerance: EXACT,
};

export const shapeOps = named({
  broadcast: mover({
    about: 'Repeats x to {shape}: its axis i becomes axis {axes}[i] of the result; axes of length 1 may grow.',
    shape: (shape, attrs) => {
      const target = shapeAttr(attrs, 'shape');
      const axes = axesAttr(attrs, 'axes', target.length);
      need(axes.length === shape.length, () => `broadcast needs one target axis per axis of ${shapeText(shape)}`);
      shape.forEach((dim, i) => {
        need(
          dim === 1 || dim === target[axes[i]],
          () => `axis ${i} of ${shapeText(shape)} does not fit axis ${axes[i]} of ${shapeText(target)}`,
        );
      });
      return target;
    },
    reference: (x, attrs, type) => {
      const strides = stridesOf(x.type.shape);
      const steps = type.shape.map(() => 0);
      lists(attrs, 'axes').forEach((axis, i) => {
        if (x.type.shape[i] !== 1) steps[axis] = strides[i];
      });
      return take(x.data, stridedOffsets(type.shape, steps));
    },
    // sum over the axes that were added or grew; what is left is in the order of `axes`
    transpose: (t, g, { node, inputs: [x] }) => {
      const axes = lists(node.attrs, 'axes');
      const { shape } = x.type;
      const kept = axes.filter((axis, i) => shape[i] === node.type.shape[axis]);
      const gone = range(node.type.shape.length).filter((axis) => !kept.includes(axis));
      const ascending = [...kept].sort((p, q) => p - q);
      const summed = gone.length > 0 ? t.sum(g, gone) : g;
      return t.reshape(
        t.permute(
          summed,
          kept.map((axis) => ascending.indexOf(axis)),
        ),
        shape,
      );
    },
    leadAttrs: (attrs, n) => ({
      shape: [n, ...lists(attrs, 'shape')],
      axes: [0, ...lists(attrs, 'axes').map((a) => a + 1)],
    }),
    sampleAttrs: (rng, shape) => {
      const rank = shape.length + rng.integer(0, 3);
      const axes = drawOrder(rng, rank).slice(0, shape.length);
      const target = drawShape(rng, rank, rank);
      shape.forEach((dim, i) => {
        if (dim !== 1 || rng.uniform() < 0.5) target[axes[i]] = dim;
      });
      return { shape: target, axes };
    },
  }),
  reshape: mover({
    about: 'The same elements in row-major order with {shape}.',
    shape: (shape, attrs) => {
      const target = shapeAttr(attrs, 'shape');
      need(
        sizeOf(target) === sizeOf(shape),
        () => `${shapeText(shape)} has ${sizeOf(shape)} elements and cannot become ${shapeText(target)}`,
      );
      return target;
    },
    reference: (x) => x.data,
    transpose: (t, g, { inputs: [x] }) => t.b.make('reshape', [g], { shape: x.type.shape }),
    leadAttrs: (attrs, n) => ({ shape: [n, ...lists(attrs, 'shape')] }),
    sampleAttrs: (rng, shape) => {
      const cut = rng.integer(0, shape.length + 1);
      return { shape: [sizeOf(shape.slice(0, cut)), ...shape.slice(cut), ...(rng.uniform() < 0.5 ? [1] : [])] };
    },
  }),
  permute: mover({
    about: 'Axes in another order: axis i of the result is axis {axes}[i] of x.',
    shape: (shape, attrs) => {
      const axes = axesAttr(attrs, 'axes', shape.length);
      need(axes.length === shape.length, () => `permute needs every axis of ${shapeText(shape)} once`);
      return axes.map((a) => shape[a]);
    },
    reference: (x, attrs) => permuted(x, lists(attrs, 'axes')),
    transpose: (t, g, { node }) => {
      const axes = lists(node.attrs, 'axes');
      return t.b.make('permute', [g], { axes: axes.map((_, a) => axes.indexOf(a)) });
    },
    leadAttrs: (attrs) => ({ axes: [0, ...lists(attrs, 'axes').map((a) => a + 1)] }),
    sampleAttrs: (rng, shape) => ({ axes: drawOrder(rng, shape.length) }),
  }),
  slice: mover({
    about: 'Elements {start}, start + stride, … below {limit} of every axis.',
    shape: slicedShape,
    reference: (x, attrs, type) => {
      const strides = stridesOf(x.type.shape);
      const base = lists(attrs, 'start').reduce((sum, at, a) => sum + at * strides[a], 0);
      const step = lists(attrs, 'stride');
      return take(
        x.data,
        stridedOffsets(
          type.shape,
          strides.map((s, a) => s * step[a]),
          base,
        ),
      );
    },
    transpose: (t, g, { node, inputs: [x] }) => {
      const [start, stride] = [lists(node.attrs, 'start'), lists(node.attrs, 'stride')];
      // an empty slice keeps its place with low = the whole axis, so that the padded length comes out right
      const low = start.map((at, a) => (node.type.shape[a] === 0 ? x.type.shape[a] : at));
      const high = low.map((at, a) => x.type.shape[a] - at - spreadLength(node.type.shape[a], stride[a] - 1));
      return t.b.make('pad', [g], { low, high, interior: stride.map((s) => s - 1) });
    },
    leadAttrs: (attrs, n) => ({
      start: [0, ...lists(attrs, 'start')],
      limit: [n, ...lists(attrs, 'limit')],
      stride: [1, ...lists(attrs, 'stride')],
    }),
    sampleAttrs: (rng, shape) => {
      const start = shape.map((dim) => rng.integer(0, dim + 1));
      return {
        start,
        limit: shape.map((dim, a) => rng.integer(start[a], dim + 1)),
        stride: shape.map(() => rng.integer(1, 3)),
      };
    },
  }),
  pad: mover({
    about: 'Zeros (false) around x: {low} before, {high} after, {interior} between any two elements of each axis.',
    shape: paddedShape,
    reference: (x, attrs, type) => {
      const step = lists(attrs, 'interior').map((n) => n + 1);
      const offsets = partOffsets(x.type.shape, type.shape, lists(attrs, 'low'), step);
      const data = new Float64Array(sizeOf(type.shape));
      for (let i = 0; i < offsets.length; i++) data[offsets[i]] = x.data[i];
      return data;
    },
    transpose: (t, g, { node, inputs: [x] }) => {
      const [low, interior] = [lists(node.attrs, 'low'), lists(node.attrs, 'interior')];
      const limit = low.map((at, a) => at + spreadLength(x.type.shape[a], interior[a]));
      return t.b.make('slice', [g], { start: low, limit, stride: interior.map((n) => n + 1) });
    },
    leadAttrs: (attrs) => ({
      low: [0, ...lists(attrs, 'low')],
      high: [0, ...lists(attrs, 'high')],
      interior: [0, ...lists(attrs, 'interior')],
    }),
    sampleAttrs: (rng, shape) => ({
      low: shape.map(() => rng.integer(0, 3)),
      high: shape.map(() => rng.integer(0, 3)),
      interior: shape.map(() => rng.integer(0, 3)),
    }),
  }),
  concat: concatRecord,
  flip: mover({
    about: 'Elements of {axes} in reverse order.',
    shape: (shape, attrs) => {
      axesAttr(attrs, 'axes', shape.length);
      return shape;
    },
    reference: (x, attrs, type) => {
      const axes = lists(attrs, 'axes');
      const strides = stridesOf(type.shape);
      const base = axes.reduce((sum, a) => sum + (type.shape[a] - 1) * strides[a], 0);
      return take(
        x.data,
        stridedOffsets(
          type.shape,
          strides.map((s, a) => (axes.includes(a) ? -s : s)),
          base,
        ),
      );
    },
    transpose: (t, g, { node }) => t.b.make('flip', [g], node.attrs),
    leadAttrs: (attrs) => ({ axes: lists(attrs, 'axes').map((a) => a + 1) }),
    sampleAttrs: (rng, shape) => ({ axes: range(shape.length).filter(() => rng.uniform() < 0.5) }),
  }),
  iota: iotaRecord,
});
