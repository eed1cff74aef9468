/**
 * What text changes: cells, in a rule its p and g, and what is recorded. Text whose effects are chosen (`if`), kept apart (`together`) or repeated (loops) is
 * elaborated on the state before it; its effects are taken down and the state is put back.
 */
import { type Diagnostic, SaddleError } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import type { Elaboration, RunContext } from './context.ts';
import type { Move, Output } from './entry.ts';
import type { Frame } from './scope.ts';
import type { CellRef } from './values.ts';

/** What text may change, as it was. */
export interface State {
  readonly cells: ReadonlyMap<string, Node>;
  readonly slots: readonly Node[];
  readonly moved: ReadonlyMap<string, Move>;
  readonly outputs: readonly Output[];
  readonly series: RunContext['series'];
  readonly recorded: RunContext['recorded'];
}

export interface Change {
  readonly cell: CellRef;
  readonly old: Node;
  readonly now: Node;
}

export interface Effects<T> {
  readonly value: T;
  /** Cells that were changed, with their values before and after. */
  readonly cells: ReadonlyMap<string, Change>;
  readonly slots: readonly Node[];
  readonly moved: ReadonlyMap<string, Move>;
  /** What this text alone records. */
  readonly outputs: readonly Output[];
  readonly series: RunContext['series'];
  readonly recorded: RunContext['recorded'];
}

export function stateOf(e: Elaboration, frame: Frame): State {
  return {
    cells: e.entry.snapshot(),
    slots: slotValues(frame),
    moved: new Map(e.entry.moved),
    outputs: [...e.entry.outputs],
    series: new Map(e.run.series),
    recorded: new Map(e.run.recorded),
  };
}

const slotValues = (frame: Frame): Node[] => (frame.ruleSlots ?? []).map((slot) => slot.get());

/** Runs `act` and puts everything back to what it was, also where it fails. */
export function effectsOf<T>(e: Elaboration, frame: Frame, before: State, act: () => T): Effects<T> {
  const { entry } = e;
  entry.outputs.length = 0;
  try {
    const value = act();
    return {
      value,
      cells: changes(e, before.cells),
      slots: slotValues(frame),
      moved: new Map(entry.moved),
      outputs: [...entry.outputs],
      series: new Map(e.run.series),
      recorded: new Map(e.run.recorded),
    };
  } finally {
    restoreState(e, frame, before);
  }
}

function restoreState(e: Elaboration, frame: Frame, before: State): void {
  e.entry.restore(before.cells);
  refill(e.entry.moved, before.moved);
  e.entry.outputs.splice(0, e.entry.outputs.length, ...before.outputs);
  frame.ruleSlots?.forEach((slot, i) => slot.set(before.slots[i] ?? (slot.first as Node)));
  refill(e.run.series, before.series);
  refill(e.run.recorded, before.recorded);
}

function refill<K, V>(map: Map<K, V>, values: ReadonlyMap<K, V>): void {
  map.clear();
  for (const [key, value] of values) map.set(key, value);
}

/** Names that text has recorded, and what it moved, for what follows. Its values are the caller's to put in place. */
export function adoptNames(e: Elaboration, done: Effects<unknown>): void {
  for (const [id, move] of done.moved) e.entry.moved.set(id, move);
  for (const [name, kind] of done.series) e.run.series.set(name, kind);
  for (const [name, at] of done.recorded) e.run.recorded.set(name, at);
}

/** Cells that text changed since a snapshot; variables that it declared itself are left out. */
export function changes(e: Elaboration, before: ReadonlyMap<string, Node>): Map<string, Change> {
  const found = new Map<string, Change>();
  for (const { cell, before: old, now } of e.entry.changedSince(before)) {
    if (old === undefined && bornInside(cell, before)) continue;
    found.set(cell.id, { cell, old: old ?? e.entry.first(cell), now });
  }
  return found;
}

/** A local variable not met before; a local state belongs to the variable that it helps to move, or to the loop around. */
function bornInside(cell: CellRef, before: ReadonlyMap<string, Node>): boolean {
  if (cell.persistent || cell.elementOf) return false;
  return cell.livesWith === undefined || !before.has(cell.livesWith);
}

/** A value as a cell was, or as an update has left it; no plain write. */
export function isLeaf(node: Node): boolean {
  return node.op === 'parameter' || (node.op === 'version' && node.inputs[0].op === 'stop');
}

/** Runs text whose effects nobody keeps, to see what it changes: neither findings nor records of updates stay. The error of a text that is wrong stands. */
export function trial<T>(e: Elaboration, act: () => T): T {
  const kept = { updates: e.updates.length, diagnostics: e.diagnostics.length };
  try {
    return act();
  } finally {
    e.updates.length = kept.updates;
    e.diagnostics.length = kept.diagnostics;
  }
}

/** Runs `act`, which may be wrong: its errors then, and everything as it was before; undefined where all is well. Limits of the program stand. */
export function attempt(
  e: Elaboration,
  frame: Frame,
  before: State,
  act: () => void,
): readonly Diagnostic[] | undefined {
  const kept = [e.updates, e.diagnostics, e.errors].map((list) => ({ list, length: list.length }));
  const undo = (errors: readonly Diagnostic[]): readonly Diagnostic[] => {
    for (const { list, length } of kept) list.length = length;
    restoreState(e, frame, before);
    return errors;
  };
  try {
    act();
  } catch (error) {
    const limit =
      error instanceof SaddleError && error.diagnostics.some((d) => d.code === 'OPT501' || d.code === 'OPT505');
    if (!(error instanceof SaddleError) || limit) throw error;
    return undo(error.diagnostics);
  }
  const found = e.errors.slice(kept[2].length);
  return found.length > 0 ? undo(found) : undefined;
}
