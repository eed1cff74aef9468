/**
 * A session under way: it walks the schedule, keeps the results, ends runs whose values are not finite, and gives access to cells and exports.
 * `session.ts` starts one.
 */
import {
  isPart,
  LEDGER_PART,
  SOLVE_PART,
  type Bundle,
  type BundleEntry,
  type TensorType,
} from '../compiler/bundle/format.ts';
import type { Scalars } from '../compiler/bundle/host-program.ts';
import {
  type Diagnostic,
  InternalError,
  type Label,
  SaddleError,
  error,
  fail,
} from '../compiler/diagnostics/diagnostic.ts';
import type { Backend, NumberArray, StepOutputs } from './backend.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint/checkpoint.ts';
import { type Values, cellValues, cellsNamed, exportInputs, exportNamed } from './session-arguments.ts';
import { executeEntry, isCompound } from './session-execute.ts';
import {
  type NonFinite,
  cellText,
  checkCells,
  firstNonFinite,
  nonFiniteText,
  otherWriters,
  writersOf,
} from './session-finite.ts';
import { ResultStore, type Results } from './session-results.ts';
import { type HyperOverrides, hyperOverrides, scalarsAt } from './session-scalars.ts';
import { type Job, type Position, type Walk, beginning, nextJob, totalSteps } from './session-schedule.ts';

/** Outputs that are for the session alone. */
const isHidden = (name: string): boolean => name.startsWith(SOLVE_PART);

/** Submissions that may wait on the device: one runs while the outputs of the other are read. */
const inFlight = 2;

/** What a caller sets in place of what the program, or a checkpoint, says. */
export interface Overrides {
  /** Seed of all random draws. */
  readonly seed?: number;
  /** Values in place of the program's own hypers. */
  readonly hypers?: Readonly<Record<string, number>>;
  /** Length of every train phase, in place of the program's own. */
  readonly steps?: number;
}

/** What training yields: the reports of one step, or the metrics of one eval. */
export interface Report {
  readonly kind: 'step' | 'eval';
  readonly run: string;
  readonly phase: string;
  /** The step reported on (from 0), or the number of updates before the eval. */
  readonly step: number;
  /** Steps of the phase. */
  readonly steps: number;
  readonly values: Readonly<Record<string, number>>;
}

export interface Tensor {
  readonly type: TensorType;
  readonly values: NumberArray;
}

/** What a finished job gives its caller. */
interface Committed {
  readonly reports: readonly Report[];
  readonly failure?: SaddleError;
}

export interface SessionState {
  readonly seed: number;
  readonly overrides: HyperOverrides;
  readonly steps: number | undefined;
  /** The session made the backend and disposes of it. */
  readonly owned: boolean;
  /** Data as loaded, by `set.field`, where the program has parts that the host computes. */
  readonly data: ReadonlyMap<string, NumberArray>;
}

/** Throws SaddleError OPT852 for what is no seed. */
export function checkedSeed(seed: number): number {
  if (Number.isInteger(seed) && seed >= 0 && seed <= 0xffffffff) return seed;
  return fail('OPT852', undefined, `a seed is a whole number from 0 to 4294967295, not ${seed}`);
}

export class Session {
  readonly bundle: Bundle;
  readonly backend: Backend;
  /** Warnings: a checkpoint of differently compiled code. */
  readonly warnings: Diagnostic[] = [];
  private state: SessionState;
  private store: ResultStore;
  private at: Position = beginning;
  private busy = false;
  private readonly entries: ReadonlyMap<string, BundleEntry>;

  /** Use `load(bundle).start(…)`. */
  constructor(bundle: Bundle, backend: Backend, state: SessionState) {
    this.bundle = bundle;
    this.backend = backend;
    this.state = state;
    this.store = new ResultStore(bundle, state.seed);
    this.entries = new Map(bundle.entries.map((e) => [e.id, e]));
  }

  get seed(): number {
    return this.state.seed;
  }
  get results(): Results {
    return this.store;
  }
  get position(): Position {
    return this.at;
  }
  /** True when the whole schedule has been run. */
  get done(): boolean {
    return nextJob(this.walk(), this.at, 1) === undefined;
  }
  /** Training steps of the whole schedule. */
  get totalSteps(): number {
    return totalSteps(this.bundle, this.state.steps);
  }

  /** Begins anew, from initial values, with this seed. Data and compiled kernels stay. */
  async restart(options: { readonly seed: number }): Promise<void> {
    this.refuseWhileBusy();
    this.state = { ...this.state, seed: checkedSeed(options.seed) };
    this.store = new ResultStore(this.bundle, this.state.seed);
    this.at = beginning;
    await this.backend.reset();
  }

  /**
   * Goes on with the schedule and yields what it reports. Stops at the end, after `steps` further training steps (evals due there included), or soon
   * after `signal` is aborted; calling it again goes on from there. Throws SaddleError OPT709 where a run that may not fail does, after which a
   * further call goes on with the other runs; OPT704, OPT705, OPT708 for failures of the device or of run-time checks.
   */
  async *train(options: { readonly steps?: number; readonly signal?: AbortSignal } = {}): AsyncGenerator<Report, void> {
    this.refuseWhileBusy();
    this.busy = true;
    const walk = this.walk();
    const flying: { readonly job: Job; readonly outputs: Promise<StepOutputs[]> }[] = [];
    let planned = this.at;
    let budget = options.steps ?? Infinity;
    /** A loop condition decides what comes next, and an entry of several submissions is not to be interrupted, so nothing is sent past them. */
    let barrier = false;
    const land = async (): Promise<Committed> => {
      const { job, outputs } = flying[0];
      try {
        return this.commit(job, await outputs);
      } catch (reason) {
        // A failed run-time check is a mistake in the program, never a way to fail that `may fail` allows.
        if (!(reason instanceof SaddleError)) throw reason;
        const [{ code, message }] = reason.diagnostics;
        if (code === 'OPT708') this.endRun(job.run, message);
        if (code === 'OPT709') return this.failDraw(job, reason);
        throw reason;
      } finally {
        flying.shift();
        if (job.kind === 'until' || this.isCompound(job)) barrier = false;
        if (job.kind === 'until') planned = this.at;
        // What was planned of a phase that has ended since goes on behind its steps.
        if (this.at.ended && planned.phase === this.at.phase) planned = { ...planned, ended: true };
      }
    };
    try {
      for (;;) {
        while (flying.length < inFlight && !barrier && !options.signal?.aborted) {
          const job = nextJob(walk, planned, budget);
          if (!job) break;
          if (job.kind === 'step') budget -= job.count;
          barrier = job.kind === 'until' || this.isCompound(job);
          planned = job.after;
          const outputs = this.execute(job);
          outputs.catch(() => {}); // reported where it is awaited
          flying.push({ job, outputs });
        }
        if (flying.length === 0) break;
        const { reports, failure } = await land();
        yield* reports;
        if (failure) throw failure;
      }
      if (this.done) this.store.finish();
    } finally {
      // Also when the caller leaves early: the device has done this work, so it counts.
      try {
        while (flying.length > 0) await land().catch(() => {});
      } finally {
        this.busy = false;
      }
    }
  }

  /**
   * Gives cells their initial values if that is what comes next, so that a new session can be read, written and called before it trains. (Written first, they
   * would be overwritten by what the schedule begins with.)
   */
  private async initialize(): Promise<void> {
    for (;;) {
      const job = nextJob(this.walk(), this.at, 0);
      const entry = job?.kind === 'once' && this.entries.get(job.entry ?? '');
      if (!job || !entry || entry.outputs.length > 0 || entry.hostOutputs.length > 0) return;
      this.commit(job, await this.execute(job));
    }
  }

  private walk(): Walk {
    return {
      bundle: this.bundle,
      stepsOverride: this.state.steps,
      skip: (run) => this.store.failed(run),
      capacity: (entry) => this.backend.capacity(entry),
    };
  }

  private isCompound(job: Job): boolean {
    return isCompound(this.entries.get(job.entry ?? ''));
  }

  private async run(id: string, scalars: readonly Scalars[]): Promise<StepOutputs[]> {
    const entry = this.entries.get(id);
    if (!entry) throw new InternalError(`the bundle has no entry '${id}'`);
    const { bundle, backend, state } = this;
    return executeEntry({ bundle, backend, data: state.data }, entry, scalars);
  }

  private async execute(job: Job): Promise<StepOutputs[]> {
    if (job.entry === undefined) {
      const bad = await checkCells(this.bundle, this.backend, job.run);
      return bad ? [{ values: new Map([[bad.name, bad.value]]), objectives: new Map() }] : [];
    }
    const scalars = Array.from({ length: job.count }, (_, k) => this.scalars(job.run, job.first + k, job.steps));
    return this.run(job.entry, scalars);
  }

  private scalars(run: string, step: number, steps: number): Scalars {
    const offset = this.bundle.runs.find((r) => r.name === run)?.seed ?? 0;
    return scalarsAt(this.bundle, this.state.overrides, (this.state.seed + offset) >>> 0, step, steps);
  }

  /** Records what a job has given and moves the position past it. The failure is that of a run that may not fail. */
  private commit(job: Job, outputs: readonly StepOutputs[]): Committed {
    if (this.store.failed(job.run)) return { reports: [] }; // sent before the failure was known
    const { phase } = this.at;
    const over = this.at.ended && job.kind === 'step';
    this.at = over ? { ...job.after, ended: true } : job.after;
    if (over) return { reports: [] }; // sent before the end was known: these steps have done nothing
    if (job.kind === 'until') {
      const [value] = [...outputs[0].values.values(), ...outputs[0].objectives.values()];
      this.at = { ...job.after, ended: value !== 0 };
      return { reports: [] };
    }
    const run = this.store.run(job.run);
    const reports: Report[] = [];
    for (let k = 0; k < outputs.length; k++) {
      const output = outputs[k];
      const step = job.kind === 'once' ? run.steps : job.first + k;
      const end = job.kind === 'step' ? this.endOf(phase, output) : 0;
      const bad = firstNonFinite(output);
      if (bad) return { reports, failure: this.failRun(job, bad, step, phase) };
      const shown = new Map([...output.values].filter(([name]) => !isPart(name) && !isHidden(name)));
      for (const [name, value] of output.values)
        if (Number.isFinite(value) && !isHidden(name)) this.store.record(job.run, name, step, value);
      if (job.kind === 'step' && end === 0) run.steps++;
      if (job.kind === 'step' || shown.size > 0)
        reports.push({
          kind: job.kind === 'step' ? 'step' : 'eval',
          run: job.run,
          phase: job.phase,
          step,
          steps: job.steps,
          values: Object.fromEntries(shown),
        });
      if (end !== 0) {
        this.at = { ...this.at, ended: true };
        this.store.record(job.run, `${LEDGER_PART}${job.phase}.stopped`, step, step);
        return { reports, failure: this.failSolve(job, phase, end) };
      }
    }
    return { reports };
  }

  /** How a phase that the device may end stands after a step: 0 where it goes on. */
  private endOf(phase: number, output: StepOutputs): number {
    const known = this.bundle.schedule[phase];
    return (known.kind === 'train' && known.ends && output.values.get(known.ends.output)) || 0;
  }

  /** The error of a solve that ended by `fail when`; undefined where it has only stopped, or may fail. */
  private failSolve(job: Job, phase: number, end: number): SaddleError | undefined {
    const known = this.bundle.schedule[phase];
    const ends = known.kind === 'train' ? known.ends : undefined;
    const reason = ends?.reasons[end - 2];
    if (reason === undefined) return undefined;
    const declared = this.endRun(job.run, reason);
    if (declared?.mayFail) return undefined;
    const outputs = this.entries.get(job.entry ?? '')?.outputs ?? [];
    return new SaddleError(
      error(
        'OPT709',
        undefined,
        declared?.name ? `${reason}, in run '${declared.name}'` : `${reason}, in ${job.phase}`,
        {
          place: outputs.find((o) => o.name === ends?.output)?.place,
          hint: "the text says so (fail when); a run that is declared with 'may fail' lets the others go on",
        },
      ),
    );
  }

  /** Ends the run of a job over values from which nothing can be drawn, which is as good as one that is not finite. */
  private failDraw(job: Job, reason: SaddleError): Committed {
    if (this.store.failed(job.run)) return { reports: [] }; // sent before the failure was known
    this.at = job.after;
    const declared = this.endRun(job.run, reason.diagnostics[0].message);
    return { reports: [], failure: declared?.mayFail ? undefined : reason };
  }

  /** Ends the run of a job over a value that is not finite; the error is for runs that may not fail. */
  private failRun(job: Job, bad: NonFinite, step: number, phase: number): SaddleError | undefined {
    const entry = this.entries.get(job.entry ?? '');
    const found = [...(entry?.outputs ?? []), ...(entry?.hostOutputs ?? [])].find((o) => o.name === bad.name);
    // Objectives have names of the compiler's making; the place shows which one it is.
    const named = found?.kind === 'objective' ? 'the objective' : `'${bad.name}'`;
    const what = job.entry === undefined ? cellText(bad.name, job.run) : named;
    const reason = `${what} is ${nonFiniteText(bad.value)} ${job.kind === 'step' ? `at step ${step}` : `after ${step} updates`}`;
    const declared = this.endRun(job.run, reason);
    if (declared?.mayFail) return undefined;
    const writers = job.entry === undefined ? writersOf(this.bundle, bad.name, phase) : [];
    return new SaddleError(
      error('OPT709', undefined, declared?.name ? `${reason}, in run '${declared.name}'` : reason, {
        place: found?.place ?? writers[0],
        notes: otherWriters(writers),
        ...this.causeOf(bad.name),
      }),
    );
  }

  /** What first made a value not finite and what to do about it, as far as the device can say. */
  private causeOf(name: string): { labels?: Label[]; hint: string } {
    const origin = this.backend.originOf?.(name);
    if (origin)
      return { hint: origin.hint, ...(origin.span && { labels: [{ span: origin.span, text: origin.what }] }) };
    const usual = 'a smaller step size, or a guard before a logarithm, a division or an exponential, is the usual mend';
    return {
      hint: this.backend.originOf
        ? usual
        : `${usual}; --device reference (in float64) names the operation that made it`,
    };
  }

  /** Marks a run as failed. Runs read what the file level computes, so they fail with it. */
  private endRun(name: string, reason: string): Bundle['runs'][number] | undefined {
    const declared = this.bundle.runs.find((r) => r.name === name);
    for (const [other, run] of this.store.runs)
      if (other === name || !declared) run.status = { state: 'failed', reason };
    return declared;
  }

  /** Evaluates all metrics now, for runs that have not failed; nothing is recorded or written. By run, then by name. */
  async eval(): Promise<Map<string, Map<string, number>>> {
    this.refuseWhileBusy();
    const found = new Map<string, Map<string, number>>();
    const seen = new Set<string>();
    for (const [index, phase] of this.bundle.schedule.entries()) {
      if (this.store.failed(phase.run)) continue;
      const started = index < this.at.phase || (index === this.at.phase && this.at.step > 0);
      const steps = phase.kind === 'train' ? (this.state.steps ?? phase.steps) : 1;
      const step = phase.kind === 'once' ? 0 : index < this.at.phase ? steps : started ? this.at.step : 0;
      const entries = phase.kind === 'train' ? phase.evals.map((e) => e.entry) : [phase.entry];
      for (const id of entries) {
        const entry = this.entries.get(id);
        const isEval =
          entry?.outputs.some((o) => o.kind === 'metric') || entry?.hostOutputs.some((o) => o.kind === 'metric');
        if (!isEval || seen.has(id)) continue;
        seen.add(id);
        const [output] = await this.run(id, [this.scalars(phase.run, step, steps)]);
        const values = found.get(phase.run) ?? new Map<string, number>();
        found.set(phase.run, values);
        for (const [name, value] of output.values) if (!isPart(name)) values.set(name, value);
      }
    }
    return found;
  }

  /** Calls an exported function. Arguments are row-major numbers, flat. Throws OPT850 (unknown name), OPT852 (wrong arguments). */
  async call(name: string, args: Values): Promise<Record<string, NumberArray>> {
    const entry = exportNamed(this.bundle, name);
    const inputs = exportInputs(name, entry, args);
    if (!this.busy) await this.initialize();
    const run = this.bundle.runs.length === 1 ? this.bundle.runs[0].name : '';
    return this.backend.call(entry.id, inputs, this.scalars(run, 0, 1));
  }

  /** Cells of a model (by its name, `Features` or `dann.Features`) or one cell (by its id). Throws OPT850 for unknown names. */
  async get(name: string): Promise<Record<string, Tensor>> {
    const ids = cellsNamed(this.bundle, name);
    if (!this.busy) await this.initialize();
    const values = await this.backend.readCells(ids);
    const types = new Map(this.bundle.cells.map((c) => [c.id, c.type]));
    return Object.fromEntries(
      ids.map((id) => [id, { type: types.get(id) as TensorType, values: values.get(id) as NumberArray }]),
    );
  }

  /** Writes cells of a model, or one cell, as `get` names them. Cells left out stay. Throws OPT850, OPT852. */
  async set(name: string, values: Values): Promise<void> {
    this.refuseWhileBusy();
    const cells = cellValues(this.bundle, name, values);
    await this.initialize();
    await this.backend.writeCells(cells);
  }

  /** The whole state as the bytes of a checkpoint (safetensors). Throws OPT709 rather than save a cell that is not finite. */
  async save(): Promise<Uint8Array> {
    this.refuseWhileBusy();
    const cells = await this.backend.readCells(this.bundle.cells.map((c) => c.id));
    const { seed, steps, overrides } = this.state;
    return writeCheckpoint(this.bundle, {
      seed,
      steps,
      hypers: overrides,
      position: this.at,
      results: this.store,
      cells,
    });
  }

  /**
   * Continues from a checkpoint of this program, with its seed, hypers and steps, save those given here. Throws OPT650 where the bytes are damaged,
   * OPT651 where they are of another program, OPT654 where another seed is given.
   */
  async restore(bytes: Uint8Array, given: Overrides = {}): Promise<void> {
    this.refuseWhileBusy();
    const saved = await readCheckpoint(this.bundle, bytes);
    if (given.seed !== undefined && given.seed !== saved.seed)
      fail('OPT654', undefined, `the checkpoint is of seed ${saved.seed}, and seed ${given.seed} was given`);
    this.warnings.push(...saved.warnings);
    const overrides = new Map([...saved.hypers, ...hyperOverrides(this.bundle, given.hypers ?? {})]);
    this.state = { ...this.state, seed: saved.seed, steps: given.steps ?? saved.steps, overrides };
    this.store = saved.results;
    this.at = saved.position;
    await this.backend.writeCells(saved.cells);
  }

  /** Frees what the session holds on the device. */
  async dispose(): Promise<void> {
    if (this.state.owned) await this.backend.dispose();
  }

  private refuseWhileBusy(): void {
    if (this.busy) throw new InternalError('a session does one thing at a time: training is still going on');
  }
}
