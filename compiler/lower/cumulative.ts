/** Cumulative sums and products: one invocation per line along the axis, forwards or backwards. */
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
