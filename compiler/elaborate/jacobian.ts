/**
 * `jacobian(e, x)` and `hessian(e, x)`: matrices over `flat` order. One derivative along (or of) an element is taken in the graph and batched over all elements,
 * in forward mode, or in reverse mode where e has fewer elements than x; so the graph does not grow with the matrix.
 */
import { grad as reverseMode, jvp as forwardMode, vectorize, vjp as pullBack } from '../autodiff/index.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import { regionParameter } from '../ir/tensor/regions.ts';
import type { Node } from '../ops/types.ts';
import type { Elaboration } from './context.ts';
import { leafNodes } from './convert.ts';
import { objectiveNode, positional, type SpecialForm, takenBy } from './derivatives.ts';
import { standIn } from './stand-ins.ts';
import { tensor } from './values.ts';

export const jacobian: SpecialForm = (e, call, frame) => {
  const [expr, by] = positional(call, 'jacobian', ['e', 'x']);
  const outputs = leafNodes(e, e.do.expression(e, expr, frame), expr.span, 'f32');
  const { wrt } = takenBy(e, by, outputs, call.span, frame);
  if (outputs.length === 0) return tensor(e.constant(0, 'f32', [0, total(wrt)]));
  if (e.glancing) return tensor(standIn(e, [...outputs, ...wrt], [total(outputs), total(wrt)]));
  if (total(wrt) <= total(outputs)) return tensor(columns(e, outputs, wrt));
  return tensor(alongAll(e, outputs, (weights) => pullBack(e.graph, outputs, weights, wrt).values));
};

export const hessian: SpecialForm = (e, call, frame) => {
  const [expr, by] = positional(call, 'hessian', ['e', 'x']);
  const output = objectiveNode(e, e.do.expression(e, expr, frame), expr.span);
  const { wrt } = takenBy(e, by, [output], call.span, frame);
  if (e.glancing) return tensor(standIn(e, [output, ...wrt], [total(wrt), total(wrt)]));
  return tensor(columns(e, reverseMode(e.graph, output, wrt).values, wrt));
};

const total = (nodes: readonly Node[]): number => nodes.reduce((sum, n) => sum + sizeOf(n.type.shape), 0);

function columns(e: Elaboration, outputs: readonly Node[], wrt: readonly Node[]): Node {
  const rows = alongAll(e, wrt, (tangents) => forwardMode(e.graph, outputs, wrt, tangents).values);
  return e.make('permute', [rows], { axes: [1, 0] });
}

/** Row k: what `linear` makes of the k-th unit vector of the space of `like`, flat. */
function alongAll(
  e: Elaboration,
  like: readonly Node[],
  linear: (direction: readonly Node[]) => readonly Node[],
): Node {
  const n = total(like);
  const direction = like.map((node, k) => regionParameter(e.graph, `d${k}`, node.type));
  const values = linear(direction);
  const units = new Map(direction.map((node, k) => [node, unitVectors(e, like, k)]));
  const images = n > 0 ? vectorize(e.graph, values, units, n) : values;
  const flat = images.map((image, k) =>
    e.make('reshape', [n > 0 ? image : e.constant(0, 'f32', [0])], { shape: [n, sizeOf(values[k].type.shape)] }),
  );
  return flat.length === 1 ? flat[0] : e.make('concat', flat, { axis: 1 });
}

/** Leaf k of all unit vectors of a tree: 1 where the element of the leaf is that of the vector. */
function unitVectors(e: Elaboration, like: readonly Node[], k: number): Node {
  const size = sizeOf(like[k].type.shape);
  const [n, start] = [total(like), total(like.slice(0, k))];
  const index = (axis: number): Node => e.make('iota', [], { shape: [n, size], axis, dtype: 'i32' });
  const hit = e.make('eq', [index(0), e.make('add', [index(1), e.constant(start, 'i32', [n, size])])]);
  return e.make('reshape', [e.make('cast', [hit], { dtype: 'f32' })], { shape: [n, ...like[k].type.shape] });
}
