/**
 * The multilayer perceptron 784-256-128-10 with Adam at batch 128, in Saddle, jax-js and TF.js, all on WebGPU on the same adapter in the same run.
 * Rounds are interleaved (A B C, B C A, …), so that a change of the machine's speed meets all alike; the median over rounds is shown. All contenders start
 * from the same parameters on the same batch, and their losses are compared: a fast contender that computes something else is an error.
 *
 *   npm run bench                      all contenders, 7 rounds of 20 steps
 *   npm run bench -- --rounds 9 --steps 40 --only saddle,tfjs --json
 *   npm run bench -- --assert          exit code 1 also where Saddle is not the fastest, or needs more than 20 dispatches or 0.1 submits a step
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { defaultLimitMs, waitWithin } from '../runtime/host/wait.ts';
import { installRuler, type Ruler } from './adapter.ts';
import { type Contender, makeWorkload, type Workload } from './workload.ts';

/** All contenders wait in this way: the thread sleeps between polls of Dawn, since the processor is the GPU on machines without one. */
const waitAsleep = waitWithin(defaultLimitMs);

const peers = fileURLToPath(new URL('peers/', import.meta.url));
/** Steps before the first round. Losses are compared there: Adam's first steps divide by the gradient's own size, so rounding grows with every step. */
const WARM_UP = 5;
/** By how much the losses of two contenders after the warm-up may differ, relatively. */
const LOSS_TOLERANCE = 1e-3;

interface Row {
  readonly name: string;
  readonly milliseconds: number;
  /** The first step from start, kernels being compiled. */
  readonly firstMilliseconds: number;
  readonly dispatches: number;
  readonly submits: number;
  readonly peakBytes: number;
  readonly loss: number;
}

/** A contender and what was measured of it. */
interface Entry {
  readonly contender: Contender;
  readonly first: number;
  readonly loss: number;
  /** Bytes of its buffers between rounds. */
  readonly resident: number;
  readonly times: number[];
  dispatches: number;
  submits: number;
  peak: number;
}

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    steps: { type: 'string', default: '20' },
    only: { type: 'string', default: 'saddle,jax-js,tfjs' },
    json: { type: 'boolean', default: false },
    assert: { type: 'boolean', default: false },
  },
});
const rounds = Number(options.rounds);
const steps = Number(options.steps);
const names = options.only.split(',');

if (names.some((name) => name !== 'saddle')) installPeers();
const ruler = await installRuler();
const workload = makeWorkload();
const entries: Entry[] = [];
for (const name of names) entries.push(await begin(name, workload, ruler));
for (let round = 0; round < rounds; round++) {
  for (let i = 0; i < entries.length; i++) await measure(entries[(round + i) % entries.length], steps, ruler);
}
const rows = entries.map(rowOf);
for (const { contender } of entries) await contender.close();
const adapter = [ruler.adapter.vendor, ruler.adapter.architecture, ruler.adapter.description].filter(Boolean).join(' ');
process.stdout.write(options.json ? `${JSON.stringify({ adapter, rounds, steps, rows })}\n` : table(adapter, rows));
process.exitCode = agree(rows) && (!options.assert || asPromised(rows)) ? 0 : 1;

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

/** Opens a contender, takes its first step and warms it up. */
async function begin(name: string, work: Workload, { counts, newAdapter, kept }: Ruler): Promise<Entry> {
  const base = counts.bytes;
  const started = performance.now();
  let contender: Contender;
  if (name === 'saddle') contender = await (await import('./saddle.ts')).open(work, await newAdapter(), kept);
  else {
    const url = pathToFileURL(`${peers}${name}.mjs`).href;
    const module = (await import(url)) as { open(work: Workload): Promise<Contender> };
    contender = await module.open(work);
  }
  await waitAsleep(contender.run(1));
  const first = performance.now() - started;
  await waitAsleep(contender.run(WARM_UP - 1));
  const loss = await waitAsleep(contender.loss());
  return { contender, first, loss, resident: counts.bytes - base, times: [], dispatches: 0, submits: 0, peak: 0 };
}

/** One round: n steps, timed and counted as a whole. */
async function measure(entry: Entry, n: number, { counts, reset }: Ruler): Promise<void> {
  reset();
  const others = counts.bytes;
  const started = performance.now();
  await waitAsleep(entry.contender.run(n));
  entry.times.push((performance.now() - started) / n);
  entry.dispatches = counts.dispatches / n;
  entry.submits = counts.submits / n;
  entry.peak = Math.max(entry.peak, entry.resident + counts.peakBytes - others);
}

function rowOf(entry: Entry): Row {
  return {
    name: entry.contender.name,
    milliseconds: median(entry.times),
    firstMilliseconds: entry.first,
    dispatches: entry.dispatches,
    submits: entry.submits,
    peakBytes: entry.peak,
    loss: entry.loss,
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function agree(all: readonly Row[]): boolean {
  const [a, ...rest] = all;
  const off = rest.filter((b) => !(Math.abs(a.loss - b.loss) <= LOSS_TOLERANCE * Math.max(Math.abs(a.loss), 1e-2)));
  for (const b of off)
    process.stderr.write(`${b.name} is at the loss ${b.loss} after the warm-up, ${a.name} at ${a.loss}\n`);
  return off.length === 0;
}

/** What the project promises of this workload. */
function asPromised(all: readonly Row[]): boolean {
  const saddle = all.find((r) => r.name === 'Saddle');
  const broken = [
    saddle ? undefined : 'Saddle was not measured',
    saddle && saddle.dispatches > 20 ? `${saddle.dispatches} dispatches a step, not 20` : undefined,
    saddle && saddle.submits > 0.1 ? `${saddle.submits} submits a step, not 0.1` : undefined,
    ...all.map((r) => (saddle && r.milliseconds < saddle.milliseconds ? `${r.name} is faster` : undefined)),
  ].filter((text) => text !== undefined);
  for (const text of broken) process.stderr.write(`promise broken: ${text}\n`);
  return broken.length === 0;
}

function table(adapter: string, all: readonly Row[]): string {
  const lines = [
    `adapter: ${adapter}; ${rounds} rounds of ${steps} steps, interleaved; medians`,
    '',
    '| system | ms per step | times the first | first step, ms | dispatches | submits | peak MB | loss at step 5 |',
    '|---|---|---|---|---|---|---|---|',
    ...all.map((r) =>
      [
        '',
        r.name,
        r.milliseconds.toFixed(2),
        `${(r.milliseconds / all[0].milliseconds).toFixed(2)}x`,
        r.firstMilliseconds.toFixed(0),
        r.dispatches.toFixed(1),
        r.submits.toFixed(2),
        (r.peakBytes / 2 ** 20).toFixed(1),
        r.loss.toExponential(4),
        '',
      ]
        .join(' | ')
        .trim(),
    ),
  ];
  return `${lines.join('\n')}\n`;
}
