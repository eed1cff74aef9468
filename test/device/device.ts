/**
 * One WebGPU device per test file, found as the command line finds it: the system's driver, else SwiftShader from the packages, so that these tests
 * run wherever `npm test` does. `SADDLE_DEVICE` chooses another.
 */
import { globals } from 'webgpu';
import type { DeviceProfile } from '../../compiler/lower/profile.ts';
import type { OpenDevice } from '../../runtime/device/device.ts';
import { openDevice as search } from '../../runtime/host/driver.ts';

Object.assign(globalThis, globals);

let open: OpenDevice | undefined;

export async function openDevice(): Promise<{
  owner: OpenDevice;
  device: GPUDevice;
  profile: DeviceProfile;
  driver: string;
}> {
  open ??= await search();
  const { device, profile, info } = open;
  return { owner: open, device, profile, driver: `${info.name} ${info.driver}` };
}

export function closeDevice(): void {
  open?.close();
  open = undefined;
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
