/** `if` decided at run time and `every`: a branch not taken does nothing at all; counts and cursors move only where they are taken. */
import { describe, expect, test } from 'vitest';
import { errorsOf, runSpec } from './run-spec.ts';

const run = (text: string) => runSpec(`use rules { sgd, adam }\n${text}`);

/** Adam in plain code: x after each update with gradient g(x), for those of `times` that are true. */
function adamWhere(times: readonly boolean[], lr: number, gradient: (x: number) => number, from: number): number[] {
  let [x, m, v, k] = [from, 0, 0, 0];
  return times.map((due) => {
    if (due) {
      const g = gradient(x);
      k++;
      m = 0.9 * m + 0.1 * g;
      v = 0.999 * v + 0.001 * g * g;
      x -= (lr * (m / (1 - 0.9 ** k))) / (Math.sqrt(v / (1 - 0.999 ** k)) + 1e-8);
    }
    return x;
  });
}

const close = (found: readonly number[], wanted: readonly number[]) => {
  expect(found.length).toBe(wanted.length);
  found.forEach((value, i) => expect(value).toBeCloseTo(wanted[i], 11));
};

describe('a branch not taken has no effect', () => {
  test('an index out of range in it raises no error, in values and in writes', () => {
    const text = (i: number) => `var x: f32[3] = [1, 2, 3]
var i: i32 = ${i}
let y = if i < 3 { x[i] } else { -1.0 }
if i < 3 { x[i] <- 10 } else { x[0] <- 20 }
metric m = y
metric s = sum(x)`;
    expect([run(text(1)).last('m'), run(text(1)).last('s')]).toEqual([2, 14]);
    expect([run(text(7)).last('m'), run(text(7)).last('s')]).toEqual([-1, 25]);
    expect(() =>
      run('var x: f32[3] = 1\nvar i: i32 = 7\nlet y = if i > 3 { x[i] } else { 0.0 }\nmetric m = y'),
    ).toThrow(/out of range/);
  });
  test('its NaN enters neither values nor derivatives of any order', () => {
    const text = (x: number) => `var x: f32 = ${x}
fn root = if x > 0 { sqrt(x) } else { 2 * x^2 }
fn slope = grad(root, x)
metric value = root
metric first = slope
metric second = grad(slope, x)
metric along = jvp(root, x, 3.0)`;
    const at = (x: number) => ['value', 'first', 'second', 'along'].map((name) => run(text(x)).last(name));
    close(at(4), [2, 0.25, -1 / 32, 0.75]);
    close(at(-1), [2, -4, 4, -12]);
    // 0 itself, where sqrt has no derivative
    close(at(0), [0, 0, 4, 0]);
  });
  test('its NaN leaves an update and the objective alone', () => {
    const m = run(`var x: f32 = -2
train 2 { update x by sgd(0.25) minimizing if x > 0 { log(x) } else { x^2 }
  report x }`);
    expect(m.all('x')).toEqual([-1, -0.5]);
    expect(m.all('update_0').every(Number.isFinite)).toBe(true);
  });
  test('reports are made where they are taken; both branches may report under one name', () => {
    const m = run(`train 6 {
  if step mod 3 == 1 { report odd = f32(step) }
  if step < 4 { report which = 1 } else { report which = 2 }
  if step < 2 { if step > 0 { report deep = f32(step) } }
}`);
    expect(m.all('odd')).toEqual([1, 4]);
    expect(m.all('which')).toEqual([1, 1, 1, 1, 2, 2]);
    expect(m.all('deep')).toEqual([1]);
  });
  test('the cursor of a batch moves only where it is taken', () => {
    const text = (taken: string) => `data D = { v: f32(0..6) }
train 9 { if ${taken} { batch b = D[2]
 report got = sum(b.v) + 100 * b.v[0] } }`;
    const always = run('data D = { v: f32(0..6) }\ntrain 3 { batch b = D[2]; report got = sum(b.v) + 100 * b.v[0] }');
    expect(run(text('step mod 3 == 2')).all('got')).toEqual(always.all('got'));
  });
  test('k counts the updates done, with states at rest between', () => {
    const due = Array.from({ length: 12 }, (_, k) => k % 4 !== 1);
    const m = run(`var x: f32 = 3
train 12 { if step mod 4 == 1 { } else { update x by adam(0.1) minimizing (x - 1)^2 }
  report x }`);
    close(
      m.all('x'),
      adamWhere(due, 0.1, (x) => 2 * (x - 1), 3),
    );
    expect([...m.cells.keys()].filter((id) => id.endsWith('#k'))).toEqual(['train.update_0#k']);
  });
  test('each update counts its own', () => {
    const m = run(`var x: f32 = 3
var y: f32 = 3
train 8 {
  if step mod 2 == 0 { update x by adam(0.1) minimizing x^2 } else { update x by adam(0.1) minimizing x^2 allow OPT418 }
  update y by adam(0.1) minimizing y^2
  report x, y }`);
    close(
      m.all('y'),
      adamWhere(Array<boolean>(8).fill(true), 0.1, (y) => 2 * y, 3),
    );
    // both updates of x begin with the step lr, whichever is first
    expect(m.all('x')[0]).toBeCloseTo(2.9, 7);
    expect(m.all('x')[1]).toBeCloseTo(2.8, 7);
  });
  test('rules with conditions: states, p and g, by a pure step too', () => {
    const rule = `rule careful(lr = 0.1) for (p, g) {
  state last = zeros_like(p)
  if sum(abs(g)) > 1 { last <- last + g; p <- p - lr * g } else { p <- p - 0.5 * lr * last }
}`;
    const wanted: number[] = [];
    let [x, last] = [1, 0];
    for (let k = 0; k < 6; k++) {
      const g = 2 * x;
      if (Math.abs(g) > 1) {
        last += g;
        x -= 0.1 * g;
      } else x -= 0.05 * last;
      wanted.push(x);
    }
    close(run(`${rule}\nvar x: f32 = 1\ntrain 6 { update x by careful() minimizing x^2\n report x }`).all('x'), wanted);
    const pure = run(`${rule}
var x: f32 = 1
let (a, s) = careful().step(x, 2 * x)
let (b, t) = careful().step(a, 2 * a, s)
let (c, u) = careful().step(b, 2 * b, t)
let (d, v) = careful().step(c, 2 * c, u)
metric m = d
metric kept = v.last
metric slope = grad(d, x)`);
    expect(pure.last('m')).toBeCloseTo(wanted[3], 12);
    expect(pure.last('kept')).toBeCloseTo(2 + 1.6 + 1.28 + 1.024, 12);
    expect(pure.last('slope')).toBeCloseTo(wanted[3], 12);
  });
  test('what is read behind stop in a branch is no stale read', () => {
    const m = run(`var x: f32 = 1
train 1 { let old = x^2
  update x by sgd(0.1) minimizing x
  update x by sgd(0.1) minimizing x^2 + (if x > 0 { stop(old) } else { 0 }) allow OPT418 }`);
    expect(m.value('x')).toBeCloseTo(0.9 - 0.18, 12);
    expect(
      errorsOf(`use rules { sgd }\nvar x: f32 = 1
train 1 { let old = x^2
  update x by sgd(0.1) minimizing x
  update x by sgd(0.1) minimizing x^2 + (if x > 0 { old } else { 0 }) }`)[0].code,
    ).toBe('OPT410');
  });
  test('a zero gradient in every branch is explained by the cut', () => {
    const [found] = errorsOf(`use rules { sgd }\nvar x: f32 = 1
train 1 { update x by sgd(0.1) minimizing if step > 0 { stop(x) } else { floor(x) } }`);
    expect(found.code).toBe('OPT412');
    expect(found.labels?.some((l) => /cut/.test(l.text))).toBe(true);
  });
  test('at, fresh and draws reach into branches', () => {
    const m = run(`var x: f32 = 2
fn noisy = if x > 0 { sample z ~ normal f32; z } else { 0 }
let e = if x > 0 { x^3 } else { -x }
metric there = e at { x: -5.0 }
metric slope = grad(e, x) at { x: 3.0 }
train 2 {
  report a = noisy, b = fresh noisy, c = fresh noisy
}`);
    expect([m.last('there'), m.last('slope')]).toEqual([5, 27]);
    expect(m.all('a')[0]).toBe(m.all('a')[1]);
    expect(new Set([...m.all('a'), ...m.all('b'), ...m.all('c')]).size).toBe(5);
  });
  test('a hyper chooses on the host', () => {
    const m = run('hyper lr = if step < 2 { 0.5 } else { 0.25 }\ntrain 3 { report r = lr }');
    expect(m.all('r')).toEqual([0.5, 0.5, 0.25]);
  });
});

describe('every', () => {
  test('reports and updates at its times only; nested periods count the same loop', () => {
    const m = run(`var n = 0.0
train 13 { every 2 { every 3 { n <- n + 1; report at = f32(step) } } }
metric n = n`);
    expect(m.all('at')).toEqual([0, 6, 12]);
    expect(m.last('n')).toBe(3);
  });
  test('k under every, nested, and with a period of the run', () => {
    const due = Array.from({ length: 13 }, (_, k) => k % 6 === 0);
    for (const body of ['every 2 { every 3 { U } }', 'every 6 { U }', 'every p { U }', 'every p { every 3 { U } }']) {
      const text = body.replace('U', 'update x by adam(0.1) minimizing (x - 1)^2');
      const m = run(`var x: f32 = 3\nvar p: i32 = 6\ntrain 13 { ${text}\n report x }`);
      close(
        m.all('x'),
        adamWhere(due, 0.1, (x) => 2 * (x - 1), 3),
      );
    }
  });
  test('in a rule it counts the updates of the statement', () => {
    const m = run(`rule lazy() for (p, g) { state s = zeros_like(p)
  every 3 { s <- s + 1 }
  p <- p - 0 * g + 0 * s
  report times = max(s) }
var x: f32 = 1
train 8 { if step mod 2 == 0 { update x by lazy() minimizing x } }`);
    expect(m.all('times')).toEqual([1, 1, 1, 2]);
  });
});
