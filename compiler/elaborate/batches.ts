/**
 * Batches: a keyed walk through the rows of a data set, every epoch in a new order, or rows drawn independently. With `D[n max N]` the run decides how many
 * of N rows count; the walk goes on by those alone.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { toDim, toFloat, toNode } from './convert.ts';
import { numbersOf } from './draw-checks.ts';
import { counter, rowsBefore } from './execution.ts';
import { key } from './random.ts';
import type { Frame } from './scope.ts';
import { siteName } from '../ast/sites.ts';
import { type Batch, type Dataset, kindText, tensor, type Value } from './values.ts';
import { below } from './variates.ts';
import { drawWeighted } from './weighted.ts';

/** How many rows: N of them are taken, of which the first `capped` (i32 scalar) count. */
interface Size {
  readonly count: number;
  readonly capped?: Node;
}

/** `batch s = source[B]`: rows B·t … B·t + B of the walk, t counting the executions of this statement; `replacement` draws rows independently, with `weights w` in proportion to them. */
export function batch(e: Elaboration, stmt: ast.BatchStmt, frame: Frame): Batch {
  const expr = stmt.value;
  if (expr.kind !== 'index' || expr.items.length !== 1)
    fail('OPT316', expr.span, 'a batch takes rows of a data set', { hint: 'write batch b = D[64]' });
  const source = e.do.expression(e, expr.object, frame);
  if (source.kind !== 'dataset')
    fail('OPT304', expr.object.span, `a batch takes rows of a data set, not of ${kindText(source)}`, {
      hint: 'name a data declaration',
    });
  const { count, capped } = sizeOf(e, expr, frame);
  const path = [...frame.path, siteName(stmt)];
  const weights = expr.weights && rowWeights(e, expr, expr.weights, source.rows, frame);
  const index = e.graph.at(stmt.span, () => {
    if (weights) return drawWeighted(e, key(e, path, frame.indices), [count], weights);
    return expr.replacement
      ? drawRows(e, path, frame, source.rows, count)
      : walk(e, path, frame, source.rows, count, capped);
  });
  return { kind: 'batch', dataset: source, index, count, capped, fields: rowsOf(e, source, index, stmt.span) };
}

/** Fields of the batch, gathered when they are read. */
function rowsOf(e: Elaboration, source: Dataset, index: Node, span: Span): Map<string, () => Value> {
  const fields = new Map<string, () => Value>();
  for (const [name, read] of source.fields) {
    let node: Node | undefined;
    fields.set(name, () => {
      node ??= e.graph.at(span, () => e.make('gather', [toNode(e, read(), span), index], { axis: 0 }));
      return tensor(node);
    });
  }
  return fields;
}

function sizeOf(e: Elaboration, expr: ast.Index, frame: Frame): Size {
  const [item] = expr.items;
  if (item.kind !== 'at' && item.kind !== 'capped')
    fail('OPT316', expr.span, 'a batch needs its number of rows', { hint: 'write D[64]' });
  const most = item.kind === 'at' ? item.expr : item.max;
  const count = toDim(e, e.do.expression(e, most, frame), most.span, 'the number of rows of a batch');
  if (count < 1) fail('OPT316', most.span, `a batch needs at least one row, not ${count}`, { hint: 'write D[64]' });
  if (item.kind === 'at') return { count };
  const n = toNode(e, e.do.expression(e, item.count, frame), item.count.span, 'i32');
  if (n.type.dtype !== 'i32' || n.type.shape.length > 0)
    fail('OPT305', item.count.span, `the rows of a batch are one whole number, not ${e.typeText(n.type)}`, {
      hint: 'convert it: i32(x)',
    });
  const least = e.make('max', [n, e.constant(0, 'i32')]);
  return { count, capped: e.make('min', [least, e.constant(count, 'i32')]) };
}

function walk(
  e: Elaboration,
  path: readonly string[],
  frame: Frame,
  rows: number,
  count: number,
  capped: Node | undefined,
): Node {
  const order = key(e, path, []);
  if (capped) return e.make('shuffle_index', [order, rowsBefore(e, path, capped)], { rows, count });
  const cursor = counter(e, frame, path);
  const executed = cursor.before() ?? e.constant(0, 'i32');
  cursor.done();
  const position = e.make('mul', [executed, e.constant(count, 'i32')]);
  return e.make('shuffle_index', [order, position], { rows, count });
}

function drawRows(e: Elaboration, path: readonly string[], frame: Frame, rows: number, count: number): Node {
  return below(e, key(e, path, frame.indices), [count], e.constant(rows, 'u32', [count]));
}

/** The weights of the rows: f32, one for each. */
function rowWeights(e: Elaboration, expr: ast.Index, weights: ast.Expr, rows: number, frame: Frame) {
  if (!expr.replacement)
    fail('OPT316', weights.span, 'weights are those of rows drawn with replacement', {
      hint: 'write D[64] replacement weights w; without replacement: sample s ~ subset(n, weights: w) i32[64]',
    });
  const value = e.do.expression(e, weights, frame);
  const node = toFloat(e, value, weights.span);
  if (node.type.shape.length !== 1 || node.type.shape[0] !== rows)
    fail('OPT305', weights.span, `${e.dim(rows)} rows need a weight each, not ${e.typeText(node.type)}`, {
      hint: 'give one number for each row of the data: f32[N]',
    });
  return { node, known: numbersOf(value), span: weights.span };
}
