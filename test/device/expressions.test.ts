/** Draws, maps, scans and fixed points from the text to the end: on the device as on the float64 reference. */
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import type { Bundle } from '../../compiler/bundle/format.ts';
import { compile } from '../../compiler/pipeline.ts';
import { Source } from '../../compiler/source/source.ts';
import { createReferenceBackend } from '../../runtime/reference/backend.ts';
import { load, type Session } from '../../runtime/session.ts';
import { closeDevice, openDevice } from './device.ts';

afterAll(closeDevice);

type Series = ReadonlyMap<string, readonly number[]>;

/** Series of a program on the device and, where asked, on the reference, by name. */
async function series(text: string, on: { readonly reference: boolean }): Promise<readonly Series[]> {
  const { owner: device } = await openDevice();
  const readImport = (module: string) =>
    new Source(`stdlib/${module}.opt`, readFileSync(new URL(`../../stdlib/${module}.opt`, import.meta.url), 'utf8'));
  const compiled = compile(new Source('expressions.opt', text), {
    readImport,
    dataInfo: () => undefined,
    set: new Map(),
    profile: device.profile,
  });
  if (!compiled.ok) throw new Error(compiled.diagnostics.map((d) => d.message).join('\n'));
  const bundle = compiled.value.bundle as Bundle;
  const run = async (session: Session) => {
    for await (const report of session.train()) void report;
    const series = session.results.runs.get('')?.series ?? new Map();
    const found = new Map([...series].map(([name, { values }]) => [name, [...values]] as const));
    await session.dispose();
    return found;
  };
  const onDevice = await run(await load(bundle).start({ device }));
  if (!on.reference) return [onDevice];
  return [onDevice, await run(await load(bundle).start({ backend: createReferenceBackend(compiled.value.program) }))];
}

async function agree(text: string, tolerance: number): Promise<void> {
  const [ours, exact] = await series(text, { reference: true });
  expect([...ours.keys()]).toEqual([...exact.keys()]);
  for (const [name, values] of exact)
    values.forEach((v, k) => {
      const difference = Math.abs((ours.get(name)?.[k] ?? Number.NaN) - v);
      expect(difference, `${name} at ${k}: ${ours.get(name)?.[k]} against ${v}`).toBeLessThan(
        tolerance * Math.max(1, Math.abs(v)),
      );
    });
}

describe('rotations of Jacobi', () => {
  it('are numbers where squares of entries are 0 in rounding or out of range; determinants of singular matrices are 0', { timeout: 300_000 }, async () => {
    await agree(
      `
use linalg { eigh, svd, det, eye }
var t = 1e-25
var u = 1.811988
var S: f32[3, 3] = [[2, 1, 0], [1, 3, 1], [0, 1, 4]]
train 1 {
  report pair = eigh([[1.0, t], [t, 1.0]])[0][0], near = svd([[1.0, t], [0.0, 1.0]])[1][1]
  report many = max over 1..40 as k { eigh(u * eye(7) + 0.05 * f32(k) * ones(7, 7))[0][6] }
  report large = eigh(1e20 * S)[0][2] / 1e20, small = eigh(1e-20 * S)[0][2] / 1e-20
  report big = svd(1e15 * S)[1][0] / 1e15, little = svd(1e-15 * S)[1][0] / 1e-15
  report none = det([[0.0, 1, 2], [0, 2, 5], [0, 3, t]]), rank1 = det([[1.0, 2, 3], [2, 4, 6], [3, 6, 9]])
}`,
      2e-5,
    );
  }); // prettier-ignore
});

describe('scans while a condition holds', () => {
  it('values, derivatives, in a map, with states computed again', { timeout: 300_000 }, async () => {
    await agree(
      `
var w = 1.3
var start = [1.0, 20, 500, 90]
fn L = scan h = start[0] while h < 100 max 30 { next w * h + 0.01 * h^2 }
fn M = sum(map start as s { scan h = s while h < 100 max 30 checkpoint 4 { next w * h + 0.01 * h^2 } })
train 2 as main {
  report l = L, m = M, l1 = grad(L, w), m1 = grad(M, w), l2 = hvp(L, w, 1), m2 = norm(grad(M, start))
  start <- start * 1.1
}`,
      1e-4,
    );
  });
});

describe('draws', () => {
  it('a million normal ones pass Kolmogorov and Smirnov', { timeout: 300_000 }, async () => {
    const [found] = await series(
      `sample z ~ normal f32[1000000]
let s = sort(z)
let F = 0.5 * (1 + erf(s / sqrt(2.0)))
metric far = max(max(abs(F - f32(0..1000000) / 1000000)), max(abs(F - f32(1..=1000000) / 1000000)))`,
      { reference: false },
    );
    // 1.95 / sqrt(n) is exceeded by chance once in a thousand seeds.
    expect(found.get('far')?.[0]).toBeLessThan(1.95 / 1000);
    expect(found.get('far')?.[0]).toBeGreaterThan(1e-5);
  });

  it('distributions and densities', { timeout: 300_000 }, async () => {
    await agree(`
data D = { v: f32(0..1000), w: f32(0..1000) mod 7 }
var a = [0.4, 1.0, 7.0]
train 3 as main {
  sample g ~ gamma(a, 2) f32[4, 3]
  sample b ~ beta(a, 1.5) f32[3]
  sample d ~ dirichlet(a) f32[2, 3]
  sample s ~ subset(40) i32[7]
  sample t ~ subset(weights: a) i32[2]
  batch r = D[16] replacement weights D.w
  sample q ~ orthogonal f32[6, 4]
  sample c ~ categorical(a) i32[5]
  sample k ~ bernoulli(0.3) f32[64]
  let back = transpose(q) @ q
  report gs = sum(g), bs = sum(b), ds = sum(d * d), ss = f32(sum(s * [1, 2, 3, 4, 5, 6, 7]))
  report ts = f32(t[0] + 10 * t[1]), rs = sum(r.v * f32(1..17)), lt = logp(t)
  report qs = sum(back * back), cs = f32(sum(c)), ks = sum(k)
  report lg = logp(g), lb = logp(b), ld = logp(d), ls = logp(s), lc = logp(c), lk = logp(k)
  report slope = sum(grad(logp(g) + logp(b) + logp(d) + logp(c), a))
}`, 2e-3); // prettier-ignore
  });
  it('a million normal draws have the normal distribution', { timeout: 300_000 }, async () => {
    // Distance of Kolmogorov and Smirnov from its values at 33 points; 1.95e-3 is exceeded by chance once in a thousand seeds.
    const points = Array.from({ length: 33 }, (_, i) => -4 + i / 4);
    const text = `let at = linspace(-4, 4, 33)
train 1 as main {
  sample z ~ normal f32[1000000]
  ${points.map((_, i) => `report p${i} = mean(z < at[${i}])`).join('\n  ')}
}`;
    const [ours] = await series(text, { reference: false });
    const density = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
    points.forEach((x, i) => {
      let F = 0;
      const n = 20_000;
      for (let k = 0; k < n; k++) F += density(-10 + ((k + 0.5) * (x + 10)) / n) * ((x + 10) / n);
      expect(Math.abs((ours.get(`p${i}`) as number[])[0] - F)).toBeLessThan(1.95e-3);
    });
  });
});

describe('maps', () => {
  it('per-example gradients, draws, choices and loops by element', { timeout: 300_000 }, async () => {
    await agree(`
use nn { linear }
use losses { cross_entropy }
use rules { sgd }
model Net(x: f32[n, 5]) { linear(tanh(linear(x, 8)), 3) }
sample X ~ normal f32[40, 5]
sample Y ~ integers(0, 3) i32[40]
data D = { x: X, y: Y }
fn one(e) = mean(cross_entropy(Net(e.x), e.y))
train 4 as main {
  batch b = D[16]
  let all = Net(b.x)
  let g = map b as e { norm(grad(one(e), Net)) }
  let (m, sq) = mean over b as e { let d = grad(one(e), Net); (d, d * d) }
  let noisy = map b as e { sample z ~ normal f32[5]; sample p ~ permutation(6); sum(z * e.x) + f32(p[0]) }
  let side = map 0..20 as i { if i < 16 { b.x[i, 0] } else { -1.0 } }
  let halved = map b as e { var t = abs(e.x[0]) + 3; var n = 0.0; while t > 0.5 max 30 { t <- t / 2; n <- n + 1 }; n }
  report norms = sum(g), most = max(g), mean_norm = norm(m), spread = norm(sq), noisy = sum(noisy), side = sum(side), halved = sum(halved)
  update Net by sgd(0.1) minimizing mean over b as e { one(e) }
}`, 1e-3); // prettier-ignore
  });
});

describe('batches', () => {
  it('of a run-time count, reduced and scanned', { timeout: 300_000 }, async () => {
    await agree(`
use rules { sgd }
data D = { v: f32(0..50) + 1, r: 1 / f32(0..50) }
var n: i32 = 1
var w: f32 = 0.5
train 6 as main {
  batch s = D[n max 12]
  report rows = f32(count(s)), total = sum over s as e { e.v }, spread = variance over s as e { e.v }, top = max over s as e { e.v }
  report chain = scan h = 0.0 for e in s { next 0.5 * h + e.v }
  update w by sgd(0.001) minimizing mean over s as e { (if e.v > 1 { e.r * w } else { w } - e.v)^2 }
  report w
  n <- 2 * n
}`, 1e-4); // prettier-ignore
  });
});

describe('scans', () => {
  it('values and derivatives, checkpoints, maps of scans, fixed points', { timeout: 300_000 }, async () => {
    await agree(`
use rules { sgd }
var w: f32[4, 4] ~ normal(0, 0.3)
let xs = sin(f32(0..240))
fn steps(u: f32[60, 4], h0) = scan h = h0 for x in u checkpoint 8 { emit sum(h); next tanh(h @ w + x) }
fn noisy() = scan h = zeros(4) for i in 0..25 { sample z ~ normal f32[4]; next 0.9 * h + z }
fn root(c) = fixed z = zeros(4) { 0.5 * tanh(z @ w) + c } until 1e-6 max 60
let starts = [[0.1, 0.2, 0.3, 0.4], [1, 2, 3, 4], [-1, 0, 1, 0]]
train 3 as main {
  let (h, all) = steps(reshape(xs, [60, 4]), ones(4))
  let many = map starts as s { steps(reshape(xs, [60, 4]), s)[0] }
  let p = root(ones(4))
  report last = sum(h), all = sum(all), many = sum(many), noise = sum(noisy()), root = sum(p), residual = p.residual
  report bend = norm(grad(sum(root(ones(4))^2), w)), both = norm(grad(mean over starts as s { sum(root(s)^2) }, w))
  fn hold(v) = exp(tanh(v))
  fn cost = sum(steps(reshape(xs, [60, 4]), ones(4))[1])^2 / 100 + sum(checkpoint { exp(tanh(w)) }) + sum(checkpoint keep hold { tanh(hold(w @ w)) })
  update w by sgd(0.01) minimizing cost
}`, 2e-3); // prettier-ignore
  });
});

describe('cells stored as f16', () => {
  it('are rounded as the reference rounds them', { timeout: 300_000 }, async () => {
    await agree(`
use rules { sgd }
var x: f16[7] = [1.0001, 65519, 0.1, 1e-7, -3, 0.000061, 2049]
var w: f16[5, 3] ~ normal(0, 0.5)
var m: f16[3, 3] = 0
train 4 as main {
  update w by sgd(0.05, momentum: 0.9) minimizing mean((ones(4, 5) @ w - 1)^2)
  m <- 0.5 * m + transpose(w) @ w
  x <- x / 3
  report a = x[0], b = x[1], c = x[2], d = 1e7 * x[3], e = x[4], f = 1e4 * x[5], g = x[6], w = sum(w * w), m = norm(m), row = sum(w[2])
}`, 2e-3); // prettier-ignore
  });
});
