/**
 * Sets: where a variable may live. `S.project(v)` is the nearest point of the set, `S.contains(v)` a condition; the set of a tree is the product of its
 * leaves' sets, so that both act leaf by leaf.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { didYouMean } from '../diagnostics/suggest.ts';
import type { Node } from '../ops/types.ts';
import { bindParameters } from './arguments.ts';
import type { Elaboration } from './context.ts';
import { mapLeaves, plain, toNode } from './convert.ts';
import { type Frame, Scope } from './scope.ts';
import { isCompound, kindText, type Template, tensor, truth, type Value } from './values.ts';

export interface SetValue extends Template {
  readonly decl: ast.SetDecl;
}

export function isSet(value: Value): value is SetValue {
  return value.kind === 'template' && value.decl.kind === 'set';
}

/** `S.MEMBER(v)`. */
export function callSet(e: Elaboration, set: SetValue, name: ast.Name, expr: ast.Call, frame: Frame): Value {
  const members = set.decl.body.statements.filter((s) => s.kind === 'setMember');
  const member = members.find((m) => m.name.text === name.text);
  const names = members.map((m) => m.name.text);
  if (!member)
    fail('OPT312', name.span, `the set ${set.decl.name.text} has no ${name.text}`, {
      labels: [{ span: set.decl.name.span, text: 'declared here' }],
      hint: didYouMean(name.text, names) ?? `it has ${names.join(' and ') || 'no members'}`,
    });
  if (expr.args.length !== 1 || expr.args[0].name)
    fail('OPT311', expr.span, `${set.decl.name.text}.${name.text} takes one value`, {
      hint: `write ${set.decl.name.text}.${name.text}(x)`,
    });
  const { span } = expr.args[0].value;
  const value = plain(e, e.do.expression(e, expr.args[0].value, frame), span);
  const result = (leaf: Value): Value => memberOf(e, set, member, leaf, expr, frame);
  if (!isCompound(value)) return result(value);
  if (member.name.text !== 'contains') return mapLeaves(e, value, span, result);
  const parts: Value[] = [];
  mapLeaves(e, value, span, (leaf) => {
    parts.push(result(leaf));
    return leaf;
  });
  return parts.reduce((a, b) => both(e, a, b), truth(true));
}

/** The member's expression with the set's parameters and one leaf in scope. */
function memberOf(
  e: Elaboration,
  set: SetValue,
  member: ast.SetMember,
  leaf: Value,
  expr: ast.Call,
  caller: Frame,
): Value {
  const { decl } = set;
  const frame: Frame = {
    scope: new Scope(set.frame.scope),
    body: 'fn',
    path: [...caller.path, decl.name.text, member.name.text],
    indices: caller.indices,
    execution: caller.execution,
    depth: caller.depth + 1,
  };
  bindParameters(e, set, frame.scope, frame, expr.span);
  // A number given to a set is a point of it, and points are f32.
  const point = tensor(toNode(e, leaf, expr.span, 'f32'));
  frame.scope.set(decl.variable.text, { kind: 'value', value: point, home: e.entry, span: decl.variable.span });
  const value = e.graph.at(
    expr.span,
    () => plain(e, e.do.expression(e, member.value, frame), member.value.span),
    frame.path.join('/'),
  );
  return member.name.text === 'contains' ? condition(e, value, member) : value;
}

/** `contains` is one condition, whatever the shape of the leaf. */
function condition(e: Elaboration, value: Value, member: ast.SetMember): Value {
  if (value.kind === 'truth') return value;
  if (value.kind !== 'tensor' || value.node.type.dtype !== 'bool')
    fail('OPT318', member.value.span, `contains is a condition, not ${kindText(value)}`, {
      hint: 'compare: contains = all(x >= lo)',
    });
  const { shape } = value.node.type;
  return shape.length === 0
    ? value
    : tensor(e.make('reduce_and', [value.node], { axes: shape.map((_, axis) => axis), keepdims: false }));
}

function both(e: Elaboration, a: Value, b: Value): Value {
  if (a.kind === 'truth') return a.value ? b : a;
  if (b.kind === 'truth') return b.value ? a : b;
  const node = (v: Value): Node => (v as { readonly node: Node }).node;
  return tensor(e.make('and', [node(a), node(b)]));
}
