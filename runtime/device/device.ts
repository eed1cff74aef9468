/**
 * An open device: the GPUDevice with everything that must live as long as it does, and what has gone wrong with it so far.
 *
 * Why a class of our own: (1) Dawn's instance must not be garbage-collected while its device works, or the process crashes, so the instance, the
 * adapter and the device are held here until `close`; (2) a lost device takes work silently and computes nothing, so its loss is remembered and
 * asked before every submission; (3) validation errors outside error scopes only reach an event, so the first one is kept and ends the run.
 * Browser-safe: the host (Node or page) injects how to wait.
 */
import { SaddleError, error } from '../../compiler/diagnostics/diagnostic.ts';
import type { Diagnostic } from '../../compiler/diagnostics/diagnostic.ts';
import type { DeviceInfo } from '../backend.ts';
import { type DeviceProfile, isSoftware, profileOf } from './profile.ts';

/** Waits for a promise that the device will settle. In a browser that is the promise itself; Node must sleep between polls. */
export type Wait = <T>(promise: Promise<T>) => Promise<T>;

/** Devices that are open: reachable from this module, so that no collection can take one (see above). */
const open = new Set<OpenDevice>();

const wantedFeatures: readonly GPUFeatureName[] = ['subgroups', 'shader-f16', 'timestamp-query'];

/** Limits requested at the adapter's own value. */
const wantedLimits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxUniformBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'minStorageBufferOffsetAlignment',
  'minUniformBufferOffsetAlignment',
] as const;

export class OpenDevice {
  readonly device: GPUDevice;
  readonly info: DeviceInfo;
  readonly profile: DeviceProfile;
  readonly wait: Wait;
  /** The instance and adapter, held and never used. */
  held: readonly unknown[];
  private problem: Diagnostic | undefined;
  private closing = false;
  private hung = false;

  constructor(device: GPUDevice, adapter: GPUAdapter, keep: readonly unknown[], wait: Wait) {
    this.device = device;
    this.info = deviceInfo(adapter.info);
    this.profile = profileOf(adapter);
    this.wait = wait;
    this.held = [adapter, ...keep];
    open.add(this);
    device.addEventListener('uncapturederror', (event) => {
      // Dawn prints the error to standard output unless the event is handled.
      event.preventDefault();
      this.problem ??= error('OPT705', undefined, `the driver refused a command: ${firstLine(event.error.message)}`, {
        notes: [event.error.message],
        hint: 'this is a bug of Saddle or of the driver: please report it with this message',
      });
    });
    void device.lost.then((loss) => {
      if (this.closing) return;
      // A loss explains every other error, so it takes their place.
      this.problem = error('OPT704', undefined, `the device was lost: ${firstLine(loss.message) || loss.reason}`, {
        hint: 'resume from the last checkpoint with --resume; if it happens again, choose another driver with --device',
      });
    });
  }

  /** Throws what went wrong with the device since it was opened, if anything. */
  check(): void {
    if (this.problem) throw new SaddleError(this.problem);
    if (this.closing) throw new SaddleError(error('OPT704', undefined, 'the device was closed while it was in use'));
  }

  /**
   * Turns the rejection of a device promise into the reason behind it: a lost device rejects all pending maps, some of them before `lost` itself
   * is settled, so a few turns are waited for it.
   */
  async explain(reason: unknown): Promise<SaddleError> {
    if (reason instanceof SaddleError) {
      // A device that does not answer any more hangs whoever destroys it.
      this.hung ||= reason.diagnostics.some((d) => d.code === 'OPT710');
      return reason;
    }
    for (let turn = 0; turn < 20 && !this.problem; turn++) await new Promise((done) => setTimeout(done, 1));
    if (this.problem) return new SaddleError(this.problem);
    const text = reason instanceof Error ? reason.message : String(reason);
    return new SaddleError(error('OPT704', undefined, `the device stopped answering: ${firstLine(text)}`));
  }

  /** True after the device has stopped answering; only the end of the process frees it then. */
  get stuck(): boolean {
    return this.hung;
  }

  /** Destroys the device and lets go of it. May be called more than once. */
  close(): void {
    if (this.closing) return;
    this.closing = true;
    if (!this.hung) this.device.destroy();
    open.delete(this);
    this.held = [];
  }
}

function firstLine(text: string): string {
  return text.split('\n')[0].trim();
}

/** What to tell people about an adapter. */
export function deviceInfo(info: GPUAdapterInfo): DeviceInfo {
  // Dawn on Node adds the driver's name to `description`, and the backend nowhere; browsers leave most fields empty.
  return {
    class: isSoftware(info) ? 'software' : 'hardware',
    name: info.device || info.architecture || info.vendor || 'unknown adapter',
    vendor: info.vendor,
    driver: info.description,
    backend: 'webgpu',
  };
}

/**
 * Requests the device of an adapter with all limits and features that Saddle can use. `keep` are the objects that must outlive the device.
 * Throws SaddleError OPT701 where the adapter gives no device.
 */
export async function openAdapter(adapter: GPUAdapter, keep: readonly unknown[], wait: Wait): Promise<OpenDevice> {
  const requiredLimits: Record<string, number> = {};
  for (const name of wantedLimits) requiredLimits[name] = adapter.limits[name];
  const requiredFeatures = wantedFeatures.filter((name) => adapter.features.has(name));
  let device: GPUDevice;
  try {
    device = await wait(adapter.requestDevice({ requiredLimits, requiredFeatures }));
  } catch (reason) {
    const text = reason instanceof Error ? reason.message : String(reason);
    throw new SaddleError(
      error('OPT701', undefined, `the adapter gave no device: ${firstLine(text)}`, { notes: [text] }),
    );
  }
  return new OpenDevice(device, adapter, keep, wait);
}
