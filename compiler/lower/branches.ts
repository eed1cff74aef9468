/**
 * Small kernels that do not depend on each other, or on a large one, share one launch, each on workgroups of its own. (Measured on lavapipe: a branch not
 * taken costs less than can be seen, a launch 25 microseconds.)
 */
import { measure, type Kernel } from '../ir/kernel/kernel.ts';
import type { DeviceProfile } from './profile.ts';
import type { Life, UnitGraph } from './schedule.ts';
import type { Item, Unit } from './unit.ts';

const MAX_BRANCHES = 8;
/** Kernels that are still open for others to join, at most: keeps the search linear. */
const MAX_OPEN = 12;
const MAX_ACCESSES = 28;
const MAX_STATEMENTS = 300;
/** Lane operations below which a kernel's time is mostly that of its launch. */
const SMALL_WORK = 400_000;

const isLarge = (u: Unit): boolean => u.flops + u.bytes >= SMALL_WORK;

export function mergeBranches(
  units: readonly Item[],
  graphOf: (list: readonly Item[]) => UnitGraph,
  bufferOf: (tensor: string) => string,
  profile: DeviceProfile,
  lives: Map<Item, Life>,
): Item[] {
  const buffers = (u: Unit): Set<string> => {
    const all = new Set([...u.reads, ...u.writes].map(bufferOf));
    return u.faults ? all.add('faults') : all;
  };
  // Invocations that exchange values must all be there: gates that they pass must be in memory that nobody in the kernel writes.
  const steers = (u: Unit): boolean => [...u.writes].some((t) => bufferOf(t) === 'control');
  const bindable = (a: Unit, b: Unit): boolean =>
    new Set([...buffers(a), ...buffers(b)]).size <= profile.maxStorageBuffers &&
    !((steers(a) && b.kernel.subgroups) || (steers(b) && a.kernel.subgroups));
  let list: Item[] = [...units];
  let graph = graphOf(list);
  const hosts: Unit[] = [];
  for (const unit of units) {
    if (unit.kind === 'block') continue;
    // Small hosts first: two large kernels never share a launch.
    const candidates = [...hosts].sort((a, b) => Number(isLarge(a)) - Number(isLarge(b)));
    const host = candidates.find(
      (h) =>
        !(isLarge(h) && isLarge(unit)) &&
        fits(h, unit) &&
        !apart(lives.get(h), lives.get(unit)) &&
        bindable(h, unit) &&
        !graph.path(h, unit) &&
        !graph.path(unit, h),
    );
    if (!host) {
      hosts.push(unit);
      if (hosts.length > MAX_OPEN) hosts.shift();
      continue;
    }
    const merged = join(host, unit);
    lives.set(merged, together(lives.get(host), lives.get(unit)));
    list = list.filter((u) => u !== unit).map((u) => (u === host ? merged : u));
    hosts[hosts.indexOf(host)] = merged;
    graph = graphOf(list);
  }
  return list;
}

/**
 * Whether two kernels belong to different times: something that one makes has been used when something of the other is first needed, or something that one reads
 * could be given up before all that the other reads is there. In one launch, both would take memory.
 */
function apart(a: Life | undefined, b: Life | undefined): boolean {
  if (!a || !b) return false;
  if (a.drained.some((last) => last < b.ready) || b.drained.some((last) => last < a.ready)) return true;
  return a.made.some((x) => b.made.some((y) => x.last < y.first || y.last < x.first));
}

function together(a: Life | undefined, b: Life | undefined): Life {
  const both = [a, b].filter((life) => life !== undefined);
  return {
    made: both.flatMap((life) => life.made),
    drained: both.flatMap((life) => life.drained),
    ready: Math.max(-1, ...both.map((life) => life.ready)),
  };
}

function fits(a: Unit, b: Unit): boolean {
  if (a.kernel.sequence || b.kernel.sequence) return false;
  if (a.kernel.workgroup !== b.kernel.workgroup || a.kernel.branches.length + b.kernel.branches.length > MAX_BRANCHES)
    return false;
  const [x, y] = [measure(a.kernel), measure(b.kernel)];
  return x.accesses + y.accesses <= MAX_ACCESSES && x.statements + y.statements <= MAX_STATEMENTS;
}

function join(a: Unit, b: Unit): Unit {
  const kernel: Kernel = {
    workgroup: a.kernel.workgroup,
    branches: [...a.kernel.branches, ...b.kernel.branches],
    subgroups: a.kernel.subgroups || b.kernel.subgroups,
  };
  return {
    kind: 'kernel',
    kernel,
    label: `${a.label}; ${b.label}`,
    spans: [...a.spans, ...b.spans].slice(0, 8),
    reads: new Set([...a.reads, ...b.reads]),
    writes: new Set([...a.writes, ...b.writes]),
    faults: a.faults || b.faults,
    flops: a.flops + b.flops,
    bytes: a.bytes + b.bytes,
  };
}
