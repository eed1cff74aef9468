/**
 * How long each kernel of an entry takes: its dispatch, repeated until it is long enough to be measured, between two timestamps of the device where it has
 * them, else between a submission and its end. The repeats leave the cells with values that no run has: the caller restores or discards them.
 */
import { type Buffers, usage } from './buffers.ts';
import type { OpenDevice } from './device.ts';
import type { Dispatch, Encoder } from './encode.ts';
import type { Readback } from './readback.ts';

/** One dispatch of an entry. */
export interface KernelTime {
  readonly kernel: string;
  /** Dispatches of it in one execution (loops repeat theirs). */
  readonly times: number;
  /** Milliseconds of one dispatch: the least of several rounds, since whatever disturbs makes them longer. */
  readonly milliseconds: number;
}

/** How the times were taken. */
export type Clock = 'timestamps' | 'submissions';

/** A round should last so long: timestamps are rounded to 0.1 ms for privacy, and a submission takes about as much. */
const ROUND_MS = 10;
const MOST_REPEATS = 2000;
const ROUNDS = 3;

export class KernelClock {
  readonly kind: Clock;
  private readonly owner: OpenDevice;
  private readonly encoder: Encoder;
  private readonly buffers: Buffers;
  private readonly readback: Readback;
  private readonly queries: { readonly set: GPUQuerySet; readonly buffer: GPUBuffer } | undefined;
  /** Of a submission with nothing to do: taken off where submissions are timed. */
  private overhead = 0;

  constructor(owner: OpenDevice, encoder: Encoder, buffers: Buffers, readback: Readback) {
    this.owner = owner;
    this.encoder = encoder;
    this.buffers = buffers;
    this.readback = readback;
    const { device } = owner;
    if (device.features.has('timestamp-query')) {
      const set = device.createQuerySet({ type: 'timestamp', count: 2 });
      // A query is resolved to a buffer of its own usage, which staging buffers cannot have.
      const buffer = this.buffers.make(16, QUERY_RESOLVE | usage.copySrc, 'timestamps');
      this.queries = { set, buffer };
    }
    this.kind = this.queries ? 'timestamps' : 'submissions';
  }

  /** Times the dispatches of one execution, in order, equal ones together. */
  async measure(dispatches: readonly Dispatch[]): Promise<KernelTime[]> {
    const counts = new Map<Dispatch, number>();
    for (const d of dispatches) counts.set(d, (counts.get(d) ?? 0) + 1);
    if (!this.queries) this.overhead = await this.least(undefined, 1);
    const times: KernelTime[] = [];
    for (const [dispatch, count] of counts)
      times.push({ kernel: dispatch.kernel, times: count, milliseconds: await this.one(dispatch) });
    return times;
  }

  private async one(dispatch: Dispatch): Promise<number> {
    await this.round(dispatch, 1); // the first use may compile
    let repeats = 1;
    for (;;) {
      const ms = await this.round(dispatch, repeats);
      if (ms >= ROUND_MS || repeats >= MOST_REPEATS) break;
      repeats = Math.min(MOST_REPEATS, Math.max(2 * repeats, Math.ceil((1.2 * repeats * ROUND_MS) / Math.max(ms, 0.05))));
    } // prettier-ignore
    return (await this.least(dispatch, repeats)) / repeats;
  }

  private async least(dispatch: Dispatch | undefined, repeats: number): Promise<number> {
    let least = Infinity;
    for (let k = 0; k < ROUNDS; k++) least = Math.min(least, await this.round(dispatch, repeats));
    return least;
  }

  /** Milliseconds of that many dispatches in one pass. */
  private async round(dispatch: Dispatch | undefined, repeats: number): Promise<number> {
    this.owner.check();
    const { device } = this.owner;
    const encoder = device.createCommandEncoder();
    const set = this.queries?.set;
    const pass = encoder.beginComputePass(
      set ? { timestampWrites: { querySet: set, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 } } : undefined,
    );
    if (dispatch) this.encoder.repeat(pass, dispatch, repeats);
    pass.end();
    if (this.queries) encoder.resolveQuerySet(this.queries.set, 0, 2, this.queries.buffer, 0);
    const ranges = this.queries ? [{ gpu: this.queries.buffer, offset: 0, bytes: 16 }] : [];
    const pending = this.readback.encode(encoder, ranges);
    const before = performance.now();
    device.queue.submit([encoder.finish()]);
    const bytes = await pending.read();
    if (!this.queries) return Math.max(0, performance.now() - before - (dispatch ? this.overhead : 0));
    const [start, end] = new BigUint64Array(bytes, 0, 2);
    return end > start ? Number(end - start) / 1e6 : 0;
  }
}

/** WebGPU's flag; the global of this name exists in browsers only. */
const QUERY_RESOLVE = 512;
