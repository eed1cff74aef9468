/**
 * Kernels of independent invocations: elementwise groups, rows with reductions along them, and any mixture. The parallel space is `outer`;
 * a root is either one value per element of `outer` ('row'), or has further axes that the same invocation walks through ('element'): so
 * softmax is one kernel of outer [rows]. Elementwise kernels are the case where all roots are rows.
 */
import type { Node } from '../ops/types.ts';
import { op as opOf } from '../ops/table.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import { BranchBuilder, type Value } from '../ir/kernel/builder.ts';
import {
  addIndex,
  divIndex,
  flatten,
  ix,
  lanePattern,
  ofAtom,
  ofVariable,
  scaleIndex,
  unflatten,
  type IndexExpr,
} from '../ir/kernel/index-expr.ts';
import { walk, type Kernel, type Statement, type View } from '../ir/kernel/kernel.ts';
import { verifyKernel } from '../ir/kernel/verify.ts';
import { launchShape, type DeviceProfile, type LaunchShape } from './profile.ts';
import { Puller } from './pull.ts';
import { NotFusable, type Storage } from './storage.ts';

export interface Root {
  readonly node: Node;
  /** Where its elements go, in row-major order; empty for values that only this kernel needs. */
  readonly targets: readonly View[];
}

export interface NestSpec {
  /** Number of rows: invocations to share out. */
  readonly rows: number;
  readonly roots: readonly Root[];
}

/** Body size beyond which drivers take long to compile and caches overflow (wgsl-limits.md, 0.5). */
const MAX_SITES_VECTOR = 16;
/** Elements (or vectors) of a stretch from which memory matters more than how evenly the last ones are shared out. */
const LONG_STRETCH = 1024;

/** Throws NotFusable where a root would need what another invocation computes. */
export function lowerNest(spec: NestSpec, storage: Storage, profile: DeviceProfile): Kernel {
  const allRows = spec.roots.every((r) => sizeOf(r.node.type.shape) === spec.rows);
  // A number of rows that is no multiple of four runs over into the padding, where nothing can go wrong but a fault.
  // Rows of a tensor have no padding: the next one follows.
  const closed = spec.rows % 4 !== 0 && spec.roots.some((r) => r.targets.some((v) => v.rows));
  const vector =
    allRows && spec.rows > 1 && !closed
      ? attempt(() => emitRows(spec, storage, profile, Math.ceil(spec.rows / 4) * 4, 4))
      : undefined;
  if (
    vector &&
    vectorPays(vector) &&
    verifyKernel(vector).length === 0 &&
    !(spec.rows % 4 !== 0 && hasFaults(vector))
  ) {
    return vector;
  }
  return emitRows(spec, storage, profile, spec.rows, 1);
}

function attempt(make: () => Kernel): Kernel | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof NotFusable) return undefined;
    throw error;
  }
}

/** An elementwise kernel over `rows` elements of an arena in which several tensors lie side by side (see flat.ts). */
export function lowerFlat(spec: NestSpec, storage: Storage, profile: DeviceProfile): Kernel {
  return emitRows(spec, storage, profile, spec.rows, 4, true);
}

function hasFaults(kernel: Kernel): boolean {
  let found = false;
  walk(kernel, (s) => {
    if (s.kind === 'fault') found = true;
  });
  return found;
}

/** Vectors pay where most accesses, counted as often as they are made, are of four neighbours; scattered ones become four loads each. */
function vectorPays(kernel: Kernel): boolean {
  const sites = { vector: 0, gather: 0 };
  const made = { vector: 0, gather: 0 };
  const count = (body: readonly Statement[], times: number): void => {
    for (const s of body) {
      const index =
        s.kind === 'store' ? s.index : s.kind === 'let' && s.expr.kind === 'load' ? s.expr.index : undefined;
      const kind = index && lanePattern(index).kind;
      if (kind === 'vector' || kind === 'gather') {
        sites[kind]++;
        made[kind] += times;
      }
      if (s.kind === 'loop') count(s.body, times * Math.max(1, s.variable.extent / s.step));
      if (s.kind === 'within') count(s.body, times);
    }
  };
  for (const branch of kernel.branches) count(branch.body, 1);
  return made.gather <= made.vector && sites.vector + 4 * sites.gather <= MAX_SITES_VECTOR * 2;
}

/** True where a row holds a reduction or much that is computed once for all its elements. */
function isHeavy(roots: readonly Root[], rows: number): boolean {
  return roots.some((r) => sizeOf(r.node.type.shape) > rows || opOf(r.node.op).lower.family === 'reduce');
}

function emitRows(
  spec: NestSpec,
  storage: Storage,
  profile: DeviceProfile,
  extent: number,
  width: 1 | 4,
  flat = false,
): Kernel {
  const shape = launchShape(profile);
  const count = extent / width;
  const perLane = !flat && isHeavy(spec.roots, spec.rows) ? 1 : 4;
  const groups = Math.max(1, Math.min(shape.maxGroups, Math.ceil(count / (shape.workgroup * perLane))));
  const stretches = stretchesOf(count, groups, shape);
  const b = new BranchBuilder(stretches ?? groups, shape.workgroup);
  const group = ofAtom(b.group);
  const stretch = stretches === undefined ? undefined : count / stretches;
  const start = stretch ? ofAtom(b.local) : addIndex(scaleIndex(group, shape.workgroup), ofAtom(b.local));
  b.loop(stretch ?? count, start, stretch ? shape.workgroup : groups * shape.workgroup, [], (i) => {
    const single = extent === 1;
    if (single) b.loadFloor = b.depth;
    const own = single ? ix(0) : stretch ? addIndex(scaleIndex(group, stretch), ofVariable(i)) : ofVariable(i);
    const row = width === 4 ? addIndex(scaleIndex(own, 4), ofAtom(b.lane())) : own;
    emitBody(b, spec, storage, row, flat);
    b.loadFloor = 0;
    return [];
  });
  return { workgroup: shape.workgroup, branches: [b.finish()], subgroups: false };
}

/**
 * Where workgroups run one after the other, each takes a stretch of neighbours: in how many the elements can be cut evenly. Taking turns, groups would each
 * walk through all of the memory, in small pieces that lie pages apart. Undefined where taking turns is as good or there is no such number.
 */
function stretchesOf(count: number, groups: number, shape: LaunchShape): number | undefined {
  if (!shape.stretches || groups < shape.maxGroups || count < LONG_STRETCH * groups) return undefined;
  for (let n = 2 * groups; 2 * n > groups; n--) if (count % n === 0) return n;
  return undefined;
}

function emitBody(b: BranchBuilder, spec: NestSpec, storage: Storage, row: IndexExpr, flat: boolean): void {
  const inner = (node: Node): number => (flat ? 1 : sizeOf(node.type.shape) / Math.max(1, spec.rows));
  const own = new Map(spec.roots.map((r) => [r.node, inner(r.node)]));
  // A root of this kernel asked for by another root must belong to this invocation's row.
  const puller = new Puller(b, storage, (node, index) => {
    const inner = own.get(node);
    if (inner === undefined) return undefined;
    const position = divIndex(flatten(index, node.type.shape), inner);
    if (position.key !== row.key) throw new NotFusable(`${node.op} of another row`);
    return undefined;
  });
  const rowRoots = spec.roots.filter((r) => own.get(r.node) === 1);
  const values = rowRoots.map((r) => puller.pull(r.node, unflatten(row, r.node.type.shape)));
  const byInner = new Map<number, Root[]>();
  for (const r of spec.roots) {
    const inner = own.get(r.node) as number;
    if (inner !== 1) byInner.set(inner, [...(byInner.get(inner) ?? []), r]);
  }
  for (const [inner, roots] of byInner) {
    const vector = inner % 4 === 0;
    b.loop(vector ? inner / 4 : inner, ix(0), 1, [], (j) => {
      const column = vector ? addIndex(scaleIndex(ofAtom(j), 4), ofAtom(b.lane())) : ofAtom(j);
      const position = addIndex(scaleIndex(row, inner), column);
      const computed = roots.map((r) => puller.pull(r.node, unflatten(position, r.node.type.shape)));
      roots.forEach((r, k) => storeAll(b, r, position, computed[k]));
      return [];
    });
  }
  // Last, so that everything that the row reads has been read.
  rowRoots.forEach((r, k) => storeAll(b, r, row, values[k]));
}

function storeAll(b: BranchBuilder, root: Root, position: IndexExpr, value: Value): void {
  for (const view of root.targets) b.store(view, position, value);
}
