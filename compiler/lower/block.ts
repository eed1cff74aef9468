/**
 * Lowers one block: the graph of an entry, or of a loop's body or a branch. Reads of state (cells, what a loop carries) see its value before the block: a
 * kernel that writes state comes after all that read it, or writes to a temporary that is copied at the end.
 */
import { op as opOf } from '../ops/table.ts';
import type { Node } from '../ops/types.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import type { Range } from '../ir/tensor/ranges.ts';
import type { Kernel, View } from '../ir/kernel/kernel.ts';
import type { Span } from '../source/source.ts';
import { collect, type RegionNode } from './collect.ts';
import type { Control, EntryContext } from './context.ts';
import { contractionOf } from './dims.ts';
import { chooseStored, size } from './fuse.ts';
import { Grouping, type Group } from './groups.ts';
import { lowerNest, type Root } from './nest.ts';
import { schedule } from './schedule.ts';
import { splitReductions } from './split.ts';
import type { Storage } from './storage.ts';
import { unitOf, unitsOf, type Block, type Item, type Step, type Unit } from './unit.ts';

/** What a block can see of what lies around it. */
export interface Frame {
  /** Region parameters that lie in memory. */
  readonly leaves: ReadonlyMap<Node, View>;
  /** Region parameters that stand for outer nodes. */
  readonly outer: ReadonlyMap<Node, Node>;
  /** Region parameters that are state, by memory. */
  readonly states: ReadonlyMap<Node, string>;
  readonly ranges: ReadonlyMap<Node, Range>;
  /** The flag under which the block runs. */
  readonly gate?: Control;
  /** Turns of the loops around, all in all. */
  readonly times?: number;
  /** State whose writer runs without regard to the flag. */
  readonly ungated?: string;
}

export const noFrame: Frame = { leaves: new Map(), outer: new Map(), states: new Map(), ranges: new Map() };

/** Lowers a loop or choice of a block (`regions.ts`). */
export type RegionLowering = (block: BlockLowering, region: RegionNode) => Block;

/** A value that goes to memory. */
export interface Send {
  readonly node: Node;
  readonly view: View;
}

/** A new value of state. */
export interface StateWrite {
  readonly node: Node;
  readonly memory: string;
}

export class BlockLowering {
  readonly ctx: EntryContext;
  readonly gate: Control | undefined;
  /** How often the block is run at most. */
  readonly times: number;
  private readonly frame: Frame;
  private readonly lowerRegion: RegionLowering;
  private readonly parent: BlockLowering | undefined;
  private readonly suffix: string;
  private stored: ReadonlySet<Node> = new Set();
  private placed: ReadonlySet<Node> = new Set();
  private used: ReadonlySet<string> = new Set();
  private readonly extra = new Map<Node, View[]>();
  private readonly copies: Send[] = [];
  /** Nodes that this block computes, stored or not. */
  private computed: ReadonlySet<Node> = new Set();
  private stages: ReadonlyMap<Node, number> = new Map();
  private regions: ReadonlySet<Node> = new Set();

  constructor(ctx: EntryContext, lowerRegion: RegionLowering, frame: Frame = noFrame, parent?: BlockLowering) {
    this.ctx = ctx;
    this.lowerRegion = lowerRegion;
    this.frame = frame;
    this.parent = parent;
    this.gate = frame.gate;
    this.times = frame.times ?? parent?.times ?? 1;
    this.suffix = parent ? `_${ctx.newBlock()}` : '';
  }

  /** A block within this one. */
  child(frame: Frame): BlockLowering {
    return new BlockLowering(this.ctx, this.lowerRegion, frame, this);
  }

  /** Kernels, in order, for new values of state and for values that go to memory. */
  lower(writes: readonly StateWrite[], sends: readonly Send[]): readonly Step[] {
    const { ctx } = this;
    const known = new Map<Node, Node>();
    const isLeaf = (n: Node): boolean => ctx.isLeaf(n);
    const values = [...writes.map((w) => this.owned(w, known)), ...sends.map((s) => s.node)];
    const roots = splitReductions(values, ctx.profile);
    const { nodes, regions, stages } = collect(roots, isLeaf);
    this.stages = stages;
    this.computed = new Set(nodes.filter((n) => !isLeaf(n)));
    const needed = regions.flatMap((r) => r.needs.filter((n) => !isLeaf(n)));
    const starts = regions.flatMap((r) => r.starts.filter((n) => !isLeaf(n)));
    const results = new Set([...roots, ...needed, ...starts]);
    this.regions = new Set(regions.map((r) => r.node));
    this.stored = chooseStored(nodes, isLeaf, results, ctx.profile.maxStorageBuffers, (n) => this.resolve(n));
    for (const n of this.stored) ctx.nodeOf.set(this.key(n), n);
    this.placeWrites(writes, roots);
    sends.forEach(({ view }, k) => this.send(roots[writes.length + k], view));
    const blocks = regions.map((r) => this.lowerRegion(this, r));
    return this.order([...this.kernels(results, needed), ...blocks]);
  }

  /**
   * Where new values of state go: the first write of a stored node shares the state's memory. All others are copies, since the kernel that computes the
   * node may read the old value of what they write.
   */
  private placeWrites(writes: readonly StateWrite[], roots: readonly Node[]): void {
    const { tensors } = this.ctx;
    const placed = new Set<Node>();
    writes.forEach(({ memory }, k) => {
      const node = roots[k];
      if (this.stateOf(node) === memory || size(node) === 0) return;
      if (this.stored.has(node) && !placed.has(node)) {
        placed.add(node);
        tensors.view(this.key(node), node.type);
        tensors.alias(this.key(node), memory);
      } else this.copies.push({ node, view: tensors.view(tensors.writeKey(memory), node.type) });
    });
    this.placed = placed;
  }

  /** Sends a value of this block to memory. To be asked for before its kernels are made. */
  send(node: Node, view: View): void {
    if (size(node) === 0) return;
    if (this.stored.has(node)) this.extra.set(node, [...(this.extra.get(node) ?? []), view]);
    else this.copies.push({ node, view });
  }

  private kernels(results: ReadonlySet<Node>, needed: readonly Node[]): Unit[] {
    const { ctx } = this;
    const ofTensor = ctx.bufferOf;
    const ofRoot = (node: Node): string[] =>
      [this.key(node), ...(this.extra.get(node) ?? []).map((view) => view.tensor)].map(ofTensor);
    const always = this.gate ? [ofTensor(this.gate.memory)] : [];
    const grouping = new Grouping(
      this.stored,
      (n) => ctx.isLeaf(n),
      (own) => this.storage(own),
      ctx.profile,
      results,
      { ofTensor, ofRoot, always },
      (n) => this.stages.get(n) ?? 0,
    );
    const used = new Set<string>(needed.map((n) => this.key(n)));
    for (const g of grouping.groups) for (const n of g.reads) if (grouping.groupOf.get(n) !== g) used.add(this.key(n));
    for (const c of this.copies) used.add(this.key(c.node));
    this.used = used;
    const units: Unit[] = [];
    for (const g of grouping.groups) {
      if (g.roots.some((n) => this.targets(n).length > 0)) units.push(this.unit(grouping, g));
    }
    for (const c of this.copies) units.push(this.copy(c.node, c.view));
    return units;
  }

  private targets(n: Node): View[] {
    const key = this.key(n);
    const own = this.used.has(key) || this.placed.has(n) ? [this.ctx.tensors.view(key, n.type)] : [];
    return [...own, ...(this.extra.get(n) ?? [])];
  }

  private unit(grouping: Grouping, g: Group): Unit {
    const targets = (n: Node): View[] => this.targets(n);
    const kernel: Kernel = grouping.lower(g, targets);
    const roots: Root[] = g.roots.map((node) => ({ node, targets: targets(node) })).filter((r) => r.targets.length > 0);
    const nest =
      g.kind === 'nest' ? { spec: { rows: g.rows, roots }, storage: this.storage(new Set(g.roots)) } : undefined;
    const steers = roots.some((r) => r.targets.some((v) => this.ctx.tensors.memory(v.tensor) === this.frame.ungated));
    const gate = steers ? undefined : this.gate?.view;
    return unitOf(kernel, labelOf(g.roots), spansOf(g.roots), flopsOf(g.roots), { nest, gate });
  }

  /** A kernel that computes values of this block (from stored ones) into memory, each of the same number of elements. */
  assign(sends: readonly Send[], gate: View | undefined, label: string): Unit {
    const spec = {
      rows: size(sends[0].node),
      roots: sends.map(({ node, view }) => ({ node, targets: [view] })),
    };
    const storage = this.storage(new Set());
    const kernel = lowerNest(spec, storage, this.ctx.profile);
    return unitOf(kernel, label, spansOf(sends.map((s) => s.node)), 0, { nest: { spec, storage }, gate });
  }

  private copy(node: Node, view: View): Unit {
    return this.assign([{ node, view }], this.gate?.view, `write ${view.tensor.replace(/^write:/, '')}`);
  }

  /** Puts kernels and blocks of this block in order. */
  order(items: readonly Item[]): readonly Step[] {
    const { ctx } = this;
    const { steps, blocks } = schedule(items, {
      tensors: ctx.tensors,
      place: ctx.placeOf,
      bufferOf: ctx.bufferOf,
      inBlock: ctx.inBlock,
      profile: ctx.profile,
      copyToState: (tensor, memory) => {
        const node = ctx.nodeOf.get(tensor) as Node;
        return this.copy(node, ctx.tensors.view(ctx.tensors.writeKey(memory), node.type));
      },
    });
    ctx.blocks.push(...blocks);
    return steps;
  }

  // ---------------------------------------------------------------- what nodes are here

  /** Key of the tensor of a stored node. */
  key(node: Node): string {
    return `t${node.id}${this.suffix}`;
  }

  /** Key of the tensor of a result of a loop or choice of this block. */
  partKey(node: Node, index: number): string {
    return `${this.key(node)}.${index}`;
  }

  /** The node of an outer block that a constant of a region stands for; otherwise the node itself. */
  resolve(node: Node): Node {
    const outer = this.frame.outer.get(node);
    if (outer) return this.parent?.resolve(outer) ?? outer;
    return node;
  }

  /** The state whose old value a node is, if this block or one around it writes it. */
  private stateOf(node: Node): string | undefined {
    if (node.op !== 'parameter') return undefined;
    return node.attrs.source === 'cell' ? `cell:${String(node.attrs.name)}` : this.frame.states.get(node);
  }

  /** Another state's old value as a node of its own: it may have to wait in a temporary (two cells that are swapped). */
  private owned({ node, memory }: StateWrite, known: Map<Node, Node>): Node {
    const state = this.stateOf(node);
    if (state === undefined || state === memory) return node;
    // The id lies between those of the parameter and of anything made later.
    const own = known.get(node) ?? {
      ...node,
      id: node.id + 0.01,
      op: 'reshape',
      inputs: [node],
      attrs: { shape: node.type.shape },
    };
    known.set(node, own);
    return own;
  }

  /** Memory of a node that is computed elsewhere than by the kernel at hand. */
  view(node: Node, own: ReadonlySet<Node> = new Set()): View | undefined {
    const { ctx, frame } = this;
    const leaf = frame.leaves.get(node);
    if (leaf) return leaf;
    if (node.op === 'part') {
      const known = this.regions.has(node.inputs[0]) || !this.parent;
      if (!known) return this.parent?.view(node);
      return size(node) > 0
        ? ctx.tensors.view(this.partKey(node.inputs[0], node.attrs.index as number), node.type)
        : undefined;
    }
    if (this.stored.has(node))
      return own.has(node) || size(node) === 0 ? undefined : ctx.tensors.view(this.key(node), node.type);
    // Made of constants alone, it may be in an outer block too, where nobody knows that it is read here.
    if (this.computed.has(node)) return undefined;
    return this.parent ? this.parent.view(node) : node.op === 'parameter' ? ctx.leafView(node) : undefined;
  }

  storage(own: ReadonlySet<Node>): Storage {
    return {
      resolve: (node) => this.resolve(node),
      range: (node) => this.frame.ranges.get(node),
      view: (node) => this.view(node, own),
      host: (node) => this.ctx.hostView(node),
      fault: (node, what) => this.ctx.fault(node, what),
    };
  }
}

/** The block of some steps: what they read of others, and the tensors that others may read. */
export function blockOf(
  ctx: EntryContext,
  steps: readonly Step[],
  reads: readonly string[],
  writes: readonly string[],
): Block {
  const own = new Set<string>();
  const all = new Set(reads);
  for (const unit of unitsOf(steps)) {
    for (const t of unit.writes) own.add(t).add(ctx.tensors.memory(t));
    for (const t of unit.reads) all.add(t);
  }
  return {
    kind: 'block',
    steps,
    reads: new Set([...all].filter((t) => !own.has(t) || reads.includes(t))),
    writes: new Set(writes),
  };
}

function labelOf(roots: readonly Node[]): string {
  const last = roots[roots.length - 1];
  const ops = [...new Set(roots.map((r) => r.op))].slice(0, 3).join(', ');
  return last.path ? `${ops} (${last.path})` : ops;
}

function spansOf(roots: readonly Node[]): Span[] {
  const seen = new Map<string, Span>();
  for (const { span } of roots) if (span) seen.set(`${span.file}:${span.start}`, span);
  return [...seen.values()].slice(0, 8);
}

function flopsOf(roots: readonly Node[]): number {
  let flops = 0;
  for (const node of roots) {
    const { family } = opOf(node.op).lower;
    if (family === 'contraction') {
      const c = contractionOf(node);
      flops += 2 * c.batch * c.m * c.n * c.k;
    } else if (family === 'reduce') flops += sizeOf(node.inputs[0].type.shape);
    else flops += size(node);
  }
  return flops;
}
