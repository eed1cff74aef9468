/**
 * Elaboration: a checked module becomes a program. An abstract interpreter evaluates declarations and statements in textual order with static
 * shapes; templates are inlined where they are called, runs one after another, and every phase becomes an entry of the program.
 */
import type * as ast from '../ast/nodes.ts';
import { type Diagnostic, error as diagnostic, fail, type Result, SaddleError } from '../diagnostics/diagnostic.ts';
import { didYouMean } from '../diagnostics/suggest.ts';
import type { Cell, Program } from '../ir/program.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import { readBinding } from './bindings.ts';
import { chunked } from './chunks.ts';
import { declaresRuns } from '../check/names-scope.ts';
import { countedNames, declaredFns } from './call-counts.ts';
import { claim } from './claims.ts';
import { type Constructs, Elaboration, type ElaborateOptions } from './context.ts';
import { expression } from './expressions.ts';
import { initial } from './initializers.ts';
import { checkLoaded } from './weights.ts';
import { importNames, libraryEstimator } from './imports.ts';
import { trialTemplate } from './runs.ts';
import { type Frame, noLoop, Scope } from './scope.ts';
import { parametersBySignature } from './signatures.ts';
import { body, declareTemplates, statement } from './statements.ts';
import type { RunValue } from './values.ts';

export type { ElaborateOptions } from './context.ts';

const constructs: Constructs = {
  expression,
  body,
  statement,
  binding: readBinding,
  trialTemplate,
  importNames,
  libraryEstimator,
  initial,
  parametersBySignature,
};

/** Elaborates the main module. Errors are located; independent ones are reported together. */
export function elaborate(module: ast.Module, options: ElaborateOptions): Result<Program> {
  const e = new Elaboration(options, constructs);
  try {
    const program = elaborateModule(e, module);
    if (!program) return { ok: false, diagnostics: [...e.errors, ...e.diagnostics] };
    return { ok: true, value: program, diagnostics: e.diagnostics };
  } catch (error) {
    if (error instanceof RangeError) return { ok: false, diagnostics: [...e.errors, tooDeep(e)] };
    if (!(error instanceof SaddleError)) throw error;
    return { ok: false, diagnostics: [...e.errors, ...error.diagnostics, ...e.diagnostics] };
  }
}

/** Definitions that lead to themselves by ways that no counter saw exhaust the stack. */
function tooDeep(e: Elaboration): Diagnostic {
  return diagnostic('OPT505', e.statement, 'the definitions used here nest too deeply, or lead to themselves', {
    hint: 'look for a default or an argument that names itself',
  });
}

function elaborateModule(e: Elaboration, module: ast.Module): Program | undefined {
  e.mainFile = module.file;
  e.hasRuns = declaresRuns(module.statements);
  e.countedNames = countedNames(module.statements);
  e.countedFns = declaredFns(module.statements);
  checkSettings(e, module);
  const scope = new Scope();
  const frame: Frame = { scope, body: 'file', path: [], indices: [], execution: noLoop, depth: 0 };
  declareTemplates(module.statements, frame);
  for (const stmt of module.statements) e.do.statement(e, stmt, frame);
  if (!e.hasRuns) e.runs.push({ name: '', mayFail: false });
  for (const job of e.fileRun.later.splice(0)) job();
  checkLoaded(e);
  // Claims and the program itself need every part to be right.
  if (e.errors.length > 0) return undefined;
  for (const { stmt, frame: at, run } of e.expects) {
    e.run = run;
    const value: RunValue = { kind: 'run', name: run.name, members: run.members, series: run.series };
    const made = e.graph.at(stmt.span, () => claim(e, stmt, at, value));
    e.claims.push(made);
    if (stmt.fails) mayFail(e, made.body);
  }
  checkBytes(e);
  return assemble(e);
}

/** All cells and data have their place in memory from the start. Located at the largest of them. */
function checkBytes(e: Elaboration): void {
  const parts = [
    ...[...e.cells.values()].map((c) => ({
      what: `the cell ${c.label}`,
      type: c.type,
      span: c.span,
      each: c.storage ? 2 : 4,
    })),
    ...e.data.flatMap((d) =>
      d.fields.map((f) => ({
        what: `the field ${d.name}.${f.name}`,
        type: f.type,
        span: d.span,
        each: f.storage === 'u8' ? 1 : 4,
      })),
    ),
  ].filter(({ type }) => !type.shape.some((size) => e.witnesses.involved(size)));
  const bytes = (p: (typeof parts)[number]): number => p.each * sizeOf(p.type.shape);
  const total = parts.reduce((sum, p) => sum + bytes(p), 0);
  if (total <= e.limits.bytes) return;
  const largest = parts.reduce((a, b) => (bytes(b) > bytes(a) ? b : a));
  const gigabytes = (n: number): string => `${(n / 2 ** 30).toFixed(1)} GiB`;
  fail('OPT508', largest.span, `the cells and data of this program take ${gigabytes(total)} of memory`, {
    hint: `at most ${gigabytes(e.limits.bytes)}; the largest is ${largest.what}, ${e.typeText(largest.type)}`,
  });
}

/** `expect a fails` implies that a may fail. */
function mayFail(e: Elaboration, body: Program['claims'][number]['body']): void {
  if (body.kind !== 'fails') return;
  const at = e.runs.findIndex((r) => r.name === body.run);
  if (at >= 0) e.runs[at] = { ...e.runs[at], mayFail: true };
}

/** `--set` may name dims and hypers only. */
function checkSettings(e: Elaboration, module: ast.Module): void {
  const names: string[] = [];
  const collect = (statements: readonly ast.Stmt[]): void => {
    for (const s of statements) {
      if (s.kind === 'dim' || s.kind === 'hyper') names.push(s.name.text);
      if (s.kind === 'trial' && s.body) collect(s.body.statements);
    }
  };
  collect(module.statements);
  for (const name of e.options.set.keys()) {
    if (!names.includes(name))
      fail('OPT323', undefined, `nothing called '${name}' can be set`, {
        hint:
          didYouMean(name, names) ??
          (names.length > 0
            ? `dims and hypers of this file are ${names.join(', ')}`
            : 'this file declares no dim and no hyper'),
      });
  }
}

/** The parts as a program; entries that do nothing are left out. */
function assemble(e: Elaboration): Program {
  const idle = new Set(e.entries.filter((entry) => entry.kind === 'once' && entry.idle).map((entry) => entry.id));
  const kept = e.entries.filter((entry) => !idle.has(entry.id));
  const totals: Cell[] = [];
  const entries = kept.flatMap((entry) => {
    const { examples, run } = entry;
    return examples ? chunked(e, entry.finish(), examples, run, (c) => totals.push(c)) : [entry.finish()];
  });
  const written = new Set(entries.flatMap((entry) => entry.writes.map((w) => w.cell)));
  return {
    name: e.options.name,
    hypers: e.hypers,
    data: e.data,
    cells: [
      ...[...e.cells.values()]
        .filter((c) => written.has(c.id))
        .map(({ id, type, storage, kind, run, group, span }) => ({
          id,
          type,
          ...(storage && { storage }),
          kind,
          run,
          group,
          span,
        })),
      ...totals,
    ],
    entries,
    schedule: e.schedule.filter((phase) => phase.kind !== 'once' || !idle.has(phase.entry)),
    runs: e.runs,
    exports: e.exports,
    claims: e.claims,
    ...(e.solves.length > 0 && { solves: e.solves }),
    ...(e.fits.length > 0 && { fits: e.fits }),
    updates: e.updates,
    models: e.models
      .filter((m) => m.params.size > 0)
      .map((m) => ({
        name: m.run === '' ? m.name : `${m.run}.${m.name}`,
        run: m.run,
        cells: [...m.params.values()].map((c) => c.id),
        span: m.span,
        frozen: m.substituted || m.unmovedAllowed || [...m.params.values()].some((c) => e.substituted.has(c.id)),
      })),
  };
}
