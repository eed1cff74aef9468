/** Kernels of Cholesky factors and triangular systems, small and in blocks, against the reference; and the reference against what they mean. */
import { describe, expect, it } from 'vitest';
import type { DeviceProfile } from '../../../compiler/lower/profile.ts';
import { op } from '../../../compiler/ops/table.ts';
import type { NdArray, OpSample } from '../../../compiler/ops/types.ts';
import { resultsProgram } from '../../device/programs.ts';
import { seededRng, seedOf } from '../../fuzz/rng.ts';
import { caseOf, normals, run } from '../../ops/cases.ts';
import { interpretEntry } from './interpret-program.ts';

const profiles: Partial<DeviceProfile>[] = [{ class: 'software', subgroups: 8 }, { class: 'hardware' }];

/** A positive definite matrix of n rows for each of `count`. */
function definite(count: number, n: number, seed: number): NdArray {
  const x = normals(seededRng(seed), { dtype: 'f32', shape: count === 1 ? [n, n] : [count, n, n] });
  for (let k = 0; k < count * n; k++) x.data[k * n + (k % n)] += 3 * Math.sqrt(n);
  return x;
}

function check(name: string, sample: OpSample): { reference: NdArray; dispatches: number } {
  const { graph, params, node } = caseOf(op(name), sample);
  const types = Object.fromEntries(params.map((p) => [p.attrs.name as string, p.type]));
  const inputs = Object.fromEntries(sample.inputs.map((x, i) => [`x${i}`, x.data]));
  const [reference] = run([node], params, sample.inputs);
  let dispatches = 0;
  for (const profile of profiles) {
    const got = interpretEntry(resultsProgram(graph, types, { y: node }), 'main', { inputs }, profile);
    dispatches = got.dispatches;
    reference.data.forEach((x, i) => {
      if (Math.abs(x - got.outputs.y[i]) > 1e-9 * Math.max(1, Math.abs(x)))
        expect.fail(`${name} ${JSON.stringify(sample.attrs)}[${i}] is ${got.outputs.y[i]} instead of ${x}`);
    });
  }
  return { reference, dispatches };
}

/** Largest entry of |x y or x yᵀ - z|, for one matrix. */
function residual(x: Float64Array, y: Float64Array, z: Float64Array, [n, k, m]: number[], turned: boolean): number {
  let worst = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      let sum = -z[i * m + j];
      for (let l = 0; l < k; l++) sum += x[i * k + l] * (turned ? y[j * k + l] : y[l * m + j]);
      worst = Math.max(worst, Math.abs(sum));
    }
  }
  return worst;
}

describe('drawn cases', () => {
  for (const name of ['cholesky', 'triangular_solve']) {
    it(name, () => {
      const rng = seededRng(seedOf(`kernels ${name}`));
      for (let i = 0; i < 20; i++) check(name, op(name).sample(rng));
    });
  }
});

describe('in blocks', () => {
  it('a factor times its transpose is the matrix', () => {
    const n = 83;
    const a = definite(1, n, 3);
    const { reference, dispatches } = check('cholesky', { inputs: [a], attrs: {} });
    const symmetric = a.data.map((v, i) => (v + a.data[(i % n) * n + Math.floor(i / n)]) / 2);
    expect(residual(reference.data, reference.data, symmetric, [n, n, n], true)).toBeLessThan(1e-10);
    expect(dispatches).toBeLessThan(10);
  });

  it('several factors at once', () => {
    check('cholesky', { inputs: [definite(2, 66, 4)], attrs: {} });
  });

  for (const [lower, transpose] of [
    [true, false],
    [false, false],
    [true, true],
    [false, true],
  ]) {
    it(`${lower ? 'lower' : 'upper'} systems${transpose ? ', transposed' : ''}`, () => {
      const n = 100;
      const a = definite(1, n, 5);
      const b = normals(seededRng(6), { dtype: 'f32', shape: [n, 5] });
      const { reference } = check('triangular_solve', { inputs: [a, b], attrs: { lower, transpose } });
      const triangle = Float64Array.from({ length: n * n }, (_, k) => {
        const [i, j] = transpose ? [k % n, Math.floor(k / n)] : [Math.floor(k / n), k % n];
        return (lower ? j <= i : j >= i) ? a.data[i * n + j] : 0;
      });
      expect(residual(triangle, reference.data, b.data, [n, n, 5], false)).toBeLessThan(1e-10);
    });
  }

  it('what is not positive definite gives NaN, below the entry where that shows', () => {
    const a: NdArray = { type: { dtype: 'f32', shape: [2, 2] }, data: Float64Array.of(1, 2, 2, 1) };
    const { reference } = check('cholesky', { inputs: [a], attrs: {} });
    expect([...reference.data]).toEqual([1, 0, 2, NaN]);
  });
});
