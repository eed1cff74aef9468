/** Matrix products on the device, stored either way round, batched, at sizes just over and under a tile, with prologues and epilogues. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileProgram } from '../../compiler/emit/bundle.ts';
import type { DeviceProfile } from '../../compiler/lower/profile.ts';
import type { NdArray, Node, TensorType } from '../../compiler/ops/types.ts';
import { evaluate } from '../../runtime/reference/interpreter.ts';
import { seededRng } from '../fuzz/rng.ts';
import { closeDevice, openDevice } from './device.ts';
import { Build, f32, resultsProgram } from './programs.ts';
import { BundleRunner } from './run-bundle.ts';

let device: GPUDevice;
let profile: DeviceProfile;

beforeAll(async () => {
  ({ device, profile } = await openDevice());
});
afterAll(closeDevice);

/** Compiles the function of normal inputs, runs it, and compares with the reference; returns the number of dispatches. */
async function check(
  types: Record<string, TensorType>,
  make: (b: Build, inputs: Node[]) => Record<string, Node>,
  limits: DeviceProfile = profile,
): Promise<number> {
  const b = new Build();
  const rng = seededRng(7);
  const nodes = Object.entries(types).map(([name, type]) => b.input(name, type));
  const values = new Map(
    nodes.map((n) => {
      const data = Float64Array.from({ length: n.type.shape.reduce((x, y) => x * y, 1) }, () =>
        Math.fround(rng.normal()),
      );
      return [n.attrs.name as string, { type: n.type, data }] as const;
    }),
  );
  const results = make(b, nodes);
  const bundle = compileProgram(resultsProgram(b.g, types, results), { limits });
  const runner = await new BundleRunner(device, bundle).prepare();
  const got = await runner.run('main', {}, Object.fromEntries([...values].map(([k, v]) => [k, v.data])));
  runner.dispose();
  const names = Object.keys(results);
  const want = evaluate(Object.values(results), (p) => values.get(p.attrs.name as string) as NdArray);
  names.forEach((name, k) => {
    expect(got[name].length).toBe(want[k].data.length);
    want[k].data.forEach((x, i) => {
      const y = got[name][i];
      if (!(Math.abs(x - y) <= 1e-4 * Math.max(1, Math.abs(x)))) expect.fail(`${name}[${i}] is ${y} instead of ${x}`);
    });
  });
  return bundle.entries[0].commands.length;
}

const operand = (rows: number, columns: number, transposed: boolean): TensorType =>
  transposed ? f32(columns, rows) : f32(rows, columns);

describe('matrix products', () => {
  const sizes: [number, number, number][] = [
    [1, 1, 1],
    [17, 33, 31],
    [64, 10, 1029],
    [45, 9, 36],
  ];
  for (const [ta, tb] of [
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ]) {
    it(`${ta ? 'T' : 'N'}${tb ? 'T' : 'N'}, by subgroups and by register tiles`, { timeout: 120_000 }, async () => {
      for (const [m, n, k] of sizes) {
        const types = { a: operand(m, k, ta), b: operand(k, n, tb) };
        const make = (b: Build, [x, y]: Node[]): Record<string, Node> => ({
          r: b.matmul(x, y, ta ? 0 : 1, tb ? 1 : 0),
        });
        await check(types, make);
        if (m === 17) await check(types, make, { ...profile, subgroups: 0 });
      }
    });
  }

  it('without elements', async () => {
    await check({ a: f32(0, 5), b: f32(5, 3) }, (b, [x, y]) => ({ r: b.matmul(x, y) }));
    await check({ a: f32(4, 0), b: f32(0, 3) }, (b, [x, y]) => ({ r: b.matmul(x, y) }));
  });

  it('in batches', { timeout: 60_000 }, async () => {
    const attrs = { lhs_contract: [2], rhs_contract: [1], lhs_batch: [0], rhs_batch: [0] };
    await check({ a: f32(3, 17, 12), b: f32(3, 12, 20) }, (b, [x, y]) => ({
      r: b.g.make('dot_general', [x, y], attrs),
    }));
  });

  it(
    'with operands computed on the way in and results on the way out, in one dispatch',
    { timeout: 60_000 },
    async () => {
      const types = { a: f32(32, 24), w: f32(24, 36), c: f32(36) };
      const count = await check(types, (b, [x, w, c]) => {
        const relu = b.op('max', x, b.num(0, x));
        const z = b.op('add', b.matmul(relu, w), b.spread(c, [32, 36], [1]));
        return { r: b.op('tanh', z) };
      });
      expect(count).toBe(1);
    },
  );

  it('split along a long shared axis', { timeout: 60_000 }, async () => {
    await check({ a: f32(4096, 8), b: f32(4096, 12) }, (b, [x, y]) => ({ r: b.matmul(x, y, 0, 0) }));
    await check({ a: f32(1, 8192), b: f32(8192, 1) }, (b, [x, y]) => ({ r: b.matmul(x, y) }));
  });
});

describe('reductions', () => {
  const shapes = [[0, 3], [1, 1], [7], [129], [64, 10], [33, 257], [3, 5, 7], [20000], [5000, 3]];
  for (const op of ['reduce_sum', 'reduce_max', 'reduce_min', 'reduce_prod']) {
    it(`${op} over each axis and over all`, { timeout: 120_000 }, async () => {
      for (const shape of shapes) {
        if (op === 'reduce_prod' && shape[0] > 200) continue;
        if (shape.includes(0) && op !== 'reduce_sum') continue;
        await check({ x: f32(...shape) }, (b, [x]) => {
          const bounded = b.op('mul', x, b.num(0.5, x));
          const all = shape.map((_, a) => a);
          const results = Object.fromEntries(all.map((a) => [`axis${a}`, b.g.make(op, [bounded], { axes: [a] })]));
          return { ...results, all: b.g.make(op, [bounded], { axes: all }) };
        });
      }
    });
  }

  it('softmax of rows in one dispatch', async () => {
    const count = await check({ x: f32(64, 40) }, (b, [x]) => {
      const top = b.g.make('reduce_max', [x], { axes: [1] });
      const e = b.op('exp', b.op('sub', x, b.spread(top, [64, 40], [0])));
      return { r: b.op('div', e, b.spread(b.sum(e, 1), [64, 40], [0])) };
    });
    expect(count).toBe(1);
  });

  it('a value beside its column sums', async () => {
    await check({ x: f32(128, 12), y: f32(128, 12) }, (b, [x, y]) => {
      const g = b.op('mul', x, b.op('tanh', y));
      return { g, c: b.sum(g, 0), r: b.sum(g, 1) };
    });
  });
});
