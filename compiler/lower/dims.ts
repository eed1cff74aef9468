/** The axes of a dot_general gathered into batch, row (lhs free), column (rhs free) and shared axes, each counted by one flat index. */
import type { Node } from '../ops/types.ts';
import { dotAxes } from '../ops/contraction.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import { flatten, ix, unflatten, type IndexExpr } from '../ir/kernel/index-expr.ts';

export interface Contraction {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** True where the last axis of both operands is a shared one. */
  readonly lastShared: boolean;
  lhs(batch: IndexExpr, row: IndexExpr, shared: IndexExpr): IndexExpr[];
  rhs(batch: IndexExpr, shared: IndexExpr, column: IndexExpr): IndexExpr[];
  /** Index of a result element, and back. */
  result(batch: IndexExpr, row: IndexExpr, column: IndexExpr): IndexExpr[];
  split(index: readonly IndexExpr[]): { batch: IndexExpr; row: IndexExpr; column: IndexExpr };
}

export function contractionOf(node: Node): Contraction {
  const [lhs, rhs] = node.inputs.map((i) => i.type.shape);
  const axes = dotAxes(node.attrs, lhs.length, rhs.length);
  const dims = {
    batch: axes.lhsBatch.map((a) => lhs[a]),
    row: axes.lhsFree.map((a) => lhs[a]),
    column: axes.rhsFree.map((a) => rhs[a]),
    shared: axes.lhsContract.map((a) => lhs[a]),
  };
  const place = (rank: number, groups: readonly (readonly [readonly number[], IndexExpr[]])[]): IndexExpr[] => {
    const index: IndexExpr[] = Array.from({ length: rank }, () => ix(0));
    for (const [list, values] of groups) list.forEach((a, i) => (index[a] = values[i]));
    return index;
  };
  return {
    batch: sizeOf(dims.batch),
    m: sizeOf(dims.row),
    n: sizeOf(dims.column),
    k: sizeOf(dims.shared),
    lastShared: axes.lhsContract.includes(lhs.length - 1) && axes.rhsContract.includes(rhs.length - 1),
    lhs: (batch, row, shared) =>
      place(lhs.length, [
        [axes.lhsBatch, unflatten(batch, dims.batch)],
        [axes.lhsFree, unflatten(row, dims.row)],
        [axes.lhsContract, unflatten(shared, dims.shared)],
      ]),
    rhs: (batch, shared, column) =>
      place(rhs.length, [
        [axes.rhsBatch, unflatten(batch, dims.batch)],
        [axes.rhsFree, unflatten(column, dims.column)],
        [axes.rhsContract, unflatten(shared, dims.shared)],
      ]),
    result: (batch, row, column) => [
      ...unflatten(batch, dims.batch),
      ...unflatten(row, dims.row),
      ...unflatten(column, dims.column),
    ],
    split: (index) => {
      const b = dims.batch.length;
      const r = dims.row.length;
      return {
        batch: flatten(index.slice(0, b), dims.batch),
        row: flatten(index.slice(b, b + r), dims.row),
        column: flatten(index.slice(b + r), dims.column),
      };
    },
  };
}
