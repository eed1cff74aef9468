/**
 * Axes: `axis clients = 20`. A cell, `let` or draw may have one value for each element of an axis; `map clients { … }` sees that of its own element and yields
 * one, collectives (`mean over clients`, `shift`, `gather`, `cut`, `join`) combine them. On one device an axis is a leading dimension, so the text of an
 * element is elaborated once and batched, as that of every `map`.
 */
import type * as ast from '../ast/nodes.ts';
import { vectorize } from '../autodiff/index.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { cellRead, reachable } from '../ir/tensor/graph.ts';
import { regionParameter } from '../ir/tensor/regions.ts';
import { dependencies } from '../ops/region.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { type Element, row } from './axis-elements.ts';
import { batched } from './batched.ts';
import { leaves, leavesOver, plain, rebuild, toDim, toNode, toSize } from './convert.ts';
import { elementFrame, withoutEffects } from './local-effects.ts';
import { reduceElements } from './over.ts';
import type { Frame } from './scope.ts';
import { type Axis, type CellRef, kindText, type OverValue, tensor, type Value } from './values.ts';

export function axisDeclaration(e: Elaboration, stmt: ast.AxisDecl, frame: Frame): Value {
  const size = toSize(e, e.do.expression(e, stmt.size, frame), stmt.size.span, `the axis ${stmt.name.text}`);
  if (size === 0) fail('OPT310', stmt.size.span, `the axis ${stmt.name.text} has no elements`, { hint: 'give it one' });
  return { kind: 'axis', axis: { name: stmt.name.text, size, span: stmt.name.span } };
}

/** The axis that an expression names. */
export function axisOf(e: Elaboration, expr: ast.Expr, frame: Frame): Axis {
  const value = e.do.expression(e, expr, frame);
  if (value.kind === 'axis') return value.axis;
  fail('OPT304', expr.span, `an axis is named here, not ${kindText(value)}`, {
    hint: 'declare one: axis clients = 20',
  });
}

/** The axis that a head of `map` or of a reduction names, if it does. */
export function axisNamed(e: Elaboration, heads: readonly ast.MapHead[], frame: Frame): Axis | undefined {
  const [head] = heads;
  if (head.over.kind !== 'name' || frame.scope.find(head.over.name) === undefined) return undefined;
  const value = e.do.expression(e, head.over, frame);
  if (value.kind !== 'axis') return undefined;
  const other = heads.length > 1 ? heads[1].over.span : head.as?.span;
  if (other)
    fail('OPT304', other, `a map over the axis ${value.axis.name} has one head and binds no name`, {
      hint: `inside, names of values over ${value.axis.name} stand for their own element, and index of ${value.axis.name} is its number`,
    });
  return value.axis;
}

// ---------------------------------------------------------------- the own element

/** A value in the text of an element: what is over its axis is the own row. */
export function own(e: Elaboration, value: Value, span: Span): Value {
  switch (value.kind) {
    case 'over': {
      const element = e.elements.get(value.axis);
      if (!element) return value;
      const nodes = leavesOver(e, value.value, span).map((node) => row(e, element, node));
      return own(e, rebuild(e, value.value, nodes, span), span);
    }
    case 'tuple':
      return value.items.some(holdsOver) ? { ...value, items: value.items.map((item) => own(e, item, span)) } : value;
    case 'record':
      return [...value.fields.values()].some(holdsOver)
        ? { ...value, fields: new Map([...value.fields].map(([name, field]) => [name, own(e, field, span)])) }
        : value;
    default:
      return value;
  }
}

function holdsOver(value: Value): boolean {
  if (value.kind === 'tuple') return value.items.some(holdsOver);
  if (value.kind === 'record') return [...value.fields.values()].some(holdsOver);
  return value.kind === 'over';
}

// ---------------------------------------------------------------- text of an element

/** Runs `act` for the element of an axis that is entered. */
function entered<T>(e: Elaboration, axis: Axis, soft: boolean, act: (element: Element) => T): T {
  const index = regionParameter(e.graph, 'i', { dtype: 'i32', shape: [] });
  const numbers = e.make('iota', [], { shape: [axis.size], axis: 0, dtype: 'i32' });
  const element: Element = { axis, soft, index, images: new Map([[index, numbers]]), rows: new Map(), own: new Map() };
  const before = e.elements;
  e.elements = new Map(before).set(axis, element);
  try {
    return act(element);
  } finally {
    e.elements = before;
  }
}

/** Runs `act` outside of the element of an axis. */
function left<T>(e: Elaboration, axis: Axis, act: () => T): T {
  const before = e.elements;
  e.elements = new Map([...before].filter(([other]) => other !== axis));
  try {
    return act();
  } finally {
    e.elements = before;
  }
}

/** A value for each element, from the text of one that changes nothing: the values of all of them. */
export function forEach(
  e: Elaboration,
  axis: Axis,
  frame: Frame,
  span: Span,
  act: (inner: Frame, index: Node) => Value,
): OverValue {
  return entered(e, axis, true, (element) => {
    const value = plain(e, act(elementFrame(frame, [...frame.indices, element.index]), element.index), span);
    const nodes = batched(e, span, leavesOver(e, value, span), element.images, axis.size);
    e.entry.forget([...element.own.values()]);
    return { kind: 'over', axis, value: rebuild(e, value, nodes, span) };
  });
}

/** `map A { … }`: a value for each element. Cells over the axis may be written: each element writes its own part. */
export function mapOver(
  e: Elaboration,
  axis: Axis,
  expr: ast.MapExpr,
  frame: Frame,
  wanted: 'value' | 'statement',
): Value | undefined {
  const word = `map ${axis.name}`;
  const around = e.elements.get(axis);
  if (around?.soft) return left(e, axis, () => mapOver(e, axis, expr, frame, wanted));
  if (around)
    fail('OPT304', expr.span, `this stands in a ${word} already, which knows one element`, {
      hint: `read the others by a collective: gather { … } over ${axis.name}`,
    });
  return entered(e, axis, false, (element) => {
    const inner = elementFrame(frame, [...frame.indices, element.index]);
    const hint = `inside ${word} only local variables and cells over ${axis.name} are written`;
    const mine = (cell: CellRef) => [...element.own.values()].includes(cell);
    const outputs = e.entry.outputs.length;
    let objectives: Node[] = [];
    const value = withoutEffects(
      e,
      frame,
      word,
      expr.span,
      hint,
      () => {
        const result = e.do.body(e, expr.body, inner);
        objectives = e.entry.outputs
          .slice(outputs)
          .flatMap((o) => (o.kind === 'objective' && !o.when ? [o.value] : []));
        if (result !== undefined) return plain(e, result, expr.body.span);
        if (wanted === 'value')
          fail('OPT304', expr.body.span, `the body of ${word} has no value`, { hint: 'end it with an expression' });
        return undefined;
      },
      mine,
    );
    const changed = [...element.own.entries()].filter(([, cell]) => e.entry.read(cell) !== e.entry.first(cell));
    const results = value ? leavesOver(e, value, expr.body.span) : [];
    const roots = [...results, ...changed.map(([, cell]) => e.entry.read(cell)), ...objectives];
    const all = batched(e, expr.span, roots, element.images, axis.size);
    changed.forEach(([, cell], k) => {
      const whole = cell.elementOf as CellRef;
      const move = e.entry.moved.get(cell.id);
      e.entry.write(whole, all[results.length + k]);
      if (move) e.entry.moved.set(whole.id, move);
    });
    // Whether all are finite: a sum is not where one of them is not.
    all.slice(results.length + changed.length).forEach((node, k) => {
      const sum = e.make('reduce_sum', [node], { axes: [0] });
      e.entry.outputs.push({ name: `${word}.${expr.span.start}.${k}`, kind: 'objective', value: sum, span: expr.span });
    });
    e.entry.forget([...element.own.values()]);
    return value && { kind: 'over', axis, value: rebuild(e, value, all.slice(0, results.length), expr.span) };
  });
}

// ---------------------------------------------------------------- collectives

/**
 * The body for all elements. Outside of a map over the axis it is the text of an element; inside, its nodes are there already, and the values of all
 * elements are those of the map.
 */
function everywhere(e: Elaboration, axis: Axis, frame: Frame, span: Span, word: string, act: (inner: Frame) => Value) {
  const element = e.elements.get(axis);
  if (!element) return forEach(e, axis, frame, span, act).value;
  const value = plain(e, act(frame), span);
  const roots = leavesOver(e, value, span);
  const turn = loopValue(e, roots, element);
  if (turn)
    fail('OPT304', span, `${word} inside of a loop of map ${axis.name} cannot meet the other elements`, {
      labels: turn.span ? [{ span: turn.span, text: 'a value of the loop' }] : [],
      hint: `put the loop around: repeat n { map ${axis.name} { … } … ${word} … }`,
    });
  const all = vectorize(e.graph, roots, element.images, axis.size);
  all.forEach((node, k) => e.collectives.set(node, { roots: [roots[k]], word, span, first: element.index.id }));
  return rebuild(e, value, all, span);
}

/** A value of a loop inside of the element's text that the roots depend on. */
function loopValue(e: Elaboration, roots: readonly Node[], element: Element): Node | undefined {
  const indices = new Set([...e.elements.values()].map((other) => other.index));
  const below = reachable(roots, (node) => (element.images.has(node) ? [] : dependencies(node)));
  const inner = (node: Node) => node.op === 'parameter' && node.attrs.source === 'region' && node.id > element.index.id;
  const bound = new Set(below.flatMap((node) => boundParameters(node)));
  return below.find((node) => inner(node) && !indices.has(node) && !bound.has(node));
}

/** Parameters of the closed regions of a node, which are no values of the text around. */
function boundParameters(node: Node): readonly Node[] {
  return Object.values(node.attrs).flatMap((attr) =>
    typeof attr === 'object' && attr !== null && 'params' in attr ? (attr as { params: readonly Node[] }).params : [],
  );
}

/** `mean over A { … }`: the same for all elements. */
export function reduceAxis(e: Elaboration, axis: Axis, expr: ast.ReduceOver, frame: Frame): Value {
  const word = `${expr.reducer.text} over ${axis.name}`;
  const all = everywhere(e, axis, frame, expr.span, word, (inner) => bodyValue(e, expr.body, inner, word));
  const nodes = leavesOver(e, all, expr.body.span);
  const results = nodes.map((node) => follow(e, node, reduceElements(e, expr, node, axis.size)));
  return rebuild(e, all, results, expr.span);
}

/** A result made of what a collective gave stands for it. */
function follow(e: Elaboration, from: Node, to: Node): Node {
  const known = e.collectives.get(from);
  if (known) e.collectives.set(to, known);
  return to;
}

function bodyValue(e: Elaboration, body: ast.Body, frame: Frame, word: string): Value {
  const value = withoutEffects(e, frame, word, body.span, 'a collective reads the elements', () =>
    e.do.body(e, body, frame),
  );
  if (value === undefined) fail('OPT304', body.span, `the body of ${word} has no value`, { hint: 'end it with one' });
  return value;
}

/** `shift { e } along A by t`, `gather { e } over A`, `index of A`. */
export function axisOperation(e: Elaboration, expr: ast.AxisOp, frame: Frame): Value {
  const axis = axisOf(e, expr.axis, frame);
  if (expr.op === 'index') {
    const element = e.elements.get(axis);
    if (element) return tensor(element.index);
    fail('OPT304', expr.span, `index of ${axis.name} is known inside of map ${axis.name} alone`, {
      hint: `write map ${axis.name} { … }`,
    });
  }
  const word = `${expr.op} over ${axis.name}`;
  const body = expr.body as ast.Body;
  const all = everywhere(e, axis, frame, expr.span, word, (inner) => bodyValue(e, body, inner, word));
  if (expr.op === 'gather') return all;
  const by = e.do.expression(e, expr.by as ast.Expr, frame);
  const shifted = leavesOver(e, all, expr.span).map((node) => follow(e, node, rotated(e, node, by, expr)));
  return own(e, { kind: 'over', axis, value: rebuild(e, all, shifted, expr.span) }, expr.span);
}

/** Row i is that of i - t, modulo their number; t is known or of the run. */
function rotated(e: Elaboration, node: Node, by: Value, expr: ast.AxisOp): Node {
  const span = (expr.by as ast.Expr).span;
  const n = node.type.shape[0];
  const last = (from: number, to: number): Node =>
    e.make('slice', [node], {
      start: node.type.shape.map((_, axis) => (axis === 0 ? from : 0)),
      limit: node.type.shape.map((d, axis) => (axis === 0 ? to : d)),
      stride: node.type.shape.map(() => 1),
    });
  if (by.kind === 'exact') {
    if (!Number.isInteger(by.value))
      fail('OPT305', span, `a shift is by a whole number, not ${by.value}`, { hint: 'write by 1' });
    const t = ((by.value % n) + n) % n;
    return t === 0 ? node : e.make('concat', [last(n - t, n), last(0, n - t)], { axis: 0 });
  }
  const t = toNode(e, by, span, 'i32');
  if (t.type.dtype !== 'i32' || t.type.shape.length > 0)
    fail('OPT301', span, `a shift is by one i32, not by ${e.typeText(t.type)}`, { hint: 'convert it: i32(t)' });
  const start = e.make('floor_mod', [e.make('neg', [t]), e.constant(n, 'i32')]);
  const twice = e.make('concat', [node, node], { axis: 0 });
  const zero = e.constant(0, 'i32');
  return e.make('dynamic_slice', [twice, start, ...node.type.shape.slice(1).map(() => zero)], {
    sizes: [...node.type.shape],
  });
}

/** `cut(x, A, dim)`: element i has part i of that dimension of x. */
export function cut(e: Elaboration, call: ast.Call, frame: Frame): Value {
  const [given, axis, dim] = cutArguments(e, call, frame, 'cut');
  const parts = leaves(e, given, call.span).map((leaf) => {
    const node = toNode(e, leaf.value, call.span);
    const { shape } = node.type;
    const at = dimOf(dim, shape.length, call);
    if (shape[at] % axis.size !== 0)
      fail('OPT302', call.span, `${e.dim(shape[at])} elements are not cut into ${axis.size} equal parts`, {
        hint: `the dimension must be divisible by the size of ${axis.name}`,
      });
    const split = [...shape.slice(0, at), axis.size, shape[at] / axis.size, ...shape.slice(at + 1)];
    const order = [at, ...split.map((_, k) => k).filter((k) => k !== at)];
    return e.make('permute', [e.make('reshape', [node], { shape: split })], { axes: order });
  });
  return own(e, { kind: 'over', axis, value: rebuild(e, given, parts, call.span) }, call.span);
}

/** `join(x, A, dim)`: the parts of all elements, side by side along that dimension. */
export function join(e: Elaboration, call: ast.Call, frame: Frame): Value {
  const [given, axis, dim] = cutArguments(e, call, frame, 'join');
  const inside = e.elements.has(axis);
  if (!inside && (given.kind !== 'over' || given.axis !== axis))
    fail('OPT304', call.args[0].span, `what is joined has a part for each element of ${axis.name}, and this has not`, {
      hint: `join a value over ${axis.name}`,
    });
  const all = inside
    ? everywhere(e, axis, frame, call.span, `join over ${axis.name}`, () => given)
    : (given as OverValue).value;
  const joined = leavesOver(e, all, call.span).map((node) => {
    const shape = node.type.shape.slice(1);
    const at = dimOf(dim, shape.length, call);
    const order = [...shape.keys()].map((k) => k + 1);
    order.splice(at, 0, 0);
    const whole = shape.map((d, k) => (k === at ? d * axis.size : d));
    return follow(e, node, e.make('reshape', [e.make('permute', [node], { axes: order })], { shape: whole }));
  });
  return rebuild(e, all, joined, call.span);
}

interface Dim {
  readonly value: number;
  readonly span: Span;
}

function cutArguments(e: Elaboration, call: ast.Call, frame: Frame, name: string): [Value, Axis, Dim] {
  if (call.args.length !== 3 || call.args.some((a) => a.name))
    fail('OPT311', call.span, `${name} takes 3 arguments: x, A, dim`, { hint: `write ${name}(x, A, 0)` });
  const [x, axis, dim] = call.args.map((a) => a.value);
  const at = toDim(e, e.do.expression(e, dim, frame), dim.span, 'the dimension');
  return [plain(e, e.do.expression(e, x, frame), x.span), axisOf(e, axis, frame), { value: at, span: dim.span }];
}

/** A dimension, counted from the front. */
function dimOf(dim: Dim, rank: number, call: ast.Call): number {
  const at = dim.value < 0 ? dim.value + rank : dim.value;
  if (at >= 0 && at < rank) return at;
  fail('OPT306', dim.span, `the value has no dimension ${dim.value}`, {
    labels: [{ span: call.args[0].span, text: `it has ${rank}` }],
    hint: rank === 0 ? 'a number is not cut' : `dimensions are 0 to ${rank - 1}`,
  });
}

// ---------------------------------------------------------------- derivatives

/**
 * Refuses a derivative inside of `map A` that would have to pass a collective: what an element gets from the others is no function of its own text, so the
 * derivative by its own values would silently be that of a constant.
 */
export function refuseCollectives(e: Elaboration, outputs: readonly Node[], wrt: readonly Node[], span: Span): void {
  if (e.collectives.size === 0) return;
  const leaf = new Set(wrt);
  for (const node of reachable(outputs, (n) => (leaf.has(n) || n.op === 'stop' ? [] : dependencies(n)))) {
    const found = e.collectives.get(node);
    // What is older than the text of the element is the same for all elements, and the derivative passes.
    const inner = (n: Node) => leaf.has(n) && n.id > (found?.first ?? 0) && cellRead(n) === undefined;
    if (!found || !reachable(found.roots, (n) => (n.op === 'stop' ? [] : dependencies(n))).some(inner)) continue;
    fail('OPT401', span, `this derivative would have to pass '${found.word}' inside of a map`, {
      labels: [{ span: found.span, text: 'here the elements meet' }],
      hint: 'take the derivative outside of the map, of an objective that is reduced over the axis; or stop the collective',
    });
  }
}
