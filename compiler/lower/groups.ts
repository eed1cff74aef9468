/**
 * Gathers the stored nodes of an entry into kernels. Nodes are taken in topological order; each joins the kernel that produces what it needs where
 * one invocation can compute both (row reductions with what follows from them, elementwise work after a contraction), else a kernel of the same
 * stage that reads the same tensors, else it starts a kernel. Whether it can join is tried out: the kernel is lowered with it.
 */
import { op as opOf } from '../ops/table.ts';
import type { Node } from '../ops/types.ts';
import { InternalError } from '../diagnostics/diagnostic.ts';
import { accesses, measure, type Kernel } from '../ir/kernel/kernel.ts';
import { isTiled, lowerContraction } from './contraction.ts';
import { size } from './fuse.ts';
import { lowerNest, type Root } from './nest.ts';
import { lowerCumulative } from './cumulative.ts';
import { lowerFactor } from './factor.ts';
import { lowerBlocks, lowerMerge } from './merge-sort.ts';
import { lowerSort } from './sort.ts';
import type { DeviceProfile } from './profile.ts';
import { KEPT } from './schedule.ts';
import { NotFusable, type Storage } from './storage.ts';

export interface Group {
  readonly kind: 'nest' | 'contraction' | 'scan' | 'sort' | 'factor';
  roots: Node[];
  /** Invocations of a nest. */
  rows: number;
  level: number;
  /** Stored nodes and leaves that it reads. */
  reads: Set<Node>;
  hasReaders: boolean;
}

/** Buffers that kernels bind, by name: that of a tensor, and those that a root is written to. */
export interface BufferNames {
  ofTensor(tensor: string): string;
  ofRoot(node: Node): readonly string[];
  /** Bound by every kernel. */
  readonly always: readonly string[];
}

const MAX_ACCESSES = 26;
/** Accesses of one loop body beyond which drivers produce slow code (wgsl-limits.md 0.5). */
const MAX_BODY_ACCESSES = 14;
const MAX_STATEMENTS = 300;
/** Fewest rows that keep a device busy when a row is walked through by one invocation. */
const MIN_ROWS = 32;
const SMALL = 256;
/** Elements that a few invocations compute in less time than a launch takes. */
const TINY = 64;

export class Grouping {
  readonly groups: Group[] = [];
  readonly groupOf = new Map<Node, Group>();
  private readonly stored: ReadonlySet<Node>;
  private readonly isLeaf: (n: Node) => boolean;
  private readonly storage: (own: ReadonlySet<Node>) => Storage;
  private readonly profile: DeviceProfile;
  private readonly results: ReadonlySet<Node>;
  private readonly buffers: BufferNames;
  /** Number of loops and choices, one after another, before a node. */
  private readonly stageOf: (n: Node) => number;
  /** What each stored node reads, and which stored nodes read it. */
  private readonly readsBy = new Map<Node, Set<Node>>();
  private readonly readers = new Map<Node, Node[]>();
  /** Places of the stored nodes where each chain of values is followed to its end. */
  private readonly order: ReadonlyMap<Node, number>;

  constructor(
    stored: ReadonlySet<Node>,
    isLeaf: (n: Node) => boolean,
    storage: (own: ReadonlySet<Node>) => Storage,
    profile: DeviceProfile,
    results: ReadonlySet<Node>,
    buffers: BufferNames,
    stageOf: (n: Node) => number,
  ) {
    this.stageOf = stageOf;
    this.stored = stored;
    this.results = results;
    this.buffers = buffers;
    this.isLeaf = isLeaf;
    this.storage = storage;
    this.profile = profile;
    for (const node of stored) {
      const reads = this.readsOf(node);
      this.readsBy.set(node, reads);
      for (const n of reads) this.readers.set(n, [...(this.readers.get(n) ?? []), node]);
    }
    this.order = this.chains();
    for (const node of stored) if (size(node) > 0) this.place(node);
  }

  /** Kernel of a group; `targets` says where each root goes. */
  lower(group: Pick<Group, 'kind' | 'roots' | 'rows'>, targets: (n: Node) => Root['targets'], probe = false): Kernel {
    const own = new Set(group.roots);
    const storage = this.storage(own);
    const roots: Root[] = group.roots.map((node) => ({ node, targets: targets(node) }));
    switch (group.kind) {
      case 'contraction': {
        const kept = roots.filter((r) => r.targets.length > 0);
        return lowerContraction(
          { node: group.roots[0], roots: kept.length > 0 ? kept : roots, probe },
          storage,
          this.profile,
        );
      }
      case 'nest': {
        const kept = roots.filter((r) => r.targets.length > 0);
        return lowerNest({ rows: group.rows, roots: kept.length > 0 ? kept : roots }, storage, this.profile);
      }
      case 'scan':
        return lowerCumulative(roots[0], storage, this.profile);
      case 'factor':
        return lowerFactor(roots[0], storage, this.profile);
      case 'sort':
        if (roots[0].node.attrs.$block !== undefined) return lowerBlocks(roots[0], storage, this.profile);
        if (roots[0].node.attrs.$run !== undefined) return lowerMerge(roots[0], storage, this.profile);
        return lowerSort(roots[0], storage, this.profile);
    }
  }

  private place(node: Node): void {
    const { family } = opOf(node.op).lower;
    const reads = this.readsBy.get(node) as Set<Node>;
    const producers = new Set<Group>();
    for (const n of reads) {
      const g = this.groupOf.get(n);
      if (g) producers.add(g);
    }
    const level = 1 + Math.max(-1, ...[...producers].map((g) => g.level));
    if (family === 'scan' || family === 'sort' || family === 'factor')
      return this.start(family, node, 1, level, reads, producers);
    if (family === 'contraction' && isTiled(node)) return this.start('contraction', node, 1, level, reads, producers);
    if (this.joinProducers(node, reads, producers)) return;
    const rows = this.naturalRows(node);
    if (this.joinSibling(node, rows, level, reads, producers)) return;
    this.start('nest', node, rows, level, reads, producers);
  }

  private start(
    kind: Group['kind'],
    node: Node,
    rows: number,
    level: number,
    reads: Set<Node>,
    producers: Set<Group>,
  ): void {
    const group: Group = { kind, roots: [node], rows, level, reads, hasReaders: false };
    this.groups.push(group);
    this.groupOf.set(node, group);
    for (const p of producers) p.hasReaders = true;
  }

  /** What a node reads from memory (or from the kernel it is in): the stored nodes and leaves at the edge of its inlined region. */
  private readsOf(node: Node): Set<Node> {
    const reads = new Set<Node>();
    const seen = new Set<Node>();
    const stack = [...node.inputs];
    while (stack.length > 0) {
      const n = stack.pop() as Node;
      if (seen.has(n)) continue;
      seen.add(n);
      if (n.op === 'constant') continue;
      if (this.stored.has(n) || this.isLeaf(n) || opOf(n.op).lower.family === 'indexed') reads.add(n);
      if (!this.stored.has(n) && !this.isLeaf(n)) stack.push(...n.inputs);
    }
    return reads;
  }

  /** Rows of a node's own kernel: all its elements, or fewer where an index is drawn once for the many elements of a slice. */
  private naturalRows(node: Node): number {
    const total = size(node);
    const slices = this.slicesOf(node);
    if (slices.size !== 1) return total;
    const [slice] = slices;
    return slice > 1 && total % slice === 0 && total / slice >= 16 ? total / slice : total;
  }

  /** Sizes of the slices that gathers with computed (not stored) indices take in a node's inlined region. */
  private slicesOf(node: Node): Set<number> {
    const slices = new Set<number>();
    const seen = new Set<Node>();
    const stack = [node];
    while (stack.length > 0) {
      const n = stack.pop() as Node;
      if (seen.has(n) || (n !== node && (this.stored.has(n) || this.isLeaf(n)))) continue;
      seen.add(n);
      const indices = n.op === 'gather' ? n.inputs[1] : undefined;
      if (indices && !this.stored.has(indices) && !this.isLeaf(indices))
        slices.add(size(n) / Math.max(1, size(indices)));
      stack.push(...n.inputs);
    }
    return slices;
  }

  private joinProducers(node: Node, reads: Set<Node>, producers: Set<Group>): boolean {
    if (producers.size === 0) return false;
    const list = [...producers].sort((a, b) => b.level - a.level);
    const top = list[0];
    const peers = list.filter((g) => g.level === top.level);
    // Two kernels of one stage: one of them can wait for the others if nothing waits for it.
    let base = top;
    let joined = [top];
    if (peers.length > 1) {
      if (peers.every((g) => g.kind === 'nest')) joined = peers;
      else {
        const patient =
          peers.find((g) => !g.hasReaders && g.kind === 'contraction') ?? peers.find((g) => !g.hasReaders);
        if (!patient) return false;
        base = patient;
        joined = [patient];
      }
    }
    if (joined.some((g) => this.apart(g, node))) return false;
    for (const rows of this.candidateRows(joined, node)) {
      const merged: Group = {
        kind: base.kind,
        roots: [...joined.flatMap((g) => g.roots), node],
        rows,
        level: peers.length > joined.length ? top.level + 1 : base.level,
        reads: new Set([...joined.flatMap((g) => [...g.reads]), ...reads]),
        hasReaders: joined.some((g) => g.hasReaders),
      };
      if (!this.accept(merged, joined)) continue;
      for (const p of producers) if (!joined.includes(p)) p.hasReaders = true;
      return true;
    }
    return false;
  }

  private joinSibling(node: Node, rows: number, level: number, reads: Set<Node>, producers: Set<Group>): boolean {
    const family = opOf(node.op).lower.family;
    for (const g of this.groups) {
      if (g.level !== level || g.kind !== 'nest') continue;
      const shares = [...reads].some((n) => g.reads.has(n) && (size(n) > 1 || opOf(n.op).lower.family === 'indexed'));
      if (!shares || this.apart(g, node)) continue;
      // Reductions of different shape or along different axes walk their input in different orders.
      const sameRows = g.rows === rows || (family !== 'reduce' && size(node) === g.rows);
      const common = sameRows ? g.rows : this.tinyRows(g, node);
      if (common === 0) continue;
      const merged: Group = { ...g, rows: common, roots: [...g.roots, node], reads: new Set([...g.reads, ...reads]) };
      if (!this.accept(merged, [g])) continue;
      for (const p of producers) p.hasReaders = true;
      return true;
    }
    return false;
  }

  /** Places of the stored nodes in an order in which what a node reads comes right before it, as far as that can be. */
  private chains(): Map<Node, number> {
    const places = new Map<Node, number>();
    const visit = (root: Node): void => {
      const stack = [{ node: root, open: this.inputsOf(root) }];
      for (let top = stack[stack.length - 1]; top; top = stack[stack.length - 1]) {
        const next = top.open.pop();
        if (next === undefined) {
          if (!places.has(top.node)) places.set(top.node, places.size);
          stack.pop();
        } else if (!places.has(next)) stack.push({ node: next, open: this.inputsOf(next) });
      }
    };
    for (const node of this.stored) if (!this.readers.has(node) || this.results.has(node)) visit(node);
    return places;
  }

  /** Stored nodes that a node reads, the last made first. */
  private inputsOf(node: Node): Node[] {
    return [...(this.readsBy.get(node) as Set<Node>)].filter((n) => this.stored.has(n)).sort((a, b) => b.id - a.id);
  }

  /**
   * Whether a node belongs to another time than the kernel: it is needed only when something that the kernel makes has been used, or what it reads is made only when
   * something that the kernel reads could have been given up. Made together, both would take memory.
   */
  private apart(g: Group, node: Node): boolean {
    const first = size(node) >= KEPT ? Math.min(...this.uses(node)) : -1;
    const kept = g.roots.filter((root) => size(root) >= KEPT && this.isKept(root, [...g.roots, node]));
    if (kept.some((root) => Math.max(...this.uses(root)) < first)) return true;
    return this.outlives(g, this.readsBy.get(node) as Set<Node>);
  }

  /** Whether the last use of something large that a kernel reads comes before all of the other reads are there. */
  private outlives(g: Pick<Group, 'roots' | 'reads'>, reads: ReadonlySet<Node>): boolean {
    const ready = Math.max(-1, ...[...reads].map((n) => this.order.get(n) ?? -1));
    const large = [...g.reads].filter((n) => this.order.has(n) && size(n) >= KEPT && this.isKept(n, g.roots));
    return large.some((n) => Math.max(...this.uses(n)) < ready);
  }

  /** Whether a stored node that is read by these is in memory: made elsewhere, or read elsewhere too. */
  private isKept(node: Node, own: readonly Node[]): boolean {
    if (!own.includes(node) || this.results.has(node)) return true;
    return (this.readers.get(node) ?? []).some((r) => !own.includes(r));
  }

  /** Places of what reads a stored node; results are read to the end. */
  private uses(node: Node): number[] {
    if (this.results.has(node)) return [Infinity];
    return (this.readers.get(node) ?? []).map((r) => this.order.get(r) as number);
  }

  /** Rows of one kernel for all, where so little is computed that one invocation may do it; 0 otherwise. */
  private tinyRows(g: Group, node: Node): number {
    const nodes = [node, ...g.roots];
    const rows = Math.min(...nodes.map(size));
    return nodes.every((n) => extentOf(n) <= TINY && size(n) % rows === 0) ? rows : 0;
  }

  /** Numbers of rows under which a node and the kernels that feed it might be one kernel. */
  private candidateRows(groups: readonly Group[], node: Node): number[] {
    const [first] = groups;
    if (first.kind === 'scan' || first.kind === 'sort' || first.kind === 'factor') return [];
    if (first.kind === 'contraction') return size(node) === size(first.roots[0]) && !isReduction(node) ? [1] : [];
    const rows = Math.min(size(node), ...groups.map((g) => g.rows));
    const sizes = [size(node), ...groups.flatMap((g) => g.roots.map(size))];
    if (rows === 0 || sizes.some((s) => s % rows !== 0)) return [];
    const widest = Math.max(...[node, ...groups.flatMap((g) => g.roots)].map(extentOf));
    const narrows = groups.some((g) => g.rows > rows) || size(node) > rows;
    if (narrows && rows < MIN_ROWS && widest > SMALL) return [];
    return [rows];
  }

  private accept(merged: Group, parts: readonly Group[]): boolean {
    // A kernel of values from before a loop and after it would have to wait for itself.
    if (new Set(merged.roots.map((n) => this.stageOf(n))).size > 1) return false;
    if (parts.some((a) => parts.some((b) => a !== b && this.outlives(a, b.reads)))) return false;
    let kernel: Kernel;
    try {
      kernel = this.lower(merged, () => [], true);
    } catch (error) {
      if (error instanceof NotFusable) return false;
      throw error;
    }
    const m = measure(kernel);
    if (m.accesses > MAX_ACCESSES || m.statements > MAX_STATEMENTS) return false;
    // Stores are not in the trial kernel yet: one, in the innermost body, for each root that is read elsewhere.
    const own = new Set(merged.roots);
    const isRead = (n: Node): boolean => this.results.has(n) || (this.readers.get(n) ?? []).some((r) => !own.has(r));
    if (m.largestBody + merged.roots.filter(isRead).length > MAX_BODY_ACCESSES) return false;
    const read = [...accesses(kernel).reads.keys()].map((t) => this.buffers.ofTensor(t));
    const bound = new Set([...this.buffers.always, ...read]);
    if (accesses(kernel).faults) bound.add('faults');
    for (const n of merged.roots.filter(isRead)) for (const b of this.buffers.ofRoot(n)) bound.add(b);
    if (bound.size > this.profile.maxStorageBuffers) return false;
    const [into, ...others] = parts;
    if (!into) throw new InternalError('no group to join');
    Object.assign(into, merged);
    for (const g of others) this.groups.splice(this.groups.indexOf(g), 1);
    for (const root of merged.roots) this.groupOf.set(root, into);
    return true;
  }
}

/** Elements that computing a node visits. */
const extentOf = (node: Node): number => Math.max(size(node), ...(isReduction(node) ? node.inputs.map(size) : []));

function isReduction(node: Node): boolean {
  const { family } = opOf(node.op).lower;
  return family === 'reduce' || family === 'scatter' || family === 'overlap' || family === 'contraction';
}
