/** The outcome of one spec, as the JSON document of the command line's contract and as text. */
import { isPart, type Bundle } from '../compiler/bundle/format.ts';
import { type Diagnostic, SaddleError } from '../compiler/diagnostics/diagnostic.ts';
import { renderJson } from '../compiler/diagnostics/render.ts';
import type { Sources } from '../compiler/source/source.ts';
import type { DeviceInfo } from '../runtime/backend.ts';
import type { ClaimResult } from '../runtime/report/claims.ts';
import { type Ledger, ledgersOf } from '../runtime/report/ledger.ts';
import type { Results } from '../runtime/session-results.ts';
import type { Executed } from './execute.ts';
import { duration, show } from './progress.ts';
import { exitCodeOf, type ExitCode } from './outcome.ts';
import { type coloursFor, printDiagnostics, printJson } from './terminal.ts';

/** The document of `saddle run --json`, also `summary.json` of the run folder. Absent parts were not reached. */
export interface RunDocument {
  readonly status: 'ok' | 'failed' | 'interrupted';
  readonly file: string;
  readonly device?: DeviceInfo;
  readonly seed?: number;
  readonly steps?: number;
  readonly seconds?: number;
  readonly ms_per_step?: number;
  readonly dispatches_per_step?: number;
  readonly submits_per_step?: number;
  readonly kernels?: number;
  readonly peak_bytes?: number;
  /** Last value of every report and metric, by name; `run.name` where the spec has runs. Of the first seed. */
  readonly metrics?: Readonly<Record<string, number>>;
  /** Ledgers of the solves that are phases: how each ended, and its constraints. Of the first seed. */
  readonly solves?: readonly Ledger[];
  readonly expects?: readonly ClaimResult[];
  /** The run folder. */
  readonly out?: string;
  readonly error?: Record<string, unknown>;
  readonly diagnostics?: readonly Record<string, unknown>[];
}

/** Parts of the document that describe an execution. */
export function describeExecution(bundle: Bundle, executed: Executed, seed: number): Partial<RunDocument> {
  const { steps, seconds, stats } = executed;
  const perStep = (n: number) => (steps > 0 ? round(n / steps) : 0);
  const results = executed.results.get(seed);
  return {
    seed,
    steps,
    seconds: round(seconds),
    ms_per_step: perStep(1000 * seconds),
    dispatches_per_step: perStep(stats.dispatches),
    submits_per_step: perStep(stats.submits),
    kernels: bundle.kernels.length,
    peak_bytes: executed.peakBytes,
    metrics: results ? lastValues(results) : {},
    ...(results && bundle.solves && { solves: ledgersOf(bundle, results) }),
  };
}

function round(value: number): number {
  return Number(value.toPrecision(6));
}

/** Last values by name, qualified by the run where it has a name. */
export function lastValues(results: Results): Record<string, number> {
  const values: [string, number][] = [];
  for (const [run, result] of results.runs)
    for (const [name, series] of result.series)
      if (series.values.length > 0 && !isPart(name))
        values.push([run === '' ? name : `${run}.${name}`, series.values[series.values.length - 1]]);
  return Object.fromEntries(values);
}

/** The error parts of a document: the first error, and all diagnostics. */
export function describeErrors(diagnostics: readonly Diagnostic[], sources: Sources): Partial<RunDocument> {
  const first = diagnostics.find((d) => d.severity === 'error');
  return {
    ...(first ? { error: renderJson(first, sources) } : {}),
    diagnostics: diagnostics.map((d) => renderJson(d, sources)),
  };
}

/** Ends a command on an error of its input: prints it, with `json` as the document too. Anything else is a bug and is thrown on. */
export function failed(
  cause: unknown,
  file: string,
  sources: Sources,
  options: { readonly json?: boolean; readonly quiet?: boolean },
): ExitCode {
  if (!(cause instanceof SaddleError)) throw cause;
  printDiagnostics(cause.diagnostics, sources, options.quiet);
  if (options.json) printJson({ status: 'failed', file, ...describeErrors(cause.diagnostics, sources) });
  return exitCodeOf(cause.diagnostics);
}

type Colours = ReturnType<typeof coloursFor>;

/** Lines on the last values of each run. */
export function resultLines(executed: Executed, seed: number, c: Colours): string[] {
  const results = executed.results.get(seed);
  const rate =
    executed.steps > 0
      ? ` (${show(Number(((1000 * executed.seconds) / executed.steps).toPrecision(3)))} ms a step)`
      : '';
  const lines = [
    `${c.bold(`${executed.steps} steps`)} in ${executed.seconds < 10 ? `${executed.seconds.toFixed(1)} s` : duration(executed.seconds)}${rate}`,
  ];
  for (const [name, run] of results?.runs ?? []) {
    const shown = [...run.series].filter(([n]) => !isPart(n));
    const values = shown.map(([n, series]) => `${n} ${show(series.values[series.values.length - 1])}`);
    const state = run.status.state === 'failed' ? c.red(` failed: ${run.status.reason}`) : '';
    if (values.length > 0 || state !== '')
      lines.push(`  ${name === '' ? '' : `${c.bold(name)}  `}${values.join('  ')}${state}`);
  }
  return lines;
}

/** One line for a claim. */
export function claimLine(claim: ClaimResult, c: Colours): string {
  const mark = claim.pass ? c.green('holds') : c.red('fails');
  return `  ${mark}  ${claim.text}   ${c.dim(claim.value)}`;
}
