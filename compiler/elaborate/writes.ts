/** `x <- e`, `(x, y) <- (a, b)`, `x[i] <- row`: values are computed first, then all targets are written. In rules the targets are p, g and states. */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { broadcastTo, leafNodes, plain, toNode, withAxesInFront } from './convert.ts';
import { selections } from './indexing.ts';
import { type Frame, speaksForUpdate } from './scope.ts';
import { target, type TargetLeaf } from './targets.ts';
import { moved } from './gradient-path.ts';
import { noteMove } from './update.ts';
import { kindText, tensor, type Value } from './values.ts';

export function write(e: Elaboration, stmt: ast.WriteStmt, frame: Frame): void {
  const value = e.do.expression(e, stmt.value, frame);
  assign(e, stmt.target, plain(e, value, stmt.value.span), stmt.value.span, frame, stmt.span);
}

function assign(e: Elaboration, expr: ast.Expr, value: Value, span: Span, frame: Frame, at: Span): void {
  if (expr.kind === 'tuple') {
    const items = value.kind === 'tuple' ? value.items : undefined;
    if (!items || items.length !== expr.items.length) {
      fail('OPT313', span, `${expr.items.length} targets are written, but the value is ${kindText(value)}`, {
        labels: [{ span: expr.span, text: 'the targets' }],
        hint: 'give one value to each target',
      });
    }
    expr.items.forEach((item, i) => assign(e, item, items[i], span, frame, at));
    return;
  }
  if (expr.kind === 'name') {
    const binding = frame.scope.find(expr.name);
    if (binding?.kind === 'slot') {
      if (!binding.write)
        fail('OPT422', expr.span, `${expr.name} cannot be written`, { hint: 'write p, g or a state' });
      binding.write(value, span);
      return;
    }
  }
  if (expr.kind === 'index' && !namesElement(e, expr, frame)) {
    assignPart(e, expr, value, span, frame, at);
    return;
  }
  const t = target(e, expr, frame, () => noCell(e.options.text(expr.span), expr.span));
  const nodes = leafNodes(e, acrossAxis(e, t.value, value, span), span, t.leaves[0]?.node.type.dtype);
  if (nodes.length !== t.leaves.length && nodes.length !== 1) {
    fail('OPT313', span, `${t.text} has ${t.leaves.length} leaves, but the value is ${kindText(value)}`, {
      labels: [{ span: t.span, text: 'written here' }],
      hint: 'the value needs the same leaves',
    });
  }
  t.leaves.forEach((leaf, i) => store(e, leaf, nodes[nodes.length === 1 ? 0 : i], t.text, t.span, span, frame, at));
}

/** What is written to a cell over an axis, outside of the text of an element, is over the axis too, or one number. */
function acrossAxis(e: Elaboration, target: Value, value: Value, span: Span): Value {
  if (target.kind !== 'over') return value;
  if (value.kind === 'over' && value.axis === target.axis) return withAxesInFront(e, value, span);
  if (value.kind === 'exact') return value;
  const { name } = target.axis;
  fail('OPT302', span, `what is written is over the axis ${name}, but this is ${kindText(value)}`, {
    hint: `give a value for each element: map ${name} { … }`,
  });
}

/** `x[i]` of a tuple is one of its parts, and of an array a window. */
function namesElement(e: Elaboration, expr: ast.Index, frame: Frame): boolean {
  return plain(e, e.do.expression(e, expr.object, frame), expr.object.span).kind === 'tuple';
}

function noCell(text: string, span: Span): never {
  fail('OPT422', span, `${text} is a value, not a cell: it cannot be written`, {
    hint: `declare it as a cell: var ${text} = …; of a parameter, write a copy: var own = ${text}`,
  });
}

function store(
  e: Elaboration,
  leaf: TargetLeaf,
  node: Node,
  text: string,
  targetSpan: Span,
  span: Span,
  frame: Frame,
  at: Span,
): void {
  const { cell } = leaf;
  if (!cell || cell.kind === 'let') noCell(text, targetSpan);
  if (cell.kind === 'frozen') {
    fail('OPT416', targetSpan, `${cell.label} is frozen and may never be written`, {
      labels: cell.span ? [{ span: cell.span, text: 'declared frozen here' }] : [],
      hint: 'declare it as var',
    });
  }
  if (cell.persistent && cell.run !== e.run.name)
    fail('OPT422', targetSpan, `${text} belongs to another run and cannot be written here`, {
      hint: 'copy it into a var of this run',
    });
  if (cell.persistent && e.observing) {
    // An eval writes nothing: running statistics of layers stay as they are, anything else is an error.
    if (cell.kind === 'state' && frame.owner) return;
    fail('OPT426', at, `an eval writes nothing, but this writes ${cell.label}`, {
      hint: 'write in a train body',
    });
  }
  if (
    node.type.dtype !== cell.type.dtype ||
    (node.type.shape.length > 0 && node.type.shape.join() !== cell.type.shape.join())
  ) {
    fail(
      'OPT302',
      span,
      `${cell.label} has type ${e.typeText(cell.type)}, but the value written has type ${e.typeText(node.type)}`,
      {
        labels: cell.span ? [{ span: cell.span, text: `${e.typeText(cell.type)} was fixed here` }] : [],
        hint: 'a cell keeps its type',
      },
    );
  }
  const whole = broadcastTo(e, node, cell.type.shape);
  // A rule's state is behind a stop, as the update that it belongs to is.
  // So are states and variables in a solver: derivatives take them as they stand. Its own local variables are values in between.
  const level =
    frame.body === 'solver' && (cell.persistent || cell.kind === 'state' || frame.solving?.moves(cell) === true);
  const own = speaksForUpdate(frame);
  e.entry.write(cell, own ? e.make('stop', [whole]) : level ? moved(e, whole) : whole);
  if (!own) noteMove(e, cell, at, 'write', frame);
  if (!own && cell.persistent) {
    e.updates.push({
      run: e.run.name,
      entry: e.entry.id,
      span: at,
      targets: [cell.id],
      written: [text],
      targetNames: [frame.solving ? cell.label : text],
      sense: 'write',
      objectives: [],
      wrt: [],
      by: e.options.text(span),
      with: '',
      alternating: false,
    });
  }
}

/** `ring[i] <- row`: the cell with one window replaced. */
function assignPart(e: Elaboration, expr: ast.Index, value: Value, span: Span, frame: Frame, at: Span): void {
  const t = target(e, expr.object, frame, () => noCell(e.options.text(expr.object.span), expr.object.span));
  if (t.leaves.length !== 1)
    fail('OPT304', expr.object.span, 'only a part of one array can be written, not of a tree', {
      hint: 'name one leaf',
    });
  const [leaf] = t.leaves;
  const plan = selections(e, leaf.node, expr, frame);
  const zero = () => e.constant(0, 'i32');
  const starts: Node[] = [];
  const sizes: number[] = [];
  const shape: number[] = [];
  for (const [axis, s] of plan.entries()) {
    const whole = leaf.node.type.shape[axis];
    if (s.kind === 'new' || s.kind === 'gather')
      return e.notYet(
        s.kind === 'new' ? "writing through 'new'" : 'writing through an index tensor',
        expr.span,
        'write one row or a slice',
      );
    if (s.kind === 'one' || s.kind === 'dynamicOne') {
      starts.push(s.kind === 'one' ? e.constant(s.index, 'i32') : s.start);
      sizes.push(1);
      continue;
    }
    starts.push(s.kind === 'slice' ? e.constant(s.start, 'i32') : s.kind === 'dynamicSlice' ? s.start : zero());
    const size = s.kind === 'all' ? whole : s.length;
    sizes.push(size);
    shape.push(size);
  }
  const given = toNode(e, value, span, leaf.node.type.dtype);
  if (
    given.type.dtype !== leaf.node.type.dtype ||
    (given.type.shape.length > 0 && given.type.shape.join() !== shape.join())
  ) {
    fail(
      'OPT302',
      span,
      `the part written has type ${e.typeText({ dtype: leaf.node.type.dtype, shape })}, but the value has type ${e.typeText(given.type)}`,
      { labels: [{ span: expr.span, text: 'this part' }], hint: 'the value needs the shape of the part' },
    );
  }
  const row = e.make('reshape', [broadcastTo(e, given, shape)], { shape: sizes });
  const whole = e.make('dynamic_update_slice', [leaf.node, row, ...starts]);
  assign(e, expr.object, tensor(whole), span, frame, at);
}
