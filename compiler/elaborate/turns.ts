/**
 * Loops of the graph: `repeat` of many turns or of a number that the run decides, and `while`. The body is elaborated once on the state before it, to see which
 * cells it changes, then with a parameter in place of each of them: these are what the `loop` node carries from turn to turn. What is recorded in the body
 * is recorded once, as the last turn that recorded it left it. In that first look, loops inside are looked at once too: a nest of d loops is elaborated d + 1
 * times in its innermost body, not 2^d times.
 */
import type * as ast from '../ast/nodes.ts';
import { closeRegions, makeLoop, regionParameter } from '../ir/tensor/regions.ts';
import { substitute } from '../ir/tensor/rewrite.ts';
import type { Node, Region } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { branch } from './choices.ts';
import type { Elaboration } from './context.ts';
import { broadcastTo } from './convert.ts';
import { moved } from './gradient-path.ts';
import { adoptNames, attempt, changes, type Effects, effectsOf, isLeaf, stateOf, trial } from './effects.ts';
import type { Output } from './entry.ts';
import { turnLoop } from './execution.ts';
import { beginLifetime, type Lifetime } from './lifetime.ts';
import { record } from './outputs.ts';
import { type Frame, nested } from './scope.ts';
import { type Start, startOfTurn } from './turn-start.ts';
import type { Carried } from './turn-carried.ts';
import { tensor } from './values.ts';

export interface LoopText {
  readonly word: 'repeat' | 'while' | 'solve';
  readonly span: Span;
  /** Most turns; all of them are taken where there is neither count nor condition. */
  readonly max: number;
  /** Turns of the run, i32 scalar, at most `max`. */
  readonly count?: Node;
  /** Asked before each turn. */
  readonly condition?: (inner: Frame) => boolean | Node;
  readonly as?: ast.Name;
  readonly restart?: boolean;
  /** The body of a turn, whose number is the last index of the frame. */
  act(inner: Frame): void;
}

/** Elaborates the loop as one node and puts its effects in place. */
export function roll(e: Elaboration, loop: LoopText, frame: Frame): void {
  const lifetime = loop.restart ? beginLifetime(e, frame, loop.span) : frame.restart;
  if (e.looking) return lookOnce(e, loop, frame, lifetime);
  if (e.careful) return turns(e, loop, frame, lifetime);
  // What stands in for a derivative reads at least what the derivative reads: an error may be owed to what it reads beyond that.
  if (!attempt(e, frame, stateOf(e, frame), () => turns(e, loop, frame, lifetime))) return;
  e.careful = true;
  try {
    turns(e, loop, frame, lifetime);
  } finally {
    e.careful = false;
  }
}

function turns(e: Elaboration, loop: LoopText, frame: Frame, lifetime: Lifetime | undefined): void {
  const errors = e.errors.length;
  const known = e.careful ? undefined : e.seenLoops.carried(e, loop.span, lifetime);
  if (known) {
    const kept = { updates: e.updates.length, diagnostics: e.diagnostics.length };
    const turn = elaborateTurn(e, loop, frame, known);
    if (e.errors.length > errors || changesAll(known, turn)) return finish(e, loop, frame, turn);
    e.updates.length = kept.updates;
    e.diagnostics.length = kept.diagnostics;
  }
  const carried = straightTurn(e, loop, frame, lifetime);
  // An error after which elaboration goes on was found in the body: a second look would only find it again.
  while (e.errors.length === errors) {
    const kept = { updates: e.updates.length, diagnostics: e.diagnostics.length };
    const turn = elaborateTurn(e, loop, frame, carried);
    if (e.errors.length > errors || !grows(carried, turn)) return finish(e, loop, frame, turn);
    e.updates.length = kept.updates;
    e.diagnostics.length = kept.diagnostics;
  }
}

/** One turn in straight code, whose effects nobody keeps. */
function straightTurn(e: Elaboration, loop: LoopText, frame: Frame, lifetime: Lifetime | undefined): Carried {
  const before = stateOf(e, frame);
  const marker = e.graph.nextId;
  const dry = trial(e, () =>
    e.look(() => effectsOf(e, frame, before, () => text(e, loop, frame, lifetime, e.constant(0, 'i32')))),
  );
  return {
    cells: new Map([...dry.cells].map(([id, { cell }]) => [id, cell])),
    slots: new Set(dry.slots.flatMap((node, i) => (node === before.slots[i] ? [] : [i]))),
    lifetime,
    first: { dry, marker },
  };
}

/** The loop inside of one that is looked at: a turn in straight code, which may be none where the loop may take none. */
function lookOnce(e: Elaboration, loop: LoopText, frame: Frame, lifetime: Lifetime | undefined): void {
  const before = stateOf(e, frame);
  const around = e.lookedAround;
  text(e, loop, frame, lifetime, e.constant(0, 'i32'));
  const changed = [...changes(e, before.cells).values()];
  const slots = (frame.ruleSlots ?? []).flatMap((slot, k) => (slot.get() === before.slots[k] ? [] : [k]));
  e.seenLoops.note(e, loop.span, around, changed.map(({ cell }) => cell), slots); // prettier-ignore
  if (certainlyTaken(loop)) return;
  for (const { cell, old, now } of changed) {
    const value = either(e, now, old);
    e.entry.write(cell, isLeaf(now) && isLeaf(old) ? moved(e, value) : value);
  }
  frame.ruleSlots?.forEach((slot, k) => {
    const [now, old] = [slot.get(), before.slots[k]];
    if (old && now !== old) slot.set(either(e, now, old));
  });
}

/** A value that depends on both. */
function either(e: Elaboration, now: Node, old: Node): Node {
  return e.make('select', [broadcastTo(e, e.constant(1, 'bool'), now.type.shape), now, old]);
}

/** Whether a turn changed all that was expected of it, and nothing else. */
function changesAll({ cells, slots }: Carried, { done, changedSlots }: Turn): boolean {
  const same = done.cells.size === cells.size && changedSlots.length === slots.size;
  return same && [...cells.keys()].every((id) => done.cells.has(id)) && changedSlots.every((k) => slots.has(k));
}

/** Adds what a turn changed although the first did not; false where there is nothing. */
function grows({ cells, slots }: Carried, { done, changedSlots }: Turn): boolean {
  const size = cells.size + slots.size;
  for (const { cell } of done.cells.values()) cells.set(cell.id, cell);
  changedSlots.forEach((k) => slots.add(k));
  return cells.size + slots.size > size;
}

/** Condition and body of one turn. */
function text(e: Elaboration, loop: LoopText, frame: Frame, lifetime: Lifetime | undefined, i: Node): Node | undefined {
  const certain = !loop.count && !loop.condition;
  const inner: Frame = branch({
    ...nested(frame),
    indices: [...frame.indices, i],
    execution: turnLoop(e, frame.execution, i, certain ? loop.max : undefined),
    chosen: certain ? frame.chosen : loop.word,
    restart: lifetime,
  });
  if (loop.as) inner.scope.set(loop.as.text, { kind: 'value', value: tensor(i), home: e.entry, span: loop.as.span });
  let goOn: Node | undefined;
  const { condition } = loop;
  if (condition) {
    const held = e.observe(() => condition(inner));
    goOn = typeof held === 'boolean' ? e.constant(held ? 1 : 0, 'bool') : held;
  }
  loop.act(inner);
  return goOn;
}

/** What a turn carries on: its value before the loop, the parameter that stands for it in the body, and what the body makes of it. */
interface Carry {
  readonly initial: Node;
  readonly param: Node;
  readonly result: Node;
  put(last: Node): void;
}

interface Turn {
  readonly marker: number;
  readonly i: Node;
  readonly goOn: Node | undefined;
  readonly carries: readonly Carry[];
  /** What is to take the place of the nodes on which starts of cells stood. */
  readonly sources: ReadonlyMap<Node, Node>;
  readonly done: Effects<Node | undefined>;
  readonly changedSlots: readonly number[];
}

/** One turn on parameters; the state is put back. */
function elaborateTurn(e: Elaboration, loop: LoopText, frame: Frame, carried: Carried): Turn {
  const before = stateOf(e, frame);
  const marker = e.graph.nextId;
  const i = regionParameter(e.graph, 'i', { dtype: 'i32', shape: [] });
  const starts = startOfTurn(e, carried, before);
  const slots = frame.ruleSlots ?? [];
  const params = new Map([...carried.slots].map((k) => [k, regionParameter(e.graph, 'p', before.slots[k].type)]));
  for (const { cell, start } of starts) e.entry.adopt(cell, start);
  for (const [k, param] of params) slots[k].set(param);
  try {
    const begun = stateOf(e, frame);
    const done = effectsOf(e, frame, begun, () => text(e, loop, frame, carried.lifetime, i));
    const carries = starts.map((start): Carry => carryCell(e, loop, start, done));
    for (const [k, param] of params) {
      const put = (last: Node) => slots[k].set(last);
      carries.push({ initial: before.slots[k], param, result: done.slots[k], put });
    }
    const changedSlots = done.slots.flatMap((node, k) => (node === begun.slots[k] ? [] : [k]));
    const sources = new Map(starts.map(({ source, param }) => [source, param]));
    return { marker, i, goOn: done.value, carries, sources, done, changedSlots };
  } finally {
    e.entry.restore(before.cells);
    slots.forEach((slot, k) => slot.set(before.slots[k]));
  }
}

const certainlyTaken = (loop: LoopText): boolean => !loop.count && !loop.condition && loop.max > 0;

function carryCell(
  e: Elaboration,
  loop: LoopText,
  { cell, start, initial, param }: Start,
  done: Effects<unknown>,
): Carry {
  const result = done.cells.get(cell.id)?.now ?? start;
  // What updates have moved is a leaf for later derivatives; where it may be that no turn is taken, only if it was one before.
  const leaf = isLeaf(result) && (certainlyTaken(loop) || isLeaf(initial));
  return { initial, param, result, put: (last) => void e.entry.write(cell, leaf ? moved(e, last) : last) };
}

/** What the body records, carried to the end: the number, and whether a turn has recorded it. */
function carryOutput(e: Elaboration, loop: LoopText, output: Output): Carry[] {
  const { value, when } = output;
  const param = regionParameter(e.graph, output.name, value.type);
  const zero = e.constant(0, value.type.dtype);
  const result = when ? e.make('select', [when, value, param]) : value;
  let last = zero;
  const number: Carry = { initial: zero, param, result, put: (node) => void (last = node) };
  const always = !when && certainlyTaken(loop);
  if (always) return [{ ...number, put: (node) => record(e, { ...output, value: node, when: undefined }) }];
  const flag = regionParameter(e.graph, `${output.name}?`, { dtype: 'bool', shape: [] });
  const taken: Carry = {
    initial: e.constant(0, 'bool'),
    param: flag,
    result: when ? e.make('or', [flag, when]) : e.constant(1, 'bool'),
    put: (node) => record(e, { ...output, value: last, when: node }),
  };
  return [number, taken];
}

/** Makes the loop and puts what it changed in place. */
function finish(e: Elaboration, loop: LoopText, frame: Frame, { marker, i, goOn, done, sources, ...turn }: Turn): void {
  const carries = [...turn.carries, ...done.outputs.flatMap((output) => carryOutput(e, loop, output))];
  const params = [i, ...carries.map((c) => c.param)];
  const open = [...carries.map((c) => c.result), ...(goOn ? [goOn] : [])];
  const results = substitute(e.graph, open, sources);
  const body: Region = { params, results: results.slice(0, carries.length) };
  const cond = goOn && renamed(e, { params, results: results.slice(carries.length) });
  const { regions, consts } = closeRegions(e.graph, marker, cond ? [body, cond] : [body]);
  const made = makeLoop(e.graph, {
    count: loop.count,
    carries: carries.map((c) => c.initial),
    xs: [],
    consts,
    max: loop.max,
    body: regions[0],
    cond: regions[1],
  });
  adoptNames(e, done);
  carries.forEach((carry, k) => carry.put(made.carry(k)));
}

/** The region on parameters of its own. */
function renamed(e: Elaboration, { params, results }: Region): Region {
  const own = params.map((p) => regionParameter(e.graph, String(p.attrs.name), p.type));
  return { params: own, results: substitute(e.graph, results, new Map(params.map((p, k) => [p, own[k]]))) };
}
