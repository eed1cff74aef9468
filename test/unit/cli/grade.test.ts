/**
 * `saddle test --solvers` on small catalogues, and the catalogue of examples/reference: its answers against those that SciPy and NumPy give
 * (test/oracles/reference.py), written from the literature apart from it.
 */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { isCatalogue, totalsOf, type Graded } from '../../../cli/grade/command.ts';
import { fitsOf, onlySolve, tryOut, withSolver } from '../../../cli/grade/trial.ts';
import { openSpec, specOf } from '../../../cli/spec.ts';
import { Source } from '../../../compiler/source/source.ts';
import { perform } from '../../cases/perform.ts';
import oracle from '../../oracles/reference.json' with { type: 'json' };
import { inFolder } from '../data/refused.ts';
import { saddle } from './saddle.ts';

const catalogue = path.join(import.meta.dirname, '..', '..', '..', 'examples', 'reference');
const files = readdirSync(catalogue, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.opt')).toSorted(); // prettier-ignore
const fileOf = (name: string) => path.join(catalogue, files.find((f) => path.basename(f, '.opt') === name) ?? name);

const grade = (text: string, name = 'own', steps: number | undefined = undefined, seconds = 60) => {
  const spec = specOf(new Source('p.opt', text), new Map());
  const solve = onlySolve(spec.module);
  if (!solve) throw new Error('no solve');
  const source = name === 'own' ? spec.source : withSolver(spec, solve, name);
  return tryOut(source, name, name === 'own', { steps, seconds }, () => () => {});
};

const bowl = (solve: string, claim = 'expect p.x ~= 2 within 1e-2') => `use solvers { descent }
problem p {
  over x: f32 = 0
  minimize (x - 2)^2
}
${solve}
${claim}
`;
const pull = (solver: string, steps: number) => `use solvers { ${solver} }
problem p {
  over x: f32 = 1
  over y: f32 = 1
  player one moves x minimizes x * y + x^2
  player other moves y maximizes x * y - y^2
}
solve p by ${solver}() for ${steps}
expect abs(p.x) < 1
`;

describe('one solver on one problem', () => {
  it('is solved where the claims hold, within the steps that are given', async () => {
    const text = bowl('solve p by descent() for 50');
    expect(await grade(text)).toMatchObject({ solved: true, ended: 'all steps', iterations: 50 });
    expect(await grade(text, 'descent', 3)).toMatchObject({ solved: false, ended: 'all steps', iterations: 3 });
    const newton = await grade(text, 'newton', 1000);
    expect(newton).toMatchObject({ solved: true, ended: 'stopped' });
    expect(newton.iterations).toBeLessThan(5);
  });
  it('counts points: one a step of descent and where it ends, two a step of extragradient', async () => {
    expect((await grade(bowl('solve p by descent() for 7', 'expect p.x > 0'))).points).toBe(8);
    const ahead = await grade(pull('extragradient', 5));
    expect(ahead.points - (await grade(pull('simultaneous', 5))).points).toBe(5);
  });
  it('counts each point of a population', async () => {
    const text = `use solvers { evolution }
problem p {
  over c: i32[2] in 0..1000 = 0
  minimize sum(f32(c))
}
solve p by evolution(pop: 12, top: 4) for 1
expect p.objective < 2000
`;
    const { points } = await grade(text);
    // 12 of the beginning and 8 children, less those that are where others were
    expect(points).toBeGreaterThanOrEqual(12);
    expect(points).toBeLessThanOrEqual(20);
  });
  it('ends when its time is over, in the midst of a step too', async () => {
    const text = `problem p {
  over x: f32 = 0
  minimize (x - 2)^2
}
solver slow() for smooth (x; f) { repeat 100000000 { x <- x - 1e-9 * grad(f, x) } }
solve p by slow() for 2
expect p.x ~= 2 within 1e-2
`;
    const { ended, solved, seconds } = await grade(text, 'own', undefined, 0.2);
    expect({ ended, solved }).toEqual({ ended: 'time', solved: false });
    expect(seconds).toBeLessThan(30);
  });
  it('is not solved where the run fails, and says why', async () => {
    const text = bowl('solve p by descent() for 50').replace('(x - 2)^2', 'log(x - 1)');
    expect(await grade(text)).toMatchObject({ solved: false, ended: 'failed', reason: expect.stringMatching(/^OPT/) });
  });
  it('is asked of the compiler: classes, not names', () => {
    const names = (file: string) => fitsOf(openSpec(file, new Map())).solvers;
    expect(names(fileOf('hs006')).map((s) => s.name)).toEqual(['quadratic_penalty', 'augmented_lagrangian', 'dual_ascent', 'sketched_newton']); // prettier-ignore
    expect(names(fileOf('hs010')).map((s) => s.name)).toContain('barrier');
    expect(names(fileOf('hs014')).map((s) => s.name)).not.toContain('barrier');
    expect(names(fileOf('bard')).find((s) => s.name === 'gauss_newton')).toEqual({
      name: 'gauss_newton',
      needs: ['r'],
    });
  });
});

describe('the command', () => {
  const inCatalogue = <T>(use: (folder: string) => Promise<T>) =>
    inFolder((folder) => {
      mkdirSync(path.join(folder, 'mine'));
      writeFileSync(path.join(folder, 'mine', 'bowl.opt'), bowl('solve p by descent() for 50'));
      writeFileSync(path.join(folder, 'mine', 'game.opt'), pull('extragradient', 100));
      writeFileSync(path.join(folder, 'mine', 'sum.opt'), 'let a = 1\nmetric b = a + 1.0\n');
      return use(folder);
    });
  it('grades a folder, and is failed by own solvers alone', () =>
    inCatalogue(async (folder) => {
      const { code, stdout } = await saddle(['test', 'mine', '--solvers', '--json', '--steps', '40'], folder);
      expect(code).toBe(0);
      const { status, problems, solvers } = JSON.parse(stdout) as { status: string; problems: Graded[]; solvers: unknown[] }; // prettier-ignore
      expect(status).toBe('ok');
      expect(problems.map((p) => p.skipped)).toEqual([undefined, undefined, 'it is not one problem with one solve']);
      expect(problems[0].grades.map((g) => g.solver)).toEqual(['descent()', 'quasi_newton()', 'conjugate_gradient()', 'newton_cg()', 'newton()', 'common_descent()', 'projected_gradient()', 'frank_wolfe()']); // prettier-ignore
      expect(problems[0].unasked.map((s) => s.name)).toEqual(['levenberg_marquardt', 'gauss_newton']);
      // The whole space is a set, and one that has no lowest points.
      expect(problems[0].grades.map((g) => g.ended === 'refused')).toEqual([
        false,
        false,
        false,
        false,
        false,
        false,
        false,
        true,
      ]);
      expect(solvers.length).toBeGreaterThan(7);
      writeFileSync(path.join(folder, 'mine', 'bowl.opt'), bowl('solve p by descent() for 2'));
      const failed = await saddle(['test', 'mine', '--solvers', '--steps', '40'], folder);
      expect(failed.code).toBe(4);
      expect(failed.stdout).toMatch(/FAILED {2}mine\/bowl.opt {2}\d of \d solve it/);
      expect(failed.stdout).toMatch(/\n {2}\* descent\(\) +no +2 /);
      expect(failed.stdout).toContain('fit, but need arguments: levenberg_marquardt (r), gauss_newton (r)');
    }));
  it('ends the test of a folder of nothing but such problems', () =>
    inCatalogue(async (folder) => {
      const mine = path.join(folder, 'mine');
      const options = { set: [], data: [] };
      expect(isCatalogue([mine], options)).toBe(false); // sum.opt is no problem
      rmSync(path.join(mine, 'sum.opt'));
      expect(isCatalogue([mine], options)).toBe(true);
      expect(isCatalogue([path.join(mine, 'bowl.opt'), path.join(mine, 'game.opt')], options)).toBe(false);
      for (const more of [{ device: 'reference' }, { seed: '2' }, { steps: '3' }, { set: ['a=1'] }])
        expect(isCatalogue([mine], { ...options, ...more })).toBe(false);
      const { code, stdout } = await saddle(['test', 'mine', '--json', '--seconds', '3'], folder);
      expect(code).toBe(0);
      const json = JSON.parse(stdout) as { files: unknown[]; problems: Graded[]; solvers: unknown[] };
      expect([json.files.length, json.problems.length]).toEqual([2, 2]);
      expect(json.solvers.length).toBeGreaterThan(7);
      // the claims of its own solver decide
      writeFileSync(path.join(mine, 'game.opt'), bowl('solve p by descent() for 2'));
      const failed = await saddle(['test', 'mine', '--seconds', '3'], folder);
      expect(failed.code).toBe(4);
      expect(failed.stdout).toMatch(
        /1 of 2 specs hold\n\nEvery solver of the library that takes each problem \(--no-solvers /,
      );
      expect(failed.stdout).toMatch(/\nnewton\(\) +2 of 2 /);
      expect((await saddle(['test', 'mine', '--no-solvers'], folder)).stdout).toMatch(/1 of 2 specs hold\n$/);
    }));
  it('is done for examples/reference', () => {
    expect(isCatalogue([catalogue], { set: [], data: [] })).toBe(true);
    expect(isCatalogue([path.dirname(catalogue)], { set: [], data: [] })).toBe(false);
  });
  it('refuses what means nothing with it', async () => {
    for (const more of [
      ['--device', 'gpu'],
      ['--seed', '2'],
      ['--seconds', 'x'],
    ]) {
      const { code, stderr } = await saddle(['test', catalogue, '--solvers', ...more]);
      expect(code).toBe(2);
      expect(stderr).toContain('OPT803');
    }
  });
  it('adds up solvers by what they did with their defaults', () => {
    const one = (solver: string, solved: boolean, iterations: number) => ({ solver, own: false, solved, ended: 'stopped', iterations, points: 1, seconds: 1 }) as const; // prettier-ignore
    const problem = (...grades: Graded['grades']): Graded => ({
      file: 'f',
      problem: 'p',
      grades,
      fits: ['a', 'b'],
      unasked: [],
    });
    const totals = totalsOf([problem(one('a()', false, 9), one('b()', true, 3), one('b(x: 1)', true, 1)), problem(one('b()', true, 5), one('b()', true, 7))]); // prettier-ignore
    expect(totals).toEqual([
      { solver: 'b()', solved: 3, of: 3, iterations: 5, points: 1, seconds: 1 },
      { solver: 'a()', solved: 0, of: 1, iterations: undefined, points: undefined, seconds: undefined },
    ]);
  });
});

type Answer = { f?: number; x: number[]; y?: number[]; multipliers: Record<string, number> };
const answers = Object.entries(oracle as Record<string, Answer>);

/** `expect p.x ~= 2 within 1e-2`, `expect abs(p.x - 2) < 1e-2`, `expect norm(p.x - [1, 2]) < 1e-2`: what is claimed, and how nearly. */
function claimed(text: string, of: string): { values: number[]; within: number } | undefined {
  const number = (t: string) => t.split('/').map((part) => Number(part.replaceAll(/[()\s]/g, ''))).reduce((a, b) => a / b); // prettier-ignore
  const quoted = of.replaceAll('.', '\\.');
  const found =
    new RegExp(`^expect ${quoted} ~= (\\S+) within (\\S+)$`, 'm').exec(text) ??
    new RegExp(`^expect abs\\(${quoted} - (.+)\\) < (\\S+)$`, 'm').exec(text) ??
    new RegExp(`^expect norm\\(${quoted} - \\[(.*)\\]\\) < (\\S+)$`, 'm').exec(text);
  return found ? { values: found[1].split(',').map(number), within: Number(found[2]) } : undefined;
}

describe('examples/reference', () => {
  it('has many problems, each with a solve, claims and a source', () => {
    expect(files.length).toBeGreaterThanOrEqual(70);
    for (const file of files) {
      const { source, module } = openSpec(path.join(catalogue, file), new Map());
      expect(onlySolve(module), file).toBeDefined();
      expect(source.text, file).toMatch(/^\/\/ .*\w{4}/);
      expect(source.text, file).toMatch(/^expect /m);
    }
  });
  test.each(answers)('the answer of %s is that of the oracle', (name, { f, x, y, multipliers }) => {
    const text = readFileSync(fileOf(name), 'utf8');
    const near = (of: string, wanted: readonly number[]): boolean => {
      const claim = claimed(text, of);
      if (!claim) return false;
      const missed = Math.hypot(...claim.values.map((v, i) => v - wanted[i]));
      expect(claim.values.length, of).toBe(wanted.length);
      // What is claimed is the answer, up to its digits: it leaves solvers their tolerance.
      expect(missed, of).toBeLessThan(claim.within / 4);
      return true;
    };
    let compared = 0;
    if (f !== undefined) {
      // Of a level that maximizes, the oracle has minus the value.
      const sign = /^ {2}maximize/m.test(text) ? -1 : 1;
      if (near('p.objective', [sign * f]) || near('p.F', [sign * f])) compared++;
    }
    const names = /^expect .*p\.a -/m.test(text) ? ['p.a', 'p.b', 'p.c'] : ['p.x', 'p.y'];
    if (text.includes('player')) compared += names.filter((of, i) => i < x.length && near(of, [x[i]])).length;
    else if (near('p.x', x)) compared++;
    if (y && near('p.y', y)) compared++;
    for (const [of, value] of Object.entries(multipliers)) if (near(`p.multipliers.${of}`, [value])) compared++;
    expect(compared).toBeGreaterThan(0);
  });
  // The others are run by `saddle test examples/reference --solvers`, which makes its README.
  const few = files.filter((file, i) => i % 6 === 1 && !file.startsWith('bilevel'));
  test.each(few)('%s holds', async (file) => {
    const { claims } = await perform(path.join(catalogue, file));
    expect(claims.filter((c) => !c.pass)).toEqual([]);
  });
});
