/**
 * Runs a bundle on a WebGPU device: the `Backend` that sessions use. Browser-safe; what differs between hosts comes with the `OpenDevice`.
 *
 * One submission holds many steps. Its parameter slots are written before it, its report slots and the faults buffer are copied to staging within it
 * and mapped while the next submission already runs: training never waits for a read-back. Submissions are ordered by the queue, so one ring suffices.
 */
import { cellBytes, packHalves } from '../../compiler/bundle/halves.ts';
import { type Word, hasLongLoops } from '../../compiler/bundle/commands.ts';
import type { Bundle, BundleCell, BundleEntry } from '../../compiler/bundle/format.ts';
import type { Scalars } from '../../compiler/bundle/host-program.ts';
import { InternalError, fail } from '../../compiler/diagnostics/diagnostic.ts';
import { type Backend, type DeviceInfo, type DeviceStats, type FieldSource, inMemory, isRowSource, type NumberArray, type StepOutputs } from '../backend.ts'; // prettier-ignore
import { Buffers, type DeviceBuffer } from './buffers.ts';
import type { OpenDevice } from './device.ts';
import { Encoder, Submission, bufferOf } from './encode.ts';
import { type Clock, KernelClock, type KernelTime } from './kernel-times.ts';
import { Pace } from './pace.ts';
import { buildPipelines } from './pipelines.ts';
import { type ReadRange, Readback } from './readback.ts';
import { HostFields, type Rings, words } from './streams.ts';
import { verifyLimits } from './verify.ts';
import { elements, fillParams, cellFromDevice, fromDevice, readOutputs, toDevice } from './words.ts';

/** What the executor needs to know of an entry, found once. */
interface Prepared {
  readonly entry: BundleEntry;
  readonly params: DeviceBuffer | undefined;
  readonly reports: DeviceBuffer | undefined;
  readonly faults: DeviceBuffer | undefined;
  readonly pace: Pace;
  /** It has loops that may end long before their last turn. */
  readonly patient: boolean;
  /** The first submission runs inside an error scope. */
  proven: boolean;
}

/** A submission under construction; its errors are waited for where it is the entry's first. */
interface Begun {
  readonly to: Submission;
  readonly scoped: boolean;
}

/** A submission on its way. */
interface Sent {
  /** Resolves to the ranges read back. */
  finished(): Promise<ArrayBuffer>;
  readonly offsets: readonly number[];
  checkFaults(bytes: ArrayBuffer, steps: readonly Scalars[]): void;
}

/** Cells read in one go: bounds the staging memory. */
const readChunkBytes = 64 * 1024 * 1024;

/**
 * Prepares a bundle on a device: checks limits, allocates, compiles the kernels. Throws SaddleError OPT703 (limits), OPT706 (kernels), OPT707 (memory).
 * The device stays the caller's: `dispose` frees the buffers and leaves it open.
 */
export async function createExecutor(bundle: Bundle, owner: OpenDevice): Promise<Executor> {
  owner.check();
  verifyLimits(bundle, owner.device.limits, owner.device.features);
  const buffers = new Buffers(bundle, owner);
  try {
    await buffers.create(bundle);
    const pipelines = await buildPipelines(bundle, owner);
    return new Executor(bundle, owner, buffers, new Encoder(owner.device, buffers, pipelines));
  } catch (reason) {
    buffers.destroyAll();
    throw reason;
  }
}

export class Executor implements Backend {
  readonly info: DeviceInfo;
  readonly stats: DeviceStats = { dispatches: 0, submits: 0, executions: 0 };
  readonly bytes: { readonly live: number; readonly peak: number };
  private readonly bundle: Bundle;
  private readonly owner: OpenDevice;
  private readonly buffers: Buffers;
  private readonly encoder: Encoder;
  private readonly readback: Readback;
  private readonly hostFields: HostFields;
  private readonly prepared = new Map<string, Prepared>();
  private readonly cells: ReadonlyMap<string, BundleCell>;
  /** While a submission is sent piece by piece. Whoever waits asks again: another may have begun. */
  private sending: Promise<void> | undefined;
  /** While rows are read from files: ends when the last that was asked for has been sent. */
  private turn: Promise<void> | undefined;

  constructor(bundle: Bundle, owner: OpenDevice, buffers: Buffers, encoder: Encoder) {
    this.bundle = bundle;
    this.owner = owner;
    this.buffers = buffers;
    this.encoder = encoder;
    this.info = owner.info;
    this.bytes = buffers.bytes;
    this.hostFields = new HostFields(bundle);
    this.readback = new Readback(owner, buffers);
    this.cells = new Map(bundle.cells.map((c) => [c.id, c]));
    for (const entry of bundle.entries) {
      this.prepared.set(entry.id, {
        entry,
        params: bufferOf(entry, 'params', buffers),
        reports: bufferOf(entry, 'reports', buffers),
        faults: bufferOf(entry, 'faults', buffers),
        pace: new Pace(buffers.slots),
        patient: hasLongLoops(entry.commands),
        proven: false,
      });
    }
  }

  private entry(id: string): Prepared {
    const prepared = this.prepared.get(id);
    if (!prepared) throw new InternalError(`the bundle has no entry '${id}'`);
    return prepared;
  }

  private cell(id: string): BundleCell {
    const cell = this.cells.get(id);
    if (!cell) throw new InternalError(`the bundle has no cell '${id}'`);
    return cell;
  }

  capacity(entry: string): number {
    return this.entry(entry).pace.capacity();
  }

  async loadData(name: string, field: string, values: FieldSource): Promise<void> {
    while (this.busy) await this.busy;
    this.owner.check();
    const spec = this.bundle.data.find((d) => d.name === name)?.fields.find((f) => f.name === field);
    if (!spec) fail('OPT711', undefined, `the program has no data '${name}.${field}'`);
    if (isRowSource(values) && spec.buffer === undefined && values.rows === spec.type.shape[0])
      return this.hostFields.add(name, spec, values);
    const numbers = inMemory(`${name}.${field}`, values, 'the device');
    const count = elements(spec.type);
    if (numbers.length !== count)
      fail('OPT711', undefined, `data '${name}.${field}': ${count} numbers expected, ${numbers.length} given`);
    if (spec.storage === 'u8' && !(numbers instanceof Uint8Array))
      fail('OPT711', undefined, `data '${name}.${field}': bytes expected`);
    if (spec.buffer === undefined) this.hostFields.add(name, spec, words(spec, numbers));
    else this.write(this.buffers.get(spec.buffer).gpu, 0, words(spec, numbers));
  }

  /** What has been asked for and is not yet sent. Where there is nothing, calls go on at once, and what they send stands in the queue when they return. */
  private get busy(): Promise<void> | undefined {
    return this.turn ?? this.sending;
  }

  /** Runs `send` after those before it, once the rows that the steps take have been read; the reading begins at once. */
  private async inTurn<T>(
    entry: BundleEntry,
    steps: readonly Scalars[],
    send: (rings?: Rings) => Promise<T>,
  ): Promise<T> {
    if (!this.hostFields.waits) {
      while (this.sending) await this.sending;
      return send();
    }
    const before = this.turn;
    const reading = this.hostFields.read(entry, steps);
    reading.catch(() => {}); // told where it is awaited
    let done: () => void = () => undefined;
    const turn = new Promise<void>((resolve) => (done = resolve));
    this.turn = turn;
    try {
      await before;
      const rings = await reading;
      this.owner.check();
      return await send(rings);
    } finally {
      if (this.turn === turn) this.turn = undefined;
      done();
    }
  }

  async submit(id: string, steps: readonly Scalars[]): Promise<StepOutputs[]> {
    const p = this.entry(id);
    if (steps.length === 0) return [];
    if (steps.length > this.buffers.slots) throw new InternalError(`${steps.length} executions in one submission`);
    this.owner.check();
    let start = 0;
    let hostValues: number[][][] = [];
    const sent = await this.inTurn(p.entry, steps, (rings) => {
      start = performance.now();
      hostValues = this.writeParams(p, steps, rings);
      return this.send(
        p,
        hostValues,
        p.reports ? [{ gpu: p.reports.gpu, offset: 0, bytes: steps.length * p.reports.bytes }] : [],
      );
    });
    this.stats.executions += steps.length;
    const bytes = await sent.finished();
    p.pace.record(steps.length, start, performance.now());
    sent.checkFaults(bytes, steps);
    const view = p.reports ? new DataView(bytes, sent.offsets[0]) : undefined;
    const slotBytes = p.reports?.bytes ?? 0;
    return steps.map((_, k) => readOutputs(p.entry, hostValues[k], view, k * slotBytes));
  }

  async call(
    id: string,
    inputs: Readonly<Record<string, NumberArray>>,
    scalars: Scalars,
  ): Promise<Record<string, NumberArray>> {
    const p = this.entry(id);
    const sent = await this.inTurn(p.entry, [scalars], (rings) => this.sendCall(p, inputs, scalars, rings));
    this.stats.executions++;
    const bytes = await sent.finished();
    sent.checkFaults(bytes, [scalars]);
    return Object.fromEntries(p.entry.results.map((r, i) => [r.name, fromDevice(bytes, sent.offsets[i], r.type)]));
  }

  private sendCall(
    p: Prepared,
    inputs: Readonly<Record<string, NumberArray>>,
    scalars: Scalars,
    rings: Rings | undefined,
  ): Promise<Sent> {
    this.owner.check();
    for (const input of p.entry.inputs) {
      const values = Object.hasOwn(inputs, input.name) ? inputs[input.name] : undefined;
      if (values?.length !== elements(input.type))
        throw new InternalError(`input '${input.name}' of '${p.entry.id}' has the wrong length`); // the session has checked it
      this.write(this.buffers.get(input.buffer).gpu, input.offset, toDevice(values, input.type.dtype));
    }
    const hostValues = this.writeParams(p, [scalars], rings);
    const ranges = p.entry.results.map((r) => ({
      gpu: this.buffers.get(r.buffer).gpu,
      offset: r.offset,
      bytes: 4 * elements(r.type),
    }));
    return this.send(p, hostValues, ranges);
  }

  async reset(): Promise<void> {
    while (this.busy) await this.busy;
    this.owner.check();
    const encoder = this.owner.device.createCommandEncoder();
    for (const buffer of this.buffers.ofRole('cells')) encoder.clearBuffer(buffer.gpu);
    this.owner.device.queue.submit([encoder.finish()]);
  }

  async readCells(ids: readonly string[]): Promise<Map<string, NumberArray>> {
    const result = new Map<string, NumberArray>();
    let batch: BundleCell[] = [];
    let size = 0;
    for (const id of ids) {
      const cell = this.cell(id);
      const bytes = cellBytes(cell);
      if (size > 0 && size + bytes > readChunkBytes) {
        await this.readBatch(batch, result);
        batch = [];
        size = 0;
      }
      batch.push(cell);
      size += bytes;
    }
    if (batch.length > 0) await this.readBatch(batch, result);
    return result;
  }

  private async readBatch(cells: readonly BundleCell[], into: Map<string, NumberArray>): Promise<void> {
    while (this.busy) await this.busy;
    this.owner.check();
    const { device } = this.owner;
    const encoder = device.createCommandEncoder();
    const pending = this.readback.encode(
      encoder,
      cells.map((c) => ({ gpu: this.buffers.get(c.buffer).gpu, offset: c.offset, bytes: cellBytes(c) })),
    );
    device.queue.submit([encoder.finish()]);
    const bytes = await pending.read();
    this.owner.check();
    cells.forEach((cell, i) => into.set(cell.id, cellFromDevice(bytes, pending.offsets[i], cell)));
  }

  async writeCells(values: ReadonlyMap<string, NumberArray>): Promise<void> {
    while (this.busy) await this.busy;
    this.owner.check();
    for (const [id, array] of values) {
      const cell = this.cell(id);
      if (array.length !== elements(cell.type)) throw new InternalError(`cell '${id}' given ${array.length} numbers`);
      this.write(
        this.buffers.get(cell.buffer).gpu,
        cell.offset,
        cell.storage === 'f16' ? packHalves(array) : toDevice(array, cell.type.dtype),
      );
    }
  }

  /**
   * How long each kernel of an entry takes, with these scalars and the cells as they are. Afterwards the cells hold what repeated kernels have made of
   * them. Throws OPT704, OPT705 for failures of the device.
   */
  async time(
    id: string,
    scalars: Scalars,
  ): Promise<{ readonly clock: Clock; readonly kernels: readonly KernelTime[] }> {
    const p = this.entry(id);
    this.owner.check();
    const rings = this.hostFields.waits ? await this.hostFields.read(p.entry, [scalars]) : undefined;
    const [values] = this.writeParams(p, [scalars], rings);
    const clock = new KernelClock(this.owner, this.encoder, this.buffers, this.readback);
    return { clock: clock.kind, kernels: await clock.measure(this.encoder.dispatchesOf(p.entry, values)) };
  }

  /** Frees all buffers; the device stays open. */
  async dispose(): Promise<void> {
    await this.hostFields.close();
    this.buffers.destroyAll();
    this.prepared.clear();
  }

  private write(gpu: GPUBuffer, offset: number, values: Uint8Array | Float32Array | Int32Array | Uint32Array): void {
    let bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    if (bytes.length % 4 !== 0) {
      // Writes are whole words.
      const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
      padded.set(bytes);
      bytes = padded;
    }
    if (bytes.length > 0) this.owner.device.queue.writeBuffer(gpu, offset, bytes as Uint8Array<ArrayBuffer>);
  }

  private writeParams(p: Prepared, steps: readonly Scalars[], rings: Rings | undefined): number[][][] {
    const slot = p.params?.bytes ?? 0;
    const view = new DataView(new ArrayBuffer(slot * steps.length));
    if (!p.params && p.entry.params.length > 0)
      throw new InternalError(`entry '${p.entry.id}' has parameters and no buffer for them`);
    const values = steps.map((scalars, k) => fillParams(p.entry, scalars, view, k * slot));
    if (p.params && p.entry.params.length > 0) this.write(p.params.gpu, 0, new Uint8Array(view.buffer));
    this.hostFields.write(p.entry, steps, rings, (buffer, bytes) => this.write(this.buffers.get(buffer).gpu, 0, bytes));
    return values;
  }

  /** Encodes and submits an execution for each of the host's values, with a read-back of the ranges and, last, of the faults. */
  private async send(p: Prepared, hostValues: number[][][], ranges: readonly ReadRange[]): Promise<Sent> {
    if (!p.patient) {
      const submission = this.begin(p);
      return this.finish(submission, p, this.encoder.encode(submission.to, p.entry, hostValues), ranges);
    }
    // Piece by piece, while everything else waits: it comes after all of it in the queue.
    let done: () => void = () => undefined;
    this.sending = new Promise((resolve) => (done = resolve));
    try {
      const submission = this.begin(p);
      const ask = (word: Word): Promise<boolean> => this.ask(submission.to, word);
      const dispatches = await this.encoder.encodePatiently(submission.to, p.entry, hostValues, ask);
      return this.finish(submission, p, dispatches, ranges);
    } finally {
      this.sending = undefined;
      done();
    }
  }

  /** Submits what has been encoded and a read of a word; resolves to whether it is not 0. */
  private async ask(submission: Submission, { buffer, offset }: Word): Promise<boolean> {
    const range = { gpu: this.buffers.get(buffer).gpu, offset, bytes: 4 };
    const pending = this.readback.encode(submission.encoder, [range]);
    submission.flush();
    return new Uint32Array(await pending.read())[0] !== 0;
  }

  private begin(p: Prepared): Begun {
    const { device } = this.owner;
    const scoped = !p.proven;
    p.proven = true;
    if (scoped) device.pushErrorScope('validation');
    const to = new Submission(device);
    if (p.faults) to.encoder.clearBuffer(p.faults.gpu);
    return { to, scoped };
  }

  private finish({ to, scoped }: Begun, p: Prepared, dispatches: number, ranges: readonly ReadRange[]): Sent {
    const { device } = this.owner;
    this.stats.dispatches += dispatches;
    const all = p.faults ? [...ranges, { gpu: p.faults.gpu, offset: 0, bytes: p.faults.bytes }] : ranges;
    const pending = this.readback.encode(to.encoder, all);
    device.queue.submit([to.encoder.finish()]);
    this.stats.submits++;
    const scope = scoped ? device.popErrorScope() : undefined;
    const finished = async (): Promise<ArrayBuffer> => {
      const bytes = await pending.read();
      const problem = await scope;
      if (problem)
        fail('OPT705', undefined, `the driver refused entry '${p.entry.id}'`, {
          notes: [problem.message],
          hint: 'this is a bug of Saddle or of the driver: please report it with this message',
        });
      this.owner.check();
      return bytes;
    };
    return {
      finished,
      offsets: pending.offsets,
      checkFaults: (bytes: ArrayBuffer, steps: readonly Scalars[]): void => {
        if (!p.faults) return;
        const words = new Uint32Array(bytes, pending.offsets[ranges.length], p.faults.bytes >> 2);
        reportFault(p.entry, words, steps);
      },
    };
  }
}

/** Throws OPT708 for the fault that kernels have stored, OPT709 for one of values. */
function reportFault(entry: BundleEntry, words: Uint32Array, steps: readonly Scalars[]): void {
  const number = words[0];
  if (number === 0) return;
  const fault = entry.faults[number - 1];
  if (!fault) throw new InternalError(`entry '${entry.id}' stored fault ${number}, which it does not have`);
  const [first, last] = [steps[0].step, steps[steps.length - 1].step];
  const message = fault.message.replace('{index}', String(words[number] | 0));
  fail(
    fault.ofValues ? 'OPT709' : 'OPT708',
    undefined,
    `${message} (${first === last ? `step ${first}` : `in steps ${first} to ${last}`})`,
    {
      place: fault.place,
    },
  );
}
