/** Linear algebra of the language and of stdlib/linalg.opt against JAX (test/oracles/linalg.py), values and derivatives to the order that is promised. */
import { describe, expect, test } from 'vitest';
import { compare, oracle, tide } from './oracle.ts';
import { errorsOf, evaluateAll } from './run-spec.ts';

const values = oracle('linalg');
const chirp = (...shape: number[]): string =>
  `reshape(sin(0.37 * f32(0..${shape.reduce((a, b) => a * b, 1)})^2), ${shape.join(', ')})`;
const preamble = (names: string): string => `use linalg { ${names} }
var A = ${chirp(5, 5)}
var T = ${chirp(6, 4)}
let b = ${tide(5)}
let B = ${tide(5, 2)}
let C = ${tide(5, 5)}`;

test('general systems, inverses and determinants, with first and second derivatives', () => {
  compare(
    values,
    {
      solve: 'solve_linear(A, b)',
      solve2: 'solve_linear(A, B)',
      solve_grad: `grad(sum(solve_linear(A, B) * ${tide(5, 2)}), A)`,
      solve_hvp: `hvp(sum(solve_linear(A, B) * ${tide(5, 2)}), A, C)`,
      inverse: 'inverse(A)',
      det: 'det(A)',
      det_grad: 'grad(det(A), A)',
      det_hvp: 'hvp(det(A), A, C)',
      logabsdet_hvp: 'hvp(logabsdet(A), A, C)',
      logabsdet: 'logabsdet(A)',
      logabsdet_grad: 'grad(logabsdet(A), A)',
    },
    preamble('solve_linear, inverse, det, logabsdet'),
  );
});

test('Cholesky factors and what rests on them', () => {
  const spd = '(A @ transpose(A) + 2 * eye(5))';
  compare(
    values,
    {
      cholesky: `cholesky(${spd})`,
      cholesky_grad: `grad(sum(cholesky(${spd}) * C), A)`,
      triangular: 'triangular_solve(A + 3 * eye(5), B, lower: false, transpose: true)',
      definite: `0.5 * (solve_spd(${spd}, b) + cholesky_solve(cholesky(${spd}), b))`,
      logdet: `logdet_spd(${spd})`,
    },
    preamble('eye, solve_spd, cholesky_solve, logdet_spd'),
  );
});

test('QR and least squares', () => {
  compare(
    values,
    {
      qr_q: 'qr(T)[0]',
      qr_r: 'qr(T)[1]',
      qr_grad: `grad(sum(qr(T)[0] * ${tide(6, 4)}), T)`,
      lstsq: `lstsq(T, ${tide(6)})`,
    },
    preamble('qr, lstsq'),
  );
});

test('QR of a matrix of condition 10^5 is orthogonal', () => {
  const [orthogonal, product] = evaluateAll(
    ['max(abs(transpose(Q) @ Q - eye(4)))', 'max(abs(Q @ R - A))'],
    `use linalg { qr, eye }\nlet A = ${chirp(20, 4)} * (10^(-(5 * f32(0..4)) / 3))[new, :]\nlet (Q, R) = qr(A)`,
  );
  expect(orthogonal).toBeLessThan(1e-10);
  expect(product).toBeLessThan(1e-10);
});

test('eigenvalues and eigenvectors, with first and second derivatives', () => {
  const objective = 'sum(sin(eigh(A)[0])) + sum(eigh(A)[1]^2 * C)';
  compare(
    values,
    {
      eigenvalues: 'eigh(A)[0]',
      eigen_squares: 'eigh(A)[1]^2',
      eigen_grad: `grad(${objective}, A)`,
      eigen_hvp: `hvp(${objective}, A, C)`,
    },
    preamble('eigh'),
    6,
  );
  // an even number of rows, and a diagonal matrix, whose rotations are all by nothing
  const [residual, sorted] = evaluateAll(
    ['max(abs(S @ V - V * w[new, :]))', 'max(abs(eigh(diag([3.0, 1.0, 2.0]))[0] - [1.0, 2.0, 3.0]))'],
    `use linalg { eigh, diag }\nlet M = ${chirp(8, 8)}\nlet S = M + transpose(M)\nlet (w, V) = eigh(S)`,
  );
  expect(residual).toBeLessThan(1e-8);
  expect(sorted).toBeLessThan(1e-12);
});

test('singular values and vectors, with derivatives', () => {
  const objective = `sum(sin(svd(T)[1])) + sum(svd(T)[0]^2 * ${tide(6, 4)}) + sum(svd(T)[2]^2 * ${tide(4, 4)})`;
  compare(
    values,
    {
      singular: 'svd(T)[1]',
      singular_u2: 'svd(T)[0]^2',
      singular_v2: 'svd(T)[2]^2',
      singular_grad: `grad(${objective} + svd(T)[0][0, 1] * svd(T)[2][2, 1], T)`,
      singular_hvp: `hvp(${objective} + svd(T)[0][0, 1] * svd(T)[2][2, 1], T, ${tide(6, 4)})`,
    },
    preamble('svd'),
    6,
  );
});

test('parts, products, power iteration', () => {
  compare(
    values,
    {
      kron: `kron(${chirp(2, 3)}, ${tide(2, 2)})`,
      tril: `tril(${chirp(3, 4)}, 1)`,
      triu: `triu(${chirp(3, 4)}, -1)`,
      power: 'power_iteration(A @ transpose(A) + 2 * eye(5), ones(5), turns: 200)[0]',
    },
    preamble('kron, tril, triu, power_iteration, eye'),
  );
  const [t, d, o] = evaluateAll(
    ['trace(M)', 'sum(diagonal(M) - [1.0, 4.0])', 'sum(outer([1.0, 2.0], [3.0, 4.0, 5.0]))'],
    'use linalg { trace, diagonal, outer }\nlet M: f32[2, 2] = [[1, 2], [3, 4]]',
  );
  expect([t, d, o]).toEqual([5, 0, 36]);
});

test('map of each is each of map, with its derivative', () => {
  const single = (i: number, f: string) => f.replaceAll('M', `m_${i}`);
  const fs = [
    'sum(eigh(M)[0]^3)',
    'sum(svd(M)[1])',
    'sum(solve_linear(M, [1.0, 2.0, 3.0]))',
    'det(M)',
    'sum(abs(qr(M)[1]))',
  ];
  const cases = fs.flatMap((f) => [f, `sum(sin(grad(${f}, M)))`]);
  const found = evaluateAll(
    cases.flatMap((f) => [
      `sum(map d as e { ${f.replaceAll('M', 'e.M')} })`,
      [0, 1, 2].map((i) => single(i, f)).join(' + '),
    ]),
    `use linalg { eigh, svd, solve_linear, det, qr }\ndata d = { M: ${chirp(3, 3, 3)} }\nlet m_0 = d.M[0]\nlet m_1 = d.M[1]\nlet m_2 = d.M[2]`,
  );
  cases.forEach((f, i) => expect(found[2 * i], f).toBeCloseTo(found[2 * i + 1], 6));
});

describe('what does not fit is refused where it stands', () => {
  const cases: [string, string, RegExp][] = [
    ['cholesky(zeros(2, 3))', 'OPT302', /needs a square matrix/],
    ['triangular_solve(zeros(2, 2), zeros(3))', 'OPT302', /right side of type f32\[3\] does not fit/],
    ['triangular_solve(zeros(2, 2), zeros(2), lower: 1)', 'OPT305', /lower is true or false/],
  ];
  test.each(cases)('%s', (expression, code, message) => {
    const [error] = errorsOf(`metric m = sum(${expression})`);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });
});

test('eigenvalues and singular values where squares of entries are 0 in rounding, or out of range', () => {
  const found = evaluateAll(
    [
      // equal on the diagonal, next to nothing beside it
      'eigh([[1.0, t], [t, 1.0]])[0][0]',
      'svd([[1.0, t], [0.0, 1.0]])[1][1]',
      'eigh(u * eye(5) + v * ones(5, 5))[0][4]',
      'eigh(big^6 * S)[0][2] / big^6',
      'eigh(1e-200 * S)[0][2] / 1e-200',
      'svd(big^6 * S)[1][0] / big^6',
      'svd(1e-200 * S)[1][0] / 1e-200',
      'max(abs(eigh(zeros(3, 3))[0]))',
    ],
    'use linalg { eigh, svd, eye }\nvar t = 1e-200\nvar big = 1e30\nvar u = 1.811988\nvar v = 0.20188\nvar S: f32[3, 3] = [[2, 1, 0], [1, 3, 1], [0, 1, 4]]',
  );
  // of S 3 + sqrt(3), of u I + v 1 1^T u + 5 v
  const top = 3 + Math.sqrt(3);
  [1, 1, 1.811988 + 5 * 0.20188, top, top, top, top, 0].forEach((v, k) => expect(found[k]).toBeCloseTo(v, 9));
});

test('the determinant of a singular matrix is 0, wherever its pivot is missing', () => {
  const singular = ['[[0.0, 1, 2], [0, 2, 5], [0, 3, 1]]', '[[1.0, 2, 3], [2, 4, 6], [3, 6, 9]]', 'zeros(3, 3)'];
  const found = evaluateAll(
    singular.flatMap((m) => [`det(${m})`, `logabsdet(${m})`]),
    'use linalg { det, logabsdet }',
  );
  // a zero may be negative
  expect(found.map((v) => v + 0)).toEqual(singular.flatMap(() => [0, Number.NEGATIVE_INFINITY]));
});
