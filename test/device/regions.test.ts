/** Loops and choices on the device, in float32 and through the executor of sessions, against the float64 reference. */
import { afterAll, describe, expect, it } from 'vitest';
import { grad } from '../../compiler/autodiff/index.ts';
import { countDispatches, hasLongLoops } from '../../compiler/bundle/commands.ts';
import { compileProgram } from '../../compiler/emit/bundle.ts';
import type { Program } from '../../compiler/ir/program.ts';
import { Graph } from '../../compiler/ir/tensor/graph.ts';
import type { DeviceProfile } from '../../compiler/lower/profile.ts';
import type { NdArray, Node } from '../../compiler/ops/types.ts';
import { createExecutor } from '../../runtime/device/executor.ts';
import { evaluate } from '../../runtime/reference/interpreter.ts';
import { randomControl, vector } from '../fuzz/random-control.ts';
import { seededRng } from '../fuzz/rng.ts';
import { closeDevice, openDevice } from './device.ts';
import { f32, resultsProgram } from './programs.ts';
import { nestedLoops, Regions } from './region-programs.ts';

afterAll(closeDevice);

const ramp = (n: number, scale = 1): number[] =>
  Array.from({ length: n }, (_, i) => Math.fround(scale * (((i * 7) % 11) / 8 - 0.6)));
const scalars = { seed: 0, step: 0, steps: 1, hyper: () => 0 };

/** Runs a program of inputs on the device and compares its results with the reference; returns them. */
async function check(
  p: Program,
  inputs: Record<string, number[]>,
  tolerance = 2e-4,
  limits: Partial<DeviceProfile> = {},
) {
  const { owner, profile } = await openDevice();
  const bundle = compileProgram(p, { limits: { ...profile, ...limits } });
  const executor = await createExecutor(bundle, owner);
  const given = Object.fromEntries(p.entries[0].inputs.map((i) => [i.name, Float32Array.from(inputs[i.name])]));
  const got = await executor.call('main', given, scalars);
  const { dispatches } = executor.stats;
  await executor.dispose();
  const { outputs } = p.entries[0];
  const leaf = (n: Node): NdArray => ({ type: n.type, data: Float64Array.from(inputs[n.attrs.name as string]) });
  const want = evaluate(
    outputs.map((o) => o.value),
    leaf,
  );
  outputs.forEach((o, k) =>
    want[k].data.forEach((x, i) => {
      const y = got[o.name][i];
      if (!(Math.abs(x - y) <= tolerance * Math.max(1, Math.abs(x))))
        expect.fail(`${o.name}[${i}] is ${y} instead of ${x}`);
    }),
  );
  // Long loops may end before their last launch.
  const { commands } = bundle.entries[0];
  if (hasLongLoops(commands)) expect(dispatches).toBeLessThan(countDispatches(commands));
  else expect(dispatches).toBe(countDispatches(commands));
  return { got, dispatches };
}

describe('loops and choices on the device', () => {
  it('agree with the reference in random programs, and in their gradients', { timeout: 240_000 }, async () => {
    for (let seed = 0; seed < 9; seed++) {
      const graph = new Graph();
      const rng = seededRng(seed);
      const params = ['a', 'b'].map((name) => graph.parameter('input', name, vector));
      const draw = (): number[] => Array.from({ length: vector.shape[0] }, () => Math.fround(rng.normal()));
      const inputs = Object.fromEntries(params.map((p) => [p.attrs.name as string, draw()]));
      const y = randomControl(seed, 2, seed % 3).regions(graph, params);
      const [ga, gb] = grad(graph, y, params).values;
      // Some by single launches, which is how large ones run, and some in launches that end in the middle of loops.
      const limits = [{}, { sequences: false }, { maxWork: 700 }][seed % 3];
      await check(resultsProgram(graph, { a: vector, b: vector }, { y, ga, gb }), inputs, 1e-3, limits);
    }
  });

  it('within each other, of millions of turns at most, are few launches that go on where the last one stopped', async () => {
    const steps = async (most: number, maxWork?: number): Promise<number> => {
      const b = new Regions();
      const p = resultsProgram(b.g, { x: f32() }, { steps: nestedLoops(b, most) });
      return (await check(p, { x: [7] }, 0, { maxWork })).dispatches;
    };
    expect(await steps(100_000)).toBeLessThan(100);
    await steps(300, 3000);
  });

  it('differentiate a thousand turns', { timeout: 240_000 }, async () => {
    const turns = 1000;
    const b = new Regions();
    const [x, w] = [b.input('x', f32(64)), b.input('w', f32(64))];
    const loop = b.repeat(turns, [x], (_, [h]) => {
      const inner = b.op('sin', b.op('mul', h, w));
      return { carries: [b.op('add', b.op('mul', h, b.num(0.5, h)), b.op('mul', w, b.op('tanh', inner)))] };
    });
    const y = b.sum(loop.carry(0), 0);
    const [gx, gw] = grad(b.g, y, [x, w]).values;
    const p = resultsProgram(b.g, { x: x.type, w: w.type }, { y, gx, gw });
    const inputs = { x: ramp(64), w: ramp(64) };
    expect((await check(p, inputs, 2e-4, { sequences: false })).dispatches).toBeLessThan(5 * turns);
    // Little work: each loop is one launch.
    expect((await check(p, inputs)).dispatches).toBeLessThan(8);
  });

  it(
    'end soon after their last turn where turns are many launches, in order with what is submitted beside',
    { timeout: 240_000 },
    async () => {
      const { owner, profile } = await openDevice();
      const b = new Regions();
      const [x, w] = [b.input('x', f32(32, 32)), b.input('w', f32(32, 32))];
      const loop = b.repeat(2000, [x], (_, [h]) => ({ carries: [b.op('mul', b.matmul(h, w), b.num(0.5, h))] }), {
        cond: (_, [h]) => b.op('gt', b.sum(b.op('mul', h, h), 0, 1), b.g.constant(1e-3, f32())),
      });
      const p = resultsProgram(b.g, { x: x.type, w: w.type }, { h: loop.carry(0), turns: loop.turns() });
      const bundle = compileProgram(p, { limits: { ...profile, sequences: false } });
      const executor = await createExecutor(bundle, owner);
      const eye = Array.from({ length: 1024 }, (_, i) => (i % 33 === 0 ? 1 : 0));
      const call = (scale: number) =>
        executor.call('main', { x: Float32Array.from(ramp(1024, scale)), w: Float32Array.from(eye) }, scalars);
      const scales = [1, 1e-9, 100, 1];
      const got = await Promise.all(scales.map(call));
      const turns = got.map((r) => r.turns[0]);
      scales.forEach((scale, k) => {
        const start = ramp(1024, scale).reduce((sum, v) => sum + v * v, 0);
        const want = Math.max(0, Math.ceil(Math.log(start / 1e-3) / Math.log(4)));
        expect(turns[k]).toBe(want);
        expect(got[k].h[5]).toBeCloseTo(ramp(1024, scale)[5] * 0.5 ** want, 6);
      });
      // Four times at most 48 turns of a few launches instead of 2000.
      expect(executor.stats.dispatches).toBeLessThan(4 * (48 * 5 + 10));
      await executor.dispose();
    },
  );

  it('raise faults of the branch that is taken, and of no other', async () => {
    const { owner, profile } = await openDevice();
    for (const sequences of [true, false]) {
      const b = new Regions();
      const [x, p] = [b.input('x', f32(4)), b.input('p', f32())];
      const loop = b.repeat(3, [x], (i, [h]) => {
        const far = b.op('add', i, b.int(9));
        const one = b.choose(
          b.op('gt', p, b.num(0, p)),
          () => [b.op('mul', h, b.spread(b.g.make('gather', [h, far], { axis: 0 }), [4], []))],
          () => [b.op('sin', h)],
        );
        return { carries: [one.result(0)] };
      });
      const program = resultsProgram(b.g, { x: x.type, p: f32() }, { h: loop.carry(0) });
      const executor = await createExecutor(compileProgram(program, { limits: { ...profile, sequences } }), owner);
      const call = (sign: number) =>
        executor.call('main', { x: Float32Array.of(1, 2, 3, 4), p: Float32Array.of(sign) }, scalars);
      const { h } = await call(-1);
      expect(h[0]).toBeCloseTo(Math.sin(Math.sin(Math.sin(1))), 5);
      await expect(call(1)).rejects.toThrow(/axis has 4 elements/);
      await executor.dispose();
    }
  });

  it('stop inside of a scan, with products of matrices under a flag', { timeout: 240_000 }, async () => {
    const b = new Regions();
    const [x, w] = [b.input('x', f32(16, 16)), b.input('w', f32(16, 16))];
    const outer = b.repeat(4, [x], (_, [h]) => {
      const inner = b.repeat(6, [h], (__, [k]) => ({ carries: [b.op('add', k, b.matmul(k, w))] }), {
        cond: (__, [k]) => b.op('lt', b.sum(b.op('mul', k, k), 0, 1), b.g.constant(40, f32())),
      });
      const back = b.choose(
        b.op('lt', b.sum(inner.carry(0), 0, 1), b.g.constant(0, f32())),
        () => [b.matmul(inner.carry(0), w)],
        () => [b.op('mul', inner.carry(0), b.num(0.5, x))],
      );
      return { carries: [back.result(0)], ys: [inner.turns(), back.taken()] };
    });
    const results = { h: outer.carry(0), turns: outer.ys(0), taken: outer.ys(1) };
    const p = resultsProgram(b.g, { x: x.type, w: w.type }, results);
    for (const sequences of [true, false])
      await check(p, { x: ramp(256, 0.2), w: ramp(256, 0.3) }, 2e-4, { sequences });
  });
});
