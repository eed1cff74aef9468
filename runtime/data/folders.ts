/** Folders as data: files of one kind, in one subfolder for each class, or flat. */
import { fail } from '../../compiler/diagnostics/diagnostic.ts';
import type { FolderFile } from './files.ts';
import { quote } from './refusals.ts';
import type { RawArray } from './table.ts';

/** Names of the subfolders, sorted as the files are; undefined for a flat folder. `what` the files are, for the message where they lie in both (OPT606). */
export function classesOf(folder: string, files: readonly FolderFile[], what: string): readonly string[] | undefined {
  const flat = files.find((f) => !f.path.includes('/'));
  const inside = files.find((f) => f.path.includes('/'));
  if (flat && inside)
    fail(
      'OPT606',
      undefined,
      `${quote(folder)} holds ${what} beside its subfolders (${quote(flat.path)}), which is not supported`,
      {
        hint: `move them: either all ${what} lie in the subfolders, one for each class, or there are none`,
      },
    );
  return inside && [...new Set(files.map((f) => f.path.split('/')[0]))];
}

/** The field y: the number of each file's class. */
export function classArray(files: readonly FolderFile[], classes: readonly string[]): RawArray {
  return labelArray(Int32Array.from(files, (f) => classes.indexOf(f.path.split('/')[0])));
}

export function labelArray(labels: Int32Array): RawArray {
  return {
    name: 'y',
    numbers: 'integer',
    shape: [labels.length],
    scale: 1,
    read: async (from, to) => labels.slice(from, to),
  };
}

/** A file of a folder as messages name it. */
export function shown(folder: string, file: FolderFile): string {
  return `${folder.replace(/\/$/, '')}/${file.path}`;
}
