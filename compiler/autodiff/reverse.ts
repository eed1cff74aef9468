/**
 * Reverse mode: graph → graph, by the records' `vjp` alone. Every result is an ordinary graph, so derivatives nest to any order.
 * Iterative and linear in the number of nodes. Derivative nodes carry the span and path of the node they come from.
 */
import type { Graph } from '../ir/tensor/graph.ts';
import { op } from '../ops/table.ts';
import type { DerivativeContext, Node } from '../ops/types.ts';
import { activeNodes } from './active.ts';

export interface Gradients {
  /** One per `wrt` node, of its type; zeros where no derivative flows. */
  readonly values: readonly Node[];
  /** Is there a differentiable path from the output to the `wrt` node? Where not, its gradient is zero everywhere. */
  readonly reached: readonly boolean[];
}

/** What the rules of a node get. */
export type Contexts = (node: Node) => DerivativeContext;

/** Cotangents that have arrived at nodes and, of those with several results, at their parts. */
class Flow {
  private readonly graph: Graph;
  private readonly whole = new Map<Node, Node>();
  private readonly parts = new Map<Node, (Node | undefined)[]>();

  constructor(graph: Graph) {
    this.graph = graph;
  }
  get(node: Node): Node | undefined {
    return this.whole.get(node);
  }
  ofParts(node: Node): readonly (Node | undefined)[] | undefined {
    return this.parts.get(node);
  }
  add(to: Node, g: Node): void {
    this.whole.set(to, this.sum(this.whole.get(to), g));
  }
  addPart(to: Node, index: number, g: Node): void {
    const list = this.parts.get(to) ?? (to.type.parts ?? []).map(() => undefined);
    list[index] = this.sum(list[index], g);
    this.parts.set(to, list);
  }
  private sum(before: Node | undefined, g: Node): Node {
    return before ? this.graph.make('add', [before, g]) : g;
  }
}

/** See `vjp` of `transforms.ts`; `contextOf` gives the rules what they need. */
export function pullBack(
  graph: Graph,
  contextOf: Contexts,
  outputs: readonly Node[],
  cotangents: readonly Node[],
  wrt: readonly Node[],
): Gradients {
  const leaves = new Set(wrt);
  const active = activeNodes(outputs, leaves, 'vjp');
  const flow = new Flow(graph);
  outputs.forEach((output, i) => {
    if (active.has(output)) flow.add(output, cotangents[i]);
  });
  // users before inputs: all of a node's cotangent has arrived when it is visited
  for (const node of [...active].sort((a, b) => b.id - a.id)) {
    if (leaves.has(node)) continue;
    graph.at(node.span, () => pullNode(node, active, flow, contextOf), node.path);
  }
  return {
    values: wrt.map((node) => flow.get(node) ?? graph.constant(0, node.type)),
    reached: wrt.map((node) => flow.get(node) !== undefined),
  };
}

/** Passes what has arrived at a node on to its inputs. */
function pullNode(node: Node, active: ReadonlySet<Node>, flow: Flow, contextOf: Contexts): void {
  const { vjp: rule, several, lower } = op(node.op);
  const g = flow.get(node);
  const gs = flow.ofParts(node);
  const flags = node.inputs.map((input) => active.has(input));
  let parts: readonly (Node | undefined)[] = [];
  if (several) {
    if (gs) parts = several.vjp(contextOf(node), gs, flags);
  } else if (g && lower.family === 'part') {
    flow.addPart(node.inputs[0], node.attrs.index as number, g);
  } else if (g && rule !== 'none') parts = rule(contextOf(node), g);
  parts.forEach((part, i) => {
    if (part && flags[i]) flow.add(node.inputs[i], part);
  });
}
