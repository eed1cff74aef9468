/**
 * `saddle test PATH…`: runs every spec found and shows each `expect` with the value found; of a folder of problems with known answers, then what every other solver does
 * that takes them. The worst outcome decides the exit code.
 */
import { gradeFiles, type GradeOptions, isCatalogue } from './grade/command.ts';
import { exitCodes, worst, type ExitCode } from './outcome.ts';
import { specFiles } from './paths.ts';
import { runSpec, type RunOptions, type RunOutcome } from './run.ts';
import { claimLine } from './summary.ts';
import { tableLines } from './table.ts';
import { coloursFor, print, printJson, shown } from './terminal.ts';

export interface TestOptions extends RunOptions, GradeOptions {
  /** False: catalogues are not graded. */
  readonly solvers?: boolean;
}

export async function testCommand(args: readonly string[], options: TestOptions): Promise<ExitCode> {
  const c = coloursFor(process.stdout);
  const outcomes: RunOutcome[] = [];
  for (const file of specFiles(args)) {
    // The run itself is quiet: a test is about its claims.
    const outcome = await runSpec(file, { ...options, quiet: true, errorsOnly: options.quiet }, 'test');
    outcomes.push(outcome);
    if (!options.json) print(`${verdict(outcome, c)}  ${shown(file)}  ${c.dim(claimCount(outcome))}`);
    if (!options.json)
      for (const claim of outcome.document.expects ?? []) if (!options.quiet || !claim.pass) print(claimLine(claim, c));
    if (outcome.exit === exitCodes.interrupted) break;
  }
  if (!options.json && !options.quiet) for (const line of solveLines(outcomes)) print(line);
  const failed = outcomes.filter((o) => o.exit !== exitCodes.ok).length;
  const status = failed === 0 ? 'ok' : 'failed';
  const exit = worst(outcomes.map((o) => o.exit));
  if (!options.json && outcomes.length > 1) print(`${outcomes.length - failed} of ${outcomes.length} specs hold`);
  const grades = options.solvers !== false && exit !== exitCodes.interrupted && isCatalogue(args, options);
  if (!grades) {
    if (options.json) printJson({ status, files: outcomes.map((o) => o.document) });
    return exit;
  }
  if (!options.json) print('\nEvery solver of the library that takes each problem (--no-solvers leaves this out):\n');
  const graded = await gradeFiles(specFiles(args), options);
  if (options.json) printJson({ ...graded.document, status, files: outcomes.map((o) => o.document) });
  return worst([exit, graded.exit === exitCodes.interrupted ? graded.exit : exitCodes.ok]);
}

function verdict(outcome: RunOutcome, c: ReturnType<typeof coloursFor>): string {
  return outcome.exit === exitCodes.ok ? c.green('ok    ') : c.red('FAILED');
}

function claimCount({ document }: RunOutcome): string {
  if (document.status === 'interrupted') return 'interrupted';
  if (!document.expects) return `not run: ${String(document.error?.code ?? 'unknown error')}`;
  if (document.expects.length === 0) return 'no claims';
  return `${document.expects.filter((e) => e.pass).length} of ${document.expects.length} claims hold, ${document.seconds?.toFixed(1)} s`;
}

/** What the solves did, one row each, where several specs have some. */
function solveLines(outcomes: readonly RunOutcome[]): string[] {
  const recorded = ({ document }: RunOutcome) => (document.solves ?? []).filter((s) => s.ended !== 'not recorded');
  const solving = outcomes.filter((o) => recorded(o).length > 0);
  if (solving.length < 2) return [];
  const rows = solving.flatMap((outcome) => {
    const { document } = outcome;
    return recorded(outcome).map((ledger, i) => [
      i === 0 ? shown(document.file) : '',
      ledger.run === '' ? ledger.problem : `${ledger.run}: ${ledger.problem}`,
      ledger.solver,
      i > 0 ? '' : document.expects?.every((claim) => claim.pass) ? 'yes' : 'no',
      String(ledger.steps),
      ledger.ended,
      i > 0 ? '' : (document.seconds?.toFixed(2) ?? ''),
    ]);
  });
  return ['', ...tableLines(['spec', 'problem', 'solver', 'solved', 'iterations', 'ended', 's'], rows), ''];
}
