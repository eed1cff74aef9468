/**
 * The WGSL of every elementwise and indexed record against its float64 meaning, on the machine's adapter: sampled values and the values
 * at which built-ins of drivers are known to be wrong. Skipped, with a word, where there is no adapter.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { ops } from '../../compiler/ops/table.ts';
import type { Attrs, DType, NdArray, OpDef } from '../../compiler/ops/types.ts';
import { seededRng, seedOf } from '../fuzz/rng.ts';
import { fromWord, type KernelCase, KernelRunner, toWord } from './kernels.ts';

const runner = await KernelRunner.open();
afterAll(() => runner.close());

const FLUSHED = 1.2e-38; // devices may flush denormals
const LARGEST = 3.4028234663852886e38;
const KERNEL = 16; // cases per kernel

/** Next to zeros of log1p and expm1, around the switches of the helper functions, at overflow, and special values. */
const unaryGrid = [0, 1e-7, 1e-3, 0.29, 0.41, 0.5, 0.625, 0.7, 1, 1.0001, 2.5, 3, 10, 20.5, 50, 85, 89, 1000].flatMap(
  (v) => [v, -v],
);
const unarySpecials = [NaN, Infinity, -Infinity];
const binaryGrid = [0, 1, -1, 2, -2, 0.5, 3, -3, 1e-20, NaN];

interface Variant {
  readonly def: OpDef;
  readonly attrs: Attrs;
  readonly inputs: readonly DType[];
  readonly output: DType;
  readonly args: number[][];
}

/** Sampled arguments of a record, grouped by dtypes and attributes. */
function variantsOf(def: OpDef): Variant[] {
  const rng = seededRng(seedOf(def.name));
  const variants = new Map<string, Variant>();
  for (let i = 0; i < 60; i++) {
    const { inputs, attrs } = def.sample(rng);
    const types = inputs.map((x) => x.type);
    const dtypes = types.map((t) => t.dtype);
    const key = `${dtypes.join()} ${JSON.stringify(attrs)}`;
    const variant = variants.get(key) ?? {
      def,
      attrs,
      inputs: dtypes,
      output: def.infer(types, attrs).dtype,
      args: inputs.map(() => []),
    };
    variants.set(key, variant);
    inputs.forEach((x, k) => variant.args[k].push(...(x.type.dtype === 'f32' ? x.data.map(Math.fround) : x.data)));
  }
  for (const { inputs, args } of variants.values()) {
    if (inputs.some((d) => d !== 'f32')) continue;
    if (args.length === 1) args[0].push(...unaryGrid.map(Math.fround), ...unarySpecials);
    if (args.length === 2) {
      for (const a of binaryGrid) for (const b of binaryGrid) [a, b].forEach((v, k) => args[k].push(Math.fround(v)));
    }
  }
  return [...variants.values()].filter((v) => v.args[0].length > 0);
}

/** The first four elements as vec4 operands, where the record says that its text is right for them. */
function vectorKernelOf(v: Variant): KernelCase {
  const kernel = kernelOf(v);
  return { ...kernel, operands: kernel.operands.map((words) => words.slice(0, 4)), count: 4, vector: true };
}

function kernelOf(v: Variant): KernelCase {
  if (v.def.lower.family !== 'elementwise') throw new Error(`${v.def.name} is not elementwise`);
  return {
    wgsl: v.def.lower.wgsl,
    attrs: v.attrs,
    dtypes: { inputs: v.inputs, output: v.output },
    operands: v.args.map((list, k) => Uint32Array.from(list, (value) => toWord(value, v.inputs[k]))),
    count: v.args[0].length,
  };
}

/** Is the device's value as near to the float64 one as the record promises? */
function agrees(actual: number, expected: number, { relative, absolute }: OpDef['tolerance']): boolean {
  if (Number.isNaN(expected)) return Number.isNaN(actual);
  if (Math.abs(expected) > LARGEST) return Math.sign(actual) === Math.sign(expected) && Math.abs(actual) > 3.39e38;
  return Math.abs(actual - expected) <= relative * Math.abs(expected) + absolute + FLUSHED;
}

function disagreements(v: Variant, words: Uint32Array): string[] {
  const dtypes = { inputs: v.inputs, output: v.output };
  return [...words].flatMap((word, k) => {
    const args = v.args.map((list) => list[k]);
    const expected = (v.def.scalar as NonNullable<OpDef['scalar']>)(args, v.attrs, dtypes);
    const actual = fromWord(word, v.output);
    return agrees(actual, expected, v.def.tolerance) ? [] : [`(${args.join(', ')}) gives ${actual}, not ${expected}`];
  });
}

describe('device code of elementwise primitives', () => {
  const variants = ops.filter((d) => d.lower.family === 'elementwise').flatMap(variantsOf);
  for (let start = 0; start < variants.length; start += KERNEL) {
    const chunk = variants.slice(start, start + KERNEL);
    it([...new Set(chunk.map((v) => v.def.name))].join(', '), async () => {
      const results = await runner.run(chunk.map(kernelOf));
      chunk.forEach((v, i) => {
        expect(disagreements(v, results[i]), `${v.def.name} ${v.inputs.join()} ${JSON.stringify(v.attrs)}`).toEqual([]);
      });
    });
  }
});

describe('device code of elementwise primitives on vec4', () => {
  it('gives what it gives on scalars', async () => {
    const variants = ops
      .filter((d) => d.lower.family === 'elementwise' && d.lower.wgsl.vector)
      .flatMap((d) => variantsOf(d).slice(0, 2))
      .filter((v) => v.args[0].length >= 4);
    const results = await runner.run(variants.map(vectorKernelOf));
    variants.forEach((v, i) => expect(disagreements(v, results[i]), `${v.def.name} ${v.inputs.join()}`).toEqual([]));
    expect(variants.length).toBeGreaterThan(30);
  });
});

describe('device code of random bits and shuffles', () => {
  const column = (value: number, dtype: DType, count: number) => new Uint32Array(count).fill(toWord(value, dtype));

  /** Inputs' components as operands; the result must agree exactly. */
  async function check(name: string, inputs: readonly NdArray[], attrs: Attrs): Promise<void> {
    const def = ops.find((d) => d.name === name);
    if (!def || def.lower.family !== 'indexed') throw new Error(`${name} is not an indexed primitive`);
    const type = def.infer(
      inputs.map((x) => x.type),
      attrs,
    );
    const expected = def.reference(inputs, attrs, type).data;
    const components = inputs.flatMap((x) => [...x.data].map((value) => ({ value, dtype: x.type.dtype })));
    const kernel: KernelCase = {
      wgsl: def.lower.wgsl,
      attrs,
      dtypes: { inputs: components.map((c) => c.dtype), output: type.dtype },
      operands: components.map((c) => column(c.value, c.dtype, expected.length)),
      count: expected.length,
      indexed: true,
    };
    const [words] = await runner.run([kernel]);
    expect([...words].map((w) => fromWord(w, type.dtype))).toEqual([...expected]);
  }
  const key: NdArray = { type: { dtype: 'u32', shape: [2] }, data: Float64Array.of(0x13198a2e, 0x83707344) };
  const position: NdArray = { type: { dtype: 'i32', shape: [] }, data: Float64Array.of(1500) };

  it('random_bits', async () => {
    await check('random_bits', [key], { shape: [300], word: 0 });
    await check('random_bits', [key], { shape: [300], word: 1 });
  });
  it('shuffle_index and permutation', async () => {
    for (const rows of [1, 2, 5, 1797, 60000]) await check('shuffle_index', [key, position], { rows, count: 500 });
    await check('permutation', [key], { n: 1797 });
  });
});
