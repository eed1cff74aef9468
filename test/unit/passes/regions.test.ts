/** Passes on loops and branches: random nested programs and their derivatives keep their values; what each pass is for, by what is left. */
import { describe, expect, it } from 'vitest';
import { grad, jvp, vectorize } from '../../../compiler/autodiff/index.ts';
import { Graph, reachable } from '../../../compiler/ir/tensor/graph.ts';
import { closeRegions, makeCond, makeLoop, regionParameter } from '../../../compiler/ir/tensor/regions.ts';
import { verify } from '../../../compiler/ir/tensor/verify.ts';
import type { NdArray, Node, TensorType } from '../../../compiler/ops/types.ts';
import { regions, runPasses, tensorPasses } from '../../../compiler/passes/index.ts';
import { evaluate } from '../../../runtime/reference/interpreter.ts';
import { randomControl, vector } from '../../fuzz/random-control.ts';
import { seededRng } from '../../fuzz/rng.ts';

function normals(seed: number, shape: readonly number[]): NdArray {
  const rng = seededRng(seed);
  const size = shape.reduce((a, b) => a * b, 1);
  return { type: { dtype: 'f32', shape }, data: Float64Array.from({ length: size }, () => rng.normal()) };
}

/** A random program with its derivatives to order 2, batched over its first parameter where the seed says so. */
function derivedProgram(seed: number) {
  const graph = new Graph();
  const params = [0, 1].map((i) => graph.parameter('input', `p${i}`, vector));
  const y = randomControl(seed, 2, seed % 3).regions(graph, params);
  const first = grad(graph, y, params).values;
  const direction = graph.dense([0.3, -1, 0.7], vector);
  const along = jvp(graph, [y, first[0]], [params[1]], [direction]).values;
  const roots = [y, ...first, ...along];
  if (seed % 2 === 0) return { graph, roots, values: new Map(params.map((p, i) => [p, normals(seed + i, [3])])) };
  const all = graph.parameter('input', 'all', { dtype: 'f32', shape: [2, 3] });
  const values = new Map<Node, NdArray>([
    [all, normals(seed, [2, 3])],
    [params[1], normals(seed + 1, [3])],
  ]);
  return { graph, roots: vectorize(graph, roots, new Map([[params[0], all]]), 2), values };
}

describe('passes on random loops and branches', () => {
  it('keep values and leave legal graphs', () => {
    for (let seed = 0; seed < 60; seed++) {
      const { graph, roots, values } = derivedProgram(seed);
      const leaf = (p: Node) => values.get(p) as NdArray;
      const before = evaluate(roots, leaf);
      const optimized = runPasses(graph, roots, tensorPasses, (pass, now) => {
        expect(verify(now, new Set(values.keys())), `after ${pass.name}`).toEqual([]);
      });
      const after = evaluate(optimized, leaf);
      before.forEach(({ data }, i) =>
        data.forEach((v, k) => expect(Math.abs(after[i].data[k] - v)).toBeLessThanOrEqual(1e-9 * (1 + Math.abs(v)))),
      );
      expect(reachable(optimized).length).toBeLessThanOrEqual(1.2 * reachable(roots).length);
    }
  });

  it('leave little for a second run', () => {
    for (let seed = 0; seed < 20; seed++) {
      const { graph, roots } = derivedProgram(seed);
      const once = runPasses(graph, roots, tensorPasses);
      const twice = runPasses(graph, once, tensorPasses);
      expect(reachable(twice).length).toBeGreaterThanOrEqual(0.9 * reachable(once).length - 2);
    }
  });
});

const scalar: TensorType = { dtype: 'f32', shape: [] };
const index: TensorType = { dtype: 'i32', shape: [] };

/** h' = tanh(h w + x), y = h x over `max` turns, from parameters h0, w and xs. */
function recurrence(max: number) {
  const graph = new Graph();
  const [h0, w] = ['h0', 'w'].map((name) => graph.parameter('input', name, scalar));
  const xs = graph.parameter('input', 'xs', { dtype: 'f32', shape: [max] });
  const marker = graph.nextId;
  const [i, h, x] = [index, scalar, scalar].map((type) => regionParameter(graph, 'p', type));
  const next = graph.make('tanh', [graph.make('add', [graph.make('mul', [h, w]), x])]);
  const body = { params: [i, h, x], results: [next, graph.make('mul', [h, x])] };
  const { regions, consts } = closeRegions(graph, marker, [body]);
  const loop = makeLoop(graph, { carries: [h0], xs: [xs], consts, max, body: regions[0] });
  return { graph, h0, w, xs, loop };
}

const loopsOf = (roots: readonly Node[]) => reachable(roots).filter((node) => node.op === 'loop');

describe('loops and their derivatives', () => {
  it('reverse mode leaves two loops: there, with the carries that are read, and back', () => {
    const { graph, h0, w, xs, loop } = recurrence(4);
    const y = loop.carry(0);
    const roots = runPasses(graph, [y, loop.ys(0), ...grad(graph, y, [h0, w, xs]).values], tensorPasses);
    const [there, back, ...more] = loopsOf(roots);
    expect(more).toEqual([]);
    // turns, h, y, h before each turn; turns, cotangents of h and w, of xs
    expect(there.type.parts).toHaveLength(4);
    expect(back.type.parts).toHaveLength(4);
    expect(back.attrs.reversed).toBe(true);
  });

  it('forward mode leaves one loop, and second derivatives three', () => {
    const { graph, h0, w, loop } = recurrence(4);
    const y = loop.carry(0);
    const along = jvp(graph, [y], [w], [graph.constant(1, scalar)]).values;
    expect(loopsOf(runPasses(graph, [y, ...along], tensorPasses))).toHaveLength(1);
    const slope = grad(graph, y, [w]).values[0];
    const hessian = jvp(graph, [slope], [w], [graph.constant(1, scalar)]).values;
    expect(loopsOf(runPasses(graph, [y, slope, ...hessian], tensorPasses))).toHaveLength(2);
    const twice = grad(graph, slope, [h0, w]).values;
    expect(loopsOf(runPasses(graph, [y, slope, ...twice], tensorPasses)).length).toBeLessThanOrEqual(4);
  });

  it('what nobody reads goes, with what only it needs', () => {
    const { graph, xs, loop } = recurrence(4);
    const [root] = runPasses(graph, [loop.ys(0)], [regions]);
    expect(root.inputs[0].type.parts).toHaveLength(3);
    const [turns] = runPasses(graph, [loop.turns()], [regions]);
    expect(turns.attrs.value).toBe(4);
    // the gradient of the last carry by the first reads xs, but sums up nothing for w
    const d = grad(graph, loop.carry(0), [xs]).values;
    const [, back] = loopsOf(runPasses(graph, d, tensorPasses));
    expect(back.type.parts).toHaveLength(3);
  });

  it('constants and broadcasts move inside, and a carry that never changes is none', () => {
    const graph = new Graph();
    const a = graph.parameter('input', 'a', scalar);
    const wide = graph.make('broadcast', [a], { shape: [5], axes: [] });
    const two = graph.constant(2, wide.type);
    const marker = graph.nextId;
    const [i, h, k] = [index, wide.type, wide.type].map((type) => regionParameter(graph, 'p', type));
    const next = graph.make('add', [graph.make('mul', [h, two]), graph.make('mul', [k, wide])]);
    const { regions: closed, consts } = closeRegions(graph, marker, [{ params: [i, h, k], results: [next, k] }]);
    const loop = makeLoop(graph, { carries: [wide, wide], xs: [], consts, max: 3, body: closed[0] });
    const [last, kept] = runPasses(graph, [loop.carry(0), loop.carry(1)], [regions]);
    expect(kept).toBe(wide);
    expect(last.inputs[0].inputs).toEqual([wide, a]);
  });

  it('a choice that is decided is none, and one that gives the same either way is passed by', () => {
    const graph = new Graph();
    const [x, p] = [graph.parameter('input', 'x', scalar), graph.parameter('input', 'p', { dtype: 'bool', shape: [] })];
    const choice = (predicate: Node) => {
      const marker = graph.nextId;
      const sides = [graph.make('sin', [x]), graph.make('cos', [x])].map((r) => ({ params: [], results: [r, x] }));
      const { regions: closed, consts } = closeRegions(graph, marker, sides);
      return makeCond(graph, predicate, consts, [closed[0], closed[1]]);
    };
    const yes = choice(graph.constant(1, { dtype: 'bool', shape: [] }));
    expect(runPasses(graph, [yes.result(0)], [regions])[0].op).toBe('sin');
    const open = choice(p);
    const [first, same] = runPasses(graph, [open.result(0), open.result(1)], [regions]);
    expect(same).toBe(x);
    expect(first.inputs[0].type.parts).toHaveLength(2);
  });

  it('loops that share only a counter stay two', () => {
    const graph = new Graph();
    const zero = graph.constant(0, index);
    const one = (name: string) => {
      const start = graph.parameter('input', name, scalar);
      const [i, h, n] = [index, scalar, index].map((type) => regionParameter(graph, 'p', type));
      const counted = graph.make('add', [n, graph.constant(1, index)]);
      const body = { params: [i, h, n], results: [graph.make('sin', [h]), counted] };
      const loop = makeLoop(graph, { carries: [start, zero], xs: [], consts: [], max: 3, body });
      return [loop.carry(0), loop.carry(1)];
    };
    expect(loopsOf(runPasses(graph, [...one('a'), ...one('b')], tensorPasses))).toHaveLength(2);
  });
});
