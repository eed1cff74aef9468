/**
 * One WebGPU device per test file. The instance, adapter and device are held here until the process ends: dawn.node crashes when they are
 * collected while still in use.
 */
import { create, globals } from 'webgpu';
import type { DeviceProfile } from '../../compiler/lower/profile.ts';

Object.assign(globalThis, globals);

let gpu: GPU | undefined;
let adapter: GPUAdapter | null = null;
let device: GPUDevice | undefined;

export async function openDevice(): Promise<{ device: GPUDevice; profile: DeviceProfile; driver: string }> {
  if (!device) {
    gpu = create([]);
    adapter = await gpu.requestAdapter();
    if (!adapter) throw new Error('no WebGPU adapter: install a Vulkan driver (mesa-vulkan-drivers)');
    const features = (['subgroups'] as GPUFeatureName[]).filter((f) => adapter?.features.has(f));
    device = await adapter.requestDevice({ requiredFeatures: features });
  }
  const info = (adapter as GPUAdapter).info as GPUAdapterInfo & { subgroupMinSize?: number; subgroupMaxSize?: number };
  const same = info.subgroupMinSize === info.subgroupMaxSize && device.features.has('subgroups' as GPUFeatureName);
  return {
    device,
    driver: `${info.device} ${info.description}`,
    profile: {
      subgroups: same ? (info.subgroupMinSize ?? 0) : 0,
      maxStorageBuffers: device.limits.maxStorageBuffersPerShaderStage,
      maxBindingBytes: device.limits.maxStorageBufferBindingSize,
      class: /llvmpipe|swiftshader/i.test(`${info.device} ${info.description}`) ? 'software' : 'hardware',
    },
  };
}

export function closeDevice(): void {
  device?.destroy();
  device = undefined;
  adapter = null;
  gpu = undefined;
}

/** Waits for the queue without spinning a core. */
export async function settled<T>(promise: Promise<T>): Promise<T> {
  const state = { done: false };
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const watched = promise.finally(() => (state.done = true));
  while (!state.done) {
    Atomics.wait(cell, 0, 0, 1);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return watched;
}
