/**
 * Solvers: one step of a solver on a problem. The names of its header stand for the problem's variables (cells), objectives and residuals (computed anew at each
 * use), `state` lives as long as the run, `stop when` and `fail when` end the solve where they stand. In a solver, variables and states are taken by
 * derivatives as they stand: levels and players take each other so.
 */
import { statementsWithin } from '../ast/bodies.ts';
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { isNonPositive } from '../check/signs.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { bindParameters } from './arguments.ts';
import { seenFrom } from './blame.ts';
import { cellsFor, initialValue } from './cells.ts';
import { choose, chosenFrame } from './choices.ts';
import { type Matched, type Part, residuals } from './classes.ts';
import type { Elaboration } from './context.ts';
import { leafNodes, leaves, mapLeaves, toNode } from './convert.ts';
import { ending, endsIn, STOPPED, stepText } from './endings.ts';
import { solveLoop } from './execution.ts';
import { recordTrace, type Trace } from './ledger.ts';
import type { Lifetime } from './lifetime.ts';
import { record, series } from './outputs.ts';
import { viewOf } from './problem-fields.ts';
import { relationOf } from './problem-text.ts';
import { allOf } from './problems.ts';
import { type Clock, type Frame, nested, Scope } from './scope.ts';
import { staticType } from './types.ts';
import { type CellRef, type CellValue, exact, kindText, tensor, type Value } from './values.ts';

/** A solve: a matched solver, where it stands, and what becomes of what it says. */
export interface Solve {
  readonly matched: Matched;
  /** Where the solve stands; draws and states of the solver are named from here. */
  readonly frame: Frame;
  readonly path: readonly string[];
  readonly span: Span;
  readonly clock: Clock;
  /** How long states live; absent where they last as long as the run. */
  readonly lifetime?: Lifetime;
  /** Name of a report of the solver; undefined where nobody hears it. */
  reportName(name: string): string | undefined;
  /** i32: RUNNING, STOPPED or FAILED + the number of a reason; present where the solve may end early. */
  readonly status?: CellRef;
  /** What is recorded of the problem at each step. */
  readonly trace?: Trace;
  /** Reasons of failure, in the order of their numbers. */
  readonly reasons: string[];
}

/** Whether a solver's body may end the solve itself. */
export const mayEnd = (decl: ast.SolverDecl): boolean => endsIn(decl.body);

export const mayStop = (decl: ast.SolverDecl): boolean =>
  statementsWithin(decl.body).some((s) => s.kind === 'stopWhen');

/** Elaborates one step. `until`: asked first; where it holds, the solve has stopped. */
export function solverStep(e: Elaboration, solve: Solve, until?: (view: Frame) => Node): void {
  const { solver, problem } = solve.matched;
  const decl = solver.decl as ast.SolverDecl;
  const { frame, clock, path } = solve;
  const view = viewOf(e, problem, clock);
  const own = new Set(
    allOf(problem.level).flatMap((l) => l.variables.flatMap((v) => v.cells().cells.map((c) => c.id))),
  );
  const text = stepText(e, solve);
  const inner: Frame = {
    scope: new Scope(solver.frame.scope),
    body: 'solver',
    path: [...path, decl.name.text],
    indices: [...frame.indices, clock.step],
    execution: solveLoop(e, clock.step),
    chosen: frame.chosen,
    restart: solve.lifetime ?? frame.restart,
    depth: frame.depth + 1,
    clock,
    solving: {
      publish: (stmt, value) => publish(e, solve, stmt, value, view),
      moves: (cell) => own.has(cell.id),
      bound: (name, end) => boundOf(solve.matched, name, end),
    },
    ending: { ends: (body) => solve.status !== undefined && endsIn(body), statements: text },
    ruleState: (state, at) => declareState(e, solve, state, at),
    ruleReport: (name, value, span) => {
      const known = solve.reportName(name);
      if (known === undefined) return;
      solverSeries(e, known, span);
      record(e, { name: known, kind: 'report', value, span });
    },
  };
  bindParameters(e, solver, inner.scope, inner, solve.span);
  const used = new Set<string>();
  for (const [name, part] of solve.matched.parts) bindPart(e, inner.scope, name, part, view, decl.name.span, used);
  const before = e.entry.snapshot();
  const act = (): void => {
    if (solve.trace) recordTrace(e, problem, solve.trace, view, 'report');
    reportProblem(e, solve, view);
    seenFrom(solve.span, decl.name.text, () => void e.do.body(e, decl.body, inner));
  };
  if (!until) act();
  else ending(e, solve, inner, until(view), STOPPED, act);
  checkUsed(e, solve, used, before);
}

/** OPT448: what a header names, the body moves or reads; else a constraint, level or player of the problem is left out of account without a word. */
function checkUsed(
  e: Elaboration,
  { matched, span }: Solve,
  used: ReadonlySet<string>,
  before: ReadonlyMap<string, Node>,
): void {
  const { solver, problem, parts } = matched;
  const decl = solver.decl as ast.SolverDecl;
  const written = new Set(e.entry.changedSince(before).map(({ cell }) => cell));
  const given = decl.params.some((p) => p.paramKind === 'objective');
  const say = (name: string, message: string, hint: string): void => {
    const header = [...decl.parts, ...decl.variables.map((v) => v.name)].find((n) => n.text === name);
    e.warn('OPT448', span, message, {
      labels: header ? [{ span: header.span, text: `${name} of ${decl.name.text}` }] : [],
      hint,
    });
  };
  for (const [name, part] of parts) {
    if (part.kind === 'constraints' && part.all.length > 0 && !used.has(name))
      say(name, `${decl.name.text} names the constraints ${name} and never reads them: ${problem.name} is solved without ${part.all.map((o) => o.name).join(', ')}`, 'leave them off the header, so that a problem with constraints is refused; or enforce them'); // prettier-ignore
    // One that is given an objective is told what to descend.
    if (part.kind === 'objective' && !used.has(name) && !given)
      say(name, `${decl.name.text} never reads the objective ${name}: nothing is optimized by it`, `descend ${name}, or take a class without it`); // prettier-ignore
    if (part.kind === 'variables' && !part.cells().cells.some((cell) => written.has(cell)))
      say(name, `${decl.name.text} never moves ${name}: these variables of ${problem.name} keep their first values`, `update ${name} …, or write ${name} <- …`); // prettier-ignore
  }
}

/** Ends of the ranges of whole numbers, by variable; one alone is itself. */
function boundOf({ parts }: Matched, name: string, end: 'lo' | 'hi'): Value | undefined {
  const part = parts.get(name);
  if (part?.kind !== 'variables' || part.variables.some((v) => !v.range)) return undefined;
  const ends = part.variables.map((v) => [v.name, exact((v.range as NonNullable<typeof v.range>)[end], true)] as const);
  return ends.length === 1 ? ends[0][1] : { kind: 'record', fields: new Map(ends) };
}

/** `used` notes what is read. */
function bindPart(
  e: Elaboration,
  scope: Scope,
  name: string,
  part: Part,
  view: Frame,
  span: Span,
  used: Set<string>,
): void {
  switch (part.kind) {
    case 'variables':
      return scope.set(name, { kind: 'value', value: part.cells(), span });
    case 'set':
      return scope.set(name, { kind: 'value', value: part.set, span });
    default:
      return scope.set(name, { kind: 'slot', read: () => (used.add(name), part.read(view)), span });
  }
}

/** A solver's report goes on in the series of another solve of the problem; it has that name in the run otherwise alone. */
function solverSeries(e: Elaboration, name: string, span: Span): void {
  const key = `${e.run.name}/${name}`;
  if (!e.solverSeries.has(key)) series(e, name, 'report', span);
  e.solverSeries.add(key);
  e.run.series.set(name, 'report');
}

/** Reports that stand in the problem's own text. */
function reportProblem(e: Elaboration, solve: Solve, view: Frame): void {
  for (const stmt of solve.matched.problem.level.text.rest) {
    if (stmt.kind !== 'report') continue;
    for (const item of stmt.items) {
      const expr: ast.Expr = item.value ?? { kind: 'name', name: item.name.text, span: item.name.span };
      const value = toNode(e, e.do.expression(e, expr, view), expr.span, 'f32');
      const known = solve.reportName(item.name.text);
      if (known === undefined) continue;
      solverSeries(e, known, item.name.span);
      record(e, { name: known, kind: 'report', value, span: item.name.span });
    }
  }
}

// ---------------------------------------------------------------- state

function declareState(e: Elaboration, solve: Solve, decl: ast.CellDecl, frame: Frame): void {
  if (decl.over) e.notYet('a state over an axis', decl.over.span);
  const { lifetime } = solve;
  const name = decl.name.text;
  const states = lifetime?.states ?? e.states;
  const key = `${e.run.name}|${frame.path.join('/')}|${name}`;
  let cells = states.get(key);
  if (!cells) {
    const make = (): CellValue => {
      const type = decl.type && staticType(e, decl.type, frame);
      const indices = lifetime ? solve.frame.indices : [];
      const value = initialValue(e, decl, type, { ...frame, indices }, [...frame.path, name], indices);
      // A state is a value of the run: numbers written without a point are floats all the same.
      const floats = mapLeaves(e, value, decl.span, (leaf) => tensor(toNode(e, leaf, decl.span, 'f32')));
      const group = e.qualified(`${frame.path.join('.')}#${name}`);
      const place = {
        kind: 'state',
        id: lifetime ? `${group}@${e.nextLocal++}` : group,
        label: `${frame.path[frame.path.length - 1]}.${name}`,
        group,
        run: e.run.name,
        persistent: !lifetime,
        livesWith: lifetime?.cell,
        span: decl.name.span,
      } as const;
      return cellsFor(e, floats, place, decl.span);
    };
    cells = lifetime ? e.begin(make) : e.within(e.entry.init, make);
    states.set(key, cells);
  }
  frame.scope.set(name, { kind: 'value', value: cells, span: decl.name.span });
}

/** `first { … }`: before the first step of the solve. */
export function first(e: Elaboration, stmt: ast.FirstStmt, frame: Frame): void {
  if (!frame.clock || !frame.solving)
    fail('OPT424', stmt.span, "'first' runs once before a solver's first step, and stands in its body", {
      hint: 'put it into the body of a solver',
    });
  const begins = e.graph.at(stmt.span, () => e.make('eq', [frame.clock?.step as Node, e.constant(0, 'i32')]));
  choose(
    e,
    frame,
    begins,
    () => void e.do.body(e, stmt.body, { ...chosenFrame(frame, 'first'), execution: nested(frame).execution }),
    () => undefined,
  );
}

// ---------------------------------------------------------------- multipliers

/** Cells for the multipliers that the solver publishes; made before the first step. */
export function prepareMultipliers(
  e: Elaboration,
  { problem, solver, parts }: Matched,
  view: Frame,
  lifetime?: Lifetime,
): void {
  for (const stmt of statementsWithin((solver.decl as ast.SolverDecl).body)) {
    if (stmt.kind !== 'multipliers') continue;
    const part = parts.get(stmt.constraint.text);
    if (part?.kind !== 'constraints')
      fail('OPT445', stmt.constraint.span, `${stmt.constraint.text} is not a constraint of the solver's header`, {
        hint: `multipliers belong to constraints: ${[...parts].filter(([, p]) => p.kind === 'constraints').map(([n]) => n).join(', ') || 'this solver names none'}`,
      }); // prettier-ignore
    for (const oriented of part.all) {
      if (problem.multipliers.has(oriented.name)) continue;
      const like = residuals(e, [oriented], view);
      const zeros = mapLeaves(e, like, stmt.span, (leaf) => {
        const { shape } = toNode(e, leaf, stmt.span).type;
        return tensor(e.constant(0, 'f32', shape));
      });
      const group = e.qualified(`${problem.name}.multipliers.${oriented.name}`);
      const place = {
        kind: 'state',
        id: lifetime ? `${group}@${e.nextLocal++}` : group,
        label: `${problem.name}.multipliers.${oriented.name}`,
        group,
        run: e.run.name,
        persistent: !lifetime,
        livesWith: lifetime?.cell,
        span: oriented.stmt.span,
      } as const;
      problem.multipliers.set(oriented.name, cellsFor(e, zeros, place, stmt.span));
    }
  }
}

function publish(e: Elaboration, solve: Solve, stmt: ast.MultipliersStmt, value: Value, view: Frame): void {
  const { problem, parts } = solve.matched;
  const part = parts.get(stmt.constraint.text);
  if (part?.kind !== 'constraints') return;
  const like = leaves(e, part.read(view), stmt.span);
  const given = leafNodes(e, value, stmt.value.span, 'f32');
  const cells = part.all.flatMap(({ name }) => problem.multipliers.get(name)?.cells ?? []);
  const wrong =
    given.length !== cells.length ||
    given.some((n, i) => n.type.shape.join() !== toNode(e, like[i].value, stmt.span).type.shape.join());
  if (wrong)
    fail('OPT445', stmt.value.span, `the multipliers are ${kindText(value)}, not shaped like ${stmt.constraint.text}`, {
      labels: part.all.map(({ stmt: s }) => ({ span: s.span, text: 'a constraint' })),
      hint: `give one number for each residual: zeros_like(${stmt.constraint.text}) has the shape`,
    });
  const negative = given.some(isNonPositive) && part.all.some(({ stmt: s }) => relationOf(s).op !== '==');
  if (negative)
    e.warn('OPT445', stmt.value.span, `multipliers of inequalities are never negative, and these are never positive`, {
      labels: part.all.map(({ stmt: s }) => ({ span: s.span, text: 'a constraint' })),
      hint: 'publish them without the minus: reports turn them into the direction in which the constraint is written',
    });
  cells.forEach((cell, i) => e.entry.write(cell, e.make('stop', [given[i]])));
}
