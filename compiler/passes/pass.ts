/** A pass is data: a name, one line about it, and a pure function from roots to roots that computes the same values. */
import type { Graph } from '../ir/tensor/graph.ts';
import type { Node } from '../ops/types.ts';

export interface Pass {
  readonly name: string;
  /** One line for `explain` and the documentation. */
  readonly about: string;
  /** New roots, one for each given root and of its type; nodes are made in `graph`, which made the given ones. */
  readonly run: (graph: Graph, roots: readonly Node[]) => Node[];
}

export function definePass(pass: Pass): Pass {
  return pass;
}

/** Runs the passes in order; `after` sees the roots after each (for verification and `explain`). */
export function runPasses(
  graph: Graph,
  roots: readonly Node[],
  passes: readonly Pass[],
  after: (pass: Pass, roots: readonly Node[]) => void = () => undefined,
): Node[] {
  let current = [...roots];
  for (const pass of passes) {
    current = pass.run(graph, current);
    after(pass, current);
  }
  return current;
}
