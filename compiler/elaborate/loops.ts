/**
 * Static loops and choices. `repeat` and `for` are unrolled; `every n` runs its body always and keeps its effects at the steps that count (or, inside an
 * unrolled repeat, is decided now); `if` takes one branch.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import { broadcastTo, toDim, toNode } from './convert.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { type Execution, type Frame, nested, type RuleSlot, Scope } from './scope.ts';
import { type CellRef, exact, kindText, type Value } from './values.ts';

export function repeat(e: Elaboration, stmt: ast.RepeatStmt, frame: Frame): void {
  if (stmt.restart) e.notYet("'repeat … restart'", stmt.span);
  const turns = toDim(e, e.do.expression(e, stmt.count, frame), stmt.count.span, 'the number of turns');
  if (turns < 0)
    fail('OPT305', stmt.count.span, `the number of turns cannot be negative: ${turns}`, {
      hint: 'repeat 0 is the least',
    });
  checkTurns(e, turns, stmt.count.span);
  const outer = frame.execution.index;
  for (let turn = 0; turn < turns; turn++) {
    const inner = {
      ...nested(frame),
      indices: [...frame.indices, e.constant(turn, 'i32')],
      execution: turnExecution(e, outer, turn, turns),
    };
    if (stmt.as) inner.scope.set(stmt.as.text, { kind: 'value', value: exact(turn, true), span: stmt.as.span });
    e.do.body(e, stmt.body, inner);
  }
}

/** Loops are unrolled, so that their turns must be few and known. */
function checkTurns(e: Elaboration, turns: number, span: Span): void {
  if (e.witnesses.involved(turns)) {
    fail('OPT506', span, `a loop over ${e.dim(turns)} turns needs the data to be known`, {
      hint: 'check with the data present',
    });
  }
  if (turns > e.limits.turns) {
    fail('OPT501', span, `this loop has ${turns} turns, and loops are unrolled: at most ${e.limits.turns}`, {
      hint: 'let train do the looping, or compute on whole arrays',
    });
  }
}

/** Execution count inside turn `turn` of `turns`: outer · turns + turn. */
function turnExecution(e: Elaboration, outer: Node | undefined, turn: number, turns: number): Execution {
  const count = e.constant(turn, 'i32');
  const index = outer ? e.make('add', [e.make('mul', [outer, e.constant(turns, 'i32')]), count]) : count;
  return { index, innermost: { kind: 'repeat', turn, turns, outer } };
}

/** `for l in 0..n { … }`: each turn in a scope of its own; families declared in it outlive the loop. */
export function staticFor(e: Elaboration, stmt: ast.ForStmt, frame: Frame): void {
  for (const [turn, value] of elements(e, stmt.over, frame).entries()) {
    const scope = new Scope(frame.scope);
    const label = value.kind === 'exact' ? `${stmt.name.text}=${value.value}` : `${stmt.name.text}.${turn}`;
    scope.set(stmt.name.text, { kind: 'value', value, span: stmt.name.span });
    e.do.body(e, stmt.body, {
      ...frame,
      scope,
      path: [...frame.path, label],
      turn: `${frame.turn ?? ''}[${turn}]`,
      familyScope: frame.familyScope ?? frame.scope,
    });
  }
}

function elements(e: Elaboration, expr: ast.Expr, frame: Frame): Value[] {
  if (expr.kind === 'array') return expr.items.map((item) => e.do.expression(e, item, frame));
  const value = e.do.expression(e, expr, frame);
  if (value.kind === 'range' && value.lo.kind === 'exact') {
    checkTurns(e, value.length, expr.span);
    const lo = value.lo.value;
    return Array.from({ length: value.length }, (_, i) => exact(lo + i, true));
  }
  if (value.kind === 'tuple') return [...value.items];
  if (value.kind === 'exactArray' && value.shape.length === 1) return value.values.map((v) => exact(v, value.integral));
  fail('OPT305', expr.span, `a for goes over a static range or list, not over ${kindText(value)}`, {
    hint: 'write for l in 0..n { … }',
  });
}

export function ifStatement(e: Elaboration, stmt: ast.IfStmt, frame: Frame): void {
  const condition = e.do.expression(e, stmt.condition, frame);
  if (condition.kind !== 'truth') {
    if (condition.kind !== 'tensor' || condition.node.type.dtype !== 'bool')
      fail('OPT318', stmt.condition.span, `a condition is needed here, not ${kindText(condition)}`, {
        hint: 'compare: if x > 0 { … }',
      });
    if (frame.body === 'rule' && condition.node.type.shape.length === 0)
      return branches(e, stmt, condition.node, frame);
    e.notYet("an 'if' that is decided at run time", stmt.condition.span, 'use where(c, a, b) in the values written');
  }
  const taken = condition.value ? stmt.then : stmt.otherwise;
  if (!taken) return;
  if ('kind' in taken) return ifStatement(e, taken, frame);
  e.do.body(e, taken, nested(frame));
}

/**
 * A choice at run time in a rule (`if momentum == 0` of a hyper): both branches are evaluated on the same p, g and states, and every value is chosen
 * by the condition. Elsewhere branches may hold updates and draws, whose counts would have to follow the condition.
 */
function branches(e: Elaboration, stmt: ast.IfStmt, condition: Node, frame: Frame): void {
  const before = e.entry.snapshot();
  const slots = frame.ruleSlots ?? [];
  const held = slots.map((slot) => slot.get());
  e.do.body(e, stmt.then, nested(frame));
  const then = { cells: changes(e, before), slots: slots.map((slot) => slot.get()) };
  e.entry.restore(before);
  slots.forEach((slot, i) => slot.set(held[i]));
  if (stmt.otherwise) {
    if ('kind' in stmt.otherwise) ifStatement(e, stmt.otherwise, frame);
    else e.do.body(e, stmt.otherwise, nested(frame));
  }
  const other = changes(e, before);
  for (const { cell, old } of new Map([...then.cells, ...other]).values()) {
    const taken = then.cells.get(cell.id)?.now ?? old;
    e.entry.write(cell, choose(e, condition, taken, other.get(cell.id)?.now ?? old));
  }
  slots.forEach((slot, i) => mergeSlot(e, condition, slot, then.slots[i], slot.get()));
}

/** Cells that a block changed, with their values before and now; variables of the block itself are left out. */
function changes(
  e: Elaboration,
  before: ReadonlyMap<string, Node>,
): Map<string, { cell: CellRef; old: Node; now: Node }> {
  const found = new Map<string, { cell: CellRef; old: Node; now: Node }>();
  for (const { cell, before: old, now } of e.entry.changedSince(before)) {
    if (!cell.persistent && old === undefined) continue;
    found.set(cell.id, { cell, old: old ?? e.graph.parameter('cell', cell.id, cell.type), now });
  }
  return found;
}

function mergeSlot(e: Elaboration, condition: Node, slot: RuleSlot, now: Node, other: Node): void {
  slot.set(now === other ? now : choose(e, condition, now, other));
}

/** `every n { … }`: counts the innermost loop, true at 0; in a rule the updates of its statement. */
export function every(e: Elaboration, stmt: ast.EveryStmt, frame: Frame): void {
  const period = e.do.expression(e, stmt.period, frame);
  if (period.kind === 'exact' && (period.value < 1 || !Number.isInteger(period.value))) {
    fail('OPT305', stmt.period.span, `a period is a whole number of at least 1, not ${period.value}`, {
      hint: 'write every 10 { … }',
    });
  }
  const { innermost, index } = frame.execution;
  if (innermost.kind === 'repeat' && frame.body !== 'rule') {
    const n = toDim(e, period, stmt.period.span, 'a period inside a repeat');
    if (innermost.turn % n !== 0) return;
    const times = Math.ceil(innermost.turns / n);
    e.do.body(e, stmt.body, {
      ...nested(frame),
      execution: { ...turnExecution(e, innermost.outer, innermost.turn / n, times), innermost },
    });
    return;
  }
  if (!index) {
    // Outside loops everything happens once, which is time 0.
    e.do.body(e, stmt.body, nested(frame));
    return;
  }
  const n = toNode(e, period, stmt.period.span, 'i32');
  if (n.type.dtype !== 'i32' || n.type.shape.length > 0)
    fail('OPT305', stmt.period.span, `a period is one whole number, not ${e.typeText(n.type)}`, {
      hint: 'convert it: i32(x)',
    });
  const due = e.make('eq', [e.make('floor_mod', [index, n]), e.constant(0, 'i32')]);
  const before = e.entry.snapshot();
  const inner: Frame = { ...nested(frame), execution: { ...frame.execution, index: e.make('floor_div', [index, n]) } };
  const slots = frame.ruleSlots ?? [];
  const held = slots.map((slot) => slot.get());
  e.do.body(e, stmt.body, inner);
  for (const { cell, old, now } of changes(e, before).values()) e.entry.write(cell, choose(e, due, now, old));
  slots.forEach((slot, i) => mergeSlot(e, due, slot, slot.get(), held[i]));
}

function choose(e: Elaboration, due: Node, now: Node, old: Node): Node {
  return e.make('select', [broadcastTo(e, due, now.type.shape), now, old]);
}
