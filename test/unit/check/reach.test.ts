/** Reversals counted on the paths of derivatives, through loops and branches. */
import { describe, expect, it } from 'vitest';
import { reach } from '../../../compiler/check/reach.ts';
import { Graph } from '../../../compiler/ir/tensor/graph.ts';
import { closeRegions, makeCond, makeLoop, regionParameter } from '../../../compiler/ir/tensor/regions.ts';
import type { Node, TensorType } from '../../../compiler/ops/types.ts';

const scalar: TensorType = { dtype: 'f32', shape: [] };
const index: TensorType = { dtype: 'i32', shape: [] };

function setting() {
  const graph = new Graph();
  const [w, v] = ['w', 'v'].map((name) => graph.parameter('cell', name, scalar));
  const reverse = (x: Node) => graph.make('gradient_reversal', [x, graph.constant(1, scalar)]);
  const add = (x: Node, y: Node) => graph.make('add', [x, y]);
  const loop = (body: (h: Node) => Node, first: Node, count?: Node) => {
    const marker = graph.nextId;
    const [i, h] = [regionParameter(graph, 'i', index), regionParameter(graph, 'h', scalar)];
    const { regions, consts } = closeRegions(graph, marker, [{ params: [i, h], results: [body(h)] }]);
    return makeLoop(graph, { count, carries: [first], xs: [], consts, max: 3, body: regions[0] }).carry(0);
  };
  const choice = (a: () => Node, b: () => Node) => {
    const p = graph.parameter('input', 'p', { dtype: 'bool', shape: [] });
    const marker = graph.nextId;
    const sides = [a(), b()].map((r) => ({ params: [], results: [r] }));
    const { regions, consts } = closeRegions(graph, marker, sides);
    return makeCond(graph, p, consts, [regions[0], regions[1]]).result(0);
  };
  const count = (root: Node, leaf: Node) => [...reach(root, new Set([leaf])).reversals];
  return { graph, w, v, reverse, add, loop, choice, count };
}

describe('reversals on the way', () => {
  it('of what a loop captures: one each turn is one', () => {
    const { w, v, reverse, add, loop, count } = setting();
    const once = loop((h) => add(h, reverse(w)), v);
    expect(count(once, w)).toEqual([1]);
    expect(count(once, v)).toEqual([0]);
    expect(count(reverse(once), w)).toEqual([2]);
    expect(reach(once, new Set([w])).nodes.map((n) => n.op)).toEqual(['gradient_reversal']);
  });

  it('of what a loop carries: as many as there are turns, at least one, or none where it may take none', () => {
    const { graph, w, reverse, loop, count } = setting();
    expect(count(loop(reverse, w), w)).toEqual([1, 2, 3]);
    expect(count(loop(reverse, w, graph.parameter('input', 'n', index)), w)).toEqual([0, 1, 2, 3]);
    // what the loop replaces does not arrive
    expect(
      count(
        loop(() => graph.constant(2, scalar), w),
        w,
      ),
    ).toEqual([]);
  });

  it('of branches: those of either, in loops as well', () => {
    const { w, v, reverse, add, loop, choice, count } = setting();
    expect(
      count(
        choice(
          () => reverse(w),
          () => add(w, v),
        ),
        w,
      ),
    ).toEqual([0, 1]);
    expect(
      count(
        choice(
          () => reverse(w),
          () => v,
        ),
        w,
      ),
    ).toEqual([1]);
    const nested = loop(
      (h) =>
        add(
          h,
          choice(
            () => reverse(reverse(w)),
            () => v,
          ),
        ),
      v,
    );
    expect(count(nested, w)).toEqual([2]);
    expect(count(nested, v)).toEqual([0]);
  });
});
