/** Numbers of a view's type in the words of a buffer: f32 arenas hold floats, u32 arenas the bits of everything, booleans as 0 and 1. */
import type { Width } from '../ir/kernel/kernel.ts';
import type { DType } from '../ops/types.ts';

/** A stored word as a number of the view's type. */
export function decodeWord(word: string, stored: 'f32' | 'u32', dtype: DType, width: Width): string {
  if (stored === dtype) return word;
  if (dtype === 'bool') return `(${word} != ${width === 4 ? 'vec4<u32>()' : '0u'})`;
  return `bitcast<${width === 4 ? `vec4<${dtype}>` : dtype}>(${word})`;
}

/** The other way round. */
export function encodeWord(value: string, stored: 'f32' | 'u32', dtype: DType, width: Width): string {
  if (stored === dtype) return value;
  if (dtype === 'bool') {
    return width === 4 ? `select(vec4<u32>(0u), vec4<u32>(1u), ${value})` : `select(0u, 1u, ${value})`;
  }
  return `bitcast<${width === 4 ? `vec4<${stored}>` : stored}>(${value})`;
}
