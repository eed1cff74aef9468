/** Axes: cells over an axis, maps that see and write the own element, collectives; against plain code and against one variable for each element. */
import { describe, expect, test } from 'vitest';
import { errorsOf, runSpec } from './run-spec.ts';

/** With an axis of three elements, and the rules that the text uses. */
const spec = (text: string) => {
  const used = ['sgd', 'adam', 'clip'].filter((rule) => text.includes(`${rule}(`));
  return `${used.length > 0 ? `use rules { ${used.join(', ')} }\n` : ''}axis A = 3\n${text}`;
};
const run = (text: string) => runSpec(spec(text));
const wrong = (text: string) => errorsOf(spec(text))[0];
const close = (found: readonly number[], wanted: readonly number[], digits = 12) => {
  expect(found.length).toBe(wanted.length);
  found.forEach((value, i) => expect(value).toBeCloseTo(wanted[i], digits));
};

describe('values over an axis', () => {
  test('collectives of the number of the element', () => {
    const r = run(`let i = map A { f32(index of A) + 1 }
metric total = sum over A i
metric middle = mean over A { i }
metric largest = max over A { 2 * i }
metric spread = variance over A i
let all = gather i over A
metric a0 = all[0]; metric a1 = all[1]; metric a2 = all[2]
let next = gather { shift i along A by 1 } over A
metric s0 = next[0]; metric s1 = next[1]; metric s2 = next[2]
let back = gather { shift { 10 * i } along A by -1 } over A
metric b0 = back[0]; metric b2 = back[2]
metric same = norm(gather { shift i along A by 3 } over A - all)
metric size = len(A)`);
    close(
      ['total', 'middle', 'largest', 'spread'].map((name) => r.last(name)),
      [6, 2, 6, 2 / 3],
    );
    close(['a0', 'a1', 'a2', 's0', 's1', 's2', 'b0', 'b2', 'same', 'size'].map((name) => r.last(name)), [1, 2, 3, 3, 1, 2, 20, 10, 0, 3]); // prettier-ignore
  });
  test('a shift by a number of the run', () => {
    const r = run(`var t: i32 = 0
train 5 { t <- t + 2 }
let i = map A { f32(index of A) }
let by = gather { shift i along A by t } over A
let back = gather { shift i along A by -t } over A
metric a = by[0]; metric b = by[1]; metric c = back[0]`);
    // 10 mod 3 = 1
    close(
      ['a', 'b', 'c'].map((name) => r.last(name)),
      [2, 0, 1],
    );
  });
  test('cut and join along any dimension, trees too', () => {
    const r = run(`let x = reshape(f32(0..24), [2, 3, 4])
let parts = cut(x, A, 1)
metric own = sum over A { f32(index of A) * sum(parts) }
metric back = norm(join(parts, A, 1) - x)
let rows = cut({ p: x[0], q: x[1] }, A, -2)
metric tree = norm(join(rows, A, 0).q - x[1])
metric width = len(join(map A { ones(2, 5) }, A, -1), axis: 1)`);
    const part = (i: number) => [0, 1].flatMap((a) => [0, 1, 2, 3].map((c) => a * 12 + i * 4 + c)).reduce((a, b) => a + b); // prettier-ignore
    close(
      ['own', 'back', 'tree', 'width'].map((name) => r.last(name)),
      [part(1) + 2 * part(2), 0, 0, 15],
    );
  });
  test('draws differ by element, and are those of a map over as many numbers', () => {
    const r = run(`frozen z over A: f32[2] ~ normal
fn noise(k) { sample u ~ normal f32[2]
  u + 0 * k }
let of_map = map A { noise(0) as n }
let of_range = map 0..3 as i { noise(f32(i)) as n }
metric distinct = min over A { norm(z - (shift z along A by 1)) }
metric same = norm(gather of_map over A - of_range)`);
    expect(r.last('distinct')).toBeGreaterThan(1e-3);
    expect(r.last('same')).toBe(0);
  });
  test('functions read the own element of the caller, whatever they close over', () => {
    const r = run(`frozen a over A: f32 ~ normal
let twice = map A { 2 * a }
fn f(w) = (w - a)^2 + twice
trial fit(P: axis, g: fn) {
  var w over P: f32 = 1
  train 1 { w <- map P { w + 1 } }
  metric v = sum over P { g(w) }
}
run one = fit(A, f)
expect one.v > -1
metric direct = sum over A { (2 - a)^2 + 2 * a }`);
    close([r.last('one/v')], [r.last('direct')]);
  });
});

describe('cells over an axis', () => {
  /** One variable for each element, by hand. */
  const apart = (update: string) => `var w0: f32[2] = [1, 2]
var w1: f32[2] = [1, 2]
var w2: f32[2] = [1, 2]
let t = [[3.0, 1.0], [0.5, -2.0], [4.0, 4.0]]
train 6 {
  ${[0, 1, 2]
    .map((i) =>
      update
        .replace(/\bw\b/g, `w${i}`)
        .replace(/\btarget\b/g, `t[${i}]`)
        .replace(/\bnumber\b/g, `${i}`),
    )
    .join('\n  ')}
}
metric a = sum(w0); metric b = sum(w1); metric c = sum(w2)`;
  const over = (update: string) => `var w over A: f32[2] = [1, 2]
let t = [[3.0, 1.0], [0.5, -2.0], [4.0, 4.0]]
let target = cut(t, A, 0)
train 6 {
  map A {
    let number = index of A
    ${update.replace(/\btarget\b/g, 'target[0]')}
  }
}
let s = gather { sum(w) } over A
metric a = s[0]; metric b = s[1]; metric c = s[2]`;

  test.each([
    ['a rule without state', 'update w by sgd(0.1) minimizing sum((w - target)^2)'],
    ['a rule with state', 'update w by adam(0.1) minimizing sum((w - target)^2)'],
    [
      'a pipeline that looks at the size',
      'update w by clip(0.5) |> sgd(0.1, momentum: 0.9) minimizing sum((w - target)^4)',
    ],
    ['a count of its own', 'if w[0] > 0.8 { update w by adam(0.1) minimizing sum((w - target)^2) }'],
    ['a loop', 'repeat 12 { update w by adam(0.05) minimizing sum((w - target)^2) }'],
    ['plain writes', 'w <- 0.5 * w + target * f32(number)'],
    ['a choice', 'if f32(number) > f32(step) / 3 { w <- w + target } else { w <- 0.9 * w }'],
  ])('%s moves each as if it were alone', (_, update) => {
    const [together, alone] = [run(over(update)), run(apart(update))];
    for (const name of ['a', 'b', 'c']) close([together.last(name)], [alone.last(name)], 10);
  });
  test('averaging of local steps is that of plain code', () => {
    const r = run(`let a = map A { f32(index of A) }
var x: f32 = 5
var h over A = zeros_like(x)
train 4 {
  let moved = map A {
    var w = x
    repeat 3 { update w by sgd(0.1) minimizing (w - a)^2 * (1 + a) }
    h <- h + (w - x)
    w
  }
  x <- mean over A moved + 0.5 * mean over A h
}
metric end = x`);
    let x = 5;
    const h = [0, 0, 0];
    for (let step = 0; step < 4; step++) {
      const w = [0, 1, 2].map((a) => {
        let v = x;
        for (let k = 0; k < 3; k++) v -= 0.1 * 2 * (v - a) * (1 + a);
        h[a] += v - x;
        return v;
      });
      x = w.reduce((s, v) => s + v) / 3 + (0.5 * h.reduce((s, v) => s + v)) / 3;
    }
    close([r.last('end')], [x]);
  });
  test('states of rules are kept for each element, and the text counts them', () => {
    const r = run(`var w over A: f32[2] = 1
trial fit() {
  var v over A: f32[4] = 1
  train 2 { map A { update v by sgd(0.1, momentum: 0.9) minimizing sum(v^2) } }
}
run short = fit()
expect bytes(short.v) == 48`);
    expect(r.values('short/v#sgd.m').length).toBe(3 * 4);
    expect(r.values('short/v').length).toBe(3 * 4);
  });
  test('a variable of a body may be over an axis', () => {
    const r = run(`train 2 {
  var acc over A: f32 = 0
  repeat 12 as i { map A { acc <- acc + f32(index of A) * f32(i) } }
  report total = sum over A acc
}`);
    close(r.all('total'), [198, 198]);
  });
  test('parts of what each element gives are over the axis', () => {
    const r = run(`let pair = map A { ({ n: f32(index of A) }, 2.0) }
let (first, second) = shift pair along A by 1
metric m = sum over A { first.n * second }
let n = first.n
metric k = (gather n over A)[0]`);
    close([r.last('m'), r.last('k')], [6, 2]);
  });
  test('an initial value may be made by a map, or read the own element', () => {
    const r = run(`var p over A = map A { f32(index of A) }
var q over A: f32 = 3 * p
metric both = sum over A { p + q }`);
    close([r.last('both')], [12]);
  });
});

describe('derivatives', () => {
  test('pass collectives, shifts, cuts and cells over the axis', () => {
    const r = run(`var h over A: f32 = 2
var x: f32[3] = [1, 2, 3]
fn loss {
  let part = cut(x, A, 0)
  let met = shift { part[0]^2 * h } along A by 1
  mean over A { met * part[0] }
}
let gx = grad(loss, x)
let by_h = grad(loss, h)
let gh = gather by_h over A
metric a = gx[0]; metric b = gx[1]; metric c = gx[2]
metric d = gh[0]; metric e = gh[1]; metric f = gh[2]`);
    // loss = (h/3) (x2^2 x0 + x0^2 x1 + x1^2 x2), with h_i at x_i^2
    const [x0, x1, x2] = [1, 2, 3];
    close(['a', 'b', 'c'].map((name) => r.last(name)), [x2 ** 2 + 2 * x0 * x1, x0 ** 2 + 2 * x1 * x2, x1 ** 2 + 2 * x2 * x0].map((v) => (v * 2) / 3)); // prettier-ignore
    close(
      ['d', 'e', 'f'].map((name) => r.last(name)),
      [x0 ** 2 * x1, x1 ** 2 * x2, x2 ** 2 * x0].map((v) => v / 3),
    );
  });
  test('a cell over an axis is moved as a whole by an objective over all elements', () => {
    const r = run(`var h over A: f32 = 0
train 1 { update h by sgd(1) minimizing sum over A { (h - f32(index of A))^2 / 2 } }
let all = gather h over A
metric a = all[0]; metric b = all[1]; metric c = all[2]`);
    close(
      ['a', 'b', 'c'].map((name) => r.last(name)),
      [0, 1, 2],
    );
  });
  test('pass a checkpoint around a value over the axis', () => {
    const r = run(`var x: f32 = 3
fn loss {
  let z = checkpoint { map A { x^2 * f32(index of A) } }
  sum over A z
}
metric g = grad(loss, x)`);
    close([r.last('g')], [18]);
  });
  test('collectives inside of a map are the same for all elements', () => {
    const r = run(`let v = map A { let own = f32(index of A)^2
  let m = mean over A own
  let n = shift own along A by 1
  own - m + 10 * n }
let all = gather v over A
metric a = all[0]; metric b = all[1]; metric c = all[2]`);
    const m = 5 / 3;
    close(
      ['a', 'b', 'c'].map((name) => r.last(name)),
      [0 - m + 40, 1 - m, 4 - m + 10],
    );
  });
});

describe('refused, with the place and a hint', () => {
  test.each([
    ['arithmetic outside of a map', 'let i = map A { f32(index of A) }\nmetric m = i + 1', 'OPT304', /map A/],
    ['the number outside of a map', 'metric m = f32(index of A)', 'OPT304', /map A/],
    ['a name for the element', 'metric m = sum over A as a { 1.0 }', 'OPT304', /index of A/],
    ['a map in a map of one axis', 'let m = map A { map A { 1.0 } }', 'OPT304', /gather/],
    ['a write of what is not over the axis', 'var x = 0.0\ntrain 1 { map A { x <- 1.0 } }', 'OPT422', /over A/],
    ['a statement that changes nothing', 'train 1 { map 0..3 as i { f32(i) } }', 'OPT424', /axis/],
    ['parts of unequal size', 'let p = cut(zeros(4), A, 0)', 'OPT302', /divisible/],
    ['no such dimension', 'let p = cut(zeros(3), A, 1)', 'OPT306', /0 to 0/],
    ['a fraction', 'let i = map A { 1.0 }\nlet p = shift i along A by 0.5', 'OPT305', /by 1/],
    ['no axis', 'let i = 3.0\nlet p = gather i over i', 'OPT304', /axis clients/],
    ['no elements', 'axis B = 0', 'OPT310', /one/],
    [
      'a collective in a loop of a map',
      'let v = map A { var s = 0.0\nrepeat 20 { let m = mean over A s\ns <- s + m + 1 }\ns }',
      'OPT304',
      /put the loop around/,
    ],
    [
      'a derivative through a collective inside of a map',
      'var h over A: f32 = 1\ntrain 1 { map A { let m = mean over A { h^2 }\nupdate h by sgd(0.1) minimizing m + h } }',
      'OPT401',
      /outside of the map/,
    ],
  ])('%s', (_, text, code, hint) => {
    const found = wrong(text);
    expect(found.code).toBe(code);
    expect(found.span).toBeDefined();
    expect(found.hint).toMatch(hint);
  });
});
