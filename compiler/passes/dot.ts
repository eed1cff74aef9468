/**
 * Brings every contraction into one of the forms that kernels exist for: operands [M, K] or [K, M] and [K, N] or [N, K], with one
 * leading batch axis on both if there is any batch, and result [M, N] or [batch, M, N]. Permutes of an operand are absorbed into the
 * choice of axes (a transposed operand is read transposed, never written); more axes are joined by reshapes, which are free.
 */
import type { Graph } from '../ir/tensor/graph.ts';
import { rewrite } from '../ir/tensor/rewrite.ts';
import { range, sameShape, sizeOf } from '../ops/arrays.ts';
import { dotAxes } from '../ops/contraction.ts';
import { Terms } from '../ops/terms.ts';
import type { Node } from '../ops/types.ts';
import { definePass } from './pass.ts';

/** An operand with its axes by role, each group in the order that the result (or the other operand) needs. */
interface Operand {
  readonly node: Node;
  readonly batch: readonly number[];
  readonly free: readonly number[];
  readonly contract: readonly number[];
}

/** An operand in canonical form, and which of its last two axes is contracted. */
interface Canonical {
  readonly node: Node;
  readonly contractLast: boolean;
}

export const dot = definePass({
  name: 'dot',
  about: 'Brings contractions into matrix form and absorbs transposes of their operands.',
  run: (graph, roots) =>
    rewrite(graph, roots, (node) => (node.op === 'dot_general' ? canonicalDot(graph, node) : node)),
});

function canonicalDot(graph: Graph, node: Node): Node {
  const [lhs, rhs] = node.inputs;
  const axes = dotAxes(node.attrs, lhs.type.shape.length, rhs.type.shape.length);
  const left = absorbed({ node: lhs, batch: axes.lhsBatch, free: axes.lhsFree, contract: axes.lhsContract });
  const right = absorbed({ node: rhs, batch: axes.rhsBatch, free: axes.rhsFree, contract: axes.rhsContract });
  // pairs of contracted axes may go in any order: take the left operand's own
  const order = range(left.contract.length).sort((i, j) => left.contract[i] - left.contract[j]);
  const sorted = (operand: Operand): Operand => ({ ...operand, contract: order.map((i) => operand.contract[i]) });
  const l = canonical(graph, sorted(left));
  const r = canonical(graph, sorted(right));
  const batched = axes.lhsBatch.length > 0;
  const attrs = {
    lhs_contract: [(batched ? 1 : 0) + (l.contractLast ? 1 : 0)],
    rhs_contract: [(batched ? 1 : 0) + (r.contractLast ? 1 : 0)],
    lhs_batch: batched ? [0] : [],
    rhs_batch: batched ? [0] : [],
  };
  const done =
    l.node === lhs &&
    r.node === rhs &&
    Object.entries(attrs).every(([k, v]) => sameShape(node.attrs[k] as number[], v));
  if (done) return node;
  return new Terms(graph).reshape(graph.make('dot_general', [l.node, r.node], attrs), node.type.shape);
}

/** The operand below its permutes, with the axes they stood for. */
function absorbed(operand: Operand): Operand {
  let current = operand;
  while (current.node.op === 'permute') {
    const axes = current.node.attrs.axes as readonly number[];
    const under = (list: readonly number[]) => list.map((a) => axes[a]);
    current = {
      node: current.node.inputs[0],
      batch: under(current.batch),
      free: under(current.free),
      contract: under(current.contract),
    };
  }
  return current;
}

function canonical(graph: Graph, { node, batch, free, contract }: Operand): Canonical {
  const t = new Terms(graph);
  const { shape } = node.type;
  const size = (axes: readonly number[]) => sizeOf(axes.map((a) => shape[a]));
  const joined = (x: Node, first: readonly number[], second: readonly number[]) =>
    t.reshape(x, [...(batch.length > 0 ? [size(batch)] : []), size(first), size(second)]);
  const inOrder = (axes: readonly number[]) => axes.every((axis, i) => axis === i);
  if (inOrder([...batch, ...contract, ...free])) return { node: joined(node, contract, free), contractLast: false };
  const wanted = [...batch, ...free, ...contract];
  return { node: joined(t.permute(node, wanted), free, contract), contractLast: true };
}
