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
  const images = new Images(given);
  /** Images of the results of nodes that have several. */
  const parts = new Map<Node, readonly Image[]>();
  for (const [node, reads] of between(outputs, given)) {
    if (!parts.has(node.inputs[0]) && reads.every((read) => images.isItself(read))) continue;
    const { span, path } = node;
    const inputs = node.inputs.map((input) => images.get(input));
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
        } else images.set(node, imageOf(ctx, reads, inputs));
      },
      path,
    );
  }
  return outputs.map((output) => images.get(output));
}

/** Which outputs differ by element, where the given nodes do; see `varies` of `transforms.ts`. */
export function varyingOutputs(
  transform: Pick<BatchContext['transform'], 'varies'>,
  outputs: readonly Node[],
  given: readonly Node[],
): boolean[] {
  const varying = new Set(given);
  const parts = new Map<Node, readonly boolean[]>();
  for (const [node, reads] of between(outputs, varying)) {
    const { several, lower } = op(node.op);
    const ofPart = lower.family === 'part' ? parts.get(node.inputs[0]) : undefined;
    if (ofPart) {
      if (ofPart[node.attrs.index as number]) varying.add(node);
    } else if (several) {
      const flags = node.inputs.map((input) => varying.has(input));
      if (flags.includes(true)) parts.set(node, several.varies(node, flags, transform));
    } else if (reads.some((read) => varying.has(read))) varying.add(node);
  }
  return outputs.map((output) => varying.has(output));
}

/** Images of nodes. What reads neither a mapped node nor one in whose place another stands has none: it is shared with the graph around. */
class Images extends Map<Node, Image> {
  override get(node: Node): Image {
    return super.get(node) ?? { node, mapped: false };
  }
  isItself(node: Node): boolean {
    const image = super.get(node);
    return image === undefined || (!image.mapped && image.node === node);
  }
}

/** Nodes that the outputs need and that are not given, inputs first, with what they read. What is older than all that is given reads none of it. */
function between(outputs: readonly Node[], given: Pick<ReadonlySet<Node>, 'has' | 'keys'>): [Node, readonly Node[]][] {
  let oldest = Infinity;
  for (const node of given.keys()) oldest = Math.min(oldest, node.id);
  const seen = new Map<Node, readonly Node[]>();
  const stack = [...outputs];
  while (stack.length > 0) {
    const node = stack.pop() as Node;
    if (node.id < oldest || seen.has(node) || given.has(node)) continue;
    const reads = outerDependencies(node);
    seen.set(node, reads);
    for (const read of reads) stack.push(read);
  }
  return [...seen].sort(([a], [b]) => a.id - b.id);
}

function imageOf(ctx: BatchContext, reads: readonly Node[], inputs: readonly Image[]): Image {
  const { b, node, outside } = ctx;
  const { batch } = op(node.op);
  if (reads.some((d) => outside.get(d)?.mapped)) {
    if (batch === 'refused') throw new BatchError(node);
    const nodes = inputs.map((i) => i.node);
    const flags = inputs.map((i) => i.mapped);
    return { node: batch(ctx, nodes, flags), mapped: true };
  }
  const replaced = new Map(reads.map((d) => [d, outside.get(d)?.node ?? d]));
  const [made] = rebuild([node], replaced, (n, args, attrs) => b.make(n.op, args, attrs));
  return { node: made, mapped: false };
}
