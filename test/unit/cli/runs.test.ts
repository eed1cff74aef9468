/** Several runs of one spec: --sweep and --seeds, `saddle runs`, --watch. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { seedList } from '../../../cli/options.ts';
import { pointsOf } from '../../../cli/sweep.ts';
import { tableLines } from '../../../cli/table.ts';
import { filesOf, withFolder } from '../../../cli/watch.ts';
import type { Diagnostic } from '../../../compiler/diagnostics/diagnostic.ts';
import { inFolder, refusalOf } from '../data/refused.ts';
import { saddle, start } from './saddle.ts';

/** x <- x - lr * (x - target), target drawn once per seed: x after n steps is target * (1 - (1 - lr)^n). */
const spec = `
dim n = 3
hyper lr = 0.5
sample target ~ uniform(1, 2) f32
var x: f32 = 0
train 4 {
  x <- x - lr * (x - target)
  report gap = abs(x - target) / target
}
metric left = abs(x - target) / target
metric size = f32(n)
expect left < 0.1
`;
const refused = (act: () => unknown): Promise<Diagnostic> => refusalOf((async () => act())());
const device = ['--device', 'reference'];
const inProject = <T>(use: (folder: string) => Promise<T>) =>
  inFolder((folder) => {
    writeFileSync(path.join(folder, 'walk.opt'), spec);
    return use(folder);
  });

interface SweepDocument {
  status: string;
  seeds: number[];
  points: {
    set: Record<string, number>;
    status: string;
    metrics: Record<string, { mean: number; std: number; min: number; max: number; values: Record<string, number> }>;
    expects: { pass: boolean }[];
    out: string;
  }[];
  out: string;
}

describe('--sweep and --seeds', () => {
  it('run every combination with every seed, and show mean and spread', () =>
    inProject(async (folder) => {
      const call = ['run', 'walk.opt', '--sweep', 'lr=0.5,0.25', '--sweep', 'n=2,5', '--seeds', '4..=5', ...device];
      const { code, stdout } = await saddle([...call, '--json', '--out', 'grid'], folder);
      expect(code).toBe(4); // with lr 0.25 a share of 0.75^4 is left
      const document = JSON.parse(stdout) as SweepDocument;
      expect(document).toMatchObject({ status: 'failed', seeds: [4, 5], out: 'grid' });
      expect(document.points.map((p) => p.set)).toEqual([
        { lr: 0.5, n: 2 },
        { lr: 0.5, n: 5 },
        { lr: 0.25, n: 2 },
        { lr: 0.25, n: 5 },
      ]);
      expect(document.points.map((p) => p.expects[0].pass)).toEqual([true, true, false, false]);
      for (const { set, metrics } of document.points) {
        const { mean, std, min, max, values } = metrics.left;
        expect(Object.keys(values)).toEqual(['4', '5']);
        expect(mean).toBeCloseTo((1 - set.lr) ** 4, 6);
        expect(std).toBeLessThan(1e-6);
        expect([min, max]).toEqual([Math.min(...Object.values(values)), Math.max(...Object.values(values))]);
        expect(metrics.size.mean).toBe(set.n);
      }
      expect(existsSync(path.join(folder, 'grid/lr=0.25,n=5/report.html'))).toBe(true);
      expect(JSON.parse(readFileSync(path.join(folder, 'grid/sweep.json'), 'utf8'))).toEqual(document);

      const runs = await saddle(['runs', 'grid'], folder);
      expect(runs.code).toBe(0);
      const [head, ...rows] = runs.stdout.trim().split('\n');
      expect(head.trim().split(/\s+/)).toEqual(['run', 'lr', 'n', 'gap', 'left', 'size', 'claims', 'status']);
      expect(rows.map((row) => row.split(/\s+/).slice(0, 3).join(' '))).toContain('grid/lr=0.25,n=5 0.25 5');
      const again = await saddle([...call, '--out', 'grid'], folder);
      expect(again.code).toBe(2);
      expect(again.stderr).toContain('OPT809');
    }));

  it('are refused where they make no sense', async () => {
    const of = (sweep: string[], more = {}) => refused(() => pointsOf({ sweep, set: [], ...more }));
    expect((await of(['lr'])).code).toBe('OPT803');
    expect((await of(['lr=1,x'])).message).toContain("not 'x'");
    expect((await of(['lr=1,1.0'])).message).toContain('twice');
    expect((await of(['lr=1', 'lr=2'])).message).toContain('twice');
    expect((await of(['lr=1'], { set: ['lr=3'] })).message).toContain('twice');
    expect((await of(['lr=1'], { resume: true })).message).toContain('--resume');
    expect((await of([], { seed: '1', seeds: '1..=3' })).message).toContain('--seeds');
    await inProject(async (folder) => {
      const { code, stderr } = await saddle(['run', 'walk.opt', '--sweep', 'rate=1,2', ...device], folder);
      expect(code).toBe(2);
      expect(stderr).toContain("--sweep: the spec has no dim or hyper 'rate'");
      expect(existsSync(path.join(folder, 'runs'))).toBe(false);
    });
  });

  it('seeds are a closed range, a half open one, or a list', async () => {
    expect(seedList('--seeds', '1..=3')).toEqual([1, 2, 3]);
    expect(seedList('--seeds', '1..3')).toEqual([1, 2]);
    expect(seedList('--seeds', '5,1,5')).toEqual([5, 1]);
    for (const text of ['3..1', '1..=', 'a', '-1', '1..=4294967295', ''])
      expect((await refused(() => seedList('--seeds', text))).code).toBe('OPT803');
  });
});

describe('saddle runs', () => {
  it('shows the settings that differ, the metrics asked for, and what is not finished', () =>
    inProject(async (folder) => {
      await saddle(['run', 'walk.opt', '--set', 'lr=0.25', '--set', 'n=2', ...device], folder);
      await saddle(['run', 'walk.opt', '--set', 'n=2', '--steps', '3', ...device], folder);
      mkdirSync(path.join(folder, 'runs/walk-10'));
      writeFileSync(path.join(folder, 'runs/walk-10/call.json'), '{"file": "walk.opt", "set": {"n": 2}');
      const { stdout } = await saddle(['runs', '--json'], folder);
      const { runs, differ } = JSON.parse(stdout) as {
        runs: { folder: string; status: string; settings: object; claims?: object }[];
        differ: string[];
      };
      expect(runs.map((r) => r.folder)).toEqual(['runs/walk-1', 'runs/walk-2', 'runs/walk-10']);
      expect(runs.map((r) => r.status)).toEqual(['failed', 'failed', 'unfinished']);
      expect(runs[0]).toMatchObject({ settings: { lr: 0.25, n: 2 }, claims: { hold: 0, of: 1 } });
      expect(differ).toEqual(['lr', 'n', '--steps']);
      const two = await saddle(['runs', 'runs/walk-1', 'runs/walk-2', '--metrics', 'left'], folder);
      expect(two.stdout.split('\n')[0].trim().split(/\s+/)).toEqual(['run', 'lr', '--steps', 'left', 'claims', 'status']); // prettier-ignore
      const wrong = await saddle(['runs', '--metrics', 'lefd'], folder);
      expect(wrong).toMatchObject({ code: 2, stdout: '' });
      expect(wrong.stderr).toContain("'left'");
    }));
  it('says what it looks for where there is nothing', () =>
    inFolder(async (folder) => {
      const none = await saddle(['runs'], folder);
      expect(none.code).toBe(2);
      expect(none.stderr).toContain('error[OPT810]');
      expect((await saddle(['runs', 'absent'], folder)).stderr).toContain('error[OPT804]');
    }));
});

describe('--watch', () => {
  it('checks again when the spec or an imported file changes; Ctrl-C ends it', () =>
    inProject(async (folder) => {
      writeFileSync(path.join(folder, 'mine.opt'), 'fn twice(x) = 2 * x\n');
      writeFileSync(path.join(folder, 'walk.opt'), `use "./mine.opt" { twice }\nlet y = twice(3)\nmetric m = f32(y)\n`);
      const { finished, child, text } = start(['check', 'walk.opt', '--watch'], folder);
      const until = async (there: () => boolean) => {
        for (let i = 0; i < 400 && !there(); i++) await after(50);
        if (!there()) throw new Error(`did not come to it: ${text()}`);
      };
      await until(() => text().includes('walk.opt: ok'));
      writeFileSync(path.join(folder, 'mine.opt'), 'fn thrice(x) = 3 * x\n');
      await until(() => text().includes('mine.opt has changed') && text().includes("'twice'"));
      writeFileSync(path.join(folder, 'mine.opt'), 'fn twice(x) = 2 * x + 1\n');
      await until(() => text().split('walk.opt: ok').length === 3);
      child.kill('SIGINT');
      expect((await finished).code).toBe(130);
    }));
  it('a run that is overtaken is stopped in order', () =>
    inProject(async (folder) => {
      const { finished, child, text } = start(['run', 'walk.opt', '--watch', '--steps', '1000000', ...device], folder);
      for (let i = 0; i < 400 && !text().includes('step '); i++) await after(50);
      writeFileSync(path.join(folder, 'walk.opt'), spec.replace('0.5', '0.25'));
      for (let i = 0; i < 400 && !text().includes('walk.opt has changed'); i++) await after(50);
      child.kill('SIGINT');
      expect((await finished).code).toBe(130);
      expect(text()).toContain('the state was saved');
      expect(existsSync(path.join(folder, 'runs/walk-1/checkpoint.safetensors'))).toBe(true);
    }));
  it('knows what a spec is made of, and gives each round a folder', () =>
    inFolder(async (folder) => {
      const at = (name: string) => path.join(folder, name);
      writeFileSync(at('a.opt'), 'use "./b" { f }\nuse nn { linear }\ndata d from "points.csv" { x: f32[*] }\n');
      writeFileSync(at('b.opt'), 'use "./a.opt" { g }\n');
      writeFileSync(at('points.csv'), 'x\n1\n');
      expect(filesOf(at('a.opt')).sort()).toEqual([at('a.opt'), at('b.opt'), at('points.csv')]);
      expect(withFolder(['run', 'a.opt', '--out', 'o'], 'o', 1)).toEqual(['run', 'a.opt', '--out', 'o']);
      expect(withFolder(['run', 'a.opt', '--out', 'o'], 'o', 3)).toEqual(['run', 'a.opt', '--out', 'o-3']);
      expect(withFolder(['run', '--out=o'], 'o', 2)).toEqual(['run', '--out=o-2']);
      const { code, stderr } = await saddle(['check', 'a.opt', '--watch', '--json'], folder);
      expect(code).toBe(2);
      expect(stderr).toContain('--watch and --json');
    }));
});

it('tables line up; numbers stand to the right', () => {
  expect(tableLines(['name', 'n'], [['a', '1'], ['long', '10.5']])).toEqual(['name     n', 'a        1', 'long  10.5']); // prettier-ignore
});
