/** Applies the table of `simplify-rules.ts` from the inputs upwards until nothing changes. */
import type { Graph } from '../ir/tensor/graph.ts';
import { rewrite } from '../ir/tensor/rewrite.ts';
import type { Node } from '../ops/types.ts';
import { definePass } from './pass.ts';
import { type Rule, simplifyRules } from './simplify-rules.ts';

const byOp = new Map<string, Rule[]>();
for (const rule of simplifyRules) {
  for (const op of rule.ops) byOp.set(op, [...(byOp.get(op) ?? []), rule]);
}

/** Every rule makes a node smaller or moves towards a fixed form, so a chain of them ends; this bound catches a pair that does not. */
const MOST_SWEEPS = 16;

/** The node after as many rules as apply at it. */
function simplified(graph: Graph, node: Node): Node {
  for (const rule of byOp.get(node.op) ?? []) {
    const result = rule.apply(node, graph);
    if (result) return simplified(graph, result);
  }
  return node;
}

export const simplify = definePass({
  name: 'simplify',
  about: 'Drops operations that change nothing: x * 1, double negation, broadcasts and permutations without effect.',
  run: (graph, roots) => {
    let current = [...roots];
    for (let sweep = 0; sweep < MOST_SWEEPS; sweep++) {
      const next = rewrite(graph, current, (node) => simplified(graph, node));
      if (next.every((root, i) => root === current[i])) break;
      current = next;
    }
    return current;
  },
});
