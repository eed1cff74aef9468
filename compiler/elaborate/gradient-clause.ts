/** `fn f(a, b) = y gradient g -> e`: the value stays y, the derivative with respect to the float arguments is e, which may read the forward's lets. */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { broadcastTo, leafNodes, toNode } from './convert.ts';
import { parametersOf } from './arguments.ts';
import { type Frame, Scope } from './scope.ts';
import { kindText, tensor, type Template, type Value } from './values.ts';

export function customGradient(
  e: Elaboration,
  decl: ast.FnDecl,
  t: Template,
  value: Value,
  frame: Frame,
  span: Span,
): Value {
  const clause = decl.gradient as NonNullable<ast.FnDecl['gradient']>;
  if (value.kind !== 'tensor' && value.kind !== 'exact')
    e.notYet('a gradient clause of a fn whose value is not one tensor', clause.span);
  const y = toNode(e, value, span, 'f32');
  const args = floatArguments(e, t, frame, span);
  if (args.length === 0) return value;
  const g = e.graph.parameter('region', 'g', y.type);
  const scope = new Scope(frame.scope);
  scope.set(clause.name.text, { kind: 'value', value: tensor(g), home: e.entry, span: clause.name.span });
  const results: Node[] = [];
  if (args.length === 1 && clause.body.kind !== 'record') {
    results.push(...cotangents(e, e.do.expression(e, clause.body, { ...frame, scope }), args[0], clause.body.span));
  } else {
    if (clause.body.kind !== 'record') {
      fail(
        'OPT311',
        clause.body.span,
        `the gradient of ${decl.name.text} must be a record with a field for each of ${args.map((a) => a.name).join(', ')}`,
        { hint: `write { ${args.map((a) => `${a.name}: …`).join(', ')} }` },
      );
    }
    for (const arg of args) {
      const field = clause.body.fields.find((f) => f.name.text === arg.name);
      if (!field) {
        fail('OPT311', clause.body.span, `the gradient of ${decl.name.text} does not say ${arg.name}`, {
          labels: [{ span: decl.name.span, text: 'declared here' }],
          hint: `add ${arg.name}: …`,
        });
      }
      if (field.value.kind === 'name' && field.value.name === 'none')
        e.notYet(
          "'none' in a gradient clause",
          field.value.span,
          'write stop(x) where the fn is called, or zeros_like(x) here',
        );
      results.push(...cotangents(e, e.do.expression(e, field.value, { ...frame, scope }), arg, field.value.span));
    }
  }
  const inputs = args.flatMap((a) => a.nodes);
  return tensor(e.make('custom_gradient', [y, ...inputs], { rule: { params: [g], results } }));
}

function cotangents(e: Elaboration, value: Value, arg: { name: string; nodes: Node[] }, span: Span): Node[] {
  const nodes = leafNodes(e, value, span, 'f32');
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
    return broadcastTo(e, toNode(e, tensor(n), span), wanted.shape);
  });
}

/** Float arguments of a call, by parameter, for gradient clauses. */
function floatArguments(
  e: Elaboration,
  t: Template,
  frame: Frame,
  span: Span,
): { name: string; value: Value; nodes: Node[] }[] {
  const found: { name: string; value: Value; nodes: Node[] }[] = [];
  for (const param of parametersOf(t)) {
    const binding = frame.scope.find(param.name.text);
    if (binding?.kind !== 'value') continue;
    const v = binding.value;
    if (v.kind !== 'tensor' && v.kind !== 'tree' && v.kind !== 'tuple' && v.kind !== 'record') continue;
    const nodes = leafNodes(e, v, span);
    if (nodes.every((n) => n.type.dtype === 'f32')) found.push({ name: param.name.text, value: v, nodes });
  }
  return found;
}
