/** Reductions of `sum over X as e { … }` and the like: over the elements alone, where a run-time count may leave the last ones out. */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import { cast } from './arithmetic.ts';
import type { Elaboration } from './context.ts';
import { broadcastTo } from './convert.ts';

/** The leaf, of shape [n, …], reduced over its first axis; of the first `count` rows where that is given. */
export function reduceElements(e: Elaboration, expr: ast.ReduceOver, node: Node, n: number, count?: Node): Node {
  const name = expr.reducer.text;
  return e.graph.at(expr.span, () => {
    switch (name) {
      case 'sum':
        return total(e, counted(e, node, count, 0));
      case 'mean':
        return mean(e, expr, node, n, count);
      case 'max':
      case 'min':
        return extreme(e, expr, node, n, count);
      case 'variance': {
        const centre = mean(e, expr, node, n, count);
        const centred = e.make('sub', [asFloat(e, expr, node), spread(e, centre, n)]);
        return mean(e, expr, e.make('mul', [centred, centred]), n, count);
      }
      default:
        fail('OPT304', expr.reducer.span, `'${name} over' is no reduction`, {
          hint: 'write sum, mean, max, min or variance over',
        });
    }
  });
}

const firstAxis = (e: Elaboration, op: string, node: Node): Node => e.make(op, [node], { axes: [0] });

/** bool counts as i32. */
function total(e: Elaboration, node: Node): Node {
  return firstAxis(e, 'reduce_sum', node.type.dtype === 'bool' ? cast(e, node, 'i32') : node);
}

function asFloat(e: Elaboration, expr: ast.ReduceOver, node: Node): Node {
  if (node.type.dtype === 'f32') return node;
  if (node.type.dtype === 'bool') return cast(e, node, 'f32');
  fail('OPT301', expr.body.span, `${expr.reducer.text} takes f32, but this has type ${e.typeText(node.type)}`, {
    hint: 'convert it: f32(x)',
  });
}

/** The sum over the elements divided by their number; NaN of none. */
function mean(e: Elaboration, expr: ast.ReduceOver, node: Node, n: number, count?: Node): Node {
  const sum = total(e, counted(e, asFloat(e, expr, node), count, 0));
  if (!count) return e.make('mul', [sum, e.constant(1 / n, 'f32', sum.type.shape)]);
  return e.make('div', [sum, broadcastTo(e, cast(e, count, 'f32'), sum.type.shape)]);
}

function extreme(e: Elaboration, expr: ast.ReduceOver, node: Node, n: number, count?: Node): Node {
  const { text, span } = expr.reducer;
  if (node.type.dtype === 'bool')
    fail('OPT301', expr.body.span, `${text} takes numbers, not conditions`, { hint: 'convert them: i32(c)' });
  if (n === 0) fail('OPT302', span, `${text} over no elements has no value`, { hint: 'there must be one at least' });
  if (!count) return firstAxis(e, `reduce_${text}`, node);
  // The first row, which counts wherever any does, stands in for those that do not.
  const { shape } = node.type;
  const first = e.make('slice', [node], {
    start: shape.map(() => 0),
    limit: [1, ...shape.slice(1)],
    stride: shape.map(() => 1),
  });
  const row = e.make('reshape', [first], { shape: shape.slice(1) });
  return firstAxis(e, `reduce_${text}`, e.make('select', [reached(e, shape, count), node, spread(e, row, n)]));
}

/** Which rows of the shape count. */
function reached(e: Elaboration, shape: readonly number[], count: Node): Node {
  const row = e.make('iota', [], { shape: [...shape], axis: 0, dtype: 'i32' });
  return e.make('lt', [row, broadcastTo(e, count, shape)]);
}

/** The value with rows that do not count replaced. */
function counted(e: Elaboration, node: Node, count: Node | undefined, instead: number): Node {
  if (!count) return node;
  const { dtype, shape } = node.type;
  return e.make('select', [reached(e, shape, count), node, e.constant(instead, dtype, shape)]);
}

function spread(e: Elaboration, node: Node, n: number): Node {
  const { shape } = node.type;
  return e.make('broadcast', [node], { shape: [n, ...shape], axes: shape.map((_, axis) => axis + 1) });
}
