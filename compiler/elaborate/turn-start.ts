/**
 * What a cell is at the start of a turn: a version of it that an earlier turn may have written. A derivative that would have to pass such a write is an error
 * as it is in straight code, so the version stands, while the turn is elaborated, on everything that the write was computed from; afterwards a parameter
 * of the loop takes the place of that.
 */
import { regionParameter } from '../ir/tensor/regions.ts';
import { ownDependencies } from '../ops/region.ts';
import type { Node } from '../ops/types.ts';
import type { Elaboration } from './context.ts';
import { broadcastTo } from './convert.ts';
import { type Effects, isLeaf, type State } from './effects.ts';
import { versionOf } from './entry.ts';
import type { Carried } from './turn-carried.ts';
import type { CellRef } from './values.ts';

export interface Start {
  readonly cell: CellRef;
  /** Value before the loop. */
  readonly initial: Node;
  /** Parameter that carries the value. */
  readonly param: Node;
  /** What stands below the version for now; the parameter itself where no derivative could pass. */
  readonly source: Node;
  /** The cell's value for the text of the turn. */
  readonly start: Node;
}

/** Starts of a turn for the cells that the body changes. Where it takes no derivative, none can be refused, and they stand on nothing. */
export function startOfTurn(e: Elaboration, { cells: carried, first }: Carried, before: State): Start[] {
  const initials = new Map([...carried].map(([id, cell]) => [id, before.cells.get(id) ?? e.entry.first(cell)]));
  const reached = first && reachOf(carried, initials, first.dry, first.marker);
  const starts = new Map<string, Start>();
  // A write reads what was written before it, so that in the order of the writes no start is needed before it is made.
  const order = [...carried.values()].sort((a, b) => lastWrite(first?.dry, a) - lastWrite(first?.dry, b));
  for (const cell of order) {
    const param = regionParameter(e.graph, cell.label, cell.type);
    const from = [...(reached?.get(cell.id) ?? [])].map((r) =>
      typeof r === 'string' ? (starts.get(r) as Start).start : r,
    );
    const source = from.length === 0 ? param : standOn(e, param, from);
    // a derivative that is refused is refused at the write
    const written = first?.dry.cells.get(cell.id)?.now.span;
    const start = e.graph.at(written, () => e.make('version', [source], versionOf(cell, 1)));
    starts.set(cell.id, { cell, initial: initials.get(cell.id) as Node, param, source, start });
  }
  return [...carried.keys()].map((id) => starts.get(id) as Start);
}

const lastWrite = (dry: Effects<unknown> | undefined, cell: CellRef): number => dry?.cells.get(cell.id)?.now.id ?? -1;

/** The parameter, depending on other values too. */
function standOn(e: Elaboration, param: Node, from: readonly Node[]): Node {
  const sums = from.map((n) => e.make('reduce_sum', [n], { axes: n.type.shape.map((_, axis) => axis) }));
  const total = sums.reduce((a, b) => e.make('add', [a, b]));
  return e.make('add', [param, broadcastTo(e, total, param.type.shape)]);
}

/** A value from outside of the loop, or the start of a cell (its id). */
type Reached = Node | string;

/** What a plain write of each cell was computed from, by float values and not behind `stop`, over any number of turns. */
function reachOf(
  carried: ReadonlyMap<string, CellRef>,
  initials: ReadonlyMap<string, Node>,
  dry: Effects<unknown>,
  marker: number,
): Map<string, Set<Reached>> {
  const byInitial = new Map([...initials].map(([id, node]) => [node, id]));
  const byLast = new Map([...dry.cells].map(([id, { now }]) => [now, id]));
  const reached = new Map<string, Set<Reached>>();
  const earlier = new Map<string, Set<string>>();
  for (const [id, cell] of carried) {
    const found = new Set<Reached>();
    const before = new Set<string>();
    reached.set(id, found);
    earlier.set(id, before);
    if (cell.type.dtype !== 'f32') continue;
    const initial = initials.get(id) as Node;
    if (!isLeaf(initial)) found.add(initial);
    const last = dry.cells.get(id)?.now;
    const stack = last ? [last] : [];
    const seen = new Set<Node>();
    while (stack.length > 0) {
      const node = stack.pop() as Node;
      if (seen.has(node)) continue;
      seen.add(node);
      if (node.op === 'stop' || node.op === 'constant' || (node.type.dtype !== 'f32' && !node.type.parts)) continue;
      const other = node === last ? undefined : byLast.get(node);
      if (other !== undefined) found.add(other);
      else if (byInitial.has(node)) before.add(byInitial.get(node) as string);
      else if (node.id < marker || node.op === 'parameter') found.add(node);
      else stack.push(...ownDependencies(node));
    }
  }
  return closure(reached, earlier);
}

/** Adds what the cells of earlier turns were computed from. */
function closure(
  reached: Map<string, Set<Reached>>,
  earlier: ReadonlyMap<string, ReadonlySet<string>>,
): Map<string, Set<Reached>> {
  for (let grew = true; grew;) {
    grew = false;
    for (const [id, own] of reached) {
      const size = own.size;
      for (const other of earlier.get(id) ?? []) {
        // an older start of another cell is nothing that this turn could name
        for (const r of reached.get(other) ?? []) if (typeof r !== 'string') own.add(r);
      }
      grew ||= own.size > size;
    }
  }
  return reached;
}
