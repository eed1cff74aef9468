/** Functions of the standard library against their formulas, in float64 code of their own. */
import { expect, test } from 'vitest';
import { errorsOf, evaluateAll } from './run-spec.ts';

/** Each expression with its value; vectors are looked at one element at a time. */
function compare(use: string, cases: readonly (readonly [string, number])[]): void {
  const found = evaluateAll(
    cases.map(([expression]) => expression),
    use,
  );
  cases.forEach(([expression, wanted], i) => expect(found[i], expression).toBeCloseTo(wanted, 6));
}

const points = [-2.5, -0.4, 0, 0.7, 3];
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

test('activations', () => {
  const formulas: Record<string, (x: number) => number> = {
    relu: (x) => Math.max(x, 0),
    leaky_relu: (x) => (x > 0 ? x : 0.01 * x),
    silu: (x) => x * sigmoid(x),
    gelu: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
    elu: (x) => (x > 0 ? x : Math.expm1(x)),
  };
  compare(
    'use nn { relu, leaky_relu, silu, gelu, elu }',
    Object.entries(formulas).flatMap(([name, f]) => points.map((x) => [`${name}(${x.toFixed(1)})`, f(x)] as const)),
  );
});

const logits = [
  [0.3, -1.2, 2],
  [1, 0.5, -0.5],
];
const other = [
  [-0.1, 0.4, 1],
  [0.2, -2, 0.7],
];
const text = (rows: readonly (readonly number[])[]) => `[${rows.map((r) => `[${r.map((x) => x.toFixed(2))}]`)}]`;
const logSoftmax = (row: readonly number[]) => {
  const sum = row.reduce((s, x) => s + Math.exp(x), 0);
  return row.map((x) => x - Math.log(sum));
};

test('losses of classes', () => {
  const y = [2, 0];
  const q = [
    [0.2, 0.3, 0.5],
    [0.6, 0.4, 0],
  ];
  const preamble = `use losses { cross_entropy, soft_cross_entropy, nll, kl }
let z: f32[2, 3] = ${text(logits)}
let w: f32[2, 3] = ${text(other)}
let q: f32[2, 3] = ${text(q)}
let y: i32[2] = [2, 0]`;
  compare(
    preamble,
    logits.flatMap((row, i) => {
      const [lp, lq] = [logSoftmax(row), logSoftmax(other[i])];
      return [
        [`cross_entropy(z, y)[${i}]`, -lp[y[i]]],
        [`soft_cross_entropy(z, q)[${i}]`, -lp.reduce((s, l, k) => s + q[i][k] * l, 0)],
        [`nll(log_softmax(z), y)[${i}]`, -lp[y[i]]],
        [`kl(z, w)[${i}]`, lp.reduce((s, l, k) => s + Math.exp(l) * (l - lq[k]), 0)],
      ] as const;
    }),
  );
});

test('losses of classes keep all leading axes, and refuse classes of another shape', () => {
  compare(
    `use losses { cross_entropy, focal, smooth_cross_entropy, multi_hinge }
let z = reshape(sin(0.7 * f32(0..24)), 2, 3, 4)
let y: i32[2, 3] = [[0, 3, 1], [2, 2, 0]]`,
    ['cross_entropy', 'focal', 'smooth_cross_entropy', 'multi_hinge'].flatMap((name) => [
      [`max(abs(${name}(z, y) - reshape(${name}(reshape(z, 6, 4), reshape(y, 6)), 2, 3)))`, 0],
      [`${name}(z[1, 2], 0) - ${name}(z, y)[1, 2]`, 0],
    ]),
  );
  for (const classes of ['y[0]', 'y[:, 0]', 'y[0..1]', 'transpose(y)']) {
    const [error] = errorsOf(`use losses { cross_entropy }
let z = zeros(2, 3, 4)
let y: i32[2, 3] = [[0, 3, 1], [2, 2, 0]]
metric m = mean(cross_entropy(z, ${classes}))`);
    expect(error.code, classes).toMatch(/OPT30[23]/);
  }
});

test('losses of numbers', () => {
  const [p, t] = [logits.flat(), other.flat()];
  const r = p.map((x, i) => x - t[i]);
  const mean = (xs: readonly number[]) => xs.reduce((a, b) => a + b, 0) / xs.length;
  compare(
    `use losses { squared_error, mse, mae, huber, hinge, binary_cross_entropy, f_divergence, forward_kl, pair_contrast }
fn chi2(u) = (u - 1)^2
let p: f32[2, 3] = ${text(logits)}
let t: f32[2, 3] = ${text(other)}`,
    [
      ['squared_error(p, t)[1]', r.slice(3).reduce((s, x) => s + x * x, 0)],
      ['mse(p, t)', mean(r.map((x) => x * x))],
      ['mae(p, t)', mean(r.map(Math.abs))],
      [
        'sum(huber(p, t, 0.8))',
        r.reduce((s, x) => s + (Math.abs(x) < 0.8 ? x * x * 0.5 : 0.8 * (Math.abs(x) - 0.4)), 0),
      ],
      ['f_divergence(chi2, [0.5, 0.5], [0.2, 0.8])', 0.09 / 0.2 + 0.09 / 0.8],
      ['forward_kl([0.5, 0.5], [0.2, 0.8])', 0.5 * Math.log(0.5 / 0.2) + 0.5 * Math.log(0.5 / 0.8)],
      ['pair_contrast([3.0, 0.0], [0.0, 4.0], 1.0)', 25],
      ['pair_contrast([0.3, 0.0], [0.0, 0.4], 0.0, margin: 2)', 1.5 ** 2],
      ['pair_contrast([3.0, 0.0], [0.0, 4.0], 0.0)', 0],
      ['hinge(0.3, 1.0)', 0.7],
      ['hinge(0.3, -1.0)', 1.3],
      ['hinge(1.5, 1.0)', 0],
      ['binary_cross_entropy(0.6, 1.0)', -Math.log(sigmoid(0.6))],
      ['binary_cross_entropy(0.6, 0.0)', -Math.log(1 - sigmoid(0.6))],
    ],
  );
});

test('metrics', () => {
  compare(
    `use metrics { accuracy, binary_accuracy, rmse, r2 }
let z: f32[2, 3] = ${text(logits)}
let p: f32[4] = [1.0, 2.0, 4.0, 3.0]
let t: f32[4] = [1.0, 3.0, 3.0, 5.0]`,
    [
      ['accuracy(z, [2, 1])', 0.5],
      ['binary_accuracy(p - 2.5, [0.0, 1.0, 1.0, 1.0])', 0.75],
      ['rmse(p, t)', Math.sqrt(6 / 4)],
      ['r2(p, t)', 1 - 6 / 8],
    ],
  );
});

test('vectors and matrices', () => {
  compare(
    `use linalg { eye, diag, cosine, orthogonal_part, squared_distances, eigmin, eigmax, causal_mask, orthonormal }
let a: f32[2] = [3.0, 4.0]
let b: f32[2] = [1.0, 0.0]
let m: f32[2, 2] = [[1.0, 2.0], [0.0, 1.0]]`,
    [
      ['eye(2)[0, 0] + eye(2)[1, 1]', 2],
      ['eye(2)[0, 1]', 0],
      ['diag(a)[1, 1]', 4],
      ['diag(a)[1, 0]', 0],
      ['cosine(a, b)', 0.6],
      ['orthogonal_part(a, b)[0]', 0],
      ['orthogonal_part(a, b)[1]', 4],
      ['squared_distances(m, m)[0, 1]', 2],
      ['squared_distances(m, m)[1, 1]', 0],
      // [[2, 1], [1, 3]] has the eigenvalues (5 -+ sqrt(5)) / 2; only the symmetric part counts.
      ['eigmin([[2.0, 0.0], [2.0, 3.0]])', (5 - Math.sqrt(5)) / 2],
      ['eigmax([[2.0, 0.0], [2.0, 3.0]])', (5 + Math.sqrt(5)) / 2],
      ['softmax(ones(3, 3) + causal_mask(3))[1, 1]', 0.5],
      ['softmax(ones(3, 3) + causal_mask(3))[1, 2]', 0],
      ['orthonormal([[3.0], [4.0]])[1, 0]', 0.8],
    ],
  );
});

test('steps of others: rows of length 1, orthogonalization, projections of rows', () => {
  // On a diagonal matrix the iteration of Muon acts on each singular value by itself, as an odd polynomial of it.
  const quintic = (s: number) => {
    let y = s;
    for (let i = 0; i < 5; i++) y = 3.4445 * y - 4.775 * y ** 3 + 2.0315 * y ** 5;
    return y;
  };
  compare(
    `use losses { unit_rows }
use rules { newton_schulz, quintic_steps }
use sets { onto_simplex, onto_l1 }
let d: f32[2, 2] = [[3.0, 0.0], [0.0, 4.0]]
let tall: f32[3, 2] = [[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]]
let x: f32[2, 3] = [[0.5, 1.5, -1.0], [0.2, 0.3, 0.1]]`,
    [
      ['unit_rows(d)[0, 0]', 1],
      ['unit_rows([[3.0, 4.0]])[0, 1]', 0.8],
      ['unit_rows([[0.0, 0.0]])[0, 1]', 0],
      ['quintic_steps(0.1 * d)[1, 1]', quintic(0.4)],
      ['newton_schulz(d, 0)[0, 0]', quintic(0.6)],
      ['newton_schulz(tall, 0)[1, 1]', quintic(0.8)],
      ['newton_schulz(tall, 0)[2, 1]', 0],
      // By hand: the threshold of the first row is 0.5 (elements 1 alone, or 0 and 1 together), of the second -2/15.
      ['onto_simplex(x, 1)[0, 0]', 0],
      ['onto_simplex(x, 1)[0, 1]', 1],
      ['onto_simplex(x, 1)[1, 0]', 0.2 + 0.4 / 3],
      // |x| = (0.5, 1.5, 1) of length 3 onto 1: threshold 0.75; the second row lies inside.
      ['onto_l1(x, 1)[0, 1]', 0.75],
      ['onto_l1(x, 1)[0, 2]', -0.25],
      ['onto_l1(x, 1)[0, 0]', 0],
      ['onto_l1(x, 1)[1, 1]', 0.3],
    ],
  );
});
