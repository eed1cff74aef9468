/**
 * Encodes the commands of entries. Bind groups are made once per (kernel, bindings, slot) and kept: making one costs as much as ten dispatches.
 * Consecutive dispatches share one compute pass, over steps too; WebGPU orders them. A copy ends the pass, since copies stand outside passes.
 */
import {
  type SimpleCommand,
  type Word,
  eachCommand,
  flatCommands,
  patientCommands,
} from '../../compiler/bundle/commands.ts';
import type { Binding, BundleEntry } from '../../compiler/bundle/format.ts';
import { InternalError } from '../../compiler/diagnostics/diagnostic.ts';
import { type Buffers, type DeviceBuffer, usage } from './buffers.ts';
import type { Pipeline } from './pipelines.ts';

export type Dispatch = Extract<SimpleCommand, { kind: 'dispatch' }>;
type Copy = Extract<SimpleCommand, { kind: 'copy' }>;

/** Dispatches after which what has been encoded is sent: long loops neither fill memory nor keep the device waiting. */
const CHUNK = 4096;

/** Command buffers on their way to the queue. */
export class Submission {
  encoder: GPUCommandEncoder;
  private readonly device: GPUDevice;

  constructor(device: GPUDevice) {
    this.device = device;
    this.encoder = device.createCommandEncoder();
  }

  /** Submits what has been encoded, and begins anew. */
  flush(): void {
    this.device.queue.submit([this.encoder.finish()]);
    this.encoder = this.device.createCommandEncoder();
  }
}

/** Values of the host program, for each execution of a submission. */
export type HostValues = readonly (readonly (readonly number[])[])[];

/** Commands on their way into a submission: consecutive dispatches share a pass, and long sequences are sent in pieces. */
class Recording {
  private readonly submission: Submission;
  private readonly encoder: Encoder;
  private pass: GPUComputePassEncoder | undefined;
  private dispatches = 0;

  constructor(submission: Submission, encoder: Encoder) {
    this.submission = submission;
    this.encoder = encoder;
  }

  add(command: SimpleCommand, slot: number): void {
    if (command.kind === 'copy') {
      this.end();
      this.encoder.copy(this.submission.encoder, command, slot);
      return;
    }
    // Nothing to do, and Dawn would print a remark to standard output.
    if (command.groups.some((n) => n === 0)) return;
    this.pass ??= this.submission.encoder.beginComputePass();
    this.encoder.dispatch(this.pass, command, slot);
    this.dispatches++;
    if (this.dispatches % CHUNK === 0) {
      this.end();
      this.submission.flush();
    }
  }

  /** Ends the pass; returns the number of dispatches so far. */
  end(): number {
    this.pass?.end();
    this.pass = undefined;
    return this.dispatches;
  }
}

export class Encoder {
  private readonly device: GPUDevice;
  private readonly buffers: Buffers;
  private readonly pipelines: ReadonlyMap<string, Pipeline>;
  private readonly groups = new Map<string, GPUBindGroup>();
  /** By command object and slot: spares building the text key at each encoding. */
  private readonly groupsOf = new Map<Dispatch, GPUBindGroup[]>();
  private bounce: GPUBuffer | undefined;

  constructor(device: GPUDevice, buffers: Buffers, pipelines: ReadonlyMap<string, Pipeline>) {
    this.device = device;
    this.buffers = buffers;
    this.pipelines = pipelines;
  }

  /** Encodes one execution for each element of `hostValues` (values of the host program), execution k on slot k. Returns the number of dispatches. */
  encode(submission: Submission, entry: BundleEntry, hostValues: HostValues): number {
    const recording = new Recording(submission, this);
    const [only] = entry.commands;
    if (entry.commands.length === 1 && only.kind === 'dispatch' && only.executions) {
      for (let slot = 0; slot < hostValues.length; slot += only.executions)
        recording.add({ ...only, groups: [Math.min(only.executions, hostValues.length - slot), 1, 1] }, slot);
      return recording.end();
    }
    for (const [slot, values] of hostValues.entries()) {
      for (const command of flatCommands(entry.commands, (value) => values[value][0] !== 0)) {
        recording.add(command, slot);
      }
    }
    return recording.end();
  }

  /**
   * The same for entries with long loops: sends them in pieces and ends them where the device says so, having at least one piece in the queue all the
   * time. `ask` encodes a read of a word, sends all, and resolves to whether it is not 0.
   */
  async encodePatiently(
    submission: Submission,
    entry: BundleEntry,
    hostValues: HostValues,
    ask: (word: Word) => Promise<boolean>,
  ): Promise<number> {
    const recording = new Recording(submission, this);
    for (const [slot, values] of hostValues.entries()) {
      const commands = patientCommands(entry.commands, (value) => values[value][0] !== 0);
      for (let next = commands.next(); next.value;) {
        const command = next.value;
        if (command.kind !== 'question') {
          recording.add(command, slot);
          next = commands.next(true);
          continue;
        }
        const before = command.waiting;
        recording.end();
        command.waiting = ask(command.flag);
        // An answer that nobody waits for any more may come as an error, which the submission's own read reports too.
        command.waiting.catch(() => undefined);
        next = commands.next(before ? await before : true);
      }
    }
    return recording.end();
  }

  dispatch(pass: GPUComputePassEncoder, command: Dispatch, slot: number): void {
    pass.setPipeline(this.pipeline(command).gpu);
    pass.setBindGroup(0, this.bindGroup(command, slot));
    pass.dispatchWorkgroups(...command.groups);
  }

  /** The dispatches of one execution in their order, those of loops once for each turn. For profiles. */
  dispatchesOf(entry: BundleEntry, values: readonly (readonly number[])[]): Dispatch[] {
    const commands = [...flatCommands(entry.commands, (value) => values[value][0] !== 0)];
    return commands.flatMap((c) => (c.kind === 'dispatch' && c.groups.every((n) => n > 0) ? [c] : []));
  }

  /** One dispatch several times, on slot 0. For profiles. */
  repeat(pass: GPUComputePassEncoder, command: Dispatch, times: number): void {
    pass.setPipeline(this.pipeline(command).gpu);
    pass.setBindGroup(0, this.bindGroup(command, 0));
    for (let k = 0; k < times; k++) pass.dispatchWorkgroups(...command.groups);
  }

  private pipeline(command: Dispatch): Pipeline {
    const pipeline = this.pipelines.get(command.kernel);
    if (!pipeline) throw new InternalError(`the bundle has no kernel '${command.kernel}'`);
    return pipeline;
  }

  private bindGroup(command: Dispatch, slot: number): GPUBindGroup {
    if (command.executions) return this.sharedGroup(command, slot);
    let list = this.groupsOf.get(command);
    if (!list) this.groupsOf.set(command, (list = []));
    const index = command.bindings.some((b) => b.slot) ? slot : 0;
    return (list[index] ??= this.sharedGroup(command, index));
  }

  private sharedGroup(command: Dispatch, slot: number): GPUBindGroup {
    const many = command.executions !== undefined;
    const key = JSON.stringify([command.kernel, slot, command.bindings, many]);
    let group = this.groups.get(key);
    if (!group) {
      group = this.device.createBindGroup({
        layout: this.pipeline(command).layout,
        entries: command.bindings.map((b, binding) => ({ binding, resource: this.range(b, slot, many) })),
      });
      this.groups.set(key, group);
    }
    return group;
  }

  private range(binding: Binding, slot: number, many: boolean): GPUBufferBinding {
    const buffer = this.buffers.get(binding.buffer);
    if (!binding.slot) return { buffer: buffer.gpu };
    if (slot >= buffer.slots) throw new InternalError(`buffer '${binding.buffer}' has no slot ${slot}`);
    const size = many ? (buffer.slots - slot) * buffer.bytes : buffer.bytes;
    return { buffer: buffer.gpu, offset: slot * buffer.bytes, size };
  }

  copy(encoder: GPUCommandEncoder, command: Copy, slot: number): void {
    if (command.bytes === 0) return;
    const from = this.buffers.get(command.from);
    const to = this.buffers.get(command.to);
    const fromOffset = command.fromOffset + slotOffset(from, slot);
    const toOffset = command.toOffset + slotOffset(to, slot);
    if (from.gpu !== to.gpu) {
      encoder.copyBufferToBuffer(from.gpu, fromOffset, to.gpu, toOffset, command.bytes);
      return;
    }
    // WebGPU refuses a copy within one buffer.
    if (!this.bounce || this.bounce.size < command.bytes) {
      if (this.bounce) this.buffers.destroy(this.bounce);
      this.bounce = this.buffers.make(command.bytes, usage.copySrc | usage.copyDst, 'bounce');
    }
    encoder.copyBufferToBuffer(from.gpu, fromOffset, this.bounce, 0, command.bytes);
    encoder.copyBufferToBuffer(this.bounce, 0, to.gpu, toOffset, command.bytes);
  }
}

function slotOffset(buffer: DeviceBuffer, slot: number): number {
  return buffer.slots > 1 ? slot * buffer.bytes : 0;
}

/** The buffer of a role that an entry uses, or undefined. */
export function bufferOf(entry: BundleEntry, role: DeviceBuffer['role'], buffers: Buffers): DeviceBuffer | undefined {
  let found: DeviceBuffer | undefined;
  eachCommand(entry.commands, (command) => {
    const ids = command.kind === 'dispatch' ? command.bindings.map((b) => b.buffer) : [command.from, command.to];
    found ??= ids.map((id) => buffers.get(id)).find((buffer) => buffer.role === role);
  });
  return found;
}
