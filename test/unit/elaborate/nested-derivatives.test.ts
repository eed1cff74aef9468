/** Derivatives of the third and fourth order of what the library differentiates by a gradient clause, in every mix of modes, against mpmath (test/oracles/nested.py). */
import { describe, expect, test } from 'vitest';
import { oracle } from './oracle.ts';
import { evaluateAll } from './run-spec.ts';

const values = oracle('nested');
const functions: Record<string, string> = {
  eigenvalue: 'eigh(S(t))[0][0]',
  eigenvector: 'eigh(S(t))[1][0, 0]^2 * eigh(S(t))[1][1, 0]^2',
  singular: 'svd(N(t))[1][1]',
  solve: 'sum(solve_linear(N(t), [1.0, 2.0, 3.0]))',
  inverse: 'sum(inverse(N(t)))',
  det: 'det(N(t))',
  logabsdet: 'logabsdet(N(t))',
  qr: 'qr(N(t))[1][1, 1]',
  cholesky: 'cholesky(S(t))[2, 1]',
};
const preamble = `use linalg { eigh, svd, solve_linear, inverse, det, logabsdet, qr }
let A: f32[3, 3] = [[4, 1, 0.5], [1, 3, -1], [0.5, -1, 2]]
let B: f32[3, 3] = [[1, 0.2, 0.1], [0.2, 5, 0.7], [0.1, 0.7, -2]]
let W: f32[3, 3] = [[0, 1, 0], [0, 0, 2], [1, 0, 0]]
var t = 0.5
fn S(s) = A + s * s * B / 10
fn N(s) = S(s) + s * W / 10`;

/** The derivative by t whose outermost step is the last letter: r in reverse, f in forward mode. */
const derived = (e: string, modes: string): string =>
  [...modes].reduce((inner, mode) => (mode === 'r' ? `grad(${inner}, t)` : `jvp(${inner}, t, 1.0)`), e);

test.each(Object.keys(functions))('%s', (name) => {
  const orders = ['rrr', 'fff', 'rrf', 'rfr', 'frr', 'rff', 'frf', 'ffr', 'frfr'];
  const found = evaluateAll(
    orders.map((modes) => derived(functions[name], modes)),
    preamble,
  );
  orders.forEach((modes, i) => expect(found[i], modes).toBeCloseTo(values[name][modes.length - 3], 6));
});

describe('a clause that reads the value of its fn', () => {
  test('is the derivative of that value too', () => {
    // round has no derivative of its own, so that all but the clause would give 0
    const text = `var x = 0.5
fn grows(x) { let y = round(x * 4); y } gradient g -> g * y
fn both(x) { let a = round(x * 4); let b = a + 1; (a, b) } gradient g -> g[0] * b + 2 * g[1] * a
fn inside(x) = sum(map [1.0, 2.0] as s { grows(s * x) })`;
    const [third, tuple, mapped] = evaluateAll(
      ['grad(jvp(grad(grows(x), x), x, 1.0), x)', 'grad(grad(both(x)[0], x), x)', 'grad(grad(inside(x), x), x)'],
      text,
    );
    expect(third).toBe(2);
    // d b = 2 a
    expect(tuple).toBe(4);
    expect(mapped).toBe(2 + 4 * 4);
  });

  test('leaves an argument that it gives on alone', () => {
    const [second] = evaluateAll(['grad(grad(f(x), x), x)'], 'var x = 3.0\nfn f(x) = x gradient g -> g * x');
    expect(second).toBe(1);
  });
});
