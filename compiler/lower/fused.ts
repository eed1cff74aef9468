/**
 * Loops and choices of little work as one kernel of one workgroup: stages with barriers between them instead of launches. A launch costs as much as tens of
 * thousands of operations, so the thousand turns of a small solver are done before as many launches would have begun.
 */
import { accesses, measure, type Branch, type Kernel, type Stage, type View } from '../ir/kernel/kernel.ts';
import type { Span } from '../source/source.ts';
import type { DeviceProfile } from './profile.ts';
import type { Step, Unit } from './unit.ts';

/** Operations (and words moved) of one workgroup that take as long as a launch. */
const LAUNCH = 40_000;
/** Sizes of code that drivers compile in tolerable time: it is the accesses that cost (wgsl-limits.md, 0.5). */
const MAX_ACCESSES = 72;
const MAX_STATEMENTS = 700;
/** Code of one kernel takes several times as long to compile as that of many: beyond this size it must spare so many launches. */
const FEW_ACCESSES = 32;
const MANY_LAUNCHES = 50;
/** Operations of one launch, so that none keeps the device for long (some kill it after two seconds). */
const MAX_WORK = 20_000_000;

export interface FuseContext {
  readonly profile: DeviceProfile;
  bufferOf(tensor: string): string;
}

const workOf = (unit: Unit): number => unit.flops + unit.bytes / 4;
const launchesOf = (unit: Unit): number => unit.launches ?? 1;
const total = (units: readonly Unit[], of: (u: Unit) => number): number => units.reduce((sum, u) => sum + of(u), 0);

/** Whether one workgroup is as fast as the launches, and where the code is long, whether there are so many of them that compiling it pays. */
function paysOff(units: readonly Unit[], times: number): boolean {
  const launches = total(units, launchesOf);
  if (total(units, workOf) > LAUNCH * launches) return false;
  return total(units, (u) => measure(u.kernel).accesses) <= FEW_ACCESSES || times * launches >= MANY_LAUNCHES;
}

/** The steps as one kernel, where they are small; otherwise themselves. */
export function fuseSteps(steps: readonly Step[], ctx: FuseContext): readonly Step[] {
  const units = smallUnits(steps, ctx);
  if (!units || units.length < 2) return steps;
  return paysOff(units, 1) ? [sequenceOf(units, (stages) => stages, 1)] : steps;
}

/** `turns` turns of the steps in as few launches as possible where they are small; undefined otherwise. */
export function fuseTurns(
  steps: readonly Step[],
  turns: number,
  flag: View | undefined,
  ctx: FuseContext,
): readonly Step[] | undefined {
  const units = smallUnits(steps, ctx);
  if (!units || units.length === 0) return undefined;
  if (!paysOff(units, turns)) return undefined;
  const work = total(units, workOf);
  const repeated = (count: number): Unit =>
    sequenceOf(units, (stages) => [{ kind: 'turns', turns: count, flag, stages }], count);
  const most = Math.max(1, Math.floor(MAX_WORK / Math.max(1, work)));
  if (turns <= most) return [repeated(turns)];
  const each = Math.ceil(turns / Math.ceil(turns / most));
  const whole = Math.floor(turns / each);
  const rest = turns - whole * each;
  return [{ kind: 'repeat', turns: whole, flag, steps: [repeated(each)] }, ...(rest > 0 ? [repeated(rest)] : [])];
}

/** All steps of an entry as one kernel that makes many executions in a launch, where they are small; otherwise themselves. `times`: executions that follow each other. */
export function fuseExecutions(steps: readonly Step[], times: number, ctx: FuseContext): readonly Step[] {
  if (times < 2) return steps;
  const units = smallUnits(steps, ctx);
  if (!units || units.length === 0 || !paysOff(units, times)) return steps;
  const work = Math.max(1, total(units, workOf));
  return [{ ...sequenceOf(units, (stages) => stages, 1), executions: Math.max(1, Math.floor(MAX_WORK / work)) }];
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
  const sizes = units.map((u) => measure(u.kernel));
  if (sizes.reduce((sum, m) => sum + m.accesses, 0) > MAX_ACCESSES) return undefined;
  if (sizes.reduce((sum, m) => sum + m.statements, 0) > MAX_STATEMENTS) return undefined;
  const buffers = new Set(units.flatMap((u) => [...u.reads, ...u.writes].map((t) => ctx.bufferOf(t))));
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
