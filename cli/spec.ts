/**
 * A spec on disk, made ready for the compiler: its text, the modules that it imports, and what its data sources hold. The compiler itself
 * reads no files; everything it asks for is answered from here.
 */
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DataDecl, Module, Stmt, StringLit } from '../compiler/ast/nodes.ts';
import { parse } from '../compiler/ast/parse.ts';
import { storedTree } from '../compiler/ast/stored-tree.ts';
import type { DataInfo } from '../compiler/bundle/format.ts';
import { SaddleError, fail, type Diagnostic } from '../compiler/diagnostics/diagnostic.ts';
import { Source } from '../compiler/source/source.ts';
import { describeSource } from '../runtime/data/load.ts';
import { nodeDataHost } from '../runtime/data/node-files.ts';
import { describeWeights, weightSource, type DescribedWeights } from '../runtime/data/weights.ts';
import type { FieldRequest } from '../runtime/data/fields.ts';
import type { DataHost } from '../runtime/data/files.ts';
import { refusal } from '../runtime/data/paths.ts';
import { checkNames, type Settable } from './options.ts';

const MAX_SOURCE_BYTES = 4 * 2 ** 20;

export interface Spec {
  readonly source: Source;
  readonly folder: string;
  readonly module: Module;
  readonly settable: Settable;
  /** Declarations that load data, with their sources. */
  readonly loads: readonly { readonly decl: DataDecl; readonly from: StringLit }[];
  /** Dims of the file that are written as a number. */
  readonly dims: ReadonlyMap<string, number>;
  readonly host: DataHost;
}

/** All sources read so far, for excerpts in messages. */
export type Opened = Map<string, Source>;

/** Reads a source file given on the command line. Throws OPT804. */
export function readSpec(file: string): Source {
  try {
    const stat = statSync(file);
    if (stat.isDirectory()) fail('OPT804', undefined, `'${file}' is a folder; give the .opt file in it`);
    if (stat.size > MAX_SOURCE_BYTES)
      fail('OPT804', undefined, `'${file}' has ${stat.size} bytes: too large for a spec`);
    return new Source(file, readFileSync(file, 'utf8').replace(/^\ufeff/, ''));
  } catch (cause) {
    if (cause instanceof SaddleError) throw cause;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable';
    return fail(
      'OPT804',
      undefined,
      code === 'ENOENT' ? `there is no file '${file}'` : `'${file}' cannot be read (${code})`,
      {
        hint: existsSync(`${file}.opt`) ? `did you mean '${file}.opt'?` : undefined,
      },
    );
  }
}

/** Reads and parses a spec. Throws OPT804 and the syntax errors. */
export function openSpec(file: string, opened: Opened): Spec {
  return specOf(readSpec(file), opened);
}

/** A spec of this text, as if it stood in the file of its name. Throws the syntax errors. */
export function specOf(source: Source, opened: Opened): Spec {
  opened.set(source.name, source);
  const parsed = parse(source);
  if (!parsed.ok) throw new SaddleError(parsed.diagnostics);
  const folder = path.dirname(path.resolve(source.name));
  const loads: Spec['loads'][number][] = [];
  const dims = new Map<string, number>();
  const settable = { dims: new Set<string>(), hypers: new Set<string>(), data: new Set<string>() };
  visit(parsed.value.statements, (statement) => {
    if (statement.kind === 'dim') {
      settable.dims.add(statement.name.text);
      if (statement.value.kind === 'number') dims.set(statement.name.text, statement.value.value);
    }
    if (statement.kind === 'hyper') settable.hypers.add(statement.name.text);
    if (statement.kind === 'data' && statement.from) {
      loads.push({ decl: statement, from: statement.from });
      settable.data.add(statement.name.text);
    }
  });
  return { source, folder, module: parsed.value, settable, loads, dims, host: nodeDataHost({ specFolder: folder }) };
}

/** Statements of a file and of its trials and loops, where declarations may stand. */
function visit(statements: readonly Stmt[], act: (statement: Stmt) => void): void {
  for (const statement of statements) {
    act(statement);
    if ('body' in statement && statement.body && 'statements' in statement.body) visit(statement.body.statements, act);
  }
}

/**
 * What the data sources hold, by source text. Failures become located diagnostics: all of them with `strict`; without (for `check`, which must work where the
 * data are not) a missing file or package is a warning and its source stays unknown. `overrides` are paths by source (`overridesBySource`),
 * `set` the dims and hypers given.
 */
export async function describeData(
  spec: Spec,
  overrides: ReadonlyMap<string, string>,
  strict: boolean,
  set: ReadonlyMap<string, number> = new Map(),
): Promise<{ infos: Map<string, DataInfo>; diagnostics: Diagnostic[] }> {
  const infos = new Map<string, DataInfo>();
  const diagnostics: Diagnostic[] = [];
  const described = await Promise.allSettled(
    spec.loads.map(({ decl, from }) =>
      describeSource(from.value, spec.host, requests(spec, decl, set), { override: overrides.get(from.value) }),
    ),
  );
  described.forEach((result, i) => {
    const { decl, from } = spec.loads[i];
    if (result.status === 'fulfilled') {
      // The arrays of one source may differ in rows, so that each declaration has its own; one of the same name elsewhere adds its fields.
      const key = infoKey(from.value, decl.name.text);
      const own = infos.get(key);
      infos.set(key, own ? merge(own, result.value) : result.value);
      const before = infos.get(from.value);
      infos.set(from.value, before ? merge(before, result.value) : result.value);
    } else if (result.reason instanceof SaddleError) {
      for (const d of result.reason.diagnostics) {
        const absent = d.code === 'OPT601' || d.code === 'OPT604';
        const severity = absent && !strict ? 'warning' : d.severity;
        diagnostics.push({ ...d, severity, span: d.span ?? from.span });
      }
    } else throw result.reason;
  });
  return { infos, diagnostics };
}

/** Key of what a source holds for a declaration. */
export const infoKey = (source: string, declaration: string): string => `${source}\n${declaration}`;

/** Two declarations may read different columns of one source: their fields together, the first of a name counting. */
function merge(a: DataInfo, b: DataInfo): DataInfo {
  return { rows: a.rows, fields: [...a.fields, ...b.fields.filter((f) => !a.fields.some((g) => g.name === f.name))] };
}

/**
 * What the files of `--load` hold, by the model that takes them; their paths join `overrides`, since the program knows them as data. Throws as
 * `describeWeights` does.
 */
export async function describeLoads(
  spec: Spec,
  loads: ReadonlyMap<string, string>,
  overrides: Map<string, string>,
): Promise<Map<string, DescribedWeights>> {
  const weights = new Map<string, DescribedWeights>();
  for (const [model, path] of loads) {
    weights.set(model, await describeWeights(model, path, spec.host));
    overrides.set(weightSource(model), path);
  }
  return weights;
}

/** The fields of a declaration; a dim of the file whose value is a number, or is set, counts as the number. */
function requests(spec: Spec, decl: DataDecl, set: ReadonlyMap<string, number>): FieldRequest[] {
  const { source, dims } = spec;
  return (decl.fields ?? []).map((f) => {
    const row = (f.type.dims ?? []).slice(1).map((dim) => {
      if (dim.kind === 'number') return dim.value;
      return dim.kind === 'name' ? (set.get(dim.name) ?? dims.get(dim.name)) : undefined;
    });
    return {
      name: f.name.text,
      column: f.column && source.slice(f.column.span),
      dtype: f.type.dtype.text,
      row: row.every((n) => n !== undefined) ? (row as number[]) : undefined,
    };
  });
}

/**
 * Checks `--set` and `--data` against the spec and gives the paths of `--data` by source. Declarations from one source are replaced together, because the
 * program knows its data by source. Throws OPT802, OPT803, OPT807.
 */
export function overridesBySource(
  spec: Spec,
  set: ReadonlyMap<string, number>,
  data: ReadonlyMap<string, string>,
): Map<string, string> {
  checkNames(set, data, spec.settable);
  const paths = new Map<string, string>();
  for (const { decl, from } of spec.loads) {
    const path = data.get(decl.name.text);
    const others = spec.loads.filter(
      (other) => other.from.value === from.value && data.get(other.decl.name.text) !== path,
    );
    if (others.length > 0)
      fail(
        'OPT807',
        from.span,
        `'${decl.name.text}' and '${others[0].decl.name.text}' both come from "${from.value}" and are replaced together`,
        {
          hint: `give --data for each of them, with the same path`,
        },
      );
    if (path !== undefined) paths.set(from.value, path);
  }
  return paths;
}

/**
 * Text of an imported module: a name is one of the stdlib, a path is relative to the file that imports it and, like data, must stay below the spec's
 * folder or the working directory. Undefined where there is none.
 */
export function importReader(spec: Spec, opened: Opened): (module: string, from: string) => Source | undefined {
  const roots = [spec.folder, process.cwd()].map((root) => realpathSync(root));
  return (module, from) => {
    const isPath = module.startsWith('.') || module.includes('/') || module.endsWith('.opt');
    if (isPath ? refusal(module) !== undefined : !/^[a-z_][a-z0-9_]*$/i.test(module)) return undefined;
    const fromStdlib = from.startsWith('stdlib/');
    const name = isPath
      ? path.join(path.dirname(from), module.endsWith('.opt') ? module : `${module}.opt`)
      : `stdlib/${module}.opt`;
    const known = opened.get(name);
    if (known) return known;
    const file = isPath && !fromStdlib ? path.resolve(name) : path.join(stdlibFolder(), path.basename(name));
    if (!existsSync(file) || !statSync(file).isFile() || statSync(file).size > MAX_SOURCE_BYTES) return undefined;
    const real = realpathSync(file);
    if (isPath && !fromStdlib && !roots.some((root) => real.startsWith(root + path.sep))) return undefined;
    const source = new Source(name, readFileSync(real, 'utf8'));
    opened.set(name, source);
    return source;
  };
}

/**
 * The tree of a library module, from beside its text in the built command (see scripts/build.mjs). It holds the text that it was made from, and counts only
 * for just that.
 */
export function readTree(source: Source): Module | undefined {
  const name = /^stdlib\/(\w+)\.opt$/.exec(source.name);
  const file = name && path.join(stdlibFolder(), `${name[1]}.tree`);
  if (!file || !existsSync(file)) return undefined;
  try {
    return storedTree(readFileSync(file, 'utf8'), source.text);
  } catch {
    return undefined; // Half written or not readable: the text itself is there.
  }
}

/** The nearest `stdlib/` above this module: beside the built command, or at the root of the tree. */
function stdlibFolder(): string {
  for (let folder = path.dirname(fileURLToPath(import.meta.url)); ; folder = path.dirname(folder)) {
    const stdlib = path.join(folder, 'stdlib');
    if (existsSync(stdlib) || path.dirname(folder) === folder) return stdlib;
  }
}
