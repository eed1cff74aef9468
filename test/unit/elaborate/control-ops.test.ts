/**
 * Operations with derivatives inside of `map`, `scan` (with states computed again too), `if`, a choice by element and a bounded `while`: first and second derivatives, in
 * float64, against central differences.
 */
import { expect, test } from 'vitest';
import { runSpec } from './run-spec.ts';

/** Of a kernel w[3, 2, 2], a matrix m[3, 3] and a sequence x[8, 2]; with what it uses. */
const operations: Readonly<Record<string, readonly [body: string, use?: string]>> = {
  'convolution, dilated': ['sum(sin(conv(x[new], w, padding: [[4, 0]], dilation: 2)))'],
  'convolution in groups, with strides': ['sum(conv(x[new], w[:, 0..1], groups: 2, stride: 2)^3)'],
  'convolution along two axes': ['sum(conv(x[new, :, :, new], w[:, :, new, :], padding: "same")^3)'],
  pools: ['sum(max_pool(conv(x[new], w), 2)^2) + sum(avg_pool(conv(x[new], w, padding: "same"), 3, stride: 1)^3)'],
  'running sums and products': [
    'sum(cumprod(1 + 0.3 * sin(x[:, 0] * m[0, 0]))^2) + sum(cumsum(x[:, 1] * w[0, 0, 0])^3)',
  ],
  'quantile and median': ['quantile(x[:, 0] * m[0, 1], 0.4)^3 + median(x * m[0, 0], axis: 0)[1]^3'],
  'sort and top_k': ['dot(sort(x[:, 0] * m[0, 1])^2, f32(0..8)) + sum(top_k(x[:, 1] * w[0, 0, 0], 3)[0]^3)'],
  'segments and gathers': [
    'sum(segment_sum((x * m[0, 0])^2, by: [0, 1, 0, 2, 2, 3, 1, 1], into: 5)^2) + sum((x @ w[0])[[1, 1, 0]]^3)',
  ],
  einsum: ['sum(einsum("ij,jk,kl->il", m, m, m)^2)'],
  'cholesky and triangles': [
    'sum(cholesky(m @ transpose(m) + 3 * eye(3))^3) + sum(triangular_solve(m + 3 * eye(3), x[0..3])^2)',
    'linalg { eye }',
  ],
  'solutions and determinants': [
    'sum(solve_linear(m + 4 * eye(3), x[0..3])^3) + logabsdet(m + 4 * eye(3))',
    'linalg { eye, solve_linear, logabsdet }',
  ],
  qr: ['dot(qr(m)[0]^3, m) + sum(qr(m)[1]^2 * m)', 'linalg { qr }'],
  'singular values': ['sum(svd(m)[1]^3)', 'linalg { svd }'],
  eigenvalues: ['sum(eigh(m + transpose(m))[0]^3)', 'linalg { eigh }'],
  'Newton-Schulz': ['sum(newton_schulz(m)^3)', 'rules { newton_schulz }'],
  'attention and norms': [
    'sum(attention(x @ w[0], x, x, causal: true)^3) + sum(standardize(x @ w[1])^3)',
    'nn { attention, standardize }',
  ],
};

const controls: Readonly<Record<string, string>> = {
  map: 'sum(map X as x { op(W, A, x)^2 })',
  scan: 'scan h = 1.0 for x in X { next squash(op(W, A, x)) * h + 0.5 * h }',
  again: 'scan h = 1.0 for x in X checkpoint 2 { next squash(op(W, A, x)) * h + 0.5 * h }',
  choice: 'if sum(W) > -100 { op(W, A, X[0]) } else { op(A[0, 0] * W, A, X[1]) }',
  element: 'sum(map X as x, [0.0, 1, 2] as k { if k > 0.5 { op(W, A, x) } else { k } })',
  bounded:
    'sum(map X as x, [0.0, 1, 2] as k { scan h = k while h < 3 max 6 { next h + 0.5 + 0.1 * squash(op(W * (h + 1), A * (h + 1), x)) } })',
};

test.each(Object.entries(operations))('%s', (_, [body, use]) => {
  for (const [name, control] of Object.entries(controls)) {
    const machine = runSpec(
      `${use ? `use ${use}\n` : ''}sample X ~ normal f32[3, 8, 2]
var W: f32[3, 2, 2] ~ normal
var A: f32[3, 3] ~ normal
sample dW ~ normal like W
sample dA ~ normal like A
fn op(w, m, x) = ${body}
fn squash(v) = v / sqrt(1 + v^2)
fn L = (${control}) + 0 * (sum(W) + sum(A))
fn slope = dot(grad(L, (W, A)), (dW, dA)) + 0 * (sum(W) + sum(A))
let e = 1e-5
metric first = slope
metric difference = ((L at { W: W + e * dW, A: A + e * dA }) - (L at { W: W - e * dW, A: A - e * dA })) / (2 * e)
metric second = dot(grad(slope, (W, A)), (dW, dA))
metric bend = ((slope at { W: W + e * dW, A: A + e * dA }) - (slope at { W: W - e * dW, A: A - e * dA })) / (2 * e)`,
      { seed: 1 },
    );
    const close = (got: number, wanted: number, tolerance: number) =>
      expect(Math.abs(got - wanted), `${name}: ${got} against ${wanted}`).toBeLessThan(
        tolerance * Math.max(1, Math.abs(wanted)),
      );
    close(machine.last('first'), machine.last('difference'), 1e-6);
    close(machine.last('second'), machine.last('bend'), 1e-5);
    expect(machine.last('first'), name).not.toBe(0);
  }
});
