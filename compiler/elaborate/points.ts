/**
 * Points at which objectives are computed, for grading solvers. Every read of a variable by an objective is marked, and the mark stays with what `at` puts in its
 * place, in derivatives, loops and maps too; the float64 interpreter then sees at how many different points an objective, or a derivative of it, was computed.
 */
import { sizeOf } from '../ir/tensor/graph.ts';
import { substitute } from '../ir/tensor/rewrite.ts';
import type { Node } from '../ops/types.ts';
import type { Elaboration } from './context.ts';
import type { Frame } from './scope.ts';
import { readsByCell, visibleNodes } from './targets.ts';

/** The value of an objective with marks on the variables of its problem, where they are asked for (`grading`). */
export function markPoints(e: Elaboration, value: Node, frame: Frame): Node {
  if (!frame.variables) return value;
  const reads = readsByCell(e, visibleNodes([value]));
  const marks = new Map<Node, Node>();
  for (const cell of frame.variables())
    for (const read of reads.get(cell.id) ?? [])
      marks.set(read, e.make('name', [read], { name: 'point', point: cell.id, elements: sizeOf(read.type.shape) }));
  return marks.size === 0 ? value : substitute(e.graph, [value], marks)[0];
}
