/** Imports: which declarations `use` brings in, and whether files use each other in a circle. */
import type * as ast from '../ast/nodes.ts';
import { error, warning } from '../diagnostics/diagnostic.ts';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import { didYouMean } from '../diagnostics/suggest.ts';
import { builtinDistributions, builtinValues, standardModules } from './builtins.ts';
import { declarations } from './names-scope.ts';
import type { Entry } from './names-scope.ts';

/**
 * Finds a module by the name of a standard one (`nn`) or a relative path (`./mine.opt`), as written in the file `from`; undefined where
 * there is none; 'unknown' where it is to be accepted unseen, with whatever names are taken from it.
 */
export type ImportResolver = (module: string, from: string) => ast.Module | 'unknown' | undefined;

/** Deepest chain of files using files. */
export const maxImportDepth = 32;

export function moduleName(use: ast.UseDecl): string {
  return 'kind' in use.module ? use.module.value : use.module.text;
}

export interface Imported {
  readonly entries: readonly Entry[];
  readonly diagnostics: readonly Diagnostic[];
  /** Names that already have a message, so that "unused" would be noise. */
  readonly faulty: readonly string[];
}

/** What one `use` declares in its file. */
export function importEntries(use: ast.UseDecl, file: string, imports: ImportResolver): Imported {
  const entries: Entry[] = [];
  const diagnostics: Diagnostic[] = [];
  const faulty: string[] = [];
  const module = imports(moduleName(use), file);
  const text = moduleName(use);
  if (!module) {
    const path = 'kind' in use.module;
    const planned = !path && standardModules.includes(text);
    const message = path
      ? `the file "${text}" cannot be found`
      : planned
        ? `the module '${text}' is not part of this version`
        : `unknown module '${text}'`;
    const hint = path
      ? 'paths are relative to this file and end in .opt; a file outside of the folder of the spec is read where the command runs in a folder around both'
      : planned
        ? `declare what you need of it in a file and write 'use "./${text}.opt" { … }'`
        : (didYouMean(text, standardModules) ??
          `modules are ${standardModules.join(', ')}; a file is written "./${text}.opt"`);
    diagnostics.push(error('OPT204', use.module.span, message, { hint }));
  }
  const offered =
    module && module !== 'unknown'
      ? new Map(module.statements.flatMap(declarations).map((e) => [e.name, e]))
      : undefined;
  for (const { name, as } of use.names) {
    const local = as ?? name;
    if (!module || (offered && !offered.has(name.text))) faulty.push(local.text);
    const unknown: Entry = { name: local.text, kind: 'unknown', span: local.span, from: -1 };
    const found = offered?.get(name.text);
    if (!offered) entries.push(unknown);
    else if (found) entries.push({ ...found, name: local.text, span: local.span, from: -1, family: false });
    else if (builtinValues.has(name.text) || builtinDistributions.has(name.text)) {
      diagnostics.push(
        warning('OPT219', name.span, `'${name.text}' is part of the language and not of '${text}'`, {
          hint: 'remove it from the use',
        }),
      );
    } else {
      entries.push(unknown);
      diagnostics.push(
        error('OPT205', name.span, `'${text}' has no '${name.text}'`, {
          hint: didYouMean(name.text, offered.keys()) ?? `it declares ${[...offered.keys()].join(', ')}`,
        }),
      );
    }
  }
  return { entries, diagnostics, faulty };
}

/** Fns of the library module whose names need no `use` after `~`. */
export function initializers(imports: ImportResolver, file: string): ReadonlyMap<string, Entry> {
  return ofLibrary(imports, file, 'inits', 'fn');
}

/** Sets of the library module whose names need no `use` after `in`. */
export function librarySets(imports: ImportResolver, file: string): ReadonlyMap<string, Entry> {
  return ofLibrary(imports, file, 'sets', 'set');
}

function ofLibrary(
  imports: ImportResolver,
  file: string,
  name: string,
  kind: Entry['kind'],
): ReadonlyMap<string, Entry> {
  const module = imports(name, file);
  if (!module || module === 'unknown') return new Map();
  return new Map(module.statements.flatMap(declarations).flatMap((e) => (e.kind === kind ? [[e.name, e]] : [])));
}

/** Circles and over-deep chains of imports that start in `module`; each is reported once, at the `use` of this file. */
export function importCycles(module: ast.Module, imports: ImportResolver): Diagnostic[] {
  const found: Diagnostic[] = [];
  const done = new Set<string>([module.file]);
  for (const stmt of module.statements) {
    if (stmt.kind !== 'use') continue;
    const next = imports(moduleName(stmt), module.file);
    if (!next || next === 'unknown') continue;
    const fault = follow(next, [module.file], done, imports);
    if (!fault) continue;
    if (fault.deep)
      found.push(
        error('OPT218', stmt.span, `files use each other more than ${maxImportDepth} deep from here`, {
          hint: 'import what is needed directly',
        }),
      );
    else
      found.push(
        error('OPT217', stmt.span, `files use each other in a circle: ${fault.path.join(' uses ')}`, {
          hint: 'move what both need into a third file',
        }),
      );
  }
  return found;
}

/** Depth-first walk; `path` are the files on the way here, `done` those known to be free of circles. */
function follow(
  module: ast.Module,
  path: readonly string[],
  done: Set<string>,
  imports: ImportResolver,
): { path: readonly string[]; deep: boolean } | undefined {
  const here = [...path, module.file];
  if (path.includes(module.file)) return { path: here, deep: false };
  if (here.length > maxImportDepth) return { path: here, deep: true };
  if (done.has(module.file)) return undefined;
  for (const stmt of module.statements) {
    if (stmt.kind !== 'use') continue;
    const next = imports(moduleName(stmt), module.file);
    const fault = next && next !== 'unknown' ? follow(next, here, done, imports) : undefined;
    if (fault) return fault;
  }
  done.add(module.file);
  return undefined;
}
