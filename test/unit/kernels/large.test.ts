/** Kernels of forms that appear at sizes beyond the random graphs: split sums, scatter as a product, many leaves; against the reference. */
import { describe, expect, it } from 'vitest';
import { compileProgram, prepareProgram } from '../../../compiler/emit/bundle.ts';
import type { DeviceProfile } from '../../../compiler/lower/profile.ts';
import type { NdArray, Node, TensorType } from '../../../compiler/ops/types.ts';
import { evaluate } from '../../../runtime/reference/interpreter.ts';
import { seededRng } from '../../fuzz/rng.ts';
import { Build, f32, i32, program, resultsProgram } from '../../device/programs.ts';
import { interpretEntry } from './interpret-program.ts';

const software: Partial<DeviceProfile> = { class: 'software', subgroups: 8 };

function check(
  types: Record<string, TensorType>,
  make: (b: Build, inputs: Node[]) => Record<string, Node>,
  integers = 8,
): { dispatches: number; faults: readonly string[] } {
  const b = new Build();
  const rng = seededRng(11);
  const nodes = Object.entries(types).map(([name, type]) => b.input(name, type));
  const values = new Map<string, NdArray>();
  for (const n of nodes) {
    const draw = (): number => (n.type.dtype === 'f32' ? rng.normal() : rng.integer(0, integers));
    const data = Float64Array.from({ length: n.type.shape.reduce((x, y) => x * y, 1) }, draw);
    values.set(n.attrs.name as string, { type: n.type, data });
  }
  const results = make(b, nodes);
  const inputs = Object.fromEntries([...values].map(([k, v]) => [k, v.data]));
  const got = interpretEntry(resultsProgram(b.g, types, results), 'main', { inputs }, software);
  const want = evaluate(Object.values(results), (p) => values.get(p.attrs.name as string) as NdArray);
  Object.keys(results).forEach((name, k) =>
    want[k].data.forEach((x, i) => {
      if (!(Math.abs(x - got.outputs[name][i]) <= 1e-9 * Math.max(1, Math.abs(x)))) {
        expect.fail(`${name}[${i}] is ${got.outputs[name][i]} instead of ${x}`);
      }
    }),
  );
  return got;
}

describe('large forms', () => {
  it('sums of long tensors in two stages', () => {
    const got = check({ x: f32(5001) }, (b, [x]) => ({
      s: b.sum(x, 0),
      m: b.g.make('reduce_max', [x], { axes: [0] }),
    }));
    expect(got.dispatches).toBeLessThanOrEqual(2);
    check({ x: f32(4096, 3) }, (b, [x]) => ({ s: b.sum(x, 0) }));
    check({ x: f32(2, 4096) }, (b, [x]) => ({ s: b.sum(b.op('mul', x, x), 1) }));
  });

  it('makes 0 times what is not finite NaN: drivers take a product with a literal 0 for 0', () => {
    const zeroTimes = (b: Build, x: Node) => {
      const pole = b.op('div', b.g.constant(1, x.type), b.op('sub', x, x));
      const is = b.g.make('is_nan', [b.op('mul', b.g.constant(0, x.type), pole)]);
      return b.g.make('cast', [is], { dtype: 'f32' });
    };
    check({ x: f32(8, 4) }, (b, [x]) => ({
      n: b.sum(zeroTimes(b, x), 0, 1),
      z: b.op('mul', b.g.constant(0, x.type), x),
    }));
    const b = new Build();
    const x = b.input('x', f32(8, 4));
    const { kernels } = compileProgram(resultsProgram(b.g, { x: x.type }, { n: zeroTimes(b, x) }));
    expect(kernels[0].wgsl).toContain('sd_is_finite(');
  });

  it('scatter-adds as products', () => {
    check({ i: i32(6, 5), u: f32(6, 5, 8) }, (b, [i, u]) => ({
      s: b.g.make('scatter_add', [i, u], { axis: 0, size: 8 }),
    }));
    const bad = check({ i: i32(40), u: f32(40, 4) }, (b, [i, u]) => ({
      s: b.g.make('scatter_add', [i, u], { axis: 0, size: 8 }),
    }));
    expect(bad.faults).toEqual([]);
  });

  it('chains of contractions with residuals and attention', () => {
    check({ x: f32(2, 8, 12), w: f32(12, 12) }, (b, [x, w]) => {
      const dot = (l: Node, r: Node, attrs: Record<string, readonly number[]>): Node =>
        b.g.make('dot_general', [l, r], attrs);
      const q = dot(x, w, { lhs_contract: [2], rhs_contract: [0], lhs_batch: [], rhs_batch: [] });
      const scores = dot(q, x, { lhs_contract: [2], rhs_contract: [2], lhs_batch: [0], rhs_batch: [0] });
      const top = b.g.make('reduce_max', [scores], { axes: [2] });
      const e = b.op('exp', b.op('sub', scores, b.spread(top, [2, 8, 8], [0, 1])));
      const p = b.op('div', e, b.spread(b.sum(e, 2), [2, 8, 8], [0, 1]));
      const mixed = dot(p, x, { lhs_contract: [2], rhs_contract: [1], lhs_batch: [0], rhs_batch: [0] });
      return { r: b.op('add', x, mixed) };
    });
  });

  it('long recurrences cut into a few kernels', () => {
    const got = check({ x: f32(8), y: f32(8) }, (b, [x, y]) => {
      let [v, w] = [x, y];
      for (let i = 0; i < 150; i++) {
        const next = b.op('add', b.op('mul', v, b.num(0.5, v)), w);
        w = b.op('sin', v);
        v = next;
      }
      return { v, w };
    });
    expect(got.dispatches).toBeLessThanOrEqual(8);
  });

  it('refuses a value larger than a binding, with its place', () => {
    const b = new Build();
    const x = b.input('x', f32(64, 64));
    b.g.span = { file: 'a.opt', start: 3, end: 9 };
    const y = b.matmul(x, x);
    b.g.span = undefined;
    const p = resultsProgram(b.g, { x: x.type }, { r: b.sum(b.op('exp', b.matmul(y, y)), 0, 1) });
    const limits = { ...software, maxBindingBytes: 4096 };
    expect(() => prepareProgram(p, limits)).toThrow('OPT511');
  });

  it('refuses constant tables that would travel with every step, and kernels of too many buffers', () => {
    const b = new Build();
    b.g.span = { file: 'a.opt', start: 3, end: 9 };
    const table = b.g.dense(
      Array.from({ length: 9000 }, (_, i) => i / 7),
      f32(9000),
    );
    const x = b.input('x', f32(9000));
    const p = resultsProgram(b.g, { x: x.type }, { r: b.op('mul', x, table) });
    expect(() => prepareProgram(p, software)).toThrow('OPT510');

    const c = new Build();
    const fields = Array.from({ length: 9 }, (_, k) => ({
      name: `f${k}`,
      type: f32(40),
      storage: 'f32' as const,
      scale: 1,
    }));
    const reads = fields.map((f) => c.g.parameter('data', `d.${f.name}`, f.type));
    const many = (value: Node) =>
      compileProgram(
        program(c.g, {
          data: [{ name: 'd', source: 'test', rows: 40, fields }],
          entries: [{ id: 'main', writes: [], inputs: [], outputs: [{ name: 'r', kind: 'result', value }] }],
        }),
        { limits: software },
      );
    expect(() => many(c.g.make('concat', reads, { axis: 0 }))).toThrow('OPT512');
    // A long sum is cut into kernels that bind few enough.
    const sum = many(reads.reduce((l, r) => c.op('add', l, r)));
    expect(sum.entries[0].commands.length).toBeGreaterThan(1);
    for (const kernel of sum.kernels) expect(kernel.bindings.length).toBeLessThanOrEqual(8);
  });

  it('layer norm in one kernel', () => {
    const got = check({ x: f32(40, 16) }, (b, [x]) => {
      const spread = (v: Node): Node => b.spread(v, [40, 16], [0]);
      const mean = b.op('mul', b.sum(x, 1), b.g.constant(1 / 16, f32(40)));
      const centred = b.op('sub', x, spread(mean));
      const variance = b.op('mul', b.sum(b.op('mul', centred, centred), 1), b.g.constant(1 / 16, f32(40)));
      return { r: b.op('mul', centred, spread(b.op('rsqrt', b.op('add', variance, b.num(1e-5, variance))))) };
    });
    expect(got.dispatches).toBe(1);
  });

  it('rows are walked four neighbours at a time, also where nothing but rows is wanted', () => {
    check({ x: f32(40, 16) }, (b, [x]) => ({ s: b.sum(b.op('mul', x, x), 1) }));
    const b = new Build();
    const x = b.input('x', f32(64, 256));
    const { kernels } = compileProgram(resultsProgram(b.g, { x: x.type }, { s: b.sum(b.op('mul', x, x), 1) }));
    expect(kernels).toHaveLength(1);
    expect(kernels[0].wgsl).toContain('read> b0: array<vec4<f32>>');
  });

  it('parts of what is in memory are read where they lie, however often', () => {
    const b = new Build();
    const [x, w] = [b.input('x', f32(600, 256)), b.input('w', f32(3, 256))];
    const slice = b.g.make('slice', [w], { start: [1, 0], limit: [2, 256], stride: [1, 1] });
    const row = b.g.make('reshape', [slice], { shape: [256] });
    const r = b.op('mul', x, b.spread(row, [600, 256], [1]));
    expect(compileProgram(resultsProgram(b.g, { x: x.type, w: w.type }, { r })).kernels).toHaveLength(1);
  });

  it('each workgroup takes a stretch of a long tensor on software devices, where it can be cut evenly', () => {
    check({ x: f32(4 * 32770) }, (b, [x]) => ({ r: b.op('add', x, x) }));
    const strides = (elements: number, limits: Partial<DeviceProfile>) => {
      const b = new Build();
      const x = b.input('x', f32(elements));
      const { kernels } = compileProgram(resultsProgram(b.g, { x: x.type }, { r: b.op('add', x, x) }), { limits });
      return /\+= (\d+)/.exec(kernels[0].wgsl)?.[1];
    };
    expect(strides(4 * 32770, software)).toBe('8'); // 58 stretches of 565 vectors
    expect(strides(4 * 32771, software)).toBe('256'); // a prime
    expect(strides(4 * 1024, software)).toBe('256'); // short
    expect(strides(4 * 32770, { class: 'hardware' })).not.toBe('64');
  });

  it('a convolution written as pads, slices and a contraction', () => {
    check({ x: f32(2, 6, 6), k: f32(9, 4) }, (b, [x, k]) => {
      const padded = b.g.make('pad', [x], { low: [0, 1, 1], high: [0, 1, 1], interior: [0, 0, 0] });
      const parts = [0, 1, 2].flatMap((i) =>
        [0, 1, 2].map((j) => {
          const window = b.g.make('slice', [padded], { start: [0, i, j], limit: [2, i + 6, j + 6], stride: [1, 1, 1] });
          return b.g.make('reshape', [window], { shape: [2, 6, 6, 1] });
        }),
      );
      const patches = b.g.make('concat', parts, { axis: 3 });
      const flat = b.g.make('reshape', [patches], { shape: [72, 9] });
      return { r: b.op('max', b.matmul(flat, k), b.g.constant(0, f32(72, 4))) };
    });
  });
});
