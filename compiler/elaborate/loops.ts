/**
 * Static loops. `repeat` and `for` are unrolled; `every n` runs its body always and keeps its effects at the steps that count (or, inside an
 * unrolled repeat, is decided now).
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import { chosenBy } from './choices.ts';
import { toDim, toNode } from './convert.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { type Execution, type Frame, nested, Scope } from './scope.ts';
import { exact, kindText, type Value } from './values.ts';

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
  const inner: Frame = { ...nested(frame), execution: { ...frame.execution, index: e.make('floor_div', [index, n]) } };
  chosenBy(e, frame, due, () => void e.do.body(e, stmt.body, inner));
}
