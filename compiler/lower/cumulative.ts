/**
 * Cumulative sums and products: one invocation per line along the axis, forwards or backwards. Few long lines are cut into pieces that run side by
 * side, and what comes before each piece is added (multiplied) in afterwards.
 */
import type { Node, TensorType } from '../ops/types.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import { BranchBuilder } from '../ir/kernel/builder.ts';
import { addIndex, flatten, ix, ofAtom, scaleIndex, unflatten } from '../ir/kernel/index-expr.ts';
import type { Kernel } from '../ir/kernel/kernel.ts';
import type { Root } from './nest.ts';
import { launchShape, type DeviceProfile } from './profile.ts';
import { Puller } from './pull.ts';
import { type Storage } from './storage.ts';

export function lowerCumulative(root: Root, storage: Storage, profile: DeviceProfile): Kernel {
  const { node } = root;
  const [x] = node.inputs;
  const axis = node.attrs.axis as number;
  const { shape } = node.type;
  const length = shape[axis];
  const others = shape.filter((_, a) => a !== axis);
  const lines = sizeOf(others);
  const launch = launchShape(profile);
  const groups = Math.max(1, Math.min(launch.maxGroups, Math.ceil(lines / launch.workgroup)));
  const b = new BranchBuilder(groups, launch.workgroup);
  const p = new Puller(b, storage);
  const product = node.op === 'cumprod';
  const start = addIndex(scaleIndex(ofAtom(b.group), launch.workgroup), ofAtom(b.local));
  b.loop(lines, start, groups * launch.workgroup, [], (line) => {
    const outer = unflatten(ofAtom(line), others);
    b.loop(length, ix(0), 1, [b.constant(product ? 1 : 0, node.type.dtype)], (t, [sum]) => {
      const at = node.attrs.reverse ? addIndex(ix(length - 1), scaleIndex(ofAtom(t), -1)) : ofAtom(t);
      const index = [...outer.slice(0, axis), at, ...outer.slice(axis)];
      const next = b.op(product ? 'mul' : 'add', [sum, p.pull(x, index)], node.type.dtype);
      for (const view of root.targets) b.store(view, flatten(index, shape), next);
      return [next];
    });
    return [];
  });
  return { workgroup: launch.workgroup, branches: [b.finish()], subgroups: false };
}

/** Lengths that one invocation may as well walk through. */
const SHORT = 2048;

/** A long cumulative sum or product in pieces, where fewer than `wanted` lines would keep a device idle. */
export function inPieces(node: Node, wanted: number): Node {
  const axis = node.attrs.axis as number;
  const length = node.type.shape[axis];
  const lines = sizeOf(node.type.shape) / Math.max(1, length);
  if (length < SHORT || lines >= wanted) return node;
  const pieces = Math.min(Math.ceil(wanted / lines), Math.floor(Math.sqrt(length)));
  return new Pieces(node, axis, pieces).whole();
}

/** Makes the nodes of a scan in pieces, with ids between those of its input and its own. */
class Pieces {
  private readonly node: Node;
  private readonly axis: number;
  private readonly count: number;
  private readonly each: number;
  private readonly reverse: boolean;
  private id: number;

  constructor(node: Node, axis: number, count: number) {
    this.node = node;
    this.axis = axis;
    this.count = count;
    this.each = Math.ceil(node.type.shape[axis] / count);
    this.reverse = node.attrs.reverse === true;
    this.id = node.id - 0.9;
  }

  whole(): Node {
    const { node, axis, count, each } = this;
    const { shape } = node.type;
    const filled = count * each;
    const missing = filled - shape[axis];
    const [x] = node.inputs;
    // What fills the last piece (the first one, backwards) comes after all that counts.
    const low = this.only(axis, this.reverse ? missing : 0);
    const high = this.only(axis, this.reverse ? 0 : missing);
    const padded = this.make('pad', [x], shape.with(axis, filled), { low, high, interior: low.map(() => 0) });
    const cut = [...shape.slice(0, axis), count, each, ...shape.slice(axis + 1)];
    const inner = this.scan(this.make('reshape', [padded], cut, { shape: cut }), axis + 1);
    const before = this.make('broadcast', [this.before(inner)], cut, { shape: cut, axes: cut.map((_, a) => a) });
    const joined = this.make(this.combine(), [inner, before], cut, {});
    const flat = this.make('reshape', [joined], shape.with(axis, filled), { shape: shape.with(axis, filled) });
    const limit = shape.map((dim, a) => low[a] + dim);
    return { ...node, op: 'slice', inputs: [flat], attrs: { start: low, limit, stride: shape.map(() => 1) } };
  }

  /** What comes before each piece: the totals of all earlier ones, with 1 in the place of the axis within a piece. */
  private before(inner: Node): Node {
    const { axis, count, each, reverse } = this;
    const at = reverse ? 0 : each - 1;
    const totals = this.part(inner, axis + 1, at, at + 1);
    const sums = this.scan(totals, axis);
    const none = this.make('constant', [], totals.type.shape.with(axis, 1), {
      value: this.combine() === 'mul' ? 1 : 0,
    });
    const rest = reverse ? this.part(sums, axis, 1, count) : this.part(sums, axis, 0, count - 1);
    return this.make('concat', reverse ? [rest, none] : [none, rest], totals.type.shape, { axis });
  }

  private combine(): 'mul' | 'add' {
    return this.node.op === 'cumprod' ? 'mul' : 'add';
  }

  private scan(x: Node, axis: number): Node {
    return this.make(this.node.op, [x], x.type.shape, { ...this.node.attrs, axis });
  }

  private part(x: Node, axis: number, from: number, to: number): Node {
    const { shape } = x.type;
    const start = shape.map((_, a) => (a === axis ? from : 0));
    return this.make('slice', [x], shape.with(axis, to - from), {
      start,
      limit: shape.with(axis, to),
      stride: shape.map(() => 1),
    });
  }

  /** A list with one number for each axis: `value` at `axis`, else 0. */
  private only(axis: number, value: number): number[] {
    return this.node.type.shape.map((_, a) => (a === axis ? value : 0));
  }

  private make(op: string, inputs: readonly Node[], shape: TensorType['shape'], attrs: Node['attrs']): Node {
    this.id += 0.05;
    const { span, path, type } = this.node;
    return { id: this.id, op, inputs, attrs, type: { dtype: type.dtype, shape }, span, path };
  }
}
