/**
 * Access to the concrete syntax tree of Chevrotain: children by name, tokens, spans. The builders use only this, so that no other file
 * knows how Chevrotain stores its trees. A missing child that the grammar promises is a bug of ours.
 */
import type { CstNode, IToken } from 'chevrotain';
import { InternalError } from '../diagnostics/diagnostic.ts';
import type { Span } from '../source/source.ts';
import type { Name } from './nodes.ts';

export type { CstNode, IToken };

/** Children nodes named `name`, in order; empty where there are none. */
export function nodes(node: CstNode, name: string): readonly CstNode[] {
  return (node.children[name] ?? []) as CstNode[];
}

/** Child tokens named `name`, in order. */
export function tokens(node: CstNode, name: string): readonly IToken[] {
  return (node.children[name] ?? []) as IToken[];
}

export function optionalNode(node: CstNode, name: string): CstNode | undefined {
  return nodes(node, name)[0];
}

export function optionalToken(node: CstNode, name: string): IToken | undefined {
  return tokens(node, name)[0];
}

export function has(node: CstNode, name: string): boolean {
  return (node.children[name]?.length ?? 0) > 0;
}

export function only(node: CstNode, name: string): CstNode {
  const child = nodes(node, name)[0];
  if (!child) throw new InternalError(`the syntax tree of '${node.name}' has no '${name}'`);
  return child;
}

export function token(node: CstNode, name: string): IToken {
  const child = tokens(node, name)[0];
  if (!child) throw new InternalError(`the syntax tree of '${node.name}' has no token '${name}'`);
  return child;
}

/** The one child of a rule that only chooses between alternatives. */
export function choice(node: CstNode): CstNode | IToken {
  for (const children of Object.values(node.children)) if (children.length > 0) return children[0];
  throw new InternalError(`the syntax tree of '${node.name}' is empty`);
}

export function isToken(child: CstNode | IToken): child is IToken {
  return 'image' in child;
}

export function tokenSpan(file: string, t: IToken): Span {
  return { file, start: t.startOffset, end: t.startOffset + t.image.length };
}

export function nodeSpan(file: string, node: CstNode): Span {
  const location = node.location;
  return { file, start: location?.startOffset ?? 0, end: (location?.endOffset ?? -1) + 1 };
}

export function nameOf(file: string, t: IToken): Name {
  return { text: t.image, span: tokenSpan(file, t) };
}
