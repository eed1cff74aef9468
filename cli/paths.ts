/** Files that a command works on: those named, and every `.opt` file below a folder that is named. */
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fail } from '../compiler/diagnostics/diagnostic.ts';

/** Folders that are never searched. */
const SKIPPED = new Set(['node_modules', 'dist', 'runs', '.git', '.cache']);

/** The specs that the arguments stand for, each once, those of a folder in alphabetical order. Throws OPT804, OPT805. */
export function specFiles(args: readonly string[]): string[] {
  const files = new Set<string>();
  for (const arg of args) {
    const kind = statSync(arg, { throwIfNoEntry: false });
    if (!kind) fail('OPT804', undefined, `there is no file or folder '${arg}'`);
    if (!kind.isDirectory()) files.add(arg);
    else {
      const found = search(arg);
      if (found.length === 0) fail('OPT805', undefined, `no .opt file was found below '${arg}'`);
      for (const file of found) files.add(file);
    }
  }
  return [...files];
}

function search(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const full = path.join(folder, entry.name);
      if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : search(full);
      return entry.name.endsWith('.opt') ? [full] : [];
    });
}
