/** Sets of the library: a projection p of x onto a convex set is in it, and no point y of it has (x - p)(y - p) > 0; its vertices are enough to ask. Numbers need no oracle but this. */
import { describe, expect, test } from 'vitest';
import { compileSpec, errorsOf, runSpec } from './run-spec.ts';

const uses =
  'use sets { box, nonneg, positive, ball, sphere, simplex, l1_ball, orthogonal_matrices }\nuse rules { sgd, project }\n';
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, v, i) => sum + v * b[i], 0);
const minus = (a: readonly number[], b: readonly number[]) => a.map((v, i) => v - b[i]);
const points = [
  [0.5, 2, -1],
  [0.2, 0.3, 0.5],
  [-3, -3, -4],
  [0.1, 0.1, 0.1],
  [7, 7, -7],
];
const units = [0, 1, 2].map((k) => [0, 1, 2].map((i) => (i === k ? 1 : 0)));

function project(set: string, x: readonly number[]): { readonly p: number[]; readonly inside: number } {
  const m = runSpec(
    `${uses}var p: f32[3] = ${set}.project([${x.map((v) => v.toFixed(3)).join(', ')}])\nmetric inside = f32(${set}.contains(p))`,
  );
  return { p: m.values('p'), inside: m.last('inside') };
}

const corners = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => [0, 1, 2].map((i) => ((bits >> i) & 1 ? 1.5 : -0.5)));
const cases: readonly (readonly [string, readonly (readonly number[])[]])[] = [
  ['box(-0.5, 1.5)', corners],
  ['simplex()', units],
  ['simplex(2)', units.map((u) => u.map((v) => 2 * v))],
  ['l1_ball(1)', [...units, ...units.map((u) => u.map((v) => -v))]],
];

describe('the nearest point', () => {
  test.each(cases)('%s', (set, vertices) => {
    for (const x of points) {
      const { p, inside } = project(set, x);
      expect(inside).toBe(1);
      for (const y of vertices) expect(dot(minus(x, p), minus(y, p))).toBeLessThan(1e-9);
    }
  });
  test('ball, sphere and the positive orthant', () => {
    for (const x of points) {
      const norm = Math.hypot(...x);
      project('ball(2)', x).p.forEach((v, i) => expect(v).toBeCloseTo(norm > 2 ? (2 * x[i]) / norm : x[i], 12));
      project('sphere(2)', x).p.forEach((v, i) => expect(v).toBeCloseTo((2 * x[i]) / norm, 12));
      expect(project('nonneg()', x).p).toEqual(x.map((v) => Math.max(v, 0)));
      expect(project('positive()', x).p).toEqual(x.map((v) => Math.max(v, 0)));
    }
    expect(project('ball(2)', [0, 0, 0]).p).toEqual([0, 0, 0]);
  });
  test('matrices: the polar factor, U V^T', () => {
    // A = P S with P of orthonormal columns and S symmetric positive definite has the polar factor P.
    const m = runSpec(`${uses}let c = 0.6
let P = [[0.6, 0.0], [0.8, 0.0], [0.0, 1.0]]
let A = P @ [[2.0, 0.5], [0.5, 1.0]]
let Q = orthogonal_matrices().project(A)
metric error = max(abs(Q - P))
metric wide = max(abs(orthogonal_matrices().project(transpose(A)) - transpose(P)))
metric inside = f32(orthogonal_matrices().contains(Q))
metric outside = f32(orthogonal_matrices().contains(A))`);
    expect(m.last('error')).toBeLessThan(1e-9);
    expect(m.last('wide')).toBeLessThan(1e-9);
    expect([m.last('inside'), m.last('outside')]).toEqual([1, 0]);
  });
});

describe('sets in programs', () => {
  test('rows of a matrix lie in simplices of their own; a tree in the product', () => {
    const m = runSpec(`${uses}let t = { a: [[3.0, 0.0], [0.0, 0.5]], b: [2.0, -1.0] }
let p = simplex().project(t)
var a: f32[2, 2] = p.a
var b: f32[2] = p.b
metric all = f32(simplex().contains(p))
metric none = f32(simplex().contains(t))`);
    expect(m.values('a')).toEqual([1, 0, 0.25, 0.75]);
    expect(m.values('b')).toEqual([1, 0]);
    expect([m.last('all'), m.last('none')]).toEqual([1, 0]);
  });
  test('projected descent ends at the constrained minimum; a set is a parameter as any', () => {
    const m = runSpec(`${uses}trial t(s: set) {
  var x: f32[3] = 0.3
  train 200 { update x by sgd(0.1) |> project(s) minimizing sum((x - [1.0, 0.5, -1.0])^2) }
}
run a = t(simplex())
run b = t(box(lo: 0, hi: 0.4))`);
    [0.75, 0.25, 0].forEach((v, i) => expect(m.values('a/x')[i]).toBeCloseTo(v, 9));
    [0.4, 0.4, 0].forEach((v, i) => expect(m.values('b/x')[i]).toBeCloseTo(v, 9));
  });
  test('sets of the file have the standing of the library', () => {
    const m = runSpec(`set halfspace(a: f32[2], b) for x {
  project = x - max(dot(a, x) - b, 0) / dot(a, a) * a
  contains = dot(a, x) <= b + 1e-6
}
let H = halfspace([3.0, 4.0], 5)
var p: f32[2] = H.project([3.0, 4.0])
metric inside = f32(H.contains(p))`);
    [0.6, 0.8].forEach((v, i) => expect(m.values('p')[i]).toBeCloseTo(v, 12));
    expect(m.last('inside')).toBe(1);
  });
  test('mistakes are located', () => {
    expect(errorsOf(`${uses}let a = simplex().projct([1.0])`)[0]).toMatchObject({ code: 'OPT312' });
    expect(errorsOf(`${uses}let a = simplex().project()`)[0]).toMatchObject({ code: 'OPT311' });
    expect(
      errorsOf(
        `${uses}trial t(s: set) { var x: f32 = 1\n train 1 { update x by sgd(1) |> project(s) minimizing x } }\nrun a = t(3)`,
      )[0],
    ).toMatchObject({ code: 'OPT311' });
    expect(() => compileSpec(`${uses}let a = box(0, 1).project([1.0, 2.0])`)).not.toThrow();
  });
});
