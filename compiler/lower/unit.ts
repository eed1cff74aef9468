/**
 * Pieces of work: a kernel with what it reads and writes, which is what is ordered, merged and finally dispatched, and a block, the kernels of a loop or
 * of a choice, which stays together.
 */
import type { Span } from '../source/source.ts';
import { accesses, gated, type Kernel, type View } from '../ir/kernel/kernel.ts';
import type { NestSpec } from './nest.ts';
import type { Storage } from './storage.ts';

export interface Unit {
  readonly kind: 'kernel';
  kernel: Kernel;
  readonly label: string;
  readonly spans: readonly Span[];
  /** Tensors read and written, by key. */
  reads: ReadonlySet<string>;
  writes: ReadonlySet<string>;
  readonly faults: boolean;
  /** How the kernel was made, where it is a nest: for making it again over several tensors at once. */
  readonly nest?: { readonly spec: NestSpec; readonly storage: Storage };
  /** The flag under which it runs. */
  readonly gate?: View;
  readonly flops: number;
  readonly bytes: number;
  /** Launches that it stands for, where it is a sequence, and its operations outside of loops. */
  readonly launches?: number;
  readonly straight?: number;
  /** It is all that an entry does: one launch makes this many executions at most, one after the other. */
  readonly executions?: number;
}

/** The kernels of a loop or choice. `writes` are the tensors that others may read. */
export interface Block {
  readonly kind: 'block';
  readonly steps: readonly Step[];
  readonly reads: ReadonlySet<string>;
  readonly writes: ReadonlySet<string>;
}

/** What is ordered as one. */
export type Item = Unit | Block;

/** What is run, in order. */
export type Step =
  | Unit
  /** At most `turns` times; `flag` is 0 where no turn happens any more. */
  | { readonly kind: 'repeat'; readonly turns: number; readonly flag?: View; readonly steps: readonly Step[] }
  /** By a value of the entry's host program. */
  | {
      readonly kind: 'choice';
      readonly value: number;
      readonly taken: readonly Step[];
      readonly otherwise: readonly Step[];
    };

export function unitOf(
  kernel: Kernel,
  label: string,
  spans: readonly Span[],
  flops: number,
  how: Pick<Unit, 'nest' | 'gate'> = {},
): Unit {
  const own = gated(kernel, how.gate);
  const a = accesses(own);
  let bytes = 0;
  for (const view of [...a.reads.values(), ...a.writes.values()])
    bytes += (view.storage === 'u8' ? 1 : 4) * (view.rows?.at(-1)?.length ?? view.size);
  return {
    kind: 'kernel',
    kernel: own,
    label,
    spans,
    reads: new Set(a.reads.keys()),
    writes: new Set(a.writes.keys()),
    faults: a.faults,
    ...how,
    flops,
    bytes,
  };
}

/** Visits every kernel, in order, with how often it runs at most. */
export function eachUnit(steps: readonly Step[], visit: (unit: Unit, times: number) => void, times = 1): void {
  for (const step of steps) {
    if (step.kind === 'kernel') visit(step, times);
    else if (step.kind === 'repeat') eachUnit(step.steps, visit, times * step.turns);
    else for (const branch of [step.taken, step.otherwise]) eachUnit(branch, visit, times);
  }
}

/** All kernels in order. */
export function unitsOf(steps: readonly Step[]): Unit[] {
  const units: Unit[] = [];
  eachUnit(steps, (unit) => units.push(unit));
  return units;
}
