/** Checkpoints on the file system of Node. */
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SaddleError, error } from '../../compiler/diagnostics/diagnostic.ts';
import { type CheckpointFiles, saveFile } from './store.ts';

export const nodeFiles: CheckpointFiles = {
  open: async (path) => {
    const file = await open(path, 'w');
    return {
      write: async (bytes) => (await file.write(bytes)).bytesWritten,
      sync: () => file.sync(),
      close: () => file.close(),
    };
  },
  rename,
  remove: (path) => rm(path, { force: true }),
  syncFolder: async (path) => {
    if (process.platform === 'win32') return; // folders cannot be opened there
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
  makeFolder: async (path) => {
    await mkdir(path, { recursive: true });
  },
  folderOf: dirname,
};

/** Saves the bytes of `session.save()` at `path`, atomically. Throws SaddleError OPT653. */
export function saveCheckpoint(path: string, bytes: Uint8Array): Promise<void> {
  return saveFile(nodeFiles, path, bytes, String(process.pid));
}

/** A checkpoint larger than this is none. */
const mostBytes = 16 * 1024 ** 3;

/** Bytes of a checkpoint. Throws SaddleError OPT650 where there is none at `path`. */
export async function loadCheckpoint(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size > mostBytes) throw new Error(`it has ${size} bytes`);
    return new Uint8Array(await readFile(path));
  } catch (reason) {
    const text = reason instanceof Error ? reason.message : String(reason);
    throw new SaddleError(
      error('OPT650', undefined, `the checkpoint ${path} cannot be read: ${text}`, {
        hint: '--resume takes a run folder or its checkpoint.safetensors',
      }),
    );
  }
}
