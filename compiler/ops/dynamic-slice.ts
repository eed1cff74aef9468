/** Reads and writes of a window whose place is known only at run time. A window that does not fit is a fault (see `index.ts`). */
import { drawArray, drawShape, need, shapeAttr, shapeText, sizeOf, stridedOffsets, stridesOf } from './arrays.ts';
import { equatable, named } from './elementwise.ts';
import { drawIndices, EXACT, IndexFault, isIndex, windowMessage } from './index.ts';
import { Terms } from './terms.ts';
import type { NdArray, Node, OpDef, Rng, TensorType } from './types.ts';

/** Flat offset of the window's first element; faults where the window does not fit. */
function windowBase(shape: readonly number[], sizes: readonly number[], starts: readonly NdArray[]): number {
  const strides = stridesOf(shape);
  return starts.reduce((base, { data: [start] }, a) => {
    if (!(start >= 0 && start <= shape[a] - sizes[a])) throw new IndexFault(windowMessage(start, sizes[a], shape[a]));
    return base + start * strides[a];
  }, 0);
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
    // Of one axis alone the elements are the indices themselves, which the gather checks (and tells) as they are.
    if (!xMapped && sizes.length === 1 && sizes[0] === 1)
      return b.make('gather', [x, t.reshape(starts[0], [n, 1])], { axis: 0 });
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
  checked: 1,
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
  checked: 2,
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

export const dynamicSliceOps = named({ dynamic_slice: dynamicSlice, dynamic_update_slice: dynamicUpdateSlice });
