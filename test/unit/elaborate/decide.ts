/** Claims as a user sees them: a text is compiled, run by the reference interpreter for all its seeds, and its claims decided. */
import { compile } from '../../../compiler/pipeline.ts';
import { createReferenceBackend } from '../../../runtime/reference/backend.ts';
import { decideClaims, seedsOf, type ClaimResult } from '../../../runtime/report/claims.ts';
import { runSeeds } from '../../../runtime/session-seeds.ts';
import { load } from '../../../runtime/session.ts';
import { Source } from '../../../compiler/source/source.ts';
import { readLibrary } from './run-spec.ts';

/** Program and bundle of a text without data files. */
export function compiled(text: string) {
  const options = { readImport: readLibrary(), dataInfo: () => undefined, set: new Map<string, number>() };
  const result = compile(new Source('spec.opt', text), options);
  if (!result.ok) throw new Error(result.diagnostics.map((d) => `${d.code}: ${d.message}`).join('\n'));
  const { bundle, program } = result.value;
  if (!bundle) throw new Error('no bundle');
  return { bundle, program };
}

/** Results of the claims of a text without data files, in order. */
export async function decided(text: string, seed = 1): Promise<ClaimResult[]> {
  const { bundle, program } = compiled(text);
  const seeds = seedsOf(bundle.claims, seed);
  const session = await load(bundle).start({ backend: createReferenceBackend(program), seed: seeds[0] });
  const run = runSeeds(session, seeds);
  for (;;) {
    const next = await run.next();
    if (next.done) return decideClaims(bundle, next.value, seed);
  }
}

/** Whether each claim holds. */
export async function holds(text: string): Promise<boolean[]> {
  return (await decided(text)).map((claim) => claim.pass);
}

/** All values of the reports and metrics of a text without runs, by name. */
export async function resultsOf(text: string): Promise<Record<string, readonly number[]>> {
  const { bundle, program } = compiled(text);
  const session = await load(bundle).start({ backend: createReferenceBackend(program), seed: 1 });
  for await (const _ of session.train());
  const run = session.results.runs.get('');
  return Object.fromEntries([...(run?.series ?? [])].map(([name, series]) => [name, series.values]));
}
