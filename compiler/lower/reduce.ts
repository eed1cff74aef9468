/**
 * Reductions and small contractions as loops within an invocation, in the outermost place where the result's index is known. Rows along the last
 * axis are walked four elements at a time; other axes are summed for four neighbouring results at once.
 */
import { indexMessage } from '../ops/index.ts';
import { op as opOf } from '../ops/table.ts';
import type { DType, Node } from '../ops/types.ts';
import { InternalError } from '../diagnostics/diagnostic.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import type { BranchBuilder, Value } from '../ir/kernel/builder.ts';
import { addIndex, ix, laneOf, ofAtom, scaleIndex, unflatten, type IndexExpr } from '../ir/kernel/index-expr.ts';
import { contractionOf } from './dims.ts';
import { NotFusable, type ElementWriter } from './storage.ts';
import { fits } from '../ir/tensor/ranges.ts';

export function reduceAt(p: ElementWriter, node: Node, index: readonly IndexExpr[]): Value {
  const { b } = p;
  const [x] = node.inputs;
  const axes = node.attrs.axes as readonly number[];
  const dims = axes.map((a) => x.type.shape[a]);
  const length = sizeOf(dims);
  const dtype = node.type.dtype;
  const combine = (opOf(node.op).lower as { combine: string }).combine;
  // '$splits' of a partial reduction: element s of the leading axis takes every splits-th item (see split.ts).
  const splits = (node.attrs.$splits as number | undefined) ?? 1;
  const outer = splits > 1 ? index.slice(1) : index;
  const start = splits > 1 ? index[0] : ix(0);
  if (laneOf(start)) throw new NotFusable('loops that start differently in each component');
  return b.atDepth(p.depthOf(index), () => {
    const rowwise = axes.includes(x.type.shape.length - 1) && !index.some((e) => laneOf(e));
    const vector = rowwise && length % 4 === 0 && length > 4 && length / 4 >= splits;
    const zero = b.constant(identity(combine, dtype), dtype);
    const init = vector ? b.vector([zero, zero, zero, zero]) : widened(b, zero, index);
    const extent = vector ? length / 4 : length;
    const [total] = b.loop(extent, start, splits, [init], (k, [acc]) => {
      const position = vector ? addIndex(scaleIndex(ofAtom(k), 4), ofAtom(b.lane())) : ofAtom(k);
      const inner = unflatten(position, dims);
      const kept = [...outer];
      const at = x.type.shape.map((_, a) => {
        const i = axes.indexOf(a);
        return i >= 0 ? inner[i] : (kept.shift() as IndexExpr);
      });
      return [b.op(combine, [acc, p.pull(x, at)], dtype)];
    });
    return vector ? horizontal(b, combine, total) : total;
  });
}

/** Combines the four components of a vector. */
function horizontal(b: BranchBuilder, op: string, v: Value): Value {
  const [x, y, z, w] = [0, 1, 2, 3].map((k) => b.component(v, k));
  return b.op(op, [b.op(op, [x, y], v.dtype), b.op(op, [z, w], v.dtype)], v.dtype);
}

/** A scalar as wide as values at this index are. */
function widened(b: BranchBuilder, v: Value, index: readonly IndexExpr[]): Value {
  return index.some((e) => laneOf(e)) ? b.vector([v, v, v, v]) : v;
}

/** Index of the first greatest (least) element; the first NaN wins. */
export function extremeAt(p: ElementWriter, node: Node, index: readonly IndexExpr[]): Value {
  const { b } = p;
  const [x] = node.inputs;
  const axis = node.attrs.axis as number;
  const dtype = x.type.dtype;
  const better = node.op === 'argmax' ? 'gt' : 'lt';
  return b.atDepth(p.depthOf(index), () => {
    const at = (k: IndexExpr) => p.pull(x, [...index.slice(0, axis), k, ...index.slice(axis)]);
    const first = at(ix(0));
    const zero = widened(b, b.constant(0, 'i32'), index);
    const start = first.width === zero.width ? first : widened(b, first, index);
    const [, position] = b.loop(x.type.shape[axis], ix(1), 1, [start, zero], (k, [best, where]) => {
      const value = at(ofAtom(k));
      let wins = b.op(better, [value, best], 'bool');
      if (dtype === 'f32') {
        const fresh = b.op(
          'and',
          [b.op('is_nan', [value], 'bool'), b.op('not', [b.op('is_nan', [best], 'bool')], 'bool')],
          'bool',
        );
        wins = b.op('or', [wins, fresh], 'bool');
      }
      return [b.op('select', [wins, value, best], dtype), b.op('select', [wins, b.index(ofAtom(k)), where], 'i32')];
    });
    return position;
  });
}

/** A contraction as a plain loop over the shared axes, for small sizes; large ones are kernels of their own. */
export function contractionAt(p: ElementWriter, node: Node, index: readonly IndexExpr[]): Value {
  const { b } = p;
  const c = contractionOf(node);
  const { batch, row, column } = c.split(index);
  const dtype = node.type.dtype;
  const splits = (node.attrs.$splits as number | undefined) ?? 1;
  if (splits > 1) throw new InternalError('split contractions are split before they are pulled');
  return b.atDepth(p.depthOf(index), () => {
    const vector = c.k % 4 === 0 && c.k > 4 && !index.some((e) => laneOf(e)) && c.lastShared;
    const zero = b.constant(0, dtype);
    const init = vector ? b.vector([zero, zero, zero, zero]) : widened(b, zero, index);
    const [total] = b.loop(vector ? c.k / 4 : c.k, ix(0), 1, [init], (k, [acc]) => {
      const position = vector ? addIndex(scaleIndex(ofAtom(k), 4), ofAtom(b.lane())) : ofAtom(k);
      const x = p.pull(node.inputs[0], c.lhs(batch, row, position));
      const y = p.pull(node.inputs[1], c.rhs(batch, position, column));
      return [b.mad(x, y, acc)];
    });
    return vector ? horizontal(b, 'add', total) : total;
  });
}

/** Sum of the updates whose index is this one: a loop over all of them, so the order of addition is fixed. */
export function scatterAddAt(p: ElementWriter, node: Node, index: readonly IndexExpr[]): Value {
  const { b } = p;
  const [indices, updates] = node.inputs;
  const axis = node.attrs.axis as number;
  const size = node.attrs.size as number;
  const dtype = node.type.dtype;
  const count = sizeOf(indices.type.shape);
  return b.atDepth(p.depthOf(index), () => {
    const zero = widened(b, b.constant(0, dtype), index);
    const target = b.index(index[axis]);
    const [total] = b.loop(count, ix(0), 1, [zero], (j, [acc]) => {
      const at = unflatten(ofAtom(j), indices.type.shape);
      const chosen = p.pull(indices, at);
      const clamped = b.clamp(chosen, 0, Math.max(0, size - 1));
      if (!fits(indices, size)) {
        const number = p.storage.fault(node, indexMessage('{index}', size));
        b.fault(b.op('eq', [chosen, clamped], 'bool'), number, chosen);
      }
      const value = p.pull(updates, [...index.slice(0, axis), ...at, ...index.slice(axis + 1)]);
      const hit = b.op('eq', [chosen, target], 'bool');
      return [b.op('add', [acc, b.op('select', [hit, value, b.constant(0, dtype)], dtype)], dtype)];
    });
    return total;
  });
}

function identity(combine: string, dtype: DType): number {
  switch (combine) {
    case 'add':
    case 'or':
      return 0;
    case 'mul':
      return 1;
    case 'and':
      return dtype === 'bool' ? 1 : dtype === 'u32' ? 0xffffffff : -1;
    case 'max':
      return dtype === 'f32' ? -Infinity : dtype === 'i32' ? -2147483648 : 0;
    case 'min':
      return dtype === 'f32' ? Infinity : dtype === 'i32' ? 2147483647 : 0xffffffff;
    default:
      throw new InternalError(`no identity for the reduction '${combine}'`);
  }
}
