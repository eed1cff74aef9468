/** Values and derivatives that are fixed by convention, published vectors of the random generator, and shuffles. */
import { describe, expect, it } from 'vitest';
import { grad } from '../../compiler/autodiff/index.ts';
import { Graph } from '../../compiler/ir/tensor/graph.ts';
import { op } from '../../compiler/ops/table.ts';
import { shuffled, threefry, type Words } from '../../compiler/ops/threefry.ts';
import type { Attrs, DType, NdArray } from '../../compiler/ops/types.ts';
import { evaluate, FaultError } from '../../runtime/reference/interpreter.ts';

const vector = (dtype: DType, ...data: number[]): NdArray => ({
  type: { dtype, shape: [data.length] },
  data: Float64Array.from(data),
});
const number = (dtype: DType, value: number): NdArray => ({ type: { dtype, shape: [] }, data: Float64Array.of(value) });

function apply(name: string, inputs: readonly NdArray[], attrs: Attrs = {}): number[] {
  const type = op(name).infer(
    inputs.map((i) => i.type),
    attrs,
  );
  return [...op(name).reference(inputs, attrs, type).data];
}

/** Gradients of the sum of a primitive's result by its inputs. */
function slopes(name: string, inputs: readonly NdArray[], attrs: Attrs = {}): number[][] {
  const graph = new Graph();
  const params = inputs.map((input, i) => graph.parameter('input', `x${i}`, input.type));
  const node = graph.make(name, params, attrs);
  const total = graph.make('reduce_sum', [node], { axes: node.type.shape.map((_, a) => a) });
  const { values } = grad(graph, total, params);
  return evaluate(values, (p) => inputs[params.indexOf(p)]).map((v) => [...v.data]);
}

const inf = Infinity;

describe('values fixed by convention', () => {
  it('saturating functions stay finite', () => {
    expect(apply('tanh', [vector('f32', 0, 1000, -1000)])).toEqual([0, 1, -1]);
    expect(apply('sigmoid', [vector('f32', -1000, 0, 1000)])).toEqual([0, 0.5, 1]);
    expect(apply('softplus', [vector('f32', -1000, 1000)])).toEqual([0, 1000]);
    expect(slopes('tanh', [vector('f32', 0, 1000)])).toEqual([[1, 0]]);
  });

  it('max and min keep NaN', () => {
    expect(apply('max', [vector('f32', NaN, 1, 2), vector('f32', 1, NaN, 3)])).toEqual([NaN, NaN, 3]);
    expect(apply('reduce_max', [vector('f32', 1, NaN, 3)], { axes: [0] })).toEqual([NaN]);
    expect(apply('argmax', [vector('f32', 1, NaN, 3, NaN)], { axis: 0 })).toEqual([1]);
    expect(apply('argmin', [vector('f32', 2, 1, 1)], { axis: 0 })).toEqual([1]);
  });

  it('round takes halves to even, floor division rounds down, and the remainder has the sign of the divisor', () => {
    expect(apply('round', [vector('f32', 0.5, 1.5, 2.5, -0.6)])).toEqual([0, 2, 2, -1]);
    expect(apply('floor_div', [vector('i32', 7, -7, 7, -7, 5), vector('i32', 2, 2, -2, -2, 0)])).toEqual([
      3, -4, -4, 3, 5,
    ]);
    expect(apply('floor_mod', [vector('i32', 7, -7, 7, -7, 5), vector('i32', 2, 2, -2, -2, 0)])).toEqual([
      1, 1, -1, -1, 0,
    ]);
    expect(apply('floor_mod', [vector('f32', -0.5, 5.5), vector('f32', 2, -2)])).toEqual([1.5, -0.5]);
  });

  it('casts truncate and saturate; integers wrap; bits are bits', () => {
    expect(apply('cast', [vector('f32', 2.9, -2.9, 1e20, NaN)], { dtype: 'i32' })).toEqual([2, -2, 2147483647, 0]);
    expect(apply('cast', [vector('f32', -1, 3.5)], { dtype: 'u32' })).toEqual([0, 3]);
    expect(apply('cast', [vector('i32', -1)], { dtype: 'u32' })).toEqual([4294967295]);
    expect(apply('cast', [vector('bool', 0, 1)], { dtype: 'f32' })).toEqual([0, 1]);
    expect(apply('mul', [vector('u32', 0x9e3779b9), vector('u32', 0x85ebca6b)])).toEqual([
      Number((0x9e3779b9n * 0x85ebca6bn) & 0xffffffffn),
    ]);
    expect(apply('add', [vector('i32', 2147483647), vector('i32', 1)])).toEqual([-2147483648]);
    expect(apply('bitcast', [vector('u32', 0x3f800000)], { dtype: 'f32' })).toEqual([1]);
    expect(apply('shift_right', [vector('i32', -8), vector('i32', 1)])).toEqual([-4]);
  });

  it('powers: as in C', () => {
    expect(apply('pow', [vector('f32', 0, -2, -2, 0), vector('f32', 0, 3, 0.5, -1)])).toEqual([1, -8, NaN, inf]);
    expect(apply('integer_pow', [vector('f32', -2, 0)], { exponent: -2 })).toEqual([0.25, inf]);
    expect(slopes('pow', [vector('f32', 0), vector('f32', 2)])).toEqual([[0], [0]]);
    expect(slopes('integer_pow', [vector('f32', 0)], { exponent: 1 })).toEqual([[1]]);
  });

  it('erf to 14 digits (Abramowitz and Stegun, table 7.1)', () => {
    const [a, b, c, d] = apply('erf', [vector('f32', 0.5, 1, 2, -3.5)]);
    expect(a).toBeCloseTo(0.5204998778130465, 14);
    expect(b).toBeCloseTo(0.8427007929497149, 14);
    expect(c).toBeCloseTo(0.9953222650189527, 14);
    expect(d).toBeCloseTo(-0.9999992569016276, 14);
  });

  it('empty reductions', () => {
    expect(apply('reduce_sum', [vector('f32')], { axes: [0] })).toEqual([0]);
    expect(apply('reduce_prod', [vector('f32')], { axes: [0] })).toEqual([1]);
    expect(apply('reduce_and', [vector('bool')], { axes: [0] })).toEqual([1]);
  });

  it('sort is stable, NaN last', () => {
    expect(apply('sort', [vector('f32', 2, NaN, 1)], { axis: 0, descending: false })).toEqual([1, 2, NaN]);
    expect(apply('argsort', [vector('f32', 2, 1, 2, 1)], { axis: 0, descending: true })).toEqual([0, 2, 1, 3]);
  });
});

describe('derivatives fixed by convention', () => {
  it('ties share evenly, so relu has slope 1/2 at 0 and |x| slope 0', () => {
    expect(slopes('max', [vector('f32', 0, -1, 2), vector('f32', 0, 0, 0)])).toEqual([
      [0.5, 0, 1],
      [0.5, 1, 0],
    ]);
    expect(slopes('min', [vector('f32', 1, 2), vector('f32', 1, 3)])).toEqual([
      [0.5, 1],
      [0.5, 0],
    ]);
    expect(slopes('reduce_max', [vector('f32', 3, 1, 3, 3)], { axes: [0] })).toEqual([[1 / 3, 0, 1 / 3, 1 / 3]]);
    expect(slopes('abs', [vector('f32', 0, -2)])).toEqual([[0, -1]]);
  });

  it('products with zero factors', () => {
    expect(slopes('reduce_prod', [vector('f32', 2, 0, 5)], { axes: [0] })).toEqual([[0, 10, 0]]);
    expect(slopes('reduce_prod', [vector('f32', 0, 0, 5)], { axes: [0] })).toEqual([[0, 0, 0]]);
    // 2, 0, 0 and 2 · 0, 2 · 0 · 5: by x0: 1 + 0 + 0, by x1: 2 + 2 · 5, by x2: 0
    expect(slopes('cumprod', [vector('f32', 2, 0, 5)], { axis: 0 })).toEqual([[1, 12, 0]]);
  });

  it('duplicate indices add up', () => {
    expect(slopes('gather', [vector('f32', 1, 2, 3), vector('i32', 2, 0, 2)], { axis: 0 })[0]).toEqual([1, 0, 2]);
  });

  it('select keeps NaN of the branch not taken out of the derivative', () => {
    expect(slopes('select', [vector('bool', 1), vector('f32', 2), vector('f32', NaN)])[1]).toEqual([1]);
  });
});

describe('indices out of range', () => {
  it('fault at the place of the node', () => {
    const graph = new Graph();
    graph.span = { file: 'a.opt', start: 3, end: 8 };
    const x = graph.parameter('cell', 'x', { dtype: 'f32', shape: [3] });
    const scalarIndex = (value: number) => graph.constant(value, { dtype: 'i32', shape: [] });
    const faults = [
      graph.make('gather', [x, scalarIndex(3)], { axis: 0 }),
      graph.make('gather', [x, scalarIndex(-1)], { axis: 0 }),
      graph.make('scatter_add', [scalarIndex(4), graph.constant(1, { dtype: 'f32', shape: [] })], { axis: 0, size: 4 }),
      graph.make('dynamic_slice', [x, scalarIndex(2)], { sizes: [2] }),
      graph.make('dynamic_update_slice', [x, x, scalarIndex(1)]),
    ];
    for (const node of faults) {
      try {
        evaluate([node], () => vector('f32', 1, 2, 3));
        expect.unreachable();
      } catch (error) {
        expect(error).toBeInstanceOf(FaultError);
        expect((error as FaultError).span).toEqual(graph.span);
        expect((error as FaultError).message).toMatch(
          /index -?\d is out of range: the axis has \d elements|a window of \d that begins at -?\d does not fit: the axis has \d elements/,
        );
      }
    }
  });
});

describe('random bits', () => {
  it('are Threefry-2x32-20: known answers of Random123', () => {
    const hex = (words: Words) => words.map((w) => w.toString(16).padStart(8, '0')).join(' ');
    const f = 0xffffffff;
    expect(hex(threefry([0, 0], [0, 0]))).toBe('6b200159 99ba4efe');
    expect(hex(threefry([f, f], [f, f]))).toBe('1cb996fc bb002be7');
    expect(hex(threefry([0x13198a2e, 0x03707344], [0x243f6a88, 0x85a308d3]))).toBe('c4923a9c 483df7a0');
  });

  it('element i is a word of counter (i, 0)', () => {
    const key = vector('u32', 0x13198a2e, 0x03707344);
    for (const word of [0, 1] as const) {
      const bits = apply('random_bits', [key], { shape: [2, 3], word });
      expect(bits).toEqual([0, 1, 2, 3, 4, 5].map((i) => threefry([0x13198a2e, 0x03707344], [i, 0])[word]));
    }
  });

  it('keys differ by seed, site, index, place of the index and number of indices', () => {
    const key = (seed: number, site: [number, number], ...indices: number[]) =>
      apply('random_key', [number('u32', seed), ...indices.map((i) => number('i32', i))], { site }).join();
    const keys = [key(0, [1, 2]), key(1, [1, 2]), key(0, [1, 3]), key(0, [2, 2]), key(0, [1, 2], 0), key(0, [1, 2], 1)];
    keys.push(key(0, [1, 2], 0, 0), key(0, [1, 2], 0, 1), key(0, [1, 2], 1, 0), key(0, [1, 2], -1));
    expect(new Set(keys).size).toBe(keys.length);
    // the chain of the documentation, by hand
    const start = threefry([1 ^ 7, 2], [0, 0]);
    expect(key(7, [1, 2], 5)).toBe(threefry(start, [5, 0]).join());
  });
});

describe('shuffles', () => {
  const image = (rows: number, key: Words, epoch: number) =>
    Array.from({ length: rows }, (_, i) => shuffled(i, key, epoch, rows));

  it('are bijections for every number of rows', () => {
    for (const rows of [1, 2, 3, 5, 64, 1797, 60000]) {
      const seen = new Set(image(rows, [12, 34], 3));
      expect(seen.size).toBe(rows);
      expect(Math.max(...seen)).toBe(rows - 1);
      expect(Math.min(...seen)).toBe(0);
    }
  });

  it('differ by pass and by key, and mix', () => {
    const [a, b, c] = [image(1797, [1, 2], 0), image(1797, [1, 2], 1), image(1797, [1, 3], 0)];
    const equal = (p: number[], q: number[]) => p.filter((v, i) => v === q[i]).length;
    // two random permutations agree in about one place
    expect(equal(a, b)).toBeLessThan(8);
    expect(equal(a, c)).toBeLessThan(8);
    expect(
      equal(
        a,
        a.map((_, i) => i),
      ),
    ).toBeLessThan(8);
    // neighbours: the correlation of i with its image is that of chance, 1 / sqrt(n) in size
    const mean = 898;
    const covariance = a.reduce((s, v, i) => s + (v - mean) * (i - mean), 0) / 1797;
    expect(Math.abs(covariance / ((1797 * 1797) / 12))).toBeLessThan(4 / Math.sqrt(1797));
  });

  it('small shuffles reach every order about equally often', () => {
    const counts = new Map<string, number>();
    for (let epoch = 0; epoch < 6000; epoch++) {
      const order = image(3, [9, 9], epoch).join();
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(200);
  });

  it('shuffle_index walks through passes; permutation is pass 0', () => {
    const key = vector('u32', 5, 6);
    const batch = (position: number, count: number) =>
      apply('shuffle_index', [key, number('i32', position)], { rows: 10, count });
    expect([...batch(0, 7), ...batch(7, 13)]).toEqual([...image(10, [5, 6], 0), ...image(10, [5, 6], 1)]);
    expect(apply('permutation', [key], { n: 10 })).toEqual(image(10, [5, 6], 0));
  });
});
