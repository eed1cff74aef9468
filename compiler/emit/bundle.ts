/**
 * The last stage: a program (tensor graphs with derivatives taken and passes run) to a bundle. Pure and deterministic: the same program
 * and profile give the same bytes.
 */
import type { Bundle, BundleEntry, Command, Place as SourcePlace } from '../bundle/format.ts';
import { BUNDLE_VERSION } from '../bundle/format.ts';
import { InternalError } from '../diagnostics/diagnostic.ts';
import type { Entry, Program } from '../ir/program.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import { lowerEntry } from '../lower/entry.ts';
import { defaultProfile, type DeviceProfile } from '../lower/profile.ts';
import { scheduleEntry } from '../lower/schedule.ts';
import { padded, wordOf, type Tensors } from '../lower/tensors.ts';
import { extractHost } from '../passes/host.ts';
import type { Span } from '../source/source.ts';
import { bundleCells, Buffers, dataBuffer, layoutCells, layoutData, type Place } from './layout.ts';
import { planTemporaries } from './memory.ts';
import { KernelSet, planUnit } from './plan.ts';

export type { DeviceProfile } from '../lower/profile.ts';

export interface CompileProgramOptions {
  readonly limits?: Partial<DeviceProfile>;
  /** Line and column of a span, for messages at run time. */
  readonly locate?: (span: Span) => SourcePlace | undefined;
}

export function compileProgram(program: Program, options: CompileProgramOptions = {}): Bundle {
  const profile: DeviceProfile = { ...defaultProfile, ...options.limits };
  const locate = options.locate ?? (() => undefined);
  const buffers = new Buffers();
  const cells = layoutCells(program.cells, buffers, profile.maxBindingBytes);
  layoutData(program.data, buffers, profile.maxBindingBytes);
  buffers.reserve('params', 'params', 'u32', 256);
  buffers.reserve('reports', 'reports', 'u32', 256);
  buffers.reserve('faults', 'faults', 'u32', 256);
  const kernels = new KernelSet();
  const temps: Record<string, number> = {};
  const entries = program.entries.map((entry) => {
    const planned = planEntry(entry, { program, profile, buffers, cells, kernels, locate });
    temps[entry.id] = planned.tempBytes;
    return planned.entry;
  });
  const all = buffers.all();
  return {
    format: 'saddle-bundle',
    version: BUNDLE_VERSION,
    name: program.name,
    hypers: program.hypers.map((h) => ({ name: h.name, program: extractHost([h.value]).program })),
    data: program.data.map((d) => ({
      name: d.name,
      source: d.source,
      rows: d.rows,
      slice: d.slice,
      fields: d.fields.map((f) => ({ ...f, buffer: dataBuffer(d.name, f.name) })),
      place: d.span && locate(d.span),
    })),
    buffers: all,
    cells: bundleCells(program, cells),
    kernels: kernels.all(),
    entries,
    schedule: program.schedule.map((phase) =>
      phase.kind === 'once'
        ? { kind: phase.kind, name: phase.name, run: phase.run, entry: phase.entry }
        : {
            kind: phase.kind,
            name: phase.name,
            run: phase.run,
            steps: phase.steps,
            entry: phase.entry,
            until: phase.until,
            evals: phase.evals,
          },
    ),
    runs: program.runs.map((r) => ({ name: r.name, mayFail: r.mayFail, seed: r.seed })),
    models: program.models.map((m) => ({ name: m.name, run: m.run, cells: m.cells })),
    exports: program.exports,
    claims: program.claims,
    memory: { total: all.reduce((sum, b) => sum + b.bytes, 0), temps },
  };
}

interface Context {
  readonly program: Program;
  readonly profile: DeviceProfile;
  readonly buffers: Buffers;
  readonly cells: ReadonlyMap<string, Place>;
  readonly kernels: KernelSet;
  readonly locate: (span: Span) => SourcePlace | undefined;
}

function planEntry(entry: Entry, ctx: Context): { entry: BundleEntry; tempBytes: number } {
  const { profile, buffers, cells, locate } = ctx;
  const lowered = lowerEntry(entry, ctx.program.data, profile);
  const cellPlace = (id: string): Place => {
    const place = cells.get(id);
    if (!place) throw new InternalError(`entry ${entry.id}: there is no cell '${id}'`);
    return place;
  };
  const schedule = scheduleEntry(lowered, cellPlace, profile);
  const temps = planTemporaries(schedule, lowered.tensors, profile.maxBindingBytes);
  let tempBytes = 0;
  for (const [buffer, elements] of temps.sizes) {
    buffers.reserve(buffer, 'temps', buffer.includes(':words') ? 'u32' : 'f32', 4 * elements);
    tempBytes += 4 * elements;
  }
  const inputs = arenas(entry.inputs, 'inputs', buffers);
  const results = arenas(
    entry.outputs.filter((o) => o.kind === 'result').map((o) => ({ name: o.name, type: o.value.type })),
    'results',
    buffers,
  );
  const words = Math.max(0, ...lowered.params.map((p) => p.word + 1));
  buffers.reserve('params', 'params', 'u32', 4 * words);
  buffers.reserve('reports', 'reports', 'u32', 4 * lowered.reports.size);

  const place = (tensor: string): Place => {
    const memory = lowered.tensors.memory(tensor);
    const [kind, name] = [memory.slice(0, memory.indexOf(':')), memory.slice(memory.indexOf(':') + 1)];
    switch (kind) {
      case 'cell':
        return cellPlace(name);
      case 'data':
        return { buffer: memory, offset: 0 };
      case 'input':
        return inputs.get(name) as Place;
      case 'result':
        return results.get(name) as Place;
      case 'params':
        return { buffer: 'params', offset: Number(name) };
      case 'report':
        return { buffer: 'reports', offset: Number(name) };
      default: {
        const temp = temps.places.get(memory);
        if (!temp) throw new InternalError(`entry ${entry.id}: tensor ${tensor} has no place`);
        return temp;
      }
    }
  };
  const commands: Command[] = schedule.units.map((unit) =>
    planUnit(unit, { kernels: ctx.kernels, buffers, place, locate, maxStorageBuffers: profile.maxStorageBuffers }),
  );
  const inPlace = (list: ReadonlyMap<string, Place>, name: string, type: BundleEntry['inputs'][number]['type']) => {
    const at = list.get(name) as Place;
    return { name, type, buffer: at.buffer, offset: 4 * at.offset };
  };
  return {
    tempBytes,
    entry: {
      id: entry.id,
      commands,
      host: lowered.host,
      params: lowered.params,
      outputs: entry.outputs.flatMap((o, k) => {
        const word = lowered.reports.get(k);
        if (word === undefined || o.kind === 'result') return [];
        return [{ name: o.name, kind: o.kind, word, dtype: o.value.type.dtype, place: o.span && locate(o.span) }];
      }),
      hostOutputs: entry.outputs.flatMap((o, k) => {
        const value = lowered.hostOutputs.get(k);
        return value === undefined || o.kind === 'result'
          ? []
          : [{ name: o.name, kind: o.kind, value, dtype: o.value.type.dtype }];
      }),
      inputs: entry.inputs.map((i) => inPlace(inputs, i.name, i.type)),
      results: entry.outputs.flatMap((o) => (o.kind === 'result' ? [inPlace(results, o.name, o.value.type)] : [])),
      faults: lowered.faults.map((f) => ({ message: f.message, place: f.span && locate(f.span) })),
      cost: {
        flops: schedule.units.reduce((sum, u) => sum + u.flops, 0),
        bytes: schedule.units.reduce((sum, u) => sum + u.bytes, 0),
      },
    },
  };
}

/** Places of an export's inputs or results, side by side in a buffer per element type that all exports share. */
function arenas(
  list: readonly {
    readonly name: string;
    readonly type: { readonly dtype: Parameters<typeof wordOf>[0]; readonly shape: readonly number[] };
  }[],
  name: string,
  buffers: Buffers,
): Map<string, Place> {
  const places = new Map<string, Place>();
  const used = { f32: 0, u32: 0 };
  for (const { name: item, type } of list) {
    const word = wordOf(type.dtype);
    const buffer = word === 'f32' ? name : `${name}:words`;
    places.set(item, { buffer, offset: used[word] });
    used[word] += padded(sizeOf(type.shape));
    buffers.reserve(buffer, 'inputs', word, 4 * used[word]);
  }
  return places;
}

/** Kernels of an entry in IR form, for `explain --stage kernels`. */
export function entryKernels(
  program: Program,
  entry: Entry,
  limits: Partial<DeviceProfile> = {},
): { label: string; kernel: import('../ir/kernel/kernel.ts').Kernel; tensors: Tensors }[] {
  const profile: DeviceProfile = { ...defaultProfile, ...limits };
  const cells = layoutCells(program.cells, new Buffers(), profile.maxBindingBytes);
  const lowered = lowerEntry(entry, program.data, profile);
  const schedule = scheduleEntry(lowered, (id) => cells.get(id) as Place, profile);
  return schedule.units.map((u) => ({ label: u.label, kernel: u.kernel, tensors: lowered.tensors }));
}
