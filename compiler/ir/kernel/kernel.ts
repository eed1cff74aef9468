/**
 * The kernel IR: what one dispatch computes, independent of WGSL. A kernel is a list of branches (disjoint ranges of workgroups, so that
 * independent small kernels can share a launch); a branch is structured code over scalars and vectors of four in single assignment. Memory is
 * reached only through views by normal-form indices, so `verify.ts` can prove every access in bounds. Invocations do not communicate, except
 * by `shuffle` within a subgroup, and no invocation may touch what another one writes (`interpret.ts` checks).
 *
 * A kernel with a `sequence` is one workgroup that runs its branches in stages, with a barrier after each, so that a stage sees what those before it have
 * written: a whole loop of little work in one launch, or, with a `budget`, in a few.
 */
import type { Attrs, DType } from '../../ops/types.ts';
import type { IndexExpr, IndexVar } from './index-expr.ts';

export type ValueId = number;
export type Width = 1 | 4;

/** A tensor in memory. Where it lies is decided later; `size` counts elements, padding included. */
export interface View {
  readonly tensor: string;
  readonly dtype: DType;
  /** 'u8' packs four elements to a word and reads as element * scale. Others are one word per element (bool as 0 and 1). */
  readonly storage: 'word' | 'u8';
  readonly scale: number;
  readonly size: number;
  /** Where only one row is meant (or a row of a row …): the builder takes indices within the row, and makes them ones of the whole tensor. */
  readonly rows?: readonly Row[];
}

/** A row of `length` elements of a tensor of `count` rows: the one whose number is in memory at `at`. */
export interface Row {
  readonly at: View;
  readonly length: number;
  readonly count: number;
}

export type Expression =
  | { readonly kind: 'constant'; readonly value: number }
  /** A primitive of the op table with a scalar meaning; operands of width 1 spread. */
  | {
      readonly kind: 'op';
      readonly op: string;
      readonly args: readonly ValueId[];
      readonly inputs: readonly DType[];
      readonly attrs: Attrs;
      /** Result shape, for primitives whose element depends on the whole (shuffles). */
      readonly shape?: readonly number[];
    }
  /** a * b + c */
  | { readonly kind: 'mad'; readonly args: readonly [ValueId, ValueId, ValueId] }
  /** An index as an i32 number (vector if it depends on a lane). */
  | { readonly kind: 'index'; readonly index: IndexExpr }
  | { readonly kind: 'load'; readonly view: View; readonly index: IndexExpr }
  /** True where lo <= index <= hi. */
  | { readonly kind: 'inside'; readonly index: IndexExpr; readonly lo: number; readonly hi: number }
  /** An i32 brought into lo..hi: what an index 'value' atom refers to. */
  | { readonly kind: 'clamp'; readonly of: ValueId; readonly lo: number; readonly hi: number }
  | { readonly kind: 'component'; readonly of: ValueId; readonly component: number }
  | { readonly kind: 'vector'; readonly of: readonly ValueId[] }
  /** Several values of one type, to be chosen from by 'pick' (its id is no number of its own). */
  | { readonly kind: 'array'; readonly of: readonly ValueId[] }
  | { readonly kind: 'pick'; readonly of: ValueId; readonly length: number; readonly index: IndexExpr }
  /** A value (or a component of it) of invocation `lane` of the subgroup. */
  | { readonly kind: 'shuffle'; readonly of: ValueId; readonly component: number; readonly lane: number };

/** A value carried round a loop: `id` is the value at the start of a turn, and after the loop. */
export interface Carry {
  readonly id: ValueId;
  readonly dtype: DType;
  readonly width: Width;
  readonly init: ValueId;
  readonly next: ValueId;
}

export type Statement =
  | {
      readonly kind: 'let';
      readonly id: ValueId;
      readonly dtype: DType;
      readonly width: Width;
      readonly expr: Expression;
    }
  /** for (variable = start; variable < extent; variable += step) */
  | {
      readonly kind: 'loop';
      readonly variable: IndexVar;
      readonly start: IndexExpr;
      readonly step: number;
      readonly carries: readonly Carry[];
      readonly body: readonly Statement[];
    }
  /** Runs the body with variable = index where 0 <= index < extent. */
  | {
      readonly kind: 'within';
      readonly variable: IndexVar;
      readonly index: IndexExpr;
      readonly body: readonly Statement[];
    }
  | { readonly kind: 'store'; readonly view: View; readonly index: IndexExpr; readonly value: ValueId }
  /** Records fault `number`, and the i32 value that is to blame, where `ok` is false in some component. */
  | { readonly kind: 'fault'; readonly ok: ValueId; readonly number: number; readonly value: ValueId };

export interface Branch {
  /** Index of the workgroup within this branch, and of the invocation within its workgroup. */
  readonly group: IndexVar;
  readonly local: IndexVar;
  readonly body: readonly Statement[];
  /** A flag in memory: where it is 0 the branch does nothing. */
  readonly gate?: View;
}

/** Part of a sequence: branches, by number, that run beside each other, or stages that are repeated. */
export type Stage =
  | { readonly kind: 'run'; readonly branches: readonly number[] }
  /** At most `turns` times, and only as long as the flag in memory is not 0 at the beginning of a turn. `work`: operations of a turn, without those of turns within it. */
  | Turns;

export interface Turns {
  readonly kind: 'turns';
  readonly turns: number;
  readonly flag?: View;
  readonly work: number;
  readonly stages: readonly Stage[];
}

/**
 * A sequence in launches of bounded work: before a turn for which nothing is left of a launch's work it notes where it stands, and the next launch goes on
 * there. `at` is 0 where all is done, 1 before the beginning, and 1 + k in loop k of the sequence (from 1, an outer loop before those within it);
 * `turns` holds the turn of each loop.
 */
export interface Budget {
  readonly work: number;
  readonly at: View;
  readonly turns: readonly View[];
}

export interface Kernel {
  readonly workgroup: number;
  readonly branches: readonly Branch[];
  readonly subgroups: boolean;
  readonly sequence?: readonly Stage[];
  readonly budget?: Budget;
}

/** Number of workgroups that a kernel is dispatched with. */
export function groupsOf(kernel: Kernel): number {
  return kernel.sequence ? 1 : kernel.branches.reduce((sum, b) => sum + b.group.extent, 0);
}

/** Loops of stages, an outer one before those within it. */
export function turnsOf(stages: readonly Stage[] = []): Turns[] {
  return stages.flatMap((s) => (s.kind === 'turns' ? [s, ...turnsOf(s.stages)] : []));
}

/** Flags that the stages of a kernel ask for. */
export function flagsOf(stages: readonly Stage[] = []): View[] {
  return turnsOf(stages).flatMap((s) => (s.flag ? [s.flag] : []));
}

/** Words by which a kernel in several launches keeps where it stands. */
export function placesOf({ budget }: Kernel): View[] {
  return budget ? [budget.at, ...budget.turns] : [];
}

/** Views that a kernel reads and writes, in order of first use. */
export function accesses(kernel: Kernel): { reads: Map<string, View>; writes: Map<string, View>; faults: boolean } {
  const result = { reads: new Map<string, View>(), writes: new Map<string, View>(), faults: false };
  walk(kernel, (s) => {
    if (s.kind === 'let' && s.expr.kind === 'load') result.reads.set(s.expr.view.tensor, s.expr.view);
    if (s.kind === 'store') result.writes.set(s.view.tensor, s.view);
    if (s.kind === 'fault') result.faults = true;
  });
  for (const { gate } of kernel.branches) if (gate) result.reads.set(gate.tensor, gate);
  for (const flag of flagsOf(kernel.sequence)) result.reads.set(flag.tensor, flag);
  for (const place of placesOf(kernel)) {
    result.reads.set(place.tensor, place);
    result.writes.set(place.tensor, place);
  }
  return result;
}

/** The kernel under a gate: it does nothing where the flag is 0. */
export function gated(kernel: Kernel, gate: View | undefined): Kernel {
  return gate ? { ...kernel, branches: kernel.branches.map((b) => ({ ...b, gate })) } : kernel;
}

/** Visits every statement of a kernel, outer before inner. */
export function walk(kernel: Kernel, visit: (s: Statement) => void): void {
  const block = (body: readonly Statement[]): void => {
    for (const s of body) {
      visit(s);
      if (s.kind === 'loop' || s.kind === 'within') block(s.body);
    }
  };
  for (const branch of kernel.branches) block(branch.body);
}

const isAccess = (s: Statement): boolean => s.kind === 'store' || (s.kind === 'let' && s.expr.kind === 'load');

/** Number of statements and of memory accesses, in all and in the body with most, by which the size of generated code is judged. */
export function measure(kernel: Kernel): { statements: number; accesses: number; largestBody: number } {
  let statements = 0;
  let accessCount = 0;
  let largestBody = 0;
  const body = (list: readonly Statement[]): void => {
    const own = list.filter(isAccess).length;
    accessCount += own;
    statements += list.length;
    largestBody = Math.max(largestBody, own);
    for (const s of list) if (s.kind === 'loop' || s.kind === 'within') body(s.body);
  };
  for (const branch of kernel.branches) body(branch.body);
  return { statements, accesses: accessCount, largestBody };
}
