/**
 * Short stable sorts (long ones are merged: merge-sort.ts) by counting ranks: the place of an element is the number of elements that come before it, ties in order of position and NaN
 * last. One invocation per element, n comparisons each: exact and deterministic for any n, quadratic in work.
 */
import { InternalError } from '../diagnostics/diagnostic.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import { BranchBuilder, type Value } from '../ir/kernel/builder.ts';
import {
  addIndex,
  flatten,
  ix,
  modIndex,
  divIndex,
  ofAtom,
  scaleIndex,
  unflatten,
  type IndexExpr,
} from '../ir/kernel/index-expr.ts';
import type { Kernel } from '../ir/kernel/kernel.ts';
import type { Root } from './nest.ts';
import { launchShape, type DeviceProfile } from './profile.ts';
import { Puller } from './pull.ts';
import { type Storage } from './storage.ts';

export function lowerSort(root: Root, storage: Storage, profile: DeviceProfile): Kernel {
  const { node } = root;
  const [x] = node.inputs;
  const axis = node.attrs.axis as number;
  const descending = node.attrs.descending === true;
  if (node.op !== 'sort' && node.op !== 'argsort') throw new InternalError(`no lowering for ${node.op}`);
  const { shape } = x.type;
  const length = shape[axis];
  const others = shape.filter((_, a) => a !== axis);
  const total = sizeOf(shape);
  const launch = launchShape(profile);
  const groups = Math.max(1, Math.min(launch.maxGroups, Math.ceil(total / launch.workgroup)));
  const b = new BranchBuilder(groups, launch.workgroup);
  const p = new Puller(b, storage);
  const start = addIndex(scaleIndex(ofAtom(b.group), launch.workgroup), ofAtom(b.local));
  b.loop(total, start, groups * launch.workgroup, [], (i) => {
    const place = modIndex(ofAtom(i), length);
    const outer = unflatten(divIndex(ofAtom(i), length), others);
    const at = (k: IndexExpr): IndexExpr[] => [...outer.slice(0, axis), k, ...outer.slice(axis)];
    const mine = p.pull(x, at(place));
    const [rank] = b.loop(length, ix(0), 1, [b.constant(0, 'i32')], (k, [count]) => {
      const other = p.pull(x, at(ofAtom(k)));
      const before = precedes(b, other, mine, descending);
      const after = precedes(b, mine, other, descending);
      const earlier = b.op('lt', [b.index(ofAtom(k)), b.index(place)], 'bool');
      const tied = b.op('and', [b.op('not', [after], 'bool'), earlier], 'bool');
      const counts = b.op('or', [before, tied], 'bool');
      return [b.op('add', [count, b.op('cast', [counts], 'i32', { dtype: 'i32' })], 'i32')];
    });
    const clamped = b.clamp(rank, 0, length - 1);
    const to = flatten(at(ofAtom({ kind: 'value', value: clamped.id, lo: 0, hi: length - 1 })), shape);
    const value = node.op === 'sort' ? mine : b.index(place);
    for (const view of root.targets) b.store(view, to, value);
    return [];
  });
  return { workgroup: launch.workgroup, branches: [b.finish()], subgroups: false };
}

/** Whether x comes strictly before y; NaN comes last. */
export function precedes(b: BranchBuilder, x: Value, y: Value, descending: boolean): Value {
  const less = b.op(descending ? 'gt' : 'lt', [x, y], 'bool');
  if (x.dtype !== 'f32') return less;
  const nan = b.op('and', [b.op('not', [b.op('is_nan', [x], 'bool')], 'bool'), b.op('is_nan', [y], 'bool')], 'bool');
  return b.op('or', [less, nan], 'bool');
}
