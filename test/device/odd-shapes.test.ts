/**
 * Every primitive that has a lowering, after the passes, on the device against its float64 meaning where axes have no element, one, a prime number, or a few more than a
 * tile of the schedules (64 and 128).
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sizeOf } from '../../compiler/ir/tensor/graph.ts';
import type { OpDef, OpSample, Rng } from '../../compiler/ops/types.ts';
import { seededRng, seedOf } from '../fuzz/rng.ts';
import { closeDevice, openDevice } from './device.ts';
import { compare, lowered, type On, rounded } from './primitives.ts';

let on: On;
beforeAll(async () => {
  on = await openDevice();
});
afterAll(closeDevice);

const SHAPES: Readonly<Record<string, readonly number[]>> = {
  'axes of none': [0, 1, 3],
  'axes of one': [1],
  primes: [7, 13, 31],
  'just over a tile': [65, 129],
};

/** Products of many normal numbers leave the range of f32. */
const few = new Set(['reduce_prod', 'cumprod']);
const TOGETHER = 12;
/** Elements of an input that take long to compute with in float64. */
const LARGE = 100_000;

/** Lengths from the list, until the axes of a sample together reach `most`; then 1. */
function lengths(rng: Rng, list: readonly number[], most: number): Rng {
  let product = 1;
  return {
    ...rng,
    length: (empty) => {
      const fitting = list.filter((n) => (n > 0 || empty) && product * n <= most);
      const n = fitting[rng.integer(0, fitting.length)] ?? 1;
      product *= Math.max(n, 1);
      return n;
    },
  };
}

/** A sample with an axis that is asked for; undefined where the primitive has no such. */
function sampled(def: OpDef, list: readonly number[]): OpSample | undefined {
  const rng = seededRng(seedOf(def.name));
  const wanted = list.filter((n) => n === 0 || !list.includes(0));
  for (let tries = 0; tries < 60; tries++) {
    const sample = def.sample(lengths(rng, list, few.has(def.name) ? 130 : 20_000));
    const shapes = sample.inputs.map(({ type }) => type.shape);
    if (shapes.some((shape) => shape.some((n) => wanted.includes(n))) && shapes.every((shape) => sizeOf(shape) < LARGE))
      return rounded(sample);
  }
  return undefined;
}

describe.each(Object.entries(SHAPES))('%s', (_, list) => {
  const cases = lowered.flatMap((def) => {
    const sample = sampled(def, list);
    return sample ? [{ def, sample }] : [];
  });
  it('most primitives are there', () => expect(cases.length).toBeGreaterThan(lowered.length / 2));
  const parts = Array.from({ length: Math.ceil(cases.length / TOGETHER) }, (_none, i) =>
    cases.slice(i * TOGETHER, (i + 1) * TOGETHER),
  );
  it.each(parts.map((part) => [part.map(({ def }) => def.name).join(', '), part] as const))(
    '%s',
    { timeout: 300_000 },
    async (_names, part) => expect(await compare(on, part, true)).toEqual([]),
  );
});
