/** What every solve tells: why it ended, its trace, and a ledger of its constraints. */
import { describe, expect, test } from 'vitest';
import { createReferenceBackend } from '../../../runtime/reference/backend.ts';
import { ledgerLines, ledgersOf, risingNote, signNote } from '../../../runtime/report/ledger.ts';
import type { Results } from '../../../runtime/session-results.ts';
import { load } from '../../../runtime/session.ts';
import { compile } from '../../../compiler/pipeline.ts';
import { Source } from '../../../compiler/source/source.ts';
import { readLibrary } from './run-spec.ts';

const solved = (text: string) => run(text, 'runs away');
/** Of a run that fails. */
const failed = (text: string) => run(text, '');

/** Runs a spec; an error that it ends with holds the text `wanted`. */
async function run(text: string, wanted: string) {
  const result = compile(new Source('spec.opt', text), {
    readImport: readLibrary(),
    dataInfo: () => undefined,
    set: new Map(),
  });
  if (!result.ok || !result.value.bundle) throw new Error(result.diagnostics.map((d) => d.message).join('\n'));
  const { bundle, program } = result.value;
  const session = await load(bundle).start({ backend: createReferenceBackend(program), seed: 1 });
  const reports: { readonly step: number; readonly values: Readonly<Record<string, number>> }[] = [];
  try {
    for await (const report of session.train()) reports.push(report);
  } catch (error) {
    expect(String(error)).toContain(wanted);
  }
  const results: Results = session.results;
  return { ledgers: ledgersOf(bundle, results), results, reports, session };
}

const solver = `solver al(rho = 10, lr = 0.02, tol = 1e-6, dual = 1) for constrained (x; f, g, h) {
  state mu = zeros_like(g)
  state lam = zeros_like(h)
  fn A = f + dot(lam, h) + rho / 2 * dot(h, h) + dot(max(g + mu / rho, 0), max(g + mu / rho, 0)) * rho / 2
  stop when step > 2 and norm(h) < tol and norm(min(mu, -g)) < tol
  fail when norm(x) > 1e3 as "runs away"
  repeat 60 { x <- x - lr * grad(A, x) }
  mu <- max(mu + dual * rho * g, 0)
  lam <- lam + dual * rho * h
  multipliers g = mu
  multipliers h = lam
}
`;
// min (a - 2)^2 + (b - 1)^2 + c^2 with a + b <= 1, c >= 1, a = b + 1: a = 1, b = 0, c = 1 with multipliers 2, 2 and 0.
const problem = `problem p {
  over x: f32[3] = 0
  minimize (x[0] - 2)^2 + (x[1] - 1)^2 + x[2]^2
  subject to total: x[0] + x[1] <= 1
  subject to least: x[2] >= 1
  subject to apart: x[0] == x[1] + 1
}
`;

describe('the ledger', () => {
  test('value, bound, violation, multiplier and slackness of each constraint, the first-order residual, and why it ended', async () => {
    const { ledgers, results } = await solved(`${solver}${problem}solve p by al() for 400`);
    const [l] = ledgers;
    expect([l.problem, l.solver, l.ended, l.most]).toEqual(['p', 'al()', 'stopped', 400]);
    expect(l.steps).toBe(results.runs.get('')?.steps);
    expect(l.steps).toBeLessThan(100);
    expect(l.objective).toBeCloseTo(3, 5);
    expect(l.violation).toBeLessThan(1e-6);
    expect(l.kkt).toBeLessThan(1e-4);
    const rows = l.constraints.map((c) => [c.name, c.relation, c.value, c.bound, c.multiplier]);
    const near = (v: number) => expect.closeTo(v, 4);
    expect(rows).toEqual([
      ['total', '<=', near(1), near(1), near(2)],
      ['least', '>=', near(1), near(1), near(2)],
      ['apart', '==', near(1), near(1), near(0)],
    ]);
    expect(l.constraints[0].slackness).toBeLessThan(1e-4);
    expect(l.constraints[2].slackness).toBeUndefined();
    expect(l.notes).toEqual([]);
    expect(ledgerLines(l)[0]).toMatch(/^p by al\(\) stopped after \d+ of 400 steps, objective 3/);
  });
  test('the trace: objective and violation before each step and at the end', async () => {
    const { reports, results } = await solved(`${solver}${problem}run r = solve p by al() for 5`);
    const values = results.runs.get('r')?.series.get('objective');
    expect(values?.steps).toEqual([0, 1, 2, 3, 4, 5]);
    expect(values?.values[0]).toBe(5);
    expect(reports[0].values).toMatchObject({ objective: 5, violation: 1 });
    expect(Object.keys(reports[0].values).filter((name) => name.includes('ledger'))).toEqual([]);
  });
  test('a solver that reports the objective itself, in whatever branch, is not recorded twice', async () => {
    const { reports } = await solved(`solver s(mode = 2) for smooth (x; F) {
  x <- x - 0.25 * grad(F, x)
  if mode == 1 { report other = F } else { report objective = F }
}
problem p { over x: f32 = 4
  minimize F: x^2 }
solve p by s() for 2`);
    expect(reports[0].values['p.objective']).toBeCloseTo(4, 6); // after the step: that of the trace stands before it
  });
  test('the trace of several objectives and of players, by name or number', async () => {
    const { results } = await solved(`use solvers { common_descent, simultaneous }
problem two { over z: f32[2] = [3, 4]; minimize a: sum((z - 1)^2); minimize sum((z + 1)^2) }
problem tug {
  over x: f32 = 1
  over y: f32 = 2
  player low moves x minimizes x^2 + x * y
  player high moves y maximizes x * y - y^2
}
run m = solve two by common_descent() for 2
run g = solve tug by simultaneous() for 2`);
    const values = (run: string, name: string) => results.runs.get(run)?.series.get(name)?.values ?? [];
    expect(values('m', 'objective_a')[0]).toBe(4 + 9);
    expect(values('m', 'objective_2')[0]).toBe(16 + 25);
    expect(values('g', 'objective_low')[0]).toBe(3);
    expect(values('g', 'objective_high')[0]).toBe(-2);
    for (const [run, name] of [['m', 'objective_a'], ['m', 'objective_2'], ['g', 'objective_low'], ['g', 'objective_high']]) expect(values(run, name).length).toBe(3); // prettier-ignore
    expect(values('m', 'objective')).toEqual([]);
  });
  describe('of a solve within a phase', () => {
    // Descent on (x - w)^2 by halves, until within 0.1: from far away several steps.
    const inner = `solver halves(most = 1e3) for inequality (x; f, g) {
  report slope = norm(grad(f, x))
  stop when norm(grad(f, x)) <= 0.2
  fail when norm(x) > most as "too far"
  x <- x - 0.25 * grad(f, x)
  multipliers g = max(g, 0)
}
var w = 8.0
problem q { over x: f32 = 0; minimize (x - w)^2; subject to top: x <= 5 }
`;
    test('objective and violation of each step, and the ledger of the last time', async () => {
      const { ledgers, results, session } = await solved(`${inner}train 3 { w <- w / 2; solve q by halves() for 10 }`);
      const of = (name: string) => results.runs.get('')?.series.get(name)?.values ?? [];
      // From 0 to 4 in 6 steps (4 / 2^6 < 0.1), on to 2 in 5, to 1 in 4; what is left of the way is halved each step.
      const [a, b] = [4 - 4 / 2 ** 6, 0];
      expect(of('q.objective')[0]).toBeCloseTo((4 - a) ** 2, 6);
      expect(of('q.objective').length).toBe(3);
      expect(of('q.violation')).toEqual([b, b, b]);
      const [l] = ledgers;
      expect([l.problem, l.solver, l.within, l.ended, l.most, l.steps]).toEqual([
        'q',
        'halves()',
        'train',
        'stopped',
        10,
        4,
      ]);
      expect(l.objective).toBe(of('q.objective')[2]);
      const [x] = (await session.get('q.x'))['q.x'].values;
      expect(l.constraints[0]).toMatchObject({ name: 'top', value: x, bound: 5, violation: 0, multiplier: 0 });
      expect(ledgerLines(l)[0]).toContain('q by halves() in train, the last time, stopped after 4 of 10 steps');
    });
    test('in the step of another solver; in a branch that was never reached there is none', async () => {
      const outer = `solver outer() for smooth (y; f) { y <- y - 0.1 * grad(f, y); solve q by halves() for 2; if step > 5 { solve q by halves() for 3 } }
problem up { over y: f32 = 0; minimize (y - 1)^2 }
`;
      expect((await solved(`${inner}${outer}solve up by outer() for 3`)).ledgers.map((l) => [l.problem, l.within, l.most, l.steps])).toEqual([['up', undefined, 3, 3], ['q', 'up', 3, 2]]); // prettier-ignore
      expect((await solved(`${inner}if w > 9 { solve q by halves() for 3 }`)).ledgers).toEqual([]);
      expect((await solved(`${inner}if w > 7 { solve q by halves() for 3 }`)).ledgers).toMatchObject([
        { ended: 'all steps', steps: 3 },
      ]);
    });
    test('one that fails ends the run, with its reason, whatever comes after it in the step', async () => {
      // x is a variable of the file: in turn 3 it begins too far out.
      const text = inner.replace('over x: f32 = 0;', 'over x;').replace('var w', 'var x = 0.0\nvar w');
      const turn = 'x <- where(i == 3, 40.0, 0.0); solve q by halves(most: 30) for 3';
      const { session, results } = await failed(`${text}train 5 { repeat 12 as i { ${turn} } }`);
      expect(results.runs.get('')?.status).toMatchObject({ state: 'failed', reason: 'too far' });
      expect(results.runs.get('')?.steps).toBe(0);
      expect(session.done).toBe(true);
    });
    test('one that is a value and fails is not a number', async () => {
      const ok = await solved(`${inner}let s = solve q by halves() for 9\nmetric m = s.x`);
      expect(ok.results.runs.get('')?.series.get('m')?.values[0]).toBeCloseTo(8, 0);
      const { results } = await failed(`${inner}let s = solve q by halves(most: 3) for 9\nmetric m = s.x`);
      expect(results.runs.get('')?.status).toMatchObject({
        state: 'failed',
        reason: expect.stringContaining("'m' is not finite"),
      });
    });
  });
  test('a run that fails says why, and where', async () => {
    const { ledgers, results } = await solved(
      `${solver}${problem}run r = solve p by al(lr: 1) for 50\nrun s = solve p by al() for 3`,
    );
    expect(results.runs.get('r')?.status).toEqual({ state: 'failed', reason: 'runs away' });
    expect(ledgers[0].ended).toBe('failed');
  });
  test('multipliers that rise while the violation stands have a sentence', async () => {
    const impossible = problem.replace('x[0] == x[1] + 1', 'x[0] + x[1] == 2');
    const { ledgers } = await solved(`${solver}${impossible}solve p by al(dual: 0.1) for 60`);
    expect(ledgers[0].ended).toBe('all steps');
    expect(ledgers[0].notes[0]).toMatch(/^the multipliers still rise .* while the violation stands at/);
    const steady = { steps: [], values: Array<number>(20).fill(1) };
    expect(risingNote(steady, steady)).toEqual([]);
  });
  test('multipliers of inequalities that are negative have a sentence, in either direction', async () => {
    const noted = async (constraint: string): Promise<string | undefined> => {
      const { ledgers } = await solved(`solver s(lr = 0.05) for inequality (x; f, g) {
  state mu = zeros_like(g)
  x <- x - lr * grad(f + dot(mu, g), x)
  mu <- mu + lr * g
  multipliers g = mu
}
problem p {
  over x: f32[2] = 0
  minimize sum((x - [0.2, 0.1])^2)
  subject to ${constraint}
}
solve p by s() for 300`);
      return ledgers[0].notes.find((n) => n.startsWith('the multiplier'));
    };
    expect(await noted('cap: 1 >= x[0] + x[1]')).toMatch(
      /^the multiplier of cap is -0\.7\d*, and that of an inequality is never negative/,
    );
    expect(await noted('low: x[0] + x[1] >= 0.2')).toMatch(/^the multiplier of low is -0\.1/);
    // of its least element, though the other one is above its bound
    expect(await noted('both: x <= [0.1, 5.0]')).toMatch(/^the multiplier of both is -9\.[78]/);
    expect(await noted('tight: x <= [0.1, 0.0]')).toBe(undefined);
    expect(signNote('a', '==', -1)).toEqual([]);
    expect(signNote('a', '<=', 0)).toEqual([]);
  });
});

describe('solves whose variables end with them', () => {
  const nearest = `${solver}problem nearest(t: f32) { over x: f32[2] = 0
  minimize sum((x - t)^2)
  subject to cap: x[0] + x[1] <= 1 }
var t: f32 = 3
`;
  test('a statement with arguments of its own has the ledger of the last time', async () => {
    const { ledgers } = await solved(`${nearest}train 3 { solve nearest(t) by al() for 60
  t <- t - 1 }`);
    const [ledger, ...others] = ledgers;
    expect(others).toEqual([]);
    // of t = 1, the third: x = (1/2, 1/2), mu = 2 (t - 1/2)
    expect(ledger).toMatchObject({ problem: 'nearest', within: 'train', ended: 'stopped' });
    expect(ledger.objective).toBeCloseTo(0.5, 4);
    expect(ledger.kkt).toBeLessThan(1e-3);
    expect(ledger.constraints).toEqual([
      expect.objectContaining({ name: 'cap', relation: '<=', bound: 1, multiplier: expect.closeTo(1, 3) as number }),
    ]);
  });
  test('a value has none, and the output says why; each is named once', async () => {
    const { ledgers } = await solved(`${nearest}fn best(u: f32) { (solve nearest(u) by al() for 60).objective }
metric sum_ = best(t) + best(2 * t)`);
    expect(ledgers.map((l) => l.ended)).toEqual(['not recorded']);
    expect(ledgerLines(ledgers[0]).join()).toContain('nearest by al() is a value');
  });
});

describe('first-order conditions of several', () => {
  test('of a game, those of each player at the point of all, in its set and its sense', async () => {
    const text = (set: string, a: number) => `use solvers { simultaneous }
class boxed (x in X; F) { over x in X
  player p moves x minimizes F }
solver stay() for boxed (x in X; F) { for i in 0..len(F) { x[i] <- 1 * x[i] } }
problem g { over x: f32 = ${a}
  over y: f32${set} = 1
  player one moves x minimizes x * y + x^2
  player two moves y maximizes x * y - y^2 / 4 }
solve g by ${set === '' ? 'simultaneous(0)' : 'stay()'} for 1`;
    const residual = async (set: string, a: number) => (await solved(text(set, a))).ledgers[0];
    // y + 2 x by x, x - y / 2 by y; in 0..1, y = 1 cannot rise any more
    expect(await residual('', 3)).toMatchObject({ kkt: expect.closeTo(Math.hypot(7, 2.5), 5) as number, residualOf: 'players' }); // prettier-ignore
    expect(ledgerLines(await residual('', 3))[0]).toContain('first-order residual of the players 7.433');
  });
  test('of two levels, those of the lower one with its constraints', async () => {
    const { ledgers } = await solved(`class lower (x, y; F, G, g) { over x
  minimize F
  where y solves { over y
    maximize G
    subject to g >= 0 } }
solver say(mu = 0.5) for lower (x, y; F, G, g) {
  state m = mu + zeros_like(g)
  y <- y + 0 * grad(G, y)
  x <- x - 0 * grad(F, x)
  m <- 1 * m + 0 * dot(g, g)
  multipliers g = m
}
problem p { over x: f32 = 2
  minimize (x - 1)^2 + y
  where y solves { over y: f32 = 0
    maximize -(y - x)^2
    subject to cap: y <= 0.5 } }
solve p by say() for 1`);
    // 2 (x - y) - mu, whichever way the cap is written
    expect(ledgers[0]).toMatchObject({ kkt: expect.closeTo(3.5, 5) as number, residualOf: 'lower levels' });
  });
});
