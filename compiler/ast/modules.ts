/**
 * The files of one compilation: imports are read and parsed when asked for, and kept, so that names and elaboration see the same trees. Knows which files
 * are the user's own, as opposed to the library's.
 */
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { Source } from '../source/source.ts';
import type { Module } from './nodes.ts';
import { parse } from './parse.ts';

/** How imported files are got. */
export interface Imports {
  source(module: string, from: string): Source | undefined;
  /** The tree of a text where it was made beforehand: what `parse` would give, or undefined. */
  tree(source: Source): Module | undefined;
}

export class Modules {
  readonly sources: Map<string, Source>;
  /** Files of the user; grows while they are read. */
  readonly own: Set<Module>;
  /** Syntax errors of imported files. */
  readonly diagnostics: Diagnostic[] = [];
  private readonly imports: Imports;
  private readonly parsed = new Map<string, Module | 'unknown'>();

  constructor(main: Module, source: Source, imports: Imports) {
    this.sources = new Map([[source.name, source]]);
    this.own = new Set([main]);
    this.imports = imports;
  }

  /** The tree of a module; 'unknown' where its text does not parse, which has messages of its own; undefined where there is none. */
  find(name: string, from: string): Module | 'unknown' | undefined {
    const source = this.imports.source(name, from);
    if (!source) return undefined;
    const known = this.parsed.get(source.name);
    if (known) return known;
    this.sources.set(source.name, source);
    const module = this.imports.tree(source) ?? this.parse(source);
    this.parsed.set(source.name, module);
    // Modules of the library have plain names, files of the user are paths.
    if (module !== 'unknown' && !/^\w+$/.test(name)) this.own.add(module);
    return module;
  }

  private parse(source: Source): Module | 'unknown' {
    const tree = parse(source);
    this.diagnostics.push(...tree.diagnostics);
    return tree.ok ? tree.value : 'unknown';
  }
}
