/** Cells stored as f16: rounded where they are written, half the bytes, values of f32 everywhere else. */
import { describe, expect, test } from 'vitest';
import { packHalves, unpackHalves } from '../../../compiler/bundle/halves.ts';
import { halfBits, halfValue, roundHalf } from '../../../compiler/ops/half.ts';
import { compile } from '../../../compiler/pipeline.ts';
import { Source } from '../../../compiler/source/source.ts';
import { createReferenceBackend } from '../../../runtime/reference/backend.ts';
import { holds } from './decide.ts';
import { compileSpec, errorsOf, readLibrary, runSpec } from './run-spec.ts';

// python: np.array(numbers).astype(np.float16), and .view(np.uint16) of it (numpy 2)
const NUMBERS = [
  1.0001,
  65519,
  65520,
  0.1,
  1e-7,
  -3,
  2.98e-8,
  2 ** -25,
  5.97e-8,
  -0.000061,
  0.00006103515625,
  2049,
  2051,
  1234.567,
  -7e4,
  0.333333333,
];
const HALVES = [
  1.0,
  65504.0,
  Infinity,
  0.0999755859375,
  1.1920928955078125e-7,
  -3.0,
  0.0,
  0.0,
  5.960464477539063e-8,
  -6.097555160522461e-5,
  6.103515625e-5,
  2048.0,
  2052.0,
  1235.0,
  -Infinity,
  0.333251953125,
];
const BITS = [15360, 31743, 31744, 11878, 2, 49664, 0, 0, 1, 33791, 1024, 26624, 26626, 25811, 64512, 13653];

describe('numbers of 16 bits', () => {
  test('rounding and bits are those of numpy', () => {
    expect(NUMBERS.map(roundHalf)).toEqual(HALVES);
    expect(NUMBERS.map(halfBits)).toEqual(BITS);
    expect(BITS.map(halfValue)).toEqual(HALVES);
  });
  test('all of them survive packing', () => {
    const all = Float32Array.from({ length: 0xfc01 }, (_, k) => halfValue(k))
      .filter((x) => !Number.isNaN(x))
      .slice(1);
    expect(unpackHalves(packHalves(all), all.length)).toEqual(all);
    expect(all.length % 2).toBe(1);
  });
});

describe('cells stored as f16', () => {
  test('keep what was written, rounded, and are f32 in arithmetic', () => {
    const m = runSpec(`use rules { sgd }
var x: f16[3] = [1.0001, 0.1, -3]
var y: f16[3] = 0
fn loss = sum(x * x)
train 2 {
  update x by sgd(1e-3) minimizing loss
  report now = x[1], g = grad(loss, x)[1]
  y <- x / 3
}`);
    let x = [1.0001, 0.1, -3].map(roundHalf);
    for (let k = 0; k < 2; k++) x = x.map((v) => roundHalf(v - 1e-3 * 2 * v));
    expect(m.values('x')).toEqual(x);
    expect(m.last('now')).toBe(x[1]);
    expect(m.last('g')).toBeCloseTo(2 * x[1], 12);
    expect(m.values('y')).toEqual(x.map((v) => roundHalf(v / 3)));
  });
  test('parameters, states of layers and of rules', () => {
    const text = `rule heavy(lr) for (p: f32[m, n], g) {
  state v: f16[m, n] = 0
  v <- 0.9 * v + g
  p <- p - lr * v
}
model Net(x: f32[n, 4]) { param W: f16[4, 2] ~ normal(0, 1)
  x @ W }
train 3 as fit { update Net by heavy(0.1) minimizing mean(Net(ones(3, 4))^2) }
`;
    const { program } = compileSpec(text);
    expect(program.cells.filter((c) => c.storage === 'f16').map((c) => c.id)).toEqual(['Net.W', 'Net.W#heavy.v']);
    const m = runSpec(text);
    for (const id of ['Net.W', 'Net.W#heavy.v']) expect(m.values(id)).toEqual(m.values(id).map(roundHalf));
  });
  test('take half the bytes, and less memory in all where they are only read', async () => {
    expect(await holds('var a: f16[5] = 1\nvar b: f32[5] = 1\ntrain 1 { report r = sum(a + b) }\nexpect bytes(a) == 12\nexpect bytes(b) == 20\n')).toEqual([true, true]); // prettier-ignore
    const [wide, half] = ['f32', 'f16'].map((type) => memory(type));
    expect(half).toBeLessThan(0.6 * wide);
  });
  test('a written value is rounded in the reference too', async () => {
    const { program, bundle } = compiled('var a: f16[2] = 1\nmetric m = sum(a)');
    const backend = createReferenceBackend(program);
    await backend.writeCells(new Map([['a', Float64Array.of(0.1, 2049)]]));
    expect([...((await backend.readCells(['a'])).get('a') ?? [])]).toEqual([0.0999755859375, 2048]);
    expect(bundle?.cells.find((c) => c.id === 'a')).toMatchObject({
      storage: 'f16',
      type: { dtype: 'f32', shape: [2] },
    });
  });
  test('values, arguments, data and variables of a step are not', () => {
    const code = (text: string) => errorsOf(text).map((d) => d.code);
    expect(code('fn f(x: f16[2]) = x\nmetric m = sum(f(ones(2)))')).toEqual(['OPT310']);
    expect(code('let a: f16[2] = ones(2)\nmetric m = sum(a)')).toEqual(['OPT310']);
    expect(code('train 1 { var a: f16[2] = 1; report r = sum(a) }')).toEqual(['OPT310']);
    expect(code('data d from "d.npy" { x: f16[*] }\nmetric m = mean(d.x)')).toEqual(['OPT310']);
  });
});

function compiled(text: string) {
  const result = compile(new Source('spec.opt', text), {
    readImport: readLibrary(),
    dataInfo: () => undefined,
    set: new Map(),
  });
  if (!result.ok) throw new Error(result.diagnostics.map((d) => d.message).join('\n'));
  return result.value;
}

/** Bytes of a program whose large weights stand still and whose adapter of low rank is trained. */
function memory(type: string): number {
  const text = `use rules { adam }
frozen W: ${type}[256, 512] ~ normal(0, 0.06)
var A: f32[256, 4] ~ normal(0, 0.1)
var B: f32[4, 512] = 0
sample x ~ normal f32[16, 256]
train 5 { update A, B by adam(1e-3) minimizing mean((x @ W + x @ A @ B - 1)^2) }`;
  return compiled(text).bundle?.memory.total ?? Number.NaN;
}
