/**
 * `fixed z = z0 { f(z) } until tol max N`: turns z ← f(z) until the largest change is at most tol. Its derivative is that of the equation z = f(z), not of the
 * turns (implicit function theorem): cotangents u of f's result solve u = g + Jᵀ u, by as many turns of this contraction as the powers of Jᵀ, applied to a
 * probe, need to fall below tol. So the number of turns does not depend on g, and the rule stays linear. `by S` names a fn that solves the system in products
 * instead, S(A, b); which one, the compiler does not know.
 */
import type * as ast from '../ast/nodes.ts';
import { jvp, vjp } from '../autodiff/index.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import { applyRegion, closeRegion, closeRegions, makeLoop, regionParameter } from '../ir/tensor/regions.ts';
import type { Node, Region } from '../ops/types.ts';
import type { Elaboration } from './context.ts';
import { leafNodes, leaves, plain, rebuild, sameType, toDim, toFloat } from './convert.ts';
import { type LinearSolver, linearSolve, linearSolver } from './linear-solves.ts';
import { elementFrame, withoutEffects } from './local-effects.ts';
import type { Frame } from './scope.ts';
import { kindText, tensor, type Value } from './values.ts';

/** Turns where none are written. */
const MAX = 1000;
/** A change before the first turn: larger than any tolerance. */
const UNKNOWN = 3e38;

/** Facts of a fixed point by the node of its first leaf: `z.count`, `z.residual`. */
const facts = new WeakMap<Node, ReadonlyMap<string, Node>>();

/** `count` or `residual` of a value that is a fixed point, under whatever name. */
export function factOf(e: Elaboration, value: Value, name: string): Value | undefined {
  if (name !== 'count' && name !== 'residual') return undefined;
  const first = ['tensor', 'tuple', 'record', 'tree'].includes(value.kind) ? leaves(e, value, NOWHERE)[0] : undefined;
  let at = first?.value.kind === 'tensor' ? first.value.node : undefined;
  while (at && !facts.has(at) && at.op === 'name') [at] = at.inputs;
  const found = at && facts.get(at)?.get(name);
  return found && tensor(found);
}

const NOWHERE = { file: '', start: 0, end: 0 };

export function fixed(e: Elaboration, expr: ast.FixedExpr, frame: Frame): Value {
  const begin = plain(e, e.do.expression(e, expr.init, frame), expr.init.span);
  const initial = leaves(e, begin, expr.init.span).map((leaf) => toFloat(e, leaf.value, expr.init.span));
  const tolerance = toFloat(e, e.do.expression(e, expr.until, frame), expr.until.span);
  const max = expr.max ? toDim(e, e.do.expression(e, expr.max, frame), expr.max.span, 'the most turns') : MAX;
  const shapes = initial.map((node) => node.type.shape);
  const marker = e.graph.nextId;
  const z = regionParameter(e.graph, 'z', { dtype: 'f32', shape: [total(shapes)] });
  const next = join(e, turn(e, expr, begin, initial, split(e, z, shapes), frame));
  const { region, consts } = closeRegion(e.graph, marker, { params: [z], results: [next] });
  return e.graph.at(expr.span, () => {
    const { point, count, residual } = iterate(e, region, consts, join(e, initial), tolerance, max);
    const linear = expr.linear && linearSolver(e, expr.linear, frame);
    const value = implicit(e, region, consts, point, { count, tolerance, max, linear });
    const parts = split(e, value, shapes);
    // these are known by the node, which a copy of the graph has not
    e.lookedAround++;
    facts.set(parts[0], new Map([['count', count], ['residual', e.make('stop', [residual])]])); // prettier-ignore
    return rebuild(e, begin, parts, expr.span);
  });
}

/** f on the given leaves. */
function turn(
  e: Elaboration,
  expr: ast.FixedExpr,
  begin: Value,
  initial: readonly Node[],
  parts: readonly Node[],
  frame: Frame,
): Node[] {
  const { span } = expr.body;
  const inner = elementFrame(frame, frame.indices);
  const state = rebuild(e, begin, parts, expr.init.span);
  inner.scope.set(expr.name.text, { kind: 'value', value: state, home: e.entry, span: expr.name.span });
  const hint = 'a fixed point is a value: its body computes the next one';
  const value = withoutEffects(e, frame, 'fixed', expr.span, hint, () => e.do.body(e, expr.body, inner));
  if (value === undefined)
    fail('OPT304', span, 'the body of fixed has no value', { hint: 'end it with an expression' });
  const next = leafNodes(e, value, span, 'f32');
  next.forEach((node, k) => {
    if (next.length !== initial.length || !sameType(node.type, initial[k].type))
      fail('OPT302', span, `the next ${expr.name.text} is ${kindText(value)}, but it began as ${kindText(begin)}`, {
        labels: [{ span: expr.init.span, text: 'the first value' }],
        hint: 'a fixed point keeps its type',
      });
  });
  return next;
}

const total = (shapes: readonly (readonly number[])[]): number => shapes.reduce((sum, s) => sum + sizeOf(s), 0);

/** Leaves end to end, as one vector. */
function join(e: Elaboration, nodes: readonly Node[]): Node {
  const parts = nodes.map((node) => e.make('reshape', [node], { shape: [sizeOf(node.type.shape)] }));
  return parts.length === 1 ? parts[0] : e.make('concat', parts, { axis: 0 });
}

function split(e: Elaboration, vector: Node, shapes: readonly (readonly number[])[]): Node[] {
  let from = 0;
  return shapes.map((shape) => {
    const start = from;
    from += sizeOf(shape);
    const whole = shapes.length === 1;
    const own = whole ? vector : e.make('slice', [vector], { start: [start], limit: [from], stride: [1] });
    return e.make('reshape', [own], { shape });
  });
}

function largest(e: Elaboration, vector: Node): Node {
  return vector.type.shape[0] === 0 ? e.constant(0) : e.make('reduce_max', [e.make('abs', [vector])], { axes: [0] });
}

/** A loop of one vector x ← f(x) that ends where `measure` is at most the tolerance. */
function until(
  e: Elaboration,
  start: Node,
  tolerance: Node,
  max: number,
  step: (x: Node) => { next: Node; measure: Node },
): { last: Node; count: Node; measure: Node } {
  const marker = e.graph.nextId;
  const i = regionParameter(e.graph, 'i', { dtype: 'i32', shape: [] });
  const x = regionParameter(e.graph, 'x', start.type);
  const r = regionParameter(e.graph, 'r', { dtype: 'f32', shape: [] });
  const { next, measure } = step(x);
  const params = [i, x, r];
  const { regions, consts } = closeRegions(e.graph, marker, [
    { params, results: [next, measure] },
    { params: params.map(({ type, attrs }) => regionParameter(e.graph, String(attrs.name), type)), results: [] },
  ]);
  const [body, condition] = regions;
  const limit = regionParameter(e.graph, 'tol', tolerance.type);
  const cond: Region = { params: [...condition.params, limit], results: [e.make('gt', [condition.params[2], limit])] };
  const bodyLimit = regionParameter(e.graph, 'tol', tolerance.type);
  const loop = makeLoop(e.graph, {
    carries: [start, e.constant(UNKNOWN)],
    xs: [],
    consts: [...consts, tolerance],
    max,
    body: { params: [...body.params, bodyLimit], results: body.results },
    cond,
  });
  return { last: loop.carry(0), count: loop.turns(), measure: loop.carry(1) };
}

function iterate(
  e: Elaboration,
  region: Region,
  consts: readonly Node[],
  start: Node,
  tolerance: Node,
  max: number,
): { point: Node; count: Node; residual: Node } {
  const { last, count, measure } = until(e, start, tolerance, max, (x) => {
    const [next] = applyRegion(e.graph, region, [x, ...consts]);
    return { next, measure: largest(e, e.make('sub', [next, x])) };
  });
  return { point: last, count, residual: measure };
}

/** The point, with the derivative of its equation by what f reads. */
function implicit(
  e: Elaboration,
  region: Region,
  consts: readonly Node[],
  point: Node,
  by: { count: Node; tolerance: Node; max: number; linear?: LinearSolver },
): Node {
  const inputs = consts.filter((node) => node.type.dtype === 'f32');
  if (inputs.length === 0 || point.type.shape[0] === 0) return point;
  const at = e.make('name', [point], { name: 'fixed point' });
  const [image] = applyRegion(e.graph, region, [at, ...consts]);
  const transposed = (u: Node): Node => vjp(e.graph, [image], [u], [at]).values[0];
  const g = regionParameter(e.graph, 'g', point.type);
  const pulled = (solved: Node): Node => {
    // The point is a leaf here: what it depends on is in u already.
    const [, ...results] = vjp(e.graph, [image], [solved], [at, ...inputs]).values;
    return e.make('custom_gradient', [point, ...inputs], { rule: { params: [g], results } });
  };
  if (by.linear) {
    const forward = (v: Node): Node => jvp(e.graph, [image], [at], [v]).values[0];
    const less = (map: (v: Node) => Node) => (v: Node) => e.make('sub', [v, map(v)]);
    const system = { apply: less(transposed), transposed: less(forward), reads: [at, ...inputs] };
    return pulled(linearSolve(e, by.linear, system, g));
  }
  const probed = until(e, probe(e, point.type.shape[0]), by.tolerance, by.max, (x) => {
    const next = transposed(x);
    return { next, measure: largest(e, next) };
  });
  const turns = e.make('max', [by.count, probed.count]);
  const marker = e.graph.nextId;
  const i = regionParameter(e.graph, 'i', { dtype: 'i32', shape: [] });
  const u = regionParameter(e.graph, 'u', point.type);
  const { region: body, consts: read } = closeRegion(e.graph, marker, {
    params: [i, u],
    results: [e.make('add', [g, transposed(u)])],
  });
  return pulled(makeLoop(e.graph, { count: turns, carries: [g], xs: [], consts: read, max: by.max, body }).carry(0));
}

/** A vector that no power of a matrix is likely to be blind to: values between 1/2 and 3/2 in no simple order. */
function probe(e: Elaboration, n: number): Node {
  const place = e.make('cast', [e.make('iota', [], { shape: [n], axis: 0, dtype: 'i32' })], { dtype: 'f32' });
  const wave = e.make('cos', [e.make('mul', [place, e.constant(2.39996, 'f32', [n])])]);
  return e.make('add', [e.constant(1, 'f32', [n]), e.make('mul', [wave, e.constant(0.5, 'f32', [n])])]);
}
