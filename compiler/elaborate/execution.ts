/**
 * How often text was executed before: the count of an update, the position of a batch, the time of `every`. Where it follows from the step and the turns of
 * loops, it is a formula; where it depends on the run (under an `if`, in a `while`), a state of the statement counts.
 */
import type { Node } from '../ops/types.ts';
import { cellsFor } from './cells.ts';
import type { Elaboration } from './context.ts';
import type { Execution, Frame, Index, Loop } from './scope.ts';
import { here } from './axis-elements.ts';
import { type Axis, type CellRef, tensor } from './values.ts';
import type { Lifetime } from './lifetime.ts';

/** Executions before this one, as far as they follow from steps and turns. */
export function indexOf({ loop, period, uncertain }: Execution): Index {
  const index = loop.index(period ?? 1);
  return index !== undefined && (uncertain || period === undefined) ? 'counted' : index;
}

const divided = (e: Elaboration, n: Node, period: number): Node =>
  period === 1 ? n : e.make('floor_div', [n, e.constant(period, 'i32')]);

/** Steps of a train phase. */
export function trainLoop(e: Elaboration): Execution {
  return solveLoop(e, e.scalar('step'));
}

/** Steps of a solve, for the text of its problem and of its solver. */
export function solveLoop(e: Elaboration, step: Node): Execution {
  return inside({ turn: () => step, index: (period) => divided(e, step, period) });
}

/** Updates of a statement, for the rules that it applies. */
export function ruleLoop(e: Elaboration, count: () => Node | undefined): Execution {
  return inside({
    turn: count,
    index: (period) => {
      const n = count();
      return n && divided(e, n, period);
    },
  });
}

/** Turns of a loop. `turns`: their number where it is known and every execution takes all of them. */
export function turnLoop(e: Elaboration, outer: Execution, turn: number | Node, turns: number | undefined): Execution {
  return inside({
    turn: () => turn,
    index: (period) => {
      const before = indexOf(outer);
      if (before === 'counted' || (before && turns === undefined)) return 'counted';
      const own = typeof turn === 'number' ? e.constant(turn / period, 'i32') : divided(e, turn, period);
      if (!before) return own;
      const each = e.constant(Math.ceil((turns as number) / period), 'i32');
      return e.make('add', [e.make('mul', [before, each]), own]);
    },
  });
}

const inside = (loop: Loop): Execution => ({ loop, period: 1 });

/** Text that is reached or not as the run decides. */
export function uncertain(execution: Execution): Execution {
  return { ...execution, uncertain: true };
}

/** Text under `every n` where n is known (undefined: not known). Periods of one loop meet at their least common multiple. */
export function everyOf(execution: Execution, n: number | undefined): Execution {
  const around = execution.period;
  return { ...execution, period: n === undefined || around === undefined ? undefined : leastCommon(around, n) };
}

function leastCommon(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return (a / x) * b;
}

/** Counts the executions of a statement. */
export interface Counter {
  /** Executions before this one, i32 scalar; undefined where there are none. */
  before(): Node | undefined;
  /** To be called once, at the place of the statement, after the last use of `before`. */
  done(): void;
}

/** The counter of the statement at `path`; `lifetime`: of what it counts for, where that begins anew. */
export function counter(
  e: Elaboration,
  frame: Frame,
  path: readonly string[],
  lifetime?: Lifetime,
  axis?: Axis,
): Counter {
  const index = lifetime ? 'counted' : indexOf(frame.execution);
  if (index !== 'counted') return { before: () => index, done: () => {} };
  let cell: CellRef | undefined;
  return {
    before: () => e.entry.read(here(e, (cell ??= countCell(e, path, lifetime, axis)))),
    done: () => {
      if (!cell) return;
      const own = here(e, cell);
      e.entry.write(own, e.make('add', [e.entry.read(own), e.constant(1, 'i32')]));
    },
  };
}

/** Rows that a batch statement whose counts the run decides has taken before, i32 scalar; it goes on by `n` of them. */
export function rowsBefore(e: Elaboration, path: readonly string[], n: Node): Node {
  const cell = countCell(e, path, undefined, undefined, '#rows');
  const before = e.entry.read(cell);
  e.entry.write(cell, e.make('add', [before, n]));
  return before;
}

function countCell(
  e: Elaboration,
  path: readonly string[],
  lifetime: Lifetime | undefined,
  axis: Axis | undefined,
  what = '#k',
): CellRef {
  const cells = lifetime?.states ?? e.states;
  const key = `${e.run.name}|${path.join('/')}|${what}`;
  let found = cells.get(key);
  if (!found) {
    const id = e.qualified(`${path.join('.')}${what}${lifetime ? `@${e.nextLocal++}` : ''}`);
    const place = {
      kind: 'state',
      id,
      label: `${path[path.length - 1]}${what}`,
      group: id,
      run: e.run.name,
      persistent: !lifetime,
      livesWith: lifetime?.cell,
      over: axis,
      span: e.graph.span as NonNullable<typeof e.graph.span>,
    } as const;
    const make = () => cellsFor(e, tensor(e.constant(0, 'i32', axis ? [axis.size] : [])), place, place.span);
    found = lifetime ? make() : e.within(e.entry.init, make);
    cells.set(key, found);
  }
  return found.cells[0];
}
