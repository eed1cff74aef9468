/** Static facts of a compiled program that claims may read: bytes known from the memory plan, before anything runs. */
import type { Bundle, ClaimExpr } from '../../compiler/bundle/format.ts';
import { cellBytes } from '../../compiler/bundle/halves.ts';

/** Bytes of a fact's cells, and of the largest temporaries among its entries. */
export function factBytes(bundle: Bundle, fact: Extract<ClaimExpr, { kind: 'fact' }>): number {
  const ids = new Set(fact.cells);
  const cells = bundle.cells.filter((c) => ids.has(c.id));
  const bytes = cells.reduce((sum, c) => sum + cellBytes(c), 0);
  const entries = bundle.entries.filter((e) => fact.entries.includes(e.id));
  const all = entries.flatMap((e) => [e.id, ...(e.passes ?? []).map((p) => p.entry)]);
  return bytes + Math.max(0, ...all.map((id) => bundle.memory.temps[id] ?? 0));
}
