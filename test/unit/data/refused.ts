/** What the data tests share: a spec folder on disk, and the refusal of a promise as its diagnostic. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SaddleError, type Diagnostic } from '../../../compiler/diagnostics/diagnostic.ts';
import type { DataField } from '../../../compiler/bundle/format.ts';

/** The one diagnostic with which a promise was refused; any other outcome fails the test. */
export async function refusalOf(promise: Promise<unknown>): Promise<Diagnostic> {
  try {
    await promise;
  } catch (cause) {
    if (cause instanceof SaddleError && cause.diagnostics.length === 1) return cause.diagnostics[0];
    throw cause;
  }
  throw new Error('expected a refusal, but the call succeeded');
}

/** Runs `use` with a new empty folder, removed afterwards. */
export async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'saddle-data-')));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A field as the compiler states it. */
export function field(
  name: string,
  storage: DataField['storage'],
  shape: readonly number[],
  more: Partial<DataField> = {},
): DataField {
  return { name, type: { dtype: storage === 'i32' ? 'i32' : 'f32', shape }, storage, scale: 1, ...more };
}
