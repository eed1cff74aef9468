/**
 * What can be read of a problem: objectives, residuals and values of its text, computed anew wherever they are read, and its members by name.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { didYouMean } from '../diagnostics/suggest.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { binary } from './arithmetic.ts';
import { batch } from './batches.ts';
import { bindPattern } from './bindings.ts';
import { named } from './naming.ts';
import type { Elaboration } from './context.ts';
import { leaves, mapLeaves, plain, readCells, toNode } from './convert.ts';
import { objectiveNode } from './derivatives.ts';
import { solveLoop } from './execution.ts';
import { markPoints } from './points.ts';
import { draw, nameDraw } from './random.ts';
import { allLevels, relationOf } from './problem-text.ts';
import { type Binding, type Clock, type Frame, noLoop, Scope } from './scope.ts';
import { siteName } from '../ast/sites.ts';
import { tensor, truth, type Value } from './values.ts';
import { allOf, type Level, type ProblemInstance } from './problems.ts';

/** A problem at one moment: the frame in which its fields are computed. Its draws and batches are keyed by the step of the solve alone. */
export function viewOf(e: Elaboration, instance: ProblemInstance, clock?: Clock): Frame {
  const scope = new Scope(instance.scope);
  const frame: Frame = {
    ...instance.frame,
    scope,
    indices: clock ? [...instance.frame.indices, clock.step] : instance.frame.indices,
    execution: clock ? solveLoop(e, clock.step) : noLoop,
    clock,
    ...(e.options.grading && {
      variables: () => allOf(instance.level).flatMap((l) => l.variables.flatMap((v) => v.cells().cells)),
    }),
  };
  for (const level of allLevels(instance.level.text)) {
    for (const stmt of level.rest) bindRest(e, stmt, frame);
    for (const stmt of level.objectives)
      if (stmt.name)
        scope.set(
          stmt.name.text,
          slot(stmt.name.span, () => objective(e, stmt, frame)),
        );
    for (const stmt of level.constraints)
      if (stmt.name)
        scope.set(
          stmt.name.text,
          slot(stmt.name.span, () => residual(e, stmt, frame, 1)),
        );
  }
  return frame;
}

const slot = (span: Span, read: () => Value): Binding => ({ kind: 'slot', span, read });

/** Values of a problem's text are computed where they are read. */
function bindRest(e: Elaboration, stmt: ast.Stmt, frame: Frame): void {
  const { scope } = frame;
  switch (stmt.kind) {
    case 'let': {
      const read = (): Value => plain(e, e.do.expression(e, stmt.value, frame), stmt.value.span);
      for (const name of patternNames(stmt.pattern))
        scope.set(name.text, slot(name.span, () => {
          let found: Value = truth(false);
          bindPattern(stmt.pattern, read(), stmt.value.span, (n, part) => {
            if (n.text === name.text) found = named(e, name.text, part, stmt.value.span);
          });
          return found;
        })); // prettier-ignore
      return;
    }
    case 'sample':
      scope.set(stmt.name.text, slot(stmt.name.span, () => {
        const value = draw(e, stmt.draw, undefined, [...frame.path, siteName(stmt)], frame);
        return nameDraw(e, stmt.name.text, value, stmt.span);
      })); // prettier-ignore
      return;
    case 'batch':
      scope.set(
        stmt.name.text,
        slot(stmt.name.span, () => batch(e, stmt, frame)),
      );
      return;
    case 'fn':
      if (stmt.params === undefined && !stmt.opaque)
        scope.set(stmt.name.text, { kind: 'named', decl: stmt, frame, span: stmt.name.span });
      else
        scope.set(stmt.name.text, {
          kind: 'value',
          value: { kind: 'template', decl: stmt, frame, bound: new Map() },
          span: stmt.name.span,
        });
      return;
    case 'dim':
    case 'report':
      return;
    default:
      e.notYet(`'${stmt.kind === 'cell' ? stmt.word : stmt.kind}' in a problem`, stmt.span, 'write it as a let or fn');
  }
}

function patternNames(pattern: ast.Pattern): ast.Name[] {
  return pattern.kind === 'bind' ? [pattern.name] : pattern.items.flatMap(patternNames);
}

/** Value of an objective, as written. */
export function objective(e: Elaboration, stmt: ast.ObjectiveStmt, frame: Frame): Value {
  const name = stmt.name?.text ?? 'objective';
  const value = e.do.expression(e, stmt.value, frame);
  const node = markPoints(e, objectiveNode(e, value, stmt.value.span), frame);
  return named(e, name, tensor(node), stmt.value.span);
}

/** What a player minimizes or maximizes, as written. */
export function playerObjective(e: Elaboration, stmt: ast.PlayerStmt, frame: Frame): Value {
  const value = e.do.expression(e, stmt.value, frame);
  const node = markPoints(e, objectiveNode(e, value, stmt.value.span), frame);
  return named(e, stmt.name.text, tensor(node), stmt.value.span);
}

/** Left minus right of a constraint, times `sign`. */
export function residual(e: Elaboration, stmt: ast.ConstraintStmt, frame: Frame, sign: 1 | -1): Value {
  const { left, right } = relationOf(stmt);
  const [a, b] = sign === 1 ? [left, right] : [right, left];
  const value = binary(e, '-', side(e, stmt, a, frame), side(e, stmt, b, frame), stmt.relation.span);
  return mapLeaves(e, value, stmt.relation.span, (leaf) => tensor(toNode(e, leaf, stmt.relation.span, 'f32')));
}

/** One side of a constraint; over the elements of a `forall`, stacked. */
export function side(
  e: Elaboration,
  stmt: ast.ConstraintStmt,
  expr: ast.Expr,
  frame: Frame,
): { readonly value: Value; readonly span: Span } {
  if (!stmt.forall) return { value: e.do.expression(e, expr, frame), span: expr.span };
  const { name, over } = stmt.forall;
  const { span } = expr;
  // Numbers that meet nothing else in the map are floats.
  const zero: ast.Expr = { kind: 'number', value: 0, integral: false, text: '0.0', span };
  const value: ast.Expr = { kind: 'binary', op: '+', left: expr, right: zero, opSpan: span, span };
  const map: ast.MapExpr = {
    kind: 'map',
    heads: [{ over, as: { kind: 'bind', name, span: name.span } }],
    body: { statements: [], value, span },
    span,
  };
  return { value: e.do.expression(e, map, frame), span: expr.span };
}

// ---------------------------------------------------------------- members

/** `P.x`, `P.F`, `P.objective`, `P.violation`, `P.multipliers`. */
export function problemMember(e: Elaboration, instance: ProblemInstance, name: ast.Name): Value {
  const found = fieldOf(e, instance, name.text, name.span);
  if (found) return found;
  const known = fieldNames(instance);
  fail('OPT312', name.span, `the problem ${instance.name} has nothing called '${name.text}'`, {
    labels: [{ span: instance.template.decl.name.span, text: 'declared here' }],
    hint: didYouMean(name.text, known) ?? `it has ${known.join(', ')}`,
  });
}

/** The value that a name has of a problem, with the models and variables of the problem's run; undefined where it has none of that name. */
export function fieldOf(e: Elaboration, instance: ProblemInstance, name: string, span: Span): Value | undefined {
  return e.withRun(instance.run, () => fieldHere(e, instance, name, span));
}

function fieldHere(e: Elaboration, instance: ProblemInstance, name: string, span: Span): Value | undefined {
  const levels = allOf(instance.level);
  const variable = levels.flatMap((l) => l.variables).find((v) => v.name === name);
  if (variable) return readCells(e, variable.cells(), span);
  if (name === 'multipliers') return multipliersOf(e, instance, span);
  const frame = viewOf(e, instance);
  const named = frame.scope.names.get(name);
  if (named) return e.do.binding(e, named, name, span);
  const { objectives } = instance.level.text;
  if (name === 'objective' && objectives.length === 1) return objective(e, objectives[0], frame);
  if (name === 'violation') return tensor(violation(e, instance, frame, span));
  return undefined;
}

export function fieldNames(instance: ProblemInstance): string[] {
  const levels = allOf(instance.level);
  const { objectives } = instance.level.text;
  const own = (l: Level) => [
    ...l.variables.map((v) => v.name),
    ...l.text.objectives.flatMap((o) => (o.name ? [o.name.text] : [])),
    ...l.text.constraints.flatMap((c) => (c.name ? [c.name.text] : [])),
  ];
  const constrained = levels.some((l) => l.text.constraints.length > 0) ? ['violation', 'multipliers'] : [];
  return [...new Set([...levels.flatMap(own), ...(objectives.length === 1 ? ['objective'] : []), ...constrained])];
}

function multipliersOf(e: Elaboration, instance: ProblemInstance, span: Span): Value {
  if (instance.multipliers.size === 0)
    fail('OPT312', span, `no solver has published multipliers of ${instance.name}`, {
      hint: 'solve it by a solver that has multipliers g = …',
    });
  return {
    kind: 'record',
    fields: new Map([...instance.multipliers].map(([name, cells]) => [name, readCells(e, cells, span)])),
  };
}

/** The largest amount by which a constraint of any level is missed; 0 without constraints. */
export function violation(e: Elaboration, instance: ProblemInstance, frame: Frame, span: Span): Node {
  const amounts = allOf(instance.level).flatMap((level) =>
    level.text.constraints.flatMap((stmt) => missed(e, stmt, frame)),
  );
  return e.graph.at(span, () => amounts.reduce((a, b) => e.make('max', [a, b]), e.constant(0)));
}

/** How much each leaf of a constraint is missed by, at most. */
function missed(e: Elaboration, stmt: ast.ConstraintStmt, frame: Frame): Node[] {
  const { op } = relationOf(stmt);
  const value = residual(e, stmt, frame, op === '>=' ? -1 : 1);
  return leaves(e, value, stmt.span).map((leaf) => {
    const node = toNode(e, leaf.value, stmt.span, 'f32');
    const amount = op === '==' ? e.make('abs', [node]) : e.make('max', [node, e.constant(0, 'f32', node.type.shape)]);
    const axes = node.type.shape.map((_, axis) => axis);
    return axes.length > 0 ? e.make('reduce_max', [amount], { axes }) : amount;
  });
}
