/** Reads from the device, on one that finishes a submission when it is told to and maps a buffer as WebGPU does: after the last submission that touches it. */
import { expect, it } from 'vitest';
import type { Buffers } from '../../../runtime/device/buffers.ts';
import type { OpenDevice } from '../../../runtime/device/device.ts';
import { Readback } from '../../../runtime/device/readback.ts';

interface Staging {
  readonly size: number;
  touched: boolean;
}

function lateDevice(range: (bytes: number) => ArrayBuffer = (bytes) => new ArrayBuffer(bytes)) {
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
      getMappedRange: () => range(bytes),
      unmap: () => undefined,
    };
    return staging;
  };
  const owner = {
    device: { limits: { maxBufferSize: 2 ** 30 } },
    wait: <T>(promise: Promise<T>) => promise,
    explain: (reason: unknown) => Promise.resolve(new Error('lost', { cause: reason })),
  };
  const destroyed: unknown[] = [];
  const buffers = { make, destroy: (staging: unknown) => destroyed.push(staging) };
  const readback = new Readback(owner as unknown as OpenDevice, buffers as unknown as Buffers);
  return { readback, encoder: encoder as unknown as GPUCommandEncoder, finish, destroyed };
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

it('explains a device that is lost when the buffer was mapped already', async () => {
  const gone = lateDevice(() => {
    throw new DOMException('', 'OperationError');
  });
  const reading = gone.readback.encode(gone.encoder, []).read();
  gone.finish();
  await expect(reading).rejects.toThrow('lost');
  expect(gone.destroyed.length).toBe(1);
});
