/** Bodies that are values (`map`, `scan`, `fixed`, `checkpoint`): they may declare and write variables of their own, and change nothing around them. */
import { fail } from '../diagnostics/diagnostic.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { type Frame, Scope } from './scope.ts';
import type { CellRef } from './values.ts';

/** Frame of such a body, for an element or turn whose number keys its draws; its variables are local wherever it stands. */
export function elementFrame(frame: Frame, indices: Frame['indices']): Frame {
  const body = frame.body === 'file' || frame.body === 'trial' ? 'fn' : frame.body;
  return { ...frame, body, scope: new Scope(frame.scope), indices, familyScope: undefined };
}

/** Runs `act`; fails where it changes a cell that is not its own (nor one that `mine` allows), or what a rule moves. */
export function withoutEffects<T>(
  e: Elaboration,
  frame: Frame,
  word: string,
  span: Span,
  hint: string,
  act: () => T,
  mine?: (cell: CellRef) => boolean,
): T {
  const before = e.entry.snapshot();
  const outputs = e.entry.outputs.length;
  const slots = frame.ruleSlots?.map((slot) => slot.get());
  const value = act();
  for (const { cell, before: old } of e.entry.changedSince(before)) {
    if ((!cell.persistent && !cell.elementOf && old === undefined) || mine?.(cell)) continue;
    const move = e.entry.moved.get(cell.id);
    fail('OPT422', move?.span ?? span, `${cell.label} cannot be written inside ${word}`, {
      labels: [{ span, text: `this ${word} is a value` }],
      hint,
    });
  }
  if (frame.ruleSlots?.some((slot, k) => slot.get() !== slots?.[k]))
    fail('OPT422', span, `p and g cannot be written inside ${word}`, { hint });
  // Objectives of updates of local variables are values of an element, which no one number stands for.
  e.entry.outputs.length = outputs;
  return value;
}
