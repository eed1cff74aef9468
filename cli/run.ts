/**
 * `saddle run FILE`: compiles a spec, runs it with all the seeds that its claims need, shows how it goes, and writes a run folder.
 * `runSpec` is shared with `saddle test`, which writes no folder.
 */
import path from 'node:path';
import type { Bundle } from '../compiler/bundle/format.ts';
import { InternalError, SaddleError } from '../compiler/diagnostics/diagnostic.ts';
import type { Backend, DeviceInfo } from '../runtime/backend.ts';
import type { OpenDevice } from '../runtime/device/device.ts';
import { deviceChoice, readSettings, type DeviceChoice } from '../runtime/host/settings.ts';
import { decideClaims, seedsOf } from '../runtime/report/claims.ts';
import type { Results } from '../runtime/session-results.ts';
import { defaultSeed } from '../runtime/session.ts';
import { readCall, writeCall, type Call } from './call.ts';
import { compileSpec, type Compiled } from './compile.ts';
import { Display } from './display.ts';
import { execute } from './execute.ts';
import { Interrupts } from './interrupts.ts';
import { exitCodeOf, exitCodes, type ExitCode } from './outcome.ts';
import { writeReport } from './report.ts';
import { folderToResume, RunFolder } from './run-folder.ts';
import { describeData, describeLoads, openSpec, overridesBySource, type Opened, type Spec } from './spec.ts';
import { describeErrors, describeExecution, type RunDocument } from './summary.ts';
import { note, printDiagnostics, printJson } from './terminal.ts';

/** Options of `run` as the command line gives them. */
export interface RunOptions {
  readonly set: readonly string[];
  readonly data: readonly string[];
  readonly load?: readonly string[];
  readonly steps?: string;
  readonly seed?: string;
  readonly device?: string;
  readonly resume?: string | true;
  readonly out?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  /** Warnings are not shown. */
  readonly errorsOnly?: boolean;
}

export interface RunOutcome {
  readonly exit: ExitCode;
  readonly document: RunDocument;
  /** By seed; of a run that did not begin, none. */
  readonly results: ReadonlyMap<number, Results>;
}

/** What callers of several runs give to each. */
export interface Given {
  /** An open device, which stays the caller's. */
  readonly device?: OpenDevice;
  /** Seeds to run beside those of the claims. The first is that of claims without seeds of their own. */
  readonly seeds?: readonly number[];
}

/** The command. */
export async function runCommand(file: string, options: RunOptions): Promise<ExitCode> {
  const { exit, document } = await runSpec(file, { ...options, errorsOnly: options.quiet }, 'run');
  if (options.json) printJson(document);
  return exit;
}

/** What a run has got hold of so far: closed at its end, and told in its document, however it ends. */
interface Progressing {
  document: RunDocument;
  results: ReadonlyMap<number, Results>;
  spec?: Spec;
  folder?: RunFolder;
  device?: OpenDevice;
  backend?: Backend;
}

/** Runs one spec. User errors are shown and end up in the outcome; bugs are thrown. A test shows nothing else and writes no run folder. */
export async function runSpec(
  file: string,
  options: RunOptions,
  mode: 'run' | 'test',
  given: Given = {},
): Promise<RunOutcome> {
  const opened: Opened = new Map();
  const got: Progressing = { document: { status: 'failed', file }, results: new Map(), device: given.device };
  const interrupts = new Interrupts();
  const name = path.basename(file).replace(/\.opt$/, '');
  let call: Call | undefined;
  try {
    const resumed = resumedFolder(options, name);
    const read = readCall(options, resumed);
    call = given.seeds ? { ...read, seeds: given.seeds } : read;
    const prepared = await prepare(file, options, call, opened, got);
    if (mode === 'run') {
      got.folder = resumed === undefined ? RunFolder.create(options.out, name) : RunFolder.reopen(resumed);
      if (resumed === undefined) writeCall(got.folder.path, file, call);
      got.document = { ...got.document, out: got.folder.path };
    }
    const exit = await perform(name, prepared, options, call, resumed !== undefined, interrupts, opened, got);
    conclude(name, call, got);
    return { exit, document: got.document, results: got.results };
  } catch (cause) {
    if (!(cause instanceof SaddleError)) throw cause;
    printDiagnostics(cause.diagnostics, opened, options.errorsOnly);
    got.document = { ...got.document, ...describeErrors(cause.diagnostics, opened) };
    try {
      conclude(name, call, got, cause);
    } catch (second) {
      // A folder that cannot be written is told once: it is what ended the run, or what comes after.
      if (!(second instanceof SaddleError)) throw second;
    }
    return { exit: exitCodeOf(cause.diagnostics), document: got.document, results: got.results };
  } finally {
    interrupts.dispose();
    got.folder?.close();
    await got.backend?.dispose();
    if (!given.device) got.device?.close();
  }
}

/** Writes `summary.json` and `report.html`, if there is a folder. */
function conclude(title: string, call: Call | undefined, got: Progressing, failure?: SaddleError): void {
  if (!got.folder) return;
  got.folder.summary(got.document);
  if (!call || !got.spec) return;
  const { spec, document, results } = got;
  writeReport(got.folder, { title, spec, call, document, results, failure: failure?.diagnostics[0] });
}

function resumedFolder(options: RunOptions, name: string): string | undefined {
  if (options.resume === undefined) return undefined;
  return folderToResume(options.resume === true ? undefined : options.resume, options.out, name);
}

interface Prepared {
  readonly spec: Spec;
  /** Paths of `--data` by source. */
  readonly overrides: ReadonlyMap<string, string>;
  readonly bundle: Bundle;
  readonly device: DeviceInfo;
}

/** Opens the spec, its data sources and the device, and compiles for that device. */
async function prepare(
  file: string,
  options: RunOptions,
  call: Call,
  opened: Opened,
  got: Progressing,
): Promise<Prepared> {
  const choice = options.device === undefined ? readSettings().device : deviceChoice(options.device);
  const spec = openSpec(file, opened);
  got.spec = spec;
  const overrides = overridesBySource(spec, call.set, call.data);
  // Sources are described while the device is opened. A wrong spec is told before a missing device: without a device it is compiled just for that.
  const [described, device] = await Promise.allSettled([
    describeData(spec, overrides, true, call.set),
    got.device ?? (choice === 'reference' ? undefined : openDevice(choice)),
  ]);
  if (device.status === 'fulfilled') got.device = device.value;
  if (described.status === 'rejected') throw described.reason;
  if (described.value.diagnostics.length > 0) throw new SaddleError(described.value.diagnostics);
  const weights = await describeLoads(spec, call.load, overrides);
  const request = { set: call.set, infos: described.value.infos, profile: got.device?.profile, weights };
  const compiled = compileSpec(spec, opened, { ...request, stage: device.status === 'rejected' ? 'check' : 'bundle' });
  if (device.status === 'rejected') throw device.reason;
  printDiagnostics(compiled.diagnostics, opened, options.errorsOnly);
  if (!compiled.bundle) throw new InternalError('the compiler gave no bundle');
  if (!got.device) got.backend = await referenceBackend(compiled);
  const info = got.device?.info ?? got.backend?.info;
  if (!info) throw new InternalError('neither a device nor a backend');
  got.document = { ...got.document, device: info };
  return { spec, overrides, bundle: compiled.bundle, device: info };
}

/** Runs all seeds and decides the claims; the document is in `got`. */
async function perform(
  name: string,
  { spec, overrides, bundle, device }: Prepared,
  options: RunOptions,
  call: Call,
  resume: boolean,
  interrupts: Interrupts,
  opened: Opened,
  got: Progressing,
): Promise<ExitCode> {
  const seeds = seedsToRun(bundle.claims, call.seeds ?? (call.seed === undefined ? [] : [call.seed]));
  const display = new Display(options, device, { name, seeds });
  const several = {
    runs: bundle.runs.some((r) => r.name !== ''),
    phases: bundle.runs.some((r) => bundle.schedule.filter((p) => p.kind === 'train' && p.run === r.name).length > 1),
  };
  const executed = await execute({
    bundle,
    on: got.device ? { device: got.device } : { backend: got.backend },
    host: spec.host,
    overrides,
    seeds,
    steps: call.steps,
    folder: got.folder,
    resume,
    interrupts,
    onStart: (session, seed, done) => {
      printDiagnostics(session.warnings.splice(0), opened, options.errorsOnly);
      display.start(session.totalSteps, done, seed);
    },
    onReport: (report, seed) => {
      got.folder?.record(report, { ...several, seed: seeds.length > 1 ? seed : undefined });
      display.progress?.report(report);
    },
  });
  display.end();
  got.results = executed.results;
  got.document = { ...got.document, ...describeExecution(bundle, executed, seeds[0]) };
  if (executed.failure) throw executed.failure;
  if (executed.interrupted) {
    if (got.folder) {
      const again = `saddle run ${quoted(got.document.file)} --resume ${quoted(got.folder.path)}`;
      note(`interrupted; the state was saved. Go on with:\n  ${again}`);
    } else note('interrupted');
    got.document = { ...got.document, status: 'interrupted' };
    return exitCodes.interrupted;
  }
  const expects = decideClaims(bundle, executed.results, call.seeds?.[0] ?? call.seed ?? defaultSeed);
  const pass = expects.every((claim) => claim.pass);
  got.document = { ...got.document, status: pass ? 'ok' : 'failed', expects };
  if (got.folder) display.results(executed, seeds[0], got.document);
  return pass ? exitCodes.ok : exitCodes.claim;
}

/** The driver is loaded only when a program runs, so that other commands start fast. */
async function openDevice(choice: DeviceChoice): Promise<OpenDevice> {
  const driver = await import('../runtime/host/driver.ts');
  return driver.openDevice(choice);
}

async function referenceBackend(compiled: Compiled): Promise<Backend> {
  const { createReferenceBackend } = await import('../runtime/reference/backend.ts');
  return createReferenceBackend(compiled.program);
}

/** Those given, first, and those of the claims; without any, the default. */
function seedsToRun(claims: Parameters<typeof seedsOf>[0], given: readonly number[]): number[] {
  return [...new Set([...given, ...seedsOf(claims, given[0] ?? defaultSeed)])];
}

/** For a shell. */
function quoted(text: string): string {
  return /^[\w./@%+=:,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
