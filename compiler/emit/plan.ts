/** The commands of one entry: every unit's kernel as WGSL with its tensors' places written in, and its dispatch. Equal kernels are shared. */
import type { Word } from '../bundle/commands.ts';
import type { Binding, BundleKernel, Command, Place as SourcePlace } from '../bundle/format.ts';
import { fail, InternalError } from '../diagnostics/diagnostic.ts';
import type { View } from '../ir/kernel/kernel.ts';
import { flagsOf, groupsOf, placesOf, walk } from '../ir/kernel/kernel.ts';
import { verifyKernel } from '../ir/kernel/verify.ts';
import type { Step, Unit } from '../lower/unit.ts';
import type { Span } from '../source/source.ts';
import type { Buffers, Place } from './layout.ts';
import { emitWgsl, type Location } from './wgsl.ts';

/** Most workgroups of one dimension of a dispatch. */
const MAX_GROUPS = 65535;

/** All kernels of a bundle, each text once. */
export class KernelSet {
  private readonly byText = new Map<string, BundleKernel>();

  add(kernel: Omit<BundleKernel, 'id'>): string {
    const text = `${kernel.bindings.join()}\n${kernel.wgsl}`;
    let had = this.byText.get(text);
    if (!had) {
      had = { id: `k${this.byText.size}`, ...kernel };
      this.byText.set(text, had);
    }
    return had.id;
  }

  all(): BundleKernel[] {
    return [...this.byText.values()];
  }
}

export interface PlanContext {
  readonly kernels: KernelSet;
  readonly buffers: Buffers;
  /** Memory of a tensor of this entry. */
  readonly place: (tensor: string) => Place;
  readonly locate: (span: Span) => SourcePlace | undefined;
  readonly maxStorageBuffers: number;
  readonly software: boolean;
}

/** Commands of steps, in order. */
export function planSteps(steps: readonly Step[], ctx: PlanContext): Command[] {
  return steps.map((step): Command => {
    switch (step.kind) {
      case 'kernel':
        return planUnit(step, ctx);
      case 'repeat':
        return {
          kind: 'loop',
          turns: step.turns,
          ...(step.flag && { flag: wordOf(ctx.place(step.flag.tensor)) }),
          commands: planSteps(step.steps, ctx),
        };
      case 'choice':
        return {
          kind: 'if',
          value: step.value,
          commands: planSteps(step.taken, ctx),
          otherwise: planSteps(step.otherwise, ctx),
        };
    }
  });
}

const wordOf = ({ buffer, offset }: Place): Word => ({ buffer, offset: 4 * offset });

function planUnit(unit: Unit, ctx: PlanContext): Command {
  const problems = verifyKernel(unit.kernel);
  if (problems.length > 0) throw new InternalError(`kernel '${unit.label}': ${problems.join('; ')}`);
  const { order, written } = boundBuffers(unit, ctx);
  if (order.length > ctx.maxStorageBuffers) {
    fail(
      'OPT512',
      unit.spans[0],
      `'${unit.label}' needs ${order.length} buffers at once; the device binds ${ctx.maxStorageBuffers}`,
      { hint: 'every field of data is a buffer of its own: join columns that are used together into one field' },
    );
  }
  const number = new Map(order.map((id, k) => [id, k]));
  const locate = (view: View): Location => {
    const { buffer, offset } = ctx.place(view.tensor);
    return { binding: number.get(buffer) as number, offset, word: ctx.buffers.word(buffer) };
  };
  const total = groupsOf(unit.kernel);
  const folded = total > MAX_GROUPS;
  const groupsX = folded ? MAX_GROUPS : total;
  const access = order.map((id) => (written.has(id) ? 'read_write' : 'read') as 'read' | 'read_write');
  const wgsl = emitWgsl({
    kernel: unit.kernel,
    locate,
    bindings: order.map((id, k) => ({ access: access[k], word: id === 'faults' ? 'faults' : ctx.buffers.word(id) })),
    faultBinding: number.get('faults') ?? -1,
    groupsX,
    folded,
    opaqueBounds: ctx.software,
    ...(unit.executions && { slots: slotsOf(order, ctx) }),
  });
  const places = unit.spans.map(ctx.locate).filter((p): p is SourcePlace => p !== undefined);
  const id = ctx.kernels.add({
    label: unit.label,
    wgsl,
    bindings: access,
    workgroup: [unit.kernel.workgroup, 1, 1],
    features: unit.kernel.subgroups ? ['subgroups'] : [],
    places,
  });
  const bindings: Binding[] = order.map((buffer) => {
    const role = ctx.buffers.role(buffer);
    return { buffer, slot: role === 'params' || role === 'reports' };
  });
  const groups = [groupsX, folded ? Math.ceil(total / MAX_GROUPS) : 1, 1] as const;
  const { executions } = unit;
  return { kind: 'dispatch', kernel: id, groups, bindings, ...(executions && { executions }) };
}

/** Elements of a slot of the rings among the buffers that are bound, by their number. */
function slotsOf(order: readonly string[], ctx: PlanContext): Map<number, number> {
  return new Map(
    order.flatMap((id, k) => {
      const role = ctx.buffers.role(id);
      return role === 'params' || role === 'reports' ? [[k, ctx.buffers.bytes(id) / 4] as const] : [];
    }),
  );
}

/** Buffers that a kernel touches, in order of first use, and those that it writes. */
function boundBuffers(unit: Unit, ctx: PlanContext): { order: string[]; written: Set<string> } {
  const order: string[] = [];
  const written = new Set<string>();
  const use = (buffer: string, write: boolean): void => {
    if (!order.includes(buffer)) order.push(buffer);
    if (write) written.add(buffer);
  };
  walk(unit.kernel, (s) => {
    if (s.kind === 'let' && s.expr.kind === 'load') use(ctx.place(s.expr.view.tensor).buffer, false);
    if (s.kind === 'store') use(ctx.place(s.view.tensor).buffer, true);
    if (s.kind === 'fault') use('faults', true);
  });
  for (const { gate } of unit.kernel.branches) if (gate) use(ctx.place(gate.tensor).buffer, false);
  for (const flag of flagsOf(unit.kernel.sequence)) use(ctx.place(flag.tensor).buffer, false);
  for (const place of placesOf(unit.kernel)) use(ctx.place(place.tensor).buffer, true);
  return { order, written };
}
