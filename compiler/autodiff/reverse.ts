/**
 * Reverse mode: graph → graph, by the records' `vjp` alone. Every result is an ordinary graph, so derivatives nest to any order.
 * Iterative and linear in the number of nodes. Derivative nodes carry the span and path of the node they come from.
 */
import { InternalError } from '../diagnostics/diagnostic.ts';
import { type Graph, typeText } from '../ir/tensor/graph.ts';
import { op } from '../ops/table.ts';
import type { Node } from '../ops/types.ts';
import { activeNodes } from './active.ts';

export interface Gradients {
  /** One per `wrt` node, of its type; zeros where no derivative flows. */
  readonly values: readonly Node[];
  /** Is there a differentiable path from the output to the `wrt` node? Where not, its gradient is zero everywhere. */
  readonly reached: readonly boolean[];
}

/**
 * Derivatives of an f32 scalar. `wrt` nodes are leaves: what flows into one is collected there and goes no further, so a node and
 * one that it was computed from may both be named. Throws OPT401 where a derivative would have to pass a write.
 */
export function grad(graph: Graph, output: Node, wrt: readonly Node[]): Gradients {
  if (output.type.dtype !== 'f32' || output.type.shape.length > 0) {
    throw new InternalError(`the gradient of ${typeText(output.type)} was asked; it must be an f32 scalar`);
  }
  return vjp(graph, [output], [graph.constant(1, output.type)], wrt);
}

/** Sum over the outputs of the transposed derivative applied to their cotangents (each of the type of its output). */
export function vjp(
  graph: Graph,
  outputs: readonly Node[],
  cotangents: readonly Node[],
  wrt: readonly Node[],
): Gradients {
  const leaves = new Set(wrt);
  const active = activeNodes(outputs, leaves, 'vjp');
  const flowing = new Map<Node, Node>();
  const flow = (to: Node, g: Node) => {
    const before = flowing.get(to);
    flowing.set(to, before ? graph.make('add', [before, g]) : g);
  };
  outputs.forEach((output, i) => {
    if (active.has(output)) flow(output, cotangents[i]);
  });
  // users before inputs: all of a node's cotangent has arrived when it is visited
  for (const node of [...active].sort((a, b) => b.id - a.id)) {
    const g = flowing.get(node);
    const rule = op(node.op).vjp;
    if (!g || leaves.has(node) || rule === 'none') continue;
    graph.at(
      node.span,
      () => {
        const context = { b: graph, node, inputs: node.inputs, pull: pullWith(graph) };
        rule(context, g).forEach((part, i) => {
          if (part && active.has(node.inputs[i])) flow(node.inputs[i], part);
        });
      },
      node.path,
    );
  }
  return {
    values: wrt.map((node) => flowing.get(node) ?? graph.constant(0, node.type)),
    reached: wrt.map((node) => flowing.has(node)),
  };
}

/** The `pull` of a DerivativeContext. */
export function pullWith(graph: Graph): (output: Node, wrt: readonly Node[]) => Node[] {
  return (output, wrt) => [...grad(graph, output, wrt).values];
}
