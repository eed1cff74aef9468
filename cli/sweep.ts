/**
 * `saddle run FILE --sweep NAME=V1,V2 --seeds 1..=3`: one run for every combination of the values, each with all the seeds, then a table of what came out.
 * Every combination has a run folder of its own within that of the sweep, so that `saddle runs` and `--resume` know them as any other run.
 */
import { mkdirSync, existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fail } from '../compiler/diagnostics/diagnostic.ts';
import type { OpenDevice } from '../runtime/device/device.ts';
import { deviceChoice, readSettings } from '../runtime/host/settings.ts';
import { show, spread } from '../runtime/report/numbers.ts';
import { checkNames, decimal, nameAndValue, seedList, settings } from './options.ts';
import { exitCodes, worst, type ExitCode } from './outcome.ts';
import { runSpec, type RunOptions, type RunOutcome } from './run.ts';
import { freeFolder } from './run-folder.ts';
import { openSpec, type Opened } from './spec.ts';
import { failed, lastValues } from './summary.ts';
import { tableLines } from './table.ts';
import { note, print, printJson } from './terminal.ts';

export interface SweepOptions extends RunOptions {
  readonly sweep: readonly string[];
  readonly seeds?: string;
}

/** A metric or report over seeds: its last value of each, and what they have in common. `std` is the sample standard deviation. */
interface OverSeeds {
  readonly mean: number;
  readonly std: number;
  readonly min: number;
  readonly max: number;
  readonly values: Readonly<Record<string, number>>;
}

/** One combination of values, as in the document of `--json`. */
interface Point {
  readonly set: Readonly<Record<string, number>>;
  readonly status: 'ok' | 'failed' | 'interrupted';
  readonly metrics: Readonly<Record<string, OverSeeds>>;
  readonly expects?: unknown;
  readonly out?: string;
  readonly error?: unknown;
}

export async function sweepCommand(file: string, options: SweepOptions): Promise<ExitCode> {
  const opened: Opened = new Map();
  let device: OpenDevice | undefined;
  try {
    const points = pointsOf(options);
    const seeds = options.seeds === undefined ? undefined : seedList('--seeds', options.seeds);
    checkNames(new Map(points[0]), new Map(), openSpec(file, opened).settable, '--sweep');
    const folder = sweepFolder(file, options.out);
    device = await openDevice(options);
    const outcomes = await runAll(file, options, { points, seeds, folder, device });
    return conclude(file, options, { points, seeds, folder, outcomes });
  } catch (cause) {
    return failed(cause, file, opened, options);
  } finally {
    device?.close();
  }
}

type Setting = readonly [name: string, value: number];

/** All combinations, the last option varying fastest. Throws OPT803. */
export function pointsOf(options: Pick<SweepOptions, 'sweep' | 'set' | 'resume' | 'seed' | 'seeds'>): Setting[][] {
  if (options.resume !== undefined)
    fail('OPT803', undefined, '--resume goes on with one run, not with a sweep', {
      hint: 'resume the run folder of a single combination, without --sweep and --seeds',
    });
  if (options.seed !== undefined && options.seeds !== undefined)
    fail('OPT803', undefined, '--seed and --seeds exclude each other');
  const taken = new Set(settings(options.set).keys());
  let points: Setting[][] = [[]];
  for (const text of options.sweep) {
    const [name, list] = nameAndValue('--sweep', text);
    if (taken.has(name)) fail('OPT803', undefined, `'${name}' is given twice, by --sweep and by --sweep or --set`);
    taken.add(name);
    const values = list.split(',').map((value) => decimal('--sweep', name, value));
    const again = values.find((v, i) => values.indexOf(v) !== i);
    if (again !== undefined) fail('OPT803', undefined, `--sweep ${name} has the value ${again} twice`);
    points = points.flatMap((point) => values.map((value) => [...point, [name, value] as const]));
  }
  return points;
}

function sweepFolder(file: string, out: string | undefined): string {
  const folder = out ?? freeFolder(path.basename(file).replace(/\.opt$/, ''));
  for (const name of ['sweep.json', 'checkpoint.safetensors'])
    if (existsSync(path.join(folder, name)))
      fail('OPT809', undefined, `'${folder}' already holds ${name}`, { hint: 'choose another folder with --out' });
  return folder;
}

async function openDevice(options: SweepOptions): Promise<OpenDevice | undefined> {
  const choice = options.device === undefined ? readSettings().device : deviceChoice(options.device);
  if (choice === 'reference') return undefined;
  return (await import('../runtime/host/driver.ts')).openDevice(choice);
}

interface Sweep {
  readonly points: readonly (readonly Setting[])[];
  readonly seeds: readonly number[] | undefined;
  readonly folder: string;
}

const labelOf = (point: readonly Setting[]) => point.map(([name, value]) => `${name}=${value}`).join(',');

async function runAll(
  file: string,
  options: SweepOptions,
  { points, seeds, folder, device }: Sweep & { readonly device: OpenDevice | undefined },
): Promise<RunOutcome[]> {
  const outcomes: RunOutcome[] = [];
  for (const [k, point] of points.entries()) {
    const label = labelOf(point);
    if (!options.quiet && label !== '') (options.json ? note : print)(`[${k + 1}/${points.length}] ${label}`);
    const one: RunOptions = {
      ...options,
      set: [...options.set, ...point.map(([name, value]) => `${name}=${value}`)],
      out: path.join(folder, label === '' ? 'run' : label),
      errorsOnly: options.quiet || k > 0, // the warnings of all are those of the first
    };
    const outcome = await runSpec(file, one, 'run', { device, seeds });
    outcomes.push(outcome);
    // A wrong source or call is wrong for all of them.
    const hopeless: ExitCode[] = [exitCodes.interrupted, exitCodes.source, exitCodes.call];
    if (hopeless.includes(outcome.exit)) break;
  }
  return outcomes;
}

function conclude(
  file: string,
  options: SweepOptions,
  { points, seeds, folder, outcomes }: Sweep & { readonly outcomes: readonly RunOutcome[] },
): ExitCode {
  const done = outcomes.map((outcome, i) => describePoint(points[i], outcome, seeds));
  const exit = worst(outcomes.map((o) => o.exit));
  const status = exit === exitCodes.interrupted ? 'interrupted' : exit === exitCodes.ok ? 'ok' : 'failed';
  const device = outcomes.find((o) => o.document.device)?.document.device;
  const document = { status, file, device, seeds, points: done, out: folder };
  if (existsSync(folder)) writeDocument(folder, document);
  if (options.json) printJson(document);
  else if (!options.quiet) for (const line of sweepTable(done)) print(line);
  return exit;
}

function writeDocument(folder: string, document: unknown): void {
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'sweep.json'), `${JSON.stringify(document, null, 2)}\n`);
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    fail('OPT653', undefined, `${path.join(folder, 'sweep.json')} could not be written: ${text}`);
  }
}

function describePoint(
  point: readonly Setting[],
  { document, results }: RunOutcome,
  seeds: readonly number[] | undefined,
): Point {
  const values = new Map<string, Record<string, number>>();
  for (const [seed, result] of results) {
    if (seeds && !seeds.includes(seed)) continue; // one that a claim asked for
    for (const [name, value] of Object.entries(lastValues(result)))
      values.set(name, { ...values.get(name), [seed]: value });
  }
  return {
    set: Object.fromEntries(point),
    status: document.status,
    metrics: Object.fromEntries([...values].map(([name, bySeed]) => [name, overSeeds(bySeed)])),
    expects: document.expects,
    out: document.out,
    error: document.error,
  };
}

function overSeeds(values: Readonly<Record<string, number>>): OverSeeds {
  const list = Object.values(values);
  return { ...spread(list), min: Math.min(...list), max: Math.max(...list), values };
}

/** One row for each combination: its values, then mean and spread of each metric. */
function sweepTable(points: readonly Point[]): string[] {
  const swept = Object.keys(points[0]?.set ?? {});
  const metrics = [...new Set(points.flatMap((p) => Object.keys(p.metrics)))];
  const claims = points.some((p) => Array.isArray(p.expects) && p.expects.length > 0);
  const rows = points.map((p) => [
    ...swept.map((name) => String(p.set[name])),
    ...metrics.map((name) => (p.metrics[name] ? meanText(p.metrics[name]) : '')),
    ...(claims ? [claimsText(p.expects)] : []),
    p.status,
  ]);
  return ['', ...tableLines([...swept, ...metrics, ...(claims ? ['claims'] : []), 'status'], rows)];
}

function meanText({ mean, std, values }: OverSeeds): string {
  return Object.keys(values).length > 1 ? `${show(mean)} ± ${show(Number(std.toPrecision(2)))}` : show(mean);
}

function claimsText(expects: unknown): string {
  if (!Array.isArray(expects)) return 'not decided';
  const held = expects.filter((e: { readonly pass: boolean }) => e.pass).length;
  return `${held}/${expects.length}`;
}
