/** Forward mode: graph → graph, by the records' `jvp` alone; iterative, linear, nestable, as reverse mode is. */
import type { Graph } from '../ir/tensor/graph.ts';
import { op } from '../ops/table.ts';
import type { Node } from '../ops/types.ts';
import { activeNodes } from './active.ts';
import type { Contexts } from './reverse.ts';

export interface Tangents {
  /** One per output, of its type; zeros where no derivative flows. */
  readonly values: readonly Node[];
  readonly reached: readonly boolean[];
}

/** See `jvp` of `transforms.ts`; `contextOf` gives the rules what they need. */
export function pushForward(
  graph: Graph,
  contextOf: Contexts,
  outputs: readonly Node[],
  wrt: readonly Node[],
  tangents: readonly Node[],
): Tangents {
  const leaves = new Set(wrt);
  const known = new Map<Node, Node>(wrt.map((node, i) => [node, tangents[i]]));
  /** Tangents of the results of nodes that have several. */
  const parts = new Map<Node, readonly (Node | undefined)[]>();
  for (const node of activeNodes(outputs, leaves, 'jvp')) {
    if (leaves.has(node)) continue;
    const { jvp: rule, several, lower } = op(node.op);
    const given = node.inputs.map((input) => (input.type.dtype === 'f32' ? known.get(input) : undefined));
    graph.at(
      node.span,
      () => {
        if (several) {
          if (given.some((t) => t !== undefined)) parts.set(node, several.jvp(contextOf(node), given));
          return;
        }
        const ofPart = lower.family === 'part' ? parts.get(node.inputs[0])?.[node.attrs.index as number] : undefined;
        const tangent = rule === 'none' ? ofPart : rule(contextOf(node), given);
        if (tangent) known.set(node, tangent);
      },
      node.path,
    );
  }
  return {
    values: outputs.map((node) => known.get(node) ?? graph.constant(0, node.type)),
    reached: outputs.map((node) => known.has(node)),
  };
}
