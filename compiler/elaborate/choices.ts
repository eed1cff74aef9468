/**
 * Choices and simultaneous statements. `if` whose condition is known takes one branch, and the other is not even typed. One that is decided at run time
 * evaluates both, each on the state before it, and chooses every value and every cell by the condition. `together` evaluates each statement on that state.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { BuiltinCall } from './builtins.ts';
import { where } from './builtins-elementwise.ts';
import type { Elaboration } from './context.ts';
import { broadcastTo } from './convert.ts';
import type { Move } from './entry.ts';
import { type Frame, nested } from './scope.ts';
import { type CellRef, kindText, tensor, type Value } from './values.ts';

// ---------------------------------------------------------------- effects

/** What text may change: cells, and in a rule its p and g. */
interface State {
  readonly cells: ReadonlyMap<string, Node>;
  readonly slots: readonly Node[];
  readonly moved: ReadonlyMap<string, Move>;
}

interface Effects<T> {
  readonly value: T;
  /** Cells that were changed, with their values before and after. */
  readonly cells: ReadonlyMap<string, { readonly cell: CellRef; readonly old: Node; readonly now: Node }>;
  readonly slots: readonly Node[];
  readonly moved: ReadonlyMap<string, Move>;
}

function stateOf(e: Elaboration, frame: Frame): State {
  const slots = (frame.ruleSlots ?? []).map((slot) => slot.get());
  return { cells: e.entry.snapshot(), slots, moved: new Map(e.entry.moved) };
}

/** Runs `act` and puts everything back to what it was. */
function effectsOf<T>(e: Elaboration, frame: Frame, before: State, act: () => T): Effects<T> {
  const value = act();
  const slots = (frame.ruleSlots ?? []).map((slot) => slot.get());
  const effects = { value, cells: changes(e, before.cells), slots, moved: new Map(e.entry.moved) };
  e.entry.restore(before.cells);
  e.entry.moved.clear();
  for (const [id, move] of before.moved) e.entry.moved.set(id, move);
  frame.ruleSlots?.forEach((slot, i) => slot.set(before.slots[i]));
  return effects;
}

/** Cells that text changed since a snapshot; variables that it declared itself are left out. */
export function changes(e: Elaboration, before: ReadonlyMap<string, Node>): Effects<unknown>['cells'] {
  const found = new Map<string, { cell: CellRef; old: Node; now: Node }>();
  for (const { cell, before: old, now } of e.entry.changedSince(before)) {
    if (!cell.persistent && old === undefined) continue;
    found.set(cell.id, { cell, old: old ?? e.entry.first(cell), now });
  }
  return found;
}

export function choose(e: Elaboration, condition: Node, now: Node, old: Node): Node {
  return now === old ? now : e.make('select', [broadcastTo(e, condition, now.type.shape), now, old]);
}

/** A cell as it was, or as an update has left it; no plain write. */
function isLeaf(node: Node): boolean {
  return node.op === 'parameter' || (node.op === 'version' && node.inputs[0].op === 'stop');
}

/** Makes the effects of the branch that the condition takes those of the choice. */
function merge(e: Elaboration, frame: Frame, condition: Node, then: Effects<unknown>, other: Effects<unknown>): void {
  for (const { cell, old } of new Map([...then.cells, ...other.cells]).values()) {
    const [now, instead] = [then, other].map((branch) => branch.cells.get(cell.id)?.now ?? old);
    const chosen = choose(e, condition, now, instead);
    // What updates have moved is a leaf for later derivatives, whichever branch it was.
    e.entry.write(cell, isLeaf(now) && isLeaf(instead) ? e.make('stop', [chosen]) : chosen);
  }
  frame.ruleSlots?.forEach((slot, i) => slot.set(choose(e, condition, then.slots[i], other.slots[i])));
  for (const [id, move] of [...then.moved, ...other.moved]) e.entry.moved.set(id, move);
}

// ---------------------------------------------------------------- if

/** The condition: known now, or one bool of the run. */
function decide(e: Elaboration, expr: ast.Expr, frame: Frame): boolean | Node {
  const condition = e.do.expression(e, expr, frame);
  if (condition.kind === 'truth') return condition.value;
  if (condition.kind !== 'tensor' || condition.node.type.dtype !== 'bool')
    fail('OPT318', expr.span, `a condition is needed here, not ${kindText(condition)}`, {
      hint: 'compare: if x > 0 { … }',
    });
  if (condition.node.type.shape.length > 0)
    fail('OPT318', expr.span, `an if asks one condition, but this has type ${e.typeText(condition.node.type)}`, {
      hint: 'choose element by element with where(c, a, b), or reduce it: any(c), all(c)',
    });
  return condition.node;
}

/** The frame of a branch. In a rule, counts and reports stay those of its statement. */
function branchFrame(e: Elaboration, frame: Frame, condition: Node): Frame {
  if (frame.body === 'rule') return nested(frame);
  const both = frame.condition ? e.make('and', [frame.condition, condition]) : condition;
  return { ...nested(frame), condition: both };
}

export function ifStatement(e: Elaboration, stmt: ast.IfStmt, frame: Frame): void {
  const condition = decide(e, stmt.condition, frame);
  const { then, otherwise } = stmt;
  const instead = (inner: Frame): void => {
    if (!otherwise) return;
    if ('kind' in otherwise) ifStatement(e, otherwise, inner);
    else e.do.body(e, otherwise, nested(inner));
  };
  if (typeof condition === 'boolean') {
    if (condition) e.do.body(e, then, nested(frame));
    else instead(frame);
    return;
  }
  const before = stateOf(e, frame);
  const taken = effectsOf(e, frame, before, () => e.do.body(e, then, branchFrame(e, frame, condition)));
  const not = e.make('not', [condition]);
  const other = effectsOf(e, frame, before, () => instead(branchFrame(e, frame, not)));
  merge(e, frame, condition, taken, other);
}

/** `if c { a } else { b }` as a value. */
export function ifExpression(e: Elaboration, expr: ast.IfExpr, frame: Frame): Value {
  const condition = decide(e, expr.condition, frame);
  const { then, otherwise } = expr;
  if (!otherwise && condition !== true)
    fail('OPT318', expr.span, "an 'if' used as a value needs an else", { hint: 'add else { … }' });
  const valueOf = (body: ast.Body | ast.IfExpr, inner: Frame): Value => {
    if ('kind' in body) return ifExpression(e, body, inner);
    const value = e.do.body(e, body, nested(inner));
    if (value === undefined)
      fail('OPT304', expr.span, 'this branch has no value', { hint: 'end it with an expression' });
    return value;
  };
  if (typeof condition === 'boolean') return valueOf(condition ? then : (otherwise as ast.Body), frame);
  const before = stateOf(e, frame);
  const taken = effectsOf(e, frame, before, () => valueOf(then, branchFrame(e, frame, condition)));
  const not = e.make('not', [condition]);
  const other = effectsOf(e, frame, before, () => valueOf(otherwise as ast.Body, branchFrame(e, frame, not)));
  merge(e, frame, condition, taken, other);
  const parts = [
    { value: tensor(condition), span: expr.condition.span },
    { value: taken.value, span: spanOf(then, expr.span) },
    { value: other.value, span: spanOf(otherwise as ast.Body, expr.span) },
  ];
  return where(new BuiltinCall(e, 'if', expr.span, parts, new Map()));
}

function spanOf(body: ast.Body | ast.IfExpr, fallback: Span): Span {
  return 'kind' in body ? body.span : (body.value?.span ?? fallback);
}

/** Statements whose effects are values and cells alone, so that a condition can choose them. */
const CHOSEN = new Set([
  'let',
  'letMember',
  'sample',
  'batch',
  'write',
  'update',
  'if',
  'for',
  'repeat',
  'every',
  'fn',
  'cell',
]);

/** Refuses a statement in a branch that is decided at run time, if more than values and cells depend on it. */
export function checkChosen(e: Elaboration, stmt: ast.Stmt, frame: Frame): void {
  if (!frame.condition) return;
  const outside = frame.body === 'file' || frame.body === 'trial';
  if (CHOSEN.has(stmt.kind) && !(outside && stmt.kind === 'cell')) return;
  const word = stmt.kind === 'cell' ? stmt.word : stmt.kind;
  e.notYet(
    `'${word}' under an 'if' that is decided at run time`,
    stmt.span,
    word === 'report' ? 'report where(c, a, b) outside of the if' : 'put it outside of the if',
  );
}

// ---------------------------------------------------------------- every

/** Runs `act`, and keeps its effects where the condition holds. */
export function chosenBy(e: Elaboration, frame: Frame, condition: Node, act: () => void): void {
  const before = stateOf(e, frame);
  const done = effectsOf(e, frame, before, act);
  merge(e, frame, condition, done, { ...done, cells: new Map(), slots: before.slots });
}

// ---------------------------------------------------------------- together

/** `together { … }`: each statement sees its own writes, never those of the others. */
export function together(e: Elaboration, stmt: ast.TogetherStmt, frame: Frame): void {
  const inner = nested(frame);
  const before = stateOf(e, frame);
  const owners = new Map<string, Span>();
  const parts = stmt.body.statements.map((part) => {
    if (part.kind === 'cell')
      fail('OPT424', part.span, 'a variable is declared before together, which lets statements act side by side', {
        hint: 'move the declaration up',
      });
    const done = effectsOf(e, frame, before, () => e.do.statement(e, part, inner));
    for (const { cell } of done.cells.values()) {
      const first = owners.get(cell.id);
      if (first)
        fail('OPT422', part.span, `${cell.label} is moved by two statements of one together`, {
          labels: [{ span: first, text: 'moved here first' }],
          hint: 'statements of a together move different cells',
        });
      owners.set(cell.id, part.span);
    }
    return done;
  });
  for (const part of parts) {
    for (const { cell, now } of part.cells.values()) e.entry.adopt(cell, now);
    for (const [id, move] of part.moved) e.entry.moved.set(id, move);
  }
}
