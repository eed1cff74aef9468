/**
 * `saddle profile FILE`: what a step costs, kernel by kernel, at the lines of the spec. Trains a few steps first, so that caches are warm and values are those
 * of a run; then each kernel is timed by itself. No run folder.
 */
import type { Bundle, BundleKernel, BundlePhase } from '../compiler/bundle/format.ts';
import { InternalError, SaddleError, fail } from '../compiler/diagnostics/diagnostic.ts';
import type { OpenDevice } from '../runtime/device/device.ts';
import { createExecutor, type Executor } from '../runtime/device/executor.ts';
import { deviceChoice, readSettings } from '../runtime/host/settings.ts';
import { show } from '../runtime/report/numbers.ts';
import { scalarsAt } from '../runtime/session-scalars.ts';
import { defaultSeed, load, type Session } from '../runtime/session.ts';
import { readCall, type Call } from './call.ts';
import { compileSpec } from './compile.ts';
import { dataLoader } from './execute.ts';
import { exitCodes, type ExitCode } from './outcome.ts';
import { describeData, openSpec, overridesBySource, type Opened } from './spec.ts';
import { failed } from './summary.ts';
import { tableLines } from './table.ts';
import { coloursFor, print, printDiagnostics, printJson, shown } from './terminal.ts';

export interface ProfileOptions {
  readonly set: readonly string[];
  readonly data: readonly string[];
  readonly steps?: string;
  readonly seed?: string;
  readonly device?: string;
  readonly json?: boolean;
}

/** Steps of every phase before the kernels are timed. */
const STEPS = 5;

/** A kernel of an entry, as in the document of `--json`. */
interface Line {
  readonly kernel: string;
  readonly label: string;
  readonly place?: { readonly file: string; readonly line: number; readonly text: string };
  /** Dispatches in one execution, milliseconds of one, and of all of them as a share of the execution. */
  readonly dispatches: number;
  readonly ms: number;
  readonly share: number;
}

interface EntryProfile {
  readonly entry: string;
  readonly kind: 'step' | 'eval';
  readonly ms: number;
  readonly kernels: readonly Line[];
}

export async function profileCommand(file: string, options: ProfileOptions): Promise<ExitCode> {
  const opened: Opened = new Map();
  let device: OpenDevice | undefined;
  try {
    const call = readCall(options, undefined);
    const choice = options.device === undefined ? readSettings().device : deviceChoice(options.device);
    if (choice === 'reference')
      fail('OPT803', undefined, 'profile times the kernels of a device, and --device reference has none');
    const spec = openSpec(file, opened);
    const overrides = overridesBySource(spec, call.set, call.data);
    const { infos, diagnostics } = await describeData(spec, overrides, true, call.set);
    if (diagnostics.length > 0) throw new SaddleError(diagnostics);
    device = await (await import('../runtime/host/driver.ts')).openDevice(choice);
    const { profile } = device;
    const compiled = compileSpec(spec, opened, { set: call.set, infos, stage: 'bundle', profile });
    printDiagnostics(compiled.diagnostics, opened);
    if (!compiled.bundle) throw new InternalError('the compiler gave no bundle');
    await profileBundle(file, compiled.bundle, options, { call, device, data: dataLoader(spec.host, overrides) });
    return exitCodes.ok;
  } catch (cause) {
    return failed(cause, file, opened, options);
  } finally {
    device?.close();
  }
}

interface On {
  readonly call: Call;
  readonly device: OpenDevice;
  readonly data: ReturnType<typeof dataLoader>;
}

async function profileBundle(file: string, bundle: Bundle, options: ProfileOptions, on: On): Promise<void> {
  const { seed = defaultSeed, steps = STEPS } = on.call;
  const executor = await createExecutor(bundle, on.device);
  try {
    const session = await load(bundle).start({ backend: executor, data: on.data, seed, steps });
    const step = await trainTimed(session);
    const entries: EntryProfile[] = [];
    let clock = 'submissions';
    for (const { entry, kind, phase } of timedEntries(bundle)) {
      const offset = bundle.runs.find((r) => r.name === phase.run)?.seed ?? 0;
      const scalars = scalarsAt(bundle, new Map(), (seed + offset) >>> 0, Math.max(0, steps - 1), steps);
      const timed = await executor.time(entry, scalars);
      clock = timed.clock;
      entries.push(entryProfile(bundle, entry, kind, timed.kernels));
    }
    await session.dispose();
    const document = { status: 'ok', file, device: on.device.info, clock, steps: session.totalSteps, ms_per_step: step, entries }; // prettier-ignore
    if (options.json) printJson(document);
    else for (const line of lines(document.entries, step, clock)) print(line);
  } finally {
    await executor.dispose();
  }
}

/** Milliseconds of a step of the whole schedule, evals included; NaN where nothing is trained. */
async function trainTimed(session: Session): Promise<number> {
  let steps = 0;
  let start = performance.now();
  for await (const report of session.train()) {
    if (report.kind !== 'step') continue;
    // The first step compiles kernels.
    if (steps === 0) start = performance.now();
    steps++;
  }
  return steps > 1 ? (performance.now() - start) / (steps - 1) : NaN;
}

type Train = Extract<BundlePhase, { kind: 'train' }>;

/** The entries that a training executes again and again: steps and evals, each once. */
function timedEntries(bundle: Bundle): { entry: string; kind: 'step' | 'eval'; phase: Train }[] {
  const found = new Map<string, { entry: string; kind: 'step' | 'eval'; phase: Train }>();
  for (const phase of bundle.schedule) {
    if (phase.kind !== 'train') continue;
    if (!found.has(phase.entry)) found.set(phase.entry, { entry: phase.entry, kind: 'step', phase });
    for (const { entry } of phase.evals) if (!found.has(entry)) found.set(entry, { entry, kind: 'eval', phase });
  }
  // What is computed in float64 by the host has no kernels.
  return [...found.values()].filter(({ entry }) => bundle.entries.some((e) => e.id === entry && !e.exact));
}

type Timed = Awaited<ReturnType<Executor['time']>>['kernels'];

function entryProfile(bundle: Bundle, entry: string, kind: 'step' | 'eval', kernels: Timed): EntryProfile {
  const total = kernels.reduce((sum, k) => sum + k.times * k.milliseconds, 0);
  const lines = kernels.map((k) => {
    const kernel = bundle.kernels.find((other) => other.id === k.kernel) as BundleKernel;
    const [place] = kernel.places;
    return {
      kernel: k.kernel,
      label: kernel.label,
      place: place && { file: place.file, line: place.line, text: place.text.trim() },
      dispatches: k.times,
      ms: k.milliseconds,
      share: total > 0 ? (k.times * k.milliseconds) / total : 0,
    };
  });
  return { entry, kind, ms: total, kernels: lines.sort((a, b) => b.share - a.share) };
}

function lines(entries: readonly EntryProfile[], step: number, clock: string): string[] {
  const c = coloursFor(process.stdout);
  const head = ['share', 'ms', 'times', 'kernel', 'at', ''];
  const tables = entries.flatMap(({ entry, kind, ms, kernels }) => [
    '',
    `${c.bold(entry)}: ${show(Number(ms.toPrecision(3)))} ms ${kind === 'step' ? 'a step' : 'an eval'} in its kernels`,
    ...tableLines(
      head,
      kernels.map((k) => [
        `${(100 * k.share).toFixed(1)}%`,
        show(Number(k.ms.toPrecision(3))),
        String(k.dispatches),
        k.label,
        k.place ? `${shown(k.place.file)}:${k.place.line}` : '',
        k.place ? shown(k.place.text.slice(0, 60)) : '',
      ]),
    ),
  ]);
  const how = clock === 'timestamps' ? "the device's timestamps" : 'submissions of repeated kernels';
  const whole = Number.isFinite(step) ? `${show(Number(step.toPrecision(3)))} ms a step as trained, evals included; ` : ''; // prettier-ignore
  return [`${whole}kernels timed one by one, by ${how}`, ...tables];
}
