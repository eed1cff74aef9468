/** Run-time checks on the device name the index, the axis and the line, in the words of the reference. */
import { afterAll, describe, expect, it } from 'vitest';
import { SaddleError } from '../../compiler/diagnostics/diagnostic.ts';
import { compile } from '../../compiler/pipeline.ts';
import { Source } from '../../compiler/source/source.ts';
import { openDevice } from '../../runtime/host/driver.ts';
import type { OpenDevice } from '../../runtime/device/device.ts';
import { createReferenceBackend } from '../../runtime/reference/backend.ts';
import { load } from '../../runtime/session.ts';
import { readLibrary } from '../unit/elaborate/run-spec.ts';

let device: OpenDevice | undefined;
afterAll(() => device?.close());

const head = 'var x: f32[10] = 1\nvar w: f32[10, 8] = 1\nvar k: i32 = 9\nlet far = k + i32(x[0]) * 3\n';
const indexed = (i: number, size: number) => `index ${i} is out of range: the axis has ${size} elements`;
const cases: readonly (readonly [string, string])[] = [
  ['metric m = x[far]', indexed(12, 10)],
  ['metric m = x[far - 13]', indexed(-1, 10)],
  ['metric m = sum(w[:, far])', indexed(12, 8)],
  ['let list = (0..10) + far div 12\nmetric m = sum(w[list])', indexed(10, 10)],
  ['metric m = sum(segment_sum(x, by: (0..10) + k - 9, into: 9))', indexed(9, 9)],
  ['let s = far - 4\nmetric m = sum(x[s..s + 4])', 'a window of 4 that begins at 8 does not fit: the axis has 10 elements'],
  ['train 1 { x[far] <- 2\n report m = sum(x) }', indexed(12, 10)],
  ['train 1 { x[k..k + 3] <- 2 * ones(3)\n report m = sum(x) }', 'a window of 3 that begins at 9 does not fit: the axis has 10 elements'],
]; // prettier-ignore

const drawn = 'var zero = 0.0\nvar w: f32[2, 3] = 0\nvar n: i32 = 3\n';
const nothing = (what: string, few = 'all are 0') =>
  `${what} cannot be drawn: a weight is negative or not finite, or ${few}`;
const logits = 'categorical cannot be drawn: a logit is not a number or infinite, or all are -infinity';
const rows = 'data D = { x: f32(0..3) }\ntrain 1 { batch b = D[2] replacement weights ';
const draws: readonly (readonly [string, string])[] = [
  ['sample z ~ categorical(w[0]) i32', nothing('categorical')],
  ['sample z ~ categorical(w) i32[2]', nothing('categorical')],
  ['sample z ~ categorical([-1, 2, 3] + zero) i32[5]', nothing('categorical')],
  ['sample z ~ categorical([1, zero / zero, 3]) i32', nothing('categorical')],
  ['sample z ~ categorical([1, 1 / zero]) i32', nothing('categorical')],
  ['let z = map 0..3 as i { sample c ~ categorical(w[0] + f32(i)) i32\n c }', nothing('categorical')],
  ['sample z ~ categorical(logits: [1, zero / zero, 2]) i32', logits],
  ['sample z ~ categorical(logits: log(w)) i32[2]', logits],
  ['sample z ~ categorical(logits: [1, 1 / zero]) i32', logits],
  ['sample z ~ subset(weights: [1, zero, 0]) i32[2]', nothing('subset', 'fewer than 2 are positive')],
  ['sample z ~ subset(weights: [1, 2, zero - 1]) i32[2]', nothing('subset', 'fewer than 2 are positive')],
  ['sample z ~ bernoulli(1.5 + zero) i32', 'p of bernoulli must be in 0..1'],
  ['sample z ~ bernoulli(zero / zero) bool', 'p of bernoulli must be in 0..1'],
  ['sample z ~ normal(0, zero - 1) f32[4]', 'std of normal must be at least 0'],
  ['sample z ~ uniform(1, zero) f32[4]', 'hi of uniform must be at least lo'],
  ['sample z ~ integers(n, 3) i32[4]', 'hi of integers must be greater than lo'],
  ['sample z ~ gamma(zero) f32[4]', 'shape of gamma must be greater than 0'],
  ['sample z ~ gamma(2, zero) f32[4]', 'scale of gamma must be greater than 0'],
  ['sample z ~ beta(1, zero) f32[4]', 'b of beta must be greater than 0'],
  ['sample z ~ dirichlet([1, zero, 2]) f32[4, 3]', 'a of dirichlet must be greater than 0'],
  ['let z = quantile([1, 2, 3], zero + 1.5)', 'a quantile must be in 0..1'],
  ['let z = quantile(w, zero / zero)', 'a quantile must be in 0..1'],
];

async function failure(
  text: string,
  on: 'device' | 'reference',
  code = 'OPT708',
): Promise<{ message: string; line: number | undefined }> {
  const made = compile(new Source('spec.opt', text), {
    readImport: readLibrary(),
    dataInfo: () => undefined,
    set: new Map(),
  });
  if (!made.ok) throw new Error(made.diagnostics.map((d) => d.message).join('\n'));
  const { bundle, program } = made.value;
  if (!bundle) throw new Error('no bundle');
  const where = on === 'device' ? { device } : { backend: createReferenceBackend(program) };
  const session = await load(bundle).start(where);
  try {
    for await (const report of session.train()) expect(report).toBeUndefined();
  } catch (caught) {
    if (!(caught instanceof SaddleError)) throw caught;
    const [d] = caught.diagnostics;
    expect(d.code).toBe(code);
    const at = d.span ? new Source('spec.opt', text).position(d.span.start).line : d.place?.line;
    return { message: d.message, line: at };
  } finally {
    await session.dispose();
  }
  throw new Error('nothing failed');
}

describe('an index out of range', () => {
  it.each(cases)('%s', { timeout: 60_000 }, async (text, message) => {
    device ??= await openDevice();
    const onReference = await failure(head + text, 'reference');
    const onDevice = await failure(head + text, 'device');
    expect(onReference.message).toBe(`${message} (step 0)`);
    expect(onDevice).toEqual(onReference);
  });
});

describe('a draw from nothing', () => {
  it.each([
    ...draws.map(([text, message]) => [`${text}\nmetric m = sum(f32(z))`, message] as const),
    [`${rows}w[0]\nreport m = sum(b.x) }`, nothing('the batch')] as const,
    [`${rows}[zero - 1, 1, 1]\nreport m = sum(b.x) }`, nothing('the batch')] as const,
  ])('%s', { timeout: 60_000 }, async (text, message) => {
    device ??= await openDevice();
    const onReference = await failure(drawn + text, 'reference', 'OPT709');
    const onDevice = await failure(drawn + text, 'device', 'OPT709');
    expect(onReference.message).toBe(`${message} (step 0)`);
    expect(onDevice).toEqual(onReference);
  });
});

describe('a run that may fail', () => {
  it.each(['device', 'reference'] as const)(
    'may come to where nothing can be drawn, on the %s',
    { timeout: 60_000 },
    async (on) => {
      const text = `use rules { sgd }
trial T(lr) {
  var z = [0.1, 0.2, 0.3]
  train 40 {
    sample c ~ categorical(logits: 3 * z) i32
    update z by sgd(lr) minimizing sum(z^4) + stop(f32(c)) * logp(c)
  }
  metric m = sum(z)
}
run bad = T(1000) may fail
run good = T(0.01)`;
      device ??= await openDevice();
      const made = compile(new Source('spec.opt', text), {
        readImport: readLibrary(),
        dataInfo: () => undefined,
        set: new Map(),
      });
      if (!made.ok || !made.value.bundle) throw new Error('not compiled');
      const session = await load(made.value.bundle).start(
        on === 'device' ? { device } : { backend: createReferenceBackend(made.value.program) },
      );
      for await (const { values } of session.train()) expect(Object.values(values).every(Number.isFinite)).toBe(true);
      const status = Object.fromEntries([...session.results.runs].map(([name, run]) => [name, run.status.state]));
      expect(status).toEqual({ '': 'ok', bad: 'failed', good: 'ok' });
      await session.dispose();
    },
  );
});
