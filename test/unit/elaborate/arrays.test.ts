/** Convolution, pooling, einsum and functions of order against numpy and JAX. */
import { describe, expect, test } from 'vitest';
import { compare, oracle, tide, wave } from './oracle.ts';
import { errorsOf, evaluateAll } from './run-spec.ts';

const values = oracle('arrays');

test('conv: strides, padding, dilation, groups, one axis', () => {
  compare(values, {
    same: `conv(${wave(2, 6, 5, 2)}, ${tide(3, 2, 2, 3)}, stride: [2, 1], padding: "same")`,
    dilated: `conv(${wave(2, 6, 5, 2)}, ${tide(3, 2, 2, 3)}, stride: [1, 2], padding: [[2, 1], [0, 1]], dilation: [2, 1])`,
    grouped: `conv(${wave(2, 6, 5, 2)}, ${tide(3, 2, 1, 4)}, stride: 2, groups: 2)`,
    line: `conv(${wave(2, 7, 2)}, ${tide(3, 2, 2)}, padding: [[2, 0]])`,
  });
});

test('conv without the axis of examples is that of one example', () => {
  const [a] = evaluateAll([
    `max(abs(conv(${wave(6, 5, 2)}, ${tide(3, 2, 2, 3)}) - conv(${wave(1, 6, 5, 2)}, ${tide(3, 2, 2, 3)})[0]))`,
  ]);
  expect(a).toBe(0);
});

test('pooling', () => {
  const x = wave(2, 6, 5, 2);
  compare(values, {
    maxpool: `max_pool(${x}, 2)`,
    maxpoolsame: `max_pool(${x}, [3, 3], stride: 2, padding: "same")`,
    avgpoolsame: `avg_pool(${x}, 3, stride: 2, padding: "same")`,
  });
  // the mean of everything is the pool over everything
  const [whole] = evaluateAll([`max(abs(avg_pool(${x}, [6, 5])[:, 0, 0] - mean(mean(${x}, axis: 1), axis: 1)))`]);
  expect(whole).toBeCloseTo(0, 12);
});

test('einsum', () => {
  const [a, b, v, t] = [wave(3, 4), wave(4, 5), wave(3), wave(3, 4, 4)];
  compare(values, {
    ein1: `einsum("ij,jk->ki", ${a}, ${b})`,
    ein2: `einsum("ijj->ij", ${t})`,
    ein3: `einsum("ij, jk, i -> k", ${a}, ${b}, ${v})`,
    ein4: `einsum("bij,bjk->bk", ${t}, ${t})`,
    ein5: `einsum("i,j", ${v}, ${wave(2)})`,
    ein6: `einsum("ij->", ${a})`,
    ein7: `einsum("ijk->kij", ${t})`,
    ein8: `einsum("ii", ${wave(4, 4)})`,
  });
});

test('quantiles, the median and the largest', () => {
  const a = wave(3, 4);
  compare(
    values,
    {
      quantile: `quantile(${a}, 0.3, axis: 1)`,
      quantile0: `quantile(${a}, 0.8, axis: 0)`,
      qall: `quantile(${a}, q)`,
      median: `median(${a}, axis: -1)`,
      topv: `top_k(${a}, 2)[0]`,
      topi: `f32(top_k(${a}, 2)[1])`,
    },
    'hyper q = 0.37',
  );
});

test('reshape finds out one size', () => {
  expect(
    evaluateAll(['f32(len(reshape(zeros(6, 4), -1, 8)))', 'f32(shape(reshape(zeros(6, 4), [2, -1]))[1])']),
  ).toEqual([3, 12]);
});

test('keep: leaves the reduced axis', () => {
  const a = wave(3, 4);
  const [centred, spread, length] = evaluateAll([
    `max(abs(mean(${a} - mean(${a}, axis: -1, keep: true), axis: 1)))`,
    `max(abs(std(${a}, axis: 0, keep: true)[0] - std(${a}, axis: 0)))`,
    `f32(len(${a}, axis: -1))`,
  ]);
  expect([centred, spread, length]).toEqual([expect.closeTo(0, 12), 0, 4]);
});

describe('what does not fit is refused where it stands', () => {
  const cases: [string, string, RegExp][] = [
    ['conv(zeros(1, 5, 5, 3), zeros(3, 3, 2, 4))', 'OPT302', /from 2 to 4 features meets 3 features/],
    ['conv(zeros(1, 2, 5, 2), zeros(3, 3, 2, 4))', 'OPT302', /reaches over 3 does not fit into 2/],
    ['conv(zeros(5, 5), zeros(3, 3, 2, 4))', 'OPT306', /slides over 2 axes/],
    ['conv(zeros(1, 5, 5, 2), zeros(3, 3, 2, 4), padding: "full")', 'OPT311', /no padding 'full'/],
    ['conv(zeros(1, 5, 5, 2), zeros(3, 3, 2, 4), stride: [1, 2, 3])', 'OPT311', /stride has 3 numbers/],
    ['conv(zeros(1, 5, 5, 2), zeros(3, 3, 2, 4), stride: 0)', 'OPT311', /stride is at least 1/],
    ['max_pool(zeros(1, 5, 5, 2), 6)', 'OPT302', /reaches over 6 does not fit into 5/],
    ['einsum("ij,jk->ik", zeros(2, 3))', 'OPT311', /names 2 operands, but 1/],
    ['einsum("ij->il", zeros(2, 3))', 'OPT311', /names 'l' that no operand has/],
    ['einsum("ij,jk", zeros(2, 3), zeros(4, 2))', 'OPT302', /'j' has 3 elements and 4/],
    ['einsum("i.j", zeros(2, 3))', 'OPT311', /cannot read/],
    ['top_k(zeros(3), 4)[0]', 'OPT302', /the 4 largest of 3/],
    ['quantile(zeros(3), 1.5)', 'OPT311', /lies in 0..1/],
    ['permute(zeros(3, 2), [0, 0])', 'OPT306', /each of 2 axes once/],
    ['reshape(zeros(3, 2), -1, -1)', 'OPT311', /-1 stands twice/],
    ['sum(zeros(3, 2), keep: true)', 'OPT311', /axis: has to say which/],
  ];
  test.each(cases)('%s', (expression, code, message) => {
    const [error] = errorsOf(`metric m = sum(${expression})`);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });
});
