/**
 * What the compiler may assume of a device. A profile is plain data; `defaultProfile` is what WebGPU guarantees everywhere, so kernels compiled
 * for it run on any adapter.
 */

export interface DeviceProfile {
  /** Size of a subgroup where it is one fixed size and the feature is granted, else 0. */
  readonly subgroups: number;
  /** Storage buffers that one kernel may bind. */
  readonly maxStorageBuffers: number;
  /** Largest binding of a storage buffer, and largest buffer, in bytes. */
  readonly maxBindingBytes: number;
  readonly maxBufferBytes: number;
  /** Largest number of invocations of a workgroup. */
  readonly maxWorkgroupSize: number;
  readonly class: 'hardware' | 'software' | 'unknown';
}

/** The limits that every WebGPU implementation grants. */
export const defaultProfile: DeviceProfile = {
  subgroups: 0,
  maxStorageBuffers: 8,
  maxBindingBytes: 134217728,
  maxBufferBytes: 268435456,
  maxWorkgroupSize: 256,
  class: 'unknown',
};

/** True for drivers that compute on the processor. `isFallbackAdapter` is not enough: not every driver sets it. */
export function isSoftware(info: GPUAdapterInfo): boolean {
  return (
    info.isFallbackAdapter ||
    /llvmpipe|lavapipe|swiftshader|basic render|\bwarp\b/i.test(`${info.device} ${info.description}`)
  );
}

/** Profile of an adapter, for the device that `openDevice` makes of it (all of the limits below are requested there). */
export function profileOf(adapter: GPUAdapter): DeviceProfile {
  const { info, limits, features } = adapter;
  const fixed = info.subgroupMinSize === info.subgroupMaxSize ? info.subgroupMinSize : 0;
  return {
    subgroups: features.has('subgroups') ? (fixed ?? 0) : 0,
    maxStorageBuffers: limits.maxStorageBuffersPerShaderStage,
    maxBindingBytes: limits.maxStorageBufferBindingSize,
    maxBufferBytes: limits.maxBufferSize,
    maxWorkgroupSize: limits.maxComputeInvocationsPerWorkgroup,
    class: isSoftware(info) ? 'software' : 'hardware',
  };
}
