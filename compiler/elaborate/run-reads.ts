/** Which runs a value depends on through their cells: what reads a failed run is worth nothing. */
import type { Node } from '../ops/types.ts';
import type { Elaboration } from './context.ts';
import { reads } from './entry.ts';

/** Names of the runs whose cells a node reads, through `let`s that the file keeps of them too. The file's own name is left out. */
export function runsRead(e: Elaboration, node: Node): string[] {
  const kept = new Map(e.entries.flatMap((entry) => entry.finish().writes.map((w) => [w.cell, w.value] as const)));
  const runs = new Set<string>();
  const seen = new Set<string>();
  const visit = (root: Node): void => {
    for (const id of reads([root]).cells) {
      if (seen.has(id)) continue;
      seen.add(id);
      const cell = e.allCells.get(id);
      if (cell && cell.run !== '') runs.add(cell.run);
      const value = kept.get(id);
      if (cell?.run === '' && value) visit(value);
    }
  };
  visit(node);
  return [...runs];
}
