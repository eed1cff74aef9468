/**
 * The one adapter that every contender runs on, and the counters. Dawn's GPU object and classes are put on the global scope, where browser
 * libraries look for them; dispatches, submits and buffer bytes are counted by wrapping the methods of those classes, so that the same ruler
 * lies on every contender and none needs to report about itself.
 */
import { create, globals } from 'webgpu';

export interface Counts {
  dispatches: number;
  submits: number;
  /** Bytes in buffers that are alive, and the most there were since `resetPeak`. */
  bytes: number;
  peakBytes: number;
}

export interface Ruler {
  readonly counts: Counts;
  readonly adapter: GPUAdapterInfo;
  /** Another adapter object of the same kind: each may give one device. */
  newAdapter(): Promise<GPUAdapter>;
  /** What has to live as long as any device. */
  readonly kept: readonly unknown[];
  /** Counts from the present moment on; the peak starts at what is alive. */
  reset(): void;
}

/** Dawn's object lives as long as the process: letting it be collected crashes the process. */
const kept: unknown[] = [];

/** Opens Dawn, installs its globals and the counters. Throws an Error where there is no adapter. */
export async function installRuler(): Promise<Ruler> {
  process.env.MESA_SHADER_CACHE_DISABLE ??= 'true'; // Else the first step of whoever ran here before would be quicker.
  const gpu = create([]);
  kept.push(gpu);
  Object.assign(globalThis, globals);
  Object.defineProperty(globalThis, 'navigator', { value: { gpu, userAgent: 'node' }, configurable: true });
  const newAdapter = async () => {
    const adapter = await gpu.requestAdapter();
    if (!adapter) throw new Error('there is no WebGPU adapter here: see `saddle doctor`');
    kept.push(adapter);
    return adapter;
  };
  const adapter = await newAdapter();
  const counts: Counts = { dispatches: 0, submits: 0, bytes: 0, peakBytes: 0 };
  countCalls(counts);
  return {
    counts,
    adapter: adapter.info,
    newAdapter,
    kept,
    reset: () => {
      counts.dispatches = 0;
      counts.submits = 0;
      counts.peakBytes = counts.bytes;
    },
  };
}

function countCalls(counts: Counts): void {
  before(GPUComputePassEncoder.prototype, 'dispatchWorkgroups', () => counts.dispatches++);
  before(GPUComputePassEncoder.prototype, 'dispatchWorkgroupsIndirect', () => counts.dispatches++);
  before(GPUQueue.prototype, 'submit', () => counts.submits++);
  const createBuffer = GPUDevice.prototype.createBuffer;
  const alive = new WeakMap<GPUBuffer, number>();
  GPUDevice.prototype.createBuffer = function (this: GPUDevice, descriptor: GPUBufferDescriptor): GPUBuffer {
    const buffer = createBuffer.call(this, descriptor);
    alive.set(buffer, descriptor.size);
    counts.bytes += descriptor.size;
    counts.peakBytes = Math.max(counts.peakBytes, counts.bytes);
    return buffer;
  };
  const destroy = GPUBuffer.prototype.destroy;
  GPUBuffer.prototype.destroy = function (this: GPUBuffer): undefined {
    counts.bytes -= alive.get(this) ?? 0;
    alive.delete(this); // A second destroy frees nothing.
    return destroy.call(this);
  };
}

/** Calls `note` before each call of a method. */
function before<T extends object>(prototype: T, method: keyof T & string, note: () => void): void {
  const original = prototype[method] as (...args: unknown[]) => unknown;
  Object.defineProperty(prototype, method, {
    configurable: true,
    writable: true,
    value: function (this: T, ...args: unknown[]) {
      note();
      return original.apply(this, args);
    },
  });
}
