/**
 * The device buffers of one bundle, with a count of their bytes. Ring buffers ('params', 'reports', 'streams') get as many slots as a submission may have
 * executions; every buffer starts at zero (WebGPU guarantees it) and is destroyed explicitly, because dropped buffers are collected far too late.
 */
import type { Bundle, BundleBuffer } from '../../compiler/bundle/format.ts';
import { InternalError, SaddleError, error } from '../../compiler/diagnostics/diagnostic.ts';
import type { OpenDevice } from './device.ts';

/** WebGPU's flags; the globals of the same name exist in browsers only. */
export const usage = { mapRead: 1, copySrc: 4, copyDst: 8, uniform: 64, storage: 128 } as const;

const roleUsage: Readonly<Record<BundleBuffer['role'], number>> = {
  cells: usage.storage | usage.copySrc | usage.copyDst,
  temps: usage.storage | usage.copySrc | usage.copyDst,
  data: usage.storage | usage.copySrc | usage.copyDst,
  params: usage.storage | usage.uniform | usage.copySrc | usage.copyDst,
  reports: usage.storage | usage.copySrc | usage.copyDst,
  faults: usage.storage | usage.copySrc | usage.copyDst,
  inputs: usage.storage | usage.copySrc | usage.copyDst,
  streams: usage.copySrc | usage.copyDst,
};

/** At most this much memory goes into the slots of one ring. */
const ringBudget = 4 * 1024 * 1024;
const mostSlots = 64;
/** Of a bundle with an entry whose executions share a launch. */
const mostShared = 1024;

/** One buffer of the bundle on the device. `bytes` is that of one slot. */
export interface DeviceBuffer {
  readonly id: string;
  readonly role: BundleBuffer['role'];
  readonly bytes: number;
  readonly slots: number;
  readonly gpu: GPUBuffer;
}

export class Buffers {
  readonly bytes = { live: 0, peak: 0 };
  /** Slots of every ring. */
  readonly slots: number;
  private readonly owner: OpenDevice;
  private readonly byId = new Map<string, DeviceBuffer>();
  private readonly live = new Set<GPUBuffer>();

  constructor(bundle: Bundle, owner: OpenDevice) {
    this.owner = owner;
    const slotBytes = bundle.buffers.filter(isRing).map((b) => b.bytes);
    const shared = bundle.entries.some((e) => e.commands.some((c) => c.kind === 'dispatch' && c.executions));
    this.slots = Math.max(
      1,
      Math.min(shared ? mostShared : mostSlots, Math.floor(ringBudget / Math.max(256, ...slotBytes))),
    );
  }

  /** Creates all buffers of the bundle. Throws OPT707 naming the first that the device refuses. */
  async create(bundle: Bundle): Promise<void> {
    const { device, wait } = this.owner;
    for (const spec of bundle.buffers) {
      const slots = isRing(spec) ? this.slots : 1;
      device.pushErrorScope('validation');
      device.pushErrorScope('out-of-memory');
      const gpu = this.make(spec.bytes * slots, roleUsage[spec.role], spec.id);
      const [memory, validation] = await wait(Promise.all([device.popErrorScope(), device.popErrorScope()]));
      const problem = memory ?? validation;
      if (problem)
        throw new SaddleError(
          error('OPT707', undefined, `no memory on the device for '${spec.id}' (${spec.bytes * slots} bytes)`, {
            notes: [problem.message],
            hint: 'use smaller batches or a smaller model, or a device with more memory',
          }),
        );
      this.byId.set(spec.id, { id: spec.id, role: spec.role, bytes: spec.bytes, slots, gpu });
    }
  }

  /** A buffer of our own beside the bundle's (staging). Destroy it with `destroy`. */
  make(bytes: number, flags: number, label: string): GPUBuffer {
    // Sizes are rounded up to 16: a binding of vec4 needs it, and an empty buffer cannot be bound at all.
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    const gpu = this.owner.device.createBuffer({ size, usage: flags, label });
    this.live.add(gpu);
    this.bytes.live += size;
    this.bytes.peak = Math.max(this.bytes.peak, this.bytes.live);
    return gpu;
  }

  destroy(gpu: GPUBuffer): void {
    if (!this.live.delete(gpu)) return;
    this.bytes.live -= gpu.size;
    if (!this.owner.stuck) gpu.destroy();
  }

  get(id: string): DeviceBuffer {
    const buffer = this.byId.get(id);
    if (!buffer) throw new InternalError(`the bundle has no buffer '${id}'`);
    return buffer;
  }

  ofRole(role: BundleBuffer['role']): DeviceBuffer[] {
    return [...this.byId.values()].filter((b) => b.role === role);
  }

  destroyAll(): void {
    this.live.forEach((gpu) => this.destroy(gpu));
    this.byId.clear();
  }
}

function isRing(buffer: BundleBuffer): boolean {
  return buffer.role === 'params' || buffer.role === 'reports' || buffer.role === 'streams';
}
