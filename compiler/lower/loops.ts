/**
 * Loops. A loop is a block of its own between the kernels around it: its carries are state (all reads of a turn see the old value), rows of what it
 * walks through and stacks up are windows into whole tensors at a counter that the device keeps, constants are the outer tensors themselves.
 *
 * Where the device decides (a condition, a number of turns, a predicate) the kernels concerned are launched in any case and do nothing where a flag is 0. No
 * value is read back, and no launch is indirect: drivers check those at a cost of several launches (wgsl-limits.md, 4).
 */
import type { Node, TensorType } from '../ops/types.ts';
import { bodyParams, INDEX, loopSpec, rowType, type LoopSpec } from '../ops/closed.ts';
import { reachable, sizeOf } from '../ir/tensor/graph.ts';
import type { View } from '../ir/kernel/kernel.ts';
import { blockOf, type BlockLowering, type Frame, type Send, type StateWrite } from './block.ts';
import type { RegionNode } from './collect.ts';
import type { Control, EntryContext } from './context.ts';
import { size } from './fuse.ts';
import { fuseSteps, fuseTurns } from './fused.ts';
import { unitsOf, type Block, type Step } from './unit.ts';

export function lowerLoop(block: BlockLowering, region: RegionNode): Block {
  return new LoopLowering(block, region).lower();
}

class LoopLowering {
  private readonly block: BlockLowering;
  private readonly ctx: EntryContext;
  private readonly region: RegionNode;
  private readonly spec: LoopSpec;
  private readonly params: ReturnType<typeof bodyParams>;
  /** The number of the turn (0 where there is none), and the flag whether turns go on, where the device needs them. */
  private readonly turn: Control | undefined;
  private readonly flag: Control | undefined;
  /** Numbers of the results stacked up that are read. */
  private readonly stacked: readonly number[];

  constructor(block: BlockLowering, region: RegionNode) {
    this.block = block;
    this.ctx = block.ctx;
    this.region = region;
    this.spec = loopSpec(region.node);
    this.params = bodyParams(this.spec);
    const { spec, params } = this;
    const first = 1 + spec.carries.length;
    this.stacked = [...region.used].filter((k) => k >= first && sizeOf(this.partType(k).shape) > 0);
    const steered = spec.count !== undefined || spec.cond !== undefined;
    const read = new Set(reachable(spec.body.results));
    const counts = this.stacked.length > 0 || [params.i, ...params.rows].some((p) => read.has(p));
    // The only turn of a loop has the number 0.
    this.turn = steered || (counts && spec.max > 1) ? this.ctx.control('i32') : undefined;
    this.flag = steered ? this.ctx.control('bool') : undefined;
  }

  lower(): Block {
    const { ctx, spec, block, region } = this;
    const carries = spec.carries.map((_, k) => this.partView(1 + k));
    ctx.declareCarries(
      carries.filter((v) => sizeOf(ctx.tensors.get(v.tensor)?.type.shape ?? []) > 0).map((v) => v.tensor),
    );
    const initial = spec.carries.flatMap((node, k) => {
      if (size(node) === 0) return [];
      const key = `${carries[k].tensor}i`;
      ctx.tensors.share(key, carries[k].tensor);
      block.send(node, ctx.tensors.view(key, node.type));
      return [key];
    });
    const steps = [...this.prologue(), ...this.turns()];
    const written = [...carries.map((v) => v.tensor), ...this.stacked.map((k) => this.partView(k).tensor)];
    if (region.used.has(0)) written.push(...this.turnsDone(steps));
    return blockOf(ctx, fuseSteps(steps, ctx), initial, written);
  }

  private turns(): readonly Step[] {
    const { ctx, spec } = this;
    if (spec.max === 0) return [];
    const turn = [...this.head(), ...this.body()];
    if (spec.max === 1 || turn.length === 0) return turn;
    const flag = this.flag?.view;
    return (
      fuseTurns(turn, spec.max, flag, this.block.times, ctx) ?? [{ kind: 'repeat', turns: spec.max, flag, steps: turn }]
    );
  }

  private partType(k: number): TensorType {
    return (this.region.node.type.parts as readonly TensorType[])[k];
  }

  private partView(k: number): View {
    return this.ctx.tensors.view(this.block.partKey(this.region.node, k), this.partType(k));
  }

  /** The number of turns asked for, brought into 0 to max. */
  private count(count: Node): Node {
    const { graph } = this.ctx;
    const least = graph.make('max', [count, graph.constant(0, INDEX)]);
    return graph.make('min', [least, graph.constant(this.spec.max, INDEX)]);
  }

  /** First number and flag, and zeros for rows that may not be reached. */
  private prologue(): readonly Step[] {
    const { block, ctx, spec, turn, flag } = this;
    const { graph } = ctx;
    const sends: Send[] = [];
    if (turn) {
      const turns = spec.count ? this.count(spec.count) : graph.constant(spec.max, INDEX);
      const last = graph.make('sub', [turns, graph.constant(1, INDEX)]);
      sends.push({ node: spec.reversed ? last : graph.constant(0, INDEX), view: turn.view });
    }
    const always = graph.constant(1, { dtype: 'bool', shape: [] });
    if (flag) sends.push({ node: block.gate?.node ?? always, view: flag.view });
    // Not under the flag around it: where that is 0, this one must be 0 too.
    const start = sends.length > 0 ? [block.assign(sends, undefined, 'start of a loop')] : [];
    const zeros = flag
      ? this.stacked.map((k) => {
          const type = this.partType(k);
          return block.assign([{ node: graph.constant(0, type), view: this.partView(k) }], block.gate?.view, 'zeros');
        })
      : [];
    return block.order([...start, ...zeros]);
  }

  /** What a region of the loop sees. `rows` are the params that stand for rows. */
  private frame(i: Node, carries: readonly Node[], rows: readonly Node[], consts: readonly Node[]): Frame {
    const { block, spec, turn, ctx } = this;
    const leaves = new Map<Node, View>();
    const outer = new Map<Node, Node>();
    const states = new Map<Node, string>();
    carries.forEach((param, k) => {
      const { tensor } = this.partView(1 + k);
      leaves.set(param, this.partView(1 + k));
      states.set(param, tensor);
    });
    consts.forEach((param, k) => outer.set(param, spec.consts[k]));
    if (turn) {
      leaves.set(i, turn.view);
      states.set(i, turn.memory).set(turn.node, turn.memory);
    } else outer.set(i, ctx.graph.constant(0, INDEX));
    rows.forEach((param, k) => {
      const node = block.resolve(spec.xs[k]);
      if (node.op === 'constant' && node.attrs.value !== undefined) {
        outer.set(param, ctx.graph.constant(node.attrs.value as number, rowType(node.type)));
        return;
      }
      const view = block.view(node) ?? ctx.hostView(node);
      if (view) leaves.set(param, this.rowOf(view, size(param)));
    });
    if (this.flag) states.set(this.flag.node, this.flag.memory);
    const ranges = new Map([[i, [0, Math.max(0, spec.max - 1)] as const]]);
    return { leaves, outer, states, ranges, gate: this.flag ?? block.gate, times: block.times * spec.max };
  }

  /** The row of this turn of a tensor. */
  private rowOf(view: View, length: number): View {
    if (!this.turn) return view;
    return { ...view, rows: [...(view.rows ?? []), { at: this.turn.view, length, count: this.spec.max }] };
  }

  /** Before each turn: does it happen? */
  private head(): readonly Step[] {
    const { flag, turn, spec, ctx } = this;
    if (!flag || !turn) return [];
    const { graph } = ctx;
    const [i, ...rest] = spec.cond?.params ?? [turn.node];
    const frame = this.frame(i, rest.slice(0, spec.carries.length), [], rest.slice(spec.carries.length));
    const and = (a: Node, b: Node): Node => graph.make('and', [a, b]);
    const outer = new Map(frame.outer);
    let go = flag.node;
    if (spec.reversed) go = and(go, graph.make('ge', [turn.node, graph.constant(0, INDEX)]));
    else if (spec.count) {
      const count = graph.parameter('region', 'count', INDEX);
      outer.set(count, spec.count);
      go = and(go, graph.make('lt', [turn.node, count]));
    }
    const condition = spec.cond?.results[0];
    const lower = (frame: Frame, node: Node): readonly Step[] =>
      this.block.child({ ...frame, outer, ungated: flag.memory }).lower([{ node, memory: flag.memory }], []);
    const steers = (t: string): boolean => ctx.tensors.memory(t) === flag.memory;
    const steps = lower(frame, condition ? and(go, condition) : go);
    if (!condition || !unitsOf(steps).some((u) => u.faults && [...u.writes].some(steers))) return steps;
    // A condition that can fail must not be computed where it is not asked for: it waits in a word until the flag is set.
    const result = ctx.control('bool');
    const asked = this.block.child({ ...frame, outer }).lower([{ node: condition, memory: result.memory }], []);
    return [...asked, ...lower(frame, and(go, result.node))];
  }

  private body(): readonly Step[] {
    const { spec, params, turn, ctx } = this;
    const { graph } = ctx;
    const frame = this.frame(params.i, params.carries, params.rows, params.consts);
    const writes: StateWrite[] = spec.carries.map((_, k) => ({
      node: spec.body.results[k],
      memory: this.partView(1 + k).tensor,
    }));
    if (turn) {
      const step = graph.constant(spec.reversed ? -1 : 1, INDEX);
      writes.push({ node: graph.make('add', [turn.node, step]), memory: turn.memory });
    }
    const sends = this.stacked.map((k): Send => {
      const length = sizeOf(this.partType(k).shape) / spec.max;
      return { node: spec.body.results[k - 1], view: this.rowOf(this.partView(k), length) };
    });
    return this.block.child(frame).lower(writes, sends);
  }

  /** Writes the number of turns done; returns the tensors that the loop's own steps write for it. */
  private turnsDone(steps: Step[]): string[] {
    const { spec, block, ctx, turn, flag } = this;
    const view = this.partView(0);
    if (flag && turn && !spec.reversed) {
      steps.push(block.assign([{ node: turn.node, view }], block.gate?.view, 'turns'));
      return [view.tensor];
    }
    block.send(spec.count ? this.count(spec.count) : ctx.graph.constant(spec.max, INDEX), view);
    return [];
  }
}
