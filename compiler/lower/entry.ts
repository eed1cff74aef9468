/**
 * One entry of a program, from tensor graph to ordered kernels: where its results go, and what depends on scalars alone, which is left to the host.
 * The kernels themselves are made block by block (`block.ts`): the entry's graph is one, every body of a loop and every branch another.
 */
import type { Node } from '../ops/types.ts';
import { regionsOf } from '../ops/region.ts';
import type { HostProgram } from '../bundle/host-program.ts';
import type { ParamWord } from '../bundle/format.ts';
import { Graph, reachable } from '../ir/tensor/graph.ts';
import type { Data, Entry } from '../ir/program.ts';
import { extractHost } from '../passes/host.ts';
import type { Span } from '../source/source.ts';
import { BlockLowering, type Send } from './block.ts';
import { boundWork } from './bounded.ts';
import { EntryContext, type Fault } from './context.ts';
import { size } from './fuse.ts';
import { fuseExecutions } from './fused.ts';
import type { DeviceProfile } from './profile.ts';
import { lowerRegion } from './regions.ts';
import type { Schedule, StatePlace } from './schedule.ts';
import type { Tensors } from './tensors.ts';

/** A value that an entry gives to the host: a word of the report slot, or a value of the host program. */
export type Reported =
  { readonly kind: 'word'; readonly word: number } | { readonly kind: 'host'; readonly value: number };

export interface LoweredEntry extends Schedule {
  readonly tensors: Tensors;
  readonly host: HostProgram;
  readonly params: readonly ParamWord[];
  /** Words of the report slot. */
  readonly reportWords: number;
  /** By position in the entry's outputs: where it is found (results aside), and where its condition is. */
  readonly outputs: ReadonlyMap<number, Reported>;
  readonly conditions: ReadonlyMap<number, Reported>;
  readonly faults: readonly Fault[];
  /** Words by which the device steers itself. */
  readonly controlWords: number;
  /** Where the stored node of a tensor comes from. */
  spanOf(tensor: string): Span | undefined;
}

/** `place` tells where a cell lies, by the name of its memory (`cell:ID`); `times` is how many executions follow each other without a look at what they gave. */
export function lowerEntry(
  entry: Entry,
  data: readonly Data[],
  profile: DeviceProfile,
  place: StatePlace,
  times = 1,
): LoweredEntry {
  const { writes, outputs } = entry;
  const roots = [...writes.map((w) => w.value), ...outputs.flatMap((o) => (o.when ? [o.value, o.when] : [o.value]))];
  const host = extractHost(roots);
  const { instructions } = host.program;
  const ctx = new EntryContext(data, profile, place, new Graph(firstFree(roots)), { index: host.index, instructions });
  const sends: Send[] = [];
  let reportWords = 0;
  const report = (node: Node): Reported => {
    const value = host.index.get(node);
    if (value !== undefined) return { kind: 'host', value };
    const word = reportWords++;
    sends.push({ node, view: ctx.tensors.view(`report:${word}`, { dtype: node.type.dtype, shape: [1] }) });
    return { kind: 'word', word };
  };
  const found = new Map<number, Reported>();
  const conditions = new Map<number, Reported>();
  outputs.forEach((o, k) => {
    if (o.kind !== 'result') found.set(k, report(o.value));
    else if (size(o.value) > 0) sends.push({ node: o.value, view: ctx.tensors.view(`result:${o.name}`, o.value.type) });
    if (o.when) conditions.set(k, report(o.when));
  });
  const block = new BlockLowering(ctx, lowerRegion);
  const lowered = block.lower(
    writes.map((w) => ({ node: w.value, memory: `cell:${w.cell}` })),
    sends,
  );
  const steps = boundWork(fuseExecutions(lowered, times, ctx), block);
  return {
    steps,
    blocks: ctx.blocks,
    tensors: ctx.tensors,
    host: { instructions: ctx.instructions },
    params: ctx.params,
    reportWords,
    outputs: found,
    conditions,
    faults: ctx.faults,
    controlWords: ctx.controlWords,
    spanOf: (tensor) => ctx.nodeOf.get(tensor)?.span,
  };
}

/** A number above those of all nodes, region parameters included. */
function firstFree(roots: readonly Node[]): number {
  let last = 0;
  for (const node of reachable(roots)) {
    last = Math.max(last, node.id);
    for (const region of regionsOf(node)) for (const param of region.params) last = Math.max(last, param.id);
  }
  return Math.ceil(last) + 1;
}
