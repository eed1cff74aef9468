/**
 * `grad`, `jvp`, `vjp`, `hvp`: expanded where they are written, on the graph of their expression; and `e at { x: v }`, which replaces nodes of it.
 * Neither redraws nor re-reads: both act on values that exist already.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { substitute } from '../ir/tensor/rewrite.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { cut, join, refuseCollectives } from './axes.ts';
import type { Elaboration } from './context.ts';
import {
  broadcastTo,
  leafNodes,
  leaves,
  plain,
  rebuild,
  toFloat,
  toNode,
  withAxesInFront,
  zipLeaves,
} from './convert.ts';
import type { Frame } from './scope.ts';
import { checkDrawRoutes } from './draw-routes.ts';
import { warnStopped } from './line-search.ts';
import { cotangents, gradients, tangents } from './stand-ins.ts';
import { noteReach, refuseKept, refuseMoved } from './gradient-path.ts';
import {
  aside,
  derivativeNodes,
  heldDraw,
  namedTarget,
  readsByCell,
  stopsHeld,
  type Target,
  visibleNodes,
  writesSeenFrom,
} from './targets.ts';
import { kindText, tensor, type Value } from './values.ts';

export type SpecialForm = (e: Elaboration, call: ast.Call, frame: Frame) => Value;

export function positional(call: ast.Call, name: string, wanted: readonly string[]): readonly ast.Expr[] {
  const extra = call.args.find((a) => a.name);
  if (call.args.length !== wanted.length || extra) {
    fail('OPT311', extra?.span ?? call.span, `${name} takes ${wanted.length} arguments: ${wanted.join(', ')}`, {
      hint: `write ${name}(${wanted.join(', ')})`,
    });
  }
  return call.args.map((a) => a.value);
}

/** The objective of a derivative: one f32 number. */
export function objectiveNode(e: Elaboration, value: Value, span: Span): Node {
  if (value.kind === 'tuple')
    fail('OPT308', span, `an objective is one number, but this is ${kindText(value)}`, {
      hint: 'a tuple of objectives is a list of them in braces: minimizing { Fs }, grad({ Fs }, x) with mgda()',
    });
  const node = toFloat(e, value, span);
  if (node.type.shape.length > 0) {
    fail('OPT308', span, `an objective is one number, but this has type ${e.typeText(node.type)}`, {
      hint: 'reduce it: mean(…) or sum(…)',
    });
  }
  return node;
}

/** An objective as it is written, or a part of a tuple of them. */
export interface WrittenObjective {
  /** f32 scalar. */
  readonly node: Node;
  readonly text: string;
  readonly span: Span;
  /** Absent where it is a part. */
  readonly expr?: ast.Expr;
}

/** The objectives of `minimizing L` or, `listed`, of `minimizing { L1, L2 }`: there a tuple of objectives, as a solver has it of a class, stands for each of them. */
export function objectivesWritten(
  e: Elaboration,
  exprs: readonly ast.Expr[],
  listed: boolean,
  frame: Frame,
): WrittenObjective[] {
  return exprs.flatMap((expr): WrittenObjective[] => {
    const { span } = expr;
    const text = e.options.text(span);
    const value = e.do.expression(e, expr, frame);
    if (!listed || value.kind !== 'tuple') return [{ node: objectiveNode(e, value, span), text, span, expr }];
    return value.items.map((item, i) => ({ node: objectiveNode(e, item, span), text: `${text}[${i}]`, span }));
  });
}

function floatTarget(nodes: readonly Node[], e: Elaboration, span: Span): void {
  const other = nodes.find((n) => n.type.dtype !== 'f32');
  if (other)
    fail('OPT415', span, `derivatives are taken by f32 values, not by ${e.typeText(other.type)}`, {
      hint: 'integers and conditions have no derivative',
    });
}

/**
 * What a derivative of `outputs` is taken by: the target and its nodes, after the checks that every such expression is asked. Where an estimator stands for the
 * derivative, draws are its own affair.
 */
export function takenBy(
  e: Elaboration,
  by: ast.Expr,
  outputs: readonly Node[],
  span: Span,
  frame: Frame,
  differentiates = true,
): { readonly t: Target; readonly wrt: readonly Node[] } {
  const t = namedTarget(e, by, frame);
  const wrt = derivativeNodes(e, t, outputs);
  floatTarget(wrt, e, by.span);
  if (differentiates) {
    checkDrawRoutes(outputs, wrt, span);
    refuseCollectives(e, outputs, wrt, span);
  }
  refuseMoved(e, outputs, wrt, span, frame);
  refuseKept(e, visibleNodes(outputs, true), t, span, 'derivative');
  return { t, wrt };
}

const grad: SpecialForm = (e, call, frame) => {
  const [objective, by] = positional(call, 'grad', ['objective', 'by']);
  const output = objectiveNode(e, e.do.expression(e, objective, frame), objective.span);
  const { t, wrt } = takenBy(e, by, [output], call.span, frame);
  const { values, reached } = gradients(e, output, wrt);
  if (frame.work) noteReach(e, frame.work, { output, wrt, reached, t, text: textOf(e, objective), span: call.span });
  return rebuild(e, t.value, values, call.span);
};

/** Leaves of a direction as nodes of the types of what it belongs to; single numbers are repeated. OPT313, OPT302. */
export function shapedLike(e: Elaboration, value: Value, like: Value, nodes: readonly Node[], span: Span): Node[] {
  const given = leafNodes(e, value, span, 'f32');
  if (given.length !== nodes.length)
    fail(
      'OPT313',
      span,
      `the direction is ${kindText(plain(e, value, span))}, but what it belongs to is ${kindText(like)}`,
      { hint: 'both must have the same leaves' },
    );
  return given.map((n, i) => {
    const wanted = nodes[i].type;
    if (n.type.dtype !== 'f32' || (n.type.shape.length > 0 && n.type.shape.join() !== wanted.shape.join())) {
      fail(
        'OPT302',
        span,
        `the direction has type ${e.typeText(n.type)}, but what it belongs to has type ${e.typeText(wanted)}`,
        { hint: 'both must have the same shape' },
      );
    }
    return broadcastTo(e, n, wanted.shape);
  });
}

const jvp: SpecialForm = (e, call, frame) => {
  const [expr, by, along] = positional(call, 'jvp', ['e', 'x', 'v']);
  const value = e.do.expression(e, expr, frame);
  const outputs = leafNodes(e, value, expr.span, 'f32');
  const { t, wrt } = takenBy(e, by, outputs, call.span, frame);
  const v = shapedLike(e, e.do.expression(e, along, frame), t.value, wrt, along.span);
  const { values, reached } = tangents(e, outputs, wrt, v);
  if (frame.work) {
    const any = wrt.map(() => reached.some(Boolean));
    noteReach(e, frame.work, { output: outputs[0], wrt, reached: any, t, text: textOf(e, expr), span: call.span });
  }
  return rebuild(e, value, values, call.span);
};

const textOf = (e: Elaboration, expr: ast.Expr): string => e.options.text(expr.span);

const vjp: SpecialForm = (e, call, frame) => {
  const [expr, by, weights] = positional(call, 'vjp', ['e', 'x', 'u']);
  const value = e.do.expression(e, expr, frame);
  const outputs = leafNodes(e, value, expr.span, 'f32');
  const { t, wrt } = takenBy(e, by, outputs, call.span, frame);
  const u = shapedLike(e, e.do.expression(e, weights, frame), value, outputs, weights.span);
  return rebuild(e, t.value, cotangents(e, outputs, u, wrt).values, call.span);
};

/** Forward over reverse: the derivative of the gradient along v. */
const hvp: SpecialForm = (e, call, frame) => {
  const [expr, by, along] = positional(call, 'hvp', ['e', 'x', 'v']);
  const output = objectiveNode(e, e.do.expression(e, expr, frame), expr.span);
  const { t, wrt } = takenBy(e, by, [output], call.span, frame);
  const v = shapedLike(e, e.do.expression(e, along, frame), t.value, wrt, along.span);
  const gradient = gradients(e, output, wrt).values;
  return rebuild(e, t.value, tangents(e, gradient, wrt, v).values, call.span);
};

export const specialForms: Readonly<Record<string, SpecialForm>> = {
  grad,
  jvp,
  vjp,
  hvp,
  cut,
  join,
};

/** What replaces a value over an axis may be over it too. */
const sameAxis = (a: Value, b: Value): boolean => a.kind === 'over' && b.kind === 'over' && a.axis === b.axis;

/** `e at { x: v }`: every read of x in e's graph becomes v; what x was written from is not looked at. */
export function at(e: Elaboration, expr: ast.AtExpr, frame: Frame): Value {
  if (expr.step)
    fail('OPT331', expr.span, "'at' with a step reads a series and belongs in an expect", {
      hint: 'write e at { x: v } to replace x',
    });
  const value = beforeReplacement(e, () => plain(e, e.do.expression(e, expr.expr, frame), expr.expr.span));
  const parts = leaves(e, withAxesInFront(e, value, expr.expr.span), expr.expr.span);
  const roots = parts.map((l) => (l.value.kind === 'tensor' ? l.value.node : undefined));
  const nodes = roots.filter((n) => n !== undefined);
  const targets = expr.bindings.map((binding) => beforeReplacement(e, () => namedTarget(e, binding.target, frame)));
  // What an estimator varies it varies as derivatives do: what is stopped is a constant.
  const varied = targets.some((t) => t.varied === 'estimator');
  const written = writesSeenFrom(e, frame);
  const held = varied ? stopsHeld(nodes, written) : new Set<Node>();
  const ends = (node: Node): boolean => written(node) || held.has(node);
  const visible = visibleNodes(nodes, false, ends);
  const reads = readsByCell(e, visible);
  const map = new Map<Node, Node>();
  for (const node of visible) if (ends(node)) map.set(node, node);
  for (const [k, binding] of expr.bindings.entries()) {
    const t = targets[k];
    refuseKept(e, visible, t, expr.span, 'replacement');
    const written = e.do.expression(e, binding.value, frame);
    const given = sameAxis(t.value, written) ? withAxesInFront(e, written, binding.value.span) : written;
    let used = false;
    const replacements: Node[] = [];
    zipLeaves(e, [withAxesInFront(e, t.value, t.span), given], [t.span, binding.value.span], ([own, v]) => {
      const wanted = toNode(e, own, t.span).type;
      const node = toNode(e, v, binding.value.span, wanted.dtype);
      if (
        node.type.dtype !== wanted.dtype ||
        (node.type.shape.length > 0 && node.type.shape.join() !== wanted.shape.join())
      ) {
        fail(
          'OPT302',
          binding.value.span,
          `${t.text} has type ${e.typeText(wanted)}, but its replacement has type ${e.typeText(node.type)}`,
          {
            labels: [{ span: t.span, text: `this has type ${e.typeText(wanted)}` }],
            hint: 'a replacement has the type of what it replaces',
          },
        );
      }
      replacements.push(broadcastTo(e, node, wanted.shape));
      return own;
    });
    t.leaves.forEach((own, i) => {
      const leaf = aside(e, own, visible);
      const found = leaf.cell ? (reads.get(leaf.cell.id) ?? []) : visible.has(leaf.node) ? [leaf.node] : [];
      for (const node of found) map.set(node, replacements[i]);
      if (found.length > 0) used = true;
      if (leaf.cell) e.substituted.add(leaf.cell.id);
    });
    // A solver does not know what the fields of its problem read, an estimator or rule not what the gradient of an objective reads.
    if (!used && !frame.solving && !varied) {
      fail(
        'OPT414',
        binding.target.span,
        `nothing in this expression reads ${t.text}, so there is nothing to replace`,
        {
          labels: [{ span: expr.expr.span, text: 'this expression' }],
          hint: 'a let reads the versions of its definition; name what the expression itself reads',
        },
      );
    }
  }
  if (varied) refuseReversed(visible, map, expr.span);
  else warnStopped(e, expr, frame, targets, nodes, map);
  // A density holds its draw behind a stop; derivatives do flow into what replaces the draw.
  for (const node of visible) {
    const given = heldDraw(node) && heldReplacement(node, map);
    if (given) map.set(node, given);
  }
  const replaced = substitute(e.graph, nodes, map);
  let next = 0;
  return parts.length === 1 && parts[0].path === '' && value.kind !== 'over'
    ? roots[0]
      ? tensor(replaced[0])
      : value
    : rebuild(
        e,
        value,
        roots.map((root, i) => (root ? replaced[next++] : toNode(e, parts[i].value, expr.span))),
        expr.span,
      );
}

/** Evaluates what replacements are made in, which may name variables of problems that no run has solved. */
function beforeReplacement<T>(e: Elaboration, act: () => T): T {
  const before = e.replacing;
  e.replacing = true;
  try {
    return act();
  } finally {
    e.replacing = before;
  }
}

/** OPT432: values at other points say nothing of a reversal, which changes derivatives alone. */
function refuseReversed(visible: ReadonlySet<Node>, map: ReadonlyMap<Node, Node>, span: Span): void {
  const replaced = new Set([...map].flatMap(([node, by]) => (node === by ? [] : [node])));
  for (const node of visible) {
    if (node.op !== 'gradient_reversal' || ![...visibleNodes([node], true)].some((n) => replaced.has(n))) continue;
    fail('OPT432', span, 'this estimator compares values of the objective, and a reversal is not seen in values', {
      labels: node.span ? [{ span: node.span, text: 'the reversal' }] : [],
      hint: 'give the adversary an update of its own that maximizes, or estimate by derivatives (backprop, forward_gradient)',
    });
  }
}

/** Replacement of the draw that a node holds, under whatever names. */
function heldReplacement(held: Node, map: ReadonlyMap<Node, Node>): Node | undefined {
  let [at] = held.inputs;
  while (!map.has(at) && at.op === 'name') [at] = at.inputs;
  return map.get(at);
}
