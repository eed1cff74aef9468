/**
 * Runs the .opt twins by the command line and compares every report of every step and every parameter after the last with what reference.py wrote.
 *
 *   tsx test/parity/run.ts inputs FOLDER                          writes the data and initial parameters
 *   tsx test/parity/run.ts compare FOLDER [CASE [DEVICE]]         runs and compares; exit code 1 where something differs
 *
 * Two devices: the adapter in float32, whose trajectory may stray by 1e-4 in 20 steps, and the float64 interpreter, which computes what JAX does
 * and may differ by rounding alone.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeDataHost } from '../../runtime/data/node-files.ts';
import { openNpz } from '../../runtime/data/npz.ts';
import { openSafetensors } from '../../runtime/data/safetensors.ts';
import type { ByteSource } from '../../runtime/data/files.ts';
import type { RawTable } from '../../runtime/data/table.ts';
import { STEPS, writeInputs } from './inputs.ts';

type Values = Map<string, readonly number[]>;

interface Device {
  readonly name: string;
  readonly reports: number;
  readonly cells: number;
}

/** Cases with the name of the data declaration that takes CASE.npz. */
const cases = new Map([
  ['digits', 'train'],
  ['dann', 'pair'],
  ['rules', 'train'],
  ['optax', 'train'],
]);
const devices: readonly Device[] = [
  { name: 'reference', reports: 1e-9, cells: 1e-9 },
  { name: 'auto', reports: 1e-4, cells: 1e-4 },
];

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../..');

const [command, folder, onlyCase, onlyDevice] = process.argv.slice(2);
if (command === 'inputs') await writeInputs(folder);
else process.exitCode = await compareAll(folder);

async function compareAll(inputs: string): Promise<number> {
  let passed = 0;
  let failed = 0;
  for (const [name, declaration] of cases) {
    if (onlyCase && onlyCase !== name) continue;
    const expected = await readExpected(path.join(inputs, `${name}.expected.npz`));
    for (const device of devices) {
      if (onlyDevice && onlyDevice !== device.name) continue;
      const got = await runSaddle(name, declaration, device.name, inputs);
      const worst = got ? compare(expected, got, device) : undefined;
      if (worst?.ok) passed++;
      else failed++;
      process.stdout.write(
        `${worst?.ok ? 'ok  ' : 'FAIL'} ${name} on ${device.name}: ${worst?.text ?? 'did not run'}\n`,
      );
    }
  }
  process.stdout.write(`parity: ${passed} passed, ${failed} failed\n`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

/** Runs a twin; undefined where the command failed (its messages are shown). Keys are as in the expected file: `RUN/report/NAME`, `RUN/cell/NAME`. */
async function runSaddle(
  name: string,
  declaration: string,
  device: string,
  inputs: string,
): Promise<Values | undefined> {
  const out = path.join(inputs, `${name}-${device}`);
  const given = [`init=${path.join(inputs, `init-${name}.npz`)}`, `${declaration}=${path.join(inputs, `${name}.npz`)}`];
  const call = ['run', path.join(here, `${name}.opt`), '--device', device, '--out', out, '--quiet'];
  const data = given.flatMap((d) => ['--data', d]);
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', 'cli/main.ts', ...call, ...data], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) return undefined;
  const values: Map<string, number[]> = new Map();
  for (const line of readFileSync(path.join(out, 'log.jsonl'), 'utf8').trim().split('\n')) {
    const {
      step,
      run = '',
      phase: _,
      ...reports
    } = JSON.parse(line) as Record<string, number> & { run?: string; phase?: string };
    for (const [report, value] of Object.entries(reports)) {
      const series = values.get(`${run}/report/${report}`) ?? [];
      series[step] = value as number;
      values.set(`${run}/report/${report}`, series);
    }
  }
  const checkpoint = await withFile(path.join(out, 'checkpoint.safetensors'), openSafetensors, readAll);
  for (const [key, array] of checkpoint) {
    // `cell:Net.W1` or `cell:RUN/Net.W1`; a rule's state has a `#` in it.
    const found = /^cell:(?:([^/#]*)\/)?[^/#]*\.([^.#]+)$/.exec(key);
    if (found) values.set(`${found[1] ?? ''}/cell/${found[2]}`, [...array]);
  }
  return values;
}

/** Reports are compared value by value, parameters by the norm of the difference over the norm. */
function compare(expected: Values, got: Values, device: Device): { readonly ok: boolean; readonly text: string } {
  const worst = { report: 0, cell: 0 };
  const missing: string[] = [];
  const beyond = new Set<string>();
  for (const [key, want] of expected) {
    const kind = key.includes('/report/') ? 'report' : 'cell';
    const have = got.get(key);
    if (!have || have.length !== want.length || (kind === 'report' && want.length !== STEPS)) {
      missing.push(key);
      continue;
    }
    const error =
      kind === 'report'
        ? Math.max(...want.map((w, i) => Math.abs(have[i] - w) / Math.abs(w)))
        : norm(want.map((w, i) => have[i] - w)) / norm(want);
    if (!(error <= (kind === 'report' ? device.reports : device.cells))) beyond.add(key);
    worst[kind] = error > worst[kind] || Number.isNaN(error) ? error : worst[kind];
  }
  if (missing.length > 0 || expected.size === 0) return { ok: false, text: `missing: ${missing.join(', ')}` };
  const ok = worst.report <= device.reports && worst.cell <= device.cells;
  const figure = (error: number, limit: number) => `${error.toExponential(1)} (limit ${limit.toExponential(0)})`;
  return {
    ok,
    text: `reports ${figure(worst.report, device.reports)}, parameters ${figure(worst.cell, device.cells)}; ${expected.size} series and tensors${ok ? '' : `; beyond: ${[...beyond].join(', ')}`}`,
  };
}

function norm(v: readonly number[]): number {
  return Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));
}

async function readExpected(file: string): Promise<Values> {
  return new Map([...(await withFile(file, openNpz, readAll))].map(([key, values]) => [key, [...values]]));
}

async function readAll(table: RawTable): Promise<Map<string, ArrayLike<number> & Iterable<number>>> {
  const all = new Map<string, ArrayLike<number> & Iterable<number>>();
  for (const array of table.arrays) all.set(array.name, await array.read(0, array.shape[0] ?? 1));
  return all;
}

async function withFile<T>(
  file: string,
  open: (bytes: ByteSource) => Promise<RawTable>,
  use: (table: RawTable) => Promise<T>,
): Promise<T> {
  const bytes = await nodeDataHost({ specFolder: path.dirname(file) }).open(file, true);
  if (!bytes) throw new Error(`there is no ${file}`);
  try {
    return await use(await open(bytes));
  } finally {
    await bytes.close();
  }
}
