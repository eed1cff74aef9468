/** The benchmark's network with Adam: twenty steps on the device against the float64 reference, and its number of launches. */
import { afterAll, describe, expect, it } from 'vitest';
import { compileProgram } from '../../compiler/emit/bundle.ts';
import { evaluateHost } from '../../compiler/bundle/host-program.ts';
import { sizeOf } from '../../compiler/ir/tensor/graph.ts';
import type { NdArray, Node } from '../../compiler/ops/types.ts';
import { evaluate } from '../../runtime/reference/interpreter.ts';
import { seededRng } from '../fuzz/rng.ts';
import { closeDevice, openDevice } from './device.ts';
import { mlpProgram } from './programs.ts';
import { BundleRunner } from './run-bundle.ts';

afterAll(closeDevice);

describe('a network trained with Adam', () => {
  it('takes at most 20 dispatches a step at 784-256-128-10 and batch 128', () => {
    const { program } = mlpProgram({ sizes: [784, 256, 128, 10], batch: 128, rows: 60000 });
    for (const limits of [{}, { class: 'software' as const, subgroups: 8 }]) {
      const bundle = compileProgram(program, { limits });
      expect(bundle.entries[0].commands.length).toBeLessThanOrEqual(12);
    }
  });

  it('is compiled to the same bytes every time', () => {
    const make = (): string =>
      JSON.stringify(compileProgram(mlpProgram({ sizes: [12, 8, 4], batch: 6, rows: 20 }).program));
    expect(make()).toBe(make());
  });

  it('follows the float64 reference for 20 steps', { timeout: 120_000 }, async () => {
    const { device, profile } = await openDevice();
    const rows = 96;
    const { program, cells } = mlpProgram({ sizes: [64, 48, 36, 10], batch: 32, rows });
    const bundle = compileProgram(program, { limits: profile });
    const runner = await new BundleRunner(device, bundle).prepare();
    const rng = seededRng(3);
    const bytes = Uint8Array.from({ length: rows * 64 }, () => rng.integer(0, 256));
    const labels = Int32Array.from({ length: rows }, () => rng.integer(0, 10));
    runner.writeData('train', 'x', bytes);
    runner.writeData('train', 'y', labels);
    const state = new Map<string, NdArray>();
    for (const c of cells) {
      const scale = c.id.includes('#') || c.type.shape.length < 2 ? 0 : 0.2;
      const data = Float64Array.from({ length: sizeOf(c.type.shape) }, () => Math.fround(scale * rng.normal()));
      state.set(c.id, { type: c.type, data });
      runner.writeCell(c.id, data);
    }
    const entry = program.entries[0];
    const host = bundle.entries[0].host;
    expect(host.instructions.length).toBeGreaterThan(0);
    const roots = [...entry.writes.map((w) => w.value), entry.outputs[0].value];
    for (let step = 0; step < 20; step++) {
      const scalars = { seed: 5, step, steps: 20, hyper: () => 0.01 };
      const leaf = (p: Node): NdArray => {
        const name = p.attrs.name as string;
        if (p.attrs.source === 'cell') return state.get(name) as NdArray;
        if (name === 'train.x') return { type: p.type, data: Float64Array.from(bytes, (v) => v / 255) };
        if (name === 'train.y') return { type: p.type, data: Float64Array.from(labels) };
        const program = {
          instructions: [{ op: 'scalar', inputs: [], attrs: { name }, dtype: p.type.dtype, inputDtypes: [] }],
        };
        return { type: p.type, data: Float64Array.from(evaluateHost(program, scalars)[0]) };
      };
      const want = evaluate(roots, leaf);
      const { loss } = await runner.run('step', scalars);
      expect(Math.abs(loss[0] - want[roots.length - 1].data[0])).toBeLessThan(1e-4);
      entry.writes.forEach((w, k) => state.set(w.cell, want[k]));
    }
    for (const c of cells) {
      const got = await runner.readCell(c.id);
      const want = (state.get(c.id) as NdArray).data;
      const norm = Math.sqrt(want.reduce((s, v) => s + v * v, 0));
      const error = Math.sqrt(want.reduce((s, v, i) => s + (v - got[i]) ** 2, 0));
      expect(error / norm, c.id).toBeLessThan(1e-3);
    }
    runner.dispose();
  });
});
