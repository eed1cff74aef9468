/**
 * Initializers: `param W: f32[784, 10] ~ glorot`, where glorot is a fn whose result type is unified with that of the cell. Names after `~` are fns in
 * scope, then the built-in distributions, then the fns of the library module `inits`.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node, TensorType } from '../ops/types.ts';
import { giveArguments } from './arguments.ts';
import type { Elaboration } from './context.ts';
import { broadcastTo, sameType, toNode } from './convert.ts';
import { libraryScope } from './imports.ts';
import { isDistribution } from './random.ts';
import type { Binding, Frame } from './scope.ts';
import { callInitializer } from './templates.ts';
import { isCompound, kindText, type Template } from './values.ts';

/** Library module whose fns are found after `~` without a `use`. */
const LIBRARY = 'inits';

export function initial(
  e: Elaboration,
  draw: ast.Draw,
  type: TensorType | undefined,
  path: readonly string[],
  frame: Frame,
  seed: Node | undefined,
): Node | undefined {
  const template = find(e, draw.dist, frame);
  if (!template) return undefined;
  const given = giveArguments(e, template, draw.args, frame);
  const value = callInitializer(e, given, { span: draw.span, path, type, seed }, frame);
  if (isCompound(value))
    fail('OPT321', draw.span, `${draw.dist.text} gives ${kindText(value)}, and a draw is one tensor`, {
      labels: [{ span: template.decl.name.span, text: 'declared here' }],
      hint: 'give one of its parts',
    });
  const node = toNode(e, value, draw.span, type?.dtype ?? 'f32');
  if (!type || sameType(node.type, type)) return node;
  if (node.type.dtype !== type.dtype || node.type.shape.length > 0)
    fail('OPT321', draw.span, `${draw.dist.text} gives ${e.typeText(node.type)}, but ${e.typeText(type)} is needed`, {
      labels: [{ span: template.decl.name.span, text: 'declared here' }],
      hint: 'the type of what is initialized decides: give the initializer a result type with free dims',
    });
  return broadcastTo(e, node, type.shape);
}

function find(e: Elaboration, name: ast.Name, frame: Frame): Template | undefined {
  const own = fnOf(frame.scope.find(name.text));
  if (own || isDistribution(name.text)) return own;
  return fnOf(libraryScope(e, LIBRARY, name.span)?.names.get(name.text));
}

function fnOf(binding: Binding | undefined): Template | undefined {
  if (binding?.kind === 'named')
    return { kind: 'template', decl: binding.decl, frame: binding.frame, bound: new Map() };
  return binding?.kind === 'value' && binding.value.kind === 'template' && binding.value.decl.kind === 'fn'
    ? binding.value
    : undefined;
}
