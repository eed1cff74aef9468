/** Kernels and WGSL of small graphs, as text, against golden files (`npm run test:update` rewrites them). */
import { describe, expect, it } from 'vitest';
import { compileProgram, prepareProgram } from '../../../compiler/emit/bundle.ts';
import { printKernel } from '../../../compiler/ir/kernel/print.ts';
import type { DeviceProfile } from '../../../compiler/lower/profile.ts';
import { unitsOf } from '../../../compiler/lower/unit.ts';
import type { Program } from '../../../compiler/ir/program.ts';
import { Build, cell, f32, program, resultsProgram } from '../../device/programs.ts';
import { Regions } from '../../device/region-programs.ts';

const golden = (name: string): string => `../../golden/kernels/${name}`;

async function compare(name: string, p: Program, limits: Partial<DeviceProfile>): Promise<void> {
  const units = prepareProgram(p, limits).entries.flatMap((e) => unitsOf(e.lowered.steps));
  await expect(units.map((u) => `// ${u.label}\n${printKernel(u.kernel)}`).join('\n')).toMatchFileSnapshot(
    golden(`${name}.kernels`),
  );
  const { kernels } = compileProgram(p, { limits });
  await expect(kernels.map((k) => `// ${k.label}\n${k.wgsl}`).join('\n')).toMatchFileSnapshot(golden(`${name}.wgsl`));
}

describe('kernels of small graphs', () => {
  it('softmax of rows', async () => {
    const b = new Build();
    const x = b.input('x', f32(64, 12));
    const spread = (v: Parameters<Build['spread']>[0]) => b.spread(v, [64, 12], [0]);
    const e = b.op('exp', b.op('sub', x, spread(b.g.make('reduce_max', [x], { axes: [1] }))));
    await compare('softmax', resultsProgram(b.g, { x: x.type }, { r: b.op('div', e, spread(b.sum(e, 1))) }), {
      class: 'software',
    });
  });

  it('a layer with bias and activation', async () => {
    const b = new Build();
    const [x, w, c] = [b.input('x', f32(18, 8)), b.input('w', f32(8, 12)), b.input('c', f32(12))];
    const z = b.op('add', b.matmul(x, w), b.spread(c, [18, 12], [1]));
    const types = { x: x.type, w: w.type, c: c.type };
    await compare('layer', resultsProgram(b.g, types, { r: b.op('tanh', z) }), { class: 'software', subgroups: 8 });
  });

  it('a loop that stops by itself, in single launches and in one', async () => {
    for (const sequences of [false, true]) {
      const b = new Regions();
      const [x, w] = [b.input('x', f32(8)), b.input('w', f32(6, 8))];
      const loop = b.repeat(
        6,
        [x],
        (_, [h], [row]) => {
          const next = b.op('add', b.op('sin', h), row);
          return { carries: [next], ys: [b.sum(next, 0)] };
        },
        { xs: [w], cond: (_, [h]) => b.op('lt', b.sum(b.op('mul', h, h), 0), b.g.constant(9, f32())) },
      );
      const results = { h: loop.carry(0), ys: loop.ys(0), turns: loop.turns() };
      const p = resultsProgram(b.g, { x: x.type, w: w.type }, results);
      await compare(sequences ? 'loop-fused' : 'loop', p, { class: 'software', sequences });
    }
  });

  it('an update of several leaves at once', async () => {
    const b = new Build();
    const cells = [cell('a', f32(6, 5), 'net'), cell('b', f32(5), 'net'), cell('c', f32(9), 'net')];
    const writes = cells.map((c) => {
      const p = b.g.parameter('cell', c.id, c.type);
      return { cell: c.id, value: b.op('sub', p, b.op('mul', b.num(0.1, p), b.op('sin', p))) };
    });
    await compare('update', program(b.g, { cells, entries: [{ id: 'step', writes, outputs: [], inputs: [] }] }), {});
  });
});
