/** The loop behind `saddle run`: seeds, run folder, interrupt, checkpoint, resume. */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { execute, type Execution } from '../../../cli/execute.ts';
import { Interrupts } from '../../../cli/interrupts.ts';
import { folderToResume, RunFolder } from '../../../cli/run-folder.ts';
import { nodeDataHost } from '../../../runtime/data/node-files.ts';
import { inFolder, refusalOf } from '../data/refused.ts';
import { countingBackend, countingBundle } from './counting.ts';

interface Options {
  readonly seeds?: readonly number[];
  readonly resume?: boolean;
  readonly interruptAt?: (entry: string, step: number) => boolean;
  readonly failAt?: number;
  readonly steps?: number;
}

async function runIn(folder: RunFolder | undefined, options: Options = {}) {
  const interrupts = new Interrupts();
  const seeds = options.seeds ?? [1];
  let sent = false;
  const backend = countingBackend((entry, step) => {
    if (!sent && options.interruptAt?.(entry, step)) {
      sent = true;
      process.emit('SIGINT');
    }
  }, options.failAt);
  const execution: Execution = {
    bundle: countingBundle(options.steps),
    on: { backend },
    host: nodeDataHost({ specFolder: '.' }),
    overrides: new Map(),
    seeds,
    steps: undefined,
    folder,
    resume: options.resume ?? false,
    interrupts,
    onStart: () => {},
    onReport: (report, seed) =>
      folder?.record(report, { runs: true, phases: false, seed: seeds.length > 1 ? seed : undefined }),
  };
  try {
    return await execute(execution);
  } finally {
    interrupts.dispose();
    folder?.close();
  }
}
const log = (folder: string) => readFileSync(path.join(folder, 'log.jsonl'), 'utf8');
const series = (executed: Awaited<ReturnType<typeof runIn>>, seed: number, run: string) =>
  Array.from(executed.results.get(seed)!.runs.get(run)!.series.get('w')!.values);

it('writes one line per step and eval, in order', () =>
  inFolder(async (folder) => {
    const executed = await runIn(RunFolder.create(path.join(folder, 'out'), 'x'));
    expect(executed).toMatchObject({ interrupted: false, steps: 20, failure: undefined });
    const lines = log(path.join(folder, 'out'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const of = (run: string) => lines.filter((line) => line.run === run);
    for (const run of ['a', 'b']) {
      expect(
        of(run)
          .filter((line) => 'w' in line)
          .map((line) => line.step),
      ).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      expect(
        of(run)
          .filter((line) => 'half' in line)
          .map((line) => line.step),
      ).toEqual([0, 4, 8, 10]);
    }
    expect(lines[0]).toEqual({ step: 0, run: 'a', half: 0 });
  }));

describe('interrupt and resume', () => {
  const points: [string, (entry: string, step: number) => boolean][] = [
    ['in the first run', (e, s) => e === 'a/step' && s === 5],
    ['at its first step', (e, s) => e === 'a/step' && s === 0],
    ['in the second run', (e, s) => e === 'b/step' && s === 2],
    ['at an eval', (e, s) => e === 'a/eval' && s === 8],
    ['near the end', (e, s) => e === 'b/step' && s === 8],
  ];
  it.each(points)('%s: the log and the results are those of a run that was not interrupted', (_name, interruptAt) =>
    inFolder(async (folder) => {
      const whole = await runIn(RunFolder.create(path.join(folder, 'whole'), 'x'));
      const part = path.join(folder, 'part');
      const first = await runIn(RunFolder.create(part, 'x'), { interruptAt });
      expect(first.interrupted).toBe(true);
      expect(existsSync(path.join(part, 'checkpoint.safetensors'))).toBe(true);
      // A killed process leaves lines behind that no checkpoint knows of.
      appendFileSync(path.join(part, 'log.jsonl'), '{"step":99,"run":"a","w":0}\n');
      const second = await runIn(RunFolder.reopen(folderToResume(part, undefined, 'x')), { resume: true });
      expect(second.interrupted).toBe(false);
      for (const run of ['a', 'b']) expect(series(second, 1, run)).toEqual(series(whole, 1, run));
      expect(log(part)).toBe(log(path.join(folder, 'whole')));
      expect(first.steps + second.steps).toBe(20);
    }),
  );
  it('with the last step: the run is over, not interrupted', () =>
    inFolder(async (folder) => {
      const out = path.join(folder, 'out');
      const executed = await runIn(RunFolder.create(out, 'x'), { interruptAt: (e, s) => e === 'b/eval' && s === 10 });
      expect(executed).toMatchObject({ interrupted: false, steps: 20 });
    }));
  it('over several seeds: finished seeds are not run again', () =>
    inFolder(async (folder) => {
      const seeds = [3, 1, 2];
      const whole = await runIn(RunFolder.create(path.join(folder, 'whole'), 'x'), { seeds });
      const part = path.join(folder, 'part');
      let submissions = 0;
      const first = await runIn(RunFolder.create(part, 'x'), {
        seeds,
        interruptAt: (e, s) => e === 'b/step' && s === 4 && ++submissions === 2,
      });
      expect([...first.results.keys()]).toEqual([3, 1]);
      expect(existsSync(path.join(part, 'checkpoint-seed-1.safetensors'))).toBe(true);
      const second = await runIn(RunFolder.reopen(part), { seeds, resume: true });
      expect(second.steps).toBeLessThan(30);
      for (const seed of seeds) expect(series(second, seed, 'b')).toEqual(series(whole, seed, 'b'));
      expect(log(part)).toBe(log(path.join(folder, 'whole')));
      expect(series(whole, 3, 'a')).not.toEqual(series(whole, 1, 'a'));
    }));
});

it('a value that is not finite ends the run; no checkpoint holds it', () =>
  inFolder(async (folder) => {
    const out = path.join(folder, 'out');
    const executed = await runIn(RunFolder.create(out, 'x'), { failAt: 6 });
    expect(executed.failure?.diagnostics[0].code).toBe('OPT709');
    expect(existsSync(path.join(out, 'checkpoint.safetensors'))).toBe(false);
    expect(log(out)).toContain('"step":5');
  }));

describe('run folders', () => {
  it('a folder without a checkpoint is begun anew', () =>
    inFolder(async (folder) => {
      const out = path.join(folder, 'out');
      RunFolder.create(out, 'x').close();
      appendFileSync(path.join(out, 'log.jsonl'), '{"step":0}\n');
      const again = RunFolder.create(out, 'x');
      again.close();
      expect(log(out)).toBe('');
    }));
  it('are numbered, and never shared', () =>
    inFolder(async (folder) => {
      const before = process.cwd();
      process.chdir(folder);
      try {
        const first = RunFolder.create(undefined, 'a.b');
        first.close();
        expect(first.path).toBe(path.join('runs', 'a.b-1'));
        const second = RunFolder.create(undefined, 'a.b');
        second.close();
        expect(second.path).toBe(path.join('runs', 'a.b-2'));
        writeFileSync('runs/a.b-1/checkpoint.safetensors', '');
        expect((await refusalOf((async () => RunFolder.create('runs/a.b-1', 'a.b'))())).code).toBe('OPT809');
        expect((await refusalOf((async () => folderToResume(undefined, undefined, 'a.b'))())).code).toBe('OPT808');
        expect(folderToResume('runs/a.b-1', undefined, 'a.b')).toBe('runs/a.b-1');
        expect((await refusalOf((async () => folderToResume(undefined, undefined, 'none'))())).code).toBe('OPT808');
        expect((await refusalOf((async () => folderToResume('nowhere', undefined, 'a'))())).code).toBe('OPT808');
      } finally {
        process.chdir(before);
      }
    }));
});
