/**
 * `jacobian(e, x)` and `hessian(e, x)`: matrices over `flat` order, column by column in forward mode, or row by row in reverse mode where e has fewer elements
 * than x. Each column is a derivative of its own, so they are for small x or e.
 */
import { grad as reverseMode, jvp as forwardMode, vjp as pullBack } from '../autodiff/index.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { leafNodes } from './convert.ts';
import { objectiveNode, positional, type SpecialForm, takenBy } from './derivatives.ts';
import { tensor } from './values.ts';

/** Most derivatives that one matrix may need. */
const MAX_DERIVATIVES = 256;

export const jacobian: SpecialForm = (e, call, frame) => {
  const [expr, by] = positional(call, 'jacobian', ['e', 'x']);
  const outputs = leafNodes(e, e.do.expression(e, expr, frame), expr.span, 'f32');
  const { wrt } = takenBy(e, by, outputs, call.span, frame);
  const [m, n] = [total(outputs), total(wrt)];
  checkCount(e, Math.min(m, n), call.span);
  if (n <= m) return tensor(columns(e, outputs, wrt));
  const rows = Array.from({ length: m }, (_, i) => pullBack(e.graph, outputs, basis(e, outputs, i), wrt).values);
  return tensor(
    join(
      e,
      rows.map((row) => flat(e, row, [1, n])),
      0,
    ),
  );
};

export const hessian: SpecialForm = (e, call, frame) => {
  const [expr, by] = positional(call, 'hessian', ['e', 'x']);
  const output = objectiveNode(e, e.do.expression(e, expr, frame), expr.span);
  const { wrt } = takenBy(e, by, [output], call.span, frame);
  checkCount(e, total(wrt), call.span);
  return tensor(columns(e, reverseMode(e.graph, output, wrt).values, wrt));
};

const total = (nodes: readonly Node[]): number => nodes.reduce((sum, n) => sum + sizeOf(n.type.shape), 0);

function checkCount(e: Elaboration, count: number, span: Span): void {
  if (e.witnesses.involved(count))
    fail('OPT506', span, `the ${e.dim(count)} columns of this matrix need the data to be known`, {
      hint: 'check with the data present',
    });
  if (count === 0 || count > MAX_DERIVATIVES)
    fail('OPT501', span, `this matrix needs ${count} derivatives, and each is compiled: 1 to ${MAX_DERIVATIVES}`, {
      hint: 'use products with vectors: jvp, vjp, hvp',
    });
}

function columns(e: Elaboration, outputs: readonly Node[], wrt: readonly Node[]): Node {
  const m = total(outputs);
  const list = Array.from({ length: total(wrt) }, (_, j) => {
    const { values } = forwardMode(e.graph, outputs, wrt, basis(e, wrt, j));
    return flat(e, values, [m, 1]);
  });
  return join(e, list, 1);
}

/** The unit vector of element k of all, shaped like the nodes. */
function basis(e: Elaboration, like: readonly Node[], k: number): Node[] {
  let start = 0;
  return like.map(({ type: { shape } }) => {
    const size = sizeOf(shape);
    const at = k - start;
    start += size;
    if (at < 0 || at >= size) return e.constant(0, 'f32', shape);
    const hit = e.make('eq', [
      e.make('iota', [], { shape: [size], axis: 0, dtype: 'i32' }),
      e.constant(at, 'i32', [size]),
    ]);
    return e.make('reshape', [e.make('cast', [hit], { dtype: 'f32' })], { shape });
  });
}

function flat(e: Elaboration, nodes: readonly Node[], shape: readonly number[]): Node {
  const parts = nodes.map((n) => e.make('reshape', [n], { shape: [sizeOf(n.type.shape)] }));
  return e.make('reshape', [join(e, parts, 0)], { shape });
}

function join(e: Elaboration, parts: readonly Node[], axis: number): Node {
  return parts.length === 1 ? parts[0] : e.make('concat', parts, { axis });
}
