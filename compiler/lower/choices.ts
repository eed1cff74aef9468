/** Choices: both branches are lowered, each under a flag of its own; one that the host knows is made while commands are encoded. */
import type { Node, Region, TensorType } from '../ops/types.ts';
import { condSpec } from '../ops/closed.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import type { View } from '../ir/kernel/kernel.ts';
import { blockOf, type BlockLowering, type Frame } from './block.ts';
import type { RegionNode } from './collect.ts';
import type { Control } from './context.ts';
import { fuseSteps } from './fused.ts';
import type { Block, Step } from './unit.ts';

export function lowerChoice(block: BlockLowering, { node, used }: RegionNode): Block {
  const { ctx } = block;
  const { predicate, consts, branches } = condSpec(node);
  const parts = node.type.parts as readonly TensorType[];
  const view = (k: number): View => ctx.tensors.view(block.partKey(node, k), parts[k]);
  const results = [...used].filter((k) => k > 0 && sizeOf(parts[k].shape) > 0).sort((a, b) => a - b);
  const branch = (region: Region, gate: Control | undefined): readonly Step[] => {
    const outer = new Map(region.params.map((p, k) => [p, consts[k]]));
    const frame: Frame = { leaves: new Map(), outer, states: new Map(), ranges: new Map(), gate };
    return block.child(frame).lower(
      [],
      results.map((k) => ({ node: region.results[k - 1], view: view(k) })),
    );
  };
  if (used.has(0)) block.send(ctx.graph.make('cast', [predicate], { dtype: 'i32' }), view(0));
  const known = block.resolve(predicate);
  const value = ctx.hostValue(known);
  const steps: Step[] = [];
  if (known.op === 'constant') {
    steps.push(...branch(known.attrs.value === 0 ? branches[1] : branches[0], block.gate));
  } else if (value !== undefined) {
    steps.push({
      kind: 'choice',
      value,
      taken: branch(branches[0], block.gate),
      otherwise: branch(branches[1], block.gate),
    });
  } else {
    const { graph } = ctx;
    const flags = [ctx.control('bool'), ctx.control('bool')];
    const tests = [predicate, graph.make('not', [predicate])];
    const within = (test: Node): Node => (block.gate ? graph.make('and', [block.gate.node, test]) : test);
    // Not under the flag around it: where that is 0, these must be 0 too.
    steps.push(
      block.assign(
        flags.map(({ view }, k) => ({ node: within(tests[k]), view })),
        undefined,
        'which branch',
      ),
      ...branch(branches[0], flags[0]),
      ...branch(branches[1], flags[1]),
    );
  }
  return blockOf(
    ctx,
    fuseSteps(steps, ctx),
    [],
    results.map((k) => view(k).tensor),
  );
}
