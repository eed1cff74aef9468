/** `saddle run`, `test` and `check` as processes of their own, on a small regression read from a csv file. */
import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { inFolder } from '../data/refused.ts';
import { saddle, start } from './saddle.ts';

// eslint-disable-next-line no-control-regex
const control = /[\u0000-\u0009\u000b-\u001f]/;

const spec = (more = '', steps = 40) => `
use rules { sgd }
dim   B = 8
hyper lr = 0.1
data points from "points.csv" { x: f32[*, 2] = 0..2, y: f32[*] = "target" }
var w: f32[2] = 0
train ${steps} {
  batch b = points[B]
  let loss = mean((b.x @ w - b.y)^2)
  update w by sgd(lr) minimizing loss
  report loss
}
eval every 20 { metric error = mean(abs(w - [2, -1])) }
${more}
`;

/** 32 points of y = 2 a - b. */
const points = `a,b,target\n${Array.from({ length: 32 }, (_, i) => [(i % 7) / 7, ((3 * i) % 5) / 5])
  .map(([a, b]) => `${a},${b},${2 * a - b}`)
  .join('\n')}\n`;

const inProject = <T>(text: string, use: (folder: string) => Promise<T>) =>
  inFolder((folder) => {
    writeFileSync(path.join(folder, 'fit.opt'), text);
    writeFileSync(path.join(folder, 'points.csv'), points);
    return use(folder);
  });
const device = ['--device', 'reference'];
const lines = (file: string) =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, number>);

describe('run', () => {
  it('trains, decides the claims and writes the run folder', () =>
    inProject(spec('expect error < 1\nexpect loss < 1'), async (folder) => {
      const { code, stdout, stderr } = await saddle(['run', 'fit.opt', ...device], folder);
      expect(stderr).toBe('');
      expect(code).toBe(0);
      expect(stdout).toMatch(/holds {2}error < 1 {3}0\.\d+ < 1/);
      expect(stdout).toContain('written to runs/fit-1');
      expect(stdout).not.toMatch(control);
      const run = path.join(folder, 'runs/fit-1');
      expect(readdirSync(run).sort()).toEqual([
        'call.json',
        'checkpoint.safetensors',
        'log.jsonl',
        'positions.json',
        'report.html',
        'summary.json',
      ]);
      const report = readFileSync(path.join(run, 'report.html'), 'utf8');
      expect(report).toContain('Claims: 2 of 2 hold');
      expect(report).toContain('update w by sgd(lr) minimizing loss');
      expect(report.match(/<svg/g)).toHaveLength(2);
      const log = lines(path.join(run, 'log.jsonl'));
      expect(log.filter((l) => 'loss' in l).map((l) => l.step)).toEqual(Array.from({ length: 40 }, (_, i) => i));
      expect(log.filter((l) => 'error' in l).map((l) => l.step)).toEqual([0, 20, 40]);
      expect(log.filter((l) => 'loss' in l).at(-1)!.loss).toBeLessThan(log.find((l) => 'loss' in l)!.loss);
    }));

  it('--load starts a model from the checkpoint of another run, of which other models and states of rules are left', () =>
    inProject('', async (folder) => {
      const net = `use nn { batch_norm, linear }
layer scaled(x) {
  param by: f32 = 2
  state calls: i32 = 0
  calls <- calls + 1
  by * x * f32(calls)
}
model Net(x: f32[n, 2], train) { scaled(linear(batch_norm(x, train: train), 3)) }
let x = [[1.0, 2], [3, 5]]`;
      const fit = 'train 3 { update Net, other by adam(0.1) minimizing sum(Net(x, true)^2) + other^2 }';
      const value = 'metric m = sum(Net(x, false))';
      const before = `use rules { adam }\n${net}\nvar other = 1.0\nmetric start = sum(Net(x, true))\n${fit}\n${value}`;
      const after = `${net}\ntrial T() { ${value} }\nrun a = T()\nrun b = T(seed: 7)`;
      writeFileSync(path.join(folder, 'first.opt'), before);
      writeFileSync(path.join(folder, 'then.opt'), after);
      const first = await saddle(['run', 'first.opt', '--json', ...device], folder);
      const from = ['--load', 'Net=runs/first-1/checkpoint.safetensors'];
      const then = await saddle(['run', 'then.opt', '--json', ...from, ...device], folder);
      const [trained, taken] = [first, then].map(
        ({ stdout }) => (JSON.parse(stdout) as { metrics: Record<string, number> }).metrics,
      );
      expect(trained.m).not.toBeCloseTo(trained.start, 2);
      // The file's numbers are read as f32.
      for (const name of ['a.m', 'b.m']) expect(taken[name]).toBeCloseTo(trained.m, 5);
    }));

  it('--json prints exactly one document, with the keys of the contract', () =>
    inProject(spec('expect error < 1.4\nexpect error > 100'), async (folder) => {
      const { code, stdout } = await saddle(
        ['run', 'fit.opt', '--json', '--steps', '8', '--seed', '3', '--set', 'B=4', '--set', 'lr=0.2', ...device],
        folder,
      );
      expect(code).toBe(4);
      const document = JSON.parse(stdout) as Record<string, unknown>;
      for (const key of [
        'status',
        'device',
        'steps',
        'seconds',
        'ms_per_step',
        'dispatches_per_step',
        'submits_per_step',
        'kernels',
        'peak_bytes',
        'metrics',
        'expects',
      ])
        expect(document, key).toHaveProperty(key);
      expect(document).toMatchObject({ status: 'failed', steps: 8, seed: 3 });
      expect(Object.keys(document.metrics as object).sort()).toEqual(['error', 'loss']);
      expect(document.expects).toHaveLength(2);
      expect((document.expects as { pass: boolean }[])[1].pass).toBe(false);
      expect(JSON.parse(readFileSync(path.join(folder, 'runs/fit-1/summary.json'), 'utf8'))).toEqual(document);
    }));

  it('--quiet prints nothing but failing claims', () =>
    inProject(spec('expect error < 100\nexpect error > 100'), async (folder) => {
      const { code, stdout, stderr } = await saddle(['run', 'fit.opt', '--quiet', ...device], folder);
      expect(code).toBe(4);
      expect(stderr).toBe('');
      expect(stdout.trim().split('\n')).toHaveLength(1);
    }));

  it('--quiet shows no warnings; without it, and in a test, they are shown', () =>
    inProject(`let unused = 1\nuse rules { adam }\n${spec('expect error < 100')}`, async (folder) => {
      const warned = async (args: string[]) => (await saddle([...args, ...device], folder)).stderr.includes('OPT216');
      expect(await warned(['run', 'fit.opt', '--quiet'])).toBe(false);
      expect(await warned(['run', 'fit.opt'])).toBe(true);
      expect(await warned(['test', 'fit.opt'])).toBe(true);
      expect(await warned(['test', 'fit.opt', '--quiet'])).toBe(false);
    }));

  it('--out names the folder, which is not used twice', () =>
    inProject(spec(), async (folder) => {
      expect((await saddle(['run', 'fit.opt', '--out', 'here', '--steps', '2', ...device], folder)).code).toBe(0);
      expect(existsSync(path.join(folder, 'here/log.jsonl'))).toBe(true);
      const { code, stderr } = await saddle(['run', 'fit.opt', '--out', 'here', ...device], folder);
      expect(code).toBe(2);
      expect(stderr).toContain('--resume here');
    }));

  it.runIf(existsSync('/dev/full'))('a full disk ends it with 3, what to do, and no stack', () =>
    inProject(spec(), async (folder) => {
      mkdirSync(path.join(folder, 'out'));
      symlinkSync('/dev/full', path.join(folder, 'out', 'log.jsonl'));
      const { code, stderr } = await saddle(['run', 'fit.opt', '--out', 'out', ...device], folder);
      expect(code).toBe(3);
      expect(stderr).toContain('error[OPT653]');
      expect(stderr).toContain('ENOSPC');
      expect(stderr).toContain('free some space');
      expect(stderr.match(/error\[/g)).toHaveLength(1);
    }),
  );

  it('runs the seeds of the claims', () =>
    inProject(spec('expect median(error) < 1.2 over seeds 2..=4', 20), async (folder) => {
      const { code, stdout } = await saddle(['run', 'fit.opt', '--json', ...device], folder);
      expect(JSON.parse(stdout)).toMatchObject({ steps: 60, seed: 2 });
      expect(code).toBe(0);
      const log = lines(path.join(folder, 'runs/fit-1/log.jsonl'));
      expect([...new Set(log.map((l) => l.seed))]).toEqual([2, 3, 4]);
    }));

  it('Ctrl-C saves a checkpoint and says how to go on; the resumed run ends as if nothing had happened', () =>
    inProject(spec('', 2000), async (folder) => {
      expect((await saddle(['run', 'fit.opt', '--out', 'whole', ...device], folder)).code).toBe(0);
      const first = start(['run', 'fit.opt', '--out', 'part', ...device], folder);
      const log = path.join(folder, 'part/log.jsonl');
      while (first.child.exitCode === null && !(existsSync(log) && readFileSync(log, 'utf8').length > 100))
        await new Promise((done) => setTimeout(done, 20));
      first.child.kill('SIGINT');
      const { code, stderr } = await first.finished;
      expect(code).toBe(130);
      expect(stderr).toContain('saddle run fit.opt --resume part');
      expect(lines(log).length).toBeLessThan(2000);
      const second = await saddle(['run', 'fit.opt', '--resume', 'part', ...device], folder);
      expect(second.stderr).toBe('');
      expect(second.code).toBe(0);
      expect(readFileSync(log, 'utf8')).toBe(readFileSync(path.join(folder, 'whole/log.jsonl'), 'utf8'));
      const refused = await saddle(['run', 'fit.opt', '--resume', 'part', '--seed', '9', ...device], folder);
      expect(refused.code).toBe(2);
      expect(refused.stderr).toContain('--seed');
    }));
});

describe('failures', () => {
  const failing: [string, string, string[], number, string][] = [
    ['a syntax error', 'dim B = = 4\n', [], 1, 'OPT1'],
    ['an unknown name', spec().replace('minimizing loss', 'minimizing los'), [], 1, 'OPT2'],
    ['an unknown --set', spec(), ['--set', 'b=4'], 2, 'OPT802'],
    ['an unknown --data', spec(), ['--data', 'point=x.csv'], 2, 'OPT807'],
    ['a missing file', spec().replace('points.csv', 'pints.csv'), [], 3, 'OPT601'],
    ['an unknown set', spec().replace('points.csv', 'minst:train'), [], 3, 'OPT603'],
    ['a path outside', spec().replace('points.csv', '../../etc/passwd'), [], 3, 'OPT602'],
    ['a column that is not there', spec().replace('"target"', '"goal"'), [], 3, 'OPT608'],
    ['a value out of range', spec().replace('= "target"', 'in 0..1 = "target"'), [], 3, 'OPT610'],
    ['a loss that is not finite', spec().replace('lr = 0.1', 'lr = 1e30'), [], 3, 'OPT709'],
  ];
  it.each(failing)('%s', (_name, text, more, exit, expected) =>
    inProject(text, async (folder) => {
      const { code, stdout, stderr } = await saddle(['run', 'fit.opt', '--json', ...device, ...more], folder);
      expect(stderr).toContain(`error[${expected}`);
      expect(code).toBe(exit);
      expect(stderr).not.toMatch(/\n\s+at /);
      const document = JSON.parse(stdout) as { status: string; error: { code: string } };
      expect(document.status).toBe('failed');
      expect(document.error.code).toContain(expected);
    }),
  );
  it('data errors point at the declaration', () =>
    inProject(spec().replace('points.csv', 'pints.csv'), async (folder) => {
      const { stderr } = await saddle(['run', 'fit.opt', ...device], folder);
      expect(stderr).toContain('--> fit.opt:5:18');
    }));
});

describe('check', () => {
  it('is silent about what is right, also without the data', () =>
    inProject(spec(), async (folder) => {
      expect(await saddle(['check', 'fit.opt'], folder)).toMatchObject({
        code: 0,
        stderr: '',
        stdout: 'fit.opt: ok\n',
      });
      writeFileSync(path.join(folder, 'fit.opt'), spec().replace('points.csv', 'later.csv'));
      const { code, stderr } = await saddle(['check', 'fit.opt'], folder);
      expect(code).toBe(0);
      expect(stderr).toContain('warning[OPT601]');
    }));
  it('--json lists each file', () =>
    inProject(spec(), async (folder) => {
      writeFileSync(path.join(folder, 'bad.opt'), 'dim B = = 4\n');
      const { code, stdout } = await saddle(['check', '.', '--json'], folder);
      expect(code).toBe(1);
      expect(JSON.parse(stdout)).toMatchObject({
        status: 'failed',
        files: [
          { file: 'bad.opt', status: 'failed' },
          { file: 'fit.opt', status: 'ok' },
        ],
      });
    }));
});

describe('test', () => {
  it('shows each claim with its value; the worst outcome decides', () =>
    inProject(spec('expect error < 100\nexpect error > 50', 10), async (folder) => {
      mkdirSync(path.join(folder, 'more'));
      writeFileSync(path.join(folder, 'more/ok.opt'), 'var x = 2\nmetric m = x + 1\nexpect m == 3\n');
      const { code, stdout } = await saddle(['test', '.', ...device], folder);
      expect(code).toBe(4);
      expect(stdout).toContain('FAILED  fit.opt  1 of 2 claims hold');
      expect(stdout).toMatch(/holds {2}.*error < 100/);
      expect(stdout).toMatch(/fails {2}.*error > 50/);
      expect(stdout).toContain('ok      more/ok.opt  1 of 1 claims hold');
      expect(stdout).toContain('1 of 2 specs hold');
      expect(existsSync(path.join(folder, 'runs'))).toBe(false);
      const json = await saddle(['test', 'more', '--json', ...device], folder);
      expect(json.code).toBe(0);
      expect(JSON.parse(json.stdout)).toMatchObject({ status: 'ok', files: [{ expects: [{ pass: true }] }] });
    }));
});

describe('test of several specs with solves', () => {
  it('ends with a table of what each solve did', () => {
    const solve = (claim: string) =>
      `use solvers { newton }\nproblem p {\n  over x: f32 = 0\n  minimize (x - 2)^2\n}\nsolve p by newton() for 50\nexpect p.x ~= ${claim} within 1e-3\n`;
    return inProject(solve('2'), async (folder) => {
      const one = await saddle(['test', '.', '--device', 'reference'], folder);
      expect(one.stdout).not.toContain('iterations');
      writeFileSync(path.join(folder, 'wrong.opt'), solve('3'));
      const { stdout } = await saddle(['test', '.', '--device', 'reference'], folder);
      expect(stdout).toMatch(/^spec {2,}problem {2,}solver {2,}solved {2,}iterations {2,}ended {2,}s$/m);
      expect(stdout).toMatch(/^fit\.opt {2,}p {2,}newton\(\) {2,}yes {2,}1 {2,}stopped {2,}[\d.]+$/m);
      expect(stdout).toMatch(/^wrong\.opt {2,}p {2,}newton\(\) {2,}no {2,}1 {2,}stopped/m);
    });
  });
});

describe('explain --stage', () => {
  it.each(['ast', 'updates', 'program', 'graph', 'optimized', 'kernels', 'wgsl', 'plan', 'cost'])('%s', (stage) =>
    inProject(spec(), async (folder) => {
      const { code, stdout, stderr } = await saddle(['explain', 'fit.opt', '--stage', stage], folder);
      expect(stderr).toBe('');
      expect(code).toBe(0);
      expect(stdout.length).toBeGreaterThan(20);
    }),
  );
});
