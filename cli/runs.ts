/** `saddle runs [DIR…]`: run folders side by side: the settings in which they differ, their last metrics and reports, and their claims. Reads only. */
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fail } from '../compiler/diagnostics/diagnostic.ts';
import { didYouMean } from '../compiler/diagnostics/suggest.ts';
import { show } from '../runtime/report/numbers.ts';
import { exitCodes, type ExitCode } from './outcome.ts';
import { tableLines } from './table.ts';
import { print, printJson, shown } from './terminal.ts';

export interface RunsOptions {
  readonly metrics?: string;
  readonly json?: boolean;
}

/** A run as its folder tells it. `status` is 'unfinished' where it goes on, or was killed. */
interface RunSummary {
  readonly folder: string;
  readonly file: string;
  readonly status: string;
  /** Everything that the call set: --set by name, and steps, seed, data. */
  readonly settings: Readonly<Record<string, string | number>>;
  readonly metrics: Readonly<Record<string, number>>;
  /** Claims that hold, of how many; absent where they were not decided. */
  readonly claims?: { readonly hold: number; readonly of: number };
  readonly steps?: number;
  readonly seconds?: number;
  readonly device?: string;
}

/** Folders are searched so deep: runs/, a sweep in it, its runs. */
const DEPTH = 3;

export function runsCommand(args: readonly string[], options: RunsOptions): ExitCode {
  const folders = (args.length === 0 ? ['runs'] : args).flatMap((arg) => runFolders(arg));
  const runs = [...new Set(folders)].map(readRun);
  const differ = differing(runs);
  const metrics = chosenMetrics(runs, options.metrics);
  if (options.json) printJson({ runs, differ });
  else for (const line of runsTable(runs, differ, metrics)) print(line);
  return exitCodes.ok;
}

const isRun = (folder: string) => ['summary.json', 'call.json'].some((name) => existsSync(path.join(folder, name)));

/** The run folders in or below one. Throws OPT804, OPT810. */
function runFolders(arg: string): string[] {
  if (!statSync(arg, { throwIfNoEntry: false })?.isDirectory())
    return arg === 'runs'
      ? fail('OPT810', undefined, 'there is no folder runs/ here', { hint: '`saddle run FILE` makes one' })
      : fail('OPT804', undefined, `there is no folder '${arg}'`);
  const found = search(arg, DEPTH);
  if (found.length === 0)
    fail('OPT810', undefined, `'${arg}' holds no run`, { hint: 'a run folder has a call.json and a summary.json' });
  return found;
}

function search(folder: string, depth: number): string[] {
  if (isRun(folder)) return [folder];
  if (depth === 0) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
    .flatMap((entry) => search(path.join(folder, entry.name), depth - 1));
}

function readRun(folder: string): RunSummary {
  const call = readJson(path.join(folder, 'call.json'));
  const summary = readJson(path.join(folder, 'summary.json'));
  const expects = Array.isArray(summary.expects) ? summary.expects.filter(isRecord) : undefined;
  return {
    folder,
    file: text(summary.file) ?? text(call.file) ?? '',
    status: text(summary.status) ?? 'unfinished',
    settings: settingsOf(call),
    metrics: numbers(summary.metrics),
    claims: expects && { hold: expects.filter((e) => e.pass === true).length, of: expects.length },
    steps: number(summary.steps),
    seconds: number(summary.seconds),
    device: isRecord(summary.device) ? text(summary.device.name) : undefined,
  };
}

/** A file that is missing, or is none of ours, says nothing. */
function readJson(file: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
const number = (value: unknown) => (typeof value === 'number' ? value : undefined);

function numbers(value: unknown): Record<string, number> {
  if (!isRecord(value)) return {};
  return Object.fromEntries(Object.entries(value).flatMap(([k, v]) => (typeof v === 'number' ? [[k, v]] : [])));
}

function settingsOf(call: Record<string, unknown>): Record<string, string | number> {
  const settings: Record<string, string | number> = numbers(call.set);
  for (const name of ['steps', 'seed']) {
    const value = number(call[name]);
    if (value !== undefined) settings[`--${name}`] = value;
  }
  if (Array.isArray(call.seeds)) settings['--seeds'] = call.seeds.join(',');
  if (isRecord(call.data))
    for (const [name, value] of Object.entries(call.data)) settings[`data ${name}`] = String(value);
  return settings;
}

/** Settings that are not the same in all runs, in the order in which they first come; a spec's own value counts as one. */
function differing(runs: readonly RunSummary[]): string[] {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run.settings)))];
  return names.filter((name) => new Set(runs.map((run) => run.settings[name])).size > 1);
}

/** Metrics to show: those asked for, else all. Throws OPT803 for one that no run has. */
function chosenMetrics(runs: readonly RunSummary[], asked: string | undefined): string[] {
  const known = [...new Set(runs.flatMap((run) => Object.keys(run.metrics)))];
  if (asked === undefined) return known;
  const wanted = asked.split(',').map((name) => name.trim());
  for (const name of wanted)
    if (!known.includes(name))
      fail('OPT803', undefined, `--metrics: no run has '${name}'`, {
        hint: didYouMean(name, known) ?? `there are ${known.join(', ') || 'none'}`,
      });
  return wanted;
}

function runsTable(runs: readonly RunSummary[], differ: readonly string[], metrics: readonly string[]): string[] {
  const files = new Set(runs.map((run) => run.file)).size > 1;
  const rows = runs.map((run) => [
    shown(run.folder),
    ...(files ? [shown(run.file)] : []),
    ...differ.map((name) => shown(String(run.settings[name] ?? ''))),
    ...metrics.map((name) => (name in run.metrics ? show(run.metrics[name]) : '')),
    run.claims ? `${run.claims.hold}/${run.claims.of}` : '',
    shown(run.status),
  ]);
  const head = ['run', ...(files ? ['spec'] : []), ...differ, ...metrics, 'claims', 'status'].map(shown);
  return tableLines(head, rows);
}
