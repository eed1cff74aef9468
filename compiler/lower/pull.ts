/**
 * Writes the code that computes one element (or four) of a tensor node at an index. Elementwise nodes ask their inputs at the same index, index
 * operations (broadcast, reshape, slice …) translate it, stored tensors end the recursion in a load, reductions become loops
 * in the outermost place where their index is known. What is stored and what is computed again is decided by `fuse.ts`.
 */
import { op as opOf } from '../ops/table.ts';
import type { DType, Node } from '../ops/types.ts';
import { InternalError } from '../diagnostics/diagnostic.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import type { BranchBuilder, Value } from '../ir/kernel/builder.ts';
import {
  addIndex,
  atLane,
  clampIndex,
  divIndex,
  flatten,
  ix,
  laneOf,
  modIndex,
  ofAtom,
  scaleIndex,
  unflatten,
  type IndexExpr,
} from '../ir/kernel/index-expr.ts';
import type { View } from '../ir/kernel/kernel.ts';
import { contractionOf } from './dims.ts';

/** Thrown where a node cannot be computed within the kernel at hand; the grouping then keeps kernels apart. */
export class NotFusable extends Error {}

/** What the puller must know of the entry. */
export interface Storage {
  /** The view of a stored tensor, unless this kernel computes it itself. */
  view(node: Node): View | undefined;
  /** The parameter words that hold a host value, if it is one. */
  host(node: Node): View | undefined;
  /** Number of the fault that an out-of-range index at this node raises. */
  fault(node: Node, what: string): number;
}

export class Puller {
  readonly b: BranchBuilder;
  private readonly storage: Storage;
  private readonly memo = new Map<string, Value>();
  /** Asked before a node is computed: may give its value (an accumulator) or refuse. */
  private readonly intercept: ((node: Node, index: readonly IndexExpr[]) => Value | undefined) | undefined;

  constructor(
    b: BranchBuilder,
    storage: Storage,
    intercept?: (node: Node, index: readonly IndexExpr[]) => Value | undefined,
  ) {
    this.b = b;
    this.storage = storage;
    this.intercept = intercept;
  }

  /** Value of `node` at `index` (one expression per axis); four values where the index depends on a lane. */
  pull(node: Node, index: readonly IndexExpr[]): Value {
    const key = `${node.id}@${index.map((e) => e.key).join(',')}`;
    const had = this.memo.get(key);
    if (had && this.b.visible(had)) return had;
    const value = this.compute(node, index);
    this.memo.set(key, value);
    return value;
  }

  private compute(node: Node, index: readonly IndexExpr[]): Value {
    const { b } = this;
    const given = this.intercept?.(node, index);
    if (given) return given;
    const host = this.storage.host(node);
    if (host) return b.load(host, flatten(index, node.type.shape));
    const view = this.storage.view(node);
    if (view) return b.load(view, flatten(index, node.type.shape));
    const def = opOf(node.op);
    switch (def.lower.family) {
      case 'elementwise': {
        const args = node.inputs.map((input) => this.pull(input, index));
        return b.op(node.op, args, node.type.dtype, node.attrs);
      }
      case 'indexed':
        return this.indexed(node, index);
      case 'index':
        return this.reindex(node, index);
      case 'alias':
        return this.pull(node.inputs[0], index);
      case 'reduce':
        return node.op === 'argmax' || node.op === 'argmin' ? this.extremeAt(node, index) : this.reduce(node, index);
      case 'contraction':
        return this.contraction(node, index);
      case 'gather':
        return node.op === 'dynamic_slice' ? this.dynamicSlice(node, index) : this.gather(node, index);
      case 'scatter':
        return this.scatterAdd(node, index);
      case 'update':
        return this.dynamicUpdate(node, index);
      case 'source':
        if (node.op === 'constant' && node.attrs.value !== undefined) {
          return b.constant(node.attrs.value as number, node.type.dtype);
        }
        throw new InternalError(`lowering: ${node.op} ${String(node.attrs.name)} has no place in memory`);
      case 'scan':
      case 'sort':
      case 'host':
        throw new NotFusable(node.op);
    }
  }

  // ---------------------------------------------------------------- index operations

  private reindex(node: Node, index: readonly IndexExpr[]): Value {
    const { b } = this;
    const [x] = node.inputs;
    const attrs = node.attrs;
    const list = (name: string) => attrs[name] as readonly number[];
    switch (node.op) {
      case 'broadcast': {
        const axes = list('axes');
        return this.pull(
          x,
          x.type.shape.map((dim, a) => (dim === 1 ? ix(0) : index[axes[a]])),
        );
      }
      case 'reshape':
        return this.pull(x, unflatten(flatten(index, node.type.shape), x.type.shape));
      case 'permute': {
        const from: IndexExpr[] = [];
        list('axes').forEach((axis, i) => (from[axis] = index[i]));
        return this.pull(x, from);
      }
      case 'slice':
        return this.pull(
          x,
          index.map((e, a) => addIndex(ix(list('start')[a]), scaleIndex(e, list('stride')[a]))),
        );
      case 'flip':
        return this.pull(
          x,
          index.map((e, a) => (list('axes').includes(a) ? addIndex(ix(x.type.shape[a] - 1), scaleIndex(e, -1)) : e)),
        );
      case 'iota': {
        const position = b.index(index[attrs.axis as number]);
        return node.type.dtype === 'i32'
          ? position
          : b.op('cast', [position], node.type.dtype, { dtype: node.type.dtype });
      }
      case 'pad':
        return this.pad(node, index);
      case 'concat':
        return this.concat(node, index);
      default:
        throw new InternalError(`lowering: no index map for ${node.op}`);
    }
  }

  private pad(node: Node, index: readonly IndexExpr[]): Value {
    const { b } = this;
    const [x] = node.inputs;
    const low = node.attrs.low as readonly number[];
    const interior = (node.attrs.interior as readonly number[] | undefined) ?? low.map(() => 0);
    const zero = b.constant(0, node.type.dtype);
    if (sizeOf(x.type.shape) === 0) return zero;
    let inside: Value | undefined;
    const and = (v: Value): void => {
      if (b.constantOf(v) !== 1) inside = inside ? b.op('and', [inside, v], 'bool') : v;
    };
    const from = index.map((e, a) => {
      const step = interior[a] + 1;
      const last = (x.type.shape[a] - 1) * step;
      const position = addIndex(e, ix(-low[a]));
      and(b.inside(position, 0, last));
      const clamped = clampIndex(position, 0, last);
      if (step === 1) return clamped;
      and(b.inside(modIndex(clamped, step), 0, 0));
      return divIndex(clamped, step);
    });
    if (inside && b.constantOf(inside) === 0) return zero;
    const value = this.pull(x, from);
    return inside ? b.op('select', [inside, value, zero], node.type.dtype) : value;
  }

  private concat(node: Node, index: readonly IndexExpr[]): Value {
    const { b } = this;
    const axis = node.attrs.axis as number;
    let result: Value | undefined;
    let end = node.type.shape[axis];
    // From the last part to the first, so that each test is one comparison with a start.
    for (const part of [...node.inputs].reverse()) {
      const size = part.type.shape[axis];
      const start = end - size;
      end = start;
      if (size === 0) continue;
      const e = index[axis];
      if (e.hi < start || e.lo >= start + size) continue;
      const own = clampIndex(addIndex(e, ix(-start)), 0, size - 1);
      const value = this.pull(
        part,
        index.map((other, a) => (a === axis ? own : other)),
      );
      const within = b.inside(e, start, start + size - 1);
      result = result && b.constantOf(within) !== 1 ? b.op('select', [within, value, result], node.type.dtype) : value;
    }
    return result ?? b.constant(0, node.type.dtype);
  }

  private indexed(node: Node, index: readonly IndexExpr[]): Value {
    const { b } = this;
    const position = b.op('cast', [b.index(flatten(index, node.type.shape))], 'u32', { dtype: 'u32' });
    const args = node.inputs.flatMap((input) =>
      Array.from({ length: sizeOf(input.type.shape) }, (_, k) => this.pull(input, unflatten(ix(k), input.type.shape))),
    );
    return b.op(node.op, [position, ...args], node.type.dtype, node.attrs, node.type.shape);
  }

  // ---------------------------------------------------------------- run-time indices

  /** An i32 value as an index in 0..size-1; other values raise a fault and read at the nearest. */
  private runtimeIndex(node: Node, value: Value, size: number, what: string): IndexExpr {
    const { b } = this;
    if (size === 0) return ix(0);
    const signed = value.dtype === 'i32' ? value : b.op('cast', [value], 'i32', { dtype: 'i32' });
    const clamped = b.clamp(signed, 0, size - 1);
    b.fault(b.op('eq', [signed, clamped], 'bool'), this.storage.fault(node, what));
    return ofAtom({ kind: 'value', value: clamped.id, lo: 0, hi: size - 1 });
  }

  private gather(node: Node, index: readonly IndexExpr[]): Value {
    const [operand, indices] = node.inputs;
    const axis = node.attrs.axis as number;
    const rank = indices.type.shape.length;
    const at = this.pull(indices, index.slice(axis, axis + rank));
    const size = operand.type.shape[axis];
    if (size === 0) return this.b.constant(0, node.type.dtype);
    const rest = [...index.slice(0, axis), ix(0), ...index.slice(axis + rank)];
    if (at.width === 4) return this.gatherPerLane(node, index);
    rest[axis] = this.runtimeIndex(node, at, size, `index into an axis of size ${size}`);
    return this.pull(operand, rest);
  }

  private dynamicSlice(node: Node, index: readonly IndexExpr[]): Value {
    const [operand, ...starts] = node.inputs;
    const from = index.map((e, a) => {
      const room = operand.type.shape[a] - node.type.shape[a];
      const start = this.runtimeIndex(node, this.pull(starts[a], []), room + 1, `start of a slice, at most ${room}`);
      return addIndex(start, e);
    });
    return this.pull(operand, from);
  }

  private dynamicUpdate(node: Node, index: readonly IndexExpr[]): Value {
    const { b } = this;
    const [operand, update, ...starts] = node.inputs;
    const whole = this.pull(operand, index);
    if (sizeOf(update.type.shape) === 0) return whole;
    let inside: Value | undefined;
    const from = index.map((e, a) => {
      const size = update.type.shape[a];
      const room = operand.type.shape[a] - size;
      const start = this.runtimeIndex(node, this.pull(starts[a], []), room + 1, `start of an update, at most ${room}`);
      const position = addIndex(e, scaleIndex(start, -1));
      const test = b.inside(position, 0, size - 1);
      inside = inside ? b.op('and', [inside, test], 'bool') : test;
      return clampIndex(position, 0, size - 1);
    });
    const value = this.pull(update, from);
    return inside ? b.op('select', [inside, value, whole], node.type.dtype) : value;
  }

  /** Four scalar computations instead of one on vectors, for run-time indices that differ by lane. */
  private gatherPerLane(node: Node, index: readonly IndexExpr[]): Value {
    const parts = [0, 1, 2, 3].map((k) =>
      this.gather(
        node,
        index.map((e) => atLane(e, k)),
      ),
    );
    return this.b.vector(parts);
  }

  // ---------------------------------------------------------------- reductions

  /** Depth of the place where code that depends on an index only can stand. */
  private depthOf(index: readonly IndexExpr[]): number {
    return index.reduce((d, e) => Math.max(d, this.b.depthOfIndex(e)), this.b.loadFloor);
  }

  private reduce(node: Node, index: readonly IndexExpr[]): Value {
    const { b } = this;
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
    return b.atDepth(this.depthOf(index), () => {
      const rowwise = axes.includes(x.type.shape.length - 1) && !index.some((e) => laneOf(e));
      const vector = rowwise && length % 4 === 0 && length > 4 && length / 4 >= splits;
      const zero = b.constant(identity(combine, dtype), dtype);
      const init = vector ? b.vector([zero, zero, zero, zero]) : this.widened(zero, index);
      const extent = vector ? length / 4 : length;
      const [total] = b.loop(extent, start, splits, [init], (k, [acc]) => {
        const position = vector ? addIndex(scaleIndex(ofAtom(k), 4), ofAtom(b.lane())) : ofAtom(k);
        const inner = unflatten(position, dims);
        const kept = [...outer];
        const at = x.type.shape.map((_, a) => {
          const i = axes.indexOf(a);
          return i >= 0 ? inner[i] : (kept.shift() as IndexExpr);
        });
        return [b.op(combine, [acc, this.pull(x, at)], dtype)];
      });
      return vector ? this.horizontal(combine, total) : total;
    });
  }

  /** Combines the four components of a vector. */
  private horizontal(op: string, v: Value): Value {
    const { b } = this;
    const [x, y, z, w] = [0, 1, 2, 3].map((k) => b.component(v, k));
    return b.op(op, [b.op(op, [x, y], v.dtype), b.op(op, [z, w], v.dtype)], v.dtype);
  }

  /** A scalar as wide as values at this index are. */
  private widened(v: Value, index: readonly IndexExpr[]): Value {
    return index.some((e) => laneOf(e)) ? this.b.vector([v, v, v, v]) : v;
  }

  /** Index of the first greatest (least) element; the first NaN wins. */
  private extremeAt(node: Node, index: readonly IndexExpr[]): Value {
    const { b } = this;
    const [x] = node.inputs;
    const axis = node.attrs.axis as number;
    const dtype = x.type.dtype;
    const better = node.op === 'argmax' ? 'gt' : 'lt';
    return b.atDepth(this.depthOf(index), () => {
      const at = (k: IndexExpr) => this.pull(x, [...index.slice(0, axis), k, ...index.slice(axis)]);
      const first = at(ix(0));
      const zero = this.widened(b.constant(0, 'i32'), index);
      const start = first.width === zero.width ? first : this.widened(first, index);
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
  private contraction(node: Node, index: readonly IndexExpr[]): Value {
    const { b } = this;
    const c = contractionOf(node);
    const { batch, row, column } = c.split(index);
    const dtype = node.type.dtype;
    const splits = (node.attrs.$splits as number | undefined) ?? 1;
    if (splits > 1) throw new InternalError('split contractions are split before they are pulled');
    return b.atDepth(this.depthOf(index), () => {
      const vector = c.k % 4 === 0 && c.k > 4 && !index.some((e) => laneOf(e)) && c.lastShared;
      const zero = b.constant(0, dtype);
      const init = vector ? b.vector([zero, zero, zero, zero]) : this.widened(zero, index);
      const [total] = b.loop(vector ? c.k / 4 : c.k, ix(0), 1, [init], (k, [acc]) => {
        const position = vector ? addIndex(scaleIndex(ofAtom(k), 4), ofAtom(b.lane())) : ofAtom(k);
        const x = this.pull(node.inputs[0], c.lhs(batch, row, position));
        const y = this.pull(node.inputs[1], c.rhs(batch, position, column));
        return [b.mad(x, y, acc)];
      });
      return vector ? this.horizontal('add', total) : total;
    });
  }

  /** Sum of the updates whose index is this one: a loop over all of them, so the order of addition is fixed. */
  private scatterAdd(node: Node, index: readonly IndexExpr[]): Value {
    const { b } = this;
    const [indices, updates] = node.inputs;
    const axis = node.attrs.axis as number;
    const size = node.attrs.size as number;
    const dtype = node.type.dtype;
    const count = sizeOf(indices.type.shape);
    return b.atDepth(this.depthOf(index), () => {
      const zero = this.widened(b.constant(0, dtype), index);
      const target = b.index(index[axis]);
      const [total] = b.loop(count, ix(0), 1, [zero], (j, [acc]) => {
        const at = unflatten(ofAtom(j), indices.type.shape);
        const chosen = this.pull(indices, at);
        const clamped = b.clamp(chosen, 0, Math.max(0, size - 1));
        b.fault(b.op('eq', [chosen, clamped], 'bool'), this.storage.fault(node, `index into an axis of size ${size}`));
        const value = this.pull(updates, [...index.slice(0, axis), ...at, ...index.slice(axis + 1)]);
        const hit = b.op('eq', [chosen, target], 'bool');
        return [b.op('add', [acc, b.op('select', [hit, value, b.constant(0, dtype)], dtype)], dtype)];
      });
      return total;
    });
  }
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
