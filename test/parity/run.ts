/**
 * Runs the .opt twins by the command line and compares every report of every step and every parameter after the last with what reference.py wrote.
 *
 *   tsx test/parity/run.ts inputs FOLDER                          writes the data and initial parameters
 *   tsx test/parity/run.ts compare FOLDER [CASE [DEVICE]]         runs and compares; exit code 1 where something differs
 *
 * What is compared, and within which limits, is in cases.ts.
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
import { type Case, cases, type DeviceName, limits } from './cases.ts';
import { writeInputs } from './inputs.ts';

type Values = Map<string, readonly number[]>;

const root = fileURLToPath(new URL('../..', import.meta.url));

const [command, folder, onlyCase, onlyDevice] = process.argv.slice(2);
if (command === 'inputs') await writeInputs(folder);
else process.exitCode = await compareAll(folder);

async function compareAll(inputs: string): Promise<number> {
  let passed = 0;
  let failed = 0;
  for (const one of cases) {
    if (onlyCase && onlyCase !== one.name) continue;
    const expected = await readExpected(path.join(inputs, `${one.name}.expected.npz`));
    for (const device of one.devices) {
      if (onlyDevice && onlyDevice !== device) continue;
      const got = await runSaddle(one, device, inputs);
      const worst = got ? compare(expected, got, one, device) : undefined;
      if (worst?.ok) passed++;
      else failed++;
      process.stdout.write(
        `${worst?.ok ? 'ok  ' : 'FAIL'} ${one.name} on ${device}: ${worst?.text ?? 'did not run'}\n`,
      );
    }
  }
  process.stdout.write(`parity: ${passed} passed, ${failed} failed\n`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

/** Runs a spec; undefined where the command failed (its messages are shown). Keys: `RUN/report/NAME`, and `RUN/cell/PATH` with the whole path of the cell. */
async function runSaddle(one: Case, device: DeviceName, inputs: string): Promise<Values | undefined> {
  const out = path.join(inputs, `${one.name}-${device}`);
  const data = Object.entries(one.data).flatMap(([name, file]) => [
    '--data',
    `${name}=${path.join(inputs, `${file}.npz`)}`,
  ]);
  const set = Object.entries(one.set).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
  const call = ['run', one.spec, '--steps', String(one.steps), '--device', device, '--out', out, '--quiet'];
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', 'cli/main.ts', ...call, ...set, ...data], {
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
    // `cell:Net.W1` or `cell:RUN/Net.W1`, or `cell:x` of a variable; a rule's state has a `#` in it.
    const found = /^cell:(?:([^/#]*)\/)?([^/#]+)$/.exec(key);
    if (found) values.set(`${found[1] ?? ''}/cell/${found[2]}`, [...array]);
  }
  return values;
}

/** Reports are compared value by value, cells by the norm of the difference over the norm. */
function compare(
  expected: Values,
  got: Values,
  one: Case,
  device: DeviceName,
): { readonly ok: boolean; readonly text: string } {
  const limit = limits[device];
  const worst = { report: 0, cell: 0 };
  const missing: string[] = [];
  const beyond = new Set<string>();
  for (const [key, want] of expected) {
    const kind = key.includes('/report/') ? 'report' : 'cell';
    const have = valuesOf(got, key);
    if (!have || have.length !== want.length || (kind === 'report' && want.length !== one.steps)) {
      missing.push(key);
      continue;
    }
    const errors = kind === 'report' ? want.map((w, i) => Math.abs(have[i] - w) / Math.abs(w)) : [distance(have, want)];
    const error = Math.max(...errors);
    if (!(error <= limit)) beyond.add(key);
    if (kind === 'report' && device === 'auto' && one.first) {
      const { steps, reports } = one.first;
      if (!(Math.max(...errors.slice(0, steps)) <= reports)) beyond.add(`${key} in the first ${steps} steps`);
    }
    worst[kind] = error > worst[kind] || Number.isNaN(error) ? error : worst[kind];
  }
  if (missing.length > 0 || expected.size === 0) return { ok: false, text: `missing: ${missing.join(', ')}` };
  const figures = `reports ${worst.report.toExponential(1)}, cells ${worst.cell.toExponential(1)} (limit ${limit.toExponential(0)})`;
  const ok = beyond.size === 0;
  return {
    ok,
    text: `${figures}; ${expected.size} series and tensors${ok ? '' : `; beyond: ${[...beyond].join(', ')}`}`,
  };
}

/** A cell is expected under the end of its path, which must be the end of one path alone. */
function valuesOf(got: Values, key: string): readonly number[] | undefined {
  if (got.has(key)) return got.get(key);
  const [prefix, name] = key.split('/cell/');
  const found = [...got.keys()].filter((k) => k.startsWith(`${prefix}/cell/`) && k.endsWith(`.${name}`));
  return found.length === 1 ? got.get(found[0]) : undefined;
}

function distance(have: readonly number[], want: readonly number[]): number {
  return norm(want.map((w, i) => have[i] - w)) / norm(want);
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
