/**
 * `saddle verify FILE`: proves things about a run: that a resumed run is the same (`--resume`), that the device computes what the float64 reference does
 * (`--targets`), that gradients are derivatives (`--gradients`). Without any of them, all three. A few steps of every phase, no run folder.
 */
import { compileProgram } from '../../compiler/emit/bundle.ts';
import { InternalError, SaddleError, fail } from '../../compiler/diagnostics/diagnostic.ts';
import type { Program } from '../../compiler/ir/program.ts';
import { optimizeProgram } from '../../compiler/passes/program.ts';
import { renderJson } from '../../compiler/diagnostics/render.ts';
import type { Span } from '../../compiler/source/source.ts';
import type { Bundle, Place } from '../../compiler/bundle/format.ts';
import type { Backend } from '../../runtime/backend.ts';
import { createExecutor } from '../../runtime/device/executor.ts';
import type { OpenDevice } from '../../runtime/device/device.ts';
import { deviceChoice, readSettings } from '../../runtime/host/settings.ts';
import { createReferenceBackend } from '../../runtime/reference/backend.ts';
import { defaultSeed, load, type Session } from '../../runtime/session.ts';
import { readCall, type Call } from '../call.ts';
import { compileSpec, type Compiled } from '../compile.ts';
import { dataLoader } from '../execute.ts';
import { exitCodes, type ExitCode } from '../outcome.ts';
import { describeData, openSpec, overridesBySource, type Opened } from '../spec.ts';
import { failed } from '../summary.ts';
import { coloursFor, print, printDiagnostics, printJson } from '../terminal.ts';
import type { Check } from './checks.ts';
import { verifyGradients } from './gradients.ts';
import { verifyResume } from './resume.ts';
import { verifyTargets } from './targets.ts';

export interface VerifyOptions {
  readonly resume?: boolean;
  readonly targets?: boolean;
  readonly gradients?: boolean;
  readonly tolerance?: string;
  readonly set: readonly string[];
  readonly data: readonly string[];
  readonly steps?: string;
  readonly seed?: string;
  readonly device?: string;
  readonly json?: boolean;
}

/** Steps of every phase: enough for momentum and schedules to show, few enough for the interpreter. */
const STEPS = 6;
const TOLERANCE = 1e-3;
const DIRECTIONS = 2;

type Proof = 'resume' | 'targets' | 'gradients';

export async function verifyCommand(file: string, options: VerifyOptions): Promise<ExitCode> {
  const opened: Opened = new Map();
  let device: OpenDevice | undefined;
  try {
    const call = readCall(options, undefined);
    const tolerance = readTolerance(options.tolerance);
    const choice = options.device === undefined ? readSettings().device : deviceChoice(options.device);
    const wanted = proofs(options, choice === 'reference');
    const spec = openSpec(file, opened);
    const overrides = overridesBySource(spec, call.set, call.data);
    const { infos, diagnostics } = await describeData(spec, overrides, true, call.set);
    if (diagnostics.length > 0) throw new SaddleError(diagnostics);
    if (choice !== 'reference' && wanted.some((proof) => proof !== 'gradients'))
      device = await (await import('../../runtime/host/driver.ts')).openDevice(choice);
    const compiled = compileSpec(spec, opened, { set: call.set, infos, stage: 'bundle', profile: device?.profile });
    printDiagnostics(compiled.diagnostics, opened);
    const prover = new Prover(compiled, call, device, dataLoader(spec.host, overrides), tolerance);
    const checks: [Proof, Check][] = [];
    for (const proof of wanted) {
      const check = await prover.prove(proof);
      checks.push([proof, check]);
      if (!options.json) for (const line of lines(proof, check)) print(line);
      printDiagnostics(check.diagnostics, opened);
    }
    return conclude(file, options, device, checks, opened);
  } catch (cause) {
    return failed(cause, file, opened, options);
  } finally {
    device?.close();
  }
}

function readTolerance(text: string | undefined): number {
  if (text === undefined) return TOLERANCE;
  const value = Number(text);
  if (text.trim() !== '' && value > 0 && Number.isFinite(value)) return value;
  return fail('OPT803', undefined, `--tolerance takes a positive number, not '${text}'`, {
    hint: 'the accepted difference relative to the size of a tensor, for instance 1e-3',
  });
}

/** The proofs asked for; all where none is named. */
function proofs(options: VerifyOptions, onReference: boolean): Proof[] {
  const all: Proof[] = ['resume', 'targets', 'gradients'];
  const named = all.filter((proof) => options[proof]);
  if (onReference && named.includes('targets'))
    fail('OPT803', undefined, '--targets compares a device with the reference, and --device reference is no device');
  if (named.length > 0) return named;
  return onReference ? ['resume', 'gradients'] : all;
}

class Prover {
  private readonly compiled: Compiled;
  private readonly bundle: Bundle;
  private readonly call: Call;
  private readonly device: OpenDevice | undefined;
  private readonly data: ReturnType<typeof dataLoader>;
  private readonly tolerance: number;

  constructor(
    compiled: Compiled,
    call: Call,
    device: OpenDevice | undefined,
    data: ReturnType<typeof dataLoader>,
    tolerance: number,
  ) {
    if (!compiled.bundle) throw new InternalError('the compiler gave no bundle');
    this.compiled = compiled;
    this.bundle = compiled.bundle;
    this.call = call;
    this.device = device;
    this.data = data;
    this.tolerance = tolerance;
  }

  prove(proof: Proof): Promise<Check> {
    const { program } = this.compiled;
    const locate = (span: Span) => this.locate(span);
    switch (proof) {
      case 'resume':
        return verifyResume(this.bundle, (resume) => this.start(this.bundle, undefined, resume));
      case 'targets':
        return verifyTargets({
          program,
          tolerance: this.tolerance,
          onDevice: (p) => this.onDevice(p),
          start: (bundle, backend) => this.start(bundle, backend),
          locate,
        });
      case 'gradients':
        return verifyGradients({
          program,
          start: (backend) => this.start(this.bundle, backend),
          locate,
          directions: DIRECTIONS,
        });
    }
  }

  private start(bundle: Bundle, backend: Backend | undefined, resume?: Uint8Array): Promise<Session> {
    const on = backend
      ? { backend }
      : this.device
        ? { device: this.device }
        : { backend: createReferenceBackend(this.compiled.program) };
    const { seed = defaultSeed, steps = STEPS } = this.call;
    return load(bundle).start({ ...on, data: this.data, seed, steps, resume });
  }

  private async onDevice(program: Program): Promise<{ readonly bundle: Bundle; readonly backend: Backend }> {
    if (!this.device) throw new InternalError('a proof on a device, and none is open');
    const own = program === this.compiled.program;
    const limits = this.device.profile;
    const bundle = own ? this.bundle : compileProgram(optimizeProgram(program), { limits });
    return { bundle, backend: await createExecutor(bundle, this.device) };
  }

  private locate(span: Span): Place | undefined {
    const source = this.compiled.sources.get(span.file);
    const at = source?.position(span.start);
    return source && at && { file: span.file, ...at, text: source.line(at.line) };
  }
}

const titles: Readonly<Record<Proof, string>> = {
  resume: 'a resumed run is the same',
  targets: 'the device computes what the reference does',
  gradients: 'gradients are derivatives',
};

function lines(proof: Proof, check: Check): string[] {
  const c = coloursFor(process.stdout);
  const mark = check.nothing ? c.yellow('none  ') : check.ok ? c.green('ok    ') : c.red('FAILED');
  return [
    `${mark}  ${titles[proof]}${check.nothing ? ': not shown, nothing was compared' : ''}`,
    ...check.lines.map((line) => `        ${line}`),
  ];
}

function conclude(
  file: string,
  options: VerifyOptions,
  device: OpenDevice | undefined,
  checks: readonly (readonly [Proof, Check])[],
  opened: Opened,
): ExitCode {
  const ok = checks.every(([, check]) => check.ok);
  const diagnostics = checks.flatMap(([, check]) => check.diagnostics).map((d) => renderJson(d, opened));
  if (options.json)
    printJson({
      status: ok ? 'ok' : 'failed',
      file,
      device: device?.info,
      checks: Object.fromEntries(checks.map(([proof, { details }]) => [proof, details])),
      ...(diagnostics.length > 0 ? { error: diagnostics[0], diagnostics } : {}),
    });
  return ok ? exitCodes.ok : exitCodes.run;
}
