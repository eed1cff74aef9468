/** Every primitive that has a lowering, on the device against its float64 reference, at the table's samples and at special values. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileProgram } from '../../compiler/emit/bundle.ts';
import { Graph, sizeOf } from '../../compiler/ir/tensor/graph.ts';
import type { DeviceProfile } from '../../compiler/lower/profile.ts';
import { ops } from '../../compiler/ops/table.ts';
import type { NdArray, Node, OpDef, OpSample, TensorType } from '../../compiler/ops/types.ts';
import { seededRng, seedOf } from '../fuzz/rng.ts';
import { closeDevice, openDevice } from './device.ts';
import { resultsProgram } from './programs.ts';
import { BundleRunner } from './run-bundle.ts';

let device: GPUDevice;
let profile: DeviceProfile;
let driver: string;

beforeAll(async () => {
  ({ device, profile, driver } = await openDevice());
});

/**
 * SwiftShader's built-ins: trigonometry as coarse as WGSL permits, exp(NaN) infinite. What a run shows of such a
 * value is still wrong or infinite, so these are differences of the driver, not of the kernels.
 */
const swiftShader = {
  coarse: new Set(['sin', 'cos', 'tan']),
  losesNaN: new Set(['exp', 'expm1', 'cosh', 'sinh', 'softplus', 'sigmoid']),
};
afterAll(closeDevice);

const families = [
  'elementwise',
  'index',
  'reduce',
  'contraction',
  'gather',
  'scatter',
  'overlap',
  'update',
  'scan',
  'sort',
  'factor',
  'indexed',
];
const lowered = ops.filter((def) => families.includes(def.lower.family));

interface Case {
  readonly def: OpDef;
  readonly sample: OpSample;
}

/** What the device can hold: f32 inputs rounded. */
function rounded(sample: OpSample): OpSample {
  const inputs = sample.inputs.map((a) => (a.type.dtype === 'f32' ? { ...a, data: a.data.map(Math.fround) } : a));
  return { ...sample, inputs };
}

/** Runs all cases as one program and compares each result. */
async function compare(cases: readonly Case[]): Promise<string[]> {
  const g = new Graph();
  const inputs: Record<string, TensorType> = {};
  const values: Record<string, Float64Array> = {};
  const results: Record<string, Node> = {};
  cases.forEach(({ def, sample }, k) => {
    const nodes = sample.inputs.map((a, i) => {
      const name = `c${k}_${i}`;
      inputs[name] = a.type;
      values[name] = a.data;
      return g.parameter('input', name, a.type);
    });
    results[`r${k}`] = g.make(def.name, nodes, sample.attrs);
  });
  const bundle = compileProgram(resultsProgram(g, inputs, results), { limits: profile });
  const runner = await new BundleRunner(device, bundle).prepare();
  const got = await runner.run('main', {}, values);
  runner.dispose();
  const problems: string[] = [];
  cases.forEach(({ def, sample }, k) => {
    const type = results[`r${k}`].type;
    const want = def.reference(sample.inputs, sample.attrs, type);
    problems.push(
      ...differences(def, want, got[`r${k}`]).map(
        (p) => `${def.name} ${JSON.stringify(sample.attrs)} ${shapes(sample.inputs)}: ${p}`,
      ),
    );
  });
  return problems;
}

const shapes = (list: readonly NdArray[]): string =>
  list.map((a) => `${a.type.dtype}[${a.type.shape.join(',')}]`).join(' ');

function differences(def: OpDef, want: NdArray, got: readonly number[]): string[] {
  if (got.length !== sizeOf(want.type.shape)) return [`${got.length} elements instead of ${want.data.length}`];
  for (let i = 0; i < got.length; i++) {
    const exact = want.data[i];
    const x = want.type.dtype === 'f32' ? Math.fround(exact) : exact;
    const y = got[i];
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) continue;
    if (/swiftshader/i.test(driver)) {
      if (swiftShader.coarse.has(def.name) && Math.abs(x - y) <= 5e-4 * Math.max(1, x * x)) continue;
      if (swiftShader.losesNaN.has(def.name) && Number.isNaN(x)) continue;
    }
    // Drivers may flush denormal numbers.
    const allowed = def.tolerance.relative * Math.abs(x) + def.tolerance.absolute + 1.2e-38;
    if (!(Math.abs(x - y) <= allowed)) return [`element ${i} is ${y} instead of ${x}`];
  }
  return [];
}

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
        problems.push(...(await compare(cases)));
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
      problems.push(...(await compare(cases)));
    }
    expect(problems).toEqual([]);
  });
});
