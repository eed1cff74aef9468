/** Cells and versions: simultaneous and alternating updates, stale objectives, `at`, writes, lifetimes. */
import { describe, expect, test } from 'vitest';
import { compileSpec, errorsOf, runSpec } from './run-spec.ts';

const players = (word: string) => `
use rules { sgd }
var x: f32 = 1
var y: f32 = 2
train 1 {
  ${word} lx = x * y + x^2
  ${word} ly = y^2 - x * y
  update x by sgd(0.1) minimizing lx
  update y by sgd(0.1) minimizing ly
}`;

describe('derivatives of expressions after an update', () => {
  const spec = (objective: string, inside = 'update h by sgd(0.1) minimizing w * h^2') => `use rules { sgd }
var w: f32 = 1
var h: f32 = 2
train 1 {
  ${inside}
  report r = ${objective}
}`;
  test.each([
    'grad(h * w, w)',
    'jvp(h, w, 1)',
    'vjp(h, w, 1)',
    'hvp(h * w, w, 1)',
    'jacobian(h, w)[0, 0]',
    'hessian(h * w, w)[0, 0]',
  ])('%s would have to pass it', (text) => expect(errorsOf(spec(text))[0].code).toBe('OPT401'));
  test('in a choice and in a loop, and behind another update', () => {
    expect(errorsOf(spec('grad(h, w)', 'if h > w { update h by sgd(0.1) minimizing w * h^2 }'))[0].code).toBe('OPT401');
    expect(errorsOf(spec('grad(h, w)', 'repeat 20 { update h by sgd(0.1) minimizing w * h^2 }'))[0].code).toBe(
      'OPT401',
    );
    const twice = 'update h by sgd(0.1) minimizing w * h^2\n update h by sgd(0.1) minimizing h^2';
    expect(errorsOf(spec('grad(h, w)', twice))[0].code).toBe('OPT401');
  });
  test('what is stopped, moved without it, or moved itself is meant', () => {
    // h = 2 - 0.1 * 4 = 1.6
    expect(runSpec(spec('grad((h * w) at { h: stop(h) }, w)')).last('r')).toBeCloseTo(1.6, 12);
    expect(runSpec(spec('grad(stop(h) * w, w)')).last('r')).toBeCloseTo(1.6, 12);
    expect(runSpec(spec('grad(h * w, w)', 'update h by sgd(0.1) minimizing stop(w) * h^2')).last('r')).toBeCloseTo(
      1.6,
      12,
    );
    expect(runSpec(spec('grad(w * h^2, h)')).last('r')).toBeCloseTo(3.2, 12);
  });
  test('update statements alternate', () => {
    const m = runSpec(spec('w', 'update h by sgd(0.1) minimizing w * h^2\n update w by sgd(0.1) minimizing w * h'));
    expect(m.value('w')).toBeCloseTo(1 - 0.16, 12);
    // a rule that differentiates the objective speaks for its statement
    const sharp = spec(
      'w',
      'update h by sgd(0.1) minimizing w * h^2\n update w by sam(0.1) |> sgd(0.1) minimizing w * h',
    );
    expect(runSpec(sharp.replace('{ sgd }', '{ sgd, sam }')).value('w')).toBeCloseTo(1 - 0.16, 12);
  });
});

describe('order of updates', () => {
  test('let objectives are simultaneous', () => {
    const m = runSpec(players('let'));
    // gradients at (1, 2): y + 2x = 4 and 2y - x = 3
    expect(m.value('x')).toBeCloseTo(0.6, 12);
    expect(m.value('y')).toBeCloseTo(1.7, 12);
  });
  test('fn objectives alternate', () => {
    const m = runSpec(players('fn'));
    // the second gradient is taken at x = 0.6: 2y - x = 3.4
    expect(m.value('x')).toBeCloseTo(0.6, 12);
    expect(m.value('y')).toBeCloseTo(1.66, 12);
  });
  test('explain says which', () => {
    expect(compileSpec(players('let')).texts('updates')).toContain('simultaneous');
    expect(compileSpec(players('fn')).texts('updates')).toContain('alternating');
  });
  test('explain tells of a solver by the names of what it moves, the rules it was given, and the terms of its objectives', () => {
    const text = compileSpec(`use rules { sgd, clip }
use nn { linear }
model D(x: f32[n, 1]) { linear(x, 1) }
problem duel_of {
  over D
  over y: f32 = 1
  let away = mean((D(ones(2, 1)) - y)^2)
  player a moves y minimizes y^2 - 0.5 * away
  player b moves D minimizes 0.5 * away
}
solver both(by: rule = sgd(0.1)) for duel (x, y; F, G) {
  together {
    update x by by minimizing F
    update y by clip(2) |> by minimizing G
  }
}
solve duel_of by both(sgd(lr: 0.2)) for 1`).texts('updates');
    expect(text).toContain('D <- D - 0.2 * (0.5 * d away)  by clip(c: 2) |> sgd(lr: 0.2)');
    expect(text).toContain('duel_of.y <- duel_of.y - 0.2 * (d (y^2) - 0.5 * d away)  by sgd(lr: 0.2)');
  });
  test('targets of one statement move together', () => {
    const m = runSpec(
      'use rules { sgd }\nvar x: f32 = 1\nvar y: f32 = 2\ntrain 1 { update x, y by sgd(0.1) minimizing x * y }',
    );
    expect([m.value('x'), m.value('y')]).toEqual([1 - 0.1 * 2, 2 - 0.1 * 1]);
  });
});

describe('stale objectives', () => {
  const twice = (word: string) => `use rules { sgd }
var x: f32 = 1
train 1 {
  ${word} loss = x^2
  update x by sgd(0.1) minimizing loss
  update x by sgd(0.1) minimizing loss
}`;
  test('a let that read an older version is refused, with the place of the move and a hint', () => {
    const [d] = errorsOf(twice('let'));
    expect(d.code).toBe('OPT410');
    expect(d.labels[0].text).toContain('moved here');
    expect(d.hint).toContain('fn loss');
  });
  test('a fn is not stale', () => {
    const m = runSpec(twice('fn'));
    expect(m.value('x')).toBeCloseTo(0.64, 12);
  });
  test('reads behind stop do not count', () => {
    const m = runSpec(`use rules { sgd }
var x: f32 = 1
train 1 {
  let old = stop(x)
  update x by sgd(0.1) minimizing x^2
  update x by sgd(0.1) minimizing x * old allow OPT418
}`);
    expect(m.value('x')).toBeCloseTo(0.8 - 0.1 * 1, 12);
  });
});

describe('at', () => {
  test('a fn that writes local variables is a value: at, and fresh, reach what it was computed from', () => {
    const m = runSpec(`use rules { sgd }
use linalg { det, solve_linear }
frozen x: f32[2, 2] ~ uniform(1, 2)
frozen y: f32 ~ uniform(1, 2)
fn twice(a) { var M = a
  M <- 2 * M
  M }
fn many(a) { var M = a
  repeat 20 { M <- 1.1 * M }
  M }
fn nearest(a) { var z = 0.0
  repeat 30 { update z by sgd(0.25, momentum: 0.1) minimizing (z - a)^2 }
  z }
fn noisy() { var s = 0.0
  sample e ~ normal f32
  s <- s + e
  s }
let a = 3 * y
let d = det(x) * twice(a)
metric twice = (twice(y) at { y: 5 }) - twice(5.0)
metric many = (many(y) at { y: 5 }) - many(5.0)
metric nearest = (nearest(y) at { y: 5 }) - nearest(5.0)
metric det = (d at { x: 2 * x, a: 7 }) - det(2 * x) * 14
metric solved = sum(abs((solve_linear(x, [1.0, 2.0]) at { x: x + 1 }) - solve_linear(x + 1, [1.0, 2.0])))
let drawn = noisy()
metric anew = f32((fresh drawn) == drawn)`);
    for (const name of ['twice', 'many', 'nearest', 'det', 'solved', 'anew'])
      expect(m.last(name), name).toBeCloseTo(0, 9);
  });
  test('a local variable that can be named is a cell: what it was written from is not looked at', () => {
    const [error] = errorsOf(`var x = 1.0
train 1 { var y = x
  y <- 2 * y
  report r = y at { x: 5 } }`);
    expect(error.code).toBe('OPT414');
  });
  test('so is one that was passed on by name: the body that it lives in has not ended', () => {
    const m = runSpec(`fn probe(L: objective, y: cells) = L at { y: 0 }
fn once(L: objective, y: cells) { var t = 0.5
  let moved = L at { y: y + t }
  jvp(moved, t, 1) }
fn f(a) { var y = a
  var m = 0.0
  m <- m + 3 * y
  probe(m + y, y) }
fn g(a) { var y = a
  var m = 0.0
  m <- m + 3 * y
  once(m * y, y) }
var x = 1.0
metric f = f(x)
metric g = g(x)`);
    expect([m.last('f'), m.last('g')]).toEqual([3, 3]);
  });
  const preamble = 'var x: f32 = 3\nvar y: f32 = 2\n';
  const value = (text: string, more = '') => runSpec(`${preamble}${more}\nmetric m = ${text}`).last('m');
  test('replaces reads of cells, lets and arguments', () => {
    expect(value('(x^2 + y) at { x: 5 }')).toBe(27);
    expect(value('(x * y) at { x: y, y: x }')).toBe(6);
    expect(value('(x + l) at { l: 100 }', 'let l = x * y')).toBe(103);
    expect(value('f(x)', 'fn f(a) = (a^2 + y) at { a: 10 }')).toBe(102);
  });
  test('reaches into derivatives and lets derivatives flow into the replacement', () => {
    // d/dx x^2 y = 2 x y at x = 5
    expect(value('grad(x^2 * y, x) at { x: 5 }')).toBe(20);
    // d/dz (z^2 y) by z = 3 x, so 2 z y
    const left = value('grad((x^2 * y) at { x: z }, z)', 'let z = 3 * x');
    const right = value('grad(x^2 * y, x) at { x: z }', 'let z = 3 * x');
    expect(left).toBe(2 * 9 * 2);
    expect(right).toBe(left);
    // chain into v: d/dy of ((x^2) at { x: y^2 }) = 4 y^3
    expect(value('grad((x^2) at { x: y^2 }, y)')).toBe(32);
  });
  test('nothing is redrawn', () => {
    const m = runSpec(
      'sample z ~ normal f32[4]\nvar x: f32[4] = 1\nlet e = sum(x * z)\nmetric gap = (e at { x: 2 * x }) - 2 * e',
    );
    expect(m.last('gap')).toBeCloseTo(0, 12);
  });
  test('a replacement that nothing uses is refused', () => {
    expect(errorsOf(`${preamble}metric m = x^2 at { y: 1 }`)[0].code).toBe('OPT414');
  });
  test('an argument is a value of its own, whatever else is given the same', () => {
    expect(value('f(x, x)', 'fn f(a, b) = grad(a * b^2, a)')).toBe(9);
    expect(value('f(x)', 'fn f(a) = grad(a * x, a)')).toBe(3);
    expect(value('f(x)', 'fn f(a) = (a + x) at { a: 10 }')).toBe(13);
    expect(value('f([x, x], [x, x])', 'fn f(a, b) = sum(grad(sum(a * b), a))')).toBe(6);
    expect(value('f(r, r)', 'let r = { u: x, v: y }\nfn f(a, b) = grad(a.u * b.v * b.u, a.u)')).toBe(6);
  });
  test('a cell that is given as an argument, which the expression reads by itself, stands for the cell', () => {
    expect(value('f(x)', 'fn L = x^2\nfn f(p) = grad(L, p)')).toBe(6);
    expect(value('f(x)', 'fn L = x^2\nfn g(q) = L at { q: 5 }\nfn f(p) = g(p)')).toBe(25);
    const net = 'use nn { linear }\nmodel N(v: f32[n, 2]) { linear(v, 1) }\nlet out = sum(N(ones(3, 2)))\n';
    expect(value('norm(f(N)) - norm(grad(out, N))', `${net}fn f(P) = grad(out, P)`)).toBe(0);
  });
  test('a model is replaced by a tree', () => {
    const m = runSpec(`use nn { linear }
model N(x: f32[n, 2]) { linear(x, 1) }
var v: f32[1, 2] = 1
let base = sum(N(v))
metric zero = base at { N: zeros_like(N) }
metric same = (base at { N: N + 0 * N }) - base`);
    expect(m.last('zero')).toBe(0);
    expect(m.last('same')).toBeCloseTo(0, 12);
  });
});

describe('writes', () => {
  test('later reads see the new value; a tuple is written at once', () => {
    const m = runSpec('var a: f32 = 1\nvar b: f32 = 2\ntrain 1 { (a, b) <- (b, a)\n  b <- b + a }');
    expect([m.value('a'), m.value('b')]).toEqual([2, 3]);
  });
  test('parts of arrays, with run-time indices', () => {
    const m = runSpec('var ring: f32[4] = 0\ntrain 6 { ring[step mod 4] <- f32(step + 1) }');
    expect(m.values('ring')).toEqual([5, 6, 3, 4]);
    const rows = runSpec('var t: f32[2, 3] = 0\ntrain 1 { t[1] <- [1.0, 2.0, 3.0]\n  t[:, 0] <- 7 }');
    expect(rows.values('t')).toEqual([7, 0, 0, 7, 2, 3]);
  });
  test('a gradient through a write is refused', () => {
    const [d] = errorsOf(
      'var w: f32 = 2\nvar h: f32 = 1\nvar out: f32 = 0\ntrain 1 { h <- w * h\n  out <- grad(h^2, w) }',
    );
    expect(d.code).toBe('OPT401');
  });
  test('a local variable is born at each step', () => {
    const m = runSpec('var total: f32 = 0\ntrain 3 { var c = 1.0\n  c <- c + 1\n  total <- total + c }');
    expect(m.value('total')).toBe(6);
  });
  test('a model is written as a tree: moving average', () => {
    const m = runSpec(`use nn { linear }
use rules { sgd }
model Net(x: f32[n, 1]) { linear(x, 1) }
var one: f32[1, 1] = 1
metric start = sum(Net(one))
model Slow = Net from Net
train 1 {
  update Net by sgd(1) minimizing sum(Net(one))
  Slow <- 0.5 * Slow + 0.5 * Net
}
metric fast = sum(Net(one))
metric slow = sum(Slow(one))`);
    // both parameters move by -1
    expect(m.last('fast')).toBeCloseTo(m.last('start') - 2, 12);
    expect(m.last('slow')).toBeCloseTo(m.last('start') - 1, 12);
  });
});

describe('copies of models', () => {
  const spec = (body: string) =>
    runSpec(`use nn { linear }
use rules { sgd }
model Net(x: f32[n, 2]) { linear(x, 1) }
let X = [[1.0, 2], [3.0, 4]]
${body}`);
  test('begin as the model does, also where it was not called before', () => {
    const m = spec(`model E = Net from Net
model F = E from E
metric e = sum(E(X))
metric f = sum(F(X))
metric net = sum(Net(X))`);
    expect([m.last('e'), m.last('f')]).toEqual([m.last('net'), m.last('net')]);
  });
  test('are of the place of their declaration', () => {
    const m = spec(`let start = sum(Net(X))
model E = Net from Net
train 1 { update Net by sgd(1) minimizing sum(Net(X)) }
model L = Net from Net
metric gap = sum(E(X)) - start
metric late = sum(L(X)) - sum(Net(X))
metric moved = abs(sum(Net(X)) - start)`);
    expect([m.last('gap'), m.last('late')]).toEqual([0, 0]);
    expect(m.last('moved')).toBeGreaterThan(1);
  });
  test('in a body are born at each step, from what the model is there', () => {
    const m = spec(`let first = sum(Net(X))
train 3 {
  model Inner = Net from Net
  let gap = sum(Inner(X)) - sum(Net(X))
  repeat 2 { update Inner by sgd(0.1, momentum: 0.9) minimizing sum(Inner(X)) }
  report gap, size = flat(Inner - Net)[0]
  Net <- Inner
}`);
    expect(m.all('gap')).toEqual([0, 0, 0]);
    // the gradient by each weight of the first input is 1 + 3; momentum begins anew: 0.1 (4 + 4 + 0.9 * 4) each time
    for (const size of m.all('size')) expect(size).toBeCloseTo(-0.1 * 4 * 2.9, 10);
  });
});

describe('values across phases', () => {
  test('a let read by a later phase keeps the value of its place', () => {
    const m = runSpec(
      'use rules { sgd }\nvar x: f32 = 3\nlet before = x * 2\ntrain 2 { update x by sgd(1) minimizing x }\nmetric kept = before\nmetric now = x * 2',
    );
    expect([m.last('kept'), m.last('now')]).toEqual([6, 2]);
  });
  test('a value of a step cannot be read by an eval', () => {
    const [d] = errorsOf(
      'use rules { sgd }\nvar x: f32 = 3\ntrain 2 { let l = x^2\n  update x by sgd(1) minimizing l\n  eval every 1 { metric m = l } }',
    );
    expect(d.code).toBe('OPT423');
    expect(d.hint).toContain('fn l');
  });
});

describe('choices at run time', () => {
  const m = (text: string) => runSpec(`use rules { sgd, adam }\n${text}`);
  test('statements: cells, chains, state only where taken', () => {
    const run = m(`var x = 5.0
var y = 0.0
train 6 {
  if x > 3 { x <- x - 1; y <- y + 10 } else if x > 1 { x <- x / 2 } else { y <- -1 }
  report x, y
}`);
    expect(run.all('x')).toEqual([4, 3, 1.5, 0.75, 0.75, 0.75]);
    expect(run.all('y')).toEqual([10, 20, 20, 20, -1, -1]);
  });
  test('updates: momentum rests where the branch is not taken; the other branch moves something else', () => {
    const run = m(`var x = 1.0
var z = 1.0
train 6 {
  if step mod 2 == 0 { update x by sgd(0.1, momentum: 0.5) minimizing x^2 / 2 } else { update z by sgd(0.5) minimizing z^2 / 2 }
  report x, z
}`);
    const wanted: number[] = [];
    let [x, v] = [1, 0];
    for (let k = 0; k < 6; k++) {
      if (k % 2 === 0) {
        v = 0.5 * v + x;
        x -= 0.1 * v;
      }
      wanted.push(x);
    }
    run.all('x').forEach((a, k) => expect(a).toBeCloseTo(wanted[k], 12));
    expect(run.all('z')).toEqual([1, 0.5, 0.5, 0.25, 0.25, 0.125]);
  });
  test('expressions: values, records, derivatives of the branch that is taken', () => {
    const text = (x: number) => `var x: f32 = ${x}
fn f = if x > 0 { let s = x^2; s } else if x > -1 { -x } else { 7 }
let r = if x > 0 { { a: x, b: 1 } } else { { a: -x, b: 2.5 } }
metric value = f
metric slope = grad(f, x)
metric a = r.a
metric b = r.b`;
    const at = (x: number) => ['value', 'slope', 'a', 'b'].map((n) => m(text(x)).last(n) + 0);
    expect(at(3)).toEqual([9, 6, 3, 1]);
    expect(at(-0.5)).toEqual([0.5, -1, 0.5, 2.5]);
    expect(at(-2)).toEqual([7, 0, 2, 2.5]);
  });
  test('a rule, a condition of many, a branch without a value', () => {
    const inside = (rule: string) =>
      `use rules { sgd, adam }\nvar x: f32 = 1\ntrain 2 { if x > 0 { update x by ${rule} minimizing x^2 } }`;
    expect(runSpec(inside('sgd(0.1)')).value('x')).toBeCloseTo(0.64, 12);
    expect(errorsOf('var x: f32[2] = 1\nlet y = if x > 0 { 1 } else { 2 }\nmetric m = y')[0].code).toBe('OPT318');
    expect(errorsOf('var x: f32 = 1\nlet y = if x > 0 { 1 }\nmetric m = y')[0].code).toBe('OPT318');
  });
});

describe('together', () => {
  test('statements do not see what their neighbours write', () => {
    const step = (inside: string) =>
      runSpec(`use rules { sgd }
var x: f32 = 1
var y: f32 = 2
fn f = x * y
train 2 { ${inside} }
metric a = x
metric b = y`);
    // Simultaneous descent of x y by x and ascent by y: (1, 2) -> (0.8, 2.1) -> (0.59, 2.18)
    const both = step('together { update x by sgd(0.1) minimizing f; update y by sgd(0.1) maximizing f }');
    expect(both.last('a')).toBeCloseTo(0.59, 12);
    expect(both.last('b')).toBeCloseTo(2.18, 12);
    const one = step('update x by sgd(0.1) minimizing f; update y by sgd(0.1) maximizing f');
    expect(one.last('b')).toBeCloseTo(2.08 + 0.1 * (0.8 - 0.208), 12);
    const swap = step('together { x <- y; y <- x; }');
    expect([swap.last('a'), swap.last('b')]).toEqual([1, 2]);
  });
  test('two statements that move one cell are refused', () => {
    expect(errorsOf('var x: f32 = 1\ntrain 1 { together { x <- 2; x <- 3 } }')[0].code).toBe('OPT422');
  });
});
