/**
 * Indexing: x[i], x[a..b, :, new], negative offsets from the end, one index tensor (gather), windows with run-time starts; members of
 * families and tuples; batches of data sets. Static indices out of range are errors here; run-time ones are errors when they happen.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { plain, toDim, toNode } from './convert.ts';
import { exampleObjective } from './opened.ts';
import type { Frame } from './scope.ts';
import { kindText, tensor, type Value } from './values.ts';

/** One item of an index as a plan for its axis. */
export type Selection =
  | { readonly kind: 'all' }
  | { readonly kind: 'new' }
  | { readonly kind: 'one'; readonly index: number }
  | { readonly kind: 'slice'; readonly start: number; readonly length: number }
  | { readonly kind: 'dynamicOne'; readonly start: Node }
  | { readonly kind: 'dynamicSlice'; readonly start: Node; readonly length: number }
  | { readonly kind: 'gather'; readonly indices: Node };

export function index(e: Elaboration, expr: ast.Index, frame: Frame): Value {
  const example = exampleObjective(e, expr, frame);
  if (example) return example;
  const object = plain(e, e.do.expression(e, expr.object, frame), expr.object.span);
  switch (object.kind) {
    case 'family':
    case 'tuple':
      return member(e, object, expr, frame);
    case 'dataset':
      fail('OPT424', expr.span, 'rows of a data set are taken by a batch statement', {
        hint: 'write batch b = D[64] in a train body',
      });
    // falls through: fail never returns
    case 'range':
    case 'exactArray':
    case 'tensor':
      return tensor(e.graph.at(expr.span, () => select(e, toNode(e, object, expr.object.span), expr, frame)));
    default:
      fail('OPT304', expr.object.span, `${kindText(object)} cannot be indexed`, {
        hint: 'index arrays, tuples and families',
      });
  }
}

function member(
  e: Elaboration,
  object: Extract<Value, { kind: 'family' | 'tuple' }>,
  expr: ast.Index,
  frame: Frame,
): Value {
  const item = expr.items[0];
  if (expr.items.length !== 1 || item.kind !== 'at')
    fail('OPT307', expr.span, `${kindText(object)} takes one static index`, { hint: 'write x[0]' });
  const i = toDim(e, e.do.expression(e, item.expr, frame), item.expr.span, 'the index of a member');
  const found = object.kind === 'family' ? object.members.get(i) : object.items[i < 0 ? i + object.items.length : i];
  if (!found) {
    const known = object.kind === 'family' ? [...object.members.keys()].join(', ') : `0 to ${object.items.length - 1}`;
    fail('OPT307', item.expr.span, `there is no member ${i} of ${kindText(object)}`, {
      hint: `members are ${known || 'none yet'}`,
    });
  }
  return found;
}

/** The selections of an index on a value of `shape`, with `new` and missing trailing axes. */
export function selections(e: Elaboration, node: Node, expr: ast.Index, frame: Frame): Selection[] {
  const { shape } = node.type;
  const used = expr.items.filter((i) => i.kind !== 'new').length;
  if (used > shape.length) {
    fail('OPT306', expr.span, `${used} indices for a value of type ${e.typeText(node.type)}`, {
      labels: [{ span: expr.object.span, text: `this has ${shape.length} ${shape.length === 1 ? 'axis' : 'axes'}` }],
      hint: shape.length === 0 ? 'a scalar has no axes' : 'remove the surplus indices',
    });
  }
  let axis = 0;
  const result = expr.items.map((item) =>
    item.kind === 'new' ? ({ kind: 'new' } as const) : selection(e, item, shape[axis++], frame, expr.span),
  );
  const gathers = result.filter((s) => s.kind === 'gather').length;
  if (gathers > 1)
    fail('OPT307', expr.span, 'at most one index tensor in [ ]', {
      hint: 'index twice: x[i][:, j], or compute one flat index',
    });
  return [...result, ...shape.slice(axis).map(() => ({ kind: 'all' }) as const)];
}

function selection(e: Elaboration, item: ast.IndexItem, size: number, frame: Frame, span: Span): Selection {
  if (item.kind === 'all') return { kind: 'all' };
  if (item.kind === 'new') return { kind: 'new' };
  if (item.kind === 'capped')
    fail('OPT424', span, 'a run-time count (n max N) belongs in a batch', { hint: 'write batch s = D[n max N]' });
  const at = item.expr.span;
  if (item.expr.kind === 'range') return rangeSelection(e, item.expr, size, frame);
  const value = plain(e, e.do.expression(e, item.expr, frame), at);
  if (value.kind === 'exact') {
    const given = toDim(e, value, at, 'an index');
    const i = given < 0 ? given + size : given;
    if (i < 0 || i >= size)
      fail('OPT307', at, `index ${given} is out of range: this axis has ${e.dim(size)} elements`, {
        hint:
          size === 0 ? 'the axis is empty' : `indices go from 0 to ${e.dim(size - 1)}, or from -${e.dim(size)} to -1`,
      });
    return { kind: 'one', index: i };
  }
  if (value.kind === 'range' && value.lo.kind === 'exact')
    return sliceSelection(e, value.lo.value, value.lo.value + value.length, size, at);
  const node = toNode(e, value, at, 'i32');
  if (node.type.dtype !== 'i32')
    fail('OPT301', at, `an index is i32, but this has type ${e.typeText(node.type)}`, {
      hint: node.type.dtype === 'bool' ? 'use where(c, a, b) to choose by conditions' : 'convert it: i32(x)',
    });
  return node.type.shape.length === 0 ? { kind: 'dynamicOne', start: node } : { kind: 'gather', indices: node };
}

function rangeSelection(e: Elaboration, expr: ast.RangeExpr, size: number, frame: Frame): Selection {
  const lo = e.do.expression(e, expr.lo, frame);
  const hi = e.do.expression(e, expr.hi, frame);
  if (lo.kind === 'exact' && hi.kind === 'exact') {
    const end = (v: number) => (v < 0 ? v + size : v);
    const stop = end(toDim(e, hi, expr.hi.span, 'the end of a slice')) + (expr.closed ? 1 : 0);
    return sliceSelection(e, end(toDim(e, lo, expr.lo.span, 'the start of a slice')), stop, size, expr.span);
  }
  const range = e.do.expression(e, expr, frame);
  if (range.kind !== 'range')
    fail('OPT305', expr.span, 'a slice with run-time ends needs a static length', { hint: 'write x[a..a + n]' });
  return { kind: 'dynamicSlice', start: toNode(e, range.lo, expr.lo.span, 'i32'), length: range.length };
}

function sliceSelection(e: Elaboration, start: number, stop: number, size: number, span: Span): Selection {
  if (start < 0 || stop > size || start > stop) {
    fail(
      'OPT307',
      span,
      `the slice ${e.dim(start)}..${e.dim(stop)} does not lie in an axis of ${e.dim(size)} elements`,
      { hint: `0 <= start <= end <= ${e.dim(size)}; negative offsets count from the end` },
    );
  }
  return { kind: 'slice', start, length: stop - start };
}

function select(e: Elaboration, node: Node, expr: ast.Index, frame: Frame): Node {
  const plan = selections(e, node, expr, frame);
  const axes = plan.filter((s) => s.kind !== 'new');
  let x = windowed(e, node, axes);
  // Axes of one element that were chosen by an index disappear; `new` ones appear; a gather acts on its axis.
  const gatherAxis = axes.findIndex((s) => s.kind === 'gather');
  if (gatherAxis >= 0) {
    const chosen = axes[gatherAxis] as Extract<Selection, { kind: 'gather' }>;
    x = e.make('gather', [x, chosen.indices], { axis: gatherAxis });
  }
  const shape: number[] = [];
  let axis = 0;
  for (const s of plan) {
    if (s.kind === 'new') shape.push(1);
    else if (s.kind === 'one' || s.kind === 'dynamicOne') axis += 1;
    else if (s.kind === 'gather') {
      shape.push(...s.indices.type.shape);
      axis += s.indices.type.shape.length;
    } else shape.push(x.type.shape[axis++]);
  }
  return shape.join() === x.type.shape.join() && shape.length === x.type.shape.length
    ? x
    : e.make('reshape', [x], { shape });
}

/** The static slices and run-time windows, all axes kept. */
function windowed(e: Elaboration, node: Node, axes: readonly Selection[]): Node {
  const { shape } = node.type;
  let x = node;
  const start = axes.map((s) => (s.kind === 'one' ? s.index : s.kind === 'slice' ? s.start : 0));
  const limit = axes.map((s, i) =>
    s.kind === 'one' ? s.index + 1 : s.kind === 'slice' ? s.start + s.length : shape[i],
  );
  if (start.some((v) => v > 0) || limit.some((v, i) => v < shape[i]))
    x = e.make('slice', [x], { start, limit, stride: shape.map(() => 1) });
  if (axes.some((s) => s.kind === 'dynamicOne' || s.kind === 'dynamicSlice')) {
    const zero = e.constant(0, 'i32');
    const starts = axes.map((s) => (s.kind === 'dynamicOne' || s.kind === 'dynamicSlice' ? s.start : zero));
    const sizes = axes.map((s, i) =>
      s.kind === 'dynamicOne' ? 1 : s.kind === 'dynamicSlice' ? s.length : x.type.shape[i],
    );
    x = e.make('dynamic_slice', [x, ...starts], { sizes });
  }
  return x;
}
