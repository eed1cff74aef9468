/**
 * Writes the code that computes one element (or four) of a tensor node at an index. Elementwise nodes ask their inputs at the same index, index
 * operations (broadcast, reshape, slice …) translate it, stored tensors end the recursion in a load, reductions become loops
 * in the outermost place where their index is known. What is stored and what is computed again is decided by `fuse.ts`.
 */
import { indexMessage, windowMessage } from '../ops/index.ts';
import { op as opOf } from '../ops/table.ts';
import type { Node } from '../ops/types.ts';
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
  modIndex,
  ofAtom,
  scaleIndex,
  unflatten,
  type IndexExpr,
} from '../ir/kernel/index-expr.ts';
import { fits } from '../ir/tensor/ranges.ts';
import { NotFusable, type ElementWriter, type Storage } from './storage.ts';
import { overlapAddAt, windowsAt } from './windows.ts';
import { contractionAt, extremeAt, reduceAt, scatterAddAt } from './reduce.ts';

export class Puller implements ElementWriter {
  readonly b: BranchBuilder;
  readonly storage: Storage;
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
  pull(asked: Node, index: readonly IndexExpr[]): Value {
    const node = this.storage.resolve(asked);
    const key = `${node.id}@${index.map((e) => e.key).join(',')}`;
    const had = this.memo.get(key);
    if (had && this.b.visible(had)) return had;
    const value = this.compute(node, index);
    this.memo.set(key, value);
    return value;
  }

  /** Depth of the place where code that depends on an index only can stand. */
  depthOf(index: readonly IndexExpr[]): number {
    return index.reduce((d, e) => Math.max(d, this.b.depthOfIndex(e)), this.b.loadFloor);
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
        if (node.op === 'fault_where') return this.faultWhere(node, args);
        if (node.op === 'mul' && node.type.dtype === 'f32') {
          const at = args.findIndex((arg) => b.constantOf(arg) === 0);
          if (at >= 0) return this.timesZero(args[1 - at]);
        }
        return b.op(node.op, args, node.type.dtype, node.attrs);
      }
      case 'indexed':
        return this.indexed(node, index);
      case 'index':
        return this.reindex(node, index);
      case 'alias':
        return this.pull(node.inputs[0], index);
      case 'reduce':
        return node.op === 'argmax' || node.op === 'argmin'
          ? extremeAt(this, node, index)
          : reduceAt(this, node, index);
      case 'contraction':
        return contractionAt(this, node, index);
      case 'gather':
        return node.op === 'dynamic_slice' ? this.dynamicSlice(node, index) : this.gather(node, index);
      case 'scatter':
        return scatterAddAt(this, node, index);
      case 'overlap':
        return overlapAddAt(this, node, index);
      case 'update':
        return this.dynamicUpdate(node, index);
      case 'source':
        if (node.op === 'constant' && node.attrs.value !== undefined) {
          return b.constant(node.attrs.value as number, node.type.dtype);
        }
        throw new InternalError(`lowering: ${node.op} ${String(node.attrs.name)} has no place in memory`);
      case 'scan':
      case 'sort':
      case 'factor':
      case 'host':
      case 'region':
      case 'part':
        throw new NotFusable(node.op);
    }
  }

  private faultWhere(node: Node, [x, wrong]: readonly Value[]): Value {
    const { b } = this;
    const fault = this.storage.fault(node, String(node.attrs.message));
    if (b.constantOf(wrong) !== 0) b.fault(b.op('not', [wrong], 'bool'), fault, b.constant(0, 'i32'));
    return x;
  }

  /** 0 · x, which is NaN where x is not finite: drivers make every product with a literal 0 a 0. */
  private timesZero(x: Value): Value {
    const { b } = this;
    const known = b.constantOf(x);
    if (known !== undefined) return b.constant(Number.isFinite(known) ? 0 : NaN, 'f32');
    const finite = b.op('is_finite', [x], 'bool');
    return b.op('select', [finite, b.constant(0, 'f32'), b.constant(NaN, 'f32')], 'f32');
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
      case 'windows':
        return windowsAt(this, node, index);
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

  /** Element of `from` at `index` as an index in 0..size-1; other values raise a fault, said as `what`, and read at the nearest, unless they cannot occur. */
  private runtimeIndex(node: Node, from: Node, value: Value, size: number, what: string): IndexExpr {
    const { b } = this;
    if (size === 0) return ix(0);
    const clamped = b.clamp(value, 0, size - 1);
    if (!this.fits(from, size)) b.fault(b.op('eq', [value, clamped], 'bool'), this.storage.fault(node, what), value);
    return ofAtom({ kind: 'value', value: clamped.id, lo: 0, hi: size - 1 });
  }

  private fits(from: Node, size: number): boolean {
    return fits(this.storage.resolve(from), size, (node) => this.storage.range(node));
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
    rest[axis] = this.runtimeIndex(node, indices, at, size, indexMessage('{index}', size));
    return this.pull(operand, rest);
  }

  private dynamicSlice(node: Node, index: readonly IndexExpr[]): Value {
    const [operand, ...starts] = node.inputs;
    const from = index.map((e, a) => {
      const room = operand.type.shape[a] - node.type.shape[a];
      const start = this.runtimeIndex(
        node,
        starts[a],
        this.pull(starts[a], []),
        room + 1,
        windowMessage('{index}', node.type.shape[a], operand.type.shape[a]),
      );
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
      const start = this.runtimeIndex(
        node,
        starts[a],
        this.pull(starts[a], []),
        room + 1,
        windowMessage('{index}', size, operand.type.shape[a]),
      );
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
}
