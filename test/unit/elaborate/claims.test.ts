/** Section 10 of the language, sentence by sentence: specs with claims whose truth is known by hand, run by the reference interpreter. */
import { describe, expect, test } from 'vitest';
import { decided, holds } from './decide.ts';
import { errorsOf } from './run-spec.ts';

/** x is halved at each of 4 steps from 8: after n updates it is 8 / 2^n. */
const halving = `use rules { sgd }
trial T(start) {
  var x: f32 = start
  fn loss = 0.5 * x^2
  train 4 { update x by sgd(0.5) minimizing loss
    report r = x }
  eval every 1 { metric m = x }
}
run a = T(8)
`;
const claims = (text: string, ...list: string[]) => holds(`${text}${list.map((c) => `expect ${c}\n`).join('')}`);

describe('a claim is a comparison of scalars over runs', () => {
  test('a name is the last value; at n is a metric after n updates, a report at step n', async () => {
    const yes = ['a.m == 0.5', 'a.r == 0.5', 'a.m at 0 == 8', 'a.m at 1 == 4', 'a.r at 0 == 4', 'a.r at 3 == 0.5'];
    expect(await claims(halving, ...yes)).toEqual(yes.map(() => true));
    const no = ['a.m == 1', 'a.m at 1 == 8', 'a.r at 0 == 8', 'a.m at 9 == 0.5'];
    expect(await claims(halving, ...no)).toEqual(no.map(() => false));
  });
  test('max, min, mean of a window and nondecreasing reduce over its steps', async () => {
    const yes = ['max(a.m) == 8', 'min(a.m) == 0.5', 'mean(a.m, last: 2) == 0.75', 'max(a.m, last: 2) == 1', 'min(a.m, last: 5) == 0.5',
      'nondecreasing(a.m) or a.m < 1', 'max(a.m) - min(a.m) == 7.5', 'max(a.m at 1, a.m at 2) == 4']; // prettier-ignore
    expect(await claims(halving, ...yes)).toEqual(yes.map(() => true));
    const no = ['nondecreasing(a.m)', 'mean(a.m, last: 2) == 0.5', 'max(a.m, last: 2) == 8', 'min(a.m) == 8'];
    expect(await claims(halving, ...no)).toEqual(no.map(() => false));
    const up = halving.replace('metric m = x', 'metric m = -x');
    expect(await claims(up, 'nondecreasing(a.m)')).toEqual([true]);
  });
  test('arithmetic of series, and parts that the program computes from cells', async () => {
    const yes = ['2 * a.m + 1 == 2', 'sqrt(2 * a.m) == 1', 'a.x == 0.5', 'abs(a.x - 1) == a.m', 'a.steps == 4'];
    expect(await claims(halving, ...yes)).toEqual(yes.map(() => true));
  });
  test('members of a family of metrics, of a named run and of the one of a file', async () => {
    const family = 'for l in 0..3 { metric m[l] = f32(l) }\n';
    expect(await holds(`${family}expect run.m[2] == 2\nexpect m[1] == 1\n`)).toEqual([true, true]);
    expect(await holds(`trial T() { ${family}}\nrun a = T()\nexpect a.m[2] == 2\n`)).toEqual([true]);
  });
  test('cells of the one run of a file, also inside of an expression', async () => {
    const file = 'var x: f32[2] = 3\nvar y = 1.0\ntrain 2 { x <- x / 2; y <- 2 * y }\n';
    const yes = ['run.y == 4', 'norm(run.x - [0.75, 0.75]) == 0', '2 * run.y - y == 4'];
    expect(await holds(file + yes.map((c) => `expect ${c}\n`).join(''))).toEqual(yes.map(() => true));
    const messages = errorsOf(`${file}expect norm(run.z) < 1\n`).map((d) => [d.code, d.message]);
    expect(messages).toEqual([['OPT330', "this file records nothing called 'z'"]]);
  });
  test('what a claim reads wrongly of a sweep is named', async () => {
    const sweep = halving.replace('T(8)', 'T(each [4, 8])');
    const said = (claim: string) => errorsOf(`${sweep}expect ${claim}\n`).map((d) => [d.code, d.hint]);
    expect(said('a.m < 1')).toEqual([['OPT331', 'write a.m[0] for one of them, lowest(a.m) or highest(a.m) over all']]);
    expect(said('a.m[2] < 1')).toEqual([['OPT307', 'members are 0, 1']]);
    expect(said('a.mm[0] < 1')).toEqual([['OPT330', "did you mean 'm'?"]]);
    expect(said('a.x[0] < 1')).toEqual([['OPT331', 'write a[0].x']]);
    expect(await holds(`${sweep}expect a[0].x == 0.25\nexpect a[1].steps == 4\n`)).toEqual([true, true]);
  });
  test('~= within', async () => {
    expect(
      await claims(halving, 'a.m ~= 0.6 within 0.2', 'a.m ~= 0.6 within 0.05', 'a.m ~= 0.7 within 0.4 * a.m'),
    ).toEqual([true, false, true]);
  });
  test('windows, ~= and misused series are refused where they stand', () => {
    const code = (claim: string) => errorsOf(`${halving}expect ${claim}\n`).map((d) => [d.code, d.span?.start]);
    const at = (claim: string, part: string) => halving.length + 'expect '.length + claim.indexOf(part);
    const cases: [string, string, string][] = [
      ['a.m ~= 1', 'OPT332', 'a.m'],
      ['mean(a.m, last: 0) > 1', 'OPT305', '0'],
      ['mean(a.m + 1, last: 2) > 1', 'OPT331', 'mean'],
      ['mean(a.m) > 1', 'OPT333', 'mean'],
      ['median(a.m) > 1', 'OPT333', 'median'],
      ['a.nothing > 1', 'OPT330', 'nothing'],
      ['a.status > 1', 'OPT332', 'a.status'],
      ['a.status == "fine"', 'OPT332', '"fine"'],
      ['nondecreasing(a.m + 1)', 'OPT331', 'a.m'],
      ['a.m', 'OPT332', 'a.m'],
      ['exact { a.m } == 1', 'OPT331', 'a.m'],
      ['peak_bytes(a.nothing) > 1', 'OPT334', 'a.nothing'],
      ['bytes(a.m) > 1', 'OPT331', 'a.m'],
      ['calls(a.nothing, loss) > 1', 'OPT334', 'a.nothing'],
      ['calls(a.train, lss) > 1', 'OPT334', 'lss'],
    ];
    for (const [claim, want, part] of cases) expect(code(claim), claim).toEqual([[want, at(claim, part)]]);
  });
});

describe('over seeds', () => {
  const drawn = `trial T(n) {
  sample z ~ uniform(0, n) f32
  metric m = z
}
run a = T(1)
run b = T(2)
`;
  test('a claim must hold for every seed; runs are paired', async () => {
    const seeds = 'over seeds 1..=5';
    const results = await claims(
      drawn,
      `a.m >= 0 ${seeds}`,
      `b.m ~= 2 * a.m within 1e-6 ${seeds}`,
      `a.m < 0.5 ${seeds}`,
    );
    expect(results).toEqual([true, true, false]);
  });
  test('unless median or mean reduces over them', async () => {
    const [each] = await decided(`${drawn}expect a.m < 0 over seeds 1..=5\n`);
    const values = [...each.value.matchAll(/seed \d: ([\d.e-]+) </g)].map((m) => Number(m[1]));
    expect(values).toHaveLength(5);
    const median = [...values].sort((p, q) => p - q)[2];
    const mean = values.reduce((p, q) => p + q) / 5;
    const seeds = 'over seeds 1..=5';
    expect(
      await claims(drawn, `median(a.m) ~= ${median} within 1e-5 ${seeds}`, `mean(a.m) ~= ${mean} within 1e-5 ${seeds}`),
    ).toEqual([true, true]);
  });
});

describe('failed runs', () => {
  const failing = `use rules { sgd }
trial T(lr) {
  var x: f32 = 1
  train 8 { update x by sgd(lr) minimizing 1e30 * x^2
    report r = x }
}
run good = T(0)
run bad = T(1e30) may fail
`;
  test('fails with a reason, status, and any other claim that reads one does not hold', async () => {
    const list = ['bad fails', 'bad fails "not finite"', 'bad fails "singular"', 'good fails', 'bad.status == "failed"', 'bad.status != "ok"',
      'good.status == "ok"', 'good.r == 1', 'bad.r < 1e38', 'bad.steps < 9', 'abs(bad.x) >= 0', 'good.r == 1 or bad.steps < 9']; // prettier-ignore
    expect(await claims(failing, ...list)).toEqual([
      true,
      true,
      false,
      false,
      true,
      true,
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });
  test('fails implies that it may; a status does not', async () => {
    const strict = failing.replace(' may fail', '');
    expect(await claims(strict, 'bad fails')).toEqual([true]);
    await expect(claims(strict, 'bad.status == "failed"')).rejects.toThrow(/not finite/);
  });
});

describe('static facts', () => {
  const spec = `use rules { adam }
trial T(n: dim) {
  var x: f32[n] = 1
  fn loss = sum(x^2)
  fn twice(v: f32[n]) = sum(v * v)
  train 5 as fit { update x by adam(0.1) minimizing loss + twice(x) + twice(x)
    report r = twice(2 * x) }
  eval at end { metric m = sum(x) }
}
run a = T(100)
export fn predict(v: f32[2]) = v * a.x[0]
`;
  test('bytes of the state of rules, and of a cell', async () => {
    expect(await claims(spec, 'bytes(a.state) == 800', 'bytes(a.x) == 400')).toEqual([true, true]);
  });
  test('peak_bytes: cells, and the largest temporaries', async () => {
    const list = [
      'peak_bytes(a.step) >= 1200',
      'peak_bytes(a.eval) >= 1200',
      'peak_bytes(predict) >= 400',
      'peak_bytes(predict) < 1200',
    ];
    expect(await claims(spec, ...list)).toEqual([true, true, true, true]);
  });
  test('calls: evaluations in all steps of a phase; equal ones are computed once', async () => {
    expect(await claims(spec, 'calls(a.fit, loss) == 5', 'calls(a.fit, twice) == 10')).toEqual([true, true]);
  });
  test('calls in loops count at each turn; under a condition of the run they are not known', async () => {
    const text = (body: string) => `trial T(n) {
  var x: f32 = 0.5
  fn f(v) = v * v + 0.1
  train 3 as fit { ${body} }
}
run a = T(1)
`;
    const loops = text('repeat 50 { x <- f(x) }\n report r = f(x)');
    expect(await claims(loops, 'calls(a.fit, f) == 153')).toEqual([true]);
    for (const body of ['if x > 0.3 { x <- f(x) }', 'while x > 0.3 max 5 { x <- f(x) }'])
      expect(errorsOf(`${text(body)}expect calls(a.fit, f) > 0\n`).map((d) => d.code)).toEqual(['OPT334']);
  });
  test('a file without runs is one run, which is called run', async () => {
    const file =
      'use rules { adam }\nvar x: f32[10] = 1\nfn loss = sum(x^2)\ntrain 3 { update x by adam(0.1) minimizing loss\n report l = loss }\n';
    const list = ['bytes(state) == 80', 'bytes(run.state) == 80', 'peak_bytes(step) >= 120', 'peak_bytes(run.step) == peak_bytes(step)',
      'calls(train, loss) == 6', 'calls(run.train, loss) == 6', 'run.steps == 3', 'steps == 3', 'run.l == l', 'run.status == "ok"', 'bytes(x) == 40']; // prettier-ignore
    expect(await claims(file, ...list)).toEqual(list.map(() => true));
  });
});

describe('exact { e } is e in float64, on the values that the device computed', () => {
  test('of cells, lets and draws, in lets, metrics and claims', async () => {
    const spec = `use rules { sgd }
trial T(n) {
  frozen z: f32[50] ~ normal
  var x: f32[3] = [1.0, 2.0, 3.0]
  train 2 { update x by sgd(0.01) minimizing sum(x^2) }
  let y = x + n
  let e = exact { sum(z * z) + sum(y) }
  metric error = abs(e - (sum(z * z) + sum(y)))
  let (p, q) = exact { (x[0], y[1]) }
  metric pair = q - y[1] + p - x[0]
  train 1 { update x by sgd(1) minimizing sum(x) * stop(e) / stop(e) }
  metric last = x[0]
}
run a = T(1)
`;
    const list = [
      'a.error < 1e-9',
      'a.pair == 0',
      'a.last ~= 0.9604 - 1 within 1e-9',
      'exact { a.x[0] } ~= a.last within 1e-9',
      'exact { 2 } == 2',
    ];
    expect(await claims(spec, ...list)).toEqual(list.map(() => true));
  });
  test('it belongs to no step, and to no body that is evaluated elsewhere', () => {
    const codes = (text: string) => errorsOf(text).map((d) => d.code);
    expect(
      codes(
        'use rules { sgd }\nvar x: f32 = 1\ntrain 2 { update x by sgd(1) minimizing x\n report r = exact { x } }\n',
      ),
    ).toEqual(['OPT424']);
    expect(codes('var x: f32 = 1\nfn f(a) = exact { a + x }\nmetric m = f(1)\n')).toEqual(['OPT424']);
  });
});

test('for over a list: runs and claims of each', async () => {
  const results = await decided(`${halving}for d in [8, 2] { run w = T(d)\n expect w.m == d / 16 }\n`);
  expect(results.map((r) => r.value)).toEqual(['0.5 == 0.5', '0.125 == 0.125']);
});
