/** Primitives on the device against their float64 meanings: many cases as one program. */
import { compileProgram } from '../../compiler/emit/bundle.ts';
import { Graph, sizeOf } from '../../compiler/ir/tensor/graph.ts';
import type { DeviceProfile } from '../../compiler/lower/profile.ts';
import { ops } from '../../compiler/ops/table.ts';
import type { NdArray, Node, OpDef, OpSample, TensorType } from '../../compiler/ops/types.ts';
import { optimizeProgram } from '../../compiler/passes/program.ts';
import { resultsProgram } from './programs.ts';
import { BundleRunner } from './run-bundle.ts';

/**
 * SwiftShader's built-ins: trigonometry as coarse as WGSL permits, exp(NaN) infinite. What a run shows of such a
 * value is still wrong or infinite, so these are differences of the driver, not of the kernels.
 */
const swiftShader = {
  coarse: new Set(['sin', 'cos', 'tan']),
  losesNaN: new Set(['exp', 'expm1', 'cosh', 'sinh', 'softplus', 'sigmoid']),
};
export const families = [
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
export const lowered = ops.filter((def) => families.includes(def.lower.family));

export interface Case {
  readonly def: OpDef;
  readonly sample: OpSample;
}

/** What the device can hold: f32 inputs rounded. */
export function rounded(sample: OpSample): OpSample {
  const inputs = sample.inputs.map((a) => (a.type.dtype === 'f32' ? { ...a, data: a.data.map(Math.fround) } : a));
  return { ...sample, inputs };
}

export interface On {
  readonly device: GPUDevice;
  readonly profile: DeviceProfile;
  readonly driver: string;
}

/** Runs all cases as one program, after the passes where asked, and compares each result. */
export async function compare(
  { device, profile, driver }: On,
  cases: readonly Case[],
  passes = false,
): Promise<string[]> {
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
  const program = resultsProgram(g, inputs, results);
  const bundle = compileProgram(passes ? optimizeProgram(program) : program, { limits: profile });
  const runner = await new BundleRunner(device, bundle).prepare();
  const got = await runner.run('main', {}, values);
  runner.dispose();
  const problems: string[] = [];
  cases.forEach(({ def, sample }, k) => {
    const type = results[`r${k}`].type;
    const want = def.reference(sample.inputs, sample.attrs, type);
    problems.push(
      ...differences(driver, def, want, got[`r${k}`]).map(
        (p) => `${def.name} ${JSON.stringify(sample.attrs)} ${shapes(sample.inputs)}: ${p}`,
      ),
    );
  });
  return problems;
}

const shapes = (list: readonly NdArray[]): string =>
  list.map((a) => `${a.type.dtype}[${a.type.shape.join(',')}]`).join(' ');

function differences(driver: string, def: OpDef, want: NdArray, got: readonly number[]): string[] {
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
