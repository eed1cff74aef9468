/** The small bundle with a cell of 800 kB, so that writing a checkpoint takes long enough to be interrupted. */
import type { Bundle } from '../../compiler/bundle/format.ts';
import { tinyBundle } from '../unit/runtime/tiny-bundle.ts';

export function bigBundle(): Bundle {
  const bundle = tinyBundle();
  const cells = bundle.cells.map((c) => (c.id === '/w' ? { ...c, type: { ...c.type, shape: [200000] } } : c));
  return { ...bundle, cells };
}
