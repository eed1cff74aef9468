/** Forward mode: graph → graph, by the records' `jvp` alone; iterative, linear, nestable, as reverse mode is. */
import type { Graph } from '../ir/tensor/graph.ts';
import { op } from '../ops/table.ts';
import type { Node } from '../ops/types.ts';
import { activeNodes } from './active.ts';
import { pullWith } from './reverse.ts';

export interface Tangents {
  /** One per output, of its type; zeros where no derivative flows. */
  readonly values: readonly Node[];
  readonly reached: readonly boolean[];
}

/**
 * Derivatives of the outputs along `tangents` (each of the type of its `wrt` node). `wrt` nodes are leaves: their tangents are the
 * given ones, whatever they were computed from. Throws OPT401 where a derivative would have to pass a write.
 */
export function jvp(graph: Graph, outputs: readonly Node[], wrt: readonly Node[], tangents: readonly Node[]): Tangents {
  const leaves = new Set(wrt);
  const known = new Map<Node, Node>(wrt.map((node, i) => [node, tangents[i]]));
  for (const node of activeNodes(outputs, leaves, 'jvp')) {
    const rule = op(node.op).jvp;
    if (leaves.has(node) || rule === 'none') continue;
    const context = { b: graph, node, inputs: node.inputs, pull: pullWith(graph) };
    const parts = node.inputs.map((input) => (input.type.dtype === 'f32' ? known.get(input) : undefined));
    const tangent = graph.at(node.span, () => rule(context, parts), node.path);
    if (tangent) known.set(node, tangent);
  }
  return {
    values: outputs.map((node) => known.get(node) ?? graph.constant(0, node.type)),
    reached: outputs.map((node) => known.has(node)),
  };
}
