/** Cells stored as numbers of 16 bits, for the hosts that read and write them. */
import { packHalves, unpackHalves } from '../ops/half.ts';
import type { BundleCell } from './format.ts';

export { packHalves, unpackHalves };

/** Bytes of a cell's numbers in memory, in whole words. */
export function cellBytes({ type, storage }: BundleCell): number {
  const count = type.shape.reduce((a, b) => a * b, 1);
  return 4 * (storage === 'f16' ? Math.ceil(count / 2) : count);
}
