/**
 * How long states of rules live. Those of a cell that persists persist with it; those of a variable inside of a body are born and end with it; `repeat n restart`
 * begins the states of the updates in it anew at each entry.
 */
import type { Elaboration } from './context.ts';
import { cellsFor } from './cells.ts';
import type { Span } from '../source/source.ts';
import type { Frame } from './scope.ts';
import { type CellRef, type CellValue, tensor } from './values.ts';

export interface Lifetime {
  /** The local variable with which the states are born. */
  readonly cell: string;
  readonly states: Map<string, CellValue>;
}

/** States that begin where this is called: `repeat n restart`. */
export function beginLifetime(e: Elaboration, frame: Frame, span: Span): Lifetime {
  const id = e.qualified([...frame.path, `restart@${e.nextLocal++}`].join('.'));
  const place = { kind: 'var', id, label: 'restart', group: id, run: e.run.name, persistent: false, span } as const;
  const [cell] = cellsFor(e, tensor(e.constant(0, 'i32')), place, span).cells;
  e.births.set(cell.id, frame.scope);
  return { cell: cell.id, states: new Map() };
}

/** Lifetime of the states that help to move these cells; undefined where they last as long as the run. */
export function lifetimeOf(e: Elaboration, frame: Frame, cells: readonly CellRef[]): Lifetime | undefined {
  const local = cells.map((cell) => cell.elementOf ?? cell).find((cell) => !cell.persistent);
  const { restart } = frame;
  if (!local || (restart && e.entry.order(local.id) < e.entry.order(restart.cell))) return restart;
  let own = e.lifetimes.get(local.id);
  if (!own) e.lifetimes.set(local.id, (own = { cell: local.id, states: new Map() }));
  return own;
}
