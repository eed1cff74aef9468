/** Kernels of random graphs, interpreted in float64, against the reference interpreter: same numbers, all accesses in bounds, no races. */
import { describe, expect, it } from 'vitest';
import { compileProgram } from '../../../compiler/emit/bundle.ts';
import { runPasses, tensorPasses } from '../../../compiler/passes/index.ts';
import type { DeviceProfile } from '../../../compiler/lower/profile.ts';
import { evaluate } from '../../../runtime/reference/interpreter.ts';
import { program } from '../../device/programs.ts';
import { randomGraph } from '../../fuzz/random-graph.ts';
import { interpretEntry } from './interpret-program.ts';

const profiles: Record<string, Partial<DeviceProfile>> = {
  'software with subgroups': { class: 'software', subgroups: 8 },
  'hardware without subgroups': { class: 'hardware', subgroups: 0 },
};

function check(seed: number, limits: Partial<DeviceProfile>): void {
  const { graph, roots, params, leaf } = randomGraph(seed, { nodes: 24, barriers: true });
  const done = runPasses(graph, roots, tensorPasses);
  const outputs = done.map((value, k) => ({ name: `r${k}`, kind: 'result' as const, value }));
  const p = program(graph, {
    cells: params.map((n) => ({ id: n.attrs.name as string, type: n.type, kind: 'param', run: '', group: 'g' })),
    entries: [{ id: 'main', writes: [], outputs, inputs: [] }],
  });
  const values = Object.fromEntries(params.map((n) => [n.attrs.name as string, leaf(n).data]));
  compileProgram(p, { limits });
  const got = interpretEntry(p, 'main', { cells: values }, limits);
  const want = evaluate(roots, leaf);
  want.forEach((w: { data: Float64Array }, k: number) => {
    const name = `r${k} of seed ${seed}`;
    w.data.forEach((x, i) => {
      const y = got.outputs[`r${k}`][i];
      const close =
        Object.is(x, y) || (Number.isNaN(x) && Number.isNaN(y)) || Math.abs(x - y) <= 1e-9 * Math.max(1, Math.abs(x));
      if (!close) expect.fail(`${name}[${i}]: ${y} instead of ${x}`);
    });
  });
}

describe('kernels of random graphs', () => {
  for (const [name, limits] of Object.entries(profiles)) {
    it(name, () => {
      for (let seed = 0; seed < 25; seed++) check(seed, limits);
    });
  }
});
