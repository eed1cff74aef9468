/** Loops and choices that were copied with other inputs share their closed regions until the passes; after own-params none shares a param with another. */
import { describe, expect, it } from 'vitest';
import { Graph, reachable } from '../../../compiler/ir/tensor/graph.ts';
import { verify } from '../../../compiler/ir/tensor/verify.ts';
import { ownParams, runPasses, tensorPasses } from '../../../compiler/passes/index.ts';
import { regionsOf } from '../../../compiler/ops/region.ts';
import type { Node } from '../../../compiler/ops/types.ts';
import { evaluate } from '../../../runtime/reference/interpreter.ts';
import { compileSpec } from '../elaborate/run-spec.ts';

const SPEC = `fn two(a) {
  var x = a
  var y = 1.0
  repeat 40 {
    repeat 3 { x <- 0.95 * x }
    if x > 0.5 { y <- 0.5 * y + x } else { y <- y - x }
  }
  y
}
var r = 2.0
var s = 5.0
train 1 {
  let y = two(r)
  report y, z = y at { r: s }, sum = 1000 * y + (y at { r: s })
}
`;

/** Loops and choices by param. */
function owners(roots: readonly Node[]): Map<Node, Set<Node>> {
  const found = new Map<Node, Set<Node>>();
  for (const node of reachable(roots))
    for (const region of regionsOf(node))
      for (const param of region.params) found.set(param, (found.get(param) ?? new Set()).add(node));
  return found;
}
const shared = (roots: readonly Node[]) => [...owners(roots).values()].filter((nodes) => nodes.size > 1).length;

describe('own-params', () => {
  const { program } = compileSpec(SPEC);
  const roots = program.entries.flatMap((entry) => entry.outputs.map((o) => o.value));
  const graph = new Graph(1 + Math.max(...[...reachable(roots), ...owners(roots).keys()].map((node) => node.id)));
  it('gives copies params of their own, in loops within loops too', () => {
    expect(shared(roots)).toBe(3);
    const after = ownParams.run(graph, roots);
    expect(verify(after)).toEqual([]);
    expect(shared(after)).toBe(0);
  });
  it('keeps merged loops from taking one copy for the other', () => {
    const leaf = (node: Node) => ({ type: node.type, data: Float64Array.of(String(node.attrs.name) === 's' ? 5 : 2) });
    const values = (all: readonly Node[]) => evaluate(all, leaf).map((v) => v.data[0]);
    const wanted = values(roots);
    expect(wanted[0]).not.toBeCloseTo(wanted[1], 3);
    values(runPasses(graph, roots, tensorPasses)).forEach((v, k) => expect(v).toBeCloseTo(wanted[k], 9));
  });
});
