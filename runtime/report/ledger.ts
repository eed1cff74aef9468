/**
 * Ledgers of solves, read off the results: why each ended, what it reached, and for every constraint value, bound, violation, multiplier and complementary
 * slackness; with a sentence where multipliers still rise while the violation stands.
 */
import { type Bundle, type BundleSolve, LEDGER_PART } from '../../compiler/bundle/format.ts';
import type { Results, RunResult, Series } from '../session-results.ts';
import { show } from './numbers.ts';

export interface ConstraintRow {
  readonly name: string;
  readonly relation: string;
  /** Of a constraint of several elements, the one that is missed most; `elements` says how many there are. */
  readonly elements: number;
  readonly value?: number;
  readonly bound?: number;
  readonly violation?: number;
  readonly multiplier?: number;
  readonly slackness?: number;
}

/** A part of the JSON document of a run. */
export interface Ledger {
  readonly run: string;
  readonly problem: string;
  readonly solver: string;
  /** The phase in whose steps it was solved; the rest is of the last time. */
  readonly within?: string;
  /** Steps asked for, and taken. */
  readonly most: number;
  readonly steps: number;
  readonly ended: 'stopped' | 'all steps' | 'failed' | 'not finished' | 'not recorded';
  readonly objective?: number;
  readonly violation?: number;
  /** Norm of the gradient of the Lagrangian; with sets, of x - P(x - gradient). */
  readonly kkt?: number;
  /** Whose conditions `kkt` is of, where there are several. */
  readonly residualOf?: 'players' | 'lower levels';
  readonly constraints: readonly ConstraintRow[];
  readonly notes: readonly string[];
}

export function ledgersOf(bundle: Bundle, results: Results): Ledger[] {
  return (bundle.solves ?? []).flatMap((solve) => {
    if (solve.unrecorded) return [unrecorded(solve)];
    const run = results.runs.get(solve.run);
    const reached = solve.within === undefined || run?.series.has(`${LEDGER_PART}${solve.key}.status`);
    return run && reached ? [ledgerOf(solve, run)] : [];
  });
}

function unrecorded({ run, problem, solver, steps }: BundleSolve): Ledger {
  return { run, problem, solver, most: steps, steps: 0, ended: 'not recorded', constraints: [], notes: [] };
}

function ledgerOf(solve: BundleSolve, run: RunResult): Ledger {
  const series = (name: string): Series | undefined => run.series.get(`${LEDGER_PART}${solve.key}.${name}`);
  const last = (name: string): number | undefined => series(name)?.values.at(-1);
  const read = (name: string | undefined): number | undefined =>
    name ? run.series.get(name)?.values.at(-1) : undefined;
  const { ended, steps } = solve.within === undefined ? endOfPhase(solve, run, last) : endWithin(solve, last);
  return {
    run: solve.run,
    problem: solve.problem,
    solver: solve.solver,
    ...(solve.within !== undefined && { within: solve.within }),
    most: solve.steps,
    steps,
    ended,
    objective: read(solve.objective),
    violation: read(solve.violation),
    kkt: last('kkt'),
    ...(solve.residualOf && { residualOf: solve.residualOf }),
    constraints: solve.constraints.map((c) => ({
      name: c.name,
      relation: c.relation,
      elements: c.count,
      value: last(`${c.name}.value`),
      bound: last(`${c.name}.bound`),
      violation: last(`${c.name}.violation`),
      multiplier: last(`${c.name}.multiplier`),
      slackness: last(`${c.name}.slackness`),
    })),
    notes: [
      ...risingNote(series('dual'), solve.violation ? run.series.get(solve.violation) : undefined),
      ...solve.constraints.flatMap((c) => signNote(c.name, c.relation, last(`${c.name}.least`))),
    ],
  };
}

type End = Pick<Ledger, 'ended' | 'steps'>;

function endOfPhase({ steps }: BundleSolve, run: RunResult, last: (name: string) => number | undefined): End {
  const stopped = last('stopped');
  if (run.status.state === 'failed') return { ended: 'failed', steps: stopped ?? run.steps };
  if (stopped !== undefined) return { ended: 'stopped', steps: stopped };
  return run.status.state === 'ok' ? { ended: 'all steps', steps } : { ended: 'not finished', steps: run.steps };
}

/** Of a solve within a phase, the last time. */
function endWithin({ steps }: BundleSolve, last: (name: string) => number | undefined): End {
  const status = last('status') ?? 0;
  return { ended: status === 0 ? 'all steps' : status === 1 ? 'stopped' : 'failed', steps: last('taken') ?? steps };
}

/** Steps at the end that are looked at: a quarter of them, at least as many as this. */
const WINDOW = 8;
/** Violations below this are none for float32. */
const NONE = 1e-4;

/**
 * A sentence where the multipliers have grown over the last quarter of the steps, by at least a tenth, while the violation has not fallen to half of what it was: the
 * rate of the multipliers is too low, or nothing satisfies the constraints.
 */
export function risingNote(dual: Series | undefined, violation: Series | undefined): string[] {
  if (!dual || !violation || dual.values.length < WINDOW) return [];
  const from = dual.values.length - Math.max(WINDOW, Math.floor(dual.values.length / 4));
  const [before, after] = [dual.values[Math.max(0, from)], dual.values[dual.values.length - 1]];
  const missed = violation.values.slice(0, dual.values.length);
  const [was, is] = [missed[Math.max(0, from)], violation.values[violation.values.length - 1]];
  const rises =
    after > 1.1 * before && dual.values.slice(Math.max(0, from)).every((v, i, all) => i === 0 || v >= all[i - 1]);
  if (!rises || !(is > NONE) || is < 0.5 * was) return [];
  const steps = dual.values.length - Math.max(0, from);
  return [
    `the multipliers still rise (${show(before)} to ${show(after)} over the last ${steps} steps) while the violation stands at ${show(is)}: their rate is too low, or nothing satisfies the constraints`,
  ];
}

/** A sentence where a multiplier of an inequality is negative: the solver does not keep its sign, and what it has found may be no optimum. */
export function signNote(name: string, relation: '==' | '<=' | '>=', least: number | undefined): string[] {
  if (relation === '==' || least === undefined || !(least < -NONE)) return [];
  return [
    `the multiplier of ${name} is ${show(least)}, and that of an inequality is never negative: the solver holds it as an equation, or publishes it with the other sign`,
  ];
}

/** Lines for a terminal. */
export function ledgerLines(ledger: Ledger): string[] {
  const { problem, solver, steps, most, ended } = ledger;
  const how = {
    stopped: `stopped after ${steps} of ${most} steps`,
    'all steps': `took all ${most} steps`,
    failed: `failed after ${steps} steps`,
    'not finished': `is not finished after ${steps} steps`,
    'not recorded':
      'is a value, computed wherever it is read, and has no ledger: report what it finds, s.objective, s.violation, s.multipliers',
  }[ended];
  const facts = [
    ...(ledger.objective === undefined ? [] : [`objective ${show(ledger.objective)}`]),
    ...(ledger.kkt === undefined
      ? []
      : [`first-order residual ${ledger.residualOf ? `of the ${ledger.residualOf} ` : ''}${show(ledger.kkt)}`]),
  ];
  const name = ledger.run === '' || ledger.run === problem ? problem : `${ledger.run}: ${problem}`;
  const time = ledger.within ? ` in ${ledger.within}, the last time,` : '';
  const lines = [`${name} by ${solver}${time} ${how}${facts.length > 0 ? `, ${facts.join(', ')}` : ''}`];
  if (ledger.constraints.length > 0 && ended !== 'failed') lines.push(...table(ledger.constraints));
  return [...lines, ...ledger.notes];
}

function table(rows: readonly ConstraintRow[]): string[] {
  const number = (v: number | undefined): string => (v === undefined ? '' : show(v));
  const cells = [
    ['constraint', 'value', '', 'bound', 'violation', 'multiplier', 'slackness'],
    ...rows.map((r) => [
      r.elements > 1 ? `${r.name} (worst of ${r.elements})` : r.name,
      number(r.value),
      r.relation,
      number(r.bound),
      number(r.violation),
      number(r.multiplier),
      number(r.slackness),
    ]),
  ];
  const widths = cells[0].map((_, k) => Math.max(...cells.map((row) => row[k].length)));
  return cells.map((row) =>
    `  ${row.map((cell, k) => (k === 0 ? cell.padEnd(widths[k]) : cell.padStart(widths[k]))).join('  ')}`.trimEnd(),
  );
}
