/**
 * Batching: graph → graph, by the records' `batch` alone; iterative. What depends on no mapped node is shared by all elements, so the size of the result does
 * not depend on their number.
 */
import type { Graph } from '../ir/tensor/graph.ts';
import { isRegion, ownDependencies } from '../ops/region.ts';
import { op } from '../ops/table.ts';
import type { Attrs, BatchContext, Image, Node } from '../ops/types.ts';

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

/** Nodes that the outputs need, inputs first, that are not given. */
function between(outputs: readonly Node[], given: ReadonlyMap<Node, Image>): Node[] {
  const seen = new Set<Node>();
  const stack = [...outputs];
  while (stack.length > 0) {
    const node = stack.pop() as Node;
    if (seen.has(node) || given.has(node)) continue;
    seen.add(node);
    stack.push(...ownDependencies(node));
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

function imageOf(ctx: BatchContext, inputs: readonly Image[]): Image {
  const { b, node, outside } = ctx;
  const reads = ownDependencies(node).map((d) => outside.get(d) as Image);
  if (reads.some((image) => image.mapped)) {
    const { batch } = op(node.op);
    if (batch === 'refused') throw new BatchError(node);
    const made = batch(
      ctx,
      inputs.map((i) => i.node),
      inputs.map((i) => i.mapped),
    );
    return { node: made, mapped: true };
  }
  const same = ownDependencies(node).every((d) => outside.get(d)?.node === d);
  if (same) return { node, mapped: false };
  const image = (d: Node) => (outside.get(d) as Image).node;
  return { node: b.make(node.op, node.inputs.map(image), withImages(node.attrs, image)), mapped: false };
}

/** Attributes with what open regions read replaced. Closed ones read nothing that has another image. */
function withImages(attrs: Attrs, image: (node: Node) => Node): Attrs {
  return Object.fromEntries(
    Object.entries(attrs).map(([name, value]) => [
      name,
      isRegion(value) ? { params: value.params, results: value.results.map((r) => image(r)) } : value,
    ]),
  );
}
