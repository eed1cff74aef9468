/**
 * Sets: where a variable may live. `S.project(v)` is the nearest point of the set, `S.contains(v)` a condition; the set of a tree is the product of its
 * leaves' sets, so that both act leaf by leaf.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { didYouMean } from '../diagnostics/suggest.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { bindParameters } from './arguments.ts';
import type { Elaboration } from './context.ts';
import { leaves, mapLeaves, plain, toNode } from './convert.ts';
import { type Frame, Scope } from './scope.ts';
import { isCompound, kindText, type SetProduct, type Template, tensor, truth, type Value } from './values.ts';

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
  const result = (leaf: Value): Value => memberOf(e, set, member, leaf, expr.span, frame);
  if (!isCompound(value)) return result(value);
  if (member.name.text !== 'contains') return mapLeaves(e, value, span, result);
  const parts: Value[] = [];
  mapLeaves(e, value, span, (leaf) => {
    parts.push(result(leaf));
    return leaf;
  });
  return parts.reduce((a, b) => both(e, a, b), truth(true));
}

/** `X.MEMBER(v)` where X is the set of several variables: v has a leaf for each of them. A variable without a set stays, and is always in it. */
export function callProduct(e: Elaboration, product: SetProduct, name: ast.Name, expr: ast.Call, frame: Frame): Value {
  if (expr.args.length !== 1 || expr.args[0].name)
    fail('OPT311', expr.span, `${name.text} of the set of several variables takes one value`, {
      hint: 'write X.project(x) or X.contains(x)',
    });
  const { value: given, span } = expr.args[0];
  const value = plain(e, e.do.expression(e, given, frame), span);
  const parts = leaves(e, value, span);
  if (parts.length !== product.sets.length)
    fail(
      'OPT313',
      span,
      `${kindText(value)} has ${parts.length} leaves, and the set is that of ${product.sets.length} variables`,
      {
        hint: 'give a tree like the variables',
      },
    );
  // A variable without a set stays where it is, and nothing bounds it.
  const free = (leaf: Value): Value =>
    name.text === 'project' || name.text === 'contains'
      ? leaf
      : fail('OPT312', name.span, `a variable without a set has no ${name.text}`, {
          hint: 'give it a set: over x: f32 in box(0, 1) = 0',
        });
  let at = 0;
  const conditions: Value[] = [];
  const result = mapLeaves(e, value, span, (leaf) => {
    const set = product.sets[at++];
    if (!set || !isSet(set)) return free(leaf);
    const member = set.decl.body.statements.find((s) => s.kind === 'setMember' && s.name.text === name.text);
    if (member?.kind !== 'setMember')
      fail('OPT312', name.span, `the set ${set.decl.name.text} has no ${name.text}`, {
        labels: [{ span: set.decl.name.span, text: 'declared here' }],
        hint: `add ${name.text} = … to it`,
      });
    const found = memberOf(e, set, member, leaf, expr.span, frame);
    conditions.push(found);
    return name.text === 'contains' ? leaf : found;
  });
  return name.text === 'contains' ? conditions.reduce((a, b) => both(e, a, b), truth(true)) : result;
}

/** The point of a set that is nearest to a leaf; the leaf itself where the set does not say. */
export function projectNode(e: Elaboration, set: Template, leaf: Node, frame: Frame, span: Span): Node {
  if (!isSet(set)) return leaf;
  const member = set.decl.body.statements.find((s) => s.kind === 'setMember' && s.name.text === 'project');
  return member?.kind === 'setMember'
    ? toNode(e, memberOf(e, set, member, tensor(leaf), span, frame), span, 'f32')
    : leaf;
}

/** The member's expression with the set's parameters and one leaf in scope. */
function memberOf(e: Elaboration, set: SetValue, member: ast.SetMember, leaf: Value, span: Span, caller: Frame): Value {
  const { decl } = set;
  const frame: Frame = {
    scope: new Scope(set.frame.scope),
    body: 'fn',
    path: [...caller.path, decl.name.text, member.name.text],
    indices: caller.indices,
    execution: caller.execution,
    depth: caller.depth + 1,
  };
  bindParameters(e, set, frame.scope, frame, span);
  // A number given to a set is a point of it, and points are f32.
  const point = tensor(toNode(e, leaf, span, 'f32'));
  frame.scope.set(decl.variable.text, { kind: 'value', value: point, home: e.entry, span: decl.variable.span });
  const value = e.graph.at(
    span,
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
