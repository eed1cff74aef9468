/**
 * The compiler from end to end: source text to program and bundle. A reader starts here. Each stage is a pure function; files, data and the
 * device profile come from the caller. `check` stops after the owner and direction checks; passes and kernels are made only when asked for.
 */
import { dump } from './ast/dump.ts';
import { Modules } from './ast/modules.ts';
import type { Module } from './ast/nodes.ts';
import { parse } from './ast/parse.ts';
import type { Bundle, DataInfo, Place } from './bundle/format.ts';
import { isAllowed } from './check/allow.ts';
import { checkFlow } from './check/flow.ts';
import { checkNames } from './check/names.ts';
import { updatesText } from './check/updates.ts';
import { type Diagnostic, type Result, SaddleError } from './diagnostics/diagnostic.ts';
import { elaborate } from './elaborate/elaborate.ts';
import type { WeightFile } from './elaborate/weights.ts';
import { compileProgram, type CompileProgramOptions } from './emit/bundle.ts';
import { costText, graphText, kernelsText, planText, programText, wgslText } from './emit/texts.ts';
import type { Program } from './ir/program.ts';
import { optimizeProgram } from './passes/program.ts';
import { type Source, type Sources, type Span } from './source/source.ts';

export interface CompileOptions {
  /** Source of a `use`: a library module by name, or a file by its path relative to `from`. */
  readImport(module: string, from: string): Source | undefined;
  /** Trees of library modules that were parsed beforehand; undefined where there is none. */
  readTree?(source: Source): Module | undefined;
  /** What a data source holds for a declaration (its arrays may have rows of their own); undefined where it is not there, which `check` allows. */
  dataInfo(source: string, declaration: string): DataInfo | undefined;
  /** Values of `dim` and `hyper` declarations. */
  readonly set: ReadonlyMap<string, number>;
  readonly profile?: CompileProgramOptions['limits'];
  /** Files of initial values by the name of the model that takes them (`--load`). */
  readonly weights?: ReadonlyMap<string, WeightFile>;
  /** For grading solvers: the program says which solvers of the library take its problems, and marks the points where objectives are computed. */
  readonly grading?: boolean;
  /** The tree of the source, where the caller has parsed it already. */
  readonly module?: Module;
  readonly stage?: 'check' | 'program' | 'bundle';
}

/** Texts that `saddle explain --stage` prints. */
export type Stage = 'ast' | 'updates' | 'program' | 'graph' | 'optimized' | 'kernels' | 'wgsl' | 'plan' | 'cost';

export interface Compiled {
  readonly module: Module;
  /** Before the passes: derivatives are in, barriers and names are still there. */
  readonly program: Program;
  readonly bundle?: Bundle;
  readonly sources: Sources;
  readonly diagnostics: readonly Diagnostic[];
  texts(stage: Stage): string;
}

export function compile(source: Source, options: CompileOptions): Result<Compiled> {
  const diagnostics: Diagnostic[] = [];
  const failed = (more: readonly Diagnostic[] = []): Result<Compiled> => ({
    ok: false,
    diagnostics: distinct([...diagnostics, ...more]),
  });
  try {
    // Text to tree. Syntax errors end here: later messages would be about a tree that nobody wrote.
    const parsed: Result<Module> = options.module
      ? { ok: true, value: options.module, diagnostics: [] }
      : parse(source);
    diagnostics.push(...parsed.diagnostics);
    if (!parsed.ok) return failed();
    const module = parsed.value;
    const modules = new Modules(module, source, {
      source: (name, from) => options.readImport(name, from),
      tree: (file) => options.readTree?.(file),
    });
    const { sources } = modules;

    // Names before elaboration: elaboration visits only what is used, the names pass reads all of the text.
    for (const file of modules.own) diagnostics.push(...checkNames(file, (name, from) => modules.find(name, from)));
    diagnostics.push(...modules.diagnostics);
    if (diagnostics.some((d) => d.severity === 'error')) return failed();

    // Templates inlined, shapes and types checked, derivatives taken.
    const text = (span: Span) => sources.get(span.file)?.slice(span) ?? '';
    const place = (span: Span): Place => {
      const source = sources.get(span.file);
      const at = source?.position(span.start) ?? { line: 1, column: 1 };
      return { file: span.file, ...at, text: source?.line(at.line) ?? '' };
    };
    const name = source.name.replace(/^.*[\\/]/, '').replace(/\.opt$/, '');
    const elaborated = elaborate(module, {
      name,
      set: options.set,
      dataInfo: options.dataInfo,
      weights: options.weights,
      grading: options.grading,
      readImport: (name, from) => {
        const found = modules.find(name, from);
        return found === 'unknown' ? undefined : found;
      },
      text,
      place,
    });
    diagnostics.push(...elaborated.diagnostics);
    if (!elaborated.ok) return failed();
    const program = elaborated.value;

    // Owners and directions are read off the program, where every path from an objective to a cell is explicit.
    diagnostics.push(...checkFlow(program).filter((d) => !isAllowed(module, d)));
    if (diagnostics.some((d) => d.severity === 'error')) return failed();

    let optimized: Program | undefined;
    const optimize = () => (optimized ??= optimizeProgram(program));
    let bundle: Bundle | undefined;
    const emit = () => (bundle ??= compileProgram(optimize(), { limits: options.profile, locate: place }));
    if (options.stage === undefined || options.stage === 'bundle') emit();
    return {
      ok: true,
      value: {
        module,
        program,
        bundle,
        sources,
        diagnostics: distinct(diagnostics),
        texts: (stage) => {
          switch (stage) {
            case 'ast':
              return dump(module);
            case 'updates':
              return updatesText(program, text);
            case 'program':
              return programText(program);
            case 'graph':
              return graphText(program);
            case 'optimized':
              return graphText(optimize());
            case 'kernels':
              return kernelsText(emit());
            case 'wgsl':
              return wgslText(emit());
            case 'plan':
              return planText(emit());
            case 'cost':
              return costText(emit());
          }
        },
      },
      diagnostics: distinct(diagnostics),
    };
  } catch (error) {
    if (error instanceof SaddleError) return failed(error.diagnostics);
    throw error;
  }
}

/** Each message once: unrolled loops and several calls of one template say the same thing again. */
function distinct(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const key = (d: Diagnostic) => `${d.code} ${d.span?.file}:${d.span?.start}-${d.span?.end} ${d.message}`;
  return [...new Map([...diagnostics].reverse().map((d) => [key(d), d])).values()].reverse();
}
