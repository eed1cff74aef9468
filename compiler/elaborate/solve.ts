/**
 * `solve P by S for N until C`. Between phases it is a phase of its own, whose steps the schedule runs; inside of phases, loops and solvers a loop of the graph; as
 * an expression a loop on variables that begin anew, whose value is what it found.
 */
import { statementsWithin } from '../ast/bodies.ts';
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Fits } from '../ir/program.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { giveArguments, openParameters } from './arguments.ts';
import { cellsFor } from './cells.ts';
import { choose, decide } from './choices.ts';
import { librarySolvers, match, type Matched } from './classes.ts';
import type { Elaboration } from './context.ts';
import { leafNodes, mapLeaves, plain, readCells, toDim, toNode } from './convert.ts';
import {
  endByFailures,
  type Failures,
  innerSolveEnded,
  noteUnrecorded,
  recordInnerLedgers,
  unlessFailed,
  withFailures,
} from './inner-solves.ts';
import { lagrangianOf } from './lagrangian.ts';
import { recordLedger, reportNames, type Trace, traceOf } from './ledger.ts';
import { beginLifetime, type Lifetime } from './lifetime.ts';
import { elementFrame, withoutEffects } from './local-effects.ts';
import { checkReads } from './problem-reads.ts';
import { fieldNames, fieldOf, viewOf } from './problem-fields.ts';
import { allOf, instanceOf, isProblem, newInstance, type ProblemInstance } from './problems.ts';
import { type Clock, type Frame, nested } from './scope.ts';
import { siteName } from '../ast/sites.ts';
import { isRunning, RUNNING } from './endings.ts';
import { mayEnd, mayStop, prepareMultipliers, type Solve, solverStep } from './solvers.ts';
import { roll } from './turns.ts';
import {
  type CellRef,
  kindText,
  type RecordValue,
  type Solution,
  type Template,
  tensor,
  type Value,
} from './values.ts';

/** Most steps of a solve that only its solver ends. */
const MOST_STEPS = 10_000;

// ---------------------------------------------------------------- heads

/** Problem and solver of a solve. */
interface Head {
  readonly problem: Template;
  readonly solver: Template;
  readonly steps: number;
  readonly expr: ast.SolveExpr;
}

function headOf(e: Elaboration, expr: ast.SolveExpr, frame: Frame): Head {
  const { callee, args } = expr.problem.kind === 'call' ? expr.problem : { callee: expr.problem, args: [] };
  const named = e.do.expression(e, callee, frame);
  const value = named.kind === 'problem' ? named.instance.template : named;
  if (!isProblem(value))
    fail('OPT446', callee.span, `solve takes a problem, not ${kindText(value)}`, {
      hint: 'declare problem p { over x: f32 = 0  minimize … }',
    });
  const problem = args.length > 0 ? giveArguments(e, value, args, frame) : value;
  const solver = solverOf(e, expr, frame);
  const decl = solver.decl as ast.SolverDecl;
  const steps = expr.steps
    ? toDim(e, e.do.expression(e, expr.steps, frame), expr.steps.span, 'the number of steps')
    : mayStop(decl) || expr.until ? MOST_STEPS : 1; // prettier-ignore
  if (steps < 0)
    fail('OPT305', expr.steps?.span, `the number of steps cannot be negative: ${steps}`, {
      hint: 'for 0 is the least',
    });
  return { problem, solver, steps, expr };
}

function solverOf(e: Elaboration, expr: ast.SolveExpr, frame: Frame): Template {
  const { solver } = expr;
  if (!solver)
    fail('OPT446', expr.span, 'solve needs a solver', { hint: 'write solve p by descent(adam(1e-2)) for 1000' });
  if (solver.stages.length > 1 || solver.otherwise)
    fail('OPT446', solver.span, 'a solve has one solver, not a pipeline', {
      hint: 'give rules to the solver: solve p by descent(clip(1) |> adam(1e-3))',
    });
  const value = e.do.expression(e, solver.stages[0], frame);
  if (value.kind === 'template' && value.decl.kind === 'solver') return value;
  fail('OPT446', solver.span, `a solver is needed here, not ${kindText(value)}`, {
    hint: value.kind === 'template' && value.decl.kind === 'rule' ? `a rule moves what a solver asks it to: descent(${value.decl.name.text}(…))` : 'solvers come from: use solvers { descent }',
  }); // prettier-ignore
}

// ---------------------------------------------------------------- phases

/** A solve between phases. `alone`: it is a run, whose reports need no further name. */
export function solvePhase(e: Elaboration, expr: ast.SolveExpr, frame: Frame, alone: boolean): ProblemInstance {
  const head = headOf(e, expr, frame);
  const name = head.problem.decl.name.text;
  const before = e.solves.filter((s) => s.run === e.run.name && s.problem === name).length;
  const key = before === 0 ? name : `${name}_${before}`;
  const instance = phaseInstance(e, head, expr);
  const init = e.newEntry('once', `${name}.init`);
  e.schedule.push({ kind: 'once', name: 'init', run: e.run.name, entry: init.id });
  const entry = e.newEntry('train', name, init);
  const decl = head.solver.decl as ast.SolverDecl;
  const ends = mayEnd(decl) || expr.until !== undefined;
  const inner: Frame = { ...nested(frame), body: 'train', path: [...frame.path, siteName(expr)] };
  const clock: Clock = { step: e.scalar('step'), steps: e.scalar('steps'), progress: e.scalar('progress') };
  const evals: { entry: string; times: { at: readonly number[]; every?: number; end: boolean } }[] = [];
  const failures: Failures = { reasons: [] };
  const phase = {
    kind: 'train',
    name: key,
    run: e.run.name,
    steps: head.steps,
    entry: entry.id,
    evals,
    span: expr.span,
  } as const;
  e.run.once = undefined;
  e.run.lastTrain = { phase, entry, evals, frame: inner };
  e.schedule.push(phase);
  let found: { readonly matched: Matched; readonly trace: Trace; readonly status?: CellRef } | undefined;
  const build = (): void => {
    e.graph.at(expr.span, () => {
      const view = viewOf(e, instance, clock);
      checkReads(e, instance, view);
      const matched = match(e, instance, head.solver, view, expr.span);
      if (e.options.grading) e.fits.push(fitsOf(e, instance, view, expr.span));
      e.within(init, () => prepareMultipliers(e, matched, view));
      const status = ends ? e.within(init, () => localCell(e, `${key}#status`, RUNNING, expr.span, true)) : undefined;
      const prefix = alone ? '' : `${name}.`;
      const trace = traceOf(instance, key, (of) => `${prefix}${of}`, reportNames(decl.body));
      const solve: Solve = {
        trace,
        matched,
        frame: inner,
        path: inner.path,
        span: expr.span,
        clock,
        reportName: (report) => `${prefix}${report}`,
        status,
        reasons: failures.reasons,
      };
      const until = expr.until && untilOf(e, expr.until, inner);
      found = { matched, trace, status };
      if (!status) return solverStep(e, solve, until);
      choose(e, inner, isRunning(e, status), () => solverStep(e, solve, until), () => undefined); // prettier-ignore
    });
  };
  withFailures(e, failures, () => e.within(entry, build));
  if (found) {
    const { matched, trace, status } = found;
    endByFailures(e, phase, entry, failures, status && e.within(entry, () => e.entry.read(status)));
    const solver = e.options.text((expr.solver as ast.Pipeline).span);
    const { objective: objectiveName, violation: violationName } = trace;
    e.entry = e.once();
    e.graph.at(expr.span, () =>
      e.observe(() =>
        recordLedger(e, matched, trace, {
          run: e.run.name,
          problem: name,
          key,
          solver,
          steps: head.steps,
          ...(objectiveName && { objective: objectiveName }),
          ...(violationName && { violation: violationName }),
        }),
      ),
    );
    recordInnerLedgers(e);
  }
  return instance;
}

function fitsOf(e: Elaboration, instance: ProblemInstance, view: Frame, span: Span): Fits {
  const solvers = librarySolvers(e, instance, view, span).map((t) => ({
    name: t.decl.name.text,
    needs: openParameters(t).map((p) => p.name.text),
  }));
  return { problem: instance.name, solvers };
}

/** The run's instance; a problem with arguments is a new one, which is then the run's. */
function phaseInstance(e: Elaboration, { problem }: Head, expr: ast.SolveExpr): ProblemInstance {
  e.entry = e.once();
  if (problem.bound.size === 0) return instanceOf(e, problem, expr.problem.span);
  if (e.run === e.fileRun && e.hasRuns) return instanceOf(e, problem, expr.problem.span);
  const instance = newInstance(e, problem, expr.problem.span, undefined);
  e.run.instances.set(problem.decl, { kind: 'problem', instance });
  e.run.members.set(instance.name, { kind: 'problem', instance });
  return instance;
}

function untilOf(e: Elaboration, expr: ast.Expr, frame: Frame): () => Node {
  return () => {
    const held = e.observe(() => decide(e, expr, frame, 'until'));
    return typeof held === 'boolean' ? e.constant(held ? 1 : 0, 'bool') : held;
  };
}

/** An i32 that begins where the text stands; `persistent`: for the whole run. */
function localCell(e: Elaboration, label: string, value: number, span: Span, persistent = false): CellRef {
  const id = `${e.qualified(label)}${persistent ? '' : `@${e.nextLocal++}`}`;
  const place = { kind: 'state', id, label, group: id, run: e.run.name, persistent, span } as const;
  return cellsFor(e, tensor(e.constant(value, 'i32')), place, span).cells[0];
}

// ---------------------------------------------------------------- statements

/** `solve …` as a statement: a phase between phases, else a loop. */
export function solveStatement(e: Elaboration, stmt: ast.SolveStmt, frame: Frame): void {
  if ((frame.body === 'file' || frame.body === 'trial') && !frame.chosen)
    return void solvePhase(e, stmt.solve, frame, false);
  const head = headOf(e, stmt.solve, frame);
  const instance = phaselessInstance(e, head, stmt.solve, frame);
  const { matched, status, taken } = loop(
    e,
    head,
    instance,
    frame,
    (report) => `${instance.name}.${report}`,
    undefined,
  );
  const { steps } = head;
  const view = viewOf(e, instance, clockAt(e, e.constant(steps, 'i32'), steps));
  innerSolveEnded(e, { problem: instance, matched, view, expr: stmt.solve, steps, status, taken });
}

function phaselessInstance(e: Elaboration, { problem }: Head, expr: ast.SolveExpr, frame: Frame): ProblemInstance {
  if (problem.bound.size === 0) return instanceOf(e, problem, expr.problem.span);
  return newInstance(e, problem, expr.problem.span, { ...frame, path: [...frame.path, siteName(expr)] });
}

/** A solve that was a loop: how it stands (where it may end early), and the steps that it took. */
interface Looped {
  readonly matched: Matched;
  readonly status?: CellRef;
  readonly taken?: CellRef;
}

/** The steps of a solve as a loop of the graph. */
function loop(
  e: Elaboration,
  head: Head,
  instance: ProblemInstance,
  frame: Frame,
  reportName: (name: string) => string | undefined,
  lifetime: Lifetime | undefined,
): Looped {
  const { expr, steps } = head;
  const decl = head.solver.decl as ast.SolverDecl;
  const path = [...frame.path, siteName(expr)];
  const ends = mayEnd(decl) || expr.until !== undefined;
  const status = ends ? localCell(e, `${instance.name}#status`, RUNNING, expr.span) : undefined;
  const taken = ends && !lifetime ? localCell(e, `${instance.name}#taken`, 0, expr.span) : undefined;
  const zero = clockAt(e, e.constant(0, 'i32'), steps);
  const view = viewOf(e, instance, zero);
  checkReads(e, instance, view);
  const matched = match(e, instance, head.solver, view, expr.span);
  prepareMultipliers(e, matched, view, lifetime);
  const reasons = e.run.failures?.reasons ?? [];
  const step = (inner: Frame): void => {
    const clock = clockAt(e, inner.indices[inner.indices.length - 1], steps);
    const solve: Solve = {
      matched,
      frame: { ...inner, indices: frame.indices, clock },
      path,
      span: expr.span,
      clock,
      lifetime: lifetime ?? frame.restart,
      reportName,
      status,
      reasons,
    };
    const until = expr.until && untilOf(e, expr.until, { ...inner, clock });
    solverStep(e, solve, until);
    if (status && taken) countStep(e, status, taken);
  };
  if (steps > 0)
    roll(
      e,
      {
        word: 'solve',
        span: expr.span,
        max: steps,
        condition: status && (() => isRunning(e, status)),
        act: step,
      },
      frame,
    );
  return { matched, status, taken };
}

/** One more step, unless the solve has ended in it. */
function countStep(e: Elaboration, status: CellRef, taken: CellRef): void {
  const one = e.make('cast', [isRunning(e, status)], { dtype: 'i32' });
  e.entry.write(taken, e.make('add', [e.entry.read(taken), one]));
}

function clockAt(e: Elaboration, step: Node, steps: number): Clock {
  const float = (n: Node): Node => e.make('cast', [n], { dtype: 'f32' });
  return {
    step,
    steps: e.constant(steps, 'i32'),
    progress: e.make('div', [float(step), e.constant(Math.max(1, steps))]),
  };
}

// ---------------------------------------------------------------- expressions

/** `solve q(w) by S()` as a value. */
export function solveExpression(e: Elaboration, expr: ast.SolveExpr, frame: Frame): Solution {
  const inner = elementFrame({ ...frame, path: [...frame.path, siteName(expr)] }, frame.indices);
  const head = headOf(e, expr, frame);
  const hint = 'a solve that is a value moves variables of its own';
  noteUnrecorded(e, head.problem.decl.name.text, expr, head.steps);
  const act = (): Solution => {
    const lifetime = beginLifetime(e, inner, expr.span);
    const instance = newInstance(e, head.problem, expr.problem.span, inner);
    const found = e.inBody(inner.scope, () => loop(e, head, instance, inner, () => undefined, lifetime));
    return solutionOf(e, found, instance, expr.span);
  };
  return withoutEffects(e, frame, 'solve', expr.span, hint, act);
}

function solutionOf(e: Elaboration, { matched, status }: Looped, instance: ProblemInstance, span: Span): Solution {
  const fails =
    status && statementsWithin((matched.solver.decl as ast.SolverDecl).body).some((s) => s.kind === 'failWhen');
  const orNone = (node: Node): Node => (fails ? unlessFailed(e, status, node) : node);
  const stop = (value: Value): Value =>
    mapLeaves(e, value, span, (leaf) => tensor(e.make('stop', [orNone(toNode(e, leaf, span))])));
  const variables = allOf(instance.level).flatMap((l) => l.variables);
  // The values that were found, as leaves: what is read of them later names these nodes.
  const found = new Map<string, Value>(variables.map((v) => [v.name, stop(readCells(e, v.cells(), span))]));
  const multipliers = new Map(
    [...instance.multipliers].map(([name, cells]) => [name, stop(readCells(e, cells, span))]),
  );
  const tree: RecordValue = {
    kind: 'record',
    fields: new Map<string, Value>([
      ...found,
      ...(multipliers.size > 0 ? ([['multipliers', { kind: 'record', fields: multipliers }]] as const) : []),
    ]),
  };
  // From here on the cells read as what was found.
  const settle = (cells: readonly CellRef[], value: Value): void => {
    const nodes = leafNodes(e, value, span, 'f32');
    cells.forEach((cell, i) => e.entry.adopt(cell, nodes[i]));
  };
  for (const v of variables) settle(v.cells().cells, found.get(v.name) as Value);
  for (const [name, { cells }] of instance.multipliers) settle(cells, multipliers.get(name) as Value);
  const fields = new Map<string, Value>();
  for (const name of fieldNames(instance))
    if (!found.has(name) && name !== 'multipliers') fields.set(name, stop(fieldOf(e, instance, name, span) as Value));
  const lagrangian = lagrangianOf(e, matched, viewOf(e, instance));
  if (lagrangian) fields.set('lagrangian', tensor(lagrangian));
  return { kind: 'solution', problem: instance.name, found: tree, fields };
}

/** `s.x`, `s.objective`, `s.multipliers.name`, `s.lagrangian`. */
export function solutionMember(e: Elaboration, solution: Solution, name: ast.Name): Value {
  const found = solution.found.fields.get(name.text) ?? solution.fields.get(name.text);
  if (found) return plain(e, found, name.span);
  const known = [...solution.found.fields.keys(), ...solution.fields.keys()];
  fail('OPT312', name.span, `the solution of ${solution.problem} has nothing called '${name.text}'`, {
    hint: `it has ${known.join(', ')}`,
  });
}
