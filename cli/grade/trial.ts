/**
 * One solver on one problem: the spec with the solver of its solve replaced, run by the float64 interpreter within a budget, and graded by the
 * spec's own claims.
 */
import type { Module, SolveExpr } from '../../compiler/ast/nodes.ts';
import { InternalError, SaddleError } from '../../compiler/diagnostics/diagnostic.ts';
import type { Fits } from '../../compiler/ir/program.ts';
import type { NdArray, Node } from '../../compiler/ops/types.ts';
import { Source } from '../../compiler/source/source.ts';
import { createReferenceBackend } from '../../runtime/reference/backend.ts';
import { decideClaims } from '../../runtime/report/claims.ts';
import { ledgersOf } from '../../runtime/report/ledger.ts';
import { defaultSeed, load } from '../../runtime/session.ts';
import { compileSpec } from '../compile.ts';
import { specOf, type Opened, type Spec } from '../spec.ts';

export interface Budget {
  /** Steps of the solver; undefined for as many as the spec says. */
  readonly steps: number | undefined;
  /** Of one solve, without compiling it. */
  readonly seconds: number;
}

/** How a trial ended. `refused`: the solver takes the class of the problem, but not this problem with its default settings. */
export type Ending = 'stopped' | 'all steps' | 'failed' | 'time' | 'refused' | 'interrupted';

export interface Grade {
  /** As written: of the solver under test `name()`, of the spec's own what stands there. */
  readonly solver: string;
  readonly own: boolean;
  /** Whether every claim of the spec holds. */
  readonly solved: boolean;
  readonly ended: Ending;
  /** Steps of the solver. */
  readonly iterations: number;
  /** Different points at which an objective, or a derivative of it, was computed. */
  readonly points: number;
  readonly seconds: number;
  /** Why it did not run to its end. */
  readonly reason?: string;
}

/** The one solve of a spec that stands between phases; undefined where there is none, or more than one. */
export function onlySolve(module: Module): SolveExpr | undefined {
  const solves = module.statements.flatMap((s) => {
    if (s.kind === 'solve') return [s.solve];
    return s.kind === 'run' && s.value.kind === 'solveExpr' ? [s.value] : [];
  });
  return solves.length === 1 && solves[0].solver ? solves[0] : undefined;
}

/** The spec with another solver of the library, called with its defaults; lines keep their numbers but for the one that is added. */
export function withSolver(spec: Spec, solve: SolveExpr, name: string): Source {
  const { text } = spec.source;
  const span = solve.solver?.span;
  if (!span) throw new InternalError('a solve without a solver');
  let local = 'solver_under_test';
  while (text.includes(local)) local += '_';
  const replaced = `${text.slice(0, span.start)}${local}()${text.slice(span.end)}`;
  return new Source(spec.source.name, `use solvers { ${name} as ${local} }\n${replaced}`);
}

/** Which solvers of the library take the problem of the spec's solve, as the compiler matches classes. Throws what is wrong with the spec. */
export function fitsOf(spec: Spec): Fits {
  const opened: Opened = new Map([[spec.source.name, spec.source]]);
  const { program } = compileSpec(spec, opened, { set: new Map(), infos: new Map(), stage: 'check', grading: true });
  const fits = program.fits?.[0];
  if (!fits) throw new InternalError('a spec with a solve says nothing of what fits');
  return fits;
}

class OutOfTime extends Error {}

/** Counts points, and throws once the time is over. Steps are short, but a single one may hold loops that do not end soon. */
class Watch {
  private readonly seen = new Map<string, Set<string>>();
  private values = 0;
  private readonly until: number;

  constructor(seconds: number) {
    this.until = performance.now() + 1000 * seconds;
  }

  readonly look = (node: Node, { data }: NdArray): void => {
    if (++this.values % 1024 === 0 && performance.now() > this.until) throw new OutOfTime();
    const { point, elements } = node.attrs;
    if (node.op !== 'name' || typeof point !== 'string') return;
    const known = this.seen.get(point) ?? new Set<string>();
    this.seen.set(point, known);
    // A map computes many points as one value.
    const size = Math.max(1, elements as number);
    for (let at = 0; at + size <= data.length; at += size) known.add(data.slice(at, at + size).join());
  };

  /** Of the variable that took the most values. */
  get points(): number {
    return Math.max(0, ...[...this.seen.values()].map((s) => s.size));
  }
}

/** Runs the solve of a source and grades it. Only what is no fault of the solver is thrown. */
export async function tryOut(
  source: Source,
  solver: string,
  own: boolean,
  budget: Budget,
  interrupted: (stop: () => void) => () => void,
): Promise<Grade> {
  const none = { solver, own, solved: false, iterations: 0, points: 0, seconds: 0 } as const;
  const opened: Opened = new Map();
  let bundle;
  let program;
  try {
    const spec = specOf(source, opened);
    ({ bundle, program } = compileSpec(spec, opened, { set: new Map(), infos: new Map(), stage: 'bundle', grading: true })); // prettier-ignore
  } catch (cause) {
    if (!(cause instanceof SaddleError)) throw cause;
    return { ...none, ended: 'refused', reason: reasonOf(cause) };
  }
  if (!bundle) throw new InternalError('the compiler gave no bundle');
  const watch = new Watch(budget.seconds);
  const backend = createReferenceBackend(program, undefined, watch.look);
  const began = performance.now();
  const control = new AbortController();
  const forget = interrupted(() => control.abort());
  const session = await load(bundle).start({ backend, seed: defaultSeed, steps: budget.steps });
  let ended: Ending | undefined;
  let reason: string | undefined;
  try {
    for await (const _ of session.train({ signal: control.signal }));
    if (control.signal.aborted) ended = 'interrupted';
  } catch (cause) {
    if (cause instanceof OutOfTime) ended = 'time';
    else if (cause instanceof SaddleError) {
      ended = 'failed';
      reason = reasonOf(cause);
    } else throw cause;
  } finally {
    forget();
    await session.dispose();
  }
  const seconds = (performance.now() - began) / 1000;
  const { results } = session;
  const ledger = ledgersOf(bundle, results).find((l) => l.ended !== 'not recorded');
  const claims = decideClaims(bundle, new Map([[defaultSeed, results]]), defaultSeed);
  const ends = ledger?.ended;
  const state = ends === 'stopped' || ends === 'failed' ? ends : 'all steps';
  const taken = [...results.runs.values()].reduce((sum, run) => sum + run.steps, 0);
  return {
    solver,
    own,
    solved: ended === undefined && claims.every((claim) => claim.pass),
    ended: ended ?? state,
    // A ledger counts to the length that the spec gives; only where a solve has stopped is that what it took.
    iterations: ended === undefined && ledger?.ended === 'stopped' ? ledger.steps : taken,
    points: watch.points,
    seconds,
    ...(reason !== undefined && { reason }),
  };
}

function reasonOf({ diagnostics }: SaddleError): string {
  const { code, message } = diagnostics.find((d) => d.severity === 'error') ?? diagnostics[0];
  return `${code}: ${message}`;
}
