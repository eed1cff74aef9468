/**
 * The workloads in Saddle, jax-js and TF.js, all on WebGPU on the same adapter in the same run. Rounds are interleaved (A B C, B C A, …), so that a change of the
 * machine's speed meets all alike; the median over rounds is shown. All contenders get the same numbers and what they compute is compared: a fast contender that
 * computes something else is an error.
 *
 *   npm run bench                                the multilayer perceptron: 7 rounds of 20 steps
 *   npm run bench -- --all                       every workload, with fewer steps
 *   npm run bench -- --workloads cnn,chain --rounds 9 --steps 40 --only saddle,tfjs --json
 *   npm run bench -- --assert                    exit code 1 also where Saddle is not the fastest, or needs more than 20 dispatches or 0.1 submits a step
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { defaultLimitMs, waitWithin } from '../runtime/host/wait.ts';
import { installRuler, type Ruler } from './adapter.ts';
import type { Contender } from './contender.ts';
import { figures, type Row, summary } from './tables.ts';
import { type Given, givenOf, workloads } from './workload.ts';

/** All contenders wait in this way: the thread sleeps between polls of Dawn, since the processor is the GPU on machines without one. */
const waitAsleep = waitWithin(defaultLimitMs);

const peers = fileURLToPath(new URL('peers/', import.meta.url));
/** Steps before the first round. Results are compared there: Adam's first steps divide by the gradient's own size, so rounding grows with every step. */
const WARM_UP = 5;
/** By how much the results of two contenders after the warm-up may differ: the norm of the difference over the norm. */
const TOLERANCE = 1e-3;

/** A contender and what was measured of it. */
interface Entry {
  readonly contender: Contender;
  readonly first: number;
  readonly result: ArrayLike<number>;
  /** Bytes of its buffers between rounds. */
  readonly resident: number;
  readonly times: number[];
  /** Milliseconds that all threads of the process have computed, each step. */
  readonly processor: number[];
  dispatches: number;
  submits: number;
  peak: number;
}

const { values: options } = parseArgs({
  options: {
    all: { type: 'boolean', default: false },
    workloads: { type: 'string', default: 'mlp' },
    rounds: { type: 'string', default: '7' },
    steps: { type: 'string' },
    only: { type: 'string', default: 'saddle,jax-js,tfjs' },
    json: { type: 'boolean', default: false },
    assert: { type: 'boolean', default: false },
  },
});
const rounds = Number(options.rounds);
const systems = options.only.split(',');
const names = options.all ? Object.keys(workloads) : options.workloads.split(',');
const unknown = names.find((name) => !(name in workloads));
if (unknown) throw new Error(`there is no workload ${unknown}; there are ${Object.keys(workloads).join(', ')}`);

if (systems.some((name) => name !== 'saddle')) installPeers();
const ruler = await installRuler();
const adapter = [ruler.adapter.vendor, ruler.adapter.architecture, ruler.adapter.description].filter(Boolean).join(' ');
if (!options.json) process.stdout.write(`adapter: ${adapter}; ${rounds} rounds, interleaved; medians\n`);
const all: Record<string, readonly Row[]> = {};
let agreed = true;
for (const name of names) {
  const steps = Number(options.steps ?? (options.all ? stepsOf(name) : 20));
  const { rows, agree } = await compare(name, steps);
  agreed &&= agree;
  all[name] = rows;
  if (!options.json) process.stdout.write(`\n${figures(name, steps, rows)}`);
}
if (options.json) process.stdout.write(`${JSON.stringify({ adapter, rounds, workloads: all })}\n`);
else if (names.length > 1) process.stdout.write(`\n${summary(all)}`);
process.exitCode = agreed && (!options.assert || asPromised(all)) ? 0 : 1;

/** Where one step of a peer takes most of a second, a round is short. */
function stepsOf(name: string): number {
  return ['cnn', 'transformer', 'matmul1024', 'adam10m'].includes(name) ? 3 : 10;
}

/** `npm ci` in bench/peers, once: the other systems never come with the package. */
function installPeers(): void {
  if (existsSync(`${peers}node_modules`)) return;
  process.stderr.write('installing the systems to compare with (bench/peers), once …\n');
  const { status } = spawnSync('npm', ['ci', '--no-fund', '--no-audit', '--ignore-scripts'], {
    cwd: peers,
    stdio: ['ignore', 2, 2],
  });
  if (status !== 0) throw new Error('npm ci in bench/peers failed; `--only saddle` measures Saddle alone');
}

/** Measures one workload in all systems that express it. */
async function compare(
  name: string,
  steps: number,
): Promise<{ readonly rows: readonly Row[]; readonly agree: boolean }> {
  const given = givenOf(workloads[name]);
  const entries: Entry[] = [];
  for (const system of systems) {
    const entry = await begin(system, name, given, ruler);
    if (entry) entries.push(entry);
  }
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < entries.length; i++) await measure(entries[(round + i) % entries.length], steps, ruler);
  }
  const rows = entries.map((entry) =>
    rowOf(entry, entries[0], entry.contender.name === 'Saddle' ? workloads[name].counts : 1),
  );
  for (const { contender } of entries) await contender.close();
  return { rows, agree: agree(name, rows) };
}

/** Opens a contender, takes its first step and warms it up. */
async function begin(
  system: string,
  name: string,
  given: Given,
  { counts, newAdapter, kept }: Ruler,
): Promise<Entry | undefined> {
  const base = counts.bytes;
  const started = performance.now();
  const workload = workloads[name];
  let contender: Contender | undefined;
  if (system === 'saddle') {
    contender = await (await import('./saddle.ts')).open(workload, given, workload.dims, await newAdapter(), kept);
  } else {
    const url = pathToFileURL(`${peers}${system}.mjs`).href;
    const module = (await import(url)) as { open(...args: unknown[]): Promise<Contender | undefined> };
    contender = await module.open(workload.spec, given, workload.dims);
  }
  if (!contender) return undefined;
  await waitAsleep(contender.run(1));
  const first = performance.now() - started;
  // What Saddle does in one step of its phase takes the others many.
  const warm = !workload.counts ? WARM_UP : system === 'saddle' ? 1 : workload.counts;
  await waitAsleep(contender.run(warm - 1));
  const result = Float64Array.from(await waitAsleep(contender.check()));
  await waitAsleep(contender.run(2));
  const resident = counts.bytes - base;
  return { contender, first, result, resident, times: [], processor: [], dispatches: 0, submits: 0, peak: 0 };
}

/** One round: n steps, timed and counted as a whole. */
async function measure(entry: Entry, n: number, { counts, reset }: Ruler): Promise<void> {
  reset();
  const others = counts.bytes;
  const started = performance.now();
  const before = process.cpuUsage();
  await waitAsleep(entry.contender.run(n));
  const { user, system } = process.cpuUsage(before);
  entry.processor.push((user + system) / 1000 / n);
  entry.times.push((performance.now() - started) / n);
  entry.dispatches = counts.dispatches / n;
  entry.submits = counts.submits / n;
  entry.peak = Math.max(entry.peak, entry.resident + counts.peakBytes - others);
}

function rowOf(entry: Entry, first: Entry, counts = 1): Row {
  return {
    name: entry.contender.name,
    milliseconds: median(entry.times) / counts,
    processorMilliseconds: median(entry.processor) / counts,
    firstMilliseconds: entry.first,
    dispatches: entry.dispatches / counts,
    submits: entry.submits / counts,
    peakBytes: entry.peak,
    apart: distance(entry.result, first.result),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Norm of the difference over the norm; of two lengths, not a number. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return NaN;
  let [difference, size] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    size += b[i] ** 2;
  }
  return Math.sqrt(difference / size);
}

function agree(name: string, rows: readonly Row[]): boolean {
  const off = rows.filter((row) => !(row.apart <= TOLERANCE));
  for (const { name: system, apart } of off)
    process.stderr.write(
      `${name}: ${system} is ${apart.toExponential(1)} away from ${rows[0].name} after the warm-up\n`,
    );
  return off.length === 0;
}

/** What the project promises. */
function asPromised(measured: Readonly<Record<string, readonly Row[]>>): boolean {
  const broken = Object.entries(measured).flatMap(([name, rows]) => {
    const saddle = rows.find((r) => r.name === 'Saddle');
    if (!saddle) return [`${name}: Saddle was not measured`];
    return [
      name === 'mlp' && saddle.dispatches > 20 ? `${name}: ${saddle.dispatches} dispatches a step, not 20` : undefined,
      name === 'mlp' && saddle.submits > 0.1 ? `${name}: ${saddle.submits} submits a step, not 0.1` : undefined,
      ...rows.map((r) => (r.milliseconds < saddle.milliseconds ? `${name}: ${r.name} is faster` : undefined)),
    ].filter((text) => text !== undefined);
  });
  for (const text of broken) process.stderr.write(`promise broken: ${text}\n`);
  return broken.length === 0;
}
