/**
 * Choices between little work become selections: both branches are computed and one is taken, element by element, in whatever kernel the result is used. A
 * choice that stays is a kernel of its own, with what it reads and gives in memory. Runs when all derivatives are taken: a branch that is not taken
 * may give NaN, which a selection does not let through.
 */
import { reachable } from '../ir/tensor/graph.ts';
import { applyRegion, condSpec } from '../ir/tensor/regions.ts';
import { remake, rewriteParts } from '../ir/tensor/rewrite.ts';
import { sizeOf } from '../ops/arrays.ts';
import { op } from '../ops/table.ts';
import { Terms } from '../ops/terms.ts';
import type { Region } from '../ops/types.ts';
import { definePass } from './pass.ts';

/** Operations that cost less than the launches of a choice. */
const MOST_WORK = 60_000;
/** Primitives of both branches: code that is not wanted still has to be compiled. */
const MOST_NODES = 40;

const cheap: ReadonlySet<string> = new Set(['elementwise', 'index', 'alias', 'source']);

/** Whether both branches are cheap to compute, and can be computed where they are not wanted: nothing in them can fail. */
function isCheap(branches: readonly Region[]): boolean {
  let work = 0;
  let count = 0;
  for (const { params, results } of branches) {
    for (const node of reachable(results)) {
      if (params.includes(node)) continue;
      const { lower, checked } = op(node.op);
      if (!cheap.has(lower.family) || checked !== undefined) return false;
      if (node.op === 'constant') continue;
      count++;
      work += lower.family === 'elementwise' ? sizeOf(node.type.shape) : 0;
    }
  }
  return work <= MOST_WORK && count <= MOST_NODES;
}

export const choices = definePass({
  name: 'choices',
  about: 'Computes both branches of a choice between little work, and selects.',
  run: (graph, roots) => {
    const t = new Terms(graph);
    return rewriteParts(graph, roots, (node, inputs, attrs) => {
      if (node.op !== 'cond') return remake(graph, node, inputs, attrs);
      const { predicate, consts, branches } = condSpec({ inputs, attrs });
      if (!isCheap(branches)) return remake(graph, node, inputs, attrs);
      const [taken, otherwise] = branches.map((branch) => applyRegion(graph, branch, consts));
      const results = taken.map((x, k) => t.select(t.spread(predicate, x.type.shape), x, otherwise[k]));
      return [t.cast(predicate, 'i32'), ...results];
    });
  },
});
