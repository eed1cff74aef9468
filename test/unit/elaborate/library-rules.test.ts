/** Rules of the library against Optax 0.2.8 in float64 (numbers below), and properties of those that it lacks. test/parity/optax.opt holds all of them to Optax on a network. */
import { describe, expect, test } from 'vitest';
import { runSpec } from './run-spec.ts';

const names =
  'sgd, momentum, nesterov, adam, amsgrad, adadelta, diffgrad, lion, lamb, muon, sam, ema, lookahead, centralize, agc, clip_leaf';
const uses = `use rules { ${names} }\n`;
const twenty = (rule: string) =>
  runSpec(
    `${uses}let c = [1.0, 2.0, 3.0]\nvar x: f32[3] = [1.5, -0.7, 0.3]\ntrain 20 { update x by ${rule} minimizing sum(c * x^2 + sin(x)) }`,
  ).values('x');

// x = [1.5, -.7, .3]; 20 times: u, s = tx.update(jax.grad(f)(x), s, x); x = x + u with f(x) = sum([1, 2, 3] * x**2 + sin(x)), jax_enable_x64
const optax: readonly (readonly [string, readonly number[]])[] = [
  ['momentum(0.02)', [-0.8402805603649266, -0.3913248638807067, -0.06505431396611541]],
  ['nesterov(0.02)', [-0.6946955595858314, -0.3060212483223454, -0.1411583706132042]],
  ['amsgrad(0.1)', [-0.08657529848793173, -0.16953129360804203, -0.22990653377934867]],
  ['adadelta()', [1.430688894438864, -0.6339957206195919, 0.2336696861050049]],
  ['lion(0.05, decay: 0.1)', [0.4030205231581028, -0.17140425268622259, -0.28945236467331187]],
  ['lamb(0.1, decay: 0.01)', [0.19472643572731096, -0.1759661738023754, -0.22174265228801393]],
  ['ema(0.9) |> sgd(0.1)', [-0.7469259629604109, -0.3197577784118358, -0.1282071790525746]],
  ['ema(0.9, debias: 0) |> sgd(0.1)', [-0.8772699975454596, -0.13091834878414085, -0.13260961908258667]],
  ['clip_leaf(1) |> sgd(0.1)', [-0.24911068407982545, -0.24503444699661633, -0.16431047634909915]],
];

describe('20 steps as Optax takes them', () => {
  test.each(optax)('%s', (rule, wanted) => {
    twenty(rule).forEach((v, i) => expect(v).toBeCloseTo(wanted[i], 11));
  });
});

describe('diffgrad', () => {
  const steps = (rule: string, objective: string) =>
    runSpec(`${uses}var x: f32 = 0\ntrain 6 { update x by ${rule} minimizing ${objective}\nreport x }`).all('x');
  test('goes half of a step of Adam while the direction stays, all of it where it jumps', () => {
    const own = steps('diffgrad(0.1)', '3 * x');
    const adam = steps('adam(0.1)', '3 * x');
    // from the second update on the direction is the same as before: sigmoid(0) = 1/2
    for (let k = 2; k < 6; k++) expect(own[k] - own[k - 1]).toBeCloseTo((adam[k] - adam[k - 1]) / 2, 12);
    const jump = steps('diffgrad(0.1)', '100 * x');
    expect(jump[0]).toBeCloseTo(-0.1, 9);
  });
});

describe('lookahead', () => {
  test('pulls p back to the slow weights every n updates', () => {
    const x = runSpec(
      `${uses}var x: f32 = 1\ntrain 6 { update x by sgd(1) |> lookahead(3, alpha: 0.5) minimizing x\nreport x }`,
    ).all('x');
    expect(x).toEqual([0, -1, -0.5, -1.5, -2.5, -2]);
  });
});

describe('sam', () => {
  test('takes the gradient a distance rho uphill', () => {
    // f = x^2 / 2 + 2 y^2 at (3, 1): g = (3, 4), |g| = 5; gradient at (3 + 0.6, 1 + 0.8) with rho = 1
    const m = runSpec(
      `${uses}var x: f32 = 3\nvar y: f32 = 1\ntrain 1 { update x, y by sam(1) |> sgd(0.1) minimizing x^2 / 2 + 2 * y^2 }`,
    );
    expect(m.value('x')).toBeCloseTo(3 - 0.36, 12);
    expect(m.value('y')).toBeCloseTo(1 - 0.72, 12);
  });
});

describe('rules of matrices', () => {
  const matrix = (rule: string, gradient: string) =>
    runSpec(
      `${uses}var W: f32[2, 3] = [[3.0, 0.0, 1.0], [4.0, 1.0, 0.0]]\ntrain 1 { update W by ${rule} minimizing sum(W * ${gradient}) }`,
    ).values('W');
  test('centralize takes the mean of each column off', () => {
    expect(matrix('centralize() |> sgd(1)', '[[1.0, 2.0, 3.0], [3.0, 2.0, 5.0]]')).toEqual([4, 0, 2, 3, 1, -1]);
  });
  test('agc bounds the direction of a column by the length of its weights', () => {
    // columns are 5, 1 and 1 long, their directions 2, 2 and 0.05
    const moved = matrix('agc(0.1) |> sgd(1)', '[[0.0, 2.0, 0.05], [2.0, 0.0, 0.0]]');
    [3, -0.1, 0.95, 3.5, 1, 0].forEach((v, i) => expect(moved[i]).toBeCloseTo(v, 12));
  });
  test('muon steps along a nearly orthogonal matrix', () => {
    const w = matrix('muon(1)', '[[1.0, 0.2, 0.0], [0.0, 0.5, 2.0]]');
    const before = [3, 0, 1, 4, 1, 0];
    const d = before.map((v, i) => (v - w[i]) / Math.sqrt(1.5));
    const dot = (a: number, b: number) => d[a] * d[b] + d[a + 1] * d[b + 1] + d[a + 2] * d[b + 2];
    for (const row of [0, 3]) {
      expect(dot(row, row)).toBeGreaterThan(0.4);
      expect(dot(row, row)).toBeLessThan(1.5);
    }
    expect(Math.abs(dot(0, 3))).toBeLessThan(0.2);
  });
});

describe('lbfgs', () => {
  type Vector = readonly number[];
  const dot = (a: Vector, b: Vector) => a.reduce((sum, v, i) => sum + v * b[i], 0);
  const add = (a: Vector, b: Vector, t: number) => a.map((v, i) => v + t * b[i]);
  /** Rosenbrock's function of (x, y) with another parabola in z. */
  const f = ([x, y, z]: Vector) => (1 - x) ** 2 + 10 * (y - x * x) ** 2 + (z - 2) ** 2 + 0.1 * z ** 4;
  const slope = ([x, y, z]: Vector) => [
    -2 * (1 - x) - 40 * x * (y - x * x),
    20 * (y - x * x),
    2 * (z - 2) + 0.4 * z ** 3,
  ];

  /** H g by the dense formula (I - s y'/sy) H (I - y s'/sy) + s s'/sy for each pair, the oldest first, from gamma I. */
  function inverseHessian(pairs: readonly (readonly [Vector, Vector])[]): number[][] {
    const last = pairs[pairs.length - 1] as (typeof pairs)[number] | undefined;
    const gamma = last ? dot(...last) / dot(last[1], last[1]) : 1;
    let H = [0, 1, 2].map((i) => [0, 1, 2].map((j) => (i === j ? gamma : 0)));
    for (const [s, y] of pairs) {
      const sy = dot(s, y);
      const A = [0, 1, 2].map((i) => [0, 1, 2].map((j) => (i === j ? 1 : 0) - (s[i] * y[j]) / sy));
      const AH = A.map((row) => [0, 1, 2].map((j) => dot(row, [H[0][j], H[1][j], H[2][j]])));
      H = AH.map((row, i) => A.map((a, j) => dot(row, a) + (s[i] * s[j]) / sy));
    }
    return H;
  }

  function plain(start: Vector, memory: number, updates: number): Vector[] {
    const path: Vector[] = [];
    let pairs: (readonly [Vector, Vector])[] = [];
    let x = start;
    for (let k = 0; k < updates; k++) {
      const g = slope(x);
      const d = inverseHessian(pairs).map((row) => -dot(row, g));
      let t = k === 0 ? Math.min(1, 1 / Math.hypot(...g)) : 1;
      let [low, high] = [0, Number.POSITIVE_INFINITY];
      for (let tries = 0; tries < 25; tries++) {
        const q = add(x, d, t);
        if (f(q) > f(x) + 1e-4 * t * dot(g, d)) high = t;
        else if (dot(slope(q), d) < 0.9 * dot(g, d)) low = t;
        else break;
        t = high < Number.POSITIVE_INFINITY ? (low + high) / 2 : 2 * t;
      }
      const next = add(x, d, t);
      pairs = [...pairs, [add(next, x, -1), add(slope(next), g, -1)] as const].slice(-memory);
      x = next;
      path.push(x);
    }
    return path;
  }

  const text = (memory: number, updates: number) => `use rules { lbfgs }
var a: f32[2] = [-1.2, 1.0]
var z = 3.0
fn f = (1 - a[0])^2 + 10 * (a[1] - a[0]^2)^2 + (z - 2)^2 + 0.1 * z^4
train ${updates} {
  update a, z by lbfgs(${memory}) minimizing f
  report x = a[0], y = a[1], z
}`;
  test.each([1, 3, 10])('with %i pairs takes the steps that the dense formula takes', (memory) => {
    const m = runSpec(text(memory, 12));
    plain([-1.2, 1, 3], memory, 12).forEach((x, k) =>
      x.forEach((v, i) => expect(m.all('xyz'[i])[k], `update ${k}`).toBeCloseTo(v, 8)),
    );
  });
  test('ends at the minimum, and stays there', () => {
    const m = runSpec(text(10, 40));
    expect(Math.hypot(...slope([m.last('x'), m.last('y'), m.last('z')]))).toBeLessThan(1e-7);
  });
  test('maximizes, and in loops begins with the variable that it moves', () => {
    const m = runSpec(`use rules { lbfgs }
train 2 {
  var x: f32[2] = [3.0, -1.0]
  repeat 12 { update x by lbfgs() maximizing -(x[0] - 1)^2 - 3 * (x[1] - f32(step))^2 }
  report there = x[0], other = x[1]
}`);
    m.all('there').forEach((x) => expect(x).toBeCloseTo(1, 6));
    expect(m.all('other')).toEqual([expect.closeTo(0, 6), expect.closeTo(1, 6)]);
  });
});
