/** Kernels of windows, overlap-adds and convolutions with their derivatives, against the reference, at many shapes and in both kinds of tile. */
import { describe, expect, it } from 'vitest';
import { grad } from '../../../compiler/autodiff/index.ts';
import type { DeviceProfile } from '../../../compiler/lower/profile.ts';
import { op } from '../../../compiler/ops/table.ts';
import type { Attrs, NdArray, OpSample } from '../../../compiler/ops/types.ts';
import { evaluate } from '../../../runtime/reference/interpreter.ts';
import { resultsProgram } from '../../device/programs.ts';
import { seededRng, seedOf } from '../../fuzz/rng.ts';
import { caseOf, normals, weighted } from '../../ops/cases.ts';
import { interpretEntry } from './interpret-program.ts';

const profiles: Partial<DeviceProfile>[] = [{ class: 'software', subgroups: 8 }, { class: 'hardware' }];

/** The primitive and, where it is one of floats, the derivatives of a weighted sum of it: kernels against the interpreter. */
function check(name: string, sample: OpSample): void {
  const rng = seededRng(3);
  const { graph, params, node } = caseOf(op(name), sample);
  const results = { y: node };
  if (node.type.dtype === 'f32') {
    const slopes = grad(graph, weighted(graph, node, normals(rng, node.type)), params).values;
    slopes.forEach((g, i) => Object.assign(results, { [`d${i}`]: g }));
  }
  const types = Object.fromEntries(params.map((p) => [p.attrs.name as string, p.type]));
  const inputs = Object.fromEntries(sample.inputs.map((x, i) => [`x${i}`, x.data]));
  const wanted = evaluate(Object.values(results), (p) => sample.inputs[params.indexOf(p)]);
  for (const profile of profiles) {
    const got = interpretEntry(resultsProgram(graph, types, results), 'main', { inputs }, profile).outputs;
    Object.keys(results).forEach((key, k) => {
      wanted[k].data.forEach((x, i) => {
        if (Math.abs(x - got[key][i]) > 1e-9 * Math.max(1, Math.abs(x)))
          expect.fail(`${name} ${JSON.stringify(sample.attrs)}: ${key}[${i}] is ${got[key][i]} instead of ${x}`);
      });
    });
  }
}

describe('kernels at drawn shapes', () => {
  for (const name of ['windows', 'overlap_add', 'conv']) {
    it(name, () => {
      const rng = seededRng(seedOf(`kernels ${name}`));
      for (let i = 0; i < 25; i++) check(name, op(name).sample(rng));
    });
  }
});

describe('convolutions of the size of tiles', () => {
  const cases: [
    string,
    readonly number[],
    readonly number[],
    Partial<Record<keyof typeof plain, number[] | number>>,
  ][] = [
    ['one channel, 5 x 5, same', [2, 9, 9, 1], [5, 5, 1, 6], { low: [2, 2], high: [2, 2] }],
    ['four channels, 3 x 3, stride 2', [1, 9, 9, 4], [3, 3, 4, 8], { stride: [2, 2], low: [1, 1], high: [1, 1] }],
    ['dilated', [1, 11, 9, 4], [3, 2, 4, 5], { dilation: [2, 3] }],
    ['two groups', [1, 7, 7, 8], [3, 3, 4, 8], { groups: 2 }],
    ['one kernel for each feature', [1, 6, 6, 8], [3, 3, 1, 8], { groups: 8, low: [1, 1], high: [1, 1] }],
  ];
  const plain = { stride: [1, 1], dilation: [1, 1], spread: [1, 1], low: [0, 0], high: [0, 0], groups: 1 };
  for (const [title, x, w, attrs] of cases) {
    it(title, () => {
      const rng = seededRng(5);
      const inputs: NdArray[] = [x, w].map((shape) => normals(rng, { dtype: 'f32', shape }));
      check('conv', { inputs, attrs: { ...plain, ...attrs } as Attrs });
    });
  }
});
