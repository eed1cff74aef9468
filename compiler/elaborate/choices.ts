/**
 * Choices and simultaneous statements. `if` whose condition is known takes one branch, and the other is not even typed. One that is decided at run time is a
 * `cond` of the graph: each branch is elaborated on the state before it and becomes a region, so that a branch not taken does nothing at all. `together`
 * evaluates each statement on the state before it.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { closeRegions, makeCond } from '../ir/tensor/regions.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { BuiltinCall } from './builtins.ts';
import { alike } from './builtins-elementwise.ts';
import type { Elaboration } from './context.ts';
import { moved } from './gradient-path.ts';
import { rebuild } from './convert.ts';
import { adoptNames, type Effects, effectsOf, isLeaf, type State, stateOf } from './effects.ts';
import { uncertain } from './execution.ts';
import { record } from './outputs.ts';
import { type Frame, nested } from './scope.ts';
import { kindText, tensor, type Value } from './values.ts';

// ---------------------------------------------------------------- if

/** The condition: known now, or one bool of the run. */
export function decide(e: Elaboration, expr: ast.Expr, frame: Frame, word: string): boolean | Node {
  const condition = e.do.expression(e, expr, frame);
  if (condition.kind === 'truth') return condition.value;
  if (condition.kind !== 'tensor' || condition.node.type.dtype !== 'bool')
    fail('OPT318', expr.span, `a condition is needed here, not ${kindText(condition)}`, {
      hint: `compare: ${word} x > 0 { … }`,
    });
  if (condition.node.type.shape.length > 0)
    fail('OPT318', expr.span, `${word} asks one condition, but this has type ${e.typeText(condition.node.type)}`, {
      hint: 'choose element by element with where(c, a, b), or reduce it: any(c), all(c)',
    });
  return condition.node;
}

/** A frame whose families stay in it. */
export function branch(frame: Frame): Frame {
  return { ...frame, familyScope: undefined, branch: frame.scope };
}

/** The frame of text that is reached or not as the run decides. */
export function chosenFrame(frame: Frame, word: string): Frame {
  return branch({ ...nested(frame), execution: uncertain(frame.execution), chosen: word });
}

export function ifStatement(e: Elaboration, stmt: ast.IfStmt, frame: Frame): void {
  const condition = decide(e, stmt.condition, frame, 'if');
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
  const inner = () => chosenFrame(frame, 'if');
  choose(
    e,
    frame,
    condition,
    () => void e.do.body(e, then, inner()),
    () => instead(inner()),
  );
}

/** `if c { a } else { b }` as a value. */
export function ifExpression(e: Elaboration, expr: ast.IfExpr, frame: Frame): Value {
  const condition = decide(e, expr.condition, frame, 'if');
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
  const inner = () => chosenFrame(frame, 'if');
  const value = choose(
    e,
    frame,
    condition,
    () => valueOf(then, inner()),
    () => valueOf(otherwise as ast.Body, inner()),
    (a, b) => {
      const parts = [
        { value: a, span: spanOf(then, expr.span) },
        { value: b, span: spanOf(otherwise as ast.Body, expr.span) },
      ];
      return alike(new BuiltinCall(e, 'if', expr.span, parts, new Map()), 0, 1);
    },
  );
  return value as Value;
}

function spanOf(body: ast.Body | ast.IfExpr, fallback: Span): Span {
  return 'kind' in body ? body.span : (body.value?.span ?? fallback);
}

// ---------------------------------------------------------------- the choice as a node

/** One result of a choice: what it is in each branch, and what becomes of it. */
interface Pair {
  readonly now: Node;
  readonly instead: Node;
  put(chosen: Node): void;
}

type Alike = ReturnType<typeof alike>;

/** Makes the effects of the branch that the condition takes those of the choice, and its value the value. */
export function choose<T>(
  e: Elaboration,
  frame: Frame,
  condition: Node,
  then: () => T,
  otherwise: () => T,
  meet?: (a: T, b: T) => Alike,
): Value | undefined {
  const before = stateOf(e, frame);
  const marker = e.graph.nextId;
  const taken = effectsOf(e, frame, before, then);
  const other = effectsOf(e, frame, before, otherwise);
  const values = meet?.(taken.value, other.value);
  const pairs = effectPairs(e, frame, before, taken, other);
  const chosen: Node[] = [];
  values?.forEach(({ a, b }, i) => pairs.push({ now: a, instead: b, put: (node) => void (chosen[i] = node) }));
  for (const done of [taken, other]) adoptNames(e, done);
  decideBetween(e, frame, condition, marker, pairs);
  return (
    values &&
    (chosen.length === 1 && values.like.kind === 'tensor'
      ? tensor(chosen[0])
      : rebuild(e, values.like, chosen, e.graph.span as Span))
  );
}

function decideBetween(e: Elaboration, frame: Frame, condition: Node, marker: number, pairs: readonly Pair[]): void {
  const different = pairs.filter(({ now, instead }) => now !== instead);
  let results: readonly Node[] = [];
  if (frame.onHost) {
    // the host evaluates scalars one by one: neither faults nor derivatives are to be kept apart
    results = different.map(({ now, instead }) => e.make('select', [condition, now, instead]));
  } else if (different.length > 0) {
    const open = [
      { params: [], results: different.map((p) => p.now) },
      { params: [], results: different.map((p) => p.instead) },
    ];
    const { regions, consts } = closeRegions(e.graph, marker, open);
    const cond = makeCond(e.graph, condition, consts, [regions[0], regions[1]]);
    results = different.map((_, k) => cond.result(k));
  }
  for (const pair of pairs) pair.put(pair.now === pair.instead ? pair.now : results[different.indexOf(pair)]);
}

function effectPairs(
  e: Elaboration,
  frame: Frame,
  before: State,
  then: Effects<unknown>,
  other: Effects<unknown>,
): Pair[] {
  const pairs: Pair[] = [];
  for (const { cell, old } of new Map([...then.cells, ...other.cells]).values()) {
    const [now, instead] = [then, other].map((branch) => branch.cells.get(cell.id)?.now ?? old);
    // What updates have moved is a leaf for later derivatives, whichever branch it was.
    const leaf = isLeaf(now) && isLeaf(instead);
    pairs.push({ now, instead, put: (node) => void e.entry.write(cell, leaf ? moved(e, node) : node) });
  }
  frame.ruleSlots?.forEach((slot, i) => {
    if (then.slots[i] === before.slots[i] && other.slots[i] === before.slots[i]) return;
    pairs.push({ now: then.slots[i], instead: other.slots[i], put: (node) => slot.set(node) });
  });
  return [...pairs, ...outputPairs(e, then, other)];
}

/** What either branch records, and whether it did; where it did not, the number is 0. */
function outputPairs(e: Elaboration, then: Effects<unknown>, other: Effects<unknown>): Pair[] {
  const names = new Map([...then.outputs, ...other.outputs].map((o) => [`${o.kind} ${o.name}`, o]));
  return [...names].flatMap(([key, output]): Pair[] => {
    const [a, b] = [then, other].map((branch) => branch.outputs.find((o) => `${o.kind} ${o.name}` === key));
    const zero = e.constant(0);
    const flag = (o: typeof a): Node => o?.when ?? e.constant(o ? 1 : 0, 'bool');
    let value = zero;
    const pair = { now: a?.value ?? zero, instead: b?.value ?? zero, put: (node: Node) => void (value = node) };
    const always = a && !a.when && b && !b.when;
    const put = (when: Node | undefined) => record(e, { ...output, value, when });
    if (always) return [{ ...pair, put: (node) => record(e, { ...output, value: node, when: undefined }) }];
    return [pair, { now: flag(a), instead: flag(b), put }];
  });
}

// ---------------------------------------------------------------- what may be chosen

/** What belongs to the schedule or to the run, by word: no condition or loop of the run can decide whether it exists. */
const FIXED = new Set([
  'use',
  'hyper',
  'data',
  'model',
  'modelInstance',
  'run',
  'train',
  'eval',
  'metric',
  'expect',
  'export',
  'trial',
]);

/** Refuses, in text that the run reaches or not, what cannot depend on the run. */
export function checkChosen(stmt: ast.Stmt, frame: Frame): void {
  if (!frame.chosen || !isFixed(stmt, frame)) return;
  const word = stmt.kind === 'cell' ? stmt.word : stmt.kind === 'modelInstance' ? 'model' : stmt.kind;
  fail('OPT424', stmt.span, `'${word}' cannot stand under a '${frame.chosen}' that is decided at run time`, {
    hint: word === 'metric' ? 'choose its value: metric m = if c { a } else { b }' : 'put it outside',
  });
}

/** Whether a statement is a part of the program rather than something that an execution does. */
export function isFixed(stmt: ast.Stmt, frame: Frame): boolean {
  const outside = frame.body === 'file' || frame.body === 'trial';
  return FIXED.has(stmt.kind) || (outside && stmt.kind === 'cell');
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
    part.outputs.forEach((output) => record(e, output));
    adoptNames(e, part);
  }
}
