/**
 * The ledger of a solve: its objective and violation before each step and at the end, and at the end, for each constraint, value, bound, violation, multiplier
 * and complementary slackness, and the residual of the first-order conditions. Computed where the solve has ended, from the cells as they are.
 */
import { statementsWithin } from '../ast/bodies.ts';
import type * as ast from '../ast/nodes.ts';
import { type BundleSolve, LEDGER_PART } from '../bundle/format.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Matched } from './classes.ts';
import type { Elaboration } from './context.ts';
import { leafNodes, leaves, toNode } from './convert.ts';
import { binary } from './arithmetic.ts';
import { record } from './outputs.ts';
import { constraintName, relationOf } from './problem-text.ts';
import { objective, playerObjective, residual, side, viewOf, violation } from './problem-fields.ts';
import { allOf, type ProblemInstance } from './problems.ts';
import type { Frame } from './scope.ts';
import { firstOrder, normOf } from './first-order.ts';
import type { Value } from './values.ts';

/** Names under which a solve records what every solve records. */
export interface Trace {
  readonly objective?: string;
  /** Of several objectives, and of players: `objective_NAME`, by number where an objective has no name. */
  readonly several: readonly { readonly name: string; value(e: Elaboration, view: Frame): Value }[];
  readonly violation?: string;
  /** Norm of the published multipliers. */
  readonly dual?: string;
}

/** What is recorded of a problem at each step. `taken`: names that its solver reports itself. */
export function traceOf(
  problem: ProblemInstance,
  key: string,
  name: (of: string) => string,
  taken: ReadonlySet<string>,
): Trace {
  const constrained = allOf(problem.level).some((l) => l.text.constraints.length > 0);
  return {
    several: severalOf(problem)
      .filter((one) => !taken.has(one.name))
      .map((one) => ({ ...one, name: name(one.name) })),
    ...(problem.level.text.objectives.length === 1 && !taken.has('objective') && { objective: name('objective') }),
    ...(constrained && !taken.has('violation') && { violation: name('violation') }),
    ...(problem.multipliers.size > 0 && { dual: `${LEDGER_PART}${key}.dual` }),
  };
}

function severalOf({ level: { text } }: ProblemInstance): Trace['several'] {
  const objectives = text.objectives.length > 1 ? text.objectives : [];
  return [
    ...objectives.map((stmt, k) => ({
      name: `objective_${stmt.name?.text ?? k + 1}`,
      value: (e: Elaboration, view: Frame) => objective(e, stmt, view),
    })),
    ...text.players.map((stmt) => ({
      name: `objective_${stmt.name.text}`,
      value: (e: Elaboration, view: Frame) => playerObjective(e, stmt, view),
    })),
  ];
}

/** Objectives, violation and size of the multipliers as they stand. */
export function recordTrace(
  e: Elaboration,
  problem: ProblemInstance,
  trace: Trace,
  view: Frame,
  kind: 'report' | 'metric',
): void {
  const { span } = problem.template.decl.name;
  const put = (name: string, value: Node): void => {
    e.run.series.set(name, 'report');
    record(e, { name, kind, value, span });
  };
  const [stmt] = problem.level.text.objectives;
  if (trace.objective) put(trace.objective, leafNodes(e, objective(e, stmt, view), span)[0]);
  for (const one of trace.several) put(one.name, leafNodes(e, one.value(e, view), span)[0]);
  if (trace.violation) put(trace.violation, violation(e, problem, view, span));
  if (trace.dual && kind === 'report') {
    const nodes = [...problem.multipliers.values()].flatMap((m) => m.cells.map((c) => e.entry.read(c)));
    record(e, { name: trace.dual, kind, value: normOf(e, nodes), span });
  }
}

/** Names that the reports of a body have. */
export function reportNames(body: ast.Body): Set<string> {
  return new Set(
    statementsWithin(body).flatMap((stmt) => (stmt.kind === 'report' ? stmt.items.map((item) => item.name.text) : [])),
  );
}

/** Records the ledger in the entry behind the solve. */
export function recordLedger(
  e: Elaboration,
  matched: Matched,
  trace: Trace,
  solve: Omit<BundleSolve, keyof Rows>,
): void {
  const { problem } = matched;
  const view = viewOf(e, problem);
  recordTrace(e, problem, trace, view, 'metric');
  e.solves.push({ ...solve, ...recordRows(e, matched, solve.key, view, 'metric') });
}

/** What a ledger holds of a problem. */
export type Rows = Pick<BundleSolve, 'constraints' | 'residualOf'>;

/** Records constraints and first-order residual as they stand, and says which there are. */
export function recordRows(
  e: Elaboration,
  matched: Matched,
  key: string,
  view: Frame,
  kind: 'report' | 'metric',
): Rows {
  const { problem } = matched;
  const { span } = problem.template.decl.name;
  const constraints = allOf(problem.level).flatMap(({ text }) =>
    text.constraints.map((stmt) => {
      const name = constraintName(text, stmt);
      const put = (what: string, value: Node): void =>
        record(e, { name: `${LEDGER_PART}${key}.${name}.${what}`, kind, value, span: stmt.span });
      return constraintRow(e, problem, name, stmt, view, put);
    }),
  );
  const first = firstOrder(e, matched, view);
  if (first) record(e, { name: `${LEDGER_PART}${key}.kkt`, kind, value: first.norm, span });
  return { constraints, ...(first?.of && { residualOf: first.of }) };
}

function constraintRow(
  e: Elaboration,
  problem: ProblemInstance,
  name: string,
  stmt: ast.ConstraintStmt,
  view: Frame,
  put: (what: string, node: Node) => void,
): BundleSolve['constraints'][number] {
  const { op, left, right } = relationOf(stmt);
  const { span } = stmt;
  const vector = (node: Node): Node =>
    e.make('reshape', [node], { shape: [node.type.shape.reduce((a, b) => a * b, 1)] });
  const joined = (nodes: readonly Node[]): Node => {
    const parts = nodes.map(vector);
    return parts.length === 1 ? parts[0] : e.make('concat', parts, { axis: 0 });
  };
  const difference = joined(leafNodes(e, residual(e, stmt, view, 1), span, 'f32'));
  const oriented = op === '>=' ? e.make('neg', [difference]) : difference;
  const amount = op === '==' ? e.make('abs', [difference]) : oriented;
  const count = difference.type.shape[0];
  // The element that is missed most, or has the least room.
  const worst = count > 1 ? e.make('argmax', [amount], { axis: 0 }) : e.constant(0, 'i32');
  const at = (node: Node): Node =>
    e.make('reshape', [e.make('dynamic_slice', [node, worst], { sizes: [1] })], { shape: [] });
  const bound = joined(boundNodes(e, stmt, right, left, view));
  const value = e.make('add', [bound, difference]);
  put('value', at(value));
  put('bound', at(bound));
  put('violation', e.make('max', [at(amount), e.constant(0)]));
  const cells = problem.multipliers.get(name)?.cells;
  if (cells) {
    const multipliers = joined(cells.map((c) => e.entry.read(c)));
    put('multiplier', at(multipliers));
    if (op !== '==') {
      put('least', e.make('reduce_min', [multipliers], { axes: [0] }));
      const slack = e.make('abs', [e.make('mul', [multipliers, difference])]);
      put('slackness', e.make('reduce_max', [slack], { axes: [0] }));
    }
  }
  return { name, relation: op, count, multiplier: cells !== undefined };
}

/** The right side, with an element for each of the residual. */
function boundNodes(e: Elaboration, stmt: ast.ConstraintStmt, right: ast.Expr, left: ast.Expr, view: Frame): Node[] {
  const a = side(e, stmt, left, view);
  const b = side(e, stmt, right, view);
  const span: Span = stmt.relation.span;
  // left * 0 would make NaN of infinities: the difference of the left side with itself is not folded, a selection is.
  const like = binary(e, '-', a, b, span);
  const shapes = leaves(e, like, span).map((l) => toNode(e, l.value, span, 'f32').type.shape);
  const bounds = leafNodes(e, b.value, span, 'f32');
  return shapes.map((shape, k) => {
    const own = bounds[bounds.length === 1 ? 0 : k];
    const offset = shape.length - own.type.shape.length;
    if (own.type.shape.join() === shape.join()) return own;
    return e.make('broadcast', [own], { shape, axes: own.type.shape.map((_, i) => i + offset) });
  });
}
