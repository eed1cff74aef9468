/**
 * Ends of a solve or a phase where the text says so: `stop when` and `fail when`. What stands behind one happens where the step goes on; an ending in a branch is no
 * value of the branch, but the state of the solve, which is read where the branches have met.
 */
import { statementsWithin } from '../ast/bodies.ts';
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { choose, chosenFrame, decide, isFixed } from './choices.ts';
import type { Elaboration } from './context.ts';
import type { Frame } from './scope.ts';
import type { CellRef } from './values.ts';

/** Codes of how a solve stands: it goes on, it has stopped, or it has failed for one of several reasons. */
export const RUNNING = 0;
export const STOPPED = 1;
export const FAILED = 2;

/** What may end. */
export interface Ends {
  readonly span: Span;
  /** i32: RUNNING, STOPPED or FAILED + the number of a reason; present where it may end early. */
  readonly status?: CellRef;
  /** Reasons of failure, in the order of their numbers. */
  readonly reasons: string[];
  /** A step may have written before it ends: in training, where an end is a failure, after which nothing is read. */
  readonly writesAbove?: boolean;
}

type Ending = ast.StopWhenStmt | ast.FailWhenStmt;

const isEnding = (stmt: ast.Stmt): stmt is Ending => stmt.kind === 'stopWhen' || stmt.kind === 'failWhen';

/** Whether a body, or one within it, may end the solve itself. */
export const endsIn = (body: ast.Body): boolean => statementsWithin(body).some(isEnding);

/**
 * The statements of one step, in order, also of branches within it: what stands behind a `stop when`, or behind a statement in which there is one, happens where
 * the solve goes on. An ending in a branch is no value of the branch, but the state of the solve: it is read where the branches have met.
 */
export function stepText(e: Elaboration, solve: Ends): (list: readonly ast.Stmt[], frame: Frame) => void {
  const { status } = solve;
  const before = e.entry.snapshot();
  const now = (): Node | undefined => status && e.entry.read(status);
  /** The status that is known to be that of a solve that goes on, where the text stands. */
  let running = now();
  const goOn = (list: readonly ast.Stmt[], frame: Frame): void => {
    const known = running;
    running = now();
    inOrder(list, frame);
    running = known;
  };
  /** Those that an execution does; the others, as an `eval` with times, are parts of the program whether a step gets so far or not. */
  const apart = (list: readonly ast.Stmt[], frame: Frame): readonly ast.Stmt[] => {
    for (const stmt of list) if (!frame.chosen && isFixed(stmt, frame)) e.do.statement(e, stmt, frame);
    return list.filter((stmt) => frame.chosen || !isFixed(stmt, frame));
  };
  const inOrder = (list: readonly ast.Stmt[], frame: Frame): void => {
    for (const [i, stmt] of list.entries()) {
      if (now() !== running) {
        const rest = () => goOn(apart(list.slice(i), frame), stepFrame(frame));
        e.graph.at(solve.span, () => choose(e, frame, isRunning(e, status as CellRef), rest, () => undefined));
        return;
      }
      if (isEnding(stmt)) {
        const { condition, code } = endingOf(e, solve, stmt, frame, before);
        const rest = apart(list.slice(i + 1), frame);
        return ending(e, solve, frame, condition, code, (inner) => goOn(rest, inner ?? frame));
      }
      e.do.statement(e, stmt, frame);
    }
  };
  return inOrder;
}

/** Condition of an ending, and what it makes of the status. */
function endingOf(
  e: Elaboration,
  solve: Ends,
  stmt: Ending,
  frame: Frame,
  before: ReadonlyMap<string, Node>,
): { readonly condition: Node; readonly code: number } {
  refuseWritten(e, solve, stmt, before);
  const word = stmt.kind === 'stopWhen' ? 'stop when' : 'fail when';
  const held = e.observe(() => decide(e, stmt.condition, frame, word));
  const condition = typeof held === 'boolean' ? e.constant(held ? 1 : 0, 'bool') : held;
  if (stmt.kind === 'stopWhen') return { condition, code: STOPPED };
  solve.reasons.push(stmt.reason?.value ?? e.options.text(stmt.condition.span));
  return { condition, code: FAILED + solve.reasons.length - 1 };
}

/** Whether the solve goes on. */
export const isRunning = (e: Elaboration, status: CellRef): Node =>
  e.make('eq', [e.entry.read(status), e.constant(RUNNING, 'i32')]);

/** Ends the solve with `code` where the condition holds, else goes on. */
export function ending(
  e: Elaboration,
  { status, span }: Ends,
  frame: Frame,
  condition: Node,
  code: number,
  goOn: (inner?: Frame) => void,
): void {
  const cell = status as CellRef;
  e.graph.at(span, () =>
    choose(
      e,
      frame,
      condition,
      () => void e.entry.write(cell, e.constant(code, 'i32')),
      () => goOn(stepFrame(frame)),
    ),
  );
}

/** The frame of the rest of a step: it is reached or not, but what it counts are the steps that are taken, which all reach it. */
function stepFrame(frame: Frame): Frame {
  return { ...chosenFrame(frame, 'stop when'), execution: frame.execution };
}

/** A step that ends has changed nothing. */
function refuseWritten(
  e: Elaboration,
  { status, writesAbove }: Ends,
  stmt: ast.Stmt,
  before: ReadonlyMap<string, Node>,
): void {
  if (writesAbove) return;
  for (const { cell } of e.entry.changedSince(before)) {
    if (cell === status || (!cell.persistent && !before.has(cell.id))) continue;
    const moved = e.entry.moved.get(cell.id);
    fail('OPT444', stmt.span, `${cell.label} is written above this, in a step that may end here`, {
      labels: moved ? [{ span: moved.span, text: 'written here' }] : [],
      hint: 'put the condition before the first write of the step',
    });
  }
}
