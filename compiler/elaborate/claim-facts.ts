/**
 * Static facts in claims: what is known of the compiled program before anything runs. `peak_bytes` and `bytes` name the cells and entries that
 * count, whose sizes the memory plan gives; `calls` counts the evaluations of a fn in the graph of a phase.
 */
import type * as ast from '../ast/nodes.ts';
import type { ClaimExpr } from '../bundle/format.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { didYouMean } from '../diagnostics/suggest.ts';
import type { Phase } from '../ir/program.ts';
import { mergeLoops } from '../passes/merge-loops.ts';
import { ownParams } from '../passes/own-params.ts';
import { runPasses } from '../passes/pass.ts';
import { regions } from '../passes/regions.ts';
import type { Span } from '../source/source.ts';
import { callsOf, countedId, UnknownCount } from './call-counts.ts';
import type { Elaboration } from './context.ts';
import { leaves, withAxesInFront } from './convert.ts';
import { reads } from './entry.ts';
import type { Frame } from './scope.ts';
import { cellOf } from './targets.ts';
import { kindText, type CellRef, type Value } from './values.ts';

const FACTS = new Set(['peak_bytes', 'bytes', 'calls']);

export const isFact = (name: string): boolean => FACTS.has(name);

/** A part of a run as written: `a.step`; `run.step` or `step` in a file without runs; without a run, a thing of the file. */
export interface RunPart {
  readonly run: string | undefined;
  readonly part: string;
  readonly span: Span;
}

/** Value of `peak_bytes(…)`, `bytes(…)` or `calls(…)`; `partOf` reads its first argument. */
export function factOf(
  e: Elaboration,
  call: ast.Call,
  frame: Frame,
  partOf: (expr: ast.Expr) => RunPart | undefined,
): ClaimExpr {
  const name = call.callee.kind === 'name' ? call.callee.name : '';
  const [first, second] = call.args;
  const of = e.options.text(first.value.span);
  const part = partOf(first.value);
  if (name === 'bytes') {
    const cells = cellsOf(e, first.value, part, frame);
    return { kind: 'fact', fact: name, of, entries: [], cells: cells.map((c) => c.id) };
  }
  if (name === 'peak_bytes') return { kind: 'fact', fact: name, of, ...measured(e, part, first.value) };
  return { kind: 'number', value: calls(e, part, first.value, second.value, frame) };
}

// ---------------------------------------------------------------- bytes

/** Cells of `a.state` (the state of rules and layers), of a model or its part, or of a cell. */
function cellsOf(e: Elaboration, expr: ast.Expr, part: RunPart | undefined, frame: Frame): readonly CellRef[] {
  if (part?.run !== undefined && part.part === 'state')
    return [...e.cells.values()].filter((c) => c.run === part.run && c.kind === 'state');
  const value = e.do.expression(e, expr, frame);
  const cells = cellsIn(e, value, expr);
  if (!cells || cells.length === 0)
    fail('OPT334', expr.span, `bytes(…) measures cells, not ${kindText(value)}`, {
      hint: 'write bytes(a.state) for a run a, or name a model or a cell of one',
    });
  return cells;
}

function cellsIn(e: Elaboration, value: Value, expr: ast.Expr): readonly CellRef[] | undefined {
  if (value.kind === 'model') return [...value.instance.params.values()];
  if (value.kind === 'part')
    return [...value.instance.params]
      .filter(([path]) => path === value.path || path.startsWith(`${value.path}.`))
      .map(([, cell]) => cell);
  if (value.kind === 'cell') return value.cells;
  if (!['tensor', 'tree', 'record', 'tuple', 'over'].includes(value.kind)) return undefined;
  const found = leaves(e, withAxesInFront(e, value, expr.span), expr.span).map((leaf) =>
    leaf.value.kind === 'tensor' ? cellOf(e, leaf.value.node) : undefined,
  );
  return found.every((c) => c !== undefined) ? found : undefined;
}

/** Entries and cells of `a.step`, `a.eval` or an export: what must be in memory at once. */
function measured(
  e: Elaboration,
  part: RunPart | undefined,
  expr: ast.Expr,
): { readonly entries: readonly string[]; readonly cells: readonly string[] } {
  if (part?.run !== undefined && (part.part === 'step' || part.part === 'eval')) {
    const run = part.run;
    const phases = e.schedule.filter((p) => p.run === run);
    const entries = part.part === 'step' ? phases.flatMap((p) => (p.kind === 'train' ? [p.entry] : [])) : evals(e, run);
    if (entries.length === 0)
      fail('OPT334', part.span, `${run === '' ? 'this file' : `the run ${run}`} has no ${part.part} to measure`, {
        hint: part.part === 'step' ? 'a step is that of a train phase' : 'an eval is one with metrics',
      });
    const cells = [...e.cells.values()].filter((c) => c.run === run || c.run === '');
    return { entries, cells: cells.map((c) => c.id) };
  }
  const found = part && e.exports.find((x) => x.name === (part.run ? `${part.run}/${part.part}` : part.part));
  if (!found) {
    const exports = e.exports.map((x) => x.name.replace('/', '.'));
    fail('OPT334', expr.span, `'${e.options.text(expr.span)}' is nothing that peak_bytes measures`, {
      hint:
        didYouMean(e.options.text(expr.span), [...exports, 'step', 'eval']) ??
        'write peak_bytes(a.step), peak_bytes(a.eval) for a run a, or peak_bytes(predict) for an export',
    });
  }
  const builder = e.entries.find((x) => x.id === found.entry);
  const roots = builder?.outputs.map((o) => o.value) ?? [];
  return { entries: [found.entry], cells: [...reads(roots).cells] };
}

/** Entries of a run in which metrics are computed. */
function evals(e: Elaboration, run: string): string[] {
  const once = e.schedule.filter((p) => p.run === run && p.kind === 'once').map((p) => p.entry);
  const measures = (id: string): boolean =>
    e.entries.some((x) => x.id === id && x.outputs.some((o) => o.kind === 'metric'));
  return [
    ...e.schedule.flatMap((p) => (p.run === run && p.kind === 'train' ? p.evals.map((x) => x.entry) : [])),
    ...once.filter(measures),
  ];
}

// ---------------------------------------------------------------- calls

/** Evaluations of a fn in one phase of a run: those of its step, times its steps. */
function calls(e: Elaboration, part: RunPart | undefined, expr: ast.Expr, fn: ast.Expr, frame: Frame): number {
  const phases = e.schedule.filter(
    (p): p is Extract<Phase, { kind: 'train' }> => p.kind === 'train' && p.run === part?.run,
  );
  const phase = phases.find((p) => p.name === part?.part);
  if (!phase)
    fail('OPT334', expr.span, `'${e.options.text(expr.span)}' is no train phase of a run`, {
      hint: phases.length > 0 ? `its phases are ${phases.map((p) => p.name).join(', ')}` : 'write calls(a.train, f)',
    });
  if (phase.until !== undefined)
    fail('OPT334', expr.span, `how many steps ${e.options.text(expr.span)} takes is not known before it runs`, {
      hint: 'count calls in a phase of a fixed number of steps: train 100 { … }',
    });
  const ids = fnIds(e, fn, frame);
  const entry = e.entries.find((x) => x.id === phase.entry)?.finish();
  const roots = [
    ...(entry?.outputs.flatMap((o) => (o.when ? [o.value, o.when] : [o.value])) ?? []),
    ...(entry?.writes.map((w) => w.value) ?? []),
  ];
  try {
    // a loop and the one that keeps its states for the way back are one when it runs
    return phase.steps * callsOf(runPasses(e.graph, roots, [ownParams, regions, mergeLoops]), ids);
  } catch (reason) {
    if (!(reason instanceof UnknownCount)) throw reason;
    fail('OPT334', fn.span, `how often ${e.options.text(fn.span)} is evaluated is not known before it runs`, {
      labels: reason.node.span ? [{ span: reason.node.span, text: 'decided at run time here' }] : [],
      hint: 'count calls that no condition of the run decides',
    });
  }
}

/** The fns that a name may mean in a phase: that of the file, and those of its trials. */
function fnIds(e: Elaboration, expr: ast.Expr, frame: Frame): ReadonlySet<string> {
  const name = expr.kind === 'name' ? expr.name : undefined;
  const binding = name === undefined ? undefined : frame.scope.find(name);
  const ids = new Set(name === undefined ? [] : (e.countedFns.get(name) ?? []));
  if (binding?.kind === 'named') ids.add(countedId(binding.decl));
  if (binding?.kind === 'value' && binding.value.kind === 'template') ids.add(countedId(binding.value.decl));
  if (ids.size === 0)
    fail('OPT334', expr.span, `'${e.options.text(expr.span)}' is no fn of this file or of one of its trials`, {
      hint: didYouMean(e.options.text(expr.span), e.countedFns.keys()) ?? 'write calls(a.train, loss)',
    });
  return ids;
}
