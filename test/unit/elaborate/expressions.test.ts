/** Values of expressions against numbers computed by hand. */
import { describe, expect, test } from 'vitest';
import { elementwiseFunctions } from '../../../compiler/ops/functions.ts';
import { errorsOf, evaluateAll, runSpec } from './run-spec.ts';

/** Checks each expression against its number. */
function check(preamble: string, cases: Record<string, number>): void {
  const found = evaluateAll(Object.keys(cases), preamble);
  Object.entries(cases).forEach(([text, wanted], i) => expect(found[i], text).toBeCloseTo(wanted, 10));
}

describe('exact numbers', () => {
  test('arithmetic keeps integers where they are written so', () => {
    check('', {
      '7 div 2': 3,
      '-7 div 2': -4,
      '-7 mod 3': 2,
      '2^10': 1024,
      '7 / 2': 3.5,
      '-2^2': -4,
      '2^3^2': 512,
      '1 - 2 - 3': -4,
      '(1 + 2) * 3': 9,
    });
  });
  test('literals take the type of what they meet, through let', () => {
    check('let k = 2\nlet n = 3\nvar x: f32[3] = 1.5', {
      'sum(k * x)': 9,
      'f32(i32(2.9) + n)': 5,
      'sum((0..4) * n)': 18,
    });
  });
  test('functions of exact numbers', () => {
    check('', {
      'sqrt(2)': Math.SQRT2,
      'cos(pi)': -1,
      'max(1, 3, 2)': 3,
      'min(1.5, 2)': 1.5,
      'clamp(5, 0, 3)': 3,
      'abs(-2)': 2,
    });
  });
});

const matrix = 'var one: f32 = 1\nlet a = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]] * one';

describe('arrays', () => {
  test('indexing, slicing, new axes, negative offsets', () => {
    check(matrix, {
      'a[1, 2]': 6,
      'a[-1, 0]': 4,
      'sum(a[0])': 6,
      'sum(a[:, 1])': 7,
      'sum(a[:, 1..3])': 16,
      'sum(a[0..=1, -1])': 9,
      'a[:, 0..-1][1, 1]': 5,
      // <a_i, a_j> over all pairs of rows: |1..3|^2 + |4..6|^2 + 2 <.,.>
      'sum(a[:, new, :] * a[new, :, :])': 14 + 77 + 2 * 32,
    });
  });
  test('gather by an index tensor, run-time indices and windows', () => {
    check(`${matrix}\nvar i: i32 = 1`, {
      'sum(a[:, 2 * (0..2)])': 14,
      'a[0, i]': 2,
      'sum(a[i])': 15,
      'sum(a[0, i..i + 2])': 5,
      'sum(a[argmin(a)[0..1]])': 6,
    });
  });
  test('the length of a range with run-time ends, where they differ by a number', () => {
    check('let x = [1.0, 2, 3, 4, 5, 6]\nvar t: i32 = 5\nvar s: i32 = 2\nlet twice = 2 * t', {
      'sum(x[t - 4..t])': 2 + 3 + 4 + 5,
      'sum(x[twice - 9..=t + t - 6])': 2 + 3 + 4 + 5,
      'sum(x[t - s - 1..-s + t + 1])': 3 + 4,
      'sum(map t - 4..t + 1 as i { i })': 1 + 2 + 3 + 4 + 5,
    });
    for (const range of ['s..t', 't..2 * t', 's..0 - s', 't * s..t * s * 1 + s'])
      expect(errorsOf(`var t: i32 = 5\nvar s: i32 = 2\nmetric m = sum(${range})`)[0].code, range).toBe('OPT305');
  });
  test('reductions of tensors and trees', () => {
    check(matrix, {
      'mean(a)': 3.5,
      'mean(a, axis: 0)[1]': 3.5,
      'max(a, axis: 1)[0]': 3,
      'min(a)': 1,
      'variance(a)': 35 / 12,
      'std(a, axis: 1)[0]': Math.sqrt(2 / 3),
      'norm((a, a))': Math.sqrt(2 * 91),
      'dot({ p: a, q: one }, { p: a, q: one })': 92,
      'mean(a > 2)': 4 / 6,
      'f32(sum(a > 2))': 4,
      'size((a, one))': 7,
      'len(a)': 2,
    });
  });
  test('along the last axis', () => {
    const e = [Math.exp(1), Math.exp(2), Math.exp(3)];
    const total = e[0] + e[1] + e[2];
    check(matrix, {
      'softmax(a)[0, 1]': e[1] / total,
      'log_softmax(a)[0, 0]': 1 - Math.log(total),
      'logsumexp(a)[0]': Math.log(total),
      'f32(argmax(a)[1])': 2,
      'sort(-a)[0, 0]': -3,
      'sort(a, descending: true)[1, 0]': 6,
      'cumsum(a)[1, 1]': 9,
    });
  });
  test('making and joining', () => {
    check(matrix, {
      'sum(concat(a, a))': 42,
      'sum(concat(a, zeros(2, 1), axis: 1))': 21,
      'stack(one, 2.0)[1]': 2,
      'stack(a[0], a[1], axis: 1)[2, 1]': 6,
      'reshape(a, [3, 2])[2, 0]': 5,
      'transpose(a)[2, 1]': 6,
      'sum(onehot(argmax(a), 3)[:, 2])': 2,
      'segment_sum(a, by: [1, 1], into: 3)[1, 2]': 9,
      'flat((a, one))[6]': 1,
      'unflat(flat(a) * 2, like: a)[1, 2]': 12,
      'flip(a[0])[0]': 3,
      'sum(where(a > 2, a, 0))': 18,
      '(a @ transpose(a))[0, 1]': 32,
      '(a @ a[0])[1]': 32,
    });
  });
  test('tuples and records are leaf-wise', () => {
    check(
      `${matrix}\nlet r = { u: a, v: one }\nlet s = 2 * r - { u: 1, v: 3 }\nlet ((p, q), t) = ((one, 2 * one), 3 * one)`,
      { 'sum(s.u)': 36, 's.v': -1, 'p + 10 * q + 100 * t': 321, 'norm(zeros_like(r))': 0 },
    );
  });
  test('scalars broadcast, ones stretch, trailing axes align', () => {
    check(matrix, {
      'sum(a + [10.0, 20.0, 30.0])': 21 + 120,
      'sum(a + [[1.0], [2.0]])': 21 + 9,
      'sum(a[:, new] + a[0])': 21 * 1 + 12 * 1,
    });
  });
});

describe('templates', () => {
  test('a fn is evaluated at each use, a let at its definition', () => {
    const m = runSpec(
      'use rules { sgd }\nvar x: f32 = 3\nfn now = x * 10\nlet then = x * 10\ntrain 1 { update x by sgd(1) minimizing x }\nmetric a = now\nmetric b = then',
    );
    expect([m.last('a'), m.last('b')]).toEqual([20, 30]);
  });
  test('dims are generic, arguments by name, defaults, partial application of fn parameters', () => {
    check(
      'fn scale(x: f32[n, m], by = 2, power: dim = 1) = by * n * x^power\nfn twice(f: fn, x) = f(f(x))\nfn inc(x) = x + 1\nfn lift(x, by, lower = 0) = x + by - lower\nvar x: f32[2, 2] = 3',
      {
        'sum(scale(x))': 4 * 12,
        'sum(scale(x, power: 2, by: 1))': 4 * 18,
        'twice(inc, 5)': 7,
        'twice(lift(by: 3), 5)': 11,
        'twice(lift(by: 1, lower: 1), 5)': 5,
      },
    );
  });
  test('arguments that begin with a free dim may come without it', () => {
    check('fn rowsum(x: f32[n, d]) = sum(x, axis: 1)\nvar x: f32[3] = 2', {
      'rowsum(x)': 6,
      'sum(rowsum(x[new, :]))': 6,
    });
  });
  test('static if takes one branch and does not type the other', () => {
    check('fn f(x: f32[n]) = if n == 2 { x[1] } else { x[5] }\nvar x: f32[2] = 4', { 'f(x)': 4 });
  });
  test('families over a static for', () => {
    check('var one: f32 = 1\nlet h[0] = one\nfor l in 0..3 { let h[l + 1] = h[l] * 2 + l }', { 'h[3]': 8 + 0 + 2 + 2 });
  });
});

describe('classes as rows of zeros and one', () => {
  test('inside the range', () => {
    check('let y = [0, 2, 1]', { 'onehot(y, 3)[1, 2]': 1, 'sum(onehot(y, 3))': 3, 'sum(onehot(y, 5))': 3 });
  });
  test('an index outside of it is an error, now where it is known, else of the run', () => {
    expect(errorsOf('metric m = sum(onehot([0, 3], 3))')[0].code).toBe('OPT307');
    expect(errorsOf('data d from "d" { y: i32[4] in 0..4 }\nmetric m = sum(onehot(d.y, 3))')[0].code).toBe('OPT307');
    const open = 'data d from "d" { y: i32[2] }\nmetric m = sum(onehot(d.y, 3))';
    const info = {
      d: { rows: 2, fields: [{ name: 'y', dtype: 'i32', shape: [], storage: 'i32', scale: 1 }] },
    } as const;
    expect(runSpec(open, { info, data: { 'd.y': [0, 2] } }).last('m')).toBe(2);
    expect(() => runSpec(open, { info, data: { 'd.y': [0, 3] } })).toThrow(/out of range/);
  });
});

describe('elementwise primitives', () => {
  test.each(elementwiseFunctions.map((f) => [f.op.name, f] as const))('%s is a function of the language', (name, f) => {
    const point = [0.375, 0.75].slice(0, f.arity);
    const dtypes = { inputs: point.map(() => 'f32' as const), output: f.result };
    const wanted = f.op.scalar?.(point, {}, dtypes) as number;
    const call = (args: readonly (string | number)[]) =>
      f.result === 'bool' ? `f32(${name}(${args.join(', ')}))` : `${name}(${args.join(', ')})`;
    const cells = ['x', 'y'].slice(0, f.arity);
    const preamble = cells.map((cell, i) => `var ${cell}: f32 = ${point[i]}`).join('\n');
    // Of cells, and of numbers known at compile time.
    expect(evaluateAll([call(cells), call(point)], preamble)).toEqual([
      expect.closeTo(wanted, 12),
      expect.closeTo(wanted, 12),
    ]);
  });
});
