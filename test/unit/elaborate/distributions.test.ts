/** Distributions: moments, tails and densities against closed forms, derivatives of densities against finite differences, routes of gradients. */
import { describe, expect, test } from 'vitest';
import { errorsOf, evaluateAll, runSpec } from './run-spec.ts';

const mean = (xs: readonly number[]) => xs.reduce((a, b) => a + b, 0) / xs.length;
const variance = (xs: readonly number[]) => mean(xs.map((x) => (x - mean(xs)) ** 2));
const draw = (text: string, seed = 0) => runSpec(`sample z ~ ${text}\nvar keep = z`, { seed }).values('keep');

/** Largest distance of the empirical distribution function from F. */
function kolmogorov(xs: readonly number[], F: (x: number) => number): number {
  const sorted = Float64Array.from(xs).sort();
  let worst = 0;
  sorted.forEach((x, i) => {
    const f = F(x);
    worst = Math.max(worst, Math.abs(f - i / sorted.length), Math.abs(f - (i + 1) / sorted.length));
  });
  return worst;
}

/** Normal distribution function by numerical integration of the density (Simpson), not by the project's erf. */
const phi = (() => {
  const [lo, n] = [-9, 36_000];
  const h = 18 / n;
  const density = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  const table = new Float64Array(n + 1);
  for (let i = 1; i <= n; i++) {
    const x = lo + (i - 1) * h;
    table[i] = table[i - 1] + (h / 6) * (density(x) + 4 * density(x + h / 2) + density(x + h));
  }
  return (x: number) => {
    const at = Math.min(Math.max((x - lo) / h, 0), n - 1);
    const i = Math.floor(at);
    return table[i] + (at - i) * (table[i + 1] - table[i]);
  };
})();

describe('Kolmogorov and Smirnov', () => {
  test('a million normal draws', () => {
    // 1.95 / sqrt(n) is exceeded by chance once in a thousand seeds.
    expect(kolmogorov(draw('normal f32[1000000]', 3), phi)).toBeLessThan(1.95 / 1000);
  });
  test('gamma of shape 1 and 2.5, beta, dirichlet', () => {
    const n = 6000;
    const limit = 1.95 / Math.sqrt(n);
    expect(kolmogorov(draw(`gamma(1, 2) f32[${n}]`), (x) => 1 - Math.exp(-x / 2))).toBeLessThan(limit);
    // shape 1/2 is half the square of a normal; shape 3 has a polynomial
    expect(kolmogorov(draw(`gamma(0.5) f32[${n}]`), (x) => 2 * phi(Math.sqrt(2 * x)) - 1)).toBeLessThan(limit);
    const three = (x: number) => 1 - Math.exp(-x) * (1 + x + (x * x) / 2);
    expect(kolmogorov(draw(`gamma(3) f32[${n}]`), three)).toBeLessThan(limit);
    const two = (x: number) => x * x * (3 - 2 * x);
    expect(kolmogorov(draw(`beta(2, 2) f32[${n}]`), two)).toBeLessThan(limit);
    const first = draw(`dirichlet(1) f32[${n}, 3]`).filter((_, i) => i % 3 === 0);
    expect(kolmogorov(first, (x) => 1 - (1 - x) ** 2)).toBeLessThan(limit);
  });
});

describe('moments', () => {
  test('gamma, beta, dirichlet', () => {
    const g = draw('gamma(2.5, 3) f32[8000]');
    expect(mean(g) / 7.5).toBeCloseTo(1, 1);
    expect(variance(g) / 22.5).toBeCloseTo(1, 1);
    const b = draw('beta(0.5, 1.5) f32[8000]');
    expect(mean(b)).toBeCloseTo(0.25, 2);
    expect(variance(b)).toBeCloseTo((0.25 * 0.75) / 3, 2);
    const d = runSpec('let a = [1.0, 2, 5]\nsample z ~ dirichlet(a) f32[6000, 3]\nvar keep = z').values('keep');
    [0.125, 0.25, 0.625].forEach((m, k) => expect(mean(d.filter((_, i) => i % 3 === k))).toBeCloseTo(m, 2));
    for (let i = 0; i < 100; i++) expect(d[3 * i] + d[3 * i + 1] + d[3 * i + 2]).toBeCloseTo(1, 6);
  });
  test('tiny shapes stay in their open range, and their density is a number', () => {
    for (const dist of ['beta(0.001, 0.001) f32[500]', 'beta(50, 0.2) f32[2000]', 'dirichlet(0.001) f32[100, 4]'])
      expect(
        draw(dist).every((x) => x > 0 && x < 1 && Math.fround(x) < 1 && Math.fround(x) > 0),
        dist,
      ).toBe(true);
    expect(draw('dirichlet(2) f32[5, 1]')).toEqual([1, 1, 1, 1, 1]);
    // far below what f32 holds, in shape and in value
    for (const dist of ['gamma(0.1) f32[2000]', 'gamma(1e-38) f32[20]', 'gamma(0.01, 1e-3) f32[200]'])
      expect(
        draw(dist).every((x) => x >= 2 ** -126 && x < 100),
        dist,
      ).toBe(true);
    expect(draw('dirichlet(1e-38) f32[10, 4]').every((x) => x > 0 && x < 1)).toBe(true);
    for (const dist of [
      'gamma(0.01) f32[200]',
      'gamma(0.01, 7) f32[200]',
      'beta(0.01, 0.2) f32[200]',
      'dirichlet(0.01) f32[50, 4]',
    ])
      expect(Number.isFinite(evaluateAll(['logp(z)'], `sample z ~ ${dist}`)[0]), dist).toBe(true);
  });
  test('a subset is without replacement, and all subsets are alike', () => {
    const counts = Array<number>(10).fill(0);
    for (let seed = 0; seed < 300; seed++) {
      const s = draw('subset(10) i32[4]', seed);
      expect(new Set(s).size).toBe(4);
      for (const i of s) counts[i]++;
    }
    for (const c of counts) expect(Math.abs(c - 120)).toBeLessThan(45);
  });
  test('a weighted subset draws each next element in proportion to its weight among those left', () => {
    const runs = Array.from({ length: 400 }, (_, seed) => draw('subset(weights: [2, 0, 1, 5]) i32[2]', seed));
    const share = (first: number, second: number) =>
      runs.filter(([a, b]) => a === first && b === second).length / runs.length;
    // 5/8 · 2/3, 2/8 · 5/6, 1/8 · 5/7; three standard deviations of 400 draws are at most 0.075
    expect(Math.abs(share(3, 0) - 5 / 12)).toBeLessThan(0.075);
    expect(Math.abs(share(0, 3) - 5 / 24)).toBeLessThan(0.065);
    expect(Math.abs(share(2, 3) - 5 / 56)).toBeLessThan(0.045);
    expect(runs.some((s) => s.includes(1))).toBe(false);
    expect(runs.every(([a, b]) => a !== b)).toBe(true);
  });
  test('orthonormal columns and rows', () => {
    for (const [m, n] of [
      [7, 3],
      [3, 7],
      [5, 5],
      [1, 4],
    ]) {
      // prettier-ignore
      const q = draw(`orthogonal f32[${m}, ${n}]`, m);
      const k = Math.min(m, n);
      for (let i = 0; i < k; i++)
        for (let j = 0; j < k; j++) {
          let dot = 0;
          for (let t = 0; t < Math.max(m, n); t++)
            dot += m >= n ? q[t * n + i] * q[t * n + j] : q[i * n + t] * q[j * n + t];
          expect(dot).toBeCloseTo(i === j ? 1 : 0, 5);
        }
    }
    // Haar: every entry of a 2 x 2 has mean 0 and variance 1/2
    const corners = Array.from({ length: 200 }, (_, seed) => draw('orthogonal f32[2, 2]', seed)[3]);
    expect(Math.abs(mean(corners))).toBeLessThan(0.15);
    expect(variance(corners)).toBeCloseTo(0.5, 1);
  });
});

describe('logp', () => {
  // Reference values: SciPy 1.17.1, e.g. scipy.stats.gamma(2.5, scale=3).logpdf(4)
  const cases: [string, string, string, number][] = [
    ['normal(1, 2) f32[2]', '[0.5, 3]', 'normal', -3.7554225],
    ['uniform(-1, 3) f32[2]', '[0, 2.5]', 'uniform', -2.7725887],
    ['bernoulli(0.3) f32[3]', '[1, 0, 1]', 'bernoulli', -2.7646206],
    ['rademacher f32[2]', '[1, -1]', 'rademacher', -1.3862944],
    ['gumbel f32[2]', '[0.2, -1]', 'gumbel', -2.7370126],
    ['integers(2, 7) i32[2]', '[2, 6]', 'integers', -3.2188758],
    ['gamma(2.5, 3) f32', '4', 'gamma', -2.2851054],
    ['gamma(0.3) f32', '0.01', 'gamma', 2.1178211],
    ['gamma(20) f32', '17', 'gamma', -2.5088307],
    ['beta(0.5, 1.5) f32', '0.4', 'beta', -0.2488502],
    ['dirichlet([1.0, 2, 5]) f32[3]', '[0.2, 0.3, 0.5]', 'dirichlet', 1.370546],
    ['categorical([1, 2, 5]) i32[2]', '[1, 2]', 'categorical', -1.856298],
    ['categorical(logits: [0, 1, 2.5]) i32', '1', 'categorical', -1.7663679],
    ['permutation(5)', '[4, 0, 1, 3, 2]', 'permutation', -4.7874917],
    ['subset(6) i32[2]', '[5, 0]', 'subset', -3.4011974],
    // log(2/8) + log(5/6)
    ['subset(4, weights: [2, 0, 1, 5]) i32[2]', '[0, 3]', 'subset', -1.5686159],
  ];
  test.each(cases)('of %s at %s', (dist, at, _, wanted) => {
    const [value] = evaluateAll([`logp(z) at { z: ${at} }`], `sample z ~ ${dist}`);
    expect(value).toBeCloseTo(wanted, 4);
  });
  test('outside of the support it is minus infinity', () => {
    const outside = (dist: string, at: string) => evaluateAll([`logp(z) at { z: ${at} }`], `sample z ~ ${dist}`)[0];
    expect(outside('uniform f32', '2')).toBe(Number.NEGATIVE_INFINITY);
    expect(outside('subset(6) i32[2]', '[5, 5]')).toBe(Number.NEGATIVE_INFINITY);
    expect(outside('integers(0, 3) i32', '3')).toBe(Number.NEGATIVE_INFINITY);
    for (const [dist, at] of [
      ['gamma(2) f32', '-1'],
      ['beta(2, 2) f32', '-0.1'],
      ['beta(2, 2) f32', '1.5'],
      ['bernoulli(0.3) f32', '0.5'],
      ['bernoulli(0.3) i32', '2'],
      ['categorical([1, 2]) i32', '2'],
      ['categorical(logits: [1, 2]) i32', '2'],
      ['categorical(logits: [1, 2]) i32', '-1'],
      ['dirichlet(1) f32[2]', '[-0.5, 1.5]'],
      ['subset(weights: [1, 2]) i32[1]', '[4]'],
      ['subset(weights: [1, 2, 3]) i32[2]', '[1, 1]'],
      ['subset(weights: [1, 2, 0]) i32[2]', '[0, 2]'],
    ])
      expect(outside(dist, at), `${dist} at ${at}`).toBe(Number.NEGATIVE_INFINITY);
  });
  test('at the ends of the support, and of the widest range of integers', () => {
    const value = (dist: string, at: string) => evaluateAll([`logp(z) at { z: ${at} }`], `sample z ~ ${dist}`)[0];
    // exp(-x), 1, 2 (1 - x) and 2 x2, where a power of 0 is x^0
    expect(value('gamma(1) f32', '0')).toBeCloseTo(0, 8);
    expect(value('beta(1, 1) f32', '0')).toBeCloseTo(0, 8);
    expect(value('beta(1, 2) f32', '0')).toBeCloseTo(Math.LN2, 8);
    expect(value('dirichlet([1, 2]) f32[2]', '[0, 1]')).toBeCloseTo(Math.LN2, 8);
    expect(value('integers(-2000000000, 2000000000) i32', '5')).toBeCloseTo(-Math.log(4e9), 6);
  });
  test('of the draw itself: z is held fixed, derivatives go to the arguments; at v they flow into v too', () => {
    const preamble = 'var m = 0.4\nvar s = 1.5\nsample z ~ normal(m, s) f32[3]\nlet w = z\n';
    const [own, byHand, dm, wanted, dv] = evaluateAll(
      [
        'logp(z)',
        'sum(-0.5 * ((z - m) / s)^2 - log(s) - 0.5 * log(2 * pi))',
        'grad(logp(w), m)',
        'sum((z - m) / s^2)',
        'sum(grad(logp(z) at { z: [1.0, 2, 3] * m }, m))',
      ],
      preamble,
    );
    expect(own).toBeCloseTo(byHand, 5);
    expect(dm).toBeCloseTo(wanted, 5);
    // d/dm of -0.5 sum((c m - m)^2) / s^2 with c = 1, 2, 3
    expect(dv).toBeCloseTo(-((0 + 1 + 4) * 0.4) / 1.5 ** 2, 5);
  });
  test('derivatives by shapes against central differences', () => {
    const value = (dist: string, at: string) => evaluateAll([`logp(z) at { z: ${at} }`], `sample z ~ ${dist}`)[0];
    const slope = (dist: (a: number) => string, at: string, a: number) =>
      (value(dist(a + 1e-3), at) - value(dist(a - 1e-3), at)) / 2e-3;
    const derivative = (dist: string, at: string, a: number) =>
      evaluateAll([`grad(logp(z) at { z: ${at} }, a)`], `var a: f32 = ${a}\nsample z ~ ${dist}`)[0];
    for (const a of [0.2, 1.5, 7.9, 30]) {
      expect(derivative('gamma(a, 2) f32', '3', a)).toBeCloseTo(
        slope((x) => `gamma(${x}, 2) f32`, '3', a),
        4,
      );
      expect(derivative('beta(a, 2) f32', '0.3', a)).toBeCloseTo(
        slope((x) => `beta(${x}, 2) f32`, '0.3', a),
        4,
      );
    }
  });
  test('the score function estimates the gradient of a mean', () => {
    // d/dp of p 0.7^2 + (1 - p) 0.3^2 is 0.4
    const text = `var p = 0.4
sample a ~ bernoulli(p) f32[40000]
fn coin(a, p) = a * log(p) + (1 - a) * log(1 - p)
metric scores = grad(logp(a), p) - grad(sum(coin(stop(a), p)), p)
metric slope = mean((a - 0.3)^2 * (a / p - (1 - a) / (1 - p)))`;
    const run = runSpec(text);
    expect(Math.abs(run.last('scores'))).toBeLessThan(1e-6);
    expect(run.last('slope')).toBeCloseTo(0.4, 1);
  });
});

describe('routes of gradients', () => {
  test('a discrete draw that becomes a number needs logp', () => {
    const of = (cost: string) => `var w = [0.1, 0.2]
sample c ~ categorical(logits: w) i32
sample g ~ gamma(1 + w[0], w[1]) f32
metric m = sum(grad(${cost}, w))`;
    const codes = (cost: string) => errorsOf(of(cost)).map((d) => d.code);
    expect(codes('f32(c) * 2')).toEqual(['OPT429']);
    expect(codes('f32(c == 1) * w[0]')).toEqual(['OPT429']);
    expect(codes('g^2')).toEqual(['OPT429']);
    for (const fine of [
      'stop(f32(c)) * w[0]',
      'stop(f32(c)) * logp(c)',
      'f32(c) * w[0] + stop(f32(c)) * logp(c)',
      'w[c]',
      'where(c == 0, w[0], w[1])',
      'stop(g^2) * logp(g)',
    ])
      expect(Number.isFinite(runSpec(of(fine)).last('m')), fine).toBe(true);
  });
  test('the scale of gamma is pathwise', () => {
    const text = 'var s = 2.0\nsample g ~ gamma(3, s) f32\nmetric m = grad(g, s) - g / s';
    expect(runSpec(text).last('m')).toBeCloseTo(0, 6);
  });
  test('draws whose arguments nobody moves are constants', () => {
    const text = 'var w = 2.0\nsample a ~ bernoulli(0.5) f32\nmetric m = grad(a * w, w) - a';
    expect(runSpec(text).last('m')).toBeCloseTo(0, 6);
  });
});

describe('streams', () => {
  test('a named stream does not depend on the text around it', () => {
    const a = runSpec('sample z ~ normal f32[2] stream noise\nvar k = z').values('k');
    const b = runSpec('fn f() { sample q ~ normal f32[2] stream noise; q }\nvar k = f()').values('k');
    expect(a).toEqual(b);
    const c = runSpec('sample z ~ normal f32[2]\nvar k = z').values('k');
    expect(a).not.toEqual(c);
  });
});

describe('arguments from which nothing can be drawn', () => {
  /** Known while compiling: the argument is named. */
  const known: [string, string][] = [
    ['categorical([0, 0, 0]) i32', 'categorical cannot be drawn: all weights are 0'],
    ['categorical(zeros(3)) i32', 'categorical cannot be drawn: all weights are 0'],
    ['categorical([[1, 1], [-1, 2]])', 'categorical cannot be drawn: a weight is -1'],
    ['subset(weights: [1, 0, 0]) i32[2]', 'subset cannot be drawn: 1 of the weights is positive, 2 are needed'],
    ['subset(weights: zeros(3)) i32[1]', 'subset cannot be drawn: all weights are 0'],
    ['subset(4) i32[5]', '[5] cannot be drawn from 4 without replacement'],
    ['permutation(0)', 'permutation needs at least one element, not 0'],
    ['bernoulli(1.5) f32', 'p of bernoulli is 1.5, but must be in 0..1'],
    ['bernoulli([0.5, -0.1]) f32[2]', 'p of bernoulli is -0.1, but must be in 0..1'],
    ['normal(std: -1) f32', 'std of normal is -1, but must be at least 0'],
    ['normal(std: [1, -1]) f32[2]', 'std of normal is -1, but must be at least 0'],
    ['uniform(1, 0) f32', 'hi of uniform is 0, but must be at least 1'],
    ['uniform(hi: -1) f32', 'hi of uniform is -1, but must be at least 0'],
    ['integers(3, 3) i32', 'integers(3, 3) is empty'],
    ['gamma(0) f32', 'shape of gamma is 0, but must be greater than 0'],
    ['gamma(1, 0) f32', 'scale of gamma is 0, but must be greater than 0'],
    ['beta(0, 1) f32', 'a of beta is 0, but must be greater than 0'],
    ['dirichlet([1, 0]) f32[2]', 'a of dirichlet is 0, but must be greater than 0'],
  ];
  test.each(known)('%s', (text, message) => {
    const [error] = errorsOf(`sample z ~ ${text}\nvar k = z`);
    expect([error.code, error.message]).toEqual(['OPT321', message]);
  });
  test('rows of a batch', () => {
    const [error] = errorsOf(
      'data D = { x: [1.0, 2] }\ntrain 1 { batch b = D[2] replacement weights [0, 0]\nreport m = sum(b.x) }',
    );
    expect([error.code, error.message]).toEqual(['OPT321', 'the batch cannot be drawn: all weights are 0']);
  });
  test('those at the limit are drawn', () => {
    expect(draw('categorical([7]) i32[3]')).toEqual([0, 0, 0]);
    expect(draw('permutation(1)')).toEqual([0]);
    expect(draw('subset(1) i32[1]')).toEqual([0]);
    expect(new Set(draw('subset(weights: [1, 0, 2]) i32[2]'))).toEqual(new Set([0, 2]));
    expect(draw('bernoulli(0) f32[50]')).toEqual(Array(50).fill(0));
    expect(draw('bernoulli(1) f32[50]')).toEqual(Array(50).fill(1));
    expect(draw('normal(3, 0) f32[2]')).toEqual([3, 3]);
    expect(draw('uniform(2, 2) f32[2]')).toEqual([2, 2]);
    expect(draw('integers(-2, -1) i32[2]')).toEqual([-2, -2]);
  });
  test('a fault of a branch that is not taken is none', () => {
    const text = `var w = [0.0, 0, 0]
let c = if sum(w) > 0 { sample z ~ categorical(w) i32\n z } else { 7 }
let d = map 0..2 as i { if i == 1 { sample z ~ categorical(w + f32(i)) i32\n z } else { 9 } }
metric m = f32(c)
metric n = f32(d[0])`;
    expect([runSpec(text).last('m'), runSpec(text).last('n')]).toEqual([7, 9]);
  });
});

test('wrong arguments of draws', () => {
  const code = (text: string) => errorsOf(`sample z ~ ${text}\nvar k = z`).map((d) => d.code);
  for (const text of [
    'gamma(-1) f32',
    'subset(3) i32[4]',
    'subset(3) i32[2, 2]',
    'subset(3, weights: [1, 2]) i32[1]',
    'subset(weights: [1, 2]) i32[3]',
    'permutation(3) i32[2]',
    'orthogonal f32[3]',
    'dirichlet(1) f32',
    'gamma(1) i32',
  ])
    expect(code(text), text).toEqual(['OPT321']);
  expect(errorsOf('let a = 1.0\nmetric m = logp(a)')[0].code).toBe('OPT415');
  expect(errorsOf('sample q ~ orthogonal f32[2, 2]\nmetric m = logp(q)')[0].code).toBe('OPT415');
});
