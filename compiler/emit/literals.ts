/** Numbers as WGSL text: exact, in range, and never a literal infinity or NaN (rejected by WGSL): those come from bits. */
import type { DType } from '../ops/types.ts';
import { infinity, nan } from '../ops/wgsl-functions.ts';

/** Text of a constant, and the helper functions that it calls. */
export function literal(value: number, dtype: DType): { text: string; functions: readonly string[] } {
  switch (dtype) {
    case 'bool':
      return { text: value ? 'true' : 'false', functions: [] };
    case 'u32':
      return { text: `${value >>> 0}u`, functions: [] };
    case 'i32':
      return { text: value < 0 ? `i32(${value | 0})` : `${value | 0}i`, functions: [] };
    case 'f32': {
      const x = Math.fround(value);
      if (Number.isNaN(x)) return { text: 'sd_nan()', functions: [nan] };
      if (!Number.isFinite(x)) return { text: x > 0 ? 'sd_infinity()' : '-sd_infinity()', functions: [infinity] };
      const text = Object.is(x, -0) ? '-0.0' : String(x);
      return { text: /[.e]/.test(text) ? `${text}f` : `${text}.0f`, functions: [] };
    }
  }
}
