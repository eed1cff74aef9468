/** Numbers of 16 bits (IEEE binary16): the float64 meaning of rounding to them, and of their bits. The WGSL of the same is in `wgsl-functions.ts`. */
import { roundHalfEven } from './special.ts';

/** The nearest number of 16 bits, ties to even; infinity from 65520 on. */
export function roundHalf(x: number): number {
  const size = Math.abs(x);
  if (!(size < 65520)) return Number.isNaN(x) ? x : x > 0 ? Infinity : -Infinity;
  const unit = halfUnit(size);
  const rounded = roundHalfEven(size / unit) * unit;
  return x < 0 || Object.is(x, -0) ? -rounded : rounded;
}

/** Distance of the numbers of 16 bits around a size below 65536. */
function halfUnit(size: number): number {
  return 2 ** (Math.max(-14, Math.floor(Math.log2(size || 1e-30))) - 10);
}

/** The 16 bits of the nearest number. */
export function halfBits(x: number): number {
  const value = roundHalf(x);
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (size === Infinity) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | (size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  return sign | ((exponent + 15) << 10) | (size / 2 ** (exponent - 10) - 1024);
}

/** The number of which the lower 16 bits are these. */
export function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

/** Two numbers to a word, the first in the lower half; an odd last one has a zero beside it. */
export function packHalves(values: ArrayLike<number>): Uint32Array {
  const words = new Uint32Array(Math.ceil(values.length / 2));
  for (let k = 0; k < values.length; k++) words[k >> 1] |= halfBits(values[k]) << (16 * (k & 1));
  return words;
}

/** The first `count` numbers of words with two each. */
export function unpackHalves(words: Uint32Array, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, k) => halfValue(words[k >> 1] >>> (16 * (k & 1))));
}
