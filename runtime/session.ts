/**
 * A session runs a bundle on a backend: it walks the schedule, keeps the results, ends runs whose values are not finite, and gives access to cells and
 * exports. It knows nothing of files, terminals or drivers, and so works the same in Node, in a page, and on the reference interpreter.
 *
 *   const session = await load(bundle).start({ device, data });
 *   for await (const report of session.train()) console.log(report.step, report.values);
 *   const { y } = await session.call('predict', { x });
 *   await session.dispose();
 */
import {
  BUNDLE_VERSION,
  type Bundle,
  type BundleData,
  type BundleEntry,
  type TensorType,
} from '../compiler/bundle/format.ts';
import type { Scalars } from '../compiler/bundle/host-program.ts';
import { type Diagnostic, InternalError, SaddleError, error, fail } from '../compiler/diagnostics/diagnostic.ts';
import { didYouMean } from '../compiler/diagnostics/suggest.ts';
import type { Backend, NumberArray, StepOutputs } from './backend.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint/checkpoint.ts';
import type { OpenDevice } from './device/device.ts';
import { createExecutor } from './device/executor.ts';
import { elements } from './device/words.ts';
import { type NonFinite, checkCells, firstNonFinite } from './session-finite.ts';
import { ResultStore, type Results } from './session-results.ts';
import { type HyperOverrides, hyperOverrides, scalarsAt } from './session-scalars.ts';
import { type Job, type Position, type Walk, beginning, nextJob, totalSteps } from './session-schedule.ts';

export const defaultSeed = 1;

/** Submissions that may wait on the device: one runs while the outputs of the other are read. */
const inFlight = 2;

export interface StartOptions {
  /** Where to run: an open device, or a backend already prepared for this bundle (which then stays the caller's to dispose of). */
  readonly device?: OpenDevice;
  readonly backend?: Backend;
  /** Gives the fields of a data set in the storage that the bundle states. Needed when the bundle has data. */
  readonly data?: (
    data: BundleData,
  ) => Promise<Readonly<Record<string, NumberArray>>> | Readonly<Record<string, NumberArray>>;
  /** Seed of all random draws (default 1). */
  readonly seed?: number;
  /** Values in place of the program's own hypers. */
  readonly hypers?: Readonly<Record<string, number>>;
  /** Length of every train phase, in place of the program's own. */
  readonly steps?: number;
  /** Bytes of a checkpoint to continue from. */
  readonly resume?: Uint8Array;
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

export interface LoadedBundle {
  readonly bundle: Bundle;
  start(options: StartOptions): Promise<Session>;
}

/** Takes a bundle, as an object or as JSON text. Throws SaddleError OPT712 where it is none of this version. */
export function load(source: Bundle | string): LoadedBundle {
  const bundle = typeof source === 'string' ? parseBundle(source) : source;
  if (bundle?.format !== 'saddle-bundle') fail('OPT712', undefined, 'this is not a compiled Saddle program');
  if (bundle.version !== BUNDLE_VERSION)
    fail(
      'OPT712',
      undefined,
      `the bundle has version ${bundle.version}; this runtime reads version ${BUNDLE_VERSION}`,
      {
        hint: 'compile the source again',
      },
    );
  return { bundle, start: (options) => start(bundle, options) };
}

function parseBundle(text: string): Bundle {
  try {
    return JSON.parse(text) as Bundle;
  } catch {
    return fail('OPT712', undefined, 'this is not a compiled Saddle program (no valid JSON)');
  }
}

async function start(bundle: Bundle, options: StartOptions): Promise<Session> {
  const overrides = hyperOverrides(bundle, options.hypers ?? {});
  const { steps } = options;
  if (steps !== undefined && (!Number.isInteger(steps) || steps < 0))
    fail('OPT852', undefined, `steps must be a whole number from 0, not ${steps}`);
  const seed = checkedSeed(options.seed ?? defaultSeed);
  if (bundle.data.length > 0 && !options.data) fail('OPT711', undefined, 'the program needs data and none were given');
  if (!options.backend && !options.device) fail('OPT852', undefined, 'start needs a device or a backend');
  // Data are read while the driver compiles the kernels.
  const loading = Promise.all(bundle.data.map(async (d) => ({ d, fields: await options.data?.(d) })));
  loading.catch(() => {}); // reported where it is awaited
  const backend = options.backend ?? (await createExecutor(bundle, options.device as OpenDevice));
  try {
    for (const { d, fields } of await loading) {
      for (const field of d.fields) {
        const values = fields && Object.hasOwn(fields, field.name) ? fields[field.name] : undefined;
        if (!values) fail('OPT711', undefined, `data '${d.name}' lacks the field '${field.name}'`, { place: d.place });
        await backend.loadData(d.name, field.name, values);
      }
    }
    const session = new Session(bundle, backend, { seed, overrides, steps, owned: !options.backend });
    await session.restart({ seed });
    if (options.resume) await session.restore(options.resume, options);
    return session;
  } catch (reason) {
    if (!options.backend) await backend.dispose();
    throw reason;
  }
}

function checkedSeed(seed: number): number {
  if (Number.isInteger(seed) && seed >= 0 && seed <= 0xffffffff) return seed;
  return fail('OPT852', undefined, `a seed is a whole number from 0 to 4294967295, not ${seed}`);
}

/** What a finished job gives its caller. */
interface Committed {
  readonly reports: readonly Report[];
  readonly failure?: SaddleError;
}

interface SessionState {
  readonly seed: number;
  readonly overrides: HyperOverrides;
  readonly steps: number | undefined;
  /** The session made the backend and disposes of it. */
  readonly owned: boolean;
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
    /** A loop condition decides what comes next, so nothing is planned past it. */
    let barrier = false;
    const land = async (): Promise<Committed> => {
      const { job, outputs } = flying[0];
      try {
        return this.commit(job, await outputs);
      } finally {
        flying.shift();
        if (job.kind === 'until') {
          barrier = false;
          planned = this.at;
        }
      }
    };
    try {
      for (;;) {
        while (flying.length < inFlight && !barrier && !options.signal?.aborted) {
          const job = nextJob(walk, planned, budget);
          if (!job) break;
          if (job.kind === 'step') budget -= job.count;
          barrier = job.kind === 'until';
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

  private walk(): Walk {
    return {
      bundle: this.bundle,
      stepsOverride: this.state.steps,
      skip: (run) => this.store.failed(run),
      capacity: (entry) => this.backend.capacity(entry),
    };
  }

  private async execute(job: Job): Promise<StepOutputs[]> {
    if (job.entry === undefined) {
      const bad = await checkCells(this.bundle, this.backend, job.run);
      return bad ? [{ values: new Map([[bad.name, bad.value]]), objectives: new Map() }] : [];
    }
    const scalars = Array.from({ length: job.count }, (_, k) => this.scalars(job.run, job.first + k, job.steps));
    return this.backend.submit(job.entry, scalars);
  }

  private scalars(run: string, step: number, steps: number): Scalars {
    const offset = this.bundle.runs.find((r) => r.name === run)?.seed ?? 0;
    return scalarsAt(this.bundle, this.state.overrides, (this.state.seed + offset) >>> 0, step, steps);
  }

  /** Records what a job has given and moves the position past it. The failure is that of a run that may not fail. */
  private commit(job: Job, outputs: readonly StepOutputs[]): Committed {
    if (this.store.failed(job.run)) return { reports: [] }; // sent before the failure was known
    this.at = job.after;
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
      const bad = firstNonFinite(output);
      if (bad) return { reports, failure: this.failRun(job, bad, step) };
      for (const [name, value] of output.values) this.store.record(job.run, name, step, value);
      if (job.kind === 'step') run.steps++;
      if (job.kind === 'step' || output.values.size > 0)
        reports.push({
          kind: job.kind === 'step' ? 'step' : 'eval',
          run: job.run,
          phase: job.phase,
          step,
          steps: job.steps,
          values: Object.fromEntries(output.values),
        });
    }
    return { reports };
  }

  /** Marks the run as failed; the error is for runs that may not fail. */
  private failRun(job: Job, bad: NonFinite, step: number): SaddleError | undefined {
    const entry = job.entry === undefined ? undefined : this.entries.get(job.entry);
    const place = entry?.outputs.find((o) => o.name === bad.name)?.place;
    const value = Number.isNaN(bad.value) ? 'not a number' : bad.value > 0 ? 'infinite' : 'minus infinite';
    const when =
      job.kind === 'step' ? `at step ${step}` : job.kind === 'check' ? `after step ${step}` : `after ${step} updates`;
    const reason = `${job.entry === undefined ? 'cell ' : ''}'${bad.name}' is ${value} ${when}`;
    this.store.run(job.run).status = { state: 'failed', reason };
    const declared = this.bundle.runs.find((r) => r.name === job.run);
    // Runs read what the file level computes, so they fail with it.
    if (!declared) for (const run of this.store.runs.values()) run.status = { state: 'failed', reason };
    if (declared?.mayFail) return undefined;
    return new SaddleError(
      error('OPT709', undefined, declared?.name ? `${reason}, in run '${declared.name}'` : reason, {
        place,
        hint: 'a smaller step size, or a guard before a logarithm, a division or an exponential, is the usual mend',
      }),
    );
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
        const [output] = await this.backend.submit(id, [this.scalars(phase.run, step, steps)]);
        const values = found.get(phase.run) ?? new Map<string, number>();
        found.set(phase.run, values);
        for (const [name, value] of output.values) values.set(name, value);
      }
    }
    return found;
  }

  /** Calls an exported function. Arguments are row-major numbers, flat. Throws OPT850 (unknown name), OPT852 (wrong arguments). */
  async call(
    name: string,
    args: Readonly<Record<string, NumberArray | readonly number[]>>,
  ): Promise<Record<string, NumberArray>> {
    const found = this.bundle.exports.find((e) => e.name === name);
    const entry = found && this.entries.get(found.entry);
    if (!entry)
      return this.unknown(
        `the program exports no '${name}'`,
        name,
        this.bundle.exports.map((e) => e.name),
      );
    const inputs: [string, NumberArray][] = entry.inputs.map((input) => {
      const given = Object.hasOwn(args, input.name) ? args[input.name] : undefined;
      const shape = `${input.type.dtype}[${input.type.shape.join(', ')}]`;
      if (!given) return fail('OPT852', undefined, `'${name}' needs the argument '${input.name}: ${shape}'`);
      if (given.length !== elements(input.type))
        fail(
          'OPT852',
          undefined,
          `argument '${input.name}' of '${name}' is ${shape}: ${elements(input.type)} numbers expected, ${given.length} given`,
        );
      return [input.name, ArrayBuffer.isView(given) ? given : Float64Array.from(given)];
    });
    for (const given of Object.keys(args))
      if (!entry.inputs.some((i) => i.name === given))
        this.unknownArgument(
          name,
          given,
          entry.inputs.map((i) => i.name),
        );
    const run = this.bundle.runs.length === 1 ? this.bundle.runs[0].name : '';
    return this.backend.call(entry.id, Object.fromEntries(inputs), this.scalars(run, 0, 1));
  }

  private unknownArgument(name: string, given: string, known: readonly string[]): never {
    return fail('OPT852', undefined, `'${name}' has no argument '${given}'`, {
      hint: didYouMean(given, known) ?? `its arguments are ${known.join(', ')}`,
    });
  }

  private unknown(message: string, name: string, known: readonly string[]): never {
    return fail('OPT850', undefined, message, {
      hint: didYouMean(name, known) ?? (known.length > 0 ? `there are ${known.slice(0, 12).join(', ')}` : undefined),
    });
  }

  /** Cells of a model (by its name, `Features` or `dann.Features`) or one cell (by its id). Throws OPT850 for unknown names. */
  async get(name: string): Promise<Record<string, Tensor>> {
    const ids = this.cellsOf(name);
    const values = await this.backend.readCells(ids);
    const types = new Map(this.bundle.cells.map((c) => [c.id, c.type]));
    return Object.fromEntries(
      ids.map((id) => [id, { type: types.get(id) as TensorType, values: values.get(id) as NumberArray }]),
    );
  }

  /** Writes cells of a model, or one cell, as `get` names them. Cells left out stay. Throws OPT850, OPT852. */
  async set(name: string, values: Readonly<Record<string, NumberArray | readonly number[]>>): Promise<void> {
    this.refuseWhileBusy();
    const ids = this.cellsOf(name);
    const written = new Map<string, NumberArray>();
    for (const [id, array] of Object.entries(values)) {
      if (!ids.includes(id)) this.unknown(`'${name}' has no cell '${id}'`, id, ids);
      const type = this.bundle.cells.find((c) => c.id === id)?.type as TensorType;
      if (array.length !== elements(type))
        fail('OPT852', undefined, `cell '${id}': ${elements(type)} numbers expected, ${array.length} given`);
      written.set(id, ArrayBuffer.isView(array) ? array : Float64Array.from(array));
    }
    await this.backend.writeCells(written);
  }

  private cellsOf(name: string): readonly string[] {
    const model = this.bundle.models.find((m) => m.name === name);
    if (model) return model.cells;
    if (this.bundle.cells.some((c) => c.id === name)) return [name];
    return this.unknown(`the program has no model or cell '${name}'`, name, [
      ...this.bundle.models.map((m) => m.name),
      ...this.bundle.cells.map((c) => c.id),
    ]);
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
  async restore(bytes: Uint8Array, given: Pick<StartOptions, 'seed' | 'hypers' | 'steps'> = {}): Promise<void> {
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
