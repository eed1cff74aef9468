/** Draws lie in their documented range on the device, ends included or not as documented, and their densities are numbers. */
import { afterAll, expect, it } from 'vitest';
import { compile } from '../../compiler/pipeline.ts';
import { Source } from '../../compiler/source/source.ts';
import type { OpenDevice } from '../../runtime/device/device.ts';
import { openDevice } from '../../runtime/host/driver.ts';
import { load } from '../../runtime/session.ts';
import { readLibrary } from '../unit/elaborate/run-spec.ts';

let device: OpenDevice | undefined;
afterAll(() => device?.close());

const M = 1_000_000;
/** The draw, and what holds for its least (lo) and greatest (hi) number. */
const ranges: readonly (readonly [string, string])[] = [
  [`normal f32[${M}]`, 'lo < -4 and lo > -6 and hi > 4 and hi < 6'],
  [`uniform f32[${M}]`, 'lo >= 0 and hi < 1'],
  [`uniform(-1, 3) f32[${M}]`, 'lo >= -1 and hi < 3'],
  // numbers of which f32 has few between the bounds, so that sums are rounded to the upper one
  ['uniform(16777216, 16777218) f32[100000]', 'lo == 16777216 and hi == 16777216'],
  [`uniform(one, one + 1e-6) f32[${M}]`, 'lo >= 1 and hi < one + 1e-6'],
  [`gumbel f32[${M}]`, 'lo > -3 and hi < 17'],
  [`gamma(3) f32[${M}]`, 'lo > 0'],
  ['gamma(0.1) f32[100000]', 'lo >= 1.17549435e-38'],
  ['gamma(0.01, 7) f32[100000]', 'lo >= 1.17549435e-38'],
  ['gamma(0.01, 1e-3) f32[100000]', 'lo >= 1.17549435e-38'],
  ['beta(50, 0.2) f32[100000]', 'lo > 0 and hi < 1'],
  ['beta(0.2, 50) f32[100000]', 'lo > 0 and hi < 1'],
  ['beta(0.01, 0.02) f32[100000]', 'lo >= 1.17549435e-38 and hi < 1'],
  ['dirichlet(0.01) f32[50000, 4]', 'lo >= 1.17549435e-38 and hi < 1 and max(abs(sum(z, axis: 1) - 1)) < 1e-6'],
  ['dirichlet(5) f32[1000, 1]', 'lo == 1 and hi == 1'],
  [`rademacher f32[${M}]`, 'lo == -1 and hi == 1 and min(abs(z)) == 1'],
  [`bernoulli(0.5) f32[${M}]`, 'lo == 0 and hi == 1'],
  [`integers(-2, 5) i32[${M}]`, 'lo == -2 and hi == 4'],
];

async function metrics(text: string): Promise<ReadonlyMap<string, number>> {
  const made = compile(new Source('spec.opt', text), {
    readImport: readLibrary(),
    dataInfo: () => undefined,
    set: new Map(),
  });
  if (!made.ok || !made.value.bundle) throw new Error(made.ok ? 'no bundle' : made.diagnostics[0].message);
  device ??= await openDevice();
  const session = await load(made.value.bundle).start({ device });
  const found = new Map<string, number>();
  try {
    for await (const { values } of session.train()) for (const [name, x] of Object.entries(values)) found.set(name, x);
  } finally {
    await session.dispose();
  }
  return found;
}

it.each(ranges)('%s', { timeout: 120_000 }, async (dist, holds) => {
  const found = await metrics(`var one = 1.0
sample z ~ ${dist}
let lo = f32(min(z))
let hi = f32(max(z))
metric lo = lo
metric hi = hi
metric within = f32(i32(${holds}))
metric density = logp(z)`);
  expect(found.get('within'), `${found.get('lo')} … ${found.get('hi')}`).toBe(1);
  expect(Number.isFinite(found.get('density'))).toBe(true);
});

it('truncated_normal ends at two standard deviations', { timeout: 60_000 }, async () => {
  const found = await metrics('frozen W: f32[1000, 1000] ~ truncated_normal\nmetric most = max(abs(W))');
  expect(found.get('most')).toBeLessThan(2);
  expect(found.get('most')).toBeGreaterThan(1.999);
});

it('densities of weights that differ by more than the digits of f32', { timeout: 60_000 }, async () => {
  const found = await metrics(`var w = [1e9, 1.0, 3]
sample z ~ subset(weights: w) i32[3]
metric density = logp(z) at { z: [0, 2, 1] }
metric slope = grad(logp(z) at { z: [0, 2, 1] }, w)[1]`);
  expect(found.get('density')).toBeCloseTo(Math.log(1e9 / (1e9 + 4)) + Math.log(3 / 4), 5);
  // log w0 - log(w0 + w1 + w2) + log w2 - log(w1 + w2) by w1
  expect(found.get('slope')).toBeCloseTo(-1e-9 - 1 / 4, 5);
});

it('large shapes', { timeout: 60_000 }, async () => {
  const found = await metrics(`sample g ~ gamma(1e8) f32[1000]
sample b ~ beta(1e7, 3e7) f32[1000]
sample d ~ dirichlet(1e6) f32[100, 4]
metric g = max(abs(g / 1e8 - 1))
metric b = max(abs(b - 0.25))
metric d = max(abs(d - 0.25))`);
  // five standard deviations, and the rounding of exp(log x): 20 units in the last place
  expect(found.get('g')).toBeLessThan(5e-4 + 2e-6);
  expect(found.get('b')).toBeLessThan(5 * 6.8e-5 + 2e-6);
  expect(found.get('d')).toBeLessThan(5 * 2.2e-4 + 2e-6);
});
