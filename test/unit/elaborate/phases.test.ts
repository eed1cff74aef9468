/** Phases, runs, models, exports, claims: the shape of the program and what running it gives. */
import { describe, expect, test } from 'vitest';
import { createReferenceBackend } from '../../../runtime/reference/backend.ts';
import { load } from '../../../runtime/session.ts';
import { compiled, holds } from './decide.ts';
import { compileSpec, errorsOf, Machine, runSpec, warningsOf } from './run-spec.ts';

describe('train and eval', () => {
  test('evals happen after 0, n, 2n updates and at the end', () => {
    const m = runSpec(
      'use rules { sgd }\nvar x: f32 = 0\ntrain 5 { update x by sgd(1) minimizing -x }\neval every 2 { metric e = x }\neval at 1, end { metric a = x }\nmetric last = x',
    );
    expect(m.all('e')).toEqual([0, 2, 4]);
    expect(m.all('a')).toEqual([1, 5]);
    expect(m.all('last')).toEqual([5]);
  });
  test('over a data set, whole', () => {
    const m = runSpec('data D = { x: f32(0..10) }\neval over D as e { metric m = mean(e.x)\n metric n = f32(len(e)) }');
    expect([m.last('m'), m.last('n')]).toEqual([4.5, 10]);
  });
  test('schedules are hypers of step and progress; --set replaces them', () => {
    const text = 'hyper lr = 0.5 * progress\nhyper twice = 2 * lr\ntrain 4 { report twice }';
    expect(runSpec(text).all('twice')).toEqual([0, 0.25, 0.5, 0.75]);
    expect(runSpec(text, { set: { lr: 3 } }).all('twice')).toEqual([6, 6, 6, 6]);
  });
  test('dims are set too, unknown names are refused', () => {
    expect(runSpec('dim N = 3\nmetric m = sum(ones(N))', { set: { N: 5 } }).last('m')).toBe(5);
    expect(errorsOf('dim N = 3\nmetric m = sum(ones(N))', { set: { M: 5 } })[0].code).toBe('OPT323');
  });
  test('until is an entry of one condition', () => {
    const { program } = compileSpec(
      'use rules { sgd }\nvar x: f32 = 8\ntrain until x < 1 max 100 { update x by sgd(0.25) minimizing x^2 }',
    );
    const phase = program.schedule.find((p) => p.kind === 'train');
    const entry = program.entries.find((e) => e.id === (phase?.kind === 'train' ? phase.until : ''));
    expect(entry?.outputs[0].value.type).toEqual({ dtype: 'bool', shape: [] });
  });
});

describe('models', () => {
  const net = 'use nn { linear }\nvar v: f32[1, 2] = 1\n';
  test('call sites own parameters; as names them; instances are apart', () => {
    const { program } = compileSpec(`${net}layer Critic(x: f32[n, 2]) { linear(linear(x, 3), 1) as head }
model A = Critic
model B = Critic
metric m = sum(A(v) - B(v))`);
    expect(program.models.map((m) => [m.name, m.cells])).toEqual([
      ['A', ['A.linear_0.W', 'A.linear_0.b', 'A.head.W', 'A.head.b']],
      ['B', ['B.linear_0.W', 'B.linear_0.b', 'B.head.W', 'B.head.b']],
    ]);
  });
  test('every call shares; a static for has a layer for each turn', () => {
    const { program } = compileSpec(`${net}model M(x: f32[n, 2]) { var h = x
  for l in 0..2 { h <- linear(h, 2) }
  h }
metric m = sum(M(v)) + sum(M(2 * v))`);
    expect(program.models[0].cells).toEqual([
      'M.linear_0[0].W',
      'M.linear_0[0].b',
      'M.linear_0[1].W',
      'M.linear_0[1].b',
    ]);
  });
  test('parts are targets', () => {
    const m = runSpec(`use nn { linear }
use rules { sgd }
var v: f32[1, 2] = 1
model M(x: f32[n, 2]) { linear(linear(x, 2), 1) as head }
train 1 { update M.head by sgd(1) minimizing sum(M(v)) }`);
    expect(m.values('M.head.b')).toEqual([-1]);
    expect(m.values('M.linear_0.b')).toEqual([0, 0]);
  });
  test('partial application leaves the tensors open', () => {
    const { program } = compileSpec(`${net}model Out = linear(o: 5)\nmetric m = sum(Out(v))`);
    expect(program.cells.find((c) => c.id === 'Out.W')?.type.shape).toEqual([2, 5]);
  });
  test('running statistics are states: written by training, left alone by evals', () => {
    const m = runSpec(`use rules { sgd }
layer Norm(x: f32[n]) { param s: f32 = 1
  state avg: f32 = 0
  avg <- 0.5 * avg + 0.5 * mean(x)
  s * (x - stop(avg)) }
model N = Norm
train 2 { update N by sgd(0) minimizing sum(N([2.0, 4.0])) }
eval { metric m = sum(N([100.0])) }`);
    expect(m.value('N.avg')).toBe(0.5 * 1.5 + 0.5 * 3);
  });
});

describe('runs', () => {
  const text = `use rules { sgd }
trial fit(rate, more: dim = 1) {
  hyper lr = rate * 2
  var x: f32 = 1
  train 2 { repeat more { update x by sgd(lr) minimizing x }
    report x }
}
run slow = fit(0.1)
run fast = fit(rate: 0.5, more: 2)
metric gap = slow.x - fast.x
expect slow.x > fast.x
expect slow.x at step 0 == 0.8
expect max(fast.x) <= 0 over seeds 1..=2
expect median(slow.x) >= 0.5 over seeds 1..=2`;
  test('each has its own cells and hypers; later text reads their cells', () => {
    const m = runSpec(text);
    expect(m.value('slow/x')).toBeCloseTo(1 - 2 * 0.2, 12);
    expect(m.value('fast/x')).toBeCloseTo(1 - 4, 12);
    expect(m.last('gap')).toBeCloseTo(0.6 + 3, 12);
  });
  test('claims are data', () => {
    const { program } = compileSpec(text);
    expect(program.claims.map((c) => c.text)).toContain('slow.x > fast.x');
    expect(program.claims[1].body).toMatchObject({
      op: '==',
      left: { kind: 'series', run: 'slow', name: 'x', read: { kind: 'at', step: 0 } },
      right: { kind: 'number', value: 0.8 },
    });
    expect(program.claims[2]).toMatchObject({ seeds: [1, 2], body: { left: { read: { kind: 'max' } } } });
    expect(program.claims[3].body).toMatchObject({ left: { kind: 'overSeeds', reduce: 'median' } });
  });
  test('a model given to a trial is copied', () => {
    const m = runSpec(`use nn { linear }
use rules { sgd }
var v: f32[1, 1] = 1
trial pre() { model Net(x: f32[n, 1]) { linear(x, 1) }
  train 1 { update Net by sgd(1) minimizing sum(Net(v)) } }
trial tune(N: model) { train 1 { update N by sgd(1) minimizing sum(N(v)) } }
run a = pre()
run b = tune(a.Net)`);
    expect(m.value('a/Net.linear_0.b')).toBe(-1);
    expect(m.value('b/N.linear_0.b')).toBe(-2);
    expect(m.value('b/N.linear_0.W')).toBeCloseTo(m.value('a/Net.linear_0.W') - 1, 12);
  });
  test('each makes a sweep', () => {
    const m = runSpec(
      'use rules { sgd }\ntrial t(lr) { var x: f32 = 0\n train 1 { update x by sgd(lr) minimizing -x }\n metric m = x }\nrun s = t(lr: each [0.5, 2])\nexpect highest(s.m) == 2\nexpect s.m[0] == 0.5\nexpect lowest(s.m at 3) == 0.5',
    );
    expect([m.last('s[0]/m'), m.last('s[1]/m')]).toEqual([0.5, 2]);
    expect(m.program.claims[1].body).toMatchObject({ left: { run: 's[0]', name: 'm' } });
    expect(m.program.claims[0].body).toMatchObject({ left: { kind: 'members', reduce: 'highest' } });
    const at = { run: 's[1]', read: { kind: 'at', step: 3 } };
    expect(m.program.claims[2].body).toMatchObject({ left: { kind: 'members', reduce: 'lowest', args: [{}, at] } });
  });
  test('parts of claims without series become hidden metrics', () => {
    const m = runSpec('var x: f32 = 4\nmetric m = x\nexpect m == sqrt(x) + 2');
    expect(m.last('claim.0')).toBe(4);
  });
});

describe('exports', () => {
  test('have inputs and results and use the cells of now', () => {
    const { program } = compileSpec(
      'use rules { sgd }\nvar w: f32 = 2\ntrain 3 { update w by sgd(1) minimizing -w }\nexport fn f(x: f32[2]) = { y: w * x, s: sum(x) }',
    );
    const m = new Machine(program).run();
    const result = m.call('f', { x: [1, 10] });
    expect([...(result.get('y')?.data ?? [])]).toEqual([5, 50]);
    expect(result.get('s')?.data[0]).toBe(11);
  });
});

describe('owner and direction checks', () => {
  test('a model nobody moves is a warning, judged over all runs', () => {
    const body = (moved: string) => `use nn { linear }
use rules { sgd }
var v: f32[1, 2] = 1
model A(x: f32[n, 2]) { linear(x, 2) }
model B(x: f32[n, 2]) { linear(x, 1) }
train 1 { update ${moved} by sgd(1) minimizing sum(B(A(v))^2) }`;
    expect(warningsOf(body('B'))).toEqual(['OPT417']);
    expect(warningsOf(body('A, B'))).toEqual([]);
  });
  test('two statements of one step that move one parameter', () => {
    const text = (allow: string) =>
      `use rules { sgd }\nvar x: f32 = 1\ntrain 1 { update x by sgd(1) minimizing x^2\n update x by sgd(1) minimizing x^4${allow} }`;
    expect(warningsOf(text(''))).toEqual(['OPT418']);
    expect(warningsOf(text(' allow OPT418'))).toEqual([]);
  });
  const adversary = (objective: string, link: string, lambda = '1') => `use nn { linear }
use rules { sgd }
hyper lambda = ${lambda}
sample v ~ normal f32[4, 2]
model F(x: f32[n, 2]) { linear(x, 2) }
model D(x: f32[n, 2]) { linear(x, 1) }
fn task = mean(F(v)^2)
fn adv = mean(D(${link})^2)
train 1 { update F, D by sgd(1) minimizing ${objective} }`;
  test('one reversal is fine; two that cancel, a negative factor, a subtracted reversal are not', () => {
    expect(warningsOf(adversary('task + adv', 'reverse(F(v), by: lambda)'))).toEqual([]);
    expect(errorsOf(adversary('task + adv', 'reverse(reverse(F(v), by: 1), by: lambda)')).map((d) => d.code)).toContain(
      'OPT420',
    );
    expect(errorsOf(adversary('task + adv', 'reverse(F(v), by: -lambda)'))[0].code).toBe('OPT419');
    expect(errorsOf(adversary('task + adv', 'reverse(F(v), by: lambda)', '-0.5'))[0].code).toBe('OPT419');
    expect(warningsOf(adversary('task - adv', 'reverse(F(v), by: lambda)'))).toEqual(['OPT421']);
  });
  test('explain prints the update compiled for each parameter', () => {
    const text = compileSpec(adversary('task + 0.5 * adv', 'reverse(F(v), by: lambda)')).texts('updates');
    expect(text).toContain('F <- F - 1 * (d task - 0.5 * lambda * d adv)');
    expect(text).toContain('D <- D - 1 * (0.5 * d adv)');
  });
});

describe('unknown sizes', () => {
  test('are checked by name without the data', () => {
    const [d] = errorsOf('data D from "nowhere" { x: f32[N, 3], y: f32[N] }\nmetric m = sum(D.x @ D.y)');
    expect(d.code).toBe('OPT302');
    expect(d.message).toContain('[N, 3]');
    expect(d.message).toContain('[N]');
  });
  test('are numbers with the data', () => {
    const info = {
      nowhere: {
        rows: 4,
        fields: [{ name: 'x', dtype: 'f32' as const, shape: [2], storage: 'f32' as const, scale: 1 }],
      },
    };
    const m = runSpec('data D from "nowhere" { x: f32[N, 2] }\nmetric m = sum(D.x) / N', {
      info,
      data: { 'D.x': [1, 2, 3, 4, 5, 6, 7, 8] },
    });
    expect(m.last('m')).toBe(9);
    expect(errorsOf('data D from "nowhere" { x: f32[*, 5] }\nmetric m = sum(D.x)', { info })[0].code).toBe('OPT316');
  });
});

describe('where things belong', () => {
  test('a report in a repeat records the last turn', () => {
    expect(runSpec('train 1 { repeat 3 as i { report i } }').all('i')).toEqual([2]);
  });
  test('claims inside a trial read their own run, and compute in it', () => {
    const m = runSpec(
      'trial t(a) { var x: f32 = a\n metric m = x\n expect m == sqrt(x)^2 }\nrun p = t(4)\nrun q = t(9)',
    );
    expect(m.program.claims.map((c) => c.body)).toMatchObject([{ left: { run: 'p' } }, { left: { run: 'q' } }]);
    expect([m.last('p/claim.0'), m.last('q/claim.1')]).toEqual([4, 9]);
  });
  test('an export of the file belongs to the file and reaches models through runs', () => {
    const { program } = compileSpec(`use nn { linear }
trial t(a) { model N(x: f32[n, 1]) { linear(x, 1) }
  metric m = a * sum(N(ones(1, 1))) }
run p = t(4)
export fn f(x: f32[1, 1]) = p.N(x)`);
    expect(program.exports).toEqual([{ name: 'f', entry: 'f' }]);
  });
  test('a batch cannot be read by an eval', () => {
    const [d] = errorsOf(
      'data D = { x: f32(0..8) }\ntrain 2 { batch b = D[2]\n let s = mean(b.x)\n report s\n eval every 1 { metric m = sum(b.x) } }',
    );
    expect(d.code).toBe('OPT423');
  });
});

describe("'fail when' in a train body", () => {
  const body = (rate: string) => `train 10 {
    report above = x
    x <- x * ${rate}
    every 1 { fail when x > 5 as "runs away" }
    report below = x
    eval every 5 { metric m = x }
  }`;

  test('fails the run, and others go on', async () => {
    const text = `trial grow(rate) {
  var x = 1.0
  ${body('rate')}
  metric end = x
}
run fast = grow(2.0)
run slow = grow(1.1)
expect fast fails "runs away"
expect slow.end < 3
expect max(slow.m) < 3`;
    expect(await holds(text)).toEqual([true, true, true]);
  });

  test('ends it where it stands: in that step, reports above are recorded and those below are not', async () => {
    const { bundle, program } = compiled(`var x = 1.0\n${body('2')}`);
    const session = await load(bundle).start({ backend: createReferenceBackend(program), seed: 1 });
    const run = async (): Promise<void> => {
      for await (const _ of session.train());
    };
    await expect(run()).rejects.toThrow('runs away, in train');
    const series = session.results.runs.get('')?.series;
    expect(series?.get('above')?.values).toEqual([1, 2, 4]);
    expect(series?.get('below')?.values).toEqual([2, 4]);
  });
});
