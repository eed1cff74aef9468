/**
 * Loops that are one kernel, in launches of bounded work: no launch may keep the device for long, and how many turns a loop takes is known only while it runs. The kernel notes
 * where it stands when a launch has done its share, and the next launch goes on there; those after the end do nothing.
 */
import { accesses, turnsOf, type Kernel } from '../ir/kernel/kernel.ts';
import type { BlockLowering } from './block.ts';
import { workOf } from './fused.ts';
import { maxWork } from './profile.ts';
import type { Step, Unit } from './unit.ts';

/** The steps with every sequence that may be too much work in as many launches as it may need. */
export function boundWork(steps: readonly Step[], block: BlockLowering): readonly Step[] {
  return steps.flatMap((step): readonly Step[] => {
    if (step.kind === 'repeat') return [{ ...step, steps: boundWork(step.steps, block) }];
    if (step.kind === 'choice')
      return [{ ...step, taken: boundWork(step.taken, block), otherwise: boundWork(step.otherwise, block) }];
    return tooLong(step, block) ? inLaunches(step, block) : [step];
  });
}

const tooLong = (unit: Unit, { ctx }: BlockLowering): boolean =>
  unit.executions === undefined && turnsOf(unit.kernel.sequence).length > 0 && workOf(unit) > maxWork(ctx.profile);

function inLaunches(unit: Unit, block: BlockLowering): readonly Step[] {
  const { ctx } = block;
  const work = maxWork(ctx.profile);
  const at = ctx.control('i32').view;
  const turns = turnsOf(unit.kernel.sequence).map(() => ctx.control('i32').view);
  const kernel: Kernel = { ...unit.kernel, budget: { work, at, turns } };
  // A launch that does not end the kernel has done the work of one, so that this many are enough.
  const launches = 1 + Math.ceil(workOf(unit) / work);
  const { reads, writes } = accesses(kernel);
  const part: Unit = {
    ...unit,
    kernel,
    reads: new Set(reads.keys()),
    writes: new Set(writes.keys()),
    flops: unit.flops / launches,
    bytes: unit.bytes / launches,
  };
  const one = ctx.graph.constant(1, { dtype: 'i32', shape: [] });
  return [
    block.assign([{ node: one, view: at }], undefined, 'start of a loop in several launches'),
    { kind: 'repeat', turns: launches, flag: at, steps: [part] },
  ];
}
