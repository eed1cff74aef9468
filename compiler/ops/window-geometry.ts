/**
 * Where windows lie along spatial axes, shared by windows, overlap_add and conv. Along each axis the input may be spread out (zeros between its
 * elements), is padded at both ends (a negative number cuts off), and windows of `size` taps, `dilation` apart, begin every `stride` elements.
 * Tap k of window s lies at element p of the input where s * stride + k * dilation - low = p * spread.
 */
import { drawLength, ints, need, shapeText, sizeOf } from './arrays.ts';
import type { Attrs, Rng } from './types.ts';

export interface Geometry {
  readonly size: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly low: readonly number[];
  readonly high: readonly number[];
  readonly spread: readonly number[];
}

const FIELDS = ['stride', 'dilation', 'low', 'high', 'spread'] as const;

/** The geometry in an op's attributes, for windows of this size. */
export function geometryOf(attrs: Attrs, size: readonly number[]): Geometry {
  const lists = FIELDS.map((name) => ints(attrs, name));
  need(
    lists.every((list) => list.length === size.length),
    () => `needs ${FIELDS.join(', ')} for each of ${size.length} axes`,
  );
  const [stride, dilation, low, high, spread] = lists;
  need(
    [...size, ...stride, ...dilation, ...spread].every((v) => v >= 1),
    () => `size, stride, dilation and spread of windows are at least 1`,
  );
  return { size, stride, dilation, low, high, spread };
}

/** The attributes of a geometry, without the size. */
export const geometryAttrs = ({ stride, dilation, low, high, spread }: Geometry): Attrs => ({
  stride,
  dilation,
  low,
  high,
  spread,
});

/** Length of n elements with spread - 1 zeros between any two. */
const spreadLength = (n: number, spread: number) => (n === 0 ? 0 : (n - 1) * spread + 1);

/** Elements from the first tap of a window to its last. */
const reach = (g: Geometry, a: number) => (g.size[a] - 1) * g.dilation[a] + 1;

/** Number of windows along each axis of these dims; a window larger than the padded input is a ShapeError. */
export function windowCounts(g: Geometry, dims: readonly number[]): number[] {
  return dims.map((dim, a) => {
    const room = g.low[a] + spreadLength(dim, g.spread[a]) + g.high[a] - reach(g, a);
    need(room >= -1, () => `a window that reaches over ${reach(g, a)} does not fit into ${shapeText(dims)}`);
    return Math.floor(room / g.stride[a]) + 1;
  });
}

/**
 * The geometry under which windows of a result's cotangent give those of the input (`dims`): strides and spreads change places, and taps are
 * counted from the other end.
 */
export function transposed(g: Geometry, dims: readonly number[]): Geometry {
  const counts = windowCounts(g, dims);
  const low = g.low.map((v, a) => reach(g, a) - 1 - v);
  const high = dims.map(
    (dim, a) => (dim - 1) * g.spread[a] + reach(g, a) - low[a] - spreadLength(counts[a], g.stride[a]),
  );
  return { size: g.size, stride: g.spread, spread: g.stride, dilation: g.dilation, low, high };
}

/** For every (window, tap) in row-major order the flat element of the input's spatial axes it lies at, or -1 outside. */
export function tapElements(g: Geometry, dims: readonly number[]): Int32Array {
  const counts = windowCounts(g, dims);
  const shape = [...counts, ...g.size];
  const rank = dims.length;
  const elements = new Int32Array(sizeOf(shape));
  const index = shape.map(() => 0);
  for (let i = 0; i < elements.length; i++) {
    let flat = 0;
    for (let a = 0; a < rank && flat >= 0; a++) {
      const at = index[a] * g.stride[a] + index[rank + a] * g.dilation[a] - g.low[a];
      const p = at / g.spread[a];
      flat = Number.isInteger(p) && p >= 0 && p < dims[a] ? flat * dims[a] + p : -1;
    }
    elements[i] = flat;
    for (let a = shape.length - 1; a >= 0 && ++index[a] === shape[a]; a--) index[a] = 0;
  }
  return elements;
}

/** A drawn geometry and dims that it fits. */
export function drawGeometry(rng: Rng, rank: number): { geometry: Geometry; dims: number[] } {
  const draw = (low: number, high: number) => Array.from({ length: rank }, () => rng.integer(low, high));
  const dims = Array.from({ length: rank }, () => drawLength(rng, 2, 6));
  const [size, stride, dilation, spread] = [draw(1, 4), draw(1, 4), draw(1, 3), draw(1, 3)];
  const low = draw(-1, 3);
  const g = { size, stride, dilation, spread, low, high: low };
  // enough at the end for one window at least
  const high = dims.map((dim, a) => Math.max(rng.integer(-1, 3), reach(g, a) - low[a] - spreadLength(dim, spread[a])));
  return { geometry: { ...g, high }, dims };
}
