#!/usr/bin/env node
/**
 * The command `saddle`: reads the command line and hands over to one command, which is loaded only then (so that `check`, `fmt` and
 * `explain CODE` start fast). Ends the process with the exit codes of `outcome.ts`; a stack trace is shown only with SADDLE_DEBUG.
 */
import { Command, CommanderError, Option } from 'commander';
import { SaddleError, error, type Diagnostic } from '../compiler/diagnostics/diagnostic.ts';
import { renderJson } from '../compiler/diagnostics/render.ts';
import { exitCodeOf, exitCodes, type ExitCode } from './outcome.ts';
import { printDiagnostics, printJson } from './terminal.ts';
import { version } from './version.ts';
import type { WatchOptions } from './watch.ts';

const collect = (value: string, before: string[]): string[] => [...before, value];
const set = () =>
  new Option('--set <NAME=VALUE>', 'value of a dim or hyper of the spec (repeatable)')
    .argParser(collect)
    .default([], '');
const data = () =>
  new Option('--data <NAME=PATH>', 'file or named set for a data declaration (repeatable)')
    .argParser(collect)
    .default([], '');
const load = () =>
  new Option(
    '--load <MODEL=FILE>',
    'initial values of a model: .safetensors, or model.json of TensorFlow.js (repeatable)',
  )
    .argParser(collect)
    .default([], '');
const sweep = () =>
  new Option('--sweep <NAME=V1,V2>', 'one run for each value of a dim or hyper; repeated, for each combination')
    .argParser(collect)
    .default([], '');
const watch = () => new Option('--watch', 'again whenever a file of the spec changes, until Ctrl-C');
const device = () =>
  new Option(
    '--device <CHOICE>',
    'auto, gpu, hardware, lavapipe, swiftshader or reference (default: SADDLE_DEVICE, else auto)',
  );
const json = () => new Option('--json', 'one JSON document on standard output, everything else on standard error');
const quiet = () => new Option('--quiet', 'errors and failing claims only');
const seed = () => new Option('--seed <N>', 'seed of all random draws (default 1)');
const steps = () => new Option('--steps <N>', 'length of every train phase');

/** Exit code of the command that ran, and the command line. */
let exit: ExitCode = exitCodes.ok;
let given: readonly string[] = [];

async function watching(paths: readonly string[], options: WatchOptions): Promise<ExitCode> {
  const { filesOf, watch: watchFiles } = await import('./watch.ts');
  const { specFiles } = await import('./paths.ts');
  return watchFiles(() => specFiles(paths).flatMap(filesOf), given, options);
}

function program(): Command {
  const saddle = new Command('saddle')
    .description('Saddle: declarative optimization, compiled to fused WebGPU kernels.')
    .version(version(), '-V, --version', 'version of the package')
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .helpCommand(false)
    .addHelpText(
      'after',
      '\nExit codes: 0 ok, 1 wrong source, 2 wrong call, 3 the run failed, 4 an expect does not hold, 70 a bug of Saddle.',
    );

  saddle
    .command('run <FILE>')
    .description('train or solve a spec; writes a run folder (log.jsonl, checkpoint, summary.json)')
    .addOption(set())
    .addOption(steps())
    .addOption(seed())
    .addOption(device())
    .addOption(data())
    .addOption(load())
    .option('--resume [DIR]', 'go on with an earlier run: its folder, or the latest of this spec')
    .option('--out <DIR>', 'the run folder (default: runs/NAME-N)')
    .addOption(sweep())
    .option('--seeds <LIST>', 'several seeds: 1..=3, 1..3 (half open) or 1,5,7; shows mean and spread')
    .addOption(watch())
    .addOption(json())
    .addOption(quiet())
    .action(async (file: string, options) => {
      if (options.watch) exit = await watching([file], options);
      else if (options.sweep.length > 0 || options.seeds !== undefined)
        exit = await (await import('./sweep.ts')).sweepCommand(file, options);
      else exit = await (await import('./run.ts')).runCommand(file, options);
    });
  saddle
    .command('check <FILE...>')
    .description('check specs without a device')
    .addOption(set())
    .addOption(data())
    .addOption(watch())
    .addOption(json())
    .addOption(quiet())
    .action(async (files: string[], options) => {
      if (options.watch) exit = await watching(files, options);
      else exit = await (await import('./check.ts')).checkCommand(files, options);
    });
  saddle
    .command('test <PATH...>')
    .description('run specs and decide their expects; folders are searched for .opt files')
    .option('--solvers', 'try every solver of the library that fits on each problem, graded by its expects')
    .option('--no-solvers', 'only the solvers that the specs name, also of a folder of problems with known answers')
    .option('--seconds <N>', 'grading solvers: time of one solver on one problem (default 10)')
    .addOption(set())
    .addOption(steps())
    .addOption(seed())
    .addOption(device())
    .addOption(data())
    .addOption(load())
    .addOption(json())
    .addOption(quiet())
    .action(async (paths: string[], options) => {
      if (options.solvers) exit = await (await import('./grade/command.ts')).gradeCommand(paths, options);
      else exit = await (await import('./test.ts')).testCommand(paths, options);
    });
  saddle
    .command('runs [DIR...]')
    .description('compare run folders (default: those below runs/): settings that differ, last values, claims')
    .option('--metrics <NAMES>', 'only these metrics and reports, with commas between')
    .addOption(json())
    .action(async (folders: string[], options) => {
      exit = (await import('./runs.ts')).runsCommand(folders, options);
    });
  saddle
    .command('verify <FILE>')
    .description(
      'prove that a run resumes bit for bit, that the device computes what the float64 reference does, that gradients are derivatives',
    ) // prettier-ignore
    .option('--resume', 'N steps are k steps, a checkpoint, and N - k steps, bit for bit')
    .option('--targets', 'every execution against the float64 reference; names the first tensor that differs')
    .option('--gradients', 'derivatives of every objective against finite differences in float64')
    .option('--tolerance <X>', 'accepted difference of --targets, relative to the size of a tensor (default 1e-3)')
    .addOption(set())
    .option('--steps <N>', 'length of every train phase (default 6)')
    .addOption(seed())
    .addOption(device())
    .addOption(data())
    .addOption(json())
    .action(async (file: string, options) => {
      exit = await (await import('./verify/command.ts')).verifyCommand(file, options);
    });
  saddle
    .command('build <FILE>')
    .description('the compiled program as an ES module with its types, for pages and for Node')
    .requiredOption('-o, --output <DIR>', 'where the module and the runtime are written')
    .option('--from <RUN>', 'only the exported functions, with the parameters of this run folder or checkpoint')
    .addOption(set())
    .addOption(data())
    .addOption(json())
    .action(async (file: string, options) => {
      exit = await (await import('./build.ts')).buildCommand(file, options);
    });
  saddle
    .command('profile <FILE>')
    .description('what a step costs, kernel by kernel, at the lines of the spec')
    .addOption(set())
    .option('--steps <N>', 'steps of every phase before the kernels are timed (default 5)')
    .addOption(seed())
    .addOption(device())
    .addOption(data())
    .addOption(json())
    .action(async (file: string, options) => {
      exit = await (await import('./profile.ts')).profileCommand(file, options);
    });
  saddle
    .command('explain <CODE|FILE>')
    .description('the meaning of a diagnostic, or a program after a stage of the compiler')
    .option('--stage <STAGE>', 'ast, updates (default), program, graph, optimized, kernels, wgsl, plan or cost')
    .option('--math [FORM]', 'the problems of a spec as mathematics: text (default) or latex')
    .addOption(set())
    .addOption(data())
    .addOption(json())
    .action(async (what: string, options) => {
      exit = await (await import('./explain.ts')).explainCommand(what, options);
    });
  saddle
    .command('graph <FILE>')
    .description('what is optimized and how derivatives reach it, drawn: reversed and stopped paths as such')
    .option('-o, --output <FILE>', 'a .svg or .dot file (default: dot on standard output)')
    .addOption(set())
    .addOption(data())
    .addOption(json())
    .action(async (file: string, options) => {
      exit = await (await import('./graph.ts')).graphCommand(file, options);
    });
  saddle
    .command('fmt <PATH...>')
    .description('rewrite specs in the canonical form')
    .option('--check', 'write nothing; exit with 1 where a file is not in the canonical form')
    .option('--stdout', 'print the result instead of writing it')
    .action(async (paths: string[], options) => {
      exit = (await import('./fmt.ts')).fmtCommand(paths, options);
    });
  saddle
    .command('doctor')
    .description('what this machine offers: adapter, driver, limits, what to install')
    .addOption(device())
    .addOption(json())
    .action(async (options) => {
      exit = await (await import('./doctor.ts')).doctorCommand(options);
    });
  return saddle;
}

/** Runs a command line (without `node` and the script). Resolves to the exit code; nothing escapes. */
export async function main(args: readonly string[]): Promise<ExitCode> {
  given = args;
  try {
    const saddle = program();
    if (args.length === 0) {
      saddle.outputHelp();
      return exitCodes.ok;
    }
    await saddle.parseAsync(args, { from: 'user' });
    return exit;
  } catch (cause) {
    if (cause instanceof CommanderError) {
      if (cause.exitCode === 0) return exitCodes.ok;
      return refused(callError(cause), args);
    }
    if (cause instanceof SaddleError) return refused(cause.diagnostics, args);
    return (await import('./crash.ts')).reportCrash(cause, args);
  }
}

/** Errors before there was a spec: of the call. */
function refused(diagnostics: readonly Diagnostic[], args: readonly string[]): ExitCode {
  const none = new Map();
  printDiagnostics(diagnostics, none);
  if (args.includes('--json')) printJson({ status: 'failed', error: renderJson(diagnostics[0], none) });
  return exitCodeOf(diagnostics);
}

/** Commander's messages: "error: unknown option '--step'\n(Did you mean --steps?)". */
function callError(cause: CommanderError): Diagnostic[] {
  const [first, suggestion] = cause.message.replace(/^error: /, '').split('\n');
  const hint = suggestion
    ? suggestion.replace(/^\((.*)\)$/, '$1').replace(/^D/, 'd')
    : 'saddle --help lists the commands, saddle COMMAND --help their options';
  return [error('OPT801', undefined, first, { hint })];
}

/** Only where this module is the program itself, not where a test imports it. */
if (process.argv[1] !== undefined && /(^|[\\/])(main\.ts|main\.mjs|cli\.js|saddle)$/.test(process.argv[1])) {
  const args = process.argv.slice(2);
  // What is thrown outside of any call that could catch it (a timer, an event of the device) is a bug as well.
  process.on('uncaughtException', (cause) => {
    process.exitCode = exitCodes.bug;
    void import('./crash.ts').then(({ reportCrash }) => process.exit(reportCrash(cause, args)));
  });
  void main(args).then((code) => process.exit(code));
}
