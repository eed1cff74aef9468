/** Long sorts, which are merged from blocks: kernels against the reference, at lengths around powers of two, with ties, NaN and several lines. */
import { describe, expect, it } from 'vitest';
import { op } from '../../../compiler/ops/table.ts';
import type { NdArray } from '../../../compiler/ops/types.ts';
import { resultsProgram } from '../../device/programs.ts';
import { seededRng } from '../../fuzz/rng.ts';
import { caseOf, run } from '../../ops/cases.ts';
import { interpretEntry } from './interpret-program.ts';

/** Numbers with many ties, some NaN and infinities. */
function drawn(shape: readonly number[], seed: number): NdArray {
  const rng = seededRng(seed);
  const value = (): number => {
    const u = rng.uniform();
    if (u < 0.02) return NaN;
    if (u < 0.03) return -Infinity;
    return u < 0.5 ? rng.integer(-20, 20) : rng.normal();
  };
  return {
    type: { dtype: 'f32', shape },
    data: Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, value),
  };
}

describe('long sorts', () => {
  const cases: [string, 'sort' | 'argsort', readonly number[], number, boolean][] = [
    ['one beyond the short ones', 'argsort', [513], 0, false],
    ['whole blocks', 'sort', [1024], 0, false],
    ['descending, with a short last run', 'argsort', [1300], 0, true],
    ['an odd number of runs', 'sort', [700], 0, true],
    ['along the first axis of three lines', 'argsort', [600, 3], 0, false],
    ['along the last axis', 'sort', [2, 530], 1, false],
  ];
  for (const [title, name, shape, axis, descending] of cases) {
    it(title, { timeout: 60_000 }, () => {
      const inputs = [drawn(shape, 9)];
      const { graph, params, node } = caseOf(op(name), { inputs, attrs: { axis, descending } });
      const [want] = run([node], params, inputs);
      const types = { x0: inputs[0].type };
      const program = resultsProgram(graph, types, { y: node });
      const got = interpretEntry(program, 'main', { inputs: { x0: inputs[0].data } }, { class: 'software' });
      expect(got.outputs.y).toEqual([...want.data]);
      expect(got.dispatches).toBeLessThanOrEqual(1 + Math.ceil(Math.log2(shape[axis] / 128)));
    });
  }
});
