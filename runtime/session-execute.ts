/** Executes entries on a backend: what an entry needs before it (passes over chunks of rows), and entries that the host computes in float64. */
import type { Bundle, BundleEntry } from '../compiler/bundle/format.ts';
import type { Scalars } from '../compiler/bundle/host-program.ts';
import type { Backend, NumberArray, StepOutputs } from './backend.ts';

export interface Executor {
  readonly bundle: Bundle;
  readonly backend: Backend;
  /** Data as loaded, by `set.field`, where the program has parts that the host computes. */
  readonly data: ReadonlyMap<string, NumberArray>;
}

/** Whether an entry is several submissions, between which nothing else may be sent. */
export function isCompound(entry: BundleEntry | undefined): boolean {
  return entry?.exact !== undefined || (entry?.passes?.length ?? 0) > 0;
}

/** Executes an entry once for each element of `steps`. */
export async function executeEntry(
  executor: Executor,
  entry: BundleEntry,
  steps: readonly Scalars[],
): Promise<StepOutputs[]> {
  const { bundle, backend, data } = executor;
  if (entry.exact && backend.info.class !== 'reference') {
    // Loaded where it is needed: a page whose programs have no `exact` does without the interpreter.
    const { runExact } = await import('./reference/exact.ts');
    await runExact(entry.exact, backend, { sets: bundle.data, fields: data }, steps[0]);
    return [];
  }
  for (const { entry: pass, chunks } of entry.passes ?? []) await executePass(backend, pass, chunks, steps[0]);
  return backend.submit(entry.id, steps);
}

async function executePass(backend: Backend, pass: string, chunks: number, at: Scalars): Promise<void> {
  for (let chunk = 0; chunk < chunks;) {
    const count = Math.min(Math.max(1, backend.capacity(pass)), chunks - chunk);
    const from = chunk;
    const steps = Array.from({ length: count }, (_, i) => ({ ...at, chunk: from + i }));
    await backend.submit(pass, steps);
    chunk += count;
  }
}
