/** stdlib/graph.opt on a weighted path of three nodes and an isolated one, against sums written out in float64. */
import { expect, test } from 'vitest';
import { evaluateAll } from './run-spec.ts';

const A = [
  [0, 2, 0, 0],
  [2, 0, 0.5, 0],
  [0, 0.5, 0, 0],
  [0, 0, 0, 0],
];
const use = `use graph { degrees, normalized_adjacency, mean_adjacency, laplacian }
let A: f32[4, 4] = [[0, 2, 0, 0], [2, 0, 0.5, 0], [0, 0.5, 0, 0], [0, 0, 0, 0]]
let x: f32[4] = [1, -2, 0.5, 3]`;

/** Each expression beside its value. */
function compare(cases: readonly (readonly [string, number])[]): void {
  const found = evaluateAll(
    cases.map(([expression]) => expression),
    use,
  );
  cases.forEach(([expression, wanted], i) => expect(found[i], expression).toBeCloseTo(wanted, 6));
}

const degree = A.map((row) => row.reduce((s, a) => s + a, 0));
const every = A.flatMap((_, i) => A.map((_, j) => [i, j] as const));

test('degrees and the adjacency matrices made of them', () => {
  compare(degree.map((d, i) => [`degrees(A)[${i}]`, d] as const));
  compare(
    every.map(([i, j]) => [
      `normalized_adjacency(A)[${i}, ${j}]`,
      (A[i][j] + (i === j ? 1 : 0)) / Math.sqrt((degree[i] + 1) * (degree[j] + 1)),
    ]),
  );
  compare(every.map(([i, j]) => [`mean_adjacency(A)[${i}, ${j}]`, degree[i] > 0 ? A[i][j] / degree[i] : 0]));
});

test('the Laplacian is the sum of squared differences over the edges', () => {
  compare([
    ['dot(x, laplacian(A) @ x)', 2 * 3 ** 2 + 0.5 * 2.5 ** 2],
    ['sum((laplacian(A) @ ones(4))^2)', 0],
  ]);
});

test('a layer is S (x W) + b', () => {
  const preamble = `use graph { normalized_adjacency, graph_conv }
let A: f32[3, 3] = [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
let x: f32[3, 2] = [[1, -1], [2, 0.5], [0, 3]]
model Net(x: f32[n, 2], S: f32[n, n]) -> f32[n, 2] { graph_conv(x, S, 2) as only }
let y = Net(x, normalized_adjacency(A)) at { Net.only.W: [[1.0, 2.0], [-1.0, 0.5]], Net.only.b: [0.1, -0.2] }`;
  const S = [
    [1 / 2, 1 / Math.sqrt(6), 0],
    [1 / Math.sqrt(6), 1 / 3, 1 / Math.sqrt(6)],
    [0, 1 / Math.sqrt(6), 1 / 2],
  ];
  const xW = [
    [2, 1.5],
    [1.5, 4.25],
    [-3, 1.5],
  ];
  const b = [0.1, -0.2];
  const cases = [0, 1, 2].flatMap((i) =>
    [0, 1].map((o) => [`y[${i}, ${o}]`, S[i].reduce((s, w, j) => s + w * xW[j][o], 0) + b[o]] as const),
  );
  const found = evaluateAll(
    cases.map(([expression]) => expression),
    preamble,
  );
  cases.forEach(([expression, wanted], k) => expect(found[k], expression).toBeCloseTo(wanted, 6));
});
