/**
 * `exact { e }`: e in float64 by the reference interpreter, on the values that the device has computed. It becomes an entry of its own between the
 * phases, which reads cells and data and writes the result to a cell; so it is elaborated before the statement that it stands in.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Elaboration } from './context.ts';
import { mapLeaves, plain, toNode } from './convert.ts';
import type { Node } from '../ops/types.ts';
import type { EntryBuilder } from './entry.ts';
import { type Frame, nested } from './scope.ts';
import { type CellRef, tensor, type Value } from './values.ts';

/** The value of an `exact`, as nodes of the entry that computes it. */
export interface Exacted {
  readonly value: Value;
  readonly entry: EntryBuilder;
}

/** Forms whose bodies are evaluated for each element or turn, or not at all: an `exact` in them has no one value. */
const BODIES: ReadonlySet<unknown> = new Set(['map', 'reduceOver', 'scan', 'fixed', 'ifExpr', 'checkpoint', 'axisOp']);

/** Texts that are evaluated once, where they stand. */
const OUTSIDE: ReadonlySet<string> = new Set(['file', 'trial', 'eval']);

/** The `exact`s of an expression that are evaluated once with it, outermost first. */
function exactsIn(expr: ast.Expr): ast.ExactExpr[] {
  const found: ast.ExactExpr[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (typeof node !== 'object' || node === null || !('span' in node || 'value' in node || 'expr' in node)) return;
    const { kind } = node as Partial<ast.Expr>;
    if (kind === 'exact') found.push(node as ast.ExactExpr);
    else if (!BODIES.has(kind)) Object.values(node).forEach(visit);
  };
  visit(expr);
  return found;
}

/** Computes the `exact`s of an expression of a statement outside of phases, in entries before the one that the statement goes to. */
export function prepareExact(e: Elaboration, expr: ast.Expr, frame: Frame): void {
  if (e.entry.kind !== 'once' || !OUTSIDE.has(frame.body) || frame.chosen) return;
  for (const exact of exactsIn(expr)) e.exacts.set(exact, compute(e, exact, frame));
}

function compute(e: Elaboration, expr: ast.ExactExpr, frame: Frame): Exacted {
  refuseSeries(e, expr, frame);
  const entry = e.newEntry('once', 'exact');
  entry.exact = true;
  e.run.once = undefined;
  e.schedule.push({ kind: 'once', name: 'exact', run: e.run.name, entry: entry.id });
  const result = e.within(entry, () =>
    e.observe(() => {
      const value = e.do.body(e, expr.body, nested(frame));
      if (value === undefined)
        fail('OPT304', expr.span, 'exact { … } has no value', { hint: 'end it with an expression' });
      return plain(e, value, expr.span);
    }),
  );
  const value = mapLeaves(e, result, expr.span, (leaf) => {
    const node = e.within(entry, () => toNode(e, leaf, expr.span, 'f32'));
    keep(e, entry, node, expr);
    return tensor(node);
  });
  e.entry = e.once();
  return { value, entry };
}

/** The cell that keeps a part of the result. */
function keep(e: Elaboration, entry: EntryBuilder, node: Node, { span }: ast.ExactExpr): CellRef {
  const id = e.qualified('exact');
  return entry.keep(node, (type) =>
    e.newCell({ id, label: 'exact', type, kind: 'let', group: id, span, persistent: true }),
  );
}

/** Inside `exact`, a metric or report is no value: it is what the device has recorded. */
function refuseSeries(e: Elaboration, expr: ast.ExactExpr, frame: Frame): void {
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (typeof node !== 'object' || node === null) return;
    const name = node as Partial<ast.NameRef>;
    if (name.kind === 'name' && name.name && name.span && e.run.series.has(name.name) && !frame.scope.find(name.name))
      fail('OPT331', name.span, `'${name.name}' is what the run has recorded, and has no value in float64`, {
        hint: 'write its expression in the exact { … }',
      });
    Object.values(node).forEach(visit);
  };
  visit(expr.body);
}

/** Value of `exact { e }` in the statement that it was computed for. */
export function exactValue(e: Elaboration, expr: ast.ExactExpr): Value {
  const computed = e.exacts.get(expr);
  if (!computed || e.entry.kind !== 'once')
    fail('OPT424', expr.span, 'exact { … } is computed by the host between phases, for one let, metric or claim', {
      hint: 'write it outside of train and eval bodies, of fns and of map: let dense = exact { … }',
    });
  return mapLeaves(e, computed.value, expr.span, (leaf) =>
    tensor(e.entry.read(keep(e, computed.entry, toNode(e, leaf, expr.span), expr))),
  );
}
