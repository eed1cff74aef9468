/**
 * Names of call sites. A call `f(…)`, a draw, a batch, an update or a phase is a site of the body it stands in: named by `as`, else by what it
 * calls and its ordinal there, in order of evaluation (arguments before their call). Site names make the paths of parameters
 * (`Features.linear_0.W`) and the keys of random draws, so they depend on the text alone, never on which branch was taken.
 */
import type * as ast from './nodes.ts';

type SyntaxNode = { readonly kind: string; site?: string } & Record<string, unknown>;

/** Declarations whose body is a space of sites of its own. */
const OWN_SPACE = new Set([
  'layer',
  'model',
  'fn',
  'rule',
  'estimator',
  'aggregator',
  'solver',
  'trial',
  'problem',
  'train',
  'set',
  'class',
]);

/** Names every site of a file that was just parsed. */
export function nameSites(module: ast.Module): void {
  visitSpace(module.statements);
}

/** Name of a site; a node that no text stands for has none of its own. */
export function siteName(node: ast.Site): string {
  return node.site ?? 'site';
}

function visitSpace(root: unknown): void {
  const counts = new Map<string, number>();
  const take = (base: string, always: boolean): string => {
    const n = counts.get(base) ?? 0;
    counts.set(base, n + 1);
    return always || n > 0 ? `${base}_${n}` : base;
  };
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) {
      for (const item of value) visit(item);
      return;
    }
    if (typeof value !== 'object' || value === null) return;
    const node = value as SyntaxNode;
    if (OWN_SPACE.has(node.kind)) {
      if (node.kind === 'train') node.site = (node.name as ast.Name | undefined)?.text ?? take('train', false);
      visitSpace(Object.values(node));
      return;
    }
    for (const key in node) if (key !== 'span') visit(node[key]);
    switch (node.kind) {
      case 'call':
        node.site = (node.as as ast.Name | undefined)?.text ?? take(calleeName(node.callee as ast.Expr), true);
        break;
      case 'sample':
      case 'batch':
      case 'cell':
        node.site = take((node.name as ast.Name).text, false);
        break;
      case 'update':
      case 'solveExpr':
      case 'fresh':
      case 'with':
        node.site = take(node.kind, true);
        break;
      default:
        break;
    }
  };
  visit(root);
}

function calleeName(callee: ast.Expr): string {
  if (callee.kind === 'name') return callee.name;
  if (callee.kind === 'member') return callee.name.text;
  if (callee.kind === 'call') return calleeName(callee.callee);
  if (callee.kind === 'index') return calleeName(callee.object);
  return 'call';
}
