/** Differentiation as a graph transformation: barriers, leaves, errors, nesting, size. Formulas of primitives are tested in `test/ops`. */
import { describe, expect, it } from 'vitest';
import { grad, jvp, vjp } from '../../../compiler/autodiff/index.ts';
import { SaddleError } from '../../../compiler/diagnostics/diagnostic.ts';
import { Graph, reachable } from '../../../compiler/ir/tensor/graph.ts';
import type { NdArray, Node, TensorType } from '../../../compiler/ops/types.ts';
import { evaluate } from '../../../runtime/reference/interpreter.ts';
import { randomGraph } from '../../fuzz/random-graph.ts';
import { seededRng } from '../../fuzz/rng.ts';

const scalar: TensorType = { dtype: 'f32', shape: [] };
const at = (values: ReadonlyMap<Node, number>) => (p: Node) => ({
  type: scalar,
  data: Float64Array.of(values.get(p) as number),
});

/** A scalar x and its value, and evaluation at it. */
function scalarGraph(value: number) {
  const graph = new Graph();
  const x = graph.parameter('cell', 'x', scalar);
  const evalAt = (...roots: readonly Node[]) => evaluate(roots, at(new Map([[x, value]]))).map((r) => r.data[0]);
  const square = (v: Node) => graph.make('mul', [v, v]);
  return { graph, x, evalAt, square };
}

describe('barriers act by their records', () => {
  it('stop: a constant', () => {
    const { graph, x, evalAt } = scalarGraph(3);
    const y = graph.make('mul', [x, graph.make('stop', [x])]);
    const { values, reached } = grad(graph, y, [x]);
    expect(evalAt(...values)).toEqual([3]);
    expect(reached).toEqual([true]);
    expect(grad(graph, graph.make('stop', [y]), [x]).reached).toEqual([false]);
  });

  it('gradient_reversal: minus factor, in both modes; two of them cancel', () => {
    const { graph, x, evalAt, square } = scalarGraph(3);
    const factor = graph.constant(0.5, scalar);
    const once = square(graph.make('gradient_reversal', [x, factor]));
    expect(evalAt(once, ...grad(graph, once, [x]).values)).toEqual([9, -3]);
    expect(evalAt(...jvp(graph, [once], [x], [graph.constant(2, scalar)]).values)).toEqual([-6]);
    const twice = square(graph.make('gradient_reversal', [graph.make('gradient_reversal', [x, factor]), factor]));
    expect(evalAt(...grad(graph, twice, [x]).values)).toEqual([1.5]);
  });

  it('gradient_reversal: nothing flows to the factor', () => {
    const { graph, x } = scalarGraph(3);
    const y = graph.make('gradient_reversal', [graph.constant(2, scalar), x]);
    expect(grad(graph, y, [x]).reached).toEqual([false]);
  });

  it('custom_gradient: the rule instead of the derivative, in both modes and again for the derivative of the rule', () => {
    const { graph, x, evalAt } = scalarGraph(0.3);
    // sign(x) with the surrogate derivative g cos(20 x)
    const g = graph.parameter('region', 'g', scalar);
    const slope = graph.make('cos', [graph.make('mul', [x, graph.constant(20, scalar)])]);
    const rule = { params: [g], results: [graph.make('mul', [g, slope])] };
    const y = graph.make('custom_gradient', [graph.make('sign', [x]), x], { rule });
    const first = grad(graph, y, [x]).values[0];
    const second = grad(graph, first, [x]).values[0];
    const tangent = jvp(graph, [y], [x], [graph.constant(2, scalar)]).values[0];
    const [v, d1, d2, t] = evalAt(y, first, second, tangent);
    expect(v).toBe(1);
    expect(d1).toBeCloseTo(Math.cos(6), 12);
    expect(d2).toBeCloseTo(-20 * Math.sin(6), 12);
    expect(t).toBeCloseTo(2 * Math.cos(6), 12);
  });

  it('name: transparent', () => {
    const { graph, x, evalAt, square } = scalarGraph(3);
    const y = graph.make('name', [square(x)], { name: 'y' });
    expect(evalAt(...grad(graph, y, [x]).values)).toEqual([6]);
  });
});

describe('versions', () => {
  it('refuse a derivative that would pass a write, at the place of the write', () => {
    const { graph, x, square } = scalarGraph(3);
    const span = { file: 'a.opt', start: 10, end: 20 };
    const written = graph.at(span, () => graph.make('version', [square(x)], { cell: 'Net.W', version: 1 }));
    const error = (run: () => unknown) => {
      try {
        run();
      } catch (e) {
        return e as SaddleError;
      }
      throw new Error('nothing was refused');
    };
    const reverse = error(() => grad(graph, square(written), [x]));
    expect(reverse).toBeInstanceOf(SaddleError);
    expect(reverse.diagnostics[0]).toMatchObject({ code: 'OPT401', span });
    expect(reverse.diagnostics[0].hint).toContain('scan');
    expect(error(() => jvp(graph, [written], [x], [x])).diagnostics[0].code).toBe('OPT401');
  });

  it('are leaves when they are what is differentiated by, and constants under stop', () => {
    const { graph, x, evalAt, square } = scalarGraph(3);
    const written = graph.make('version', [square(x)], { cell: 'x', version: 1 });
    expect(evalAt(...grad(graph, square(written), [written]).values)).toEqual([18]);
    const stopped = graph.make('mul', [x, graph.make('stop', [square(written)])]);
    expect(evalAt(...grad(graph, stopped, [x]).values)).toEqual([81]);
    const constant = graph.make('version', [graph.constant(2, scalar)], { cell: 'x', version: 1 });
    expect(evalAt(...grad(graph, graph.make('mul', [x, constant]), [x]).values)).toEqual([2]);
  });
});

describe('grad', () => {
  it('takes wrt nodes as leaves, one above the other too', () => {
    const { graph, x, evalAt, square } = scalarGraph(3);
    const y = square(x);
    const z = graph.make('mul', [y, x]);
    const { values } = grad(graph, z, [x, y]);
    // what goes through y is collected at y: dz/dx at fixed y is y
    expect(evalAt(...values)).toEqual([9, 3]);
    expect(evalAt(...grad(graph, y, [y]).values)).toEqual([1]);
  });

  it('gives zeros, and says so, where no float path leads', () => {
    const { graph, x, evalAt } = scalarGraph(3);
    const other = graph.parameter('cell', 'n', { dtype: 'i32', shape: [2] });
    const rounded = graph.make('cast', [graph.make('cast', [x], { dtype: 'i32' })], { dtype: 'f32' });
    const steps = graph.make('sign', [x]);
    for (const y of [rounded, steps, graph.constant(1, scalar)]) {
      const { values, reached } = grad(graph, y, [x, other]);
      expect(reached).toEqual([false, false]);
      expect(values[1].type).toEqual(other.type);
      expect(evalAt(values[0])).toEqual([0]);
    }
  });

  it('nests to any order: derivatives of exp(x) sin(x)', () => {
    const { graph, x, evalAt } = scalarGraph(0.7);
    let y: Node = graph.make('mul', [graph.make('exp', [x]), graph.make('sin', [x])]);
    for (let order = 1; order <= 5; order++) {
      y = grad(graph, y, [x]).values[0];
      // the nth derivative is 2^(n/2) e^x sin(x + n pi/4)
      const expected = 2 ** (order / 2) * Math.exp(0.7) * Math.sin(0.7 + (order * Math.PI) / 4);
      expect(evalAt(y)[0]).toBeCloseTo(expected, 9);
    }
  });

  it('attributes derivative nodes to the node they come from', () => {
    const { graph, x } = scalarGraph(1);
    const span = { file: 'a.opt', start: 7, end: 8 };
    const y = graph.at(span, () => graph.make('sin', [x]), 'Net');
    const [d] = grad(graph, y, [x]).values;
    expect([d.span, d.path]).toEqual([span, 'Net']);
  });

  it('is linear in size and iterative', () => {
    const size = (n: number) => {
      const { graph, x } = scalarGraph(1);
      let y: Node = x;
      for (let i = 0; i < n; i++) y = graph.make('tanh', [graph.make('mul', [y, y])]);
      return reachable(grad(graph, y, [x]).values).length;
    };
    expect(size(200) / size(100)).toBeCloseTo(2, 1);
    expect(size(20_000)).toBeGreaterThan(20_000);
  });
});

describe('vjp and jvp on random graphs', () => {
  it('agree with central differences and with each other', () => {
    for (let seed = 1; seed <= 25; seed++) {
      const { graph, roots, params, leaf } = randomGraph(seed, { smooth: true, nodes: 20 });
      const rng = seededRng(seed);
      const output = roots[roots.length - 1];
      const along = new Map(params.map((p) => [p, leaf(p).data.map(() => rng.normal())]));
      const direction = (p: Node) => along.get(p) as Float64Array;
      const moved =
        (step: number) =>
        (p: Node): NdArray => ({
          type: p.type,
          data: leaf(p).data.map((v, i) => v + step * direction(p)[i]),
        });
      const { values } = grad(graph, output, params);
      const slope = evaluate(values, leaf).reduce(
        (sum, g, i) => sum + g.data.reduce((s, v, k) => s + v * direction(params[i])[k], 0),
        0,
      );
      const [up, down] = [1e-5, -1e-5].map((h) => evaluate([output], moved(h))[0].data[0]);
      expect(Math.abs(slope - (up - down) / 2e-5)).toBeLessThan(1e-6 * Math.max(1, Math.abs(slope)));
      const tangents = params.map((p) => graph.dense([...direction(p)], p.type));
      const forward = jvp(graph, [output], params, tangents).values;
      expect(evaluate(forward, leaf)[0].data[0]).toBeCloseTo(slope, 9);
    }
  });

  it('vjp of several outputs sums over them', () => {
    const { graph, x, evalAt, square } = scalarGraph(3);
    const outputs = [square(x), graph.make('neg', [x])];
    const cotangents = [graph.constant(2, scalar), graph.constant(5, scalar)];
    expect(evalAt(...vjp(graph, outputs, cotangents, [x]).values)).toEqual([2 * 6 - 5]);
  });
});
