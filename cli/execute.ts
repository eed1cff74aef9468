/**
 * Runs a compiled spec on a device for all the seeds that it needs: trains in slices, saves checkpoints between them, and goes on from those of
 * an earlier run. What is shown and recorded is the caller's business.
 */
import type { Bundle, BundleData } from '../compiler/bundle/format.ts';
import { SaddleError } from '../compiler/diagnostics/diagnostic.ts';
import { loadCheckpoint, saveCheckpoint } from '../runtime/checkpoint/node-store.ts';
import { loadSource } from '../runtime/data/load.ts';
import type { DataHost } from '../runtime/data/files.ts';
import type { OpenDevice } from '../runtime/device/device.ts';
import type { Backend, FieldSource } from '../runtime/backend.ts';
import type { Results } from '../runtime/session-results.ts';
import { load, type Report, type Session } from '../runtime/session.ts';
import type { Position } from '../runtime/session-schedule.ts';
import { existsSync } from 'node:fs';
import type { Interrupts } from './interrupts.ts';
import type { RunFolder } from './run-folder.ts';

/** Time to the first checkpoint, between later ones, and between flushes of the log. */
const FIRST_SAVE_MS = 5_000;
const AUTOSAVE_MS = 60_000;
const FLUSH_MS = 1_000;

export interface Execution {
  readonly bundle: Bundle;
  readonly on: { readonly device?: OpenDevice; readonly backend?: Backend };
  readonly host: DataHost;
  /** Paths of `--data` by source. */
  readonly overrides: ReadonlyMap<string, string>;
  readonly seeds: readonly number[];
  readonly steps: number | undefined;
  /** Where checkpoints go; absent for `saddle test`. */
  readonly folder: RunFolder | undefined;
  readonly resume: boolean;
  readonly interrupts: Interrupts;
  readonly onStart: (session: Session, seed: number, stepsDone: number) => void;
  readonly onReport: (report: Report, seed: number) => void;
}

export interface Executed {
  readonly results: ReadonlyMap<number, Results>;
  readonly interrupted: boolean;
  /** Training steps taken now, over all seeds, and the seconds they took (checkpoints and evals included). */
  readonly steps: number;
  readonly seconds: number;
  readonly stats: { readonly dispatches: number; readonly submits: number };
  readonly peakBytes: number;
  /** The error that ended the run, if one did. */
  readonly failure?: SaddleError;
}

/** Executes all seeds in order. Failures of the run are in the result; bugs are thrown. */
export async function execute(e: Execution): Promise<Executed> {
  const results = new Map<number, Results>();
  let session: Session | undefined;
  let steps = 0;
  let milliseconds = 0;
  let failure: SaddleError | undefined;
  /** Where the last checkpoint stands. */
  let last: { readonly seed: number; readonly position: Position } | undefined;
  try {
    for (const seed of e.seeds) {
      const began = await begin(e, session, seed);
      session = began.session;
      results.set(seed, session.results);
      e.onStart(session, seed, stepsOf(session.results));
      if (began.restored) last = { seed, position: session.position };
      if (began.restored && session.done) continue; // finished by the run that is resumed
      // Lines after the last checkpoint are those of steps that are taken again now.
      if (e.resume && last) e.folder?.rewind(last.seed, last.position);
      const before = performance.now();
      const stepsBefore = stepsOf(session.results);
      try {
        await train(e, session, seed);
      } finally {
        milliseconds += performance.now() - before;
        steps += stepsOf(session.results) - stepsBefore;
      }
      last = { seed, position: session.position };
      if (e.interrupts.requested) break;
    }
  } catch (cause) {
    if (!(cause instanceof SaddleError)) throw cause;
    failure = cause;
  }
  const backend = session?.backend;
  const executed: Executed = {
    results,
    // An interrupt that came when all was done has nothing left to stop.
    interrupted: e.interrupts.requested && !(session?.done && results.size === e.seeds.length),
    steps,
    seconds: milliseconds / 1000,
    stats: { dispatches: backend?.stats.dispatches ?? 0, submits: backend?.stats.submits ?? 0 },
    peakBytes: backend?.bytes.peak ?? 0,
    failure,
  };
  await session?.dispose();
  return executed;
}

/** Training steps of all runs so far. */
function stepsOf(results: Results): number {
  let steps = 0;
  for (const run of results.runs.values()) steps += run.steps;
  return steps;
}

/** The session at the beginning of a seed, or where its checkpoint left it. One session serves all seeds: data and kernels stay. */
async function begin(
  e: Execution,
  session: Session | undefined,
  seed: number,
): Promise<{ readonly session: Session; readonly restored: boolean }> {
  const checkpoint = e.folder?.checkpoint(seed, e.seeds[0]);
  const saved = e.resume && checkpoint && existsSync(checkpoint) ? await loadCheckpoint(checkpoint) : undefined;
  if (!session) {
    const started = await load(e.bundle).start({
      ...e.on,
      seed,
      steps: e.steps,
      resume: saved,
      data: dataLoader(e.host, e.overrides),
    });
    e.interrupts.stopInOrder();
    return { session: started, restored: saved !== undefined };
  }
  if (saved) await session.restore(saved);
  else await session.restart({ seed });
  return { session, restored: saved !== undefined };
}

/** Loads data sets for a session; what is wrong with them is told at their declaration. `overrides` are paths by source. */
export function dataLoader(
  host: DataHost,
  overrides: ReadonlyMap<string, string>,
): (data: BundleData) => Promise<Record<string, FieldSource>> {
  return async (d) => {
    try {
      const loaded = await loadSource(d.source, d.fields, d.slice, host, { override: overrides.get(d.source) });
      return Object.fromEntries([...loaded.fields, ...loaded.later]);
    } catch (cause) {
      if (!(cause instanceof SaddleError)) throw cause;
      throw new SaddleError(cause.diagnostics.map((x) => ({ ...x, place: x.place ?? d.place })));
    }
  };
}

/** Trains to the end of the schedule or to an interrupt, saving about once a minute and at the end. */
async function train(e: Execution, session: Session, seed: number): Promise<void> {
  const flushing = setInterval(() => e.folder?.flushLater(), FLUSH_MS);
  try {
    for (let saves = 0; ; saves++) {
      const slice = new AbortController();
      const timer = setTimeout(() => slice.abort(), saves === 0 ? FIRST_SAVE_MS : AUTOSAVE_MS);
      const forget = e.interrupts.listen(() => slice.abort());
      if (e.interrupts.requested) slice.abort();
      try {
        for await (const report of session.train({ signal: slice.signal })) e.onReport(report, seed);
      } finally {
        clearTimeout(timer);
        forget();
      }
      await save(e, session, seed);
      if (session.done || e.interrupts.requested) return;
    }
  } finally {
    clearInterval(flushing);
    e.folder?.flush();
  }
}

async function save(e: Execution, session: Session, seed: number): Promise<void> {
  if (!e.folder) return;
  const bytes = await session.save();
  e.folder.mark(seed, session.position);
  await saveCheckpoint(e.folder.checkpoint(seed, e.seeds[0]), bytes);
}
