/** Section 7: evals over whole sets, in chunks where the metrics are reductions, with ragged ends; they move nothing. */
import { describe, expect, test } from 'vitest';
import { compile } from '../../../compiler/pipeline.ts';
import { Source } from '../../../compiler/source/source.ts';
import { resultsOf } from './decide.ts';
import { compileSpec, errorsOf, readLibrary } from './run-spec.ts';

/** Metrics of every form that is a function of reductions over the rows. */
const METRICS: Record<string, string> = {
  mean: 'mean(e.x)',
  sum: 'sum(e.x)',
  whole: 'sum(i32(e.x[:, 0] > 0))',
  accuracy: 'mean(argmax(z) == e.y)',
  any: 'f32(any(z > 1.9)) + 2 * f32(all(z > -9))',
  max: 'max(z) - min(z)',
  product: 'prod(1 + 0.1 * e.x[:, 1])',
  variance: 'variance(z[:, 0])',
  deviation: 'std(z) + std(e.x)',
  twice: 'mean((z[:, 1] - mean(z[:, 1]))^4) / variance(z[:, 1])^2',
  three: 'mean(abs(z[:, 1] - mean(z[:, 1]) - mean(abs(z[:, 1] - mean(z[:, 1])))))',
  norm: 'norm(z)',
  rows: 'mean(norm(z, axis: 1))',
  gram: 'norm(transpose(z) @ z) / len(e)',
  classes: 'norm(segment_sum(z, by: e.y, into: 3))',
  counts: 'f32(max(segment_sum(ones_like(e.y), by: e.y, into: 3)))',
  onehot: 'sum(z * onehot(e.y, 3))',
  table: 'sum(w[e.y])',
  soft: 'mean(logsumexp(z) - sum(softmax(z)^2, axis: 1))',
  joined: 'sum(concat(z, e.x, axis: 1)^2)',
  shaped: 'mean(max(reshape(e.x, 11, 2, 2), axis: 2))',
  sorted: 'mean(sort(z)[:, 1] + cumsum(z)[:, 2])',
  flat: 'sum(transpose(z)[0, :] * e.x[:, 0])',
  dotted: 'dot(e.x[:, 0], e.x[:, 1])',
  constant: 'sum(e.x * 0 + 1)',
  merged: 'mean((reshape(e.x, 22, 2) @ v + ones(22, 3))^2)',
  split: 'sum(norm(reshape(reshape(e.x, 22, 2) @ v, 11, 6), axis: 1))',
  longest: 'max(norm(reshape(e.x, 44, 1), axis: 1)) + variance(reshape(e.x, 44))',
};

const spec = (chunks: string) => `frozen a: f32[11, 4] ~ normal
frozen w: f32[4, 3] ~ normal
frozen v: f32[2, 3] ~ normal
data D = { x: a, y: (0..11) mod 3 }
eval over D as e ${chunks} {
  let z = e.x @ w
${Object.entries(METRICS)
  .map(([name, text]) => `  metric ${name} = ${text}`)
  .join('\n')}
}
`;

describe('in chunks of k', () => {
  const whole = resultsOf(spec(''));
  test.each([1, 4, 7, 10, 11, 12])('%i rows of 11: the metrics of the whole', async (k) => {
    const chunks = await resultsOf(spec(`in chunks of ${k}`));
    for (const name of Object.keys(METRICS))
      expect(chunks[name].at(-1), name).toBeCloseTo((await whole)[name].at(-1) as number, 10);
    for (const name of ['whole', 'accuracy', 'any', 'counts', 'max'])
      expect(chunks[name], name).toEqual((await whole)[name]);
  });

  test('the entry is executed for each chunk and level of reductions', () => {
    const { program } = compileSpec(spec('in chunks of 4'));
    const entry = program.entries.find((x) => x.passes);
    expect(entry?.passes?.map((p) => p.chunks)).toEqual([3, 3, 3]);
    const [first] = entry?.passes ?? [];
    const pass = program.entries.find((x) => x.id === first.entry);
    expect(pass?.outputs).toEqual([]);
    expect(compileSpec(spec('')).program.entries.some((x) => x.passes)).toBe(false);
  });

  test.each([
    ['sort(e.x[:, 0])[3]', 'sort(e.x[:, 0])'],
    ['sum(e.x @ transpose(e.x))', 'e.x @ transpose(e.x)'],
    ['sum(cumsum(e.x, axis: 0))', 'cumsum(e.x, axis: 0)'],
    ['e.x[3, 0]', 'e.x[3, 0]'],
    ['sum(e.x[:, 0] * f32(0..11))', 'e.x[:, 0] * f32(0..11)'],
    ['f32(argmax(e.x[:, 0]))', 'argmax(e.x[:, 0])'],
    ['sum(e.x[0..5, :])', 'e.x[0..5, :]'],
    ['sum(flip(e.x, axis: 0) * e.x)', 'flip(e.x, axis: 0)'],
    ['sum(e.x[e.y])', 'e.x[e.y]'],
    ['sum(reshape(e.x, 44)[0..3])', 'reshape(e.x, 44)[0..3]'],
    ['sum(reshape(transpose(e.x), 44)^3)', 'reshape(transpose(e.x), 44)'],
    ['sum(cumsum(reshape(e.x, 44)))', 'cumsum(reshape(e.x, 44))'],
  ])('%s is no reduction over the rows', (metric, blamed) => {
    const text = `frozen a: f32[11, 4] ~ normal\ndata D = { x: a, y: (0..11) mod 3 }\neval over D as e in chunks of 4 { metric m = ${metric} }\n`;
    const found = errorsOf(text);
    expect(found.map((d) => d.code)).toEqual(['OPT428']);
    expect(text.slice(found[0].span?.start, found[0].span?.end)).toBe(blamed);
    expect(found[0].labels.map((l) => text.slice(l.span.start, l.span.end))).toEqual(['4']);
    // Without chunks it is taken whole.
    expect(() => compileSpec(text.replace(' in chunks of 4', ''))).not.toThrow();
  });
});

test('a transformer: layers whose products take examples and time together', async () => {
  const text = (chunks: string) => `use nn { transformer_block, linear }
frozen a: f32[10, 6, 8] ~ normal
data D = { x: a, y: (0..10) mod 3 }
model Net(x: f32[n, t, d]) { linear(mean(transformer_block(x, heads: 2, causal: true), axis: 1), 3) }
eval over D as e ${chunks} {
  let z = Net(e.x)
  metric hits = mean(argmax(z) == e.y)
  metric size = norm(z)
  metric spread = variance(z[:, 0])
}
`;
  const [whole, chunks] = [await resultsOf(text('')), await resultsOf(text('in chunks of 4'))];
  expect(Object.keys(chunks)).toEqual(['hits', 'size', 'spread']);
  for (const name of Object.keys(whole)) expect(chunks[name][0], name).toBeCloseTo(whole[name][0], 10);
});

describe('in a train phase', () => {
  const trained = (evals: string) => `use rules { sgd }
frozen a: f32[11, 2] ~ normal
data D = { x: a }
var w: f32[2] = 1
train 6 {
  batch b = D[4]
  sample z ~ normal f32
  update w by sgd(0.1, momentum: 0.9) minimizing mean((b.x @ w - z)^2)
  report r = w[0]
}
${evals}`;
  test('chunks are of the moment, and an eval moves no cursor and no stream', async () => {
    const bare = await resultsOf(trained(''));
    const whole = await resultsOf(trained('eval every 2 over D as e { metric m = mean((e.x @ w)^2) }\n'));
    const chunks = await resultsOf(
      trained('eval every 2 over D as e in chunks of 3 { metric m = mean((e.x @ w)^2) }\n'),
    );
    expect(whole.r).toEqual(bare.r);
    expect(chunks.r).toEqual(bare.r);
    expect(chunks.m).toHaveLength(4);
    chunks.m.forEach((m, i) => expect(m).toBeCloseTo(whole.m[i], 10));
    expect(new Set(chunks.m).size).toBe(4);
  });
});

describe('without being told', () => {
  const wide = (metric: string, rows: number) => `use nn { linear, relu }
data D from "many" { x: f32[${rows}, 4] }
model Net(x: f32[n, 4]) { linear(relu(linear(x, 10000)), 1)[:, 0] }
metric before = sum(Net(zeros(1, 4)))
eval over D as e { metric m = ${metric} }
expect peak_bytes(eval) < 4e8
`;
  const info = (rows: number) =>
    ({
      many: { rows, fields: [{ name: 'x', dtype: 'f32', shape: [4], storage: 'f32', scale: 1 }] },
    }) as const;
  const program = (metric: string, rows: number) => compileSpec(wide(metric, rows), { info: info(rows) }).program;
  test('large values over the examples are taken in about equal chunks, small ones whole', () => {
    const passes = (rows: number) => program('mean(Net(e.x))', rows).entries.find((x) => x.passes)?.passes;
    expect(passes(1000)).toBeUndefined();
    // 60000 x 10000 numbers: 2.4 GB, in parts of at most 64 MiB.
    expect(passes(60000)?.map((p) => p.chunks)).toEqual([36]);
  });
  test('the memory of the eval is that of a chunk', () => {
    const result = compile(new Source('spec.opt', wide('mean(Net(e.x))', 60000)), {
      readImport: readLibrary(),
      dataInfo: () => info(60000).many,
      set: new Map(),
    });
    if (!result.ok) throw new Error(result.diagnostics[0].message);
    expect(Math.max(...Object.values(result.value.bundle?.memory.temps ?? {}))).toBeLessThan(2 ** 28);
  });
  test('what cannot be taken in chunks and is too large says so', () => {
    const errors = errorsOf(wide('sort(Net(e.x))[0]', 60000), { info: info(60000) });
    expect(errors.map((d) => d.code)).toEqual(['OPT503']);
    expect(errors[0].labels[0].text).toMatch(/no reduction/);
  });
});
