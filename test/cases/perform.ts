/** Performs specs on disk as their reader would: compiled with their imports and data, run for the seeds that their claims need, and the claims decided. */
import { compileSpec } from '../../cli/compile.ts';
import { dataLoader } from '../../cli/execute.ts';
import { describeData, openSpec, overridesBySource, readSpec, type Opened } from '../../cli/spec.ts';
import type { Bundle } from '../../compiler/bundle/format.ts';
import { InternalError, SaddleError, type Diagnostic } from '../../compiler/diagnostics/diagnostic.ts';
import type { OpenDevice } from '../../runtime/device/device.ts';
import { createReferenceBackend } from '../../runtime/reference/backend.ts';
import { decideClaims, seedsOf, type ClaimResult } from '../../runtime/report/claims.ts';
import { runSeeds } from '../../runtime/session-seeds.ts';
import { defaultSeed, load, type Session } from '../../runtime/session.ts';

export interface Performed {
  readonly claims: readonly ClaimResult[];
  /** Values of the reports and metrics of the first seed, by name (`m`, or `run/m` in a file of several runs). */
  readonly values: Readonly<Record<string, readonly number[]>>;
  readonly bundle: Bundle;
  readonly warnings: readonly Diagnostic[];
}

/** Runs a spec, by the float64 interpreter unless a device is given. Throws SaddleError with what is wrong with it, or what stops the run. */
export async function perform(file: string, device?: OpenDevice): Promise<Performed> {
  const opened: Opened = new Map();
  const spec = openSpec(file, opened);
  const overrides = overridesBySource(spec, new Map(), new Map());
  const { infos, diagnostics } = await describeData(spec, overrides, true);
  if (diagnostics.length > 0) throw new SaddleError(diagnostics);
  const compiled = compileSpec(spec, opened, { set: new Map(), infos, stage: 'bundle', profile: device?.profile });
  const { bundle, program } = compiled;
  if (!bundle) throw new InternalError('the compiler gave no bundle');
  const on = device ? { device } : { backend: createReferenceBackend(program) };
  const seeds = seedsOf(bundle.claims, defaultSeed);
  const session = await load(bundle).start({ ...on, seed: seeds[0], data: dataLoader(spec.host, overrides) });
  try {
    const run = runSeeds(session, seeds);
    for (;;) {
      const next = await run.next();
      if (!next.done) continue;
      const claims = decideClaims(bundle, next.value, defaultSeed);
      return { claims, values: valuesOf(next.value.get(seeds[0])), bundle, warnings: compiled.diagnostics };
    }
  } finally {
    await session.dispose();
  }
}

function valuesOf(results: Session['results'] | undefined): Record<string, readonly number[]> {
  const runs = [...(results?.runs ?? [])];
  return Object.fromEntries(
    runs.flatMap(([run, { series }]) =>
      [...series].map(([name, s]) => [run === '' ? name : `${run}/${name}`, s.values] as const),
    ),
  );
}

/** Code and place of what stopped a spec, `OPT410 @ 7:3`: of every error of compiling it, or of the one that ended its run. */
export async function refusals(file: string): Promise<string[]> {
  try {
    await perform(file);
    return [];
  } catch (cause) {
    if (!(cause instanceof SaddleError)) throw cause;
    const source = readSpec(file);
    return cause.diagnostics
      .filter((d) => d.severity === 'error')
      .map((d) => {
        const { line, column } = d.place ?? source.position(d.span?.start ?? -1);
        return `${d.code} @ ${line}:${column}`;
      });
  }
}
