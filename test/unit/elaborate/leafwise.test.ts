/** leafwise(f, a, b): f of each leaf, a call of its own. */
import { expect, test } from 'vitest';
import { errorsOf, evaluateAll } from './run-spec.ts';

const codes = (text: string): string[] => errorsOf(text).map((d) => d.code);
const TREES = 'var x = { a: [1.0, 2.0], b: [3.0, 4.0, 5.0] }\nvar y = { a: [1.0, 1.0], b: [2.0, 0.0, 0.0] }\n';

test('reductions are those of each leaf', () => {
  const found = evaluateAll(
    [
      'leafwise(total, x).a',
      'leafwise(total, x).b',
      'leafwise(dot2, x, y).a',
      'leafwise(dot2, x, y).b',
      'leafwise(dot2, x.a, y.a)',
    ],
    `${TREES}fn total(v) = sum(v)\nfn dot2(u, v) = dot(u, v)`,
  );
  expect(found).toEqual([3, 12, 3, 6, 3]);
});

test('arguments that are given come first, and derivatives pass', () => {
  const found = evaluateAll(
    ['leafwise(scaled(10), x).b[2]', 'grad(sum(leafwise(square, x).a), x).a[1]'],
    `${TREES}fn scaled(by, v) = by * v\nfn square(v) = v^2`,
  );
  expect(found).toEqual([50, 4]);
});

test('each leaf draws for itself', () => {
  const [a, b] = evaluateAll(
    ['n.a', 'n.b'],
    `var x = { a: 1.0, b: 1.0 }\nfn noisy(v) { sample z ~ normal f32; v + z }\nlet n = leafwise(noisy, x)`,
  );
  expect(a).not.toBeCloseTo(b, 3);
});

test('what it goes over has one structure', () => {
  expect(codes(`${TREES}fn f(u, v) = u\nmetric m = leafwise(f, x, y.a)`)).toEqual(['OPT313']);
  expect(codes(`${TREES}fn f(u) = u\nmetric m = leafwise(f, x, y).a[0]`)).toEqual(['OPT311']);
  expect(codes(`${TREES}metric m = leafwise(x, y).a[0]`)).toEqual(['OPT311']);
});
