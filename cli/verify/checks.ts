/** What a proof of `saddle verify` gives, and how values are compared. */
import type { Diagnostic } from '../../compiler/diagnostics/diagnostic.ts';
import type { NumberArray } from '../../runtime/backend.ts';

export interface Check {
  readonly ok: boolean;
  /** Nothing could be compared, so that nothing was shown. */
  readonly nothing?: boolean;
  /** For people, one line each. */
  readonly lines: readonly string[];
  /** For `--json`. */
  readonly details: Readonly<Record<string, unknown>>;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * How far two tensors are apart: the norm of the difference over the norm of `expected`, with a floor for tensors near zero whose terms are of size one.
 * Values that are not finite must be the same.
 */
export function distance(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [found[i], expected[i]];
    if (Object.is(a, b) || a === b) {
      if (Number.isFinite(b)) size += b * b;
      continue;
    }
    if (!Number.isFinite(a) || !Number.isFinite(b)) return Infinity;
    difference += (a - b) ** 2;
    size += b * b;
  }
  if (difference === 0) return 0;
  return Math.sqrt(difference) / (Math.sqrt(size) + 1e-3 * Math.sqrt(expected.length));
}

/** True where every bit is the same: NaNs with their payload, zeros with their sign. */
export function sameBits(a: NumberArray, b: NumberArray): boolean {
  if (a.byteLength !== b.byteLength) return false;
  const bytes = (array: NumberArray) => Buffer.from(array.buffer, array.byteOffset, array.byteLength);
  return bytes(a).equals(bytes(b));
}
