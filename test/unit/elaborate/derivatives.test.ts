/** Derivatives as the language writes them: against finite differences, explicit formulas, and each other. */
import { describe, expect, test } from 'vitest';
import { compileSpec, errorsOf, runSpec } from './run-spec.ts';

const value = (text: string, preamble = '') => runSpec(`${preamble}\nmetric m = ${text}`).last('m');

describe('grad and its kin', () => {
  const f = 'fn f(a, b) = sum(sin(a) * b^2 + a * b)\nvar a: f32[2] = [0.3, -1.2]\nvar b: f32[2] = [0.7, 0.4]\n';
  test('grad of a tuple has the structure of the tuple', () => {
    expect(value('grad(f(a, b), (a, b))[1][0]', f)).toBeCloseTo(2 * 0.7 * Math.sin(0.3) + 0.3, 12);
    expect(value('grad(f(a, b), { p: a, q: b }).p[1]', f)).toBeCloseTo(Math.cos(-1.2) * 0.16 + 0.4, 12);
  });
  test('jvp, vjp and hvp agree with differences', () => {
    const h = 1e-5;
    const along = 'let v = [1.0, 2.0]\n';
    const shifted = (s: number) => value(`f(a, b) at { a: a + ${s} * v }`, `${f}${along}`);
    expect(value('jvp(f(a, b), a, v)', `${f}${along}`)).toBeCloseTo((shifted(h) - shifted(-h)) / (2 * h), 6);
    expect(value('sum(vjp(sin(a) * b, a, v))', `${f}${along}`)).toBeCloseTo(
      Math.cos(0.3) * 0.7 + 2 * Math.cos(-1.2) * 0.4,
      12,
    );
    // d2/da2 of sin(a) b^2 is diagonal: -sin(a) b^2
    expect(value('hvp(f(a, b), a, v)[1]', `${f}${along}`)).toBeCloseTo(-Math.sin(-1.2) * 0.16 * 2, 12);
    expect(value('grad(grad(f(a, b), a)[1], a)[1]', f)).toBeCloseTo(-Math.sin(-1.2) * 0.16, 12);
  });
  test('by lets and arguments', () => {
    expect(value('grad(l^3, l)', 'var x: f32 = 2\nlet l = x^2')).toBe(48);
    expect(value('g(x)', 'var x: f32 = 2\nfn g(t) = grad(t^3, t)')).toBe(12);
  });
  test('numbers known at compile time have no derivative', () => {
    expect(errorsOf('let c = 2\nvar x: f32 = 1\nmetric m = grad(c * x, c)')[0].code).toBe('OPT415');
    // A list of them has one where it has a type, as the message says.
    const list = (type: string) => `let u${type} = [1.0, 2.0]\nlet y = sum(u^3)\nmetric m = grad(y, u)[1]`;
    expect(runSpec(list(': f32[2]')).last('m')).toBe(12);
    expect(errorsOf(list(''))).toMatchObject([{ code: 'OPT415', hint: expect.stringContaining('let u: f32[2] = …') }]);
  });
});

describe('reversal', () => {
  test('equals the explicit min-max gradient', () => {
    const m = runSpec(`use nn { linear, relu }
use losses { binary_cross_entropy, cross_entropy }
model F(x: f32[n, 3]) { relu(linear(x, 4)) }
model L(z: f32[n, 4]) { linear(z, 2) }
model D(z: f32[n, 4]) { linear(z, 1)[:, 0] }
hyper lambda = 0.7
sample x ~ normal f32[6, 3]
let y = [0, 1, 1, 0, 1, 0]
let d = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
fn open(z) = z
fn back(z) = reverse(z, by: lambda)
fn label = mean(cross_entropy(L(F(x)), y))
fn domain(link: fn) = mean(binary_cross_entropy(D(link(F(x))), d))
let reversed = grad(label + domain(back), (F, L))
let explicit = grad(label - lambda * domain(open), (F, L))
let critic = grad(label + domain(back), D)
let plain = grad(domain(open), D)
metric gap = norm(reversed - explicit) / norm(explicit)
metric same = norm(critic - plain) / norm(plain)`);
    expect(m.last('gap')).toBeLessThan(1e-12);
    expect(m.last('same')).toBeLessThan(1e-12);
  });
  test('a factor that is a schedule', () => {
    const m = runSpec(
      'use rules { sgd }\nhyper lambda = progress\nvar x: f32 = 0\ntrain 4 { update x by sgd(1) minimizing reverse(x, by: lambda) }',
    );
    // x goes up by 0, 1/4, 2/4, 3/4
    expect(m.value('x')).toBeCloseTo(1.5, 12);
  });
});

describe('custom derivatives', () => {
  test('gradient clause of one argument and of several, reading the lets of the forward', () => {
    expect(
      value(
        'grad(sum(binarize(w)), w)[0]',
        'fn binarize(w) = sign(w) gradient g -> g * cos(20 * w)\nvar w: f32[2] = 0.1',
      ),
    ).toBeCloseTo(Math.cos(2), 12);
    const pair =
      'fn f(a, b) { let s = a * b\n s } gradient g -> { a: g * s, b: 10 * g }\nvar a: f32 = 2\nvar b: f32 = 3\n';
    expect(value('f(a, b)', pair)).toBe(6);
    expect(value('grad(f(a, b), a)', pair)).toBe(6);
    expect(value('grad(f(a, b), b)', pair)).toBe(10);
  });
  test('straight_through has the value of hard and the derivative of soft', () => {
    const p = 'var x: f32[2] = [0.2, 1.7]\nfn q(x) = straight_through(round(x), x^2)\n';
    expect(value('sum(q(x))', p)).toBe(2);
    expect(value('grad(sum(q(x)), x)[1]', p)).toBeCloseTo(3.4, 12);
  });
  test('stop', () => {
    expect(value('grad(x * stop(x), x)', 'var x: f32 = 3')).toBe(3);
  });
});

describe('gradients that are zero everywhere', () => {
  const update = (objective: string) =>
    errorsOf(
      `use rules { sgd }\nvar x: f32[3] = 1\nvar other: f32 = 1\ntrain 1 { update x by sgd(0.1) minimizing ${objective} }`,
    )[0];
  test('no path at all', () => expect(update('other^2').code).toBe('OPT411'));
  test('a path that is cut names its place', () => {
    const d = update('sum(sign(x))');
    expect(d.code).toBe('OPT412');
    expect(d.labels[1].text).toContain('sign');
    expect(update('f32(argmax(x))').labels[1].text).toContain('argmax');
    expect(update('mean(x > 0)').hint).toContain('straight_through');
    expect(update('sum(stop(x))').hint).toContain('stop');
  });
});

describe('matrices of derivatives', () => {
  const cells = 'var a: f32[2] = [0.3, -1.2]\nvar b: f32 = 0.7\n';
  test('jacobian in both modes, over flat order', () => {
    // e = (a0 b, a1 b, a0 a1), by (a, b)
    const wide = 'let J = jacobian(concat(a * b, (a[0] * a[1])[new]), (a, b))';
    const rows = [
      [0.7, 0, 0.3],
      [0, 0.7, -1.2],
      [-1.2, 0.3, 0],
    ];
    rows.forEach((row, i) =>
      row.forEach((v, j) => expect(value(`J[${i}, ${j}]`, `${cells}${wide}`)).toBeCloseTo(v, 12)),
    );
    const reverse = `${cells}let J = jacobian(sum(sin(a)) * b, (a, b))`;
    const wanted = [Math.cos(0.3) * 0.7, Math.cos(-1.2) * 0.7, Math.sin(0.3) + Math.sin(-1.2)];
    wanted.forEach((v, j) => expect(value(`J[0, ${j}]`, reverse)).toBeCloseTo(v, 12));
  });
  test('the graph of a matrix does not grow with it; empty ones are legal', () => {
    const size = (n: number) => {
      const text = `var a: f32[${n}] = 1\nlet H = hessian(sum(sin(a)^3) / 2 + prod(cos(a / 9)), a)\nmetric trace = sum(H * onehot(0..${n}, ${n}))`;
      return compileSpec(text).texts('program').split('\n').length;
    };
    expect(size(300)).toBe(size(7));
    const none = runSpec(
      'var a: f32[0] = 0\nvar b: f32[2] = 1\nlet J = jacobian(b * (2 + sum(a)), a)\nmetric m = sum(J)\nlet K = jacobian(2 * a, b)\nmetric k = sum(K)',
    );
    expect([none.last('m'), none.last('k')]).toEqual([0, 0]);
  });
  test('matrices inside of map and of each other', () => {
    // f = a^3 b: the derivative of each entry of the Hessian by (a, b), and one Hessian for each element
    const m = runSpec(`var v: f32[2] = [2.0, 3.0]
let T = jacobian(hessian(v[0]^3 * v[1], v), v)
metric aab = T[0, 1]
metric aaa = T[0, 0]
let xs = [1.0, 2.0, 3.0]
let all = map xs as x { hessian(x * v[0]^2 * v[1], v)[0, 1] }
metric last = all[2]`);
    // d3f/da2 db = 6a, d3f/da3 = 6b, and 2 x a
    expect([m.last('aab'), m.last('aaa'), m.last('last')]).toEqual([12, 18, 12]);
  });
  test('hessian is symmetric and agrees with hvp', () => {
    const f = `${cells}fn f = sin(a[0] * a[1]) + a[0]^3 * b + b^4
let H = hessian(f, (a, b))
let (u, v) = hvp(f, (a, b), ([1.0, 2.0], 3.0))`;
    expect(value('max(abs(H - transpose(H)))', f)).toBeCloseTo(0, 12);
    expect(value('max(abs(H @ [1.0, 2.0, 3.0][:, new] - concat(u, v[new])[:, new]))', f)).toBeCloseTo(0, 12);
    expect(value('H[2, 2]', f)).toBeCloseTo(12 * 0.49, 12);
  });
});
