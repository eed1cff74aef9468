/** Reads from the device, on one that finishes a submission when it is told to and maps a buffer as WebGPU does: after the last submission that touches it. */
import { expect, it } from 'vitest';
import type { Buffers } from '../../../runtime/device/buffers.ts';
import type { OpenDevice } from '../../../runtime/device/device.ts';
import { Readback } from '../../../runtime/device/readback.ts';

interface Staging {
  readonly size: number;
  touched: boolean;
}

function lateDevice() {
  let finish = (): void => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const encoder = {
    copyBufferToBuffer: (_source: unknown, _at: number, staging: Staging) => (staging.touched = true),
    clearBuffer: (staging: Staging) => (staging.touched = true),
  };
  const make = (bytes: number) => {
    const staging = {
      size: bytes,
      touched: false,
      mapAsync: () => (staging.touched ? finished : Promise.resolve()),
      getMappedRange: () => new ArrayBuffer(bytes),
      unmap: () => undefined,
    };
    return staging;
  };
  const owner = { device: { limits: { maxBufferSize: 2 ** 30 } }, wait: <T>(promise: Promise<T>) => promise };
  const readback = new Readback(owner as unknown as OpenDevice, { make } as unknown as Buffers);
  return { readback, encoder: encoder as unknown as GPUCommandEncoder, finish };
}

it.each([[[]], [[{ gpu: {} as GPUBuffer, offset: 0, bytes: 8 }]]])(
  'waits for the submission, whatever is read: %j',
  async (ranges) => {
    const { readback, encoder, finish } = lateDevice();
    let read = false;
    const reading = readback
      .encode(encoder, ranges)
      .read()
      .then(() => (read = true));
    await new Promise((resolve) => setTimeout(resolve));
    expect(read).toBe(false);
    finish();
    await reading;
    expect(read).toBe(true);
  },
);
