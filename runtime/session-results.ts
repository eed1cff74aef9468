/**
 * What a session has found out so far: for each run its status, the steps taken and a series per report and metric. Plain data, kept in checkpoints
 * and read by claims. Series hold finite numbers only: a value that is not finite ends its run instead.
 */
import type { Bundle } from '../compiler/bundle/format.ts';

/** One report or metric over time: a report at the step it belongs to (from 0), a metric after that many updates. */
export interface Series {
  readonly steps: readonly number[];
  readonly values: readonly number[];
}

export type RunStatus =
  | { readonly state: 'pending' | 'ok' }
  /** `reason` is a sentence for people; `expect A fails "…"` looks for its text in it. */
  | { readonly state: 'failed'; readonly reason: string };

export interface RunResult {
  readonly status: RunStatus;
  /** Training steps taken, over all phases of the run. */
  readonly steps: number;
  readonly series: ReadonlyMap<string, Series>;
}

export interface Results {
  readonly seed: number;
  /** By run name; '' is the file level, and the single run of a file without trials. */
  readonly runs: ReadonlyMap<string, RunResult>;
}

/** A run's results while it goes on. */
interface GrowingRun {
  status: RunStatus;
  steps: number;
  readonly series: Map<string, { readonly steps: number[]; readonly values: number[] }>;
}

/** The growing form of `Results`. */
export class ResultStore implements Results {
  readonly seed: number;
  readonly runs = new Map<string, GrowingRun>();

  constructor(bundle: Bundle, seed: number) {
    this.seed = seed;
    for (const name of ['', ...bundle.runs.map((r) => r.name)])
      this.runs.set(name, { status: { state: 'pending' }, steps: 0, series: new Map() });
  }

  run(name: string): GrowingRun {
    let run = this.runs.get(name);
    if (!run) this.runs.set(name, (run = { status: { state: 'pending' }, steps: 0, series: new Map() }));
    return run;
  }

  record(run: string, name: string, step: number, value: number): void {
    const { series } = this.run(run);
    let one = series.get(name);
    if (!one) series.set(name, (one = { steps: [], values: [] }));
    one.steps.push(step);
    one.values.push(value);
  }

  failed(run: string): boolean {
    return this.run(run).status.state === 'failed';
  }

  /** All runs that have not failed are done. */
  finish(): void {
    for (const run of this.runs.values()) if (run.status.state === 'pending') run.status = { state: 'ok' };
  }
}
