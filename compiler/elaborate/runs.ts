/**
 * Runs: a trial is elaborated once for each run, with cells, models and hypers of its own and the same sites of draws, so that runs are paired. `each`
 * in an argument makes a sweep: members `a[0]`, `a[1]`, one run each.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { argumentOfRun, bindParameters, giveArguments, hasNodes, parametersOf } from './arguments.ts';
import { newRun, type Elaboration, type RunContext } from './context.ts';
import { toDim } from './convert.ts';
import { copyModel, newModel } from './models.ts';
import { type Frame, noLoop, Scope } from './scope.ts';
import { solvePhase } from './solve.ts';
import { kindText, type RunValue, type Template, type Value } from './values.ts';

export function trialRun(e: Elaboration, stmt: ast.RunDecl, frame: Frame): void {
  const member =
    stmt.member && toDim(e, e.do.expression(e, stmt.member, frame), stmt.member.span, 'the index of a run');
  const name = member === undefined ? `${stmt.name.text}${frame.turn ?? ''}` : `${stmt.name.text}[${member}]`;
  const sweep = sweepOf(e, stmt.value, frame);
  if (sweep) {
    const members = new Map<number, Value>();
    sweep.forEach((value, k) => members.set(k, oneRun(e, stmt, `${name}[${k}]`, value, frame)));
    frame.scope.set(stmt.name.text, {
      kind: 'value',
      value: { kind: 'family', name: stmt.name.text, members },
      span: stmt.name.span,
    });
    return;
  }
  const run = oneRun(e, stmt, name, stmt.value, frame);
  if (member === undefined) {
    frame.scope.set(stmt.name.text, { kind: 'value', value: run, span: stmt.name.span });
    return;
  }
  const scope = frame.familyScope ?? frame.scope;
  const known = scope.find(stmt.name.text);
  const family =
    known?.kind === 'family'
      ? known
      : { kind: 'family' as const, name: stmt.name.text, members: new Map(), span: stmt.name.span };
  family.members.set(member, { kind: 'value', value: run, span: stmt.name.span });
  scope.set(stmt.name.text, family);
}

/** The calls that `each` arguments stand for; several `each` go side by side and must be of equal length. */
function sweepOf(e: Elaboration, expr: ast.Expr, frame: Frame): ast.Expr[] | undefined {
  if (expr.kind === 'solveExpr' && expr.solver?.stages.length === 1) {
    const { solver } = expr;
    return sweepOf(e, solver.stages[0], frame)?.map((stage) => ({ ...expr, solver: { ...solver, stages: [stage] } }));
  }
  if (expr.kind !== 'call' || !expr.args.some((a) => a.value.kind === 'each')) return undefined;
  const lists = expr.args.map((a) => {
    if (a.value.kind !== 'each') return undefined;
    return listOf(e, a.value, frame);
  });
  const length = lists.find((l) => l)?.length ?? 0;
  const other = lists.findIndex((l) => l && l.length !== length);
  if (other >= 0)
    fail('OPT313', expr.args[other].span, `the lists of a sweep have ${length} and ${lists[other]?.length} members`, {
      hint: 'give lists of equal length',
    });
  return Array.from({ length }, (_, k) => ({
    ...expr,
    args: expr.args.map((a, i) => ({ ...a, value: lists[i]?.[k] ?? a.value })),
  }));
}

/** What `each` goes through: the elements as written, or the numbers of a list known at compile time (`logspace(-2, 3, 21)`). */
function listOf(e: Elaboration, expr: ast.EachExpr, frame: Frame): readonly ast.Expr[] {
  const { values, span } = expr;
  if (values.kind === 'array') return values.items;
  const value = e.do.expression(e, values, frame);
  if (value.kind === 'exactArray' && value.shape.length === 1)
    return value.values.map((v) => ({ kind: 'number', value: v, integral: value.integral, text: String(v), span }));
  fail('OPT305', span, 'each takes a list', { hint: 'write each [1e-3, 1e-2], or each logspace(-3, 0, 7)' });
}

/** A trial named or called with some of its arguments. */
export function trialTemplate(e: Elaboration, expr: ast.Expr, frame: Frame): Template {
  const callee = expr.kind === 'call' ? expr.callee : expr;
  const value = e.do.expression(e, callee, frame);
  if (value.kind !== 'template' || value.decl.kind !== 'trial')
    fail('OPT304', callee.span, `a run is an instance of a trial, not of ${kindText(value)}`, {
      hint: 'declare trial name(…) { … }',
    });
  return expr.kind === 'call' ? giveArguments(e, value, expr.args, frame) : value;
}

function oneRun(e: Elaboration, stmt: ast.RunDecl, name: string, expr: ast.Expr, frame: Frame): RunValue {
  if (expr.kind === 'solveExpr') return solveRun(e, stmt, name, expr, frame);
  const seedArg = expr.kind === 'call' ? expr.args.find((a) => a.name?.text === 'seed') : undefined;
  const call = seedArg && expr.kind === 'call' ? { ...expr, args: expr.args.filter((a) => a !== seedArg) } : expr;
  const template = trialTemplate(e, call, frame);
  const decl = template.decl as ast.TrialDecl;
  if (!decl.body)
    fail('OPT304', decl.span, `the trial ${decl.name.text} has no body`, { hint: 'write trial name(…) { … }' });
  const takesSeed = seedArg && parametersOf(template).some((p) => p.name.text === 'seed');
  if (takesSeed)
    fail('OPT311', seedArg.span, "'seed' unpairs a run and cannot be a parameter of a trial too", {
      hint: 'rename the parameter',
    });
  const seed = seedArg && toDim(e, e.do.expression(e, seedArg.value, frame), seedArg.span, 'a seed');
  const scope = new Scope(template.frame.scope);
  const trialFrame: Frame = { scope, body: 'trial', path: [], indices: [], execution: noLoop, depth: 0 };
  // Arguments are values of the file, evaluated before the run begins.
  bindParameters(e, template, scope, trialFrame, expr.span);
  const context = newRun(name, e.graph.nextId);
  e.runs.push({ name, mayFail: stmt.mayFail, seed, span: stmt.span });
  inRun(e, context, () => {
    ownArguments(e, template, scope, trialFrame);
    e.do.body(e, decl.body as ast.Body, trialFrame);
  });
  return { kind: 'run', name, members: context.members, series: context.series };
}

/** `run a = solve P by S for N`: a run whose one phase is the solve. */
function solveRun(e: Elaboration, stmt: ast.RunDecl, name: string, expr: ast.SolveExpr, frame: Frame): RunValue {
  const context = newRun(name, e.graph.nextId);
  e.runs.push({ name, mayFail: stmt.mayFail, span: stmt.span });
  const inner: Frame = { ...frame, scope: new Scope(frame.scope), body: 'trial', path: [], indices: [], depth: 0 };
  const problem = inRun(e, context, () => solvePhase(e, expr, inner, true));
  return { kind: 'run', name, problem, members: context.members, series: context.series };
}

/** Elaborates `body` as part of a run; the file goes on in a new entry afterwards. */
export function inRun<T>(e: Elaboration, context: RunContext, body: () => T): T {
  const before = { run: e.run, entry: e.entry };
  const first = e.graph.nextId;
  e.run = context;
  e.entry = e.once();
  try {
    const value = body();
    for (const job of context.later.splice(0)) job();
    return value;
  } finally {
    e.run = before.run;
    e.run.once = undefined;
    e.run.since += e.graph.nextId - first;
    e.entry = before.entry;
  }
}

/**
 * What was given to a trial, as the run's own: a model becomes an instance that starts from the cells given, and a model or variable of the file is
 * one of the run's own already (an untyped parameter is the value that it begins with).
 */
function ownArguments(e: Elaboration, t: Template, scope: Scope, frame: Frame): void {
  for (const param of parametersOf(t)) {
    const name = param.name.text;
    const binding = scope.find(name);
    if (binding?.kind !== 'value') continue;
    if (binding.value.kind === 'thunk' && (param.paramKind === 'model' || param.paramKind === 'value')) {
      const value = argumentOfRun(e, t, param, binding.value, frame);
      scope.set(name, { ...binding, value, home: hasNodes(value) ? e.entry : undefined });
      if (value.kind === 'model') e.run.members.set(name, value);
      continue;
    }
    if (param.paramKind !== 'model' || binding.value.kind !== 'model') continue;
    const source = binding.value.instance;
    const model = newModel(e, name, source.template, param.name.span, { from: source });
    copyModel(e, source, model.instance);
    scope.set(name, { ...binding, value: model });
    e.run.members.set(name, model);
  }
}
