/** Passes on random graphs keep values, and each does what it says. */
import { describe, expect, it } from 'vitest';
import { grad } from '../../../compiler/autodiff/index.ts';
import { evaluateHost } from '../../../compiler/bundle/host-program.ts';
import { Graph, reachable } from '../../../compiler/ir/tensor/graph.ts';
import { print } from '../../../compiler/ir/tensor/print.ts';
import { verify } from '../../../compiler/ir/tensor/verify.ts';
import { op } from '../../../compiler/ops/table.ts';
import type { Node, TensorType } from '../../../compiler/ops/types.ts';
import { alias, cse, dot, extractHost, fold, runPasses, tensorPasses } from '../../../compiler/passes/index.ts';
import { evaluate } from '../../../runtime/reference/interpreter.ts';
import { randomGraph } from '../../fuzz/random-graph.ts';
import { seededRng } from '../../fuzz/rng.ts';
import { caseOf, run } from '../../ops/cases.ts';

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });
const plain = (roots: readonly Node[]) => print(roots, { origins: false });

describe('all passes', () => {
  it('keep the values of random graphs and of their gradients, and leave legal graphs', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const { graph, roots, params, leaf } = randomGraph(seed, { barriers: seed % 2 === 0 });
      const output = roots[roots.length - 1];
      const wrt = seed % 2 === 0 ? [] : params;
      const all = [...roots, ...grad(graph, output, wrt).values];
      const leaves = new Set(params);
      const optimized = runPasses(graph, all, tensorPasses, (pass, now) => {
        expect(verify(now, leaves), `after ${pass.name}`).toEqual([]);
      });
      const before = evaluate(all, leaf);
      const after = evaluate(optimized, leaf);
      before.forEach(({ type, data }, i) => {
        expect(after[i].type).toEqual(type);
        data.forEach((v, k) =>
          expect(Math.abs(after[i].data[k] - v)).toBeLessThanOrEqual(1e-12 * Math.max(1, Math.abs(v))),
        );
      });
      expect(reachable(optimized).length).toBeLessThanOrEqual(2 * reachable(all).length);
    }
  });

  it('are idempotent together: a second run finds nothing to do', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { graph, roots } = randomGraph(seed, { barriers: true });
      const once = runPasses(graph, roots, tensorPasses);
      expect(plain(runPasses(graph, once, tensorPasses))).toBe(plain(once));
    }
  });

  it('have names and descriptions', () => {
    for (const pass of tensorPasses) expect(pass.about.length).toBeGreaterThan(10);
  });
});

describe('alias', () => {
  it('leaves no barrier', () => {
    const { graph, roots } = randomGraph(3, { barriers: true });
    const families = reachable(alias.run(graph, roots)).map((n) => op(n.op).lower.family);
    expect(families).not.toContain('alias');
  });
});

describe('cse', () => {
  it('merges equal nodes, but no nodes that differ in an attribute, and no parameters of regions', () => {
    const graph = new Graph();
    const x = graph.parameter('cell', 'x', f32(3));
    const same = graph.make('add', [graph.make('exp', [x]), graph.make('exp', [x])]);
    const [merged] = cse.run(graph, [same]);
    expect(merged.inputs[0]).toBe(merged.inputs[1]);
    const zeros = graph.make('div', [graph.constant(0, f32()), graph.constant(-0, f32())]);
    expect(cse.run(graph, [zeros])[0]).toBe(zeros);
    const draw = (word: number) =>
      graph.make('random_bits', [graph.dense([1, 2], { dtype: 'u32', shape: [2] })], { shape: [2], word });
    const [bits] = cse.run(graph, [graph.make('xor', [draw(0), draw(1)])]);
    expect(bits.inputs[0]).not.toBe(bits.inputs[1]);
    expect(bits.inputs[0].inputs[0]).toBe(bits.inputs[1].inputs[0]);
    const custom = () => {
      const g = graph.parameter('region', 'g', f32(3));
      return graph.make('custom_gradient', [x, x], { rule: { params: [g], results: [graph.make('neg', [g])] } });
    };
    const roots = cse.run(graph, [custom(), custom()]);
    expect(verify(roots)).toEqual([]);
  });
});

describe('fold', () => {
  const graph = new Graph();
  const folded = (node: Node) => fold.run(graph, [node])[0];

  it('evaluates constants, of any size where they are the same everywhere', () => {
    const two = graph.constant(2, f32());
    expect(folded(graph.make('mul', [two, two])).attrs.value).toBe(4);
    const big = graph.constant(3, f32(1000, 1000));
    const sum = folded(graph.make('permute', [graph.make('add', [big, big])], { axes: [1, 0] }));
    expect([sum.op, sum.attrs.value, sum.type.shape]).toEqual(['constant', 6, [1000, 1000]]);
    const dense = folded(graph.make('neg', [graph.dense([1, 2], f32(2))]));
    expect(dense.attrs.values).toEqual([-1, -2]);
  });

  it('leaves what overflows, faults, or is large', () => {
    const zero = graph.constant(0, f32());
    const kept = [
      graph.make('div', [graph.constant(1, f32()), zero]),
      graph.make('exp', [graph.constant(100, f32())]),
      graph.make('gather', [graph.dense([1, 2], f32(2)), graph.constant(2, { dtype: 'i32', shape: [] })], { axis: 0 }),
      graph.make('iota', [], { shape: [4], axis: 0, dtype: 'i32' }),
      graph.make('concat', [graph.constant(1, f32(50)), graph.constant(2, f32(50))], { axis: 0 }),
    ];
    for (const node of kept) expect(folded(node)).toBe(node);
  });
});

describe('dot', () => {
  const matrixForm = (node: Node) => {
    const dots = reachable([node]).filter((n) => n.op === 'dot_general');
    for (const d of dots) {
      const batched = (d.attrs.lhs_batch as number[]).length;
      expect(batched).toBeLessThanOrEqual(1);
      for (const input of d.inputs) expect(input.type.shape).toHaveLength(2 + batched);
      expect(d.type.shape).toHaveLength(2 + batched);
      if (batched) expect([d.attrs.lhs_batch, d.attrs.rhs_batch]).toEqual([[0], [0]]);
    }
    return dots;
  };

  it('brings every sampled contraction into matrix form without changing it', () => {
    const rng = seededRng(11);
    const def = op('dot_general');
    for (let i = 0; i < 100; i++) {
      const sample = def.sample(rng);
      const { graph, params, node } = caseOf(def, sample);
      const [result] = dot.run(graph, [node]);
      matrixForm(result);
      expect(verify([result])).toEqual([]);
      const [a, b] = run([node, result], params, sample.inputs);
      b.data.forEach((v, k) => expect(Math.abs(v - a.data[k])).toBeLessThanOrEqual(1e-12 * Math.max(1, Math.abs(v))));
    }
  });

  it('reads transposed operands transposed: forward and backward of a layer need no permute in any layout', () => {
    for (const [lhs, rhs] of [
      [1, 0],
      [1, 1],
      [0, 0],
      [0, 1],
    ]) {
      const graph = new Graph();
      const x = graph.parameter('data', 'x', lhs === 1 ? f32(5, 4) : f32(4, 5));
      const w = graph.parameter('cell', 'w', rhs === 0 ? f32(4, 3) : f32(3, 4));
      const attrs = { lhs_contract: [lhs], rhs_contract: [rhs], lhs_batch: [], rhs_batch: [] };
      const y = graph.make('dot_general', [x, w], attrs);
      const loss = graph.make('reduce_sum', [graph.make('tanh', [y])], { axes: [0, 1] });
      const roots = [y, ...grad(graph, loss, [x, w]).values];
      const optimized = runPasses(graph, roots, tensorPasses);
      expect(reachable(optimized).filter((n) => n.op === 'permute' || n.op === 'reshape')).toEqual([]);
      expect(optimized.map((n) => n.op)).toEqual(['dot_general', 'dot_general', 'dot_general']);
    }
  });

  it('a transposed weight is absorbed', () => {
    const graph = new Graph();
    const x = graph.parameter('data', 'x', f32(5, 4));
    const w = graph.parameter('cell', 'w', f32(3, 4));
    const t = graph.make('permute', [w], { axes: [1, 0] });
    const y = graph.make('dot_general', [x, t], { lhs_contract: [1], rhs_contract: [0], lhs_batch: [], rhs_batch: [] });
    const [result] = dot.run(graph, [y]);
    expect(result.inputs[1]).toBe(w);
    expect(result.attrs.rhs_contract).toEqual([1]);
    const [again] = dot.run(graph, [result]);
    expect(again).toBe(result);
  });
});

describe('extractHost', () => {
  it('finds what depends on scalars alone, and evaluates to the same values', () => {
    const graph = new Graph();
    const scalar = (name: string, dtype: TensorType['dtype'] = 'f32') =>
      graph.parameter('scalar', name, { dtype, shape: [] });
    const lr = scalar('hyper:lr');
    const step = scalar('step', 'i32');
    const decay = graph.make('exp', [graph.make('neg', [graph.make('cast', [step], { dtype: 'f32' })])]);
    const rate = graph.make('name', [graph.make('mul', [lr, decay])], { name: 'rate' });
    const key = graph.make('random_key', [scalar('seed', 'u32'), step], { site: [3, 4] });
    const bits = graph.make('random_bits', [key], { shape: [4], word: 0 });
    const w = graph.parameter('cell', 'w', f32(4));
    const wide = graph.make('broadcast', [rate], { shape: [4], axes: [] });
    const two = graph.make('broadcast', [graph.constant(2, f32())], { shape: [4], axes: [] });
    const next = graph.make('sub', [w, graph.make('mul', [graph.make('mul', [wide, two]), w])]);
    const { program, index } = extractHost([next, bits, decay]);
    // the border: rate and key are read by tensors, decay is a root; nothing else, and no constant
    expect([...index.keys()].map((n) => n.op).sort()).toEqual(['exp', 'name', 'random_key']);
    const values = evaluateHost(program, { seed: 5, step: 2, steps: 10, hyper: () => 0.1 });
    expect(values[index.get(decay) as number]).toEqual([Math.exp(-2)]);
    expect(values[index.get(rate) as number]).toEqual([0.1 * Math.exp(-2)]);
    const [reference] = evaluate([key], (p) => ({
      type: p.type,
      data: Float64Array.of(p.attrs.name === 'seed' ? 5 : 2),
    }));
    expect(values[index.get(key) as number]).toEqual([...reference.data]);
    expect(program.instructions.some((i) => i.attrs.name === 'w')).toBe(false);
  });

  it('keys that depend on a cell are no host values', () => {
    const graph = new Graph();
    const cursor = graph.parameter('cell', 'cursor', { dtype: 'i32', shape: [] });
    const seed = graph.parameter('scalar', 'seed', { dtype: 'u32', shape: [] });
    const key = graph.make('random_key', [seed, cursor], { site: [0, 0] });
    expect([...extractHost([key]).index.keys()]).toEqual([seed]);
  });

  it('a constant is a host value only as a root', () => {
    const graph = new Graph();
    const c = graph.constant(3, f32());
    const { program, index } = extractHost([c]);
    expect(evaluateHost(program, { seed: 0, step: 0, steps: 1, hyper: () => 0 })[index.get(c) as number]).toEqual([3]);
  });
});
