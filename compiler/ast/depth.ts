/** Bounds the depth of a syntax tree, so that every later walk may recurse. The walk here is the only one that must not. */
import { error } from '../diagnostics/diagnostic.ts';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { Span } from '../source/source.ts';
import type { Module } from './nodes.ts';

/** Deepest nesting of nodes that is accepted, statements and expressions together. */
export const maxDepth = 1000;

interface Visit {
  readonly node: object;
  readonly depth: number;
  readonly span: Span;
}

/** The first place nested too deeply, as an error. Spans, names and strings add no depth; only nodes with a `kind` do. */
export function tooDeep(module: Module): Diagnostic | undefined {
  const open: Visit[] = [{ node: module, depth: 0, span: module.span }];
  for (let visit = open.pop(); visit; visit = open.pop()) {
    if (visit.depth > maxDepth)
      return error('OPT112', visit.span, `this expression is nested more than ${maxDepth} deep`, {
        hint: 'name parts of it with let, or use sum and map over an array',
      });
    for (const key in visit.node) {
      const node = (visit.node as Record<string, { kind?: unknown; span?: Span } | null>)[key];
      if (key === 'span' || key === 'opSpan' || typeof node !== 'object' || node === null) continue;
      open.push({ node, depth: visit.depth + (node.kind === undefined ? 0 : 1), span: node.span ?? visit.span });
    }
  }
  return undefined;
}
