/** Sources and imports for tests: reads specs of the repository and resolves `use` as the command line does. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from '../../../compiler/ast/parse.ts';
import type { Module } from '../../../compiler/ast/nodes.ts';
import { checkNames } from '../../../compiler/check/names.ts';
import type { ImportResolver } from '../../../compiler/check/names.ts';
import type { Diagnostic } from '../../../compiler/diagnostics/diagnostic.ts';
import { Source } from '../../../compiler/source/source.ts';

export const root = join(import.meta.dirname, '../../..');

export function readSource(path: string): Source {
  return new Source(path, readFileSync(join(root, path), 'utf8'));
}

/** Paths of the `.opt` files of a folder and its subfolders, relative to the repository. */
export function specs(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.opt'))
    .sort()
    .map((name) => join(folder, name));
}

const modules = new Map<string, Module | undefined>();

/** Standard modules from `stdlib/`, relative files from beside the importing one. */
export const importFiles: ImportResolver = (name, from) => {
  const path = name.startsWith('.') ? join(dirname(from), name) : join('stdlib', `${name}.opt`);
  if (!modules.has(path)) {
    const parsed = existsSync(join(root, path)) ? parse(readSource(path)) : undefined;
    modules.set(path, parsed?.ok ? parsed.value : undefined);
  }
  return modules.get(path);
};

/** Accepts every module unseen, but for the library's initializers, which need no `use`. */
export const importAnything: ImportResolver = (name, from) => (name === 'inits' ? importFiles(name, from) : 'unknown');

/** Syntax errors of a source or, where it has none, what the names pass finds. */
export function diagnose(source: Source, imports: ImportResolver): readonly Diagnostic[] {
  const parsed = parse(source);
  return parsed.ok ? checkNames(parsed.value, imports) : parsed.diagnostics;
}
