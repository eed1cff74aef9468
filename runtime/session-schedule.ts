/**
 * Walks a bundle's schedule: from a position to the next job, and to the position after it. Pure, so that a session may plan ahead of the device,
 * and so that a position saved in a checkpoint continues exactly where it was.
 */
import type { Bundle, BundlePhase, EvalTimes } from '../compiler/bundle/format.ts';

/** Where a session stands: everything before it has been done. */
export interface Position {
  /** Index in the schedule. */
  readonly phase: number;
  /** Steps done of this phase. */
  readonly step: number;
  /** Evals done of those due after `step` updates. */
  readonly evals: number;
  /** The `until` condition has been tested before this step … */
  readonly tested: boolean;
  /** … and was met: the phase is over. */
  readonly ended: boolean;
}

export const beginning: Position = { phase: 0, step: 0, evals: 0, tested: false, ended: false };

/** One thing to do. `steps` is the length of the phase; executions are numbered `first … first + count - 1`. */
export interface Job {
  readonly kind: 'once' | 'step' | 'eval' | 'until' | 'check';
  readonly run: string;
  readonly phase: string;
  /** Absent for 'check', which looks for non-finite cells of the run. */
  readonly entry?: string;
  readonly first: number;
  readonly count: number;
  readonly steps: number;
  readonly after: Position;
}

export interface Walk {
  readonly bundle: Bundle;
  /** Number of steps that replaces that of every train phase. */
  readonly stepsOverride?: number;
  /** Phases of failed runs are passed over. */
  skip(run: string): boolean;
  /** Most executions of an entry in one job. */
  capacity(entry: string): number;
}

type Train = Extract<BundlePhase, { kind: 'train' }>;

/** The next job, or undefined at the end of the schedule. `budget` bounds the steps of a step job; with 0 the walk stops before the next step. */
export function nextJob(walk: Walk, from: Position, budget: number): Job | undefined {
  let at = from;
  for (;;) {
    if (at.phase >= walk.bundle.schedule.length) return undefined;
    const phase = walk.bundle.schedule[at.phase];
    if (walk.skip(phase.run)) {
      at = nextPhase(at);
      continue;
    }
    if (phase.kind === 'once') {
      const entry = phase.entry;
      return {
        kind: 'once',
        run: phase.run,
        phase: phase.name,
        entry,
        first: 0,
        count: 1,
        steps: 1,
        after: nextPhase(at),
      };
    }
    return trainJob(walk, phase, at, budget);
  }
}

function trainJob(walk: Walk, phase: Train, at: Position, budget: number): Job | undefined {
  const steps = walk.stepsOverride ?? phase.steps;
  const base = { run: phase.run, phase: phase.name, first: at.step, count: 1, steps };
  const over = at.ended || at.step >= steps;
  const due = dueEvals(phase, at.step, over);
  if (at.evals < due.length)
    return { ...base, kind: 'eval', entry: due[at.evals], after: { ...at, evals: at.evals + 1 } };
  if (over) return { ...base, kind: 'check', after: nextPhase(at) };
  if (budget <= 0) return undefined;
  if (phase.until !== undefined && !at.tested)
    return { ...base, kind: 'until', entry: phase.until, after: { ...at, tested: true } };
  const room = Math.min(budget, walk.capacity(phase.entry), steps - at.step, untilEval(phase, at.step));
  const count = phase.until === undefined ? Math.max(1, room) : 1;
  const after = { phase: at.phase, step: at.step + count, evals: 0, tested: false, ended: false };
  return { ...base, kind: 'step', entry: phase.entry, count, after };
}

function nextPhase(at: Position): Position {
  return { ...beginning, phase: at.phase + 1 };
}

/**
 * Entries of the evals due after n updates, those at given numbers before those of the end: so the list at the end begins with the list that was
 * there before the end was known.
 */
function dueEvals(phase: Train, n: number, over: boolean): string[] {
  const timed = phase.evals.filter((e) => isTimed(e.times, n));
  const atEnd = over ? phase.evals.filter((e) => e.times.end && !timed.includes(e)) : [];
  return [...timed, ...atEnd].map((e) => e.entry);
}

function isTimed(times: EvalTimes, n: number): boolean {
  return times.at.includes(n) || (times.every !== undefined && n % times.every === 0);
}

/** Steps from n to the next number of updates with an eval. */
function untilEval(phase: Train, n: number): number {
  let least = Infinity;
  for (const { times } of phase.evals) {
    if (times.every !== undefined) least = Math.min(least, times.every - (n % times.every));
    for (const at of times.at) if (at > n) least = Math.min(least, at - n);
  }
  return least;
}

/** Training steps of the whole schedule, for progress bars (fewer may be taken by `until` and failures). */
export function totalSteps(bundle: Bundle, stepsOverride?: number): number {
  return bundle.schedule.reduce((sum, p) => sum + (p.kind === 'train' ? (stepsOverride ?? p.steps) : 0), 0);
}
