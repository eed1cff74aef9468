/** Batching with messages: what a primitive refuses is said where it was asked. */
import type { Node } from '../ops/types.ts';
import { BatchError, vectorize } from '../autodiff/index.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';

/** The roots for n elements at once, given the values of all elements for nodes of one. Each has a leading axis of n. OPT502 where a primitive refuses. */
export function batched(
  e: Elaboration,
  span: Span,
  roots: readonly Node[],
  images: ReadonlyMap<Node, Node>,
  n: number,
): Node[] {
  try {
    return e.graph.at(span, () => vectorize(e.graph, roots, images, n));
  } catch (error) {
    if (!(error instanceof BatchError)) throw error;
    fail('OPT502', error.node.span ?? span, `'${error.node.op}' cannot be computed for many elements at once yet`, {
      labels: [{ span, text: 'for each element here' }],
      hint: 'move it out of the map',
    });
  }
}
