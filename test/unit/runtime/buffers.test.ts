/** Device buffers on a device that has no memory left; what it has given before is given back. */
import { expect, it } from 'vitest';
import { SaddleError } from '../../../compiler/diagnostics/diagnostic.ts';
import { Buffers } from '../../../runtime/device/buffers.ts';
import type { OpenDevice } from '../../../runtime/device/device.ts';
import { tinyBundle } from './tiny-bundle.ts';

/** A device that refuses every buffer above `most` bytes as WebGPU does: silently, but for the error scope. */
function smallDevice(most: number): { owner: OpenDevice; destroyed: string[] } {
  const destroyed: string[] = [];
  const scopes: { filter: string; message?: string }[] = [];
  const device = {
    pushErrorScope: (filter: string) => scopes.push({ filter }),
    popErrorScope: () => {
      const message = scopes.pop()?.message;
      return Promise.resolve(message === undefined ? null : { message });
    },
    createBuffer: ({ size, label }: { size: number; label: string }) => {
      const memory = scopes.findLast((scope) => scope.filter === 'out-of-memory');
      if (size > most && memory) memory.message = 'not enough memory left';
      return { size, destroy: () => destroyed.push(label) };
    },
  };
  const owner = { device, stuck: false, wait: <T>(promise: Promise<T>) => promise };
  return { owner: owner as unknown as OpenDevice, destroyed };
}

it('names the first buffer that finds no memory, OPT707', async () => {
  const bundle = tinyBundle({ steps: 1 });
  const largest = Math.max(...bundle.buffers.map((b) => b.bytes));
  const { owner, destroyed } = smallDevice(64);
  const buffers = new Buffers(bundle, owner);
  const reason = await buffers.create(bundle).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(largest).toBeGreaterThan(64);
  expect(reason).toBeInstanceOf(SaddleError);
  const [diagnostic] = (reason as SaddleError).diagnostics;
  expect(diagnostic.code).toBe('OPT707');
  expect(diagnostic.hint).toBeTruthy();
  expect(diagnostic.notes).toEqual(['not enough memory left']);
  const named = bundle.buffers.find((b) => diagnostic.message.includes(`'${b.id}'`));
  expect(named).toBeDefined();

  expect(buffers.bytes.live).toBeGreaterThan(0);
  buffers.destroyAll();
  expect(buffers.bytes.live).toBe(0);
  expect(destroyed).toContain(named?.id);
});

it('gets them all where there is enough', async () => {
  const bundle = tinyBundle({ steps: 1 });
  const buffers = new Buffers(bundle, smallDevice(2 ** 30).owner);
  await buffers.create(bundle);
  for (const { id, bytes } of bundle.buffers) expect(buffers.get(id).bytes).toBe(bytes);
});
