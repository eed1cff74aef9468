/** map and reductions over it: values, derivatives and draws of one element, for all of them; against loops over static indices and hand computations. */
import { describe, expect, test } from 'vitest';
import { reachable } from '../../../compiler/ir/tensor/graph.ts';
import { compileSpec, errorsOf, evaluateAll, runSpec } from './run-spec.ts';

describe('map', () => {
  test('over ranges, arrays, records, zips and nested', () => {
    const [a, b, c, d, f, g] = evaluateAll([
      'sum(map 0..4 as i { f32(i)^2 })',
      'sum(map [1.0, 2, 3] as x { 2 * x })',
      'sum(map 2..5 as i { i })',
      'sum(map { u: [1.0, 2], v: [[1.0, 2], [3, 4]] } as r { r.u * sum(r.v) })',
      'sum(map [1.0, 2] as x, [3.0, 5] as y { x * y })',
      'sum(map 0..3 as i { map 0..2 as j { f32(10 * i + j) } } * [[1.0, 2], [3, 4], [5, 6]])',
    ]);
    expect([a, b, c, d, f, g]).toEqual([14, 12, 9, 3 + 14, 13, 0 + 2 + 30 + 44 + 100 + 126]);
  });
  test('patterns, tuples and records as values', () => {
    const [a, b] = evaluateAll(['sum(r.s) + sum(r.t)', 'sum(p[0]) - sum(p[1])'], `
let xs = [[1.0, 2], [3, 4]]
let r = map xs as x { { s: sum(x), t: x * x } }
let p = map (xs, [10.0, 20]) as (x, y) { (y * x, x) }`); // prettier-ignore
    expect([a, b]).toEqual([10 + 30, 10 * 3 + 20 * 7 - 10]);
  });
  test('reductions keep the shape of the value', () => {
    const [mean, sum, max, min, variance, share, count] = evaluateAll(
      [
        'dot(mean over xs as x { x }, [1.0, 10])',
        'sum over 0..4 as i { i }',
        'dot(max over xs as x { x }, [1.0, 10])',
        'min over xs as x { sum(x) }',
        'dot(variance over xs as x { x }, [1.0, 10])',
        'mean over 0..4 as i { i < 1 }',
        'sum over 0..4 as i { i < 3 }',
      ],
      'let xs = [[1.0, 6], [3, 2]]',
    );
    expect([mean, sum, max, min, variance, share, count]).toEqual([42, 6, 63, 5, 41, 0.25, 3]);
  });
});

const NET = `use nn { linear }
use losses { cross_entropy }
model Net(x: f32[n, 3]) { linear(tanh(linear(x, 5)), 2) }
sample X ~ normal f32[6, 3]
sample y ~ integers(0, 2) i32[6]
data D = { x: X, y: y }
fn loss(e) = mean(cross_entropy(Net(e.x), e.y))
let all = loss(D)
`;

describe('derivatives', () => {
  test('per-example gradients are those of a loop, and their mean that of the batch', () => {
    const loop = Array.from(
      { length: 6 },
      (_, i) => `norm(grad(loss({ x: X[${i}..${i + 1}], y: y[${i}..${i + 1}] }), Net))`,
    );
    const [norms, wanted, spread] = evaluateAll(
      [
        'sum over D as e { norm(grad(loss(e), Net)) }',
        loop.join(' + '),
        'norm((mean over D as e { grad(loss(e), Net) }) - grad(mean(loss(D)), Net))',
      ],
      NET,
    );
    expect(norms).toBeCloseTo(wanted, 6);
    expect(spread).toBeLessThan(1e-6);
  });
  test('the program does not grow with the number of elements', () => {
    const size = (n: number) => {
      const text = `${NET.replaceAll('[6', `[${n}`)}metric m = sum over D as e { norm(grad(loss(e), Net)) }`;
      const { program } = compileSpec(text);
      return reachable(program.entries.flatMap((entry) => entry.outputs.map((o) => o.value))).length;
    };
    expect(size(512)).toBe(size(6));
  });
  test('by the element, and of a map', () => {
    const [a, b, c] = evaluateAll(
      [
        'sum(map xs as x { grad(sum(x^3), x) })',
        'sum(grad(sum(map xs as x { sum(x) * w }), w))',
        'sum(map xs as x { hvp(sum(x^3) * w, x, [1.0, 2]) })',
      ],
      'let xs = [[1.0, 2], [3, 4]]\nvar w = 2.0',
    );
    expect(a).toBeCloseTo(3 * (1 + 4 + 9 + 16), 5);
    expect(b).toBeCloseTo(10, 5);
    expect(c).toBeCloseTo(12 * (1 + 2 * 2 + 3 + 4 * 2), 5);
  });
  test('replacing inside a map', () => {
    const [a] = evaluateAll(['sum(map [1.0, 2, 3] as p { F at { c: p } })'], 'var c = 5.0\nfn F = c^2');
    expect(a).toBe(14);
  });
});

describe('draws', () => {
  test('each element draws its own, and the same again', () => {
    const text = 'let z = map 0..3 as i { sample u ~ normal f32[2]; u }\nvar keep = z';
    const z = runSpec(text).values('keep');
    expect(new Set(z).size).toBe(6);
    expect(runSpec(text).values('keep')).toEqual(z);
    const loop = runSpec(`var keep = zeros(3, 2)
train 1 { repeat 3 as i { sample u ~ normal f32[2]; keep[i] <- u } }`).values('keep');
    expect(new Set(loop).size).toBe(6);
  });
  test('nested maps, permutations and choices by element', () => {
    const text = `let z = map 0..4 as i { map 0..3 as j { sample p ~ permutation(5); p } }
var keep = z`;
    const z = runSpec(text).values('keep');
    const rows = Array.from({ length: 12 }, (_, k) => z.slice(5 * k, 5 * k + 5));
    for (const row of rows) expect([...row].sort()).toEqual([0, 1, 2, 3, 4]);
    expect(new Set(rows.map((r) => r.join())).size).toBeGreaterThan(8);
  });
  test('logp inside', () => {
    const [a] = evaluateAll([
      'max over 0..5 as i { o.l[i] - (-0.5 * (o.z[i] - f32(i))^2 - 0.5 * log(2 * pi)) }'],
      'let o = map 0..5 as i { sample z ~ normal(f32(i), 1) f32; { z, l: logp(z) } }'); // prettier-ignore
    expect(Math.abs(a)).toBeLessThan(1e-6);
  });
});

describe('choices', () => {
  test('a branch not taken has no effect: no error, no NaN in derivatives', () => {
    const [a, b] = evaluateAll(
      [
        'sum(map 0..5 as i { if i < 3 { xs[i] } else { -1.0 } })',
        'sum(map xs as x { grad(if x > 1.5 { sqrt(x - 1.5) } else { x }, x) })',
      ],
      'let xs = [1.0, 2, 3]',
    );
    expect(a).toBe(6 - 2);
    expect(b).toBeCloseTo(1 + 0.5 / Math.sqrt(0.5) + 0.5 / Math.sqrt(1.5), 5);
  });
  test('a while goes on until the last element is done, and done elements keep their values', () => {
    const [a, b] = evaluateAll([
      'dot(map [1.0, 5, 40] as x { var t = x; var n = 0.0; while t > 1 max 20 { t <- t / 2; n <- n + 1 }; n }, [1.0, 10, 100])',
      'sum(map [2.0, 5, 40] as x { var t = x; while t > 1 max 20 { t <- t / 2 }; t })',
    ]);
    expect(a).toBe(0 + 30 + 600);
    expect(b).toBeCloseTo(1 + 0.625 + 0.625, 6);
  });
});

test('cells and what is around stay as they are', () => {
  expect(errorsOf('var w = 0.0\ntrain 1 { let y = map 0..3 as i { w <- 1; f32(i) }; w <- sum(y) }')[0].code).toBe(
    'OPT422',
  );
  const [a] = evaluateAll(['sum(map [1.0, 2] as x { var t = x; t <- t * 3; t + 1 })']);
  expect(a).toBe(11);
});

test('a range may begin below zero, and map may be a name all the same', () => {
  const [a, b, c] = evaluateAll(
    ['sum(map -2..1 as i { f32(i) })', 'sum(map -n..=1 as i { f32(i) })', 'f32(map - 2) + f32(map -1)'],
    'let n = 3\nlet map = 4',
  );
  expect([a, b, c]).toEqual([-3, -5, 5]);
});

test('an index out of range is told of as it is', () => {
  const fault = (text: string) => () => evaluateAll([text], 'var x: f32[3] = 1');
  expect(fault('sum(map 0..4 as i { x[i] })')).toThrow('index 3 is out of range: the axis has 3 elements');
  expect(fault('sum(map 0..2 as i { sum(map 0..6 as j { x[i + j] }) })')).toThrow('index 3 is');
  expect(fault('sum(map -2..1 as i { x[i] })')).toThrow('index -2 is');
});

test('what cannot be mapped over', () => {
  const code = (text: string) => errorsOf(`metric m = sum(${text})`).map((d) => d.code);
  expect(code('map 3.0 as x { x }')).toEqual(['OPT304']);
  expect(code('map [1, 2] as x, [1, 2, 3] as y { x }')).toEqual(['OPT302']);
  expect(code('max over 0..0 as i { i }')).toEqual(['OPT302']);
});
