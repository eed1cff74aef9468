/** Saving a checkpoint while everything goes wrong: kills at random moments, and every call of the file system failing. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SaddleError } from '../../compiler/diagnostics/diagnostic.ts';
import { readCheckpoint } from '../../runtime/checkpoint/checkpoint.ts';
import { loadCheckpoint, nodeFiles, saveCheckpoint } from '../../runtime/checkpoint/node-store.ts';
import { type CheckpointFiles, saveFile } from '../../runtime/checkpoint/store.ts';
import { bigBundle } from './big-bundle.ts';
import { run } from './child.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'saddle-test-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('kill -9 at a random moment of saving', () => {
  it('loses nothing that was reported saved', { timeout: 120000 }, async () => {
    const path = join(folder, 'killed.safetensors');
    const bundle = bigBundle();
    for (let turn = 0; turn < 6; turn++) {
      let said = '';
      let armed = false;
      const outcome = await run('save', {
        args: [path],
        onOutput: (text, kill) => {
          said = text;
          if (armed || !text.includes('saved 3')) return;
          armed = true;
          // Spread over the time of about two saves.
          setTimeout(() => kill('SIGKILL'), (turn * 37) % 53);
        },
      });
      expect(outcome.signal).toBe('SIGKILL');
      const reported = Number(/saved (\d+)\n$/.exec(said.slice(0, said.lastIndexOf('\n') + 1))?.[1]);
      const saved = await readCheckpoint(bundle, await loadCheckpoint(path));
      expect(saved.position.step).toBeGreaterThanOrEqual(reported);
      expect(saved.cells.get('/w')?.every((v) => v === saved.position.step)).toBe(true);
    }
  });
});

/** File system that fails at call number `at`, or writes short. */
function failing(at: number): CheckpointFiles & { calls: number } {
  const files = { ...nodeFiles, calls: 0 };
  const step = (): void => {
    if (++files.calls === at) throw new Error('ENOSPC: no space left on device');
  };
  return Object.assign(files, {
    open: async (path: string) => {
      step();
      const file = await nodeFiles.open(path);
      return {
        write: async (bytes: Uint8Array) => {
          step();
          return file.write(bytes.subarray(0, 1000)); // short writes, always
        },
        sync: async () => {
          step();
          return file.sync();
        },
        close: async () => {
          await file.close();
          step();
        },
      };
    },
    rename: async (from: string, to: string) => {
      step();
      return nodeFiles.rename(from, to);
    },
    makeFolder: async (path: string) => {
      step();
      return nodeFiles.makeFolder(path);
    },
    syncFolder: async (path: string) => {
      step();
      return nodeFiles.syncFolder(path);
    },
  });
}

describe('a file system that fails', () => {
  it('at any call leaves the old checkpoint or the new one', async () => {
    const path = join(folder, 'faulty.bin');
    const before = Uint8Array.from({ length: 2500 }, () => 1);
    const after = Uint8Array.from({ length: 3500 }, () => 2);
    for (let at = 1; ; at++) {
      await saveCheckpoint(path, before);
      const files = failing(at);
      const caught = await saveFile(files, path, after, 'test').catch((reason: unknown) => reason);
      const bytes = await loadCheckpoint(path);
      if (files.calls < at) {
        expect(caught).toBeUndefined();
        expect(bytes).toEqual(after);
        expect(at).toBeGreaterThan(9);
        return;
      }
      expect(caught).toBeInstanceOf(SaddleError);
      expect((caught as SaddleError).diagnostics[0].code).toBe('OPT653');
      expect([before, after]).toContainEqual(bytes);
    }
  });

  it('leaves no temporary file behind', async () => {
    const { readdirSync } = await import('node:fs');
    expect(readdirSync(folder).filter((name) => name.endsWith('.test.tmp'))).toEqual([]);
  });

  it('is explained where there is nothing to read', async () => {
    const caught = await loadCheckpoint(join(folder, 'none')).catch((reason: unknown) => reason);
    expect((caught as SaddleError).diagnostics[0]).toMatchObject({ code: 'OPT650' });
  });
});
