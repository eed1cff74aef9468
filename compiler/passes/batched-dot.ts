/**
 * Contractions that batching left with more work than there is: an operand that all elements of a batch axis share needs no copy for each (the axis is a free
 * one of the other operand), and products that are summed over a batch axis contract it. Masks by element, which guards put between the two, go to the operands.
 */
import type { Graph } from '../ir/tensor/graph.ts';
import { rewrite } from '../ir/tensor/rewrite.ts';
import { range } from '../ops/arrays.ts';
import { dotAxes } from '../ops/contraction.ts';
import { Terms } from '../ops/terms.ts';
import type { Node } from '../ops/types.ts';
import { definePass } from './pass.ts';

export const batchedDot = definePass({
  name: 'batched-dot',
  about: 'Takes batch axes off contractions whose operands share a value, or whose products are summed over the batch.',
  run: (graph, roots) =>
    rewrite(graph, roots, (node) => {
      if (node.op === 'dot_general') return withoutSharedBatch(graph, node) ?? node;
      if (node.op === 'reduce_sum') return summedBatch(graph, node) ?? node;
      return node;
    }),
});

const list = (node: Node, name: string) => node.attrs[name] as readonly number[];

/** Axes along which a broadcast repeats its input as a whole. */
function repeated(node: Node): ReadonlySet<number> {
  if (node.op !== 'broadcast') return new Set();
  const axes = list(node, 'axes');
  return new Set(range(node.type.shape.length).filter((a) => !axes.includes(a)));
}

/** A broadcast without some of the axes it repeats along, and where the others went. */
function without(graph: Graph, node: Node, gone: readonly number[]): { node: Node; axis: (a: number) => number } {
  const kept = range(node.type.shape.length).filter((a) => !gone.includes(a));
  const axis = (a: number) => kept.indexOf(a);
  const shape = kept.map((a) => node.type.shape[a]);
  const axes = list(node, 'axes').map(axis);
  return { node: graph.make('broadcast', [node.inputs[0]], { shape, axes }), axis };
}

function withoutSharedBatch(graph: Graph, node: Node): Node | undefined {
  const [lhs, rhs] = node.inputs;
  const axes = dotAxes(node.attrs, lhs.type.shape.length, rhs.type.shape.length);
  const shared = [repeated(lhs), repeated(rhs)];
  const [left, right] = [0, 1].map((side) =>
    range(axes.lhsBatch.length).filter((k) => {
      const at = [axes.lhsBatch[k], axes.rhsBatch[k]];
      return shared[side].has(at[side]) && !shared[1 - side].has(at[1 - side]);
    }),
  );
  if (left.length + right.length === 0) return undefined;
  const same = (x: Node) => ({ node: x, axis: (a: number) => a });
  const l =
    left.length > 0
      ? without(
          graph,
          lhs,
          left.map((k) => axes.lhsBatch[k]),
        )
      : same(lhs);
  const r =
    right.length > 0
      ? without(
          graph,
          rhs,
          right.map((k) => axes.rhsBatch[k]),
        )
      : same(rhs);
  const batch = range(axes.lhsBatch.length).filter((k) => !left.includes(k) && !right.includes(k));
  const attrs = {
    lhs_contract: axes.lhsContract.map(l.axis),
    rhs_contract: axes.rhsContract.map(r.axis),
    lhs_batch: batch.map((k) => l.axis(axes.lhsBatch[k])),
    rhs_batch: batch.map((k) => r.axis(axes.rhsBatch[k])),
  };
  const made = graph.make('dot_general', [l.node, r.node], attrs);
  // axes of the old result in terms of the new one: a batch axis is now free in the operand that really has it
  const now = dotAxes(attrs, l.node.type.shape.length, r.node.type.shape.length);
  const ofLhs = (a: number) => batch.length + now.lhsFree.indexOf(l.axis(a));
  const ofRhs = (a: number) => batch.length + now.lhsFree.length + now.rhsFree.indexOf(r.axis(a));
  const order = [
    ...range(axes.lhsBatch.length).map((k) => {
      if (left.includes(k)) return ofRhs(axes.rhsBatch[k]);
      return right.includes(k) ? ofLhs(axes.lhsBatch[k]) : batch.indexOf(k);
    }),
    ...axes.lhsFree.map(ofLhs),
    ...axes.rhsFree.map(ofRhs),
  ];
  return new Terms(graph).permute(made, order);
}

/** sum over batch axes of products, or of products where a mask of the batch holds and 0 elsewhere. */
function summedBatch(graph: Graph, node: Node): Node | undefined {
  const [x] = node.inputs;
  const masked = x.op === 'select' ? maskedProduct(x) : undefined;
  const product = masked?.product ?? x;
  if (product.op !== 'dot_general') return undefined;
  const t = new Terms(graph);
  const operands = product.inputs;
  const axes = dotAxes(product.attrs, operands[0].type.shape.length, operands[1].type.shape.length);
  const summed = list(node, 'axes').filter((a) => a < axes.lhsBatch.length);
  if (summed.length === 0) return undefined;
  const batches = [axes.lhsBatch, axes.rhsBatch];
  const [lhs, rhs] = operands.map((operand, side) => {
    if (!masked) return operand;
    const mask = t.broadcast(
      masked.mask,
      operand.type.shape,
      masked.axes.map((a) => batches[side][a]),
    );
    return t.select(mask, operand, t.zeros(operand.type));
  });
  const kept = range(axes.lhsBatch.length).filter((k) => !summed.includes(k));
  const made = graph.make('dot_general', [lhs, rhs], {
    lhs_contract: [...axes.lhsContract, ...summed.map((k) => axes.lhsBatch[k])],
    rhs_contract: [...axes.rhsContract, ...summed.map((k) => axes.rhsBatch[k])],
    lhs_batch: kept.map((k) => axes.lhsBatch[k]),
    rhs_batch: kept.map((k) => axes.rhsBatch[k]),
  });
  const left = range(x.type.shape.length).filter((a) => !summed.includes(a));
  const rest = list(node, 'axes').filter((a) => !summed.includes(a));
  return rest.length === 0
    ? made
    : t.sum(
        made,
        rest.map((a) => left.indexOf(a)),
      );
}

/** A product where a mask holds that depends on batch axes of the product alone, and 0 elsewhere. */
function maskedProduct({
  inputs: [c, product, other],
}: Node): { product: Node; mask: Node; axes: readonly number[] } | undefined {
  if (product.op !== 'dot_general' || c.op !== 'broadcast' || other.op !== 'constant') return undefined;
  const batch = list(product, 'lhs_batch').length;
  const axes = list(c, 'axes');
  const fits = other.attrs.value === 0 && axes.every((a) => a < batch);
  return fits && c.inputs[0].type.shape.every((dim, k) => dim === c.type.shape[axes[k]])
    ? { product, mask: c.inputs[0], axes }
    : undefined;
}
