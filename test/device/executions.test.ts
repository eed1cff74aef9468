/** Many small executions in one launch: the reports of every step, evals between them and solves that end early are those of the reference. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../compiler/pipeline.ts';
import { Source } from '../../compiler/source/source.ts';
import type { OpenDevice } from '../../runtime/device/device.ts';
import { openDevice } from '../../runtime/host/driver.ts';
import { createReferenceBackend } from '../../runtime/reference/backend.ts';
import { load } from '../../runtime/session.ts';
import { readLibrary } from '../unit/elaborate/run-spec.ts';

let device: OpenDevice;
beforeAll(async () => void (device = await openDevice()));
afterAll(() => device.close());

async function run(text: string, on: 'device' | 'reference') {
  const made = compile(new Source('spec.opt', text), {
    readImport: readLibrary(),
    dataInfo: () => undefined,
    set: new Map(),
    profile: device.profile,
  });
  if (!made.ok) throw new Error(made.diagnostics.map((d) => d.message).join('\n'));
  const { bundle, program } = made.value;
  if (!bundle) throw new Error('no bundle');
  const where = on === 'device' ? { device } : { backend: createReferenceBackend(program) };
  const session = await load(bundle).start({ ...where, seed: 3 });
  for await (const _ of session.train());
  const found = session.results.runs.get('');
  const { dispatches, submits } = session.backend.stats;
  await session.dispose();
  const shared = bundle.entries.some((e) => e.commands.some((c) => c.kind === 'dispatch' && c.executions));
  return { series: found?.series ?? new Map(), steps: found?.steps, dispatches, submits, shared };
}

/** Draws, a schedule of the host, a count of updates, reports, and evals at odd times. */
const train = `use rules { adam }
var w: f32[3] = 1
hyper lr = 0.05 * (1 - progress)
train 300 {
  sample z ~ normal f32[3]
  let loss = sum((w - 2)^2) + 0.01 * dot(w, z)
  update w by adam(lr) minimizing loss
  report loss
  report first = w[0] + f32(step)
}
eval every 7 { metric far = norm(w - 2) }
`;

/** The problem of Rosenbrock, ended by the solver on the device. */
const solve = `problem p { over x: f32[2] = [-1.2, 1]
  minimize 100 * (x[1] - x[0]^2)^2 + (1 - x[0])^2 }
solver slow(lr = 2e-3) for smooth (x; f) {
  let g = grad(f, x)
  report slope = norm(g)
  stop when norm(g) < 0.05
  x <- x - lr * g
}
solve p by slow() for 5000
metric x = p.x[0]
`;

describe('many executions in one launch', () => {
  it('a train body with draws, schedules, reports and evals', async () => {
    const [a, b] = [await run(train, 'device'), await run(train, 'reference')];
    expect(a.shared).toBe(true);
    for (const [name, series] of b.series) {
      const own = a.series.get(name);
      expect(own?.steps, name).toEqual(series.steps);
      series.values.forEach((v: number, i: number) => expect(own?.values[i], `${name} at ${i}`).toBeCloseTo(v, 3));
    }
    // 300 steps in 43 pieces between evals, and the evals themselves
    expect(a.dispatches).toBeLessThan(150);
  });
  it('a solve of thousands of steps, few launches and submissions, with an end that the device finds', async () => {
    const [a, b] = [await run(solve, 'device'), await run(solve, 'reference')];
    expect(a.shared).toBe(true);
    expect(b.steps).toBeLessThan(5000);
    expect(Math.abs((a.steps ?? 0) - (b.steps ?? 0))).toBeLessThan(20);
    expect(a.series.get('x')?.values[0]).toBeCloseTo(b.series.get('x')?.values[0] ?? 0, 3);
    expect(a.submits).toBeLessThan(40);
    expect(a.dispatches).toBeLessThan(60);
  });
});

/** Loops of up to 60, 3,125 and 32 turns within each other, around a draw and a small solve. */
const sketched = `use solvers { sketched_newton }
problem p { over x: f32[2] = [2, 2]
  minimize log(1 + x[0]^2) - x[1]
  subject to circle: (1 + x[0]^2)^2 + x[1]^2 == 4 }
solve p by sketched_newton() for 30
metric f = p.objective
`;

describe('loops within loops within loops', () => {
  it('that may take six million turns are a few launches a step', { timeout: 240_000 }, async () => {
    const [a, b] = [await run(sketched, 'device'), await run(sketched, 'reference')];
    expect(a.series.get('f')?.values[0]).toBeCloseTo(-Math.sqrt(3), 5);
    // the same draws, and as many of them
    expect(a.series.get('inner')).toEqual(b.series.get('inner'));
    expect(a.steps).toBe(b.steps);
    // what is launched beyond the end of the loops, before the host knows of it, included
    expect(a.dispatches).toBeLessThan(120 * ((a.steps ?? 0) + 20));
  });
  it('blocks of rows that depend on each other in float32 spoil no step', { timeout: 240_000 }, async () => {
    const hs27 = `use solvers { sketched_newton }
problem p { over x: f32[3] = 2
  minimize 0.01 * (x[0] - 1)^2 + (x[1] - x[0]^2)^2
  subject to c: x[0] + x[2]^2 == -1 }
solve p by sketched_newton() for 60
metric f = p.objective
`;
    const { series } = await run(hs27, 'device');
    expect(series.get('f')?.values.at(-1)).toBeCloseTo(0.04, 4);
  });
});
