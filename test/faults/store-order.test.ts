/** The order of the calls that save a checkpoint: a power cut cannot be staged here, but what survives one follows from the order alone. */
import { expect, it } from 'vitest';
import { type CheckpointFiles, saveFile } from '../../runtime/checkpoint/store.ts';

it('content is flushed before the rename, and the rename before success is reported', async () => {
  const calls: string[] = [];
  const say = (call: string) => {
    calls.push(call);
    return Promise.resolve();
  };
  const files: CheckpointFiles = {
    makeFolder: () => say('makeFolder'),
    folderOf: () => 'runs',
    open: async (path) => {
      await say(`open ${path}`);
      return {
        write: async (bytes) => {
          await say('write');
          return bytes.length;
        },
        sync: () => say('sync'),
        close: () => say('close'),
      };
    },
    rename: (from, to) => say(`rename ${from} ${to}`),
    remove: () => say('remove'),
    syncFolder: (path) => say(`syncFolder ${path}`),
  };
  await saveFile(files, 'runs/c', new Uint8Array(8), 'x');
  expect(calls).toEqual([
    'makeFolder',
    'open runs/c.x.tmp',
    'write',
    'sync',
    'close',
    'rename runs/c.x.tmp runs/c',
    'syncFolder runs',
  ]);
});
