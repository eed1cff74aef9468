/** Long cumulative sums and products, which run in pieces: kernels against the reference. */
import { expect, it } from 'vitest';
import { op } from '../../../compiler/ops/table.ts';
import type { Attrs } from '../../../compiler/ops/types.ts';
import { resultsProgram } from '../../device/programs.ts';
import { seededRng } from '../../fuzz/rng.ts';
import { caseOf, normals, run } from '../../ops/cases.ts';
import { interpretEntry } from './interpret-program.ts';

const cases: [string, 'cumsum' | 'cumprod', readonly number[], Attrs][] = [
  ['whole pieces', 'cumsum', [4096], { axis: 0, reverse: false }],
  ['a short last piece', 'cumsum', [2051], { axis: 0, reverse: false }],
  ['backwards', 'cumsum', [2, 2051], { axis: 1, reverse: true }],
  ['along the first axis', 'cumsum', [2100, 3], { axis: 0, reverse: false }],
  ['products', 'cumprod', [2100], { axis: 0 }],
];

it.each(cases)('%s', { timeout: 60_000 }, (_, name, shape, attrs) => {
  const x = normals(seededRng(4), { dtype: 'f32', shape });
  // factors near 1, so that a product of thousands is still a number
  const inputs = [name === 'cumprod' ? { ...x, data: x.data.map((v) => 1 + 0.01 * v) } : x];
  const { graph, params, node } = caseOf(op(name), { inputs, attrs });
  const [want] = run([node], params, inputs);
  for (const profile of ['software', 'hardware'] as const) {
    const program = resultsProgram(graph, { x0: inputs[0].type }, { y: node });
    const got = interpretEntry(program, 'main', { inputs: { x0: inputs[0].data } }, { class: profile });
    expect(got.dispatches).toBeGreaterThan(1);
    want.data.forEach((v, i) => expect(Math.abs(got.outputs.y[i] - v)).toBeLessThan(1e-9 * Math.max(1, Math.abs(v))));
  }
});
