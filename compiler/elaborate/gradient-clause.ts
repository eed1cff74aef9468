/**
 * `fn f(a, b) = y gradient g -> { a: …, b: … }`: the value stays y, the cotangents of the float arguments are those of the clause for a cotangent g of y. The
 * clause may read the forward's lets, which are then what is saved; `none` stands for an argument by which nobody may differentiate.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import { regionParameter } from '../ir/tensor/regions.ts';
import { substitute } from '../ir/tensor/rewrite.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { parametersOf } from './arguments.ts';
import type { Elaboration } from './context.ts';
import {
  broadcastTo,
  leaves,
  leafNodes,
  leavesOver,
  mapLeaves,
  plain,
  rebuild,
  toNode,
  withAxesInFront,
} from './convert.ts';
import { unkept } from './keeping.ts';
import { type Frame, Scope } from './scope.ts';
import { kindText, partsOver, tensor, type Template, type Value } from './values.ts';

/** A float argument of the call. */
interface Argument {
  readonly name: string;
  readonly nodes: readonly Node[];
}

/** `marker`: id of the first node of the body. */
export function customGradient(
  e: Elaboration,
  decl: ast.FnDecl,
  t: Template,
  value: Value,
  frame: Frame,
  span: Span,
  marker: number,
): Value {
  const args = floatArguments(e, t, frame, span);
  if (args.length === 0) return value;
  const parts = leaves(e, withAxesInFront(e, value, span), span).map((leaf) => toNode(e, leaf.value, span, 'f32'));
  const floats = parts.filter((node) => node.type.dtype === 'f32');
  const y = joined(e, floats);
  if (!y) return value;
  const g = regionParameter(e.graph, 'g', y.type);
  const given = unkept(e, () => clauseValues(e, decl, args, cotangentOf(e, value, parts, g, span), frame));
  const inputs = args.flatMap((arg, k) => (given[k] ? arg.nodes : arg.nodes.map((n) => refused(e, decl, arg, n))));
  const results = args.flatMap((arg, k) => given[k] ?? arg.nodes.map((n) => e.constant(0, 'f32', n.type.shape)));
  // an argument or an outer value that is given on as it is, is not the value of the fn where the clause reads it
  const own = y.id >= marker && floats.every((node) => node.id >= marker);
  const rule = { params: [g], results: own ? readJoined(e, results, y, floats) : results };
  const whole = e.make('custom_gradient', [y, ...inputs], own ? { rule, own } : { rule });
  const separated = separate(e, whole, floats);
  let next = 0;
  const nodes = parts.map((node) => (node.type.dtype === 'f32' ? separated[next++] : node));
  return rebuild(e, value, nodes, span);
}

/** The cotangent of the fn's value, shaped like it; whole numbers and conditions have zero. */
function cotangentOf(e: Elaboration, value: Value, parts: readonly Node[], g: Node, span: Span): Value {
  const own = separate(
    e,
    g,
    parts.filter((node) => node.type.dtype === 'f32'),
  );
  let next = 0;
  const nodes = parts.map((n) => (n.type.dtype === 'f32' ? own[next++] : e.constant(0, 'f32', n.type.shape)));
  return rebuild(e, value, nodes, span);
}

/** Cotangents by argument as the clause gives them; undefined for `none`. */
function clauseValues(
  e: Elaboration,
  decl: ast.FnDecl,
  args: readonly Argument[],
  g: Value,
  frame: Frame,
): (readonly Node[] | undefined)[] {
  const { name, body } = decl.gradient as NonNullable<ast.FnDecl['gradient']>;
  const scope = new Scope(frame.scope);
  scope.set(name.text, { kind: 'value', value: g, home: e.entry, span: name.span });
  const inner = { ...frame, scope };
  const of = (arg: Argument, expr: ast.Expr) =>
    isNone(expr) ? undefined : cotangents(e, e.do.expression(e, expr, inner), arg, expr.span);
  if (body.kind === 'record')
    return args.map((arg) => {
      const field = body.fields.find((f) => f.name.text === arg.name);
      return field ? of(arg, field.value) : missing(decl, arg, body.span);
    });
  if (args.length === 1 || isNone(body)) return args.map((arg) => of(arg, body));
  const whole = plain(e, e.do.expression(e, body, inner), body.span);
  const value = whole.kind === 'over' ? partsOver(whole) : whole;
  if (value.kind !== 'record')
    fail(
      'OPT311',
      body.span,
      `the gradient of ${decl.name.text} must be a record with a field for each of ${args.map((a) => a.name).join(', ')}`,
      { hint: `write { ${args.map((a) => `${a.name}: …`).join(', ')} }` },
    );
  return args.map((arg) => {
    const field = value.fields.get(arg.name);
    return field ? cotangents(e, field, arg, body.span) : missing(decl, arg, body.span);
  });
}

const isNone = (expr: ast.Expr): boolean => expr.kind === 'name' && expr.name === 'none';

function missing(decl: ast.FnDecl, arg: Argument, span: Span): never {
  fail('OPT311', span, `the gradient of ${decl.name.text} does not say ${arg.name}`, {
    labels: [{ span: decl.name.span, text: 'declared here' }],
    hint: `add ${arg.name}: …, or ${arg.name}: none where nobody may ask`,
  });
}

/** The argument as the rule knows it, where the clause says `none`. */
function refused(e: Elaboration, decl: ast.FnDecl, arg: Argument, node: Node): Node {
  const why = `the gradient clause of ${decl.name.text} gives none by ${arg.name}, and this derivative would need it`;
  return e.make('no_derivative', [node], { why });
}

/** Value of an opaque fn: no derivative passes it. */
export function blackBox(e: Elaboration, decl: ast.FnDecl, value: Value, span: Span): Value {
  const why = `${decl.name.text} is opaque, and this derivative would have to pass it`;
  return mapLeaves(e, value, span, (leaf) => {
    const node = toNode(e, leaf, span, 'f32');
    // With a gradient clause, the clause is the derivative.
    return tensor(decl.gradient ? node : e.make('no_derivative', [node], { why }));
  });
}

// ---------------------------------------------------------------- several results

/** Floats end to end, as the one value that a custom gradient is of; a single one as it is. */
function joined(e: Elaboration, nodes: readonly Node[]): Node | undefined {
  if (nodes.length <= 1) return nodes[0];
  const flat = nodes.map((node) => e.make('reshape', [node], { shape: [sizeOf(node.type.shape)] }));
  return e.make('concat', flat, { axis: 0 });
}

/** The results with parts of the joined value where they read the values that were joined. */
function readJoined(e: Elaboration, results: readonly Node[], y: Node, nodes: readonly Node[]): readonly Node[] {
  if (nodes.length === 1) return results;
  const parts = separate(e, y, nodes);
  return substitute(e.graph, results, new Map(nodes.map((node, k) => [node, parts[k]])));
}

function separate(e: Elaboration, whole: Node, like: readonly Node[]): Node[] {
  if (like.length === 1) return [whole];
  let from = 0;
  return like.map(({ type: { shape } }) => {
    const start = from;
    from += sizeOf(shape);
    const part = e.make('slice', [whole], { start: [start], limit: [from], stride: [1] });
    return e.make('reshape', [part], { shape });
  });
}

// ---------------------------------------------------------------- arguments

function cotangents(e: Elaboration, value: Value, arg: Argument, span: Span): Node[] {
  const nodes = leafNodes(e, withAxesInFront(e, value, span), span, 'f32');
  if (nodes.length !== arg.nodes.length)
    fail('OPT313', span, `the gradient for ${arg.name} is ${kindText(value)}`, {
      hint: `it must be shaped like ${arg.name}`,
    });
  return nodes.map((n, i) => {
    const wanted = arg.nodes[i].type;
    if (n.type.dtype !== 'f32' || (n.type.shape.length > 0 && n.type.shape.join() !== wanted.shape.join())) {
      fail(
        'OPT302',
        span,
        `the gradient for ${arg.name} has type ${e.typeText(n.type)}, but ${arg.name} has ${e.typeText(wanted)}`,
        { hint: 'a gradient is shaped like what it belongs to' },
      );
    }
    return broadcastTo(e, n, wanted.shape);
  });
}

/** Float arguments of a call, by parameter. */
function floatArguments(e: Elaboration, t: Template, frame: Frame, span: Span): Argument[] {
  const found: Argument[] = [];
  for (const param of parametersOf(t)) {
    const binding = frame.scope.find(param.name.text);
    if (binding?.kind !== 'value') continue;
    const v = binding.value;
    if (!['tensor', 'tree', 'tuple', 'record', 'over'].includes(v.kind)) continue;
    const nodes = leavesOver(e, v, span);
    if (nodes.length > 0 && nodes.every((n) => n.type.dtype === 'f32')) found.push({ name: param.name.text, nodes });
  }
  return found;
}
