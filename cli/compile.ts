/** Calls the compiler for a spec on disk and shows its warnings. */
import { compile, type Compiled, type CompileOptions } from '../compiler/pipeline.ts';
import type { DataInfo } from '../compiler/bundle/format.ts';
import { SaddleError } from '../compiler/diagnostics/diagnostic.ts';
import { importReader, infoKey, readTree, type Opened, type Spec } from './spec.ts';

export interface CompileRequest {
  readonly set: ReadonlyMap<string, number>;
  readonly infos: ReadonlyMap<string, DataInfo>;
  readonly stage: CompileOptions['stage'];
  readonly profile?: CompileOptions['profile'];
  readonly weights?: CompileOptions['weights'];
  readonly grading?: boolean;
}

/** Compiles up to a stage. Throws SaddleError with all diagnostics where there are errors; warnings are in the result. */
export function compileSpec(spec: Spec, opened: Opened, request: CompileRequest): Compiled {
  const result = compile(spec.source, {
    module: spec.module,
    readImport: importReader(spec, opened),
    readTree,
    dataInfo: (source, declaration) => request.infos.get(infoKey(source, declaration)) ?? request.infos.get(source),
    set: request.set,
    stage: request.stage,
    profile: request.profile,
    weights: request.weights,
    grading: request.grading,
  });
  if (!result.ok) throw new SaddleError(result.diagnostics);
  return result.value;
}

export type { Compiled };
