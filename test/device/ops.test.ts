/** Every primitive that has a lowering, on the device against its float64 reference, at the table's samples and at special values. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRng, seedOf } from '../fuzz/rng.ts';
import { closeDevice, openDevice } from './device.ts';
import { type Case, compare, families, lowered, type On, rounded } from './primitives.ts';

let on: On;

beforeAll(async () => {
  on = await openDevice();
});

afterAll(closeDevice);

describe('primitives on the device', () => {
  for (const family of families) {
    it(family, { timeout: 120_000 }, async () => {
      const members = lowered.filter((def) => def.lower.family === family);
      const problems: string[] = [];
      for (let from = 0; from < members.length; from += 6) {
        const cases = members.slice(from, from + 6).flatMap((def) => {
          const rng = seededRng(seedOf(def.name));
          return [0, 1].map(() => ({ def, sample: rounded(def.sample(rng)) }));
        });
        problems.push(...(await compare(on, cases)));
      }
      expect(problems).toEqual([]);
    });
  }

  it('elementwise primitives of floats at special values', { timeout: 120_000 }, async () => {
    const special = [
      0,
      -0,
      1,
      -1,
      0.5,
      -0.5,
      1e-20,
      -1e-20,
      1e-7,
      3,
      -3,
      10,
      -10,
      15.5,
      87,
      -87,
      1000,
      -1000,
      1e30,
      -1e30,
      Infinity,
      -Infinity,
      NaN,
    ];
    // Outside their domain, or beyond where float32 can say anything, drivers differ (sine of 1e30).
    const bounded = new Set(['sin', 'cos', 'tan']);
    const unary = lowered.filter(
      (d) => d.lower.family === 'elementwise' && d.arity === 1 && d.sample(seededRng(1)).inputs[0].type.dtype === 'f32',
    );
    const problems: string[] = [];
    for (let from = 0; from < unary.length; from += 6) {
      const cases = unary.slice(from, from + 6).map((def): Case => {
        const data = Float64Array.from(
          special.filter((v) => !bounded.has(def.name) || Math.abs(v) <= 1000),
          Math.fround,
        );
        const sample = def.sample(seededRng(1));
        return {
          def,
          sample: {
            attrs: def.name === 'cast' ? { dtype: 'f32' } : sample.attrs,
            inputs: [{ type: { dtype: 'f32', shape: [data.length] }, data }],
          },
        };
      });
      problems.push(...(await compare(on, cases)));
    }
    expect(problems).toEqual([]);
  });
});
