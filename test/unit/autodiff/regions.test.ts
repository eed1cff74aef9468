/** Derivatives and batching of loops and branches: random nested programs against the same programs written out, and what must not leak out of masks. */
import { describe, expect, it } from 'vitest';
import { grad, jvp, vectorize } from '../../../compiler/autodiff/index.ts';
import { Graph } from '../../../compiler/ir/tensor/graph.ts';
import { closeRegions, loopSpec, makeCond, makeLoop, regionParameter } from '../../../compiler/ir/tensor/regions.ts';
import { print } from '../../../compiler/ir/tensor/print.ts';
import { parse } from '../../../compiler/ir/tensor/parse.ts';
import { verify } from '../../../compiler/ir/tensor/verify.ts';
import type { NdArray, Node, TensorType } from '../../../compiler/ops/types.ts';
import { evaluate } from '../../../runtime/reference/interpreter.ts';
import { type ControlProgram, randomControl, vector } from '../../fuzz/random-control.ts';
import { seededRng } from '../../fuzz/rng.ts';

const PARAMS = 2;
const scalar: TensorType = { dtype: 'f32', shape: [] };
const index: TensorType = { dtype: 'i32', shape: [] };

function values(seed: number, shape: readonly number[] = vector.shape): NdArray[] {
  const rng = seededRng(seed);
  const size = shape.reduce((a, b) => a * b, 1);
  return Array.from({ length: PARAMS }, () => ({
    type: { dtype: 'f32', shape },
    data: Float64Array.from({ length: size }, () => rng.normal()),
  }));
}

const dot = (graph: Graph, x: Node, y: Node) =>
  graph.make('reduce_sum', [graph.make('mul', [x, y])], { axes: x.type.shape.map((_, a) => a) });

/** Value, gradients, derivatives of <gradient, direction> in both modes, and the third order along the direction. */
function derivatives(graph: Graph, y: Node, params: readonly Node[], along: readonly NdArray[]): Node[] {
  const v = along.map((a) => graph.dense([...a.data], a.type));
  const first = grad(graph, y, params).values;
  const inner = first.map((g, i) => dot(graph, g, v[i])).reduce((a, b) => graph.make('add', [a, b]));
  const second = grad(graph, inner, params).values;
  const mixed = jvp(graph, first, params, v).values;
  const twice = jvp(graph, [...jvp(graph, [y], params, v).values], params, v).values;
  const third = jvp(graph, [...mixed], params, v).values;
  return [y, ...first, ...second, ...mixed, ...twice, ...third];
}

function compare(program: ControlProgram, at: readonly NdArray[], along: readonly NdArray[]): void {
  const run = (write: (graph: Graph, params: readonly Node[], leaf: (p: Node) => NdArray) => Node) => {
    const graph = new Graph();
    const params = at.map((a, i) => graph.parameter('input', `p${i}`, a.type));
    const leaf = (p: Node) => at[params.indexOf(p)];
    const roots = derivatives(graph, write(graph, params, leaf), params, along);
    expect(verify(roots)).toEqual([]);
    return evaluate(roots, leaf).map((r) => [...r.data]);
  };
  const actual = run((graph, params) => program.regions(graph, params));
  const expected = run((graph, params, leaf) =>
    program.writtenOut(graph, params, (node) => evaluate([node], leaf)[0].data[0] !== 0),
  );
  actual.forEach((list, k) =>
    list.forEach((v, i) =>
      expect(Math.abs(v - expected[k][i])).toBeLessThanOrEqual(1e-9 * (1 + Math.abs(expected[k][i]))),
    ),
  );
}

describe('random nested loops and branches', () => {
  it('have the derivatives of the same programs written out, to order 3', () => {
    for (let seed = 0; seed < 60; seed++) {
      compare(randomControl(seed, PARAMS, seed % 3), values(seed), values(1000 + seed));
    }
  });

  it('agree with central differences', () => {
    for (let seed = 100; seed < 130; seed++) {
      const graph = new Graph();
      const params = values(seed).map((a, i) => graph.parameter('input', `p${i}`, a.type));
      const y = randomControl(seed, PARAMS, 2).regions(graph, params);
      const [at, along] = [values(seed), values(1000 + seed)];
      const value = (root: Node, step: number) =>
        evaluate([root], (p) => {
          const k = params.indexOf(p);
          return { type: p.type, data: at[k].data.map((x, i) => x + step * along[k].data[i]) };
        })[0].data[0];
      const slopes = grad(graph, y, params).values.map((g, i) =>
        dot(graph, g, graph.dense([...along[i].data], vector)),
      );
      const slope = value(
        slopes.reduce((a, b) => graph.make('add', [a, b])),
        0,
      );
      const central = (value(y, 1e-5) - value(y, -1e-5)) / 2e-5;
      expect(Math.abs(slope - central)).toBeLessThan(1e-6 * (1 + Math.abs(central)));
    }
  });

  it('batched, equal one run per element: values, and gradients inside and outside of the batch', () => {
    const n = 4;
    for (let seed = 200; seed < 240; seed++) {
      const graph = new Graph();
      const params = values(seed).map((a, i) => graph.parameter('input', `p${i}`, a.type));
      const y = randomControl(seed, PARAMS, seed % 3).regions(graph, params);
      const inside = [y, ...grad(graph, y, params).values];
      // one mapped parameter, and one that all elements share
      const all = values(seed, [n, ...vector.shape]);
      const mapped = graph.parameter('input', 'all', all[0].type);
      const batched = vectorize(graph, inside, new Map([[params[0], mapped]]), n);
      const total = graph.make('reduce_sum', [vectorize(graph, [y], new Map([[params[0], mapped]]), n)[0]], {
        axes: [0],
      });
      const outside = grad(graph, total, [mapped, params[1]]).values;
      expect(verify([...batched, ...outside])).toEqual([]);
      const shared = values(seed)[1];
      const leaf = (p: Node) => (p === mapped ? all[0] : shared);
      const results = evaluate([...batched, ...outside], leaf);
      const loops = Array.from({ length: n }, (_, k) =>
        evaluate(inside, (p) =>
          p === params[0] ? { type: p.type, data: all[0].data.slice(3 * k, 3 * k + 3) } : shared,
        ),
      );
      const near = (a: Float64Array, b: readonly number[]) =>
        a.forEach((v, i) => expect(Math.abs(v - b[i])).toBeLessThanOrEqual(1e-9 * (1 + Math.abs(b[i]))));
      inside.forEach((_, r) =>
        near(
          results[r].data,
          loops.flatMap((l) => [...l[r].data]),
        ),
      );
      near(
        results[inside.length].data,
        loops.flatMap((l) => [...l[1].data]),
      );
      near(
        results[inside.length + 1].data,
        [0, 1, 2].map((i) => loops.reduce((s, l) => s + l[2].data[i], 0)),
      );
    }
  });

  it('are printed and read back', () => {
    for (let seed = 0; seed < 10; seed++) {
      const graph = new Graph();
      const params = values(seed).map((a, i) => graph.parameter('input', `p${i}`, a.type));
      const text = print([randomControl(seed, PARAMS, 2).regions(graph, params)]);
      expect(print(parse(text))).toBe(text);
    }
  });
});

/** if x > 0 { sqrt(x) x } else { x x }, of a scalar. */
function guardedRoot(graph: Graph, x: Node): Node {
  const zero = graph.constant(0, scalar);
  const marker = graph.nextId;
  const sides = [graph.make('mul', [graph.make('sqrt', [x]), x]), graph.make('mul', [x, x])];
  const { regions, consts } = closeRegions(
    graph,
    marker,
    sides.map((r) => ({ params: [], results: [r] })),
  );
  return makeCond(graph, graph.make('gt', [x, zero]), consts, [regions[0], regions[1]]).result(0);
}

describe('batching of loops within loops', () => {
  it('makes nodes in proportion to the depth', () => {
    /** x <- x c + h, in loops within loops. */
    const nest = (graph: Graph, depth: number, c: Node, start: Node): Node => {
      if (depth === 0) return graph.make('add', [graph.make('mul', [start, c]), graph.constant(0.5, scalar)]);
      const marker = graph.nextId;
      const [i, h] = [index, scalar].map((type) => regionParameter(graph, 'p', type));
      const { regions, consts } = closeRegions(graph, marker, [{ params: [i, h], results: [nest(graph, depth - 1, c, h)] }]); // prettier-ignore
      return makeLoop(graph, { carries: [start], xs: [], consts, max: 2, body: regions[0] }).carry(0);
    };
    const made = (depth: number): number => {
      const graph = new Graph();
      const [c, x] = ['c', 'x'].map((name) => graph.parameter('input', name, scalar));
      const root = nest(graph, depth, c, x);
      const all = graph.parameter('input', 'all', { dtype: 'f32', shape: [3] });
      const before = graph.nextId;
      const [batched] = vectorize(graph, [root], new Map([[c, all]]), 3);
      expect(verify([batched])).toEqual([]);
      return graph.nextId - before;
    };
    const step = made(3) - made(2);
    expect(made(8) - made(7)).toBe(step);
    expect(made(8)).toBeLessThan(9 * step);
  });
});

describe('a branch not taken', () => {
  it('lets no NaN into values and derivatives of a batch, to order 3', () => {
    const graph = new Graph();
    const x = graph.parameter('input', 'x', scalar);
    const f = guardedRoot(graph, x);
    const all = graph.parameter('input', 'all', { dtype: 'f32', shape: [3] });
    const orders: Node[] = [vectorize(graph, [f], new Map([[x, all]]), 3)[0]];
    for (let k = 0; k < 3; k++) {
      const total = graph.make('reduce_sum', [orders[k]], { axes: [0] });
      orders.push(grad(graph, total, [all]).values[0]);
    }
    const at = (): NdArray => ({ type: all.type, data: Float64Array.of(4, -1, 0) });
    const rows = evaluate(orders, at).map((r) => [...r.data]);
    expect(rows[0]).toEqual([8, 1, 0]);
    expect(rows[1]).toEqual([3, -2, 0]);
    rows[2].forEach((v, i) => expect(v).toBeCloseTo([0.375, 2, 2][i], 12));
    rows[3].forEach((v, i) => expect(v).toBeCloseTo([-0.046875, 0, 0][i], 12));
  });

  it('lets no NaN into derivatives of what the elements share', () => {
    const graph = new Graph();
    const [x, w] = ['x', 'w'].map((name) => graph.parameter('input', name, scalar));
    const zero = graph.constant(0, scalar);
    const marker = graph.nextId;
    // sqrt(x w) where x > 0: the derivative by w of a lane with x < 0 would be NaN
    const sides = [graph.make('sqrt', [graph.make('mul', [x, w])]), w];
    const { regions, consts } = closeRegions(
      graph,
      marker,
      sides.map((r) => ({ params: [], results: [r] })),
    );
    const f = makeCond(graph, graph.make('gt', [x, zero]), consts, [regions[0], regions[1]]).result(0);
    const all = graph.parameter('input', 'all', { dtype: 'f32', shape: [2] });
    const [batched] = vectorize(graph, [f], new Map([[x, all]]), 2);
    const slope = grad(graph, graph.make('reduce_sum', [batched], { axes: [0] }), [w]).values[0];
    const curvature = grad(graph, slope, [w]).values[0];
    const results = evaluate([slope, curvature], (p) =>
      p === w ? { type: scalar, data: Float64Array.of(4) } : { type: all.type, data: Float64Array.of(1, -1) },
    );
    expect(results[0].data[0]).toBeCloseTo(1.25, 12); // 1 / (2 sqrt 4) + 1
    expect(results[1].data[0]).toBeCloseTo(-1 / 32, 12);
  });

  it('raises no fault for an index out of range, in a nested loop too, and with an axis that is empty', () => {
    const graph = new Graph();
    const i = graph.parameter('input', 'i', index);
    const table = graph.dense([5, 6, 7], { dtype: 'f32', shape: [3] });
    const none = graph.dense([], { dtype: 'f32', shape: [0] });
    const inside = graph.make('lt', [i, graph.constant(3, index)]);
    const marker = graph.nextId;
    const turn = regionParameter(graph, 'i', index);
    const h = regionParameter(graph, 'h', scalar);
    const inner = closeRegions(graph, graph.nextId, [
      { params: [turn, h], results: [graph.make('add', [h, graph.make('gather', [table, i], { axis: 0 })])] },
    ]);
    const sum = makeLoop(graph, {
      carries: [graph.constant(0, scalar)],
      xs: [],
      consts: inner.consts,
      max: 2,
      body: inner.regions[0],
    }).carry(0);
    const sides = [sum, graph.constant(-1, scalar)];
    const { regions, consts } = closeRegions(
      graph,
      marker,
      sides.map((r) => ({ params: [], results: [r] })),
    );
    const f = makeCond(graph, inside, consts, [regions[0], regions[1]]).result(0);
    const never = closeRegions(graph, graph.nextId, [
      { params: [], results: [graph.make('gather', [none, i], { axis: 0 })] },
      { params: [], results: [graph.constant(2, scalar)] },
    ]);
    const ge = graph.make('lt', [i, graph.constant(0, index)]);
    const g = makeCond(graph, ge, never.consts, [never.regions[0], never.regions[1]]).result(0);
    const all = graph.parameter('input', 'all', { dtype: 'i32', shape: [3] });
    const batched = vectorize(graph, [f, g], new Map([[i, all]]), 3);
    const results = evaluate(batched, () => ({ type: all.type, data: Float64Array.of(2, 99, 0) }));
    expect(results.map((r) => [...r.data])).toEqual([
      [14, -1, 10],
      [2, 2, 2],
    ]);
  });
});

describe('what no derivative reaches', () => {
  /** h' = h a, k' = k b, m' = a over three turns, or as many as the condition says. */
  function threeCarries(conditional: boolean) {
    const graph = new Graph();
    const [a, b, h0, m0] = ['a', 'b', 'h', 'm'].map((name) => graph.parameter('input', name, scalar));
    const marker = graph.nextId;
    const [i, h, k, m] = [index, scalar, scalar, scalar].map((type) => regionParameter(graph, 'p', type));
    const body = { params: [i, h, k, m], results: [graph.make('mul', [h, a]), graph.make('mul', [k, b]), a] };
    const own = [index, scalar, scalar, scalar].map((type) => regionParameter(graph, 'p', type));
    const cond = { params: own, results: [graph.make('lt', [own[1], graph.constant(9, scalar)])] };
    const { regions, consts } = closeRegions(graph, marker, conditional ? [body, cond] : [body]);
    const loop = makeLoop(graph, { carries: [h0, h0, m0], xs: [], consts, max: 3, body: regions[0], cond: regions[1] });
    return { graph, a, b, h0, m0, loop };
  }

  it('is known of each carry of a loop', () => {
    const { graph, a, b, h0, m0, loop } = threeCarries(false);
    expect(grad(graph, loop.carry(0), [a, b, h0, m0]).reached).toEqual([true, false, true, false]);
    expect(grad(graph, loop.carry(1), [a, b, h0, m0]).reached).toEqual([false, true, true, false]);
    expect(grad(graph, loop.carry(2), [a, b, h0, m0]).reached).toEqual([true, false, false, false]);
    const one = graph.constant(1, scalar);
    const moved = jvp(
      graph,
      [0, 1, 2].map((k) => loop.carry(k)),
      [b],
      [one],
    );
    expect(moved.reached).toEqual([false, true, false]);
  });

  it('is known through nested loops, forward too', () => {
    const { graph, a, b, h0, m0, loop } = threeCarries(false);
    const marker = graph.nextId;
    // one turn of an outer loop that runs an inner one, h and k each
    const [i, h, k] = [index, scalar, scalar].map((type) => regionParameter(graph, 'p', type));
    const inner = makeLoop(graph, {
      ...loopSpec(loop.node),
      carries: [h, k, m0],
    });
    const body = { params: [i, h, k], results: [inner.carry(0), inner.carry(1)] };
    const { regions, consts } = closeRegions(graph, marker, [body]);
    const outer = makeLoop(graph, { carries: [h0, h0], xs: [], consts, max: 2, body: regions[0] });
    expect(grad(graph, outer.carry(0), [a, b]).reached).toEqual([true, false]);
    expect(grad(graph, outer.carry(1), [a, b]).reached).toEqual([false, true]);
    const one = graph.constant(1, scalar);
    expect(jvp(graph, [outer.carry(0), outer.carry(1)], [b], [one]).reached).toEqual([false, true]);
  });

  it('counts that a loop may take no turn', () => {
    const { graph, a, b, h0, m0, loop } = threeCarries(true);
    expect(grad(graph, loop.carry(2), [a, b, h0, m0]).reached).toEqual([true, false, false, true]);
  });

  it('is known of each result of a choice', () => {
    const graph = new Graph();
    const [a, b] = ['a', 'b'].map((name) => graph.parameter('input', name, scalar));
    const p = graph.parameter('input', 'p', { dtype: 'bool', shape: [] });
    const marker = graph.nextId;
    const sides = [
      [graph.make('sin', [a]), b],
      [graph.constant(1, scalar), graph.make('stop', [a])],
    ];
    const { regions, consts } = closeRegions(
      graph,
      marker,
      sides.map((results) => ({ params: [], results })),
    );
    const choice = makeCond(graph, p, consts, [regions[0], regions[1]]);
    expect(grad(graph, choice.result(0), [a, b]).reached).toEqual([true, false]);
    expect(grad(graph, choice.result(1), [a, b]).reached).toEqual([false, true]);
  });
});

describe('custom gradients in a batch', () => {
  it('use the values of their element', () => {
    const graph = new Graph();
    const x = graph.parameter('input', 'x', scalar);
    const slope = graph.make('cos', [x]);
    const g = regionParameter(graph, 'g', scalar);
    const rule = { params: [g], results: [graph.make('mul', [g, slope])] };
    const y = graph.make('custom_gradient', [graph.make('sign', [x]), x], { rule });
    const all = graph.parameter('input', 'all', { dtype: 'f32', shape: [3] });
    const [batched] = vectorize(graph, [y], new Map([[x, all]]), 3);
    const d = grad(graph, graph.make('reduce_sum', [batched], { axes: [0] }), [all]).values[0];
    const data = Float64Array.of(0.5, -1, 2);
    const results = evaluate([batched, d], () => ({ type: all.type, data }));
    expect([...results[0].data]).toEqual([1, -1, 1]);
    expect([...results[1].data]).toEqual([...data].map(Math.cos));
  });
});

describe('size', () => {
  it('a derivative does not grow with the turns, nor a batch with its elements', () => {
    const nodes = (max: number, n: number) => {
      const graph = new Graph();
      const w = graph.parameter('input', 'w', scalar);
      const marker = graph.nextId;
      const [i, h] = [regionParameter(graph, 'i', index), regionParameter(graph, 'h', scalar)];
      const next = graph.make('tanh', [graph.make('mul', [h, w])]);
      const { regions, consts } = closeRegions(graph, marker, [{ params: [i, h], results: [next] }]);
      const y = makeLoop(graph, { carries: [w], xs: [], consts, max, body: regions[0] }).carry(0);
      const d = grad(graph, y, [w]).values[0];
      vectorize(graph, [d], new Map([[w, graph.parameter('input', 'all', { dtype: 'f32', shape: [n] })]]), n);
      return graph.nextId;
    };
    expect(nodes(1000, 500)).toBe(nodes(2, 3));
  });
});
