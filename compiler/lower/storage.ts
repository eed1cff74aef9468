/** What code that computes nodes must know of the entry around it. */
import type { BranchBuilder, Value } from '../ir/kernel/builder.ts';
import type { IndexExpr } from '../ir/kernel/index-expr.ts';
import type { View } from '../ir/kernel/kernel.ts';
import type { Range } from '../ir/tensor/ranges.ts';
import type { Node } from '../ops/types.ts';

/** Thrown where a node cannot be computed within the kernel at hand; the grouping then keeps kernels apart. */
export class NotFusable extends Error {}

export interface Storage {
  /** The node of an outer block that a region's constant stands for; otherwise the node itself. */
  resolve(node: Node): Node;
  /** What is known of a region parameter that is an integer. */
  range(node: Node): Range | undefined;
  /** The view of a stored tensor, unless this kernel computes it itself. */
  view(node: Node): View | undefined;
  /** The parameter words that hold a host value, if it is one. */
  host(node: Node): View | undefined;
  /** Number of the fault that an out-of-range index at this node raises. */
  fault(node: Node, message: string): number;
}

/** Writes the code of one element of a node: what `pull.ts` is to the rules that it calls. */
export interface ElementWriter {
  readonly b: BranchBuilder;
  readonly storage: Storage;
  pull(node: Node, index: readonly IndexExpr[]): Value;
  /** Depth of the place where code that depends on an index only can stand. */
  depthOf(index: readonly IndexExpr[]): number;
}
