/**
 * Loops and choices of little work as one kernel of one workgroup: stages with barriers between them instead of launches. A launch costs as much as tens of
 * thousands of operations, so the thousand turns of a small solver are done before as many launches would have begun.
 */
import { accesses, measure, type Branch, type Kernel, type Stage, type View } from '../ir/kernel/kernel.ts';
import type { Span } from '../source/source.ts';
import { maxWork, type DeviceProfile } from './profile.ts';
import type { Step, Unit } from './unit.ts';

/** Operations (and words moved) of one workgroup that take as long as a launch. */
const LAUNCH = 40_000;
/** Sizes of code that drivers compile in tolerable time: it is the accesses that cost (wgsl-limits.md, 0.5). The larger ones are for loops whose turns would be many launches. */
const MAX_ACCESSES = 72;
const MAX_STATEMENTS = 700;
const LOOP_ACCESSES = 200;
const LOOP_STATEMENTS = 2000;
/** Code of one kernel takes several times as long to compile as that of many: beyond a size it must spare so many launches. */
const FEW_ACCESSES = 32;
const MANY_LAUNCHES = 50;
const LOOP_LAUNCHES = 250;

export interface FuseContext {
  readonly profile: DeviceProfile;
  bufferOf(tensor: string): string;
}

/** Operations, and words moved. */
export const workOf = (unit: Unit): number => unit.flops + unit.bytes / 4;
const launchesOf = (unit: Unit): number => unit.launches ?? 1;
const straightOf = (unit: Unit): number => unit.straight ?? workOf(unit);
const total = (units: readonly Unit[], of: (u: Unit) => number): number => units.reduce((sum, u) => sum + of(u), 0);

/** Whether one workgroup is as fast as the launches, and where the code is long, whether there are so many of them that compiling it pays. `around`: turns of the loops around, where the times are turns of one. */
function paysOff(units: readonly Unit[], times: number, around = 0): boolean {
  const launches = total(units, launchesOf);
  if (total(units, workOf) > LAUNCH * launches) return false;
  const sizes = units.map((u) => measure(u.kernel));
  const size = sizes.reduce((sum, m) => sum + m.accesses, 0);
  const statements = sizes.reduce((sum, m) => sum + m.statements, 0);
  if (size <= MAX_ACCESSES && statements <= MAX_STATEMENTS)
    return size <= FEW_ACCESSES || times * launches >= MANY_LAUNCHES;
  const spared = around * (times * units.length - 1);
  return spared >= LOOP_LAUNCHES && size <= LOOP_ACCESSES && statements <= LOOP_STATEMENTS;
}

/** The steps as one kernel, where they are small; otherwise themselves. */
export function fuseSteps(steps: readonly Step[], ctx: FuseContext): readonly Step[] {
  const units = smallUnits(steps, ctx);
  if (!units || units.length < 2) return steps;
  return paysOff(units, 1) ? [sequenceOf(units, (stages) => stages, 1)] : steps;
}

/** `turns` turns of the steps as one kernel where they are small, in as many turns of loops `around`; undefined otherwise. It may be more work than one launch may have (`bounded.ts`). */
export function fuseTurns(
  steps: readonly Step[],
  turns: number,
  flag: View | undefined,
  around: number,
  ctx: FuseContext,
): readonly Step[] | undefined {
  const units = smallUnits(steps, ctx);
  if (!units || units.length === 0) return undefined;
  if (!paysOff(units, turns, around)) return undefined;
  const work = Math.max(1, Math.ceil(total(units, straightOf)));
  return [{ ...sequenceOf(units, (stages) => [{ kind: 'turns', turns, flag, work, stages }], turns), straight: 0 }];
}

/** All steps of an entry as one kernel that makes many executions in a launch, where they are small; otherwise themselves. `times`: executions that follow each other. */
export function fuseExecutions(steps: readonly Step[], times: number, ctx: FuseContext): readonly Step[] {
  if (times < 2) return steps;
  const units = smallUnits(steps, ctx);
  if (!units || units.length === 0 || !paysOff(units, times)) return steps;
  const work = Math.max(1, total(units, workOf));
  if (work > maxWork(ctx.profile)) return steps;
  return [{ ...sequenceOf(units, (stages) => stages, 1), executions: Math.floor(maxWork(ctx.profile) / work) }];
}

/** The kernels of the steps if they fit into one; undefined otherwise. */
function smallUnits(steps: readonly Step[], ctx: FuseContext): Unit[] | undefined {
  if (ctx.profile.sequences === false) return undefined;
  const units: Unit[] = [];
  for (const step of steps) {
    if (step.kind !== 'kernel') return undefined;
    units.push(step);
  }
  if (new Set(units.map((u) => u.kernel.workgroup)).size !== 1) return undefined;
  // An invocation under a gate cannot exchange values: the kernel may itself write the gate.
  const shuffles = units.some((u) => u.kernel.subgroups);
  if (shuffles && units.some((u) => u.kernel.branches.some((b) => b.gate))) return undefined;
  // The words by which it keeps where it stands, where it is cut into launches.
  const buffers = new Set([ctx.bufferOf('control:0')]);
  for (const u of units) for (const t of [...u.reads, ...u.writes]) buffers.add(ctx.bufferOf(t));
  if (units.some((u) => u.faults)) buffers.add('faults');
  return buffers.size <= ctx.profile.maxStorageBuffers ? units : undefined;
}

function sequenceOf(units: readonly Unit[], wrap: (stages: Stage[]) => Stage[], times: number): Unit {
  const branches: Branch[] = [];
  const stages = units.flatMap((u): Stage[] => {
    const first = branches.length;
    branches.push(...u.kernel.branches);
    if (u.kernel.sequence) return moved(u.kernel.sequence, first);
    return [{ kind: 'run', branches: u.kernel.branches.map((_, k) => first + k) }];
  });
  const kernel: Kernel = {
    workgroup: units[0].kernel.workgroup,
    branches,
    subgroups: units.some((u) => u.kernel.subgroups),
    sequence: wrap(stages),
  };
  const { reads, writes, faults } = accesses(kernel);
  const labels = [...new Set(units.map((u) => u.label))];
  const text = `${labels.slice(0, 3).join('; ')}${labels.length > 3 ? ' …' : ''}`;
  return {
    kind: 'kernel',
    kernel,
    label: times > 1 ? `${times} turns of ${text}` : text,
    spans: distinct(units.flatMap((u) => u.spans)),
    reads: new Set(reads.keys()),
    writes: new Set(writes.keys()),
    faults,
    flops: times * total(units, (u) => u.flops),
    bytes: times * total(units, (u) => u.bytes),
    launches: times * total(units, launchesOf),
    straight: total(units, straightOf),
  };
}

function moved(stages: readonly Stage[], by: number): Stage[] {
  return stages.map((s) =>
    s.kind === 'run' ? { ...s, branches: s.branches.map((k) => k + by) } : { ...s, stages: moved(s.stages, by) },
  );
}

function distinct(spans: readonly Span[]): Span[] {
  return [...new Map(spans.map((s) => [`${s.file}:${s.start}`, s])).values()].slice(0, 8);
}
