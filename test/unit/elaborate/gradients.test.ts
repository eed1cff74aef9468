/** Gradient clauses, black boxes, and derivatives by everything that has a name. */
import { describe, expect, test } from 'vitest';
import { errorsOf, evaluateAll } from './run-spec.ts';

describe('gradient clauses', () => {
  test('of one argument, of records, of trees; the forward is saved', () => {
    const [a, b, c, d, e] = evaluateAll(
      ['grad(f(x), x)', 'grad(h(x, y), x)', 'grad(h(x, y), y)', 'sum(grad(t({ u: v, w: v * v }), v))', 'f(x)'],
      `var x = 0.5
var y = 2.0
var v = [1.0, 2]
fn f(x) { let r = exp(x); r + 1 } gradient g -> g * r * 10
fn h(a, b) = a * b gradient g -> { a: 3 * g * b, b: 5 * g * a }
fn t(p) = sum(p.u * p.w) gradient g -> { p: { u: g * p.w, w: 0 * p.u } }`,
    );
    expect(a).toBeCloseTo(10 * Math.exp(0.5), 4);
    expect([b, c]).toEqual([6, 2.5]);
    // only u's part: its cotangent is w = v^2
    expect(d).toBeCloseTo(1 + 4, 5);
    expect(e).toBeCloseTo(Math.exp(0.5) + 1, 6);
  });
  test('several results share one clause; whole numbers among them have no part', () => {
    const [a, b, c] = evaluateAll(
      ['grad(pick(0), x)', 'grad(pick(1), x)', 'jvp(pick(0) + pick(1), x, 1)'],
      `var x = 3.0
fn f(x) { (x^2, 7, [x, 2 * x]) } gradient g -> 10 * g[0] + 100 * g[2][0] + 1000 * g[2][1]
fn pick(k: dim) { let (s, n, v) = f(x); if k == 0 { 2 * s + f32(n) } else { v[0] + 3 * v[1] } }`,
    );
    expect(a).toBe(20);
    expect(b).toBe(100 + 3000);
    expect(c).toBe(3120);
  });
  test('a clause may be any expression that gives the record', () => {
    const [a, b] = evaluateAll(
      ['grad(f(x, y), x)', 'grad(f(x, y), y)'],
      `var x = 2.0
var y = 3.0
fn back(g, a, b) { { a: g * b, b: g * a } }
fn f(a, b) = a * b gradient g -> back(7 * g, a, b)`,
    );
    expect([a, b]).toEqual([21, 14]);
  });
  test('second derivatives go through the clause; maps and scans take it', () => {
    const [second, mapped, scanned] = evaluateAll(
      [
        'grad(grad(f(x), x), x)',
        'sum(map [1.0, 2, 3] as u { grad(f(u * x), x) })',
        'grad(scan s = x for i in 0..20 { next f(s) / 10 }, x)',
      ],
      'var x = 2.0\nfn f(x) = x gradient g -> g * (3 + x)',
    );
    expect(second).toBe(1);
    expect(mapped).toBe(1 * 5 + 2 * 7 + 3 * 9);
    let [s, d] = [2, 1];
    for (let i = 0; i < 20; i++) [s, d] = [s / 10, (d * (3 + s)) / 10];
    expect(scanned).toBeCloseTo(d, 8);
  });
  test('none may not be asked, except behind stop', () => {
    const text = 'var x = 2.0\nvar y = 3.0\nfn f(a, b) = a * b gradient g -> { a: g * b, b: none }\n';
    expect(evaluateAll(['grad(f(x, y), x)', 'grad(f(x, stop(y)) + y, y)'], text)).toEqual([3, 1]);
    expect(errorsOf(`${text}metric m = grad(f(x, y), y)`).map((d) => d.code)).toEqual(['OPT430']);
    expect(errorsOf(`${text}metric m = jvp(f(x, y), y, 1)`).map((d) => d.code)).toEqual(['OPT430']);
    const one = 'var x = 2.0\nfn f(a) = a^2 gradient g -> none\n';
    expect(errorsOf(`${one}metric m = grad(f(x), x)`).map((d) => d.code)).toEqual(['OPT430']);
  });
  test('wrong clauses', () => {
    const code = (clause: string) =>
      errorsOf(`var x = 2.0\nfn f(a, b) = a * b gradient g -> ${clause}\nmetric m = f(x, x)`).map((d) => d.code);
    expect(code('{ a: g }')).toEqual(['OPT311']);
    expect(code('g')).toEqual(['OPT311']);
    expect(code('{ a: [1.0, 2] * g, b: g }')).toEqual(['OPT302']);
    expect(code('{ a: (g, g), b: g }')).toEqual(['OPT313']);
  });
});

describe('opaque', () => {
  const text = 'var x = 2.0\nopaque fn f(a) { sum(a^2) }\n';
  test('its value may be used, differences of it too, but no derivative passes it', () => {
    const [value, slope, rest] = evaluateAll(
      ['f(x)', '(f(x + 0.5) - f(x - 0.5)) / 1', 'grad(stop(f(x)) * x, x)'],
      text,
    );
    expect([value, slope, rest]).toEqual([4, 4, 4]);
    expect(errorsOf(`${text}metric m = grad(f(x), x)`).map((d) => d.code)).toEqual(['OPT430']);
    expect(evaluateAll(['grad(f(1.0) * x, x)'], text)).toEqual([1]);
  });
  test('with a clause, that is its derivative', () => {
    expect(evaluateAll(['grad(f(x), x)'], 'var x = 2.0\nopaque fn f(a) = a^2 gradient g -> 9 * g')).toEqual([9]);
  });
});

test('straight_through takes the value of one and the derivative of the other', () => {
  const [value, slope] = evaluateAll(
    ['q(x)', 'grad(q(x), x)'],
    'var x = 2.6\nfn q(x) = straight_through(round(x), x^2)',
  );
  expect([value, slope]).toEqual([3, 5.2]);
});

describe('by models, parts, lets, inputs, arguments and lists', () => {
  const text = `use nn { linear }
model Net(x: f32[n, 2]) { let h = tanh(linear(x, 3) as a); linear(h, 1) as b }
var u = [1.0, 2]
var s = 0.5
let v = u * s
fn f(z) = sum(z^2 * s)
fn loss = sum(Net([[0.3, -0.2]])^2) + f(u)
let begin = loss
`;
  test('grad, hvp, jvp and vjp agree with each other', () => {
    const [all, parts, flat, byLet, lists, jac, products, symmetric, tuple] = evaluateAll(
      [
        'dot(grad(loss, Net), grad(loss, Net))',
        'dot(grad(loss, Net.a), grad(loss, Net.a)) + dot(grad(loss, Net.b), grad(loss, Net.b))',
        'jvp(loss, Net, grad(loss, Net))',
        'sum(grad(f(v), v))',
        'grad(loss, { u, s }).s + sum(grad(loss, (u, s))[0])',
        'sum(vjp(u * s, u, [1.0, 10]))',
        'dot(hvp(loss, Net, grad(loss, Net)), grad(loss, Net))',
        'dot(hvp(loss, Net, zeros_like(Net)), grad(loss, Net))',
        'sum(hvp(loss, (u, s), (u, 1.0))[0])',
      ],
      text,
    );
    expect(all).toBeCloseTo(parts, 6);
    expect(flat).toBeCloseTo(all, 6);
    expect(byLet).toBeCloseTo(2 * 0.5 * (0.5 + 1), 6);
    expect(lists).toBeCloseTo(5 + 3, 5);
    expect(jac).toBeCloseTo(5.5, 6);
    expect(Number.isFinite(products)).toBe(true);
    expect(symmetric).toBe(0);
    // gradient by u is 2 u s; along (u, 1): 2 s u + 2 u
    expect(tuple).toBeCloseTo(3 + 6, 5);
  });
});
