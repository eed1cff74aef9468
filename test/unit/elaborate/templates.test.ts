/** Templates as arguments, static loops over runs and declarations, local variables, library functions with derivatives through them. */
import { describe, expect, test } from 'vitest';
import { compileSpec, errorsOf, runSpec, tryCompile, warningsOf } from './run-spec.ts';

describe('arguments of trials', () => {
  test('rules and pipelines with by-name scalars, evaluated where they are applied', () => {
    const m = runSpec(`use rules { sgd, clip_value }
trial fit(r: rule = sgd(0.5)) {
  var x: f32 = 4
  train 2 { update x by r minimizing x^2 }
}
hyper lr = 0.1 * (1 + step)
run a = fit()
run b = fit(sgd(lr))
run c = fit(clip_value(1) |> sgd(0.5))`);
    expect(m.value('a/x')).toBe(0);
    expect(m.value('b/x')).toBeCloseTo(4 * 0.8 * 0.6, 12);
    expect(m.value('c/x')).toBe(3);
  });
  test('a model of the file is the own one of each run', () => {
    const text = (given: string) => `use nn { linear }\nuse rules { sgd }
model Fresh = linear(o: 1)
var v = 1.0
trial fit(Net: model, rate) { train 1 { update Net by sgd(rate) minimizing mean(Net([[1.0, 2.0]])^2) } }
run a = fit(Fresh, 0.1)
run b = fit(${given}, 0.1)
run c = fit(Fresh, 0)
run d = fit(c.Net, 0.1)`;
    const m = runSpec(text('Fresh'));
    expect(m.values('a/Fresh.W')).toEqual(m.values('b/Fresh.W'));
    expect(m.values('a/Fresh.W')).not.toEqual(m.values('c/Fresh.W'));
    expect(m.values('d/Net.W')).toEqual(m.values('a/Fresh.W'));
    expect(errorsOf(text('v')).map((e) => e.code)).toEqual(['OPT311']);
  });
  test('an untyped parameter given a model or variable of the file, also through a trial with some arguments given, is what it begins with', () => {
    const text = (type: string) => `use nn { linear, relu }
layer Mlp(x: f32[n, 2]) -> f32[n, 1] { linear(relu(linear(x, 3)), 1) }
model Net = Mlp
var v: f32[2] = [1, 2]
fn value(w) = sum(Net([[1.0, 2.0]]) at { Net: w })
trial go(start, from${type}) {
  var w = start
  var u = from
  train 1 { w <- 2 * w; u <- 2 * u }
  metric whole = value(w)
  metric same = value(start) - sum(Net([[1.0, 2.0]]))
}
trial given = go(start: Net)
run a = given(v)
run b = go(Net, v)`;
    const m = runSpec(text(''));
    expect(m.last('a/same')).toBe(0);
    expect(m.last('a/whole')).toBe(m.last('b/whole'));
    expect(m.values('a/u')).toEqual([2, 4]);
    expect(m.values('a/v')).toEqual([1, 2]);
    expect(errorsOf(text(': f32[3]')).map((e) => e.code)).toEqual(['OPT310']);
  });
  test('a model used as a whole before its first call: parameters follow from the types of its arguments, and nothing else happens', () => {
    const m = runSpec(`use nn { linear, batch_norm }
model Net(x: f32[n, 2]) { linear(batch_norm(x), 3) }
let size_before = size(Net)
var start = Net
metric sizes = f32(size_before)
let whole = sum(Net([[1.0, 2.0], [3.0, 5.0], [4.0, 1.0]]))
metric same = whole - sum(Net([[1.0, 2.0], [3.0, 5.0], [4.0, 1.0]]) at { Net: start })`);
    expect(m.last('sizes')).toBe(2 + 2 + 6 + 3);
    expect(m.last('same')).toBe(0);
    const undecided =
      'use nn { linear }\nmodel Net(x: f32[n, d]) { linear(x, 2) }\nvar w = Net\nmetric m = sum(Net([[1.0]]))';
    expect(errorsOf(undecided).map((e) => e.code)).toEqual(['OPT317']);
  });
  test('layers, fns, objectives', () => {
    const m = runSpec(`use nn { linear }
layer Wide(x: f32[n, 2]) { linear(x, 3) }
fn twice(L: objective, x) = L at { x: 2 * x }
var v: f32[1, 2] = 1
trial t(net: layer, f: fn) { model N = net
  metric m = sum(f(N(v))) }
fn same(x) = x
fn squares(x) = x^2
run a = t(Wide, same)
run b = t(Wide, squares)
var s: f32 = 3
trial u() { var s: f32 = 3
  metric q = twice(s^2 + 1, s) }
run c = u()`);
    expect(m.last('c/q')).toBe(37);
    expect(m.last('b/m')).toBeGreaterThanOrEqual(m.last('a/m') ** 2 / 3 - 1e-9);
  });
  test('trials by alias keep their open parameters in order', () => {
    const m = runSpec(
      'trial base(a, b, c) { metric m = a + 10 * b + 100 * c }\ntrial some = base(b: 2)\nrun r = some(1, 3)',
    );
    expect(m.last('r/m')).toBe(321);
  });
});

describe('static loops', () => {
  test('runs in a loop are runs of their own, with claims about each', () => {
    const m = runSpec(`use rules { sgd }
trial fit(rate) { var x: f32 = 1
  train 1 { update x by sgd(rate) minimizing x }
  metric end = x }
for d in [0.25, 0.5] {
  run r = fit(d)
  expect r.end == 1 - d
}`);
    expect([m.last('r[0]/end'), m.last('r[1]/end')]).toEqual([0.75, 0.5]);
    expect(m.program.claims.map((c) => c.body)).toMatchObject([
      { left: { run: 'r[0]' }, right: { value: 0.75 } },
      { left: { run: 'r[1]' }, right: { value: 0.5 } },
    ]);
  });
  test('members of families of models', () => {
    const { program } = compileSpec(`use nn { linear }
var v: f32[1, 2] = 1
layer L(x: f32[n, i]) { linear(x, 2) }
for l in 0..2 { model W[l] = L }
metric m = sum(W[1](W[0](v)))`);
    expect(program.models.map((m) => m.name).sort()).toEqual(['W[0]', 'W[1]']);
  });
});

describe('local variables', () => {
  test('their first value is differentiable, a write of them is not', () => {
    const m = runSpec('var w: f32 = 3\nvar out: f32 = 0\ntrain 1 { var h = w^2\n out <- grad(h * 2, w) }');
    expect(m.value('out')).toBe(12);
    expect(
      errorsOf('var w: f32 = 3\nvar out: f32 = 0\ntrain 1 { var h = w^2\n h <- h * w\n out <- grad(h, w) }')[0].code,
    ).toBe('OPT401');
  });
  test('an inner loop moves a local variable by its own rule', () => {
    const m = runSpec(`use rules { sgd }
var x: f32 = 1
train 1 {
  var y = x
  repeat 3 { update y by sgd(0.5) minimizing (y - 4)^2 / 2 }
  x <- y
}`);
    // distance to 4 halves three times
    expect(m.value('x')).toBeCloseTo(4 - 3 / 8, 12);
  });
});

describe('allow', () => {
  test('silences a warning on its line', () => {
    const text = (allow: string) => `use nn { linear }
use rules { sgd }
var v: f32[1, 2] = 1
model A(x: f32[n, 2]) { linear(x, 2) }${allow}
model B(x: f32[n, 2]) { linear(x, 1) }
train 1 { update B by sgd(1) minimizing sum(B(A(v))) }`;
    expect(warningsOf(text(''))).toEqual(['OPT417']);
    expect(warningsOf(text(' allow OPT417'))).toEqual([]);
  });
});

describe('library', () => {
  const value = (text: string, preamble: string) => runSpec(`${preamble}\nmetric m = ${text}`).last('m');
  test('losses against their formulas', () => {
    const p = `use losses { cross_entropy, binary_cross_entropy, huber, hinge, kl, nll, mse, mae }
var z: f32[2, 3] = [[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]]
let y = [1, 2]`;
    const ce = (row: number[], k: number) => Math.log(row.reduce((s, v) => s + Math.exp(v), 0)) - row[k];
    expect(value('mean(cross_entropy(z, y))', p)).toBeCloseTo((ce([1, 2, 0.5], 1) + ce([0, -1, 3], 2)) / 2, 12);
    expect(value('cross_entropy(z[0], 1)', p)).toBeCloseTo(ce([1, 2, 0.5], 1), 12);
    expect(value('sum(nll(log_softmax(z), y))', p)).toBeCloseTo(ce([1, 2, 0.5], 1) + ce([0, -1, 3], 2), 12);
    expect(value('binary_cross_entropy(z[0, 0], 0.25)', p)).toBeCloseTo(Math.log(1 + Math.E) - 0.25, 12);
    expect(value('sum(huber(z[1], zeros(3)))', p)).toBeCloseTo(0 + 0.5 + 2.5, 12);
    expect(value('sum(hinge(z[0], [1.0, -1.0, 1.0]))', p)).toBeCloseTo(0 + 3 + 0.5, 12);
    expect(value('sum(kl(z, z))', p)).toBeCloseTo(0, 12);
    expect(value('mse(z[0], z[1])', p)).toBeCloseTo((1 + 9 + 6.25) / 3, 12);
  });
  test('the gradient of cross-entropy is softmax minus the class', () => {
    const p = 'use losses { cross_entropy }\nvar z: f32[1, 3] = [[1.0, 2.0, 0.5]]';
    const e = [1, 2, 0.5].map(Math.exp);
    expect(value('grad(sum(cross_entropy(z, [1])), z)[0, 1]', p)).toBeCloseTo(e[1] / (e[0] + e[1] + e[2]) - 1, 12);
  });
  test('dropout draws anew at each step and keeps the mean', () => {
    const m = runSpec('use nn { dropout }\ntrain 3 { let d = mean(dropout(ones(4000), 0.25))\n report d }');
    expect(new Set(m.all('d')).size).toBe(3);
    for (const d of m.all('d')) expect(d).toBeCloseTo(1, 1);
  });
  test('linspace and logspace include both ends', () => {
    expect(value('sum(linspace(0, 1, 5))', '')).toBeCloseTo(2.5, 12);
    expect(value('logspace(-2, 1, 4)[3] + logspace(-2, 1, 4)[0]', '')).toBeCloseTo(10.01, 12);
  });
});

describe('errors', () => {
  test('independent mistakes are reported together', () => {
    const codes = errorsOf(`use rules { sgd }
var x: f32[3] = 1
train 2 {
  update x by sgd(0.1) minimizing x
  report x
}
metric m = x[5]`).map((d) => d.code);
    expect(codes).toEqual(['OPT308', 'OPT308', 'OPT307']);
  });
  test('a definition by itself ends', () => {
    expect(errorsOf('trial t(a) { hyper lr = a * lr\n metric m = lr }\nrun r = t(1)')[0].code).toBe('OPT505');
  });
});

describe('imports', () => {
  const main =
    'use "./mine.opt" { twice, W as Width, layer2 }\nvar x: f32[1, 3] = 1\nmodel M = layer2\nmetric m = sum(M(x)) + 0 * sum(twice(x))\nmetric w = Width';
  test('files of the user: fns, dims, layers, under other names', () => {
    const files = {
      './mine.opt': 'use nn { linear }\ndim W = 7\nfn twice(x) = 2 * x\nlayer layer2(x: f32[n, i]) { linear(x, W) }',
    };
    const m = runSpec(main, { files });
    expect(m.last('w')).toBe(7);
    expect(m.program.models[0].cells).toEqual(['M.linear_0.W', 'M.linear_0.b']);
  });
  test('are checked like the main file', () => {
    const files = { './mine.opt': 'dim W = 7\nfn twice(x) = 2 * y\nlayer layer2(x: f32[n, i]) { x }' };
    const [d] = errorsOf(main, { files });
    expect(d.code).toBe('OPT201');
    expect(d.span?.file).toContain('mine');
  });
});

describe('definitions by themselves', () => {
  test.each([
    'fn a = a + 1\nmetric m = a',
    'var x: f32 = 1\nfn a = b + x\nfn b = a * 2\nmetric m = a',
    'fn f(x) = f(x) + 1\nmetric m = f(1)',
    'rule r(lr = lr) for (p, g) { p <- p - lr * g }\nvar x: f32 = 1\ntrain 1 { update x by r() minimizing x }',
  ])('%s', (text) => {
    expect(errorsOf(text)[0].code).toMatch(/OPT505|OPT2\d\d/);
  });
});

describe('order of declarations', () => {
  test('templates can be used above their declaration', () => {
    const m = runSpec(`model M = wide
let y = twice(3.0)
fn twice(x) = times(x, two)
fn times(a, b) = a * b
fn two = 2
layer wide(x: f32[n, i]) { param W: f32[i, 2] = 1; x @ W }
metric total = sum(M(ones(1, 3))) + y`);
    expect(m.last('total')).toBe(12);
  });
});

describe('files of the user', () => {
  test('one that does not parse has its syntax errors and no others', () => {
    const found = tryCompile('use "./mine.opt" { f }\nmetric m = f(1)', { files: { './mine.opt': 'fn f(x) = x +\n' } });
    expect(found.diagnostics.map((d) => d.code[3])).toEqual(['1']);
  });
  test('names are checked in them too, also where the path does not begin with a dot', () => {
    const files = { 'parts/mine.opt': 'fn f(x) = y\nfn g(x) = x' };
    expect(errorsOf('use "parts/mine.opt" { g }\nmetric m = g(1)', { files })[0]).toMatchObject({ code: 'OPT201' });
  });
  test('a message of an unrolled loop is shown once', () => {
    const text =
      'use rules { sgd }\nvar x: f32 = 1\ntrain 1 { repeat 3 { update x by sgd(1) minimizing x; update x by sgd(1) minimizing x } }';
    expect(warningsOf(text)).toEqual(['OPT418', 'OPT418']);
  });
});
