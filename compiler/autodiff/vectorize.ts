/**
 * Batching: graph → graph, by the records' `batch` alone; iterative. What depends on no mapped node is shared by all elements, so the size of the result does
 * not depend on their number.
 */
import type { Graph } from '../ir/tensor/graph.ts';
import { outerDependencies, rebuild } from '../ops/region.ts';
import { op } from '../ops/table.ts';
import type { BatchContext, Image, Node } from '../ops/types.ts';

/** The primitive refuses to be batched; the caller, who knows what was asked, says so where it stands. */
export class BatchError extends Error {
  readonly node: Node;

  constructor(node: Node) {
    super(`'${node.op}' cannot be batched`);
    this.name = 'BatchError';
    this.node = node;
  }
}

/** Images of the outputs for n elements, given images of some nodes; see `vectorize` of `transforms.ts`. */
export function batchImages(
  graph: Graph,
  transform: BatchContext['transform'],
  outputs: readonly Node[],
  given: ReadonlyMap<Node, Image>,
  n: number,
): Image[] {
  const images = new Map<Node, Image>(given);
  /** Images of the results of nodes that have several. */
  const parts = new Map<Node, readonly Image[]>();
  for (const node of between(outputs, given)) {
    if (!parts.has(node.inputs[0]) && staysItself(node, images)) {
      images.set(node, { node, mapped: false });
      continue;
    }
    const { span, path } = node;
    const inputs = node.inputs.map((input) => images.get(input) as Image);
    const ctx: BatchContext = { b: graph, node, n, transform, outside: images };
    graph.at(
      span,
      () => {
        const { several, lower } = op(node.op);
        const of = lower.family === 'part' ? parts.get(node.inputs[0]) : undefined;
        if (of) images.set(node, of[node.attrs.index as number]);
        else if (several && inputs.some((i) => i.mapped)) {
          parts.set(
            node,
            several.batch(
              ctx,
              inputs.map((i) => i.node),
              inputs.map((i) => i.mapped),
            ),
          );
          images.set(node, { node, mapped: false });
        } else images.set(node, imageOf(ctx, inputs));
      },
      path,
    );
  }
  return outputs.map((output) => images.get(output) as Image);
}

/** What reads neither a mapped node nor one in whose place another stands is shared with the graph around. */
function staysItself(node: Node, images: ReadonlyMap<Node, Image>): boolean {
  for (const read of outerDependencies(node)) {
    const image = images.get(read) as Image;
    if (image.mapped || image.node !== read) return false;
  }
  return true;
}

/** Nodes that the outputs need, inputs first, that are not given. */
function between(outputs: readonly Node[], given: ReadonlyMap<Node, Image>): Node[] {
  const seen = new Set<Node>();
  const stack = [...outputs];
  while (stack.length > 0) {
    const node = stack.pop() as Node;
    if (seen.has(node) || given.has(node)) continue;
    seen.add(node);
    stack.push(...outerDependencies(node));
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

function imageOf(ctx: BatchContext, inputs: readonly Image[]): Image {
  const { b, node, outside } = ctx;
  const { batch } = op(node.op);
  const reads = outerDependencies(node);
  if (reads.some((d) => outside.get(d)?.mapped)) {
    if (batch === 'refused') throw new BatchError(node);
    const nodes = inputs.map((i) => i.node);
    const flags = inputs.map((i) => i.mapped);
    return { node: batch(ctx, nodes, flags), mapped: true };
  }
  const replaced = new Map(reads.map((d) => [d, (outside.get(d) as Image).node]));
  const [made] = rebuild([node], replaced, (n, args, attrs) => b.make(n.op, args, attrs));
  return { node: made, mapped: false };
}
