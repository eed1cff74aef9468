/**
 * Loops. A `repeat` of a few turns is straight code, one of many or of a number that the run decides a loop of the graph, as `while` is; `for` goes over what is
 * known and is straight code always. `every n` is a choice by the turn of the innermost loop.
 */
import { bodiesOf } from '../ast/bodies.ts';
import type * as ast from '../ast/nodes.ts';
import { readsName } from '../check/reads.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { branch, choose, decide, isFixed } from './choices.ts';
import type { Elaboration } from './context.ts';
import { toDim, toNode } from './convert.ts';
import { attempt, stateOf } from './effects.ts';
import { everyOf, turnLoop } from './execution.ts';
import { beginLifetime } from './lifetime.ts';
import { type Frame, nested, Scope } from './scope.ts';
import { roll } from './turns.ts';
import { exact, kindText, type Value } from './values.ts';

/** Turns up to which a `repeat` is straight code: the compiler sees through all of them, and a device starts nothing for a turn. */
const FEW_TURNS = 8;
/** Most turns of a loop of the graph. */
const MOST_TURNS = 2 ** 31 - 1;

export function repeat(e: Elaboration, stmt: ast.RepeatStmt, frame: Frame): void {
  const count = e.do.expression(e, stmt.count, frame);
  if (count.kind !== 'exact') return repeatOfRun(e, stmt, count, frame);
  const turns = toDim(e, count, stmt.count.span, 'the number of turns');
  if (turns < 0)
    fail('OPT305', stmt.count.span, `the number of turns cannot be negative: ${turns}`, {
      hint: 'repeat 0 is the least',
    });
  if (stmt.max) checkCap(e, stmt, turns, frame);
  if (turns > FEW_TURNS && !holdsFixed(stmt.body, frame)) return repeatMany(e, stmt, turns, frame);
  unroll(e, stmt, turns, frame);
}

/** `repeat n max N` of a number that is known: it must keep to its cap. */
function checkCap(e: Elaboration, stmt: ast.RepeatStmt, turns: number, frame: Frame): void {
  const expr = stmt.max as ast.Expr;
  const max = toDim(e, e.do.expression(e, expr, frame), expr.span, 'the most turns of a repeat');
  if (turns > max)
    fail('OPT305', stmt.count.span, `${turns} turns are more than the cap of ${max}`, {
      labels: [{ span: expr.span, text: 'the cap' }],
      hint: 'leave the cap off: the number of turns is known',
    });
}

/** Straight code: one turn after the other, its index a number. */
function unroll(e: Elaboration, stmt: ast.RepeatStmt, turns: number, frame: Frame): void {
  checkTurns(e, turns, stmt.count.span);
  const restart = stmt.restart && turns > 0 ? beginLifetime(e, frame, stmt.span) : frame.restart;
  for (let turn = 0; turn < turns; turn++) {
    const inner: Frame = {
      ...nested(frame),
      indices: [...frame.indices, e.constant(turn, 'i32')],
      execution: turnLoop(e, frame.execution, turn, turns),
      restart,
    };
    if (stmt.as) inner.scope.set(stmt.as.text, { kind: 'value', value: exact(turn, true), span: stmt.as.span });
    e.do.body(e, stmt.body, inner);
  }
}

/** A loop of the graph; straight code where the body needs its index when compiling, as far as its turns are few enough for that. */
function repeatMany(e: Elaboration, stmt: ast.RepeatStmt, turns: number, frame: Frame): void {
  const loop = {
    word: 'repeat',
    act: (inner: Frame) => void e.do.body(e, stmt.body, inner),
    span: stmt.span,
    max: turns,
    as: stmt.as,
    restart: stmt.restart,
  } as const;
  checkMost(turns, stmt.count.span);
  const { as } = stmt;
  if (!as || !readsName(stmt.body, as.text)) return roll(e, loop, frame);
  const before = stateOf(e, frame);
  const found = attempt(e, frame, before, () => roll(e, loop, frame));
  if (!found) return;
  if (turns <= e.limits.turns && !e.witnesses.involved(turns)) return unroll(e, stmt, turns, frame);
  const [first] = found;
  fail(
    'OPT501',
    stmt.count.span,
    `this loop has ${turns} turns, and its body needs ${as.text} when compiling: ${first.message}`,
    {
      labels: first.span ? [{ span: first.span, text: `${as.text} is a number of the run here` }] : [],
      hint: first.hint ?? `use ${as.text} as an i32 value, or at most ${e.limits.turns} turns`,
    },
  );
}

export function checkMost(turns: number, span: Span): void {
  if (turns > MOST_TURNS)
    fail('OPT501', span, `a loop has at most ${MOST_TURNS} turns, not ${turns}`, { hint: 'nest two loops' });
}

/** `repeat n max N`: as many turns as the run says, at most N. */
function repeatOfRun(e: Elaboration, stmt: ast.RepeatStmt, value: Value, frame: Frame): void {
  const wanted = toNode(e, value, stmt.count.span, 'i32');
  if (wanted.type.dtype !== 'i32' || wanted.type.shape.length > 0)
    fail('OPT305', stmt.count.span, `the number of turns is one whole number, not ${e.typeText(wanted.type)}`, {
      hint: wanted.type.shape.length > 0 ? 'take one element' : 'convert it: i32(x)',
    });
  if (!stmt.max)
    fail('OPT305', stmt.count.span, 'a number of turns that the run decides needs a cap', {
      hint: `write repeat ${e.options.text(stmt.count.span)} max 100`,
    });
  const max = toDim(e, e.do.expression(e, stmt.max, frame), stmt.max.span, 'the most turns of a repeat');
  checkMost(max, stmt.max.span);
  if (max <= 0) return;
  const between = e.make('max', [e.make('min', [wanted, e.constant(max, 'i32')]), e.constant(0, 'i32')]);
  const { span, as, restart } = stmt;
  const act = (inner: Frame): void => void e.do.body(e, stmt.body, inner);
  roll(e, { word: 'repeat', act, span, max, count: between, as, restart }, frame);
}

/** `while C max N { … }`: C is asked before each turn. */
export function whileStatement(e: Elaboration, stmt: ast.WhileStmt, frame: Frame): void {
  const max = toDim(e, e.do.expression(e, stmt.max, frame), stmt.max.span, 'the most turns of a while');
  checkMost(max, stmt.max.span);
  if (max < 0)
    fail('OPT305', stmt.max.span, `the number of turns cannot be negative: ${max}`, { hint: 'max 0 is the least' });
  const act = (inner: Frame): void => void e.do.body(e, stmt.body, inner);
  const condition = (inner: Frame): boolean | Node => decide(e, stmt.condition, inner, 'while');
  if (max > 0) roll(e, { word: 'while', act, span: stmt.span, max, condition }, frame);
}

/** Whether a body holds, outside of templates, what the schedule needs to know one by one. */
function holdsFixed(body: ast.Body, frame: Frame): boolean {
  return body.statements.some(
    (stmt) => isFixed(stmt, frame) || bodiesOf(stmt).some((inner) => holdsFixed(inner, frame)),
  );
}

/** Straight code has few turns, and their number is known. */
function checkTurns(e: Elaboration, turns: number, span: Span): void {
  if (e.witnesses.involved(turns)) {
    fail('OPT506', span, `a loop over ${e.dim(turns)} turns needs the data to be known`, {
      hint: 'check with the data present',
    });
  }
  if (turns > e.limits.turns) {
    fail('OPT501', span, `this loop has ${turns} turns, and it is unrolled: at most ${e.limits.turns}`, {
      hint: 'let train or repeat do the looping, or compute on whole arrays',
    });
  }
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
  const turn = frame.execution.loop.turn();
  const known = period.kind === 'exact' ? period.value : undefined;
  const inner: Frame = { ...nested(frame), execution: everyOf(frame.execution, known) };
  const act = (within: Frame): void => void e.do.body(e, stmt.body, within);
  // Outside of loops everything happens once, which is time 0.
  if (turn === undefined || known === 1) return act(inner);
  if (typeof turn === 'number' && known !== undefined) {
    if (turn % known === 0) act(inner);
    return;
  }
  const n = toNode(e, period, stmt.period.span, 'i32');
  if (n.type.dtype !== 'i32' || n.type.shape.length > 0)
    fail('OPT305', stmt.period.span, `a period is one whole number, not ${e.typeText(n.type)}`, {
      hint: 'convert it: i32(x)',
    });
  const time = typeof turn === 'number' ? e.constant(turn, 'i32') : turn;
  const due = e.make('eq', [e.make('floor_mod', [time, n]), e.constant(0, 'i32')]);
  choose(
    e,
    frame,
    due,
    () => act(branch({ ...inner, chosen: 'every' })),
    () => {},
  );
}
