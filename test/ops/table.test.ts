/** Every record of the op table against itself: types, values, scalars, batching. */
import { describe, expect, it } from 'vitest';
import { vectorize } from '../../compiler/autodiff/index.ts';
import { sizeOf, wrap } from '../../compiler/ops/arrays.ts';
import { op, ops } from '../../compiler/ops/table.ts';
import { type NdArray, type OpDef, type OpSample, type Rng, ShapeError } from '../../compiler/ops/types.ts';
import { InternalError } from '../../compiler/diagnostics/diagnostic.ts';
import { evaluateRegion } from '../../runtime/reference/interpreter.ts';
import { seededRng, seedOf } from '../fuzz/rng.ts';
import { caseOf, run } from './cases.ts';

const CASES = 40;

describe('every record', () => {
  for (const def of ops.filter((d) => d.name !== 'parameter')) {
    it(`${def.name}: its values have its type`, () => {
      const rng = seededRng(seedOf(def.name));
      for (let i = 0; i < CASES; i++) {
        const sample = def.sample(rng);
        if (def.arity !== 'variadic') expect(sample.inputs).toHaveLength(def.arity);
        const type = def.infer(
          sample.inputs.map((x) => x.type),
          sample.attrs,
        );
        const before = sample.inputs.map((x) => Float64Array.from(x.data));
        const result = def.reference(sample.inputs, sample.attrs, type, evaluateRegion);
        expect(result.type).toEqual(type);
        expect(result.data).toHaveLength(sizeOf(type.shape));
        if (type.dtype !== 'f32') expect([...result.data]).toEqual([...result.data].map((v) => wrap(type.dtype, v)));
        expect(sample.inputs.map((x) => x.data)).toEqual(before);
      }
    });
  }

  it('has unique names, a line about it, and device code that is text', () => {
    expect(new Set(ops.map((d) => d.name)).size).toBe(ops.length);
    for (const def of ops) {
      expect(def.about.length).toBeGreaterThan(3);
      expect(op(def.name)).toBe(def);
      if (def.lower.family === 'elementwise') {
        const sample = def.sample(seededRng(1));
        const inputs = sample.inputs.map((x) => x.type.dtype);
        const output = def.infer(
          sample.inputs.map((x) => x.type),
          sample.attrs,
        ).dtype;
        const text = def.lower.wgsl.expr(['a', 'b', 'c'].slice(0, inputs.length), { inputs, output }, sample.attrs);
        const called = [...text.matchAll(/\bsd_\w+/g)].map((m) => m[0]);
        const functions = (def.lower.wgsl.functions ?? []).join('\n');
        for (const name of called) expect(functions).toContain(`fn ${name}(`);
        expect(def.scalar).toBeDefined();
      }
    }
  });

  it('refuses what does not fit', () => {
    expect(() => op('frobnicate')).toThrow(InternalError);
    const f = (...shape: number[]) => ({ dtype: 'f32' as const, shape });
    expect(() => op('add').infer([f(2), f(3)], {})).toThrow(ShapeError);
    expect(() => op('add').infer([f(2), { dtype: 'i32', shape: [2] }], {})).toThrow(ShapeError);
    expect(() => op('reduce_max').infer([f(0, 2)], { axes: [0] })).toThrow(ShapeError);
    expect(() => op('broadcast').infer([f(2)], { shape: [3, 4], axes: [0] })).toThrow(ShapeError);
    expect(() => op('slice').infer([f(4)], { start: [1], limit: [5], stride: [1] })).toThrow(ShapeError);
    expect(() => op('concat').infer([f(2, 3), f(2, 4)], { axis: 0 })).toThrow(ShapeError);
    expect(() => op('gather').infer([f(3), f(2)], { axis: 0 })).toThrow(ShapeError);
    expect(() =>
      op('dot_general').infer([f(2, 3), f(2, 3)], {
        lhs_contract: [1],
        rhs_contract: [0],
        lhs_batch: [],
        rhs_batch: [],
      }),
    ).toThrow(ShapeError);
  });
});

/** The array with its elements moved on by k places: other values in the same domain. */
function rotated(x: NdArray, k: number): NdArray {
  const n = x.data.length;
  return { type: x.type, data: x.data.map((_, i) => x.data[(i + k) % n]) };
}

/** Equal arrays one after another along a new leading axis. */
export function stacked(parts: readonly NdArray[]): NdArray {
  const [{ type }] = parts;
  return {
    type: { dtype: type.dtype, shape: [parts.length, ...type.shape] },
    data: Float64Array.from(parts.flatMap((p) => [...p.data])),
  };
}

/** Batches the primitive over `elements` (per input: a list when mapped, one value else) and compares with a loop. */
export function checkBatch(
  def: OpDef,
  sample: OpSample,
  elements: readonly (NdArray | readonly NdArray[])[],
  n: number,
): void {
  if (def.batch === 'refused' && !def.several) throw new Error(`${def.name} refuses to be batched`);
  const { graph, params, node } = caseOf(def, sample);
  const mapped = elements.map((e) => Array.isArray(e));
  const batched = params.map((p, i) =>
    mapped[i] ? graph.parameter('input', `b${i}`, { dtype: p.type.dtype, shape: [n, ...p.type.shape] }) : p,
  );
  const [result] = vectorize(graph, [node], new Map(params.flatMap((p, i) => (mapped[i] ? [[p, batched[i]]] : []))), n);
  expect(result.type).toEqual({ dtype: node.type.dtype, shape: [n, ...node.type.shape] });
  const values = elements.map((e) => (Array.isArray(e) ? stacked(e as NdArray[]) : (e as NdArray)));
  const [actual] = run([result], batched, values);
  const loop = Array.from({ length: n }, (_, k) =>
    run(
      [node],
      params,
      elements.map((e) => (Array.isArray(e) ? (e as NdArray[])[k] : (e as NdArray))),
    ),
  );
  const expected = stacked(loop.map(([r]) => r)).data;
  expect(actual.data).toHaveLength(expected.length);
  actual.data.forEach((v, i) => {
    if (Number.isNaN(expected[i])) expect(v).toBeNaN();
    else expect(Math.abs(v - expected[i])).toBeLessThanOrEqual(1e-12 * Math.abs(expected[i]));
  });
}

/** Other values for each element: of scalars, which have nothing to rotate, others in their range; a condition that is checked stays false. */
function rotations(rng: Rng, x: NdArray, n: number, checked: boolean): NdArray[] {
  if (x.data.length === 1 && x.type.dtype === 'bool') {
    if (checked) return Array.from({ length: n }, () => x);
    return Array.from({ length: n }, () => ({ type: x.type, data: Float64Array.of(rng.integer(0, 2)) }));
  }
  if (x.data.length === 1 && x.type.dtype === 'i32' && x.data[0] > 0) {
    return Array.from({ length: n }, () => ({ type: x.type, data: Float64Array.of(rng.integer(0, x.data[0] + 1)) }));
  }
  return Array.from({ length: n }, () => rotated(x, rng.integer(0, Math.max(1, x.data.length))));
}

describe('batching equals a loop', () => {
  it('nothing is refused', () => {
    const refused = ops.filter((d) => d.batch === 'refused' && !d.several).map((d) => d.name);
    expect(refused).toEqual(['part']); // batched with the primitive whose result it is
  });
  for (const def of ops.filter((d) => d.arity !== 0 && (d.batch !== 'refused' || d.several))) {
    it(def.name, () => {
      const rng = seededRng(seedOf(`batch ${def.name}`));
      for (let i = 0; i < 20; i++) {
        const sample = def.sample(rng);
        const mask = sample.inputs.map(() => rng.uniform() < 0.6);
        if (!mask.some(Boolean)) continue;
        checkBatch(
          def,
          sample,
          sample.inputs.map((x, k) => (mask[k] ? rotations(rng, x, 3, k === def.checked) : x)),
          3,
        );
      }
    });
  }

  it('dynamic slices and updates whose starts differ by element', () => {
    const rng = seededRng(5);
    for (const def of [op('dynamic_slice'), op('dynamic_update_slice')]) {
      for (let i = 0; i < 20; i++) {
        const sample = def.sample(rng);
        const first = sample.inputs.length - sample.inputs[0].type.shape.length;
        const window = def.name === 'dynamic_slice' ? (sample.attrs.sizes as number[]) : sample.inputs[1].type.shape;
        const elements = sample.inputs.map((x, k) => {
          if (k < first) return rng.uniform() < 0.5 ? rotations(rng, x, 4, false) : x;
          const room = sample.inputs[0].type.shape[k - first] - window[k - first] + 1;
          return Array.from({ length: 4 }, () => ({ type: x.type, data: Float64Array.of(rng.integer(0, room)) }));
        });
        if (elements.some((e) => Array.isArray(e))) checkBatch(def, sample, elements, 4);
      }
    }
  });
});
