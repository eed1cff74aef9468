/**
 * A session's state as the bytes of a safetensors file, and back. All cells are tensors named by their ids; the series of the results are float64
 * tensors beside them; the rest (seed, position, statuses) is JSON in the metadata. A CRC-32 covers the description and the data, so that any
 * damage is found before a number is used. Reading trusts nothing: sizes, types and the JSON are checked against the bundle.
 */
import type { Bundle, BundleCell } from '../../compiler/bundle/format.ts';
import { type Diagnostic, fail, warning } from '../../compiler/diagnostics/diagnostic.ts';
import { crc32 } from '../data/crc32.ts';
import { memoryFile } from '../data/files.ts';
import { type SafetensorsTensor, readSafetensorsHeader, readTensor, safetensorsPieces } from '../data/safetensors.ts';
import type { NumberArray } from '../backend.ts';
import { ResultStore, type Results } from '../session-results.ts';
import type { HyperOverrides } from '../session-scalars.ts';
import type { Position } from '../session-schedule.ts';
import { nonFiniteIn, writersOf } from '../session-finite.ts';
import { type SavedState, parseState } from './state.ts';

export const CHECKPOINT_VERSION = '1';

/** Everything that a session needs to go on as if it had never stopped. */
export interface CheckpointContent {
  readonly seed: number;
  /** Length that replaces that of every train phase. */
  readonly steps: number | undefined;
  readonly hypers: HyperOverrides;
  readonly position: Position;
  readonly results: Results;
  readonly cells: ReadonlyMap<string, NumberArray>;
}

/** What the name of a cell's tensor begins with. */
export const cellPrefix = 'cell:';

/** Throws SaddleError OPT709 where a cell of a run that has not failed holds a number that is not finite. */
export async function writeCheckpoint(bundle: Bundle, content: CheckpointContent): Promise<Uint8Array> {
  const tensors = new Map<string, SafetensorsTensor>();
  for (const cell of bundle.cells) {
    const values = content.cells.get(cell.id) as NumberArray;
    const failed = content.results.runs.get(cell.run)?.status.state === 'failed';
    const bad = failed ? undefined : nonFiniteIn(values);
    if (bad !== undefined)
      fail('OPT709', undefined, `cell '${cell.id}' holds ${bad}, so no checkpoint was written`, {
        place: writersOf(bundle, cell.id, content.position.phase)[0],
        hint: 'the previous checkpoint, if any, is intact',
      });
    tensors.set(cellPrefix + cell.id, { values, shape: cell.type.shape });
  }
  const series: { run: string; name: string }[] = [];
  for (const [run, result] of content.results.runs) {
    for (const [name, one] of result.series) {
      const shape = [one.steps.length];
      tensors.set(`series:${series.length}:steps`, { values: Float64Array.from(one.steps), shape });
      tensors.set(`series:${series.length}:values`, { values: Float64Array.from(one.values), shape });
      series.push({ run, name });
    }
  }
  const state: SavedState = {
    seed: content.seed,
    steps: content.steps ?? null,
    hypers: [...content.hypers],
    position: content.position,
    runs: [...content.results.runs].map(([name, r]) => ({ name, steps: r.steps, status: r.status })),
    series,
    phases: phasesOf(bundle),
  };
  const metadata = {
    format: 'saddle-checkpoint',
    version: CHECKPOINT_VERSION,
    program: bundle.name,
    code: await codeHash(bundle),
    state: JSON.stringify(state),
  };
  const described = [...tensors].map(([name, t]) => ({ name, shape: t.shape }));
  const data = safetensorsPieces(tensors).slice(1);
  let sum = describe(metadata, described);
  for (const piece of data) sum = crc32(piece, sum);
  return concat(safetensorsPieces(tensors, { ...metadata, crc32: sum.toString(16).padStart(8, '0') }));
}

export interface RestoredCheckpoint extends CheckpointContent {
  readonly results: ResultStore;
  readonly warnings: readonly Diagnostic[];
}

/** Throws SaddleError OPT650 for damaged bytes and OPT651 for a checkpoint of another program. */
export async function readCheckpoint(bundle: Bundle, bytes: Uint8Array): Promise<RestoredCheckpoint> {
  const file = memoryFile('the checkpoint', bytes);
  const { entries, metadata } = await readSafetensorsHeader(file).catch(() => damaged('its header is not legal'));
  const text = (key: string): string => metadata.get(key) ?? damaged(`'${key}' is missing`);
  if (text('format') !== 'saddle-checkpoint') damaged('it was not written as a checkpoint');
  if (text('version') !== CHECKPOINT_VERSION)
    fail(
      'OPT651',
      undefined,
      `the checkpoint has version ${text('version')}; this runtime reads ${CHECKPOINT_VERSION}`,
    );
  let sum = describe(
    {
      format: text('format'),
      version: text('version'),
      program: text('program'),
      code: text('code'),
      state: text('state'),
    },
    entries,
  );
  sum = crc32(bytes.subarray(entries[0]?.start ?? bytes.length), sum);
  if (sum.toString(16).padStart(8, '0') !== text('crc32')) damaged('its checksum does not fit its contents');
  const state = parseState(text('state')) ?? damaged('its description is not legal');
  samePhases(bundle, state);

  const byName = new Map(entries.map((e) => [e.name, e]));
  const cells = new Map<string, NumberArray>();
  for (const cell of bundle.cells) {
    const entry = byName.get(cellPrefix + cell.id);
    if (!entry) other(`it has no cell '${cell.id}'`);
    if (!sameType(cell, entry.element, entry.shape)) other(`its cell '${cell.id}' has another type`);
    cells.set(cell.id, (await readTensor(file, entry)) as NumberArray);
  }
  for (const name of byName.keys()) {
    if (name.startsWith(cellPrefix) && !cells.has(name.slice(cellPrefix.length)))
      other(`it has a cell '${name.slice(cellPrefix.length)}', which this program lacks`);
  }
  const results = new ResultStore(bundle, state.seed);
  for (const run of state.runs) Object.assign(results.run(run.name), { steps: run.steps, status: run.status });
  for (const [index, { run, name }] of state.series.entries()) {
    const [steps, values] = await Promise.all(
      ['steps', 'values'].map((part) => {
        const entry = byName.get(`series:${index}:${part}`) ?? damaged(`the series '${name}' is missing`);
        return readTensor(file, entry);
      }),
    );
    if (steps.length !== values.length) damaged(`the series '${name}' is not whole`);
    results.run(run).series.set(name, { steps: Array.from(steps, Number), values: Array.from(values, Number) });
  }
  const warnings =
    text('code') === (await codeHash(bundle))
      ? []
      : [
          warning('OPT652', undefined, 'the program or its device has changed since the checkpoint was written', {
            notes: ['the run continues, but not bit for bit as it would have'],
          }),
        ];
  return {
    seed: state.seed,
    steps: state.steps ?? undefined,
    hypers: new Map(state.hypers.filter(([name]) => bundle.hypers.some((h) => h.name === name))),
    position: state.position,
    results,
    cells,
    warnings,
  };
}

function damaged(reason: string): never {
  return fail('OPT650', undefined, `the checkpoint is damaged: ${reason}`, {
    hint: 'resume from an earlier checkpoint, or start anew without --resume',
  });
}

function other(difference: string): never {
  return fail('OPT651', undefined, `the checkpoint is of another program: ${difference}`, {
    hint: 'resume with the program that wrote it, or start anew without --resume',
  });
}

/** Names and runs of the phases, in order: what a position in the schedule refers to. */
function phasesOf(bundle: Bundle): string[] {
  return bundle.schedule.map((p) => `${p.kind} ${p.run}/${p.name}`);
}

function samePhases(bundle: Bundle, state: SavedState): void {
  const now = phasesOf(bundle);
  for (let i = 0; i < Math.max(now.length, state.phases.length); i++) {
    if (now[i] !== state.phases[i])
      other(`phase ${i + 1} was '${state.phases[i] ?? 'none'}' and is '${now[i] ?? 'none'}' here`);
  }
  if (state.position.phase > now.length) damaged('its position lies behind the last phase');
}

function sameType(cell: BundleCell, element: string, shape: readonly number[]): boolean {
  // The reference backend keeps floats in float64; bool cells are words of 0 and 1.
  const elements = { f32: ['f4', 'f8'], i32: ['i4'], u32: ['u4'], bool: ['u4'] }[cell.type.dtype];
  return (
    elements.includes(element) &&
    shape.length === cell.type.shape.length &&
    shape.every((n, i) => n === cell.type.shape[i])
  );
}

/** CRC of everything that the file says beside its numbers. */
function describe(
  metadata: Readonly<Record<string, string>>,
  tensors: readonly { readonly name: string; readonly shape: readonly number[] }[],
): number {
  const text = JSON.stringify([metadata, tensors.map((t) => [t.name, t.shape])]);
  return crc32(new TextEncoder().encode(text));
}

/** Changes when formulas, schedules or kernels do; data sets are not part of it. */
async function codeHash(bundle: Bundle): Promise<string> {
  const text = JSON.stringify([bundle.entries, bundle.kernels.map((k) => k.wgsl), bundle.hypers, bundle.schedule]);
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (b) => b.toString(16).padStart(2, '0')).join('');
}

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
