/** What the compiler knows of the device it compiles for. The runtime measures it; without one, the default is safe everywhere. */
export interface DeviceProfile {
  /** Lanes of a subgroup where all subgroups have the same size and the 'subgroups' feature is granted; else 0. */
  readonly subgroups: number;
  readonly maxStorageBuffers: number;
  /** Most bytes of one bound buffer. */
  readonly maxBindingBytes: number;
  /** Software devices want few workgroups of long loops, hardware many short ones. */
  readonly class: 'hardware' | 'software' | 'unknown';
  /** False where loops of little work are not to become one kernel: for comparing the two. */
  readonly sequences?: boolean;
  /** Operations of one launch of a single workgroup, so that none keeps the device for long (some kill it after two seconds); where not given, 20 million. */
  readonly maxWork?: number;
}

export const maxWork = (profile: DeviceProfile): number => profile.maxWork ?? 20_000_000;

export const defaultProfile: DeviceProfile = {
  subgroups: 0,
  maxStorageBuffers: 8,
  maxBindingBytes: 128 * 1024 * 1024,
  class: 'unknown',
};

/** Launch shape of kernels whose invocations are independent. */
export interface LaunchShape {
  readonly workgroup: number;
  readonly maxGroups: number;
  /** Workgroups run one after the other on few processors, so that each had better keep to memory of its own. */
  readonly stretches: boolean;
}

export function launchShape(profile: DeviceProfile): LaunchShape {
  return profile.class === 'software'
    ? { workgroup: 8, maxGroups: 32, stretches: true }
    : { workgroup: 64, maxGroups: 4096, stretches: false };
}
