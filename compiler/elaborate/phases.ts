/**
 * Phases: `train` becomes an entry that the schedule runs step by step, `eval` an entry of metrics; statements between phases share one entry that runs
 * once. Cells first used in a phase get their initial values in an entry just before it.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { plain, toDim, toNode } from './convert.ts';
import { trainLoop } from './execution.ts';
import { endByFailures, endingOfPhase, type Failures, recordInnerLedgers, withFailures } from './inner-solves.ts';
import { record, series } from './outputs.ts';
import { type Frame, nested, noLoop, Scope } from './scope.ts';
import { siteName } from '../ast/sites.ts';
import { staticType } from './types.ts';
import { giveArguments } from './arguments.ts';
import { callFn } from './templates.ts';
import { tensor, type Template, type Value } from './values.ts';

export function train(e: Elaboration, stmt: ast.TrainStmt, frame: Frame): void {
  const steps = toDim(e, e.do.expression(e, stmt.steps, frame), stmt.steps.span, 'the number of steps');
  if (steps < 0)
    fail('OPT305', stmt.steps.span, `the number of steps cannot be negative: ${steps}`, {
      hint: 'train 0 { … } is the least',
    });
  const name = siteName(stmt);
  const init = e.newEntry('once', `${name}.init`);
  e.schedule.push({ kind: 'once', name: 'init', run: e.run.name, entry: init.id });
  const entry = e.newEntry('train', name, init);
  const until = stmt.until && e.newEntry('until', `${name}.until`, init);
  const step = e.scalar('step');
  const inner: Frame = {
    ...nested(frame),
    body: 'train',
    path: [...frame.path, name],
    indices: [...frame.indices, step],
    execution: trainLoop(e),
  };
  const evals: { entry: string; times: { at: readonly number[]; every?: number; end: boolean } }[] = [];
  const phase = {
    kind: 'train',
    name,
    run: e.run.name,
    steps,
    entry: entry.id,
    until: until?.id,
    evals,
    span: stmt.span,
  } as const;
  e.run.once = undefined;
  e.run.lastTrain = { phase, entry, evals, frame: inner };
  e.schedule.push(phase);
  const failures: Failures = { reasons: [] };
  withFailures(e, failures, () =>
    e.within(entry, () => {
      const ending = endingOfPhase(e, stmt.body, failures, stmt.span);
      e.do.body(e, stmt.body, ending ? { ...inner, ending } : inner);
    }),
  );
  endByFailures(e, phase, entry, failures);
  if (until && stmt.until)
    e.within(until, () =>
      until.output(
        'until',
        'metric',
        e.observe(() => condition(e, stmt.until as ast.Expr, inner)),
        stmt.until?.span,
      ),
    );
  if (entry.idle && e.errors.length === 0)
    fail('OPT424', stmt.span, 'this train body moves and reports nothing', { hint: 'add an update' });
  recordInnerLedgers(e);
}

function condition(e: Elaboration, expr: ast.Expr, frame: Frame): Node {
  const node = toNode(e, e.do.expression(e, expr, { ...frame, body: 'eval' }), expr.span);
  if (node.type.dtype !== 'bool' || node.type.shape.length > 0)
    fail('OPT318', expr.span, `until takes one condition, not ${e.typeText(node.type)}`, {
      hint: 'compare: until loss < 0.1',
    });
  return node;
}

// ---------------------------------------------------------------- metrics and reports

/** `metric m = e`: one number, recorded under its name. */
export function metric(e: Elaboration, stmt: ast.MetricStmt, frame: Frame): void {
  const member =
    stmt.member && toDim(e, e.do.expression(e, stmt.member, frame), stmt.member.span, 'the index of a member');
  const name = member === undefined ? stmt.name.text : `${stmt.name.text}[${member}]`;
  const value = e.observe(() => e.do.expression(e, stmt.value, frame));
  const node = scalar(e, plain(e, value, stmt.value.span), stmt.value.span, 'a metric');
  series(e, name, 'metric', stmt.name.span);
  record(e, { name, kind: 'metric', value: node, span: stmt.span });
}

/** `report a, b = e`: numbers of every step. */
export function report(e: Elaboration, stmt: ast.ReportStmt, frame: Frame): void {
  for (const item of stmt.items) {
    const expr: ast.Expr = item.value ?? { kind: 'name', name: item.name.text, span: item.name.span };
    const node = scalar(e, plain(e, e.do.expression(e, expr, frame), expr.span), expr.span, 'a report');
    if (frame.ruleReport) {
      frame.ruleReport(item.name.text, node, item.name.span);
      continue;
    }
    series(e, item.name.text, 'report', item.name.span);
    record(e, { name: item.name.text, kind: 'report', value: node, span: item.name.span });
  }
}

function scalar(e: Elaboration, value: Value, span: Span, what: string): Node {
  const node = toNode(e, value, span, 'f32');
  if (node.type.shape.length > 0)
    fail('OPT308', span, `${what} is one number, but this has type ${e.typeText(node.type)}`, {
      hint: 'reduce it: mean(…), sum(…) or max(…)',
    });
  return node;
}

// ---------------------------------------------------------------- exports

/** `export fn f(x: f32[1, 784]) = e`: an entry with inputs, called by a session at any time. */
export function exported(e: Elaboration, stmt: ast.ExportDecl, frame: Frame): void {
  const decl = stmt.fn;
  const template: Template = { kind: 'template', decl, frame, bound: new Map() };
  frame.scope.set(decl.name.text, { kind: 'value', value: template, span: decl.name.span });
  e.run.later.push(() => {
    const init = e.newEntry('once', `${decl.name.text}.init`);
    e.schedule.push({ kind: 'once', name: 'init', run: e.run.name, entry: init.id });
    const entry = e.newEntry('export', decl.name.text, init);
    const name = e.qualified(decl.name.text);
    const build = (): void => {
      const inner: Frame = {
        ...nested(frame),
        body: 'export',
        path: [...frame.path, decl.name.text],
        indices: [],
        execution: noLoop,
      };
      const bound = new Map<string, Value>();
      for (const param of decl.params ?? []) {
        if (!param.type)
          fail('OPT310', param.span, `the parameter ${param.name.text} of an export needs a type`, {
            hint: `write ${param.name.text}: f32[1, 784]`,
          });
        fixedSizes(e, param.type, frame);
        const type = staticType(e, param.type, { ...inner, scope: new Scope(frame.scope) });
        entry.inputs.push({ name: param.name.text, type });
        bound.set(param.name.text, tensor(e.graph.parameter('input', param.name.text, type)));
      }
      const given = giveArguments(e, { ...template, bound }, [], inner);
      const value = decl.params
        ? callFn(e, given, { name: decl.name.text, span: decl.name.span }, inner)
        : e.do.body(e, decl.body, inner);
      if (value === undefined)
        fail('OPT304', decl.span, `the export ${decl.name.text} has no value`, {
          hint: 'end its body with an expression',
        });
      for (const [path, node] of results(e, plain(e, value, decl.span), decl.span))
        entry.output(path, 'result', node, decl.span);
    };
    e.within(entry, () => e.observe(build));
    e.exports.push({ name, entry: entry.id });
  });
}

/** Inputs of an export have sizes known now: a free dim, which a fn may have, is refused. */
function fixedSizes(e: Elaboration, type: ast.TypeExpr, frame: Frame): void {
  const open = type.dims?.find((d) => d.kind === 'star' || (d.kind === 'name' && !frame.scope.find(d.name)));
  if (!open) return;
  const name = open.kind === 'name' ? open.name : '*';
  const sized = e.options.text(type.span).replace(e.options.text(open.span), '1');
  fail('OPT305', open.span, `the inputs of an export have fixed sizes, but ${name} is open`, {
    hint: `write a number: ${sized}${open.kind === 'name' ? `; or declare it before: dim ${name} = 1` : ''}`,
  });
}

function results(e: Elaboration, value: Value, span: Span): [string, Node][] {
  if (value.kind === 'record')
    return [...value.fields].flatMap(([k, v]) =>
      results(e, plain(e, v, span), span).map(([p, n]): [string, Node] => [p === 'result' ? k : `${k}.${p}`, n]),
    );
  if (value.kind === 'tuple')
    return value.items.flatMap((v, i) =>
      results(e, plain(e, v, span), span).map(([p, n]): [string, Node] => [p === 'result' ? `${i}` : `${i}.${p}`, n]),
    );
  if (value.kind === 'tree') return value.leaves.map((l) => [l.path, l.node]);
  return [['result', toNode(e, value, span, 'f32')]];
}
