/**
 * Shapes and arrays of the reference meaning: row-major float64 data with exact integers. Everything here is plain index
 * arithmetic; `stridedOffsets` is the one loop on which all shape primitives rest.
 */
import { type Attrs, type DType, type NdArray, type Rng, ShapeError, type TensorType } from './types.ts';

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** `f32[64, 10]`, `i32`, `(i32, f32[3])` of several results */
export function typeText(type: TensorType): string {
  if (type.parts) return `(${type.parts.map(typeText).join(', ')})`;
  return type.shape.length === 0 ? type.dtype : `${type.dtype}[${type.shape.join(', ')}]`;
}

/** `[64, 10]` */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  // Asked of every input of every node, and most share the list.
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function sameType(a: TensorType, b: TensorType): boolean {
  return a.dtype === b.dtype && sameShape(a.shape, b.shape) && sameParts(a.parts, b.parts);
}

function sameParts(a: TensorType['parts'], b: TensorType['parts']): boolean {
  if (!a || !b) return a === b;
  return a.length === b.length && a.every((part, i) => sameType(part, b[i]));
}

/** Row-major strides in elements. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/** 0, 1, …, n - 1. */
export function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

/** Flat source offset of every element of `shape`, in row-major order, where one step along axis a moves by `strides[a]`. */
export function stridedOffsets(shape: readonly number[], strides: readonly number[], base = 0): Int32Array {
  let offsets = Int32Array.of(base);
  shape.forEach((dim, axis) => {
    const next = new Int32Array(offsets.length * dim);
    let k = 0;
    for (const offset of offsets) for (let j = 0; j < dim; j++) next[k++] = offset + j * strides[axis];
    offsets = next;
  });
  return offsets;
}

/** Elements of `data` at `offsets`. */
export function take(data: Float64Array, offsets: Int32Array): Float64Array {
  const out = new Float64Array(offsets.length);
  for (let i = 0; i < out.length; i++) out[i] = data[offsets[i]];
  return out;
}

/** The array with its axes in the order `axes`, contiguous. */
export function permuted(array: NdArray, axes: readonly number[]): Float64Array {
  const strides = stridesOf(array.type.shape);
  return take(
    array.data,
    stridedOffsets(
      axes.map((a) => array.type.shape[a]),
      axes.map((a) => strides[a]),
    ),
  );
}

/** Value as the dtype holds it: integers wrap to 32 bits, bool is 0 or 1, f32 stays float64. */
export function wrap(dtype: DType, value: number): number {
  switch (dtype) {
    case 'f32':
      return value;
    case 'i32':
      return value | 0;
    case 'u32':
      return value >>> 0;
    case 'bool':
      return value === 0 ? 0 : 1;
  }
}

export function filled(type: TensorType, value: number): NdArray {
  return { type, data: new Float64Array(sizeOf(type.shape)).fill(value) };
}

/** Throws ShapeError unless the condition holds. */
export function need(condition: boolean, message: () => string): asserts condition {
  if (!condition) throw new ShapeError(message());
}

/** Smallest distance between two elements. */
export function leastGap(data: Float64Array): number {
  const sorted = Float64Array.from(data).sort();
  let least = Infinity;
  for (let i = 1; i < sorted.length; i++) least = Math.min(least, sorted[i] - sorted[i - 1]);
  return least;
}

// ---------------------------------------------------------------- attributes, checked

/** An integer attribute. */
export function int(attrs: Attrs, name: string): number {
  const value = attrs[name];
  need(typeof value === 'number' && Number.isInteger(value), () => `attribute '${name}' must be an integer`);
  return value;
}

/** A list-of-integers attribute. */
export function ints(attrs: Attrs, name: string): readonly number[] {
  const value = attrs[name];
  need(Array.isArray(value) && value.every(Number.isInteger), () => `attribute '${name}' must be a list of integers`);
  return value as readonly number[];
}

/** A shape attribute: integers >= 0. */
export function shapeAttr(attrs: Attrs, name: string): readonly number[] {
  const shape = ints(attrs, name);
  need(
    shape.every((dim) => dim >= 0),
    () => `attribute '${name}' must have dims >= 0, but is ${shapeText(shape)}`,
  );
  return shape;
}

/** An axis attribute in [0, rank). */
export function axisAttr(attrs: Attrs, name: string, rank: number): number {
  const axis = int(attrs, name);
  need(axis >= 0 && axis < rank, () => `axis ${axis} is outside an array of rank ${rank}`);
  return axis;
}

/** Distinct axes in [0, rank). */
export function axesAttr(attrs: Attrs, name: string, rank: number): readonly number[] {
  const axes = ints(attrs, name);
  for (const axis of axes) need(axis >= 0 && axis < rank, () => `axis ${axis} is outside an array of rank ${rank}`);
  need(new Set(axes).size === axes.length, () => `attribute '${name}' names an axis twice: ${shapeText(axes)}`);
  return axes;
}

export function dtypeAttr(attrs: Attrs): DType {
  const value = attrs.dtype;
  need(
    value === 'f32' || value === 'i32' || value === 'u32' || value === 'bool',
    () => `attribute 'dtype' must be f32, i32, u32 or bool`,
  );
  return value;
}

// ---------------------------------------------------------------- sampling

/** A value of the dtype: f32 normal, small integers, bools. */
export function drawValue(rng: Rng, dtype: DType): number {
  switch (dtype) {
    case 'f32':
      return 1.5 * rng.normal();
    case 'i32':
      return rng.integer(-9, 10);
    case 'u32':
      return rng.integer(0, 10);
    case 'bool':
      return rng.integer(0, 2);
  }
}

/** An array of drawn values. */
export function drawArray(rng: Rng, type: TensorType, value = drawValue): NdArray {
  return { type, data: Float64Array.from({ length: sizeOf(type.shape) }, () => value(rng, type.dtype)) };
}

/** A shape of rank `lowRank` to `highRank`; dims 1 to 4, now and then 0 where `empty` allows it, if the generator does not say otherwise. */
export function drawShape(rng: Rng, lowRank: number, highRank: number, empty = true): number[] {
  const rank = rng.integer(lowRank, highRank + 1);
  const small = () => (empty && rng.uniform() < 0.05 ? 0 : rng.integer(1, 5));
  return Array.from({ length: rank }, () => rng.length?.(empty) ?? small());
}

/** Length of an axis that is not empty: in [lo, hi), if the generator does not say otherwise. */
export const drawLength = (rng: Rng, lo: number, hi: number): number => rng.length?.(false) ?? rng.integer(lo, hi);

/** A subset of 0…n-1 in ascending order. */
export function drawAxes(rng: Rng, n: number): number[] {
  return range(n).filter(() => rng.uniform() < 0.5);
}

/** A random order of 0…n-1. */
export function drawOrder(rng: Rng, n: number): number[] {
  const order = range(n);
  for (let i = n - 1; i > 0; i--) {
    const j = rng.integer(0, i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
