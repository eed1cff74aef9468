/**
 * Puts a checkpoint on disk so that a crash at any moment leaves the previous one or the new one, never a mixture: written beside it, flushed, renamed
 * over it, and the folder flushed too (a rename that is not flushed may be undone by a power cut). The file system is injected, so that tests can make
 * every call fail.
 */
import { SaddleError, error } from '../../compiler/diagnostics/diagnostic.ts';

/** The few calls that saving needs. `write` may write less than it is given and says how much. */
export interface CheckpointFiles {
  open(path: string): Promise<OpenFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Flushes the folder's list of names; does nothing where the system has no such call. */
  syncFolder(path: string): Promise<void>;
  makeFolder(path: string): Promise<void>;
  /** Folder part of a path. */
  folderOf(path: string): string;
}

export interface OpenFile {
  write(bytes: Uint8Array): Promise<number>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Saves the bytes at `path`. Throws SaddleError OPT653; the file that was there before is then intact. */
export async function saveFile(files: CheckpointFiles, path: string, bytes: Uint8Array, unique: string): Promise<void> {
  const temporary = `${path}.${unique}.tmp`;
  try {
    await files.makeFolder(files.folderOf(path));
    const file = await files.open(temporary);
    try {
      for (let at = 0; at < bytes.length;) {
        const written = await file.write(bytes.subarray(at));
        if (written <= 0) throw new Error('nothing more can be written');
        at += written;
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await files.rename(temporary, path);
    await files.syncFolder(files.folderOf(path));
  } catch (reason) {
    await files.remove(temporary).catch(() => {});
    const text = reason instanceof Error ? reason.message : String(reason);
    throw new SaddleError(
      error('OPT653', undefined, `the checkpoint could not be written to ${path}: ${text}`, {
        hint: 'free some space, or choose another folder with --out',
      }),
    );
  }
}
