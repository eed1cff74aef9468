/** Contractions with batch axes that an operand shares or a sum takes away: values on random layouts, and what is left of a masked layer. */
import { describe, expect, it } from 'vitest';
import { grad, vectorize } from '../../../compiler/autodiff/index.ts';
import { Graph, reachable } from '../../../compiler/ir/tensor/graph.ts';
import { closeRegions, makeCond } from '../../../compiler/ir/tensor/regions.ts';
import { range, sizeOf } from '../../../compiler/ops/arrays.ts';
import type { NdArray, Node, Rng, TensorType } from '../../../compiler/ops/types.ts';
import { batchedDot, runPasses, tensorPasses } from '../../../compiler/passes/index.ts';
import { evaluate } from '../../../runtime/reference/interpreter.ts';
import { seededRng } from '../../fuzz/rng.ts';

const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });

function normals(rng: Rng, type: TensorType): NdArray {
  const draw = type.dtype === 'bool' ? () => rng.integer(0, 2) : () => rng.normal();
  return { type, data: Float64Array.from({ length: sizeOf(type.shape) }, draw) };
}

/** A random order of 0 … n-1. */
function order(rng: Rng, n: number): number[] {
  return range(n)
    .map((k) => ({ k, at: rng.uniform() }))
    .sort((a, b) => a.at - b.at)
    .map(({ k }) => k);
}

/** A random contraction whose operands repeat along some batch axes, masked and summed or not. */
function randomContraction(rng: Rng) {
  const graph = new Graph();
  const leaves = new Map<Node, NdArray>();
  const leaf = (type: TensorType) => {
    const param = graph.parameter('input', `p${leaves.size}`, type);
    leaves.set(param, normals(rng, type));
    return param;
  };
  const dims = (most: number) => Array.from({ length: rng.integer(0, most + 1) }, () => rng.integer(1, 4));
  const [batch, contract] = [[rng.integer(1, 4), ...dims(1)], dims(2)];
  const operand = (free: readonly number[]) => {
    const all = [...batch, ...contract, ...free];
    const places = order(rng, all.length);
    const shape = places.map((k) => all[k]);
    const kept = places.flatMap((k, a) => (k < batch.length && rng.uniform() < 0.5 ? [] : [a]));
    const source = leaf(f32(...kept.map((a) => shape[a])));
    const node = kept.length === shape.length ? source : graph.make('broadcast', [source], { shape, axes: kept });
    return { node, at: (k: number) => places.indexOf(k) };
  };
  const [l, r] = [operand(dims(1)), operand(dims(1))];
  const c = range(contract.length).map((k) => batch.length + k);
  const product = graph.make('dot_general', [l.node, r.node], {
    lhs_contract: c.map(l.at),
    rhs_contract: c.map(r.at),
    lhs_batch: range(batch.length).map(l.at),
    rhs_batch: range(batch.length).map(r.at),
  });
  let result = product;
  if (rng.uniform() < 0.5) {
    const axes = range(batch.length).filter(() => rng.uniform() < 0.7);
    const mask = leaf({ dtype: 'bool', shape: axes.map((a) => batch[a]) });
    const spread = graph.make('broadcast', [mask], { shape: product.type.shape, axes });
    result = graph.make('select', [spread, product, graph.constant(0, product.type)]);
  }
  const axes = range(product.type.shape.length).filter(() => rng.uniform() < 0.5);
  if (rng.uniform() < 0.7) result = graph.make('reduce_sum', [result], { axes });
  return { graph, result, leaf: (p: Node) => leaves.get(p) as NdArray };
}

describe('batched-dot', () => {
  it('keeps values on random layouts', () => {
    const rng = seededRng(11);
    let changed = 0;
    for (let k = 0; k < 300; k++) {
      const { graph, result, leaf } = randomContraction(rng);
      const [after] = batchedDot.run(graph, [result]);
      if (after !== result) changed++;
      expect(after.type).toEqual(result.type);
      const [expected, actual] = evaluate([result, after], leaf);
      actual.data.forEach((v, i) => expect(Math.abs(v - expected.data[i])).toBeLessThan(1e-9));
    }
    expect(changed).toBeGreaterThan(150);
  });

  it('makes plain products of a layer that each element passes or not, and of its gradient', () => {
    const graph = new Graph();
    const [n, k, m] = [5, 3, 4];
    const [x, w] = [graph.parameter('input', 'x', f32(k)), graph.parameter('input', 'w', f32(k, m))];
    const total = (v: Node) => graph.make('reduce_sum', [v], { axes: v.type.shape.map((_, a) => a) });
    const marker = graph.nextId;
    const product = graph.make('dot_general', [x, w], {
      lhs_contract: [0],
      rhs_contract: [0],
      lhs_batch: [],
      rhs_batch: [],
    });
    const sides = [total(graph.make('tanh', [product])), graph.constant(0, f32())];
    const closed = closeRegions(
      graph,
      marker,
      sides.map((r) => ({ params: [], results: [r] })),
    );
    const positive = graph.make('gt', [total(x), graph.constant(0, f32())]);
    const y = makeCond(graph, positive, closed.consts, [closed.regions[0], closed.regions[1]]).result(0);
    const all = graph.parameter('input', 'all', f32(n, k));
    const loss = total(vectorize(graph, [y], new Map([[x, all]]), n)[0]);
    const roots = [loss, ...grad(graph, loss, [w]).values];
    const rng = seededRng(3);
    const values = new Map([all, w].map((p) => [p, normals(rng, p.type)]));
    const leaf = (p: Node) => values.get(p) as NdArray;
    const after = runPasses(graph, roots, tensorPasses);
    const products = reachable(after).filter((node) => node.op === 'dot_general');
    expect(products.map((node) => node.type.shape).sort()).toEqual([
      [k, m],
      [n, m],
    ]);
    const [before, now] = [evaluate(roots, leaf), evaluate(after, leaf)];
    before.forEach(({ data }, i) => data.forEach((v, j) => expect(now[i].data[j]).toBeCloseTo(v, 10)));
  });
});
