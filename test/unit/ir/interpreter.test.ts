/** The reference interpreter's own duties; what primitives mean is tested in `test/ops`. */
import { describe, expect, it } from 'vitest';
import { InternalError } from '../../../compiler/diagnostics/diagnostic.ts';
import { Graph } from '../../../compiler/ir/tensor/graph.ts';
import { op } from '../../../compiler/ops/table.ts';
import type { NdArray, Node } from '../../../compiler/ops/types.ts';
import { evaluate } from '../../../runtime/reference/interpreter.ts';

const type = { dtype: 'f32', shape: [2] } as const;
const pair: NdArray = { type, data: Float64Array.of(1, 2) };

describe('evaluate', () => {
  it('asks for each parameter once, and evaluates a shared node once', () => {
    const graph = new Graph();
    const x = graph.parameter('cell', 'x', type);
    let y: Node = x;
    // 2^40 paths, 40 nodes
    for (let i = 0; i < 40; i++) y = graph.make('add', [y, y]);
    let asked = 0;
    const [value] = evaluate([y], () => {
      asked++;
      return pair;
    });
    expect([...value.data]).toEqual([2 ** 40, 2 ** 41]);
    expect(asked).toBe(1);
  });

  it('gives a root that is used by another, and one that is named twice', () => {
    const graph = new Graph();
    const x = graph.parameter('cell', 'x', type);
    const y = graph.make('neg', [x]);
    const z = graph.make('neg', [y]);
    const values = evaluate([y, z, y, x], () => pair);
    expect(values.map((v) => [...v.data])).toEqual([
      [-1, -2],
      [1, 2],
      [-1, -2],
      [1, 2],
    ]);
  });

  it('never writes to the values it is given', () => {
    const graph = new Graph();
    const x = graph.parameter('cell', 'x', type);
    const start = graph.constant(0, { dtype: 'i32', shape: [] });
    const one = graph.constant(9, { dtype: 'f32', shape: [1] });
    const alias = graph.make('reshape', [graph.make('stop', [x])], { shape: [2] });
    const given = { type, data: Float64Array.of(1, 2) };
    const [value] = evaluate([graph.make('dynamic_update_slice', [alias, one, start])], () => given);
    expect([...value.data]).toEqual([9, 2]);
    expect([...given.data]).toEqual([1, 2]);
  });

  it('a parameter has no meaning of its own', () => {
    const graph = new Graph();
    const x = graph.parameter('cell', 'x', type);
    expect(() => op('parameter').reference([], x.attrs, x.type)).toThrow(InternalError);
  });
});
