/**
 * Grading, which `saddle test FOLDER` ends with where the folder is a catalogue, and all that `saddle test PATH… --solvers` does: every spec with one solve is a problem
 * with a known answer. All solvers of the library that take its problem are tried on it, and graded by its claims. Only the solver that the spec names must satisfy
 * them: it decides the exit code.
 */
import { statSync } from 'node:fs';
import { SaddleError, fail } from '../../compiler/diagnostics/diagnostic.ts';
import type { Fits } from '../../compiler/ir/program.ts';
import { Interrupts } from '../interrupts.ts';
import { wholeNumber } from '../options.ts';
import { exitCodeOf, exitCodes, worst, type ExitCode } from '../outcome.ts';
import { specFiles } from '../paths.ts';
import { openSpec, type Opened } from '../spec.ts';
import { describeErrors } from '../summary.ts';
import { tableLines } from '../table.ts';
import { coloursFor, note, print, printDiagnostics, printJson, shown } from '../terminal.ts';
import { type Budget, fitsOf, type Grade, onlySolve, tryOut, withSolver } from './trial.ts';

export interface GradeOptions {
  readonly set: readonly string[];
  readonly data: readonly string[];
  readonly load?: readonly string[];
  readonly seed?: string;
  readonly steps?: string;
  readonly seconds?: string;
  readonly device?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** What is known of one spec. */
export interface Graded {
  readonly file: string;
  /** Absent where the spec is not one problem with one solve, or is wrong. */
  readonly problem?: string;
  readonly grades: readonly Grade[];
  /** Solvers of the library that take the problem. */
  readonly fits: readonly string[];
  /** Solvers that fit but cannot be called without arguments that depend on the problem. */
  readonly unasked: Fits['solvers'];
  /** Why it was not graded. */
  readonly skipped?: string;
}

export interface GradeDocument {
  readonly status: 'ok' | 'failed' | 'interrupted';
  readonly device: 'reference';
  readonly budget: Budget;
  readonly problems: readonly Graded[];
  readonly solvers: readonly Total[];
}

const DEFAULT_STEPS = 1000;
const DEFAULT_SECONDS = 10;

/** `saddle test PATH… --solvers`. */
export async function gradeCommand(args: readonly string[], options: GradeOptions): Promise<ExitCode> {
  refuseOthers(options);
  const { exit, document } = await gradeFiles(specFiles(args), options);
  if (options.json) printJson(document);
  return exit;
}

/** Whether the paths are folders of nothing but problems that can be graded, and no option asks for anything else. */
export function isCatalogue(args: readonly string[], options: GradeOptions): boolean {
  const { device, set, data, load, seed, steps } = options;
  if (device !== undefined || seed !== undefined || steps !== undefined) return false;
  if (set.length + data.length + (load?.length ?? 0) > 0) return false;
  if (!args.every((arg) => statSync(arg, { throwIfNoEntry: false })?.isDirectory())) return false;
  const files = specFiles(args);
  return files.length > 1 && files.every(isGradable);
}

function isGradable(file: string): boolean {
  try {
    const spec = openSpec(file, new Map());
    return onlySolve(spec.module)?.solver !== undefined && spec.loads.length === 0;
  } catch (cause) {
    if (cause instanceof SaddleError) return false; // its messages are the test's
    throw cause;
  }
}

/** Grades the files, printing as it goes; the document is what `--json` shows. */
export async function gradeFiles(
  files: readonly string[],
  options: GradeOptions,
): Promise<{ readonly exit: ExitCode; readonly document: GradeDocument }> {
  const budget: Budget = {
    steps: options.steps === undefined ? DEFAULT_STEPS : wholeNumber('--steps', options.steps, 1),
    seconds: options.seconds === undefined ? DEFAULT_SECONDS : wholeNumber('--seconds', options.seconds, 1),
  };
  const all: Graded[] = [];
  const exits: ExitCode[] = [];
  const interrupts = new Interrupts();
  interrupts.stopInOrder();
  try {
    for (const file of files) {
      const { graded, exit } = await gradeFile(file, budget, options, interrupts);
      if (interrupts.requested) break;
      all.push(graded);
      exits.push(exit);
      if (!options.json) for (const line of linesOf(graded, options.quiet)) print(line);
    }
  } finally {
    interrupts.dispose();
  }
  const stopped = interrupts.requested;
  const exit = stopped ? exitCodes.interrupted : worst(exits);
  const status = stopped ? 'interrupted' : exit === exitCodes.ok ? 'ok' : 'failed';
  if (!options.json) {
    print('');
    for (const line of totalLines(all)) print(line);
    const count = all.filter((g) => g.problem !== undefined).length;
    const problems = count === 1 ? '1 problem' : `${count} problems`;
    print(
      `${problems}, each solver at most ${budget.steps} steps and ${budget.seconds} s, float64 reference interpreter`,
    );
    if (stopped) note('interrupted: this is what was graded before');
  }
  return { exit, document: { status, device: 'reference', budget, problems: all, solvers: totalsOf(all) } };
}

/** Options of `test` that mean nothing here. */
function refuseOthers({ device, set, data, load, seed }: GradeOptions): void {
  if (device !== undefined && device !== 'reference')
    fail('OPT803', undefined, `--solvers grades by the float64 interpreter, not on '${device}'`, {
      hint: 'leave --device off; saddle test without --solvers runs the claims on a device',
    });
  const given = set.length > 0 ? '--set' : data.length > 0 ? '--data' : load?.length ? '--load' : seed !== undefined ? '--seed' : undefined; // prettier-ignore
  if (given)
    fail('OPT803', undefined, `--solvers takes the specs as they are, without ${given}`, {
      hint: `leave ${given} off, or --solvers`,
    });
}

/** All trials on one spec; the one of its own solver decides how it ends. */
async function gradeFile(
  file: string,
  budget: Budget,
  options: GradeOptions,
  interrupts: Interrupts,
): Promise<{ readonly graded: Graded; readonly exit: ExitCode }> {
  const opened: Opened = new Map();
  try {
    const spec = openSpec(file, opened);
    const solve = onlySolve(spec.module);
    if (!solve?.solver || spec.loads.length > 0) {
      const skipped = spec.loads.length > 0 ? 'it loads data' : 'it is not one problem with one solve';
      return { graded: { file, grades: [], fits: [], unasked: [], skipped }, exit: exitCodes.ok };
    }
    const { problem, solvers } = fitsOf(spec);
    const stop = (act: () => void) => interrupts.listen(act);
    const written = spec.source.slice(solve.solver.span);
    const grades = [await tryOut(spec.source, written, true, { ...budget, steps: undefined }, stop)];
    for (const { name, needs } of solvers) {
      if (interrupts.requested) break;
      // The own solver with nothing but its defaults would be tried twice.
      if (needs.length > 0 || written === `${name}()`) continue;
      if (process.stderr.isTTY && !options.quiet && !options.json)
        process.stderr.write(`\r\u001b[K${shown(file)}  ${name}`);
      grades.push(await tryOut(withSolver(spec, solve, name), `${name}()`, false, budget, stop));
    }
    if (process.stderr.isTTY && !options.quiet && !options.json) process.stderr.write('\r\u001b[K');
    const unasked = solvers.filter((s) => s.needs.length > 0);
    const fits = solvers.map((s) => s.name);
    return {
      graded: { file, problem, grades, fits, unasked },
      exit: grades[0].solved ? exitCodes.ok : exitCodes.claim,
    };
  } catch (cause) {
    if (!(cause instanceof SaddleError)) throw cause;
    printDiagnostics(cause.diagnostics, opened, true);
    const { error } = describeErrors(cause.diagnostics, opened);
    const skipped = String(error?.code ?? 'an error');
    return { graded: { file, grades: [], fits: [], unasked: [], skipped }, exit: exitCodeOf(cause.diagnostics) };
  }
}

/** The rows of one spec. */
function linesOf({ file, grades, unasked, skipped }: Graded, quiet = false): string[] {
  const c = coloursFor(process.stdout);
  if (skipped !== undefined) return quiet ? [] : [`${shown(file)}  ${c.dim(`not graded: ${skipped}`)}`];
  const verdict = grades[0].solved ? c.green('ok    ') : c.red('FAILED');
  const solved = grades.filter((g) => g.solved).length;
  const head = `${verdict}  ${shown(file)}  ${c.dim(`${solved} of ${grades.length} solve it`)}`;
  if (quiet) return grades[0].solved ? [] : [head];
  const rows = grades.map((g) => [
    `${g.own ? '* ' : '  '}${g.solver}`,
    g.solved ? 'yes' : 'no',
    String(g.iterations),
    String(g.points),
    g.seconds.toFixed(2),
    g.solved ? '' : (g.reason ?? g.ended),
  ]);
  const table = tableLines(['  solver', 'solved', 'iterations', 'points', 's', ''], rows).map((line) => `  ${line}`);
  const asked = unasked.map((s) => `${s.name} (${s.needs.join(', ')})`).join(', ');
  return [head, ...table, ...(asked ? [c.dim(`    fit, but need arguments: ${asked}`)] : [])];
}

/** What a solver did with its defaults over all problems of its class. */
export interface Total {
  readonly solver: string;
  readonly solved: number;
  readonly of: number;
  /** Medians over the problems that it solved. */
  readonly iterations?: number;
  readonly points?: number;
  readonly seconds?: number;
}

/** By solver of the library, with its defaults; the most solved first. Problems that the compiler refuses it do not count: it is not applicable. */
export function totalsOf(all: readonly Graded[]): Total[] {
  const by = new Map<string, Grade[]>();
  for (const { grades, fits } of all)
    for (const grade of grades)
      if (grade.ended !== 'refused' && fits.some((name) => grade.solver === `${name}()`))
        by.set(grade.solver, [...(by.get(grade.solver) ?? []), grade]);
  return [...by]
    .map(([solver, grades]) => {
      const solved = grades.filter((g) => g.solved);
      const middle = (of: (g: Grade) => number) => (solved.length > 0 ? median(solved.map(of)) : undefined);
      return {
        solver,
        solved: solved.length,
        of: grades.length,
        iterations: middle((g) => g.iterations),
        points: middle((g) => g.points),
        seconds: middle((g) => g.seconds),
      };
    })
    .sort((a, b) => b.solved / b.of - a.solved / a.of || b.of - a.of || (a.solver < b.solver ? -1 : 1));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)];
}

function totalLines(all: readonly Graded[]): string[] {
  const rows = totalsOf(all).map((t) => [
    t.solver,
    `${t.solved} of ${t.of}`,
    t.iterations === undefined ? '' : String(t.iterations),
    t.points === undefined ? '' : String(t.points),
    t.seconds === undefined ? '' : t.seconds.toFixed(2),
  ]);
  return rows.length === 0
    ? []
    : tableLines(['solver, with its defaults', 'solved', 'iterations', 'points', 's'], rows);
}
