/** Keys whose indices the host does not know, and code that need not stand in a loop. */
import { describe, expect, it } from 'vitest';
import { vectorize } from '../../../compiler/autodiff/index.ts';
import { Graph, reachable } from '../../../compiler/ir/tensor/graph.ts';
import { closeRegions, makeCond, makeLoop, regionParameter } from '../../../compiler/ir/tensor/regions.ts';
import { verify } from '../../../compiler/ir/tensor/verify.ts';
import { threefry, type Words } from '../../../compiler/ops/threefry.ts';
import type { NdArray, Node, TensorType } from '../../../compiler/ops/types.ts';
import { extractHost, hoist, keys, runPasses, tensorPasses } from '../../../compiler/passes/index.ts';
import { evaluate } from '../../../runtime/reference/interpreter.ts';

const word: TensorType = { dtype: 'u32', shape: [] };
const index: TensorType = { dtype: 'i32', shape: [] };
const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });
const site = [0xabcdef01, 7];

/** The chain of the documentation, by hand: 2 words of element 0 under the key of seed, site and indices. */
function drawn(seed: number, indices: readonly number[], word: 0 | 1 = 0): number {
  let key: Words = threefry([(site[0] ^ seed) >>> 0, site[1]], [0, 0]);
  indices.forEach((i, position) => (key = threefry(key, [i >>> 0, position])));
  return threefry(key, [0, 0])[word];
}

function seeded() {
  const graph = new Graph();
  const seed = graph.parameter('scalar', 'seed', word);
  const step = graph.parameter('scalar', 'step', index);
  const bit = (...indices: readonly Node[]) => {
    const key = graph.make('random_key', [seed, ...indices], { site });
    return graph.make('random_bits', [key], { shape: [], word: 0 });
  };
  const leaf = (p: Node): NdArray => ({ type: p.type, data: Float64Array.of(p === seed ? 99 : 5) });
  return { graph, seed, step, bit, leaf };
}

/** Rows of a body's results over `max` turns. */
function rowsOf(graph: Graph, max: number, body: (i: Node) => Node): Node {
  const marker = graph.nextId;
  const i = regionParameter(graph, 'i', index);
  const { regions, consts } = closeRegions(graph, marker, [{ params: [i], results: [body(i)] }]);
  return makeLoop(graph, { carries: [], xs: [], consts, max, body: regions[0] }).ys(0);
}

/** Every key that is left is made by the host. */
function checkKeys(graph: Graph, roots: readonly Node[], leaf: (p: Node) => NdArray): number[][] {
  const before = evaluate(roots, leaf).map((r) => [...r.data]);
  for (const passes of [[keys], tensorPasses]) {
    const after = runPasses(graph, roots, passes);
    expect(verify(after)).toEqual([]);
    const { index: host } = extractHost(after);
    const left = reachable(after).filter((node) => node.op === 'random_key');
    expect(left.length).toBeGreaterThan(0);
    for (const key of left) expect(host.has(key), 'a key that the host does not make').toBe(true);
    expect(evaluate(after, leaf).map((r) => [...r.data])).toEqual(before);
  }
  return before;
}

describe('keys', () => {
  it('by turn: the same integers as ever, with one key of the host', () => {
    const { graph, step, bit, leaf } = seeded();
    const [rows] = checkKeys(graph, [rowsOf(graph, 3, (i) => bit(step, i))], leaf);
    expect(rows).toEqual([0, 1, 2].map((i) => drawn(99, [5, i])));
  });

  it('in nested loops, branches and batches', () => {
    const { graph, step, bit, leaf } = seeded();
    const nested = rowsOf(graph, 2, (i) => rowsOf(graph, 3, (j) => bit(step, i, j)));
    const branch = rowsOf(graph, 2, (i) => {
      const odd = graph.make('eq', [i, graph.constant(1, index)]);
      const marker = graph.nextId;
      const sides = [bit(step), bit(step, i)].map((r) => ({ params: [], results: [r] }));
      const { regions, consts } = closeRegions(graph, marker, sides);
      return makeCond(graph, odd, consts, [regions[0], regions[1]]).result(0);
    });
    const element = graph.parameter('input', 'e', index);
    const elements = graph.dense([4, 5], { dtype: 'i32', shape: [2] });
    const [batched] = vectorize(graph, [bit(step, element)], new Map([[element, elements]]), 2);
    const results = checkKeys(graph, [nested, branch, batched], leaf);
    expect(results[0]).toEqual([0, 1].flatMap((i) => [0, 1, 2].map((j) => drawn(99, [5, i, j]))));
    expect(results[1]).toEqual([drawn(99, [5, 0]), drawn(99, [5])]);
    expect(results[2]).toEqual([4, 5].map((e) => drawn(99, [5, e])));
  });

  it('by an index that was drawn itself', () => {
    const { graph, step, bit, leaf } = seeded();
    const row = graph.make('cast', [bit(step)], { dtype: 'i32' });
    const [[value]] = checkKeys(graph, [bit(step, row)], leaf);
    expect(value).toBe(drawn(99, [5, drawn(99, [5]) | 0]));
  });
});

describe('hoist', () => {
  /** A product of captured matrices and the turn's row of it, over `max` turns. */
  function products(max: number, make: (graph: Graph, product: Node, i: Node) => Node) {
    const graph = new Graph();
    const [a, b] = ['a', 'b'].map((name) => graph.parameter('input', name, f32(2, 2)));
    const dims = { lhs_contract: [1], rhs_contract: [0], lhs_batch: [], rhs_batch: [] };
    const root = rowsOf(graph, max, (i) => make(graph, graph.make('dot_general', [a, b], dims), i));
    const leaf = (p: Node): NdArray => ({ type: p.type, data: Float64Array.of(1, 2, 3, p === a ? 4 : 5) });
    return { graph, root, leaf };
  }
  const bodyOps = (root: Node) => {
    const { results } = root.inputs[0].attrs.body as { results: readonly Node[] };
    return reachable(results).map((node) => node.op);
  };
  const row = (graph: Graph, product: Node, i: Node) => graph.make('gather', [product, i], { axis: 0 });

  it('computes a product of what does not change once', () => {
    const { graph, root, leaf } = products(2, row);
    const [after] = hoist.run(graph, [root]);
    expect(bodyOps(after)).not.toContain('dot_general');
    expect(verify([after])).toEqual([]);
    expect([...evaluate([after], leaf)[0].data]).toEqual([...evaluate([root], leaf)[0].data]);
  });

  it('leaves a checkpoint, checks that may fail, and expansions alone', () => {
    const checkpoint = products(1, row);
    expect(bodyOps(hoist.run(checkpoint.graph, [checkpoint.root])[0])).toContain('dot_general');
    // the index is out of range; before a loop that takes turns it would fault all the same, but nothing is moved that can
    const failing = products(2, (graph, product) => row(graph, product, graph.constant(7, index)));
    expect(bodyOps(hoist.run(failing.graph, [failing.root])[0])).toContain('gather');
    const wide = products(2, (graph, product) => {
      const large = graph.make('broadcast', [product], { shape: [100, 2, 2], axes: [1, 2] });
      const more = graph.make('iota', [], { shape: [100, 2, 2], axis: 0, dtype: 'f32' });
      return graph.make('add', [large, more]);
    });
    const [after] = hoist.run(wide.graph, [wide.root]);
    expect(bodyOps(after)).toContain('add');
    expect(bodyOps(after)).not.toContain('dot_general');
  });
});
