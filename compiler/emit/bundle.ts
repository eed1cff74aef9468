/**
 * The last stage: a program (tensor graphs with derivatives taken and passes run) to a bundle. Pure and deterministic: the same program
 * and profile give the same bytes.
 */
import type { Bundle, BundleEntry, Condition, Place as SourcePlace } from '../bundle/format.ts';
import { BUNDLE_VERSION } from '../bundle/format.ts';
import type { Entry, Program } from '../ir/program.ts';
import { print } from '../ir/tensor/print.ts';
import type { TensorType } from '../ops/types.ts';
import { defaultProfile, type DeviceProfile } from '../lower/profile.ts';
import { eachUnit } from '../lower/unit.ts';
import { extractHost } from '../passes/host.ts';
import type { Span } from '../source/source.ts';
import { bundleCells, Buffers, dataBuffer, layoutCells, layoutData, type Place } from './layout.ts';
import { KernelSet, planSteps } from './plan.ts';
import { prepareEntry, type PreparedEntry } from './prepare.ts';
import { streamBuffer, streamCommands, streamProgram, type StreamedProgram } from './stream.ts';

export type { DeviceProfile } from '../lower/profile.ts';

export interface CompileProgramOptions {
  readonly limits?: Partial<DeviceProfile>;
  /** Line and column of a span, for messages at run time. */
  readonly locate?: (span: Span) => SourcePlace | undefined;
}

/** A program with all its kernels in IR form and every tensor placed: what is left is to write it down. */
export interface PreparedProgram {
  readonly profile: DeviceProfile;
  readonly buffers: Buffers;
  readonly cells: ReadonlyMap<string, Place>;
  readonly entries: readonly PreparedEntry[];
  /** Data that stay with the host, and what entries take of them. */
  readonly streamed: StreamedProgram;
}

export function prepareProgram(program: Program, limits: Partial<DeviceProfile> = {}): PreparedProgram {
  const profile: DeviceProfile = { ...defaultProfile, ...limits };
  const buffers = new Buffers();
  const streamed = streamProgram(program, profile.maxBindingBytes);
  const { resident, streams } = streamed;
  const cells = layoutCells(program.cells, buffers, profile.maxBindingBytes);
  layoutData(resident, buffers, profile.maxBindingBytes);
  for (const s of [...streams.values()].flat())
    buffers.reserve(streamBuffer(s.data, s.part), 'streams', 'u32', s.bytes);
  buffers.reserve('params', 'params', 'u32', 256);
  buffers.reserve('reports', 'reports', 'u32', 256);
  buffers.reserve('faults', 'faults', 'u32', 256);
  const onDevice = streamed.program.entries.filter((e) => !e.exact);
  const times = executionsOf(program);
  const entries = onDevice.map((entry) => {
    const streams = streamed.streams.get(entry.id) ?? [];
    return prepareEntry(entry, resident, profile, buffers, cells, streams.length > 0 ? 1 : times.get(entry.id));
  });
  // A word for the number of the last fault, and one for the value behind each.
  buffers.reserve('faults', 'faults', 'u32', 4 * (1 + Math.max(0, ...entries.map((e) => e.lowered.faults.length))));
  return { profile, buffers, cells, entries, streamed };
}

/** How many executions of an entry follow each other: the steps of a phase, unless the host asks something before each of them. */
function executionsOf(program: Program): Map<string, number> {
  const times = new Map<string, number>();
  for (const phase of program.schedule)
    if (phase.kind === 'train' && phase.until === undefined) times.set(phase.entry, phase.steps);
  return times;
}

/** Errors: OPT510 to OPT512 where a program exceeds the device's limits. */
export function compileProgram(program: Program, options: CompileProgramOptions = {}): Bundle {
  const locate = options.locate ?? (() => undefined);
  const prepared = prepareProgram(program, options.limits);
  const kernels = new KernelSet();
  const compiled = prepared.entries.map((e) => bundleEntry(e, prepared, kernels, locate));
  const entries = [...compiled, ...program.entries.filter((e) => e.exact).map(exactEntry)];
  const buffers = prepared.buffers.all();
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
      fields: d.fields.map((f) =>
        prepared.streamed.host.has(`${d.name}.${f.name}`) ? f : { ...f, buffer: dataBuffer(d.name, f.name) },
      ),
      place: d.span && locate(d.span),
    })),
    buffers,
    cells: bundleCells(program, prepared.cells),
    kernels: kernels.all(),
    entries,
    schedule: program.schedule.map((phase) => {
      const { kind, name, run, entry } = phase;
      if (phase.kind === 'once') return { kind: phase.kind, name, run, entry };
      const { steps, until, evals, ends } = phase;
      return { kind: kind as 'train', name, run, steps, entry, until, evals, ...(ends && { ends }) };
    }),
    runs: program.runs.map((r) => ({ name: r.name, mayFail: r.mayFail, seed: r.seed })),
    models: program.models.map((m) => ({ name: m.name, run: m.run, cells: m.cells })),
    exports: program.exports,
    claims: program.claims,
    ...(program.solves && { solves: program.solves }),
    memory: {
      total: buffers.reduce((sum, b) => sum + b.bytes, 0),
      temps: Object.fromEntries(prepared.entries.map((e) => [e.entry.id, e.tempBytes])),
    },
  };
}

/** `exact { … }`: the graph itself, for the reference interpreter. */
function exactEntry({ id, writes }: Entry): BundleEntry {
  const none = { commands: [], params: [], outputs: [], hostOutputs: [], inputs: [], results: [], faults: [] };
  const graph = print(
    writes.map((w) => w.value),
    { origins: false },
  );
  return {
    ...none,
    id,
    host: { instructions: [] },
    exact: { graph, writes: writes.map((w) => w.cell) },
    cost: { flops: 0, bytes: 0 },
  };
}

/** The cells that an entry writes, by the statements that write them. */
function writersOf({ writes }: Entry, locate: (span: Span) => SourcePlace | undefined): Pick<BundleEntry, 'writers'> {
  const found = new Map<string, { place: SourcePlace; cells: string[] }>();
  for (const { cell, by } of writes)
    for (const span of by ?? []) {
      const key = `${span.file}:${span.start}:${span.end}`;
      const known = found.get(key);
      if (known) known.cells.push(cell);
      const place = known ? undefined : locate(span);
      if (place) found.set(key, { place, cells: [cell] });
    }
  return found.size > 0 ? { writers: [...found.values()] } : {};
}

function bundleEntry(
  prepared: PreparedEntry,
  { profile, buffers, streamed }: PreparedProgram,
  kernels: KernelSet,
  locate: (span: Span) => SourcePlace | undefined,
): BundleEntry {
  const { entry, lowered, place } = prepared;
  const context = {
    kernels,
    buffers,
    place,
    locate,
    maxStorageBuffers: profile.maxStorageBuffers,
    software: profile.class === 'software',
  };
  const placed = (key: string, name: string, type: TensorType) => {
    const { buffer, offset } = place(key);
    return { name, type, buffer, offset: 4 * offset };
  };
  const streams = streamed.streams.get(entry.id) ?? [];
  const commands = [...streamCommands(streams), ...planSteps(lowered.steps, context)];
  let [flops, bytes] = [0, 0];
  eachUnit(lowered.steps, (unit, times) => {
    flops += times * unit.flops;
    bytes += times * unit.bytes;
  });
  const condition = (k: number): { when?: Condition } => {
    const when = lowered.conditions.get(k);
    return when ? { when: when.kind === 'word' ? { word: when.word } : { value: when.value } } : {};
  };
  return {
    id: entry.id,
    ...(entry.passes && { passes: entry.passes }),
    commands,
    host: lowered.host,
    params: lowered.params,
    outputs: entry.outputs.flatMap((o, k) => {
      const at = lowered.outputs.get(k);
      if (at?.kind !== 'word' || o.kind === 'result') return [];
      const { dtype } = o.value.type;
      return [{ name: o.name, kind: o.kind, word: at.word, dtype, ...condition(k), place: o.span && locate(o.span) }];
    }),
    hostOutputs: entry.outputs.flatMap((o, k) => {
      const value = lowered.outputs.get(k);
      if (value?.kind !== 'host' || o.kind === 'result') return [];
      const at = entry.outputs.filter((other, j) => j < k && other.kind !== 'result' && lowered.outputs.get(j)?.kind === 'word').length; // prettier-ignore
      const { dtype } = o.value.type;
      return [{ at, name: o.name, kind: o.kind, value: value.value, dtype, ...condition(k), place: o.span && locate(o.span) }]; // prettier-ignore
    }),
    inputs: entry.inputs.map((i) => placed(`input:${i.name}`, i.name, i.type)),
    results: entry.outputs.flatMap((o) =>
      o.kind === 'result' ? [placed(`result:${o.name}`, o.name, o.value.type)] : [],
    ),
    ...(streams.length > 0 && {
      streams: streams.map(({ data, field, part, rows }) => ({ data, field, buffer: streamBuffer(data, part), rows })),
    }),
    ...writersOf(entry, locate),
    faults: lowered.faults.map((f) => ({
      message: f.message,
      place: f.span && locate(f.span),
      ...(f.ofValues && { ofValues: true }),
    })),
    cost: { flops, bytes },
  };
}
