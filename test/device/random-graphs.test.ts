/** Random graphs on the device, in float32, against the float64 reference. */
import { afterAll, describe, expect, it } from 'vitest';
import { compileProgram } from '../../compiler/emit/bundle.ts';
import { evaluate } from '../../runtime/reference/interpreter.ts';
import { randomGraph } from '../fuzz/random-graph.ts';
import { closeDevice, openDevice } from './device.ts';
import { program } from './programs.ts';
import { BundleRunner } from './run-bundle.ts';

afterAll(closeDevice);

describe('random graphs on the device', () => {
  it('agree with the reference', { timeout: 240_000 }, async () => {
    const { device, profile } = await openDevice();
    for (let seed = 100; seed < 104; seed++) {
      // Smooth primitives only: rounding may not flip a comparison.
      const { graph, roots, params, leaf } = randomGraph(seed, { nodes: 20, smooth: true, barriers: true });
      const p = program(graph, {
        cells: params.map((n) => ({ id: n.attrs.name as string, type: n.type, kind: 'param', run: '', group: 'g' })),
        entries: [
          {
            id: 'main',
            writes: [],
            inputs: [],
            outputs: roots.map((value, k) => ({ name: `r${k}`, kind: 'result' as const, value })),
          },
        ],
      });
      const runner = await new BundleRunner(device, compileProgram(p, { limits: profile })).prepare();
      for (const n of params) runner.writeCell(n.attrs.name as string, leaf(n).data);
      const got = await runner.run('main');
      runner.dispose();
      const want = evaluate(roots, (n) => ({ ...leaf(n), data: leaf(n).data.map(Math.fround) }));
      want.forEach((w, k) =>
        w.data.forEach((x, i) => {
          const y = got[`r${k}`][i];
          if (!(Math.abs(x - y) <= 2e-4 * Math.max(1, Math.abs(x))))
            expect.fail(`seed ${seed}: r${k}[${i}] is ${y} instead of ${x}`);
        }),
      );
    }
  });
});
