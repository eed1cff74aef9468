/** The tools of the tensor IR: text form, verifier, substitution. */
import { describe, expect, it } from 'vitest';
import { Graph } from '../../../compiler/ir/tensor/graph.ts';
import { GraphTextError, parse } from '../../../compiler/ir/tensor/parse.ts';
import { print } from '../../../compiler/ir/tensor/print.ts';
import { rewrite, substitute } from '../../../compiler/ir/tensor/rewrite.ts';
import { verify } from '../../../compiler/ir/tensor/verify.ts';
import { regionsOf } from '../../../compiler/ops/region.ts';
import type { Node, TensorType } from '../../../compiler/ops/types.ts';
import { evaluate } from '../../../runtime/reference/interpreter.ts';
import { randomGraph } from '../../fuzz/random-graph.ts';

const vector: TensorType = { dtype: 'f32', shape: [3] };
const scalar: TensorType = { dtype: 'f32', shape: [] };

describe('text form', () => {
  it('reads back what it prints, spans, paths and regions included', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const { roots } = randomGraph(seed, { barriers: true });
      const text = print(roots);
      const again = parse(text);
      expect(print(again)).toBe(text);
      expect(verify(again)).toEqual([]);
    }
  });

  it('keeps every number: -0, infinities, NaN, and numbers that decimal digits are easily lost of', () => {
    const graph = new Graph();
    const values = [-0, 0, Infinity, -Infinity, NaN, 0.1 + 0.2, 5e-324, 1e21];
    const text = print([graph.dense(values, { dtype: 'f32', shape: [8] })]);
    expect(text).toBe(
      '%0: f32[8] = constant() {dtype: "f32", shape: [8], values: [-0, 0, inf, -inf, nan, 0.30000000000000004, 5e-324, 1e+21]}\nreturn %0',
    );
    expect(parse(text)[0].attrs.values).toEqual(values);
  });

  it('prints a line per node', () => {
    const graph = new Graph();
    graph.span = { file: 'main.opt', start: 4, end: 9 };
    const x = graph.parameter('cell', 'w', vector);
    graph.path = 'Net/linear.0';
    const y = graph.make('reduce_sum', [graph.make('exp', [x])], { axes: [0] });
    expect(print([y])).toBe(
      [
        '%0: f32[3] = parameter() {source: "cell", name: "w", dtype: "f32", shape: [3]} // "main.opt" 4..9',
        '%1: f32[3] = exp(%0) // "main.opt" 4..9 @"Net/linear.0"',
        '%2: f32 = reduce_sum(%1) {axes: [0]} // "main.opt" 4..9 @"Net/linear.0"',
        'return %2',
      ].join('\n'),
    );
  });

  it('refuses what is no graph, naming the line', () => {
    const first = '%0: f32 = constant() {dtype: "f32", shape: [], value: 1}';
    const bad = (text: string, message: RegExp) => {
      expect(() => parse(text)).toThrow(GraphTextError);
      expect(() => parse(text)).toThrow(message);
    };
    bad(`${first}\nreturn %1`, /line 2: %1 is not defined/);
    bad(`${first}\n%1: f32[2] = exp(%0)\nreturn %1`, /line 2: 'exp' has type f32, not f32\[2\]/);
    bad(`${first}\nwhat\nreturn %0`, /line 2: 'what' is no node/);
    bad(first, /last line must be 'return'/);
    bad(`${first}\n${first}\nreturn %0`, /line 2: %0 is defined twice/);
  });
});

describe('verifier', () => {
  const graph = new Graph();
  const x = graph.parameter('cell', 'w', vector);
  const e = graph.make('exp', [x]);

  it('accepts graphs that builders make', () => {
    expect(verify([e], new Set([x]))).toEqual([]);
    for (let seed = 1; seed <= 10; seed++) expect(verify(randomGraph(seed, { barriers: true }).roots)).toEqual([]);
  });

  it('finds each kind of problem', () => {
    const found = (node: Node, leaves?: ReadonlySet<Node>) => verify([node], leaves).join('\n');
    expect(found({ ...e, id: 90, op: 'frobnicate' })).toContain('is no primitive');
    expect(found({ ...e, id: 91, type: scalar })).toContain('has type f32, but its inputs make f32[3]');
    expect(found({ ...e, id: 92, inputs: [x, x] })).toContain('has 2 inputs instead of 1');
    expect(found({ ...e, id: x.id })).toMatch(/has the id of another node|which is not older/);
    expect(found({ ...e, id: 93, op: 'reduce_sum' })).toContain("attribute 'axes' must be a list of integers");
    expect(found(e, new Set())).toContain("'w' is no known leaf");
    const g = graph.parameter('region', 'g', vector);
    expect(found(graph.make('neg', [g]))).toContain("a region's parameter is read outside of its region");
    const rule = { params: [g], results: [graph.make('neg', [g])] };
    expect(found(graph.make('custom_gradient', [e, x], { rule }))).toBe('');
  });
});

describe('rewriting', () => {
  it('replaces nodes everywhere, in regions too, and shares what does not change', () => {
    const graph = new Graph();
    const x = graph.parameter('cell', 'x', vector);
    const y = graph.parameter('cell', 'y', vector);
    const other = graph.make('exp', [y]);
    const g = graph.parameter('region', 'g', vector);
    const rule = { params: [g], results: [graph.make('mul', [g, x])] };
    const custom = graph.make('custom_gradient', [graph.make('sign', [x]), x], { rule });
    const root = graph.make('add', [custom, other]);
    const next = graph.make('add', [x, x]);
    const [changed] = substitute(graph, [root], new Map([[x, next]]));
    expect(changed.inputs[1]).toBe(other);
    expect(print([changed])).toContain('(%3) -> (%5)');
    expect(verify([changed])).toEqual([]);
    const data = (v: number) => ({ type: vector, data: Float64Array.of(v, v, v) });
    const [value] = evaluate([changed], (p) => data(p === x ? 2 : 0));
    expect([...value.data]).toEqual([2, 2, 2]);
    const [{ results }] = regionsOf(changed.inputs[0]);
    const [inRegion] = results;
    expect(inRegion.inputs[1]).toBe(next);
  });

  it('is iterative: a chain of 100,000 nodes overflows no stack', () => {
    const graph = new Graph();
    const x = graph.parameter('cell', 'x', scalar);
    let y: Node = x;
    for (let i = 0; i < 100_000; i++) y = graph.make('neg', [y]);
    const [z] = substitute(graph, [y], new Map([[x, graph.constant(2, scalar)]]));
    expect(evaluate([z], () => ({ type: scalar, data: Float64Array.of(0) }))[0].data[0]).toBe(2);
    expect(rewrite(graph, [y], (node) => node)[0]).toBe(y);
  });

  it('keeps spans and paths', () => {
    const graph = new Graph();
    const x = graph.parameter('cell', 'x', scalar);
    const span = { file: 'a.opt', start: 1, end: 2 };
    const y = graph.at(span, () => graph.make('exp', [x]), 'Net');
    const [z] = substitute(graph, [y], new Map([[x, graph.constant(0, scalar)]]));
    expect([z.span, z.path]).toEqual([span, 'Net']);
  });
});
