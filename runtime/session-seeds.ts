/** Runs the whole program once per seed on one session: data and compiled kernels are shared, cells begin anew. */
import type { Results } from './session-results.ts';
import type { Report, Session } from './session-run.ts';

export interface SeedReport extends Report {
  readonly seed: number;
}

/**
 * Goes through the seeds in order and yields the reports; returns the results of each. If the session already stands within the first seed (a resumed
 * run), it goes on from there. Errors are those of `Session.train`. A signal ends it after the submission under way; `results` then lacks that seed.
 */
export async function* runSeeds(
  session: Session,
  seeds: readonly number[],
  options: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<SeedReport, Map<number, Results>> {
  const results = new Map<number, Results>();
  for (const seed of seeds) {
    if (options.signal?.aborted) break;
    if (session.seed !== seed) await session.restart({ seed });
    for await (const report of session.train({ signal: options.signal })) yield { ...report, seed };
    if (session.done) results.set(seed, session.results);
  }
  return results;
}
