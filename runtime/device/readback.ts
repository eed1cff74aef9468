/**
 * Reading from the device: staging buffers that are copied to within a submission and mapped after it. Buffers are reused; as many exist as there
 * are submissions in flight.
 */
import { type Buffers, usage } from './buffers.ts';
import type { OpenDevice } from './device.ts';

const mapModeRead = 1;

/** A range of a device buffer to be read. */
export interface ReadRange {
  readonly gpu: GPUBuffer;
  readonly offset: number;
  readonly bytes: number;
}

/** Copies that have been encoded; `read` is called after the submission. */
export interface PendingRead {
  /** One buffer with all ranges, each at `offsets[i]`; resolves when the device has run up to here. */
  read(): Promise<ArrayBuffer>;
  readonly offsets: readonly number[];
}

export class Readback {
  private readonly owner: OpenDevice;
  private readonly buffers: Buffers;
  private readonly free: GPUBuffer[] = [];

  constructor(owner: OpenDevice, buffers: Buffers) {
    this.owner = owner;
    this.buffers = buffers;
  }

  /** Encodes copies of the ranges into a staging buffer. */
  encode(encoder: GPUCommandEncoder, ranges: readonly ReadRange[]): PendingRead {
    const offsets: number[] = [];
    let total = 0;
    for (const range of ranges) {
      offsets.push(total);
      total += Math.ceil(range.bytes / 4) * 4;
    }
    const staging = this.take(Math.max(4, total));
    ranges.forEach((range, i) => {
      const bytes = Math.ceil(range.bytes / 4) * 4;
      if (bytes > 0) encoder.copyBufferToBuffer(range.gpu, range.offset, staging, offsets[i], bytes);
    });
    // Mapping waits for the commands that touch the buffer: where nothing is read there must be one too, or it would not wait for the submission.
    if (total === 0) encoder.clearBuffer(staging, 0, 4);
    return { offsets, read: () => this.map(staging, Math.max(4, total)) };
  }

  private take(bytes: number): GPUBuffer {
    const fits = this.free.findIndex((b) => b.size >= bytes);
    if (fits >= 0) return this.free.splice(fits, 1)[0];
    // Powers of two, so that a slightly larger submission finds a buffer that fits.
    const size = 2 ** Math.ceil(Math.log2(Math.max(256, bytes)));
    const most = this.owner.device.limits.maxBufferSize;
    return this.buffers.make(Math.max(bytes, Math.min(size, most)), usage.mapRead | usage.copyDst, 'staging');
  }

  private async map(staging: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    const size = Math.ceil(bytes / 4) * 4;
    let copy: ArrayBuffer;
    try {
      await this.owner.wait(staging.mapAsync(mapModeRead, 0, size));
      // A device that is lost between the mapping and here takes the range with it.
      copy = staging.getMappedRange(0, size).slice(0);
    } catch (reason) {
      this.buffers.destroy(staging);
      throw await this.owner.explain(reason);
    }
    staging.unmap();
    // Large one-off reads (checkpoints) must not keep their memory; the rings' small ones are wanted again at once.
    if (staging.size > 1 << 20) this.buffers.destroy(staging);
    else this.free.push(staging);
    return copy;
  }
}
