/**
 * Element types of binary formats: how many bytes, and how they become numbers. 64-bit integers become float64, exactly or not at all,
 * because JavaScript's number is what the rest of the runtime computes with.
 */
import { damaged, unsupported } from './refusals.ts';
import type { Numbers } from './table.ts';

export type Element = 'f4' | 'f8' | 'i1' | 'i2' | 'i4' | 'i8' | 'u1' | 'u2' | 'u4' | 'u8' | 'b1';

export function elementBytes(element: Element): number {
  return Number(element[1]);
}

export function elementNumbers(element: Element): 'float' | 'integer' | 'byte' {
  if (element[0] === 'f') return 'float';
  return element === 'u1' ? 'byte' : 'integer';
}

/** Decodes `count` elements. `bytes` holds exactly that many; its alignment does not matter. */
export function decode(file: string, bytes: Uint8Array, element: Element, littleEndian: boolean): Numbers {
  const size = elementBytes(element);
  const count = bytes.length / size;
  if (size === 1) return decodeBytes(file, bytes, element);
  // A copy is aligned at 0 and may be swapped in place. (`slice` would not copy where a Buffer of Node is given.)
  const copy = new Uint8Array(bytes);
  if (!littleEndian) swapBytes(copy, size);
  const buffer = copy.buffer;
  switch (element) {
    case 'f4':
      return new Float32Array(buffer, 0, count);
    case 'f8':
      return new Float64Array(buffer, 0, count);
    case 'i2':
      return new Int16Array(buffer, 0, count);
    case 'u2':
      return new Uint16Array(buffer, 0, count);
    case 'i4':
      return new Int32Array(buffer, 0, count);
    case 'u4':
      return new Uint32Array(buffer, 0, count);
    default:
      return decodeWide(file, element === 'i8' ? new BigInt64Array(buffer) : new BigUint64Array(buffer));
  }
}

function decodeBytes(file: string, bytes: Uint8Array, element: Element): Numbers {
  if (element === 'i1') return new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  if (element === 'b1') {
    const bad = bytes.find((b) => b > 1);
    if (bad !== undefined) damaged(file, 'booleans of 0 and 1', `the byte ${bad}`);
  }
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

function decodeWide(file: string, wide: BigInt64Array | BigUint64Array): Float64Array {
  const values = new Float64Array(wide.length);
  for (let i = 0; i < wide.length; i++) {
    values[i] = Number(wide[i]);
    if (!Number.isSafeInteger(values[i]))
      unsupported(
        file,
        `the 64-bit integer ${wide[i]}`,
        'integers beyond 2^53 are not exact here; store them as i4 or f8',
      );
  }
  return values;
}

/** Reverses each group of `size` bytes, in place. */
function swapBytes(bytes: Uint8Array, size: number): void {
  for (let start = 0; start < bytes.length; start += size) bytes.subarray(start, start + size).reverse();
}
