/**
 * Solves that are statements within a phase: in a `train` body, a loop, another solver. Each records objective and violation as it leaves them; behind the phase stands the
 * ledger of the last one, computed from the cells as they are then, so that a step pays nothing for it; where the variables end with the solve, it is computed there. One that
 * fails ends the run, in the step in which it does.
 */
import type * as ast from '../ast/nodes.ts';
import { type BundleSolve, LEDGER_PART, SOLVE_PART } from '../bundle/format.ts';
import type { Phase } from '../ir/program.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { cellsFor } from './cells.ts';
import type { Matched } from './classes.ts';
import type { Elaboration } from './context.ts';
import { broadcastTo } from './convert.ts';
import { endsIn, FAILED, RUNNING, stepText } from './endings.ts';
import { recordLedger, recordRows, recordTrace, reportNames, type Rows, type Trace, traceOf } from './ledger.ts';
import { record } from './outputs.ts';
import type { EntryBuilder } from './entry.ts';
import type { ProblemInstance } from './problems.ts';

import type { Ending, Frame } from './scope.ts';
import { type CellRef, tensor } from './values.ts';

/** Failures of solves within the phase under construction. */
export interface Failures {
  /** By number, over all solves of the phase. */
  readonly reasons: string[];
  /** i32: RUNNING, or FAILED + the number of the first reason; made where a solve may fail. */
  cell?: CellRef;
}

/** A solve within the phase under construction. */
export interface InnerSolve {
  readonly matched: Matched;
  readonly trace: Trace;
  readonly solve: Omit<BundleSolve, keyof Rows>;
  /** Present where they were recorded with the solve. */
  readonly rows?: Rows;
  readonly span: Span;
}

/** How a solve within a phase has ended. */
interface Ended {
  readonly problem: ProblemInstance;
  readonly matched: Matched;
  /** The problem as it stands behind the solve. */
  readonly view: Frame;
  readonly expr: ast.SolveExpr;
  /** Steps asked for. */
  readonly steps: number;
  readonly status: CellRef | undefined;
  /** i32: steps taken; absent where all are. */
  readonly taken: CellRef | undefined;
}

/** Behind a solve that is a statement: what it records, and whether it ends the run. */
export function innerSolveEnded(e: Elaboration, ended: Ended): void {
  const { problem, matched, view, expr, steps, status, taken } = ended;
  const own = reportNames((matched.solver.decl as ast.SolverDecl).body);
  const phase = e.entry.kind === 'train' ? (e.run.lastTrain?.phase.name ?? '') : '';
  const key = `${phase}.${problem.name}`;
  const trace = traceOf(problem, key, (of) => `${problem.name}.${of}`, own);
  let rows: Rows | undefined;
  e.graph.at(expr.span, () => {
    e.observe(() => {
      recordTrace(e, problem, trace, view, 'report');
      if (!problem.persistent) rows = recordRows(e, matched, key, view, 'report');
    });
    if (status) endRun(e, status, expr.span);
    const put = (what: string, value: Node): void =>
      record(e, { name: `${LEDGER_PART}${key}.${what}`, kind: 'report', value: float(e, value), span: expr.span });
    // Recorded where the solve was reached: one that never was has no ledger.
    put('status', status ? e.entry.read(status) : e.constant(RUNNING, 'i32'));
    if (taken) put('taken', e.entry.read(taken));
  });
  e.run.inner.set(key, {
    matched,
    trace,
    rows,
    span: expr.span,
    solve: {
      run: e.run.name,
      problem: problem.name,
      key,
      solver: e.options.text((expr.solver as ast.Pipeline).span),
      steps,
      within: phase,
      objective: trace.objective,
      violation: trace.violation,
    },
  });
}

const float = (e: Elaboration, n: Node): Node => e.make('cast', [n], { dtype: 'f32' });

/** The ledgers of the solves within the phase that was just made, in the entry behind it. */
export function recordInnerLedgers(e: Elaboration): void {
  const found = [...e.run.inner.values()];
  e.run.inner.clear();
  if (found.length === 0 || e.errors.length > 0) return;
  e.entry = e.once();
  for (const { matched, solve, rows, span } of found) {
    if (rows) e.solves.push({ ...solve, ...rows });
    else e.graph.at(span, () => e.observe(() => recordLedger(e, matched, { several: [] }, solve)));
  }
}

/** Notes a solve that is a value: it is computed anew wherever it is read, and what it passes through has no place in a log. */
export function noteUnrecorded(e: Elaboration, problem: string, expr: ast.SolveExpr, steps: number): void {
  const solver = e.options.text((expr.solver as ast.Pipeline).span);
  const key = `${problem}@${expr.span.file}:${expr.span.start}`;
  if (e.solves.some((s) => s.run === e.run.name && s.key === key)) return;
  e.solves.push({ run: e.run.name, problem, key, solver, steps, unrecorded: true, constraints: [] });
}

// ---------------------------------------------------------------- failures

/** Elaborates the steps of a phase, within which solves may fail. */
export function withFailures(e: Elaboration, failures: Failures, act: () => void): void {
  const before = e.run.failures;
  e.run.failures = failures;
  try {
    act();
  } finally {
    e.run.failures = before;
  }
}

/** What `fail when` in the text of a `train` does, if it stands there. */
export function endingOfPhase(e: Elaboration, body: ast.Body, failures: Failures, span: Span): Ending | undefined {
  if (!endsIn(body)) return undefined;
  const status = (failures.cell ??= e.within(e.entry.init, () => failureCell(e, span)));
  const statements = stepText(e, { status, span, reasons: failures.reasons, writesAbove: true });
  return { ends: endsIn, statements };
}

/** Keeps the first failure of a phase. Between phases nothing asks for it: there the variables say it, see `unlessFailed`. */
function endRun(e: Elaboration, status: CellRef, span: Span): void {
  const { failures } = e.run;
  if (!failures || failures.reasons.length === 0) return;
  failures.cell ??= e.within(e.entry.init, () => failureCell(e, span));
  const { cell } = failures;
  const [first, now] = [e.entry.read(cell), e.entry.read(status)];
  const failed = e.make('ge', [now, e.constant(FAILED, 'i32')]);
  const fresh = e.make('eq', [first, e.constant(RUNNING, 'i32')]);
  e.entry.write(cell, e.make('select', [e.make('and', [failed, fresh]), now, first]));
}

function failureCell(e: Elaboration, span: Span): CellRef {
  const id = e.qualified(`${e.run.lastTrain?.phase.name ?? 'solve'}#failed`);
  const place = { kind: 'state', id, label: id, group: id, run: e.run.name, persistent: true, span } as const;
  return cellsFor(e, tensor(e.constant(RUNNING, 'i32')), place, span).cells[0];
}

/** Lets a phase end where a solve within it has failed. `own`: how its own solve stands. */
export function endByFailures(
  e: Elaboration,
  phase: Extract<Phase, { kind: 'train' }>,
  entry: EntryBuilder,
  { cell, reasons }: Failures,
  own?: Node,
): void {
  const output = `${SOLVE_PART}${phase.name}`;
  if (!cell && !own) return;
  e.within(entry, () =>
    e.graph.at(phase.span, () => {
      const inner = cell && e.entry.read(cell);
      const goesOn = own && e.make('eq', [own, e.constant(RUNNING, 'i32')]);
      entry.output(output, 'report', goesOn && inner ? e.make('select', [goesOn, inner, own]) : ((own ?? inner) as Node), phase.span); // prettier-ignore
    }),
  );
  const at = e.schedule.indexOf(phase);
  e.schedule[at] = { ...phase, ends: { output, reasons } };
}

/** A value that a solve has found, which is no number where the solve has failed. */
export function unlessFailed(e: Elaboration, status: CellRef | undefined, node: Node): Node {
  if (!status || node.type.dtype !== 'f32') return node;
  const failed = e.make('ge', [e.entry.read(status), e.constant(FAILED, 'i32')]);
  const { shape } = node.type;
  return e.make('select', [broadcastTo(e, failed, shape), e.constant(NaN, 'f32', shape), node]);
}
