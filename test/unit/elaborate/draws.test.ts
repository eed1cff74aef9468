/** Randomness: keys by path and loop, paired runs, batches as permutations, moments of the distributions. */
import { describe, expect, test } from 'vitest';
import { compileSpec, errorsOf, runSpec } from './run-spec.ts';

const mean = (xs: readonly number[]) => xs.reduce((a, b) => a + b, 0) / xs.length;

describe('distributions', () => {
  const draw = (text: string) => runSpec(`sample z ~ ${text}\nvar keep = z`).values('keep');
  test('normal, uniform, bernoulli, rademacher, integers have their moments', () => {
    const normal = draw('normal(1, 2) f32[20000]');
    expect(mean(normal)).toBeCloseTo(1, 1);
    expect(mean(normal.map((x) => (x - 1) ** 2))).toBeCloseTo(4, 0);
    const uniform = draw('uniform(-1, 3) f32[20000]');
    expect(Math.min(...uniform)).toBeGreaterThanOrEqual(-1);
    expect(Math.max(...uniform)).toBeLessThan(3);
    expect(mean(uniform)).toBeCloseTo(1, 1);
    const bernoulli = draw('bernoulli(0.25) f32[20000]');
    expect(new Set(bernoulli)).toEqual(new Set([0, 1]));
    expect(mean(bernoulli)).toBeCloseTo(0.25, 1);
    expect(new Set(draw('rademacher f32[100]'))).toEqual(new Set([-1, 1]));
    expect(new Set(draw('integers(2, 5) i32[200]'))).toEqual(new Set([2, 3, 4]));
  });
  test('a permutation has every index once', () => {
    expect([...draw('permutation(50)')].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });
  test('initial weights have the spread of their fans', () => {
    const glorot = runSpec('frozen W: f32[60, 40] ~ glorot\nmetric m = sum(W)').values('W');
    expect(Math.max(...glorot.map(Math.abs))).toBeLessThanOrEqual(Math.sqrt(6 / 100));
    expect(Math.max(...glorot.map(Math.abs))).toBeGreaterThan(0.95 * Math.sqrt(6 / 100));
    const he = runSpec('frozen W: f32[200, 100] ~ he\nmetric m = sum(W)').values('W');
    expect(Math.sqrt(mean(he.map((x) => x * x)))).toBeCloseTo(Math.sqrt(2 / 200), 2);
  });
  test('initializers of the library have their moments', () => {
    const weights = (init: string, type: string) =>
      runSpec(`frozen W: ${type} ~ ${init}\nmetric m = sum(W)`).values('W');
    const variance = (xs: readonly number[]) => mean(xs.map((x) => x * x));
    const wanted: Record<string, number> = {
      glorot: 2 / 300,
      glorot_normal: 2 / 300,
      he: 2 / 200,
      he_uniform: 2 / 200,
      lecun: 1 / 200,
      lecun_uniform: 1 / 200,
      'truncated_normal(0.1)': 0.01 * 0.7737413,
    };
    for (const [init, v] of Object.entries(wanted))
      expect(variance(weights(init, 'f32[200, 100]')) / v, init).toBeCloseTo(1, 1);
    expect(variance(weights('he_conv', 'f32[3, 3, 40, 60]')) / (2 / 360), 'he_conv').toBeCloseTo(1, 1);
    expect(variance(weights('glorot_conv', 'f32[3, 3, 40, 60]')) / (2 / 900), 'glorot_conv').toBeCloseTo(1, 1);
    const cut = weights('truncated_normal', 'f32[200, 100]').map(Math.abs);
    expect(Math.max(...cut)).toBeLessThan(2);
    expect(Math.max(...cut)).toBeGreaterThan(1.97);
    // Within one standard deviation lie 0.6827 / 0.9545 of them.
    expect(cut.filter((x) => x < 1).length / cut.length).toBeCloseTo(0.7152, 1);
  });
  test('an initializer is a fn: dims from the cell, arguments, the key of the cell, seeds, shadowing', () => {
    const own = `fn spread(c = 1) -> f32[i, o] { sample w ~ uniform(0, c * i / o) f32[i, o]; w }
fn steps() -> f32[n] = f32(0..n)
fn glorot() = 7
`;
    const m = runSpec(`${own}frozen A: f32[3, 2] ~ spread(10)
frozen U: f32[3, 2] ~ uniform
frozen B: f32[2, 2] ~ spread(c: 1) seed 5
frozen C: f32[2, 2] ~ uniform seed 5
frozen D: f32[4] ~ steps
frozen E: f32[2] ~ glorot
model M = layered
layer layered(x: f32[n, i], o: dim = 2, init: fn = spread) { param W: f32[i, o] ~ init; x @ W }
metric m = sum(A) + sum(B) + sum(C) + sum(D) + sum(E) + sum(U) + sum(M(ones(1, 4)))`);
    expect(Math.max(...m.values('A'))).toBeGreaterThan(1);
    expect(Math.max(...m.values('A'))).toBeLessThan(15);
    expect(m.values('D')).toEqual([0, 1, 2, 3]);
    expect(m.values('E')).toEqual([7, 7]);
    expect(m.values('M.W').length).toBe(8);
    // The first draw of an initializer is keyed as the cell's own would be.
    const plain = runSpec('frozen A: f32[3, 2] ~ uniform(0, 15)\nmetric m = sum(A)').values('A');
    m.values('A').forEach((a, k) => expect(a).toBeCloseTo(plain[k], 12));
    expect(new Set(m.values('B')).size).toBe(4);
  });
  test('an initializer of another rank or type is refused', () => {
    expect(errorsOf('frozen W: f32[3] ~ glorot\nmetric m = sum(W)')[0]).toMatchObject({ code: 'OPT321' });
    expect(
      errorsOf('fn square() -> f32[n, n] = zeros(n, n)\nfrozen W: f32[2, 3] ~ square\nmetric m = sum(W)')[0].code,
    ).toBe('OPT321');
    expect(errorsOf('frozen W: f32[3, 3] ~ glorott\nmetric m = sum(W)')[0].hint).toMatch(/glorot/);
    expect(errorsOf('frozen W: f32[3, 3] ~ truncated_normal(1, 2)\nmetric m = sum(W)')[0].code).toBe('OPT210');
  });
  test('location and scale are differentiable', () => {
    const m = runSpec(
      'var s: f32 = 2\nsample z ~ normal(s, s^2) f32[3]\nmetric slope = grad(sum(z), s)\nmetric total = sum(z)',
    );
    // z = s + s^2 e, so d sum(z) / ds = 3 + 2 s sum(e), with sum(e) = (sum(z) - 3 s) / s^2
    expect(m.last('slope')).toBeCloseTo(3 + (2 * 2 * (m.last('total') - 6)) / 4, 10);
  });
});

describe('keys', () => {
  const steps = 'train 4 { sample z ~ normal f32\n report z }';
  test('a draw of a step differs by step and seed, and repeats for one seed', () => {
    const a = runSpec(steps).all('z');
    expect(new Set(a).size).toBe(4);
    expect(runSpec(steps).all('z')).toEqual(a);
    expect(runSpec(steps, { seed: 1 }).all('z')).not.toEqual(a);
  });
  test('each turn of a repeat draws anew, each naming of a parameterless fn does not', () => {
    const m = runSpec(
      'train 1 { var t = 0.0\n var u = 0.0\n fn once { sample z ~ normal f32\n z }\n repeat 2 as i { sample z ~ normal f32\n t <- t + (2 * i - 1) * z\n u <- u + (2 * i - 1) * once }\n report t, u }',
    );
    expect(Math.abs(m.last('t'))).toBeGreaterThan(1e-6);
    expect(m.last('u')).toBe(0);
  });
  test('call sites draw apart; as, stream and seed name and fix them', () => {
    const m = runSpec(`fn noise(n: dim) { sample z ~ normal f32[n]
 z }
metric apart = sum(abs(noise(3) - noise(3)))
sample a ~ normal f32 stream common
sample b ~ normal f32 stream common
metric together = a - b`);
    expect(m.last('apart')).toBeGreaterThan(1e-6);
    expect(m.last('together')).toBe(0);
    const fixed = (seed: number) => runSpec('sample z ~ normal f32 seed 3\nmetric m = z', { seed }).last('m');
    expect(fixed(0)).toBe(fixed(7));
  });
  test('runs of one trial are paired', () => {
    const m = runSpec(`use rules { sgd }
use nn { linear }
trial fit(rate) {
  model N(x: f32[n, 2]) { linear(x, 1) }
  train 3 {
    sample z ~ normal f32[4, 2]
    let l = mean(N(z))
    update N by sgd(rate) minimizing l
    let q = sum(z)
    report q
  }
}
run a = fit(0.1)
run b = fit(0.2)`);
    expect(m.all('a/q')).toEqual(m.all('b/q'));
    expect(m.values('a/N.linear_0.W')).not.toEqual(m.values('b/N.linear_0.W'));
  });
  test('editing elsewhere does not shift a draw', () => {
    const plain = runSpec('sample z ~ normal f32\nmetric m = z').last('m');
    expect(runSpec('sample before ~ normal f32[3]\nsample z ~ normal f32\nmetric m = z').last('m')).toBe(plain);
  });
});

describe('batches', () => {
  const walk = (rows: number, count: number, steps: number, seed = 0) => {
    const fields = Array.from({ length: count }, (_, i) => `let r${i} = s.x[${i}]\n report r${i}`).join('\n');
    const m = runSpec(`data D = { x: f32(0..${rows}) }\ntrain ${steps} { batch s = D[${count}]\n ${fields} }`, {
      seed,
    });
    return Array.from({ length: steps }, (_, t) => Array.from({ length: count }, (_, i) => m.all(`r${i}`)[t])).flat();
  };
  test('every epoch is a permutation of the rows, another one each time', () => {
    const seen = walk(12, 4, 6);
    const sorted = (xs: number[]) => [...xs].sort((a, b) => a - b);
    const rows = Array.from({ length: 12 }, (_, i) => i);
    expect(sorted(seen.slice(0, 12))).toEqual(rows);
    expect(sorted(seen.slice(12))).toEqual(rows);
    expect(seen.slice(0, 12)).not.toEqual(seen.slice(12));
  });
  test('a batch runs over the end of an epoch', () => {
    const seen = walk(5, 3, 5);
    for (let epoch = 0; epoch < 3; epoch++) expect(new Set(seen.slice(5 * epoch, 5 * epoch + 5)).size).toBe(5);
  });
  test('with replacement, rows are in range; index tells them', () => {
    const m = runSpec(
      'data D = { x: f32(0..7) }\ntrain 20 { batch s = D[8] replacement\n let gap = max(abs(s.x - f32(s.index)))\n let top = max(s.index)\n report gap, top }',
    );
    expect(Math.max(...m.all('gap'))).toBe(0);
    expect(Math.max(...m.all('top'))).toBeLessThan(7);
    expect(new Set(m.all('top')).size).toBeGreaterThan(1);
  });
  test('a batch inside every goes on where it stopped', () => {
    const m = runSpec(
      'data D = { x: f32(0..4) }\nvar last: f32 = -1\ntrain 8 { every 2 { batch s = D[1]\n last <- s.x[0] }\n report last }',
    );
    const seen = m.all('last').filter((_, i) => i % 2 === 0);
    expect(new Set(seen).size).toBe(4);
  });
});

describe('frozen', () => {
  test('is drawn once and shared by all runs', () => {
    const program = compileSpec(
      'frozen Z: f32[4] ~ normal\ntrial t(a) { metric m = a * sum(Z) }\nrun p = t(1)\nrun q = t(2)',
    ).program;
    expect(program.cells.filter((c) => c.kind === 'frozen').map((c) => [c.id, c.run])).toEqual([['Z', '']]);
  });
  test('may never be moved, under whatever name', () => {
    const text =
      'use rules { sgd }\nfrozen Z: f32[4] ~ normal\ntrial t(v) { train 1 { update v by sgd(0.1) minimizing sum(v) } }\nrun a = t(Z)';
    expect(errorsOf(text)[0].code).toBe('OPT416');
  });
});

describe('categorical', () => {
  test('frequencies follow weights and logits, by row; rows of a batch of weights', () => {
    const shares = (text: string, preamble = '') => {
      const drawn = runSpec(`${preamble}sample z ~ ${text}\nvar keep = z`).values('keep');
      return [0, 1, 2].map((c) => drawn.filter((x) => x === c).length / drawn.length);
    };
    const wanted = [0.2, 0.5, 0.3];
    for (const [i, share] of shares('categorical([2.0, 5.0, 3.0]) i32[8000]').entries())
      expect(share).toBeCloseTo(wanted[i], 1);
    for (const [i, share] of shares('categorical(logits: log(w)) i32[8000]', 'var w = [2.0, 5.0, 3.0]\n').entries())
      expect(share).toBeCloseTo(wanted[i], 1);
    expect(shares('categorical([0.0, 1.0, 0.0]) i32[500]')).toEqual([0, 1, 0]);
    const rows = runSpec('sample z ~ categorical([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])\nvar keep = z').values('keep');
    expect(rows).toEqual([2, 0]);
    expect(errorsOf('sample z ~ categorical([1.0, 1.0]) f32[3]\nmetric m = sum(z)')[0].code).toBe('OPT321');
  });
});

describe('fresh', () => {
  const noisy = 'fn noisy { sample z ~ normal f32[3]\n sum(z) }\n';
  test('draws anew, at every step, and the same for the same place', () => {
    const m = runSpec(`${noisy}train 3 { let a = noisy; let b = fresh noisy; let c = fresh a
report same = noisy - a, other = b - a, third = c - b, b }`);
    expect(m.all('same')).toEqual([0, 0, 0]);
    for (const name of ['other', 'third']) for (const x of m.all(name)) expect(Math.abs(x)).toBeGreaterThan(1e-6);
    expect(new Set(m.all('b')).size).toBe(3);
  });
  test('a batch under it is other rows and moves no cursor', () => {
    const text = (inside: string) => `data D = { x: f32(0..40) }\ntrain 5 { batch b = D[8]
${inside}
report rows = sum(b.x) }`;
    const m = runSpec(text('let other = fresh sum(b.x)\nreport other'));
    expect(m.all('rows')).toEqual(runSpec(text('')).all('rows'));
    expect(m.all('other')).not.toEqual(m.all('rows'));
    expect(m.all('rows').reduce((a, b) => a + b)).toBe(780);
  });
  test('derivatives and structures pass through', () => {
    const m = runSpec(`var s: f32 = 2
fn draw { sample z ~ normal f32\n { a: s * z, n: 3 } }
let d = fresh draw
metric gap = grad(d.a, s) * s - d.a
metric apart = d.a - draw.a
metric n = d.n`);
    expect(m.last('gap')).toBeCloseTo(0, 12);
    expect(Math.abs(m.last('apart'))).toBeGreaterThan(1e-6);
    expect(m.last('n')).toBe(3);
  });
});
