/**
 * Encodes the commands of entries. Bind groups are made once per (kernel, bindings, slot) and kept: making one costs as much as ten dispatches.
 * Consecutive dispatches share one compute pass, over steps too; WebGPU orders them. A copy ends the pass, since copies stand outside passes.
 */
import type { Binding, BundleEntry, Command } from '../../compiler/bundle/format.ts';
import { InternalError } from '../../compiler/diagnostics/diagnostic.ts';
import { type Buffers, type DeviceBuffer, usage } from './buffers.ts';
import type { Pipeline } from './pipelines.ts';

type Dispatch = Extract<Command, { kind: 'dispatch' }>;
type Copy = Extract<Command, { kind: 'copy' }>;

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

  /** Encodes `count` executions, execution k on slot k. Returns the number of dispatches. */
  encode(encoder: GPUCommandEncoder, entry: BundleEntry, count: number): number {
    let pass: GPUComputePassEncoder | undefined;
    let dispatches = 0;
    for (let slot = 0; slot < count; slot++) {
      for (const command of entry.commands) {
        if (command.kind === 'copy') {
          pass?.end();
          pass = undefined;
          this.copy(encoder, command, slot);
          continue;
        }
        // Nothing to do, and Dawn would print a remark to standard output.
        if (command.groups.some((n) => n === 0)) continue;
        pass ??= encoder.beginComputePass();
        pass.setPipeline(this.pipeline(command).gpu);
        pass.setBindGroup(0, this.bindGroup(command, slot));
        pass.dispatchWorkgroups(...command.groups);
        dispatches++;
      }
    }
    pass?.end();
    return dispatches;
  }

  private pipeline(command: Dispatch): Pipeline {
    const pipeline = this.pipelines.get(command.kernel);
    if (!pipeline) throw new InternalError(`the bundle has no kernel '${command.kernel}'`);
    return pipeline;
  }

  private bindGroup(command: Dispatch, slot: number): GPUBindGroup {
    let list = this.groupsOf.get(command);
    if (!list) this.groupsOf.set(command, (list = []));
    const index = command.bindings.some((b) => b.slot) ? slot : 0;
    return (list[index] ??= this.sharedGroup(command, index));
  }

  private sharedGroup(command: Dispatch, slot: number): GPUBindGroup {
    const key = JSON.stringify([command.kernel, slot, command.bindings]);
    let group = this.groups.get(key);
    if (!group) {
      group = this.device.createBindGroup({
        layout: this.pipeline(command).layout,
        entries: command.bindings.map((b, binding) => ({ binding, resource: this.range(b, slot) })),
      });
      this.groups.set(key, group);
    }
    return group;
  }

  private range(binding: Binding, slot: number): GPUBufferBinding {
    const buffer = this.buffers.get(binding.buffer);
    if (!binding.slot) return { buffer: buffer.gpu };
    if (slot >= buffer.slots) throw new InternalError(`buffer '${binding.buffer}' has no slot ${slot}`);
    return { buffer: buffer.gpu, offset: slot * buffer.bytes, size: buffer.bytes };
  }

  private copy(encoder: GPUCommandEncoder, command: Copy, slot: number): void {
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
  for (const command of entry.commands) {
    const ids = command.kind === 'dispatch' ? command.bindings.map((b) => b.buffer) : [command.from, command.to];
    for (const id of ids) {
      const buffer = buffers.get(id);
      if (buffer.role === role) return buffer;
    }
  }
  return undefined;
}
