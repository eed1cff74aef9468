/** `allow CODE` on a statement silences that warning anywhere in it; errors cannot be silenced. */
import type { Module } from '../ast/nodes.ts';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { Span } from '../source/source.ts';

/** Whether the text of the module allows this diagnostic. */
export function isAllowed(module: Module, d: Diagnostic): boolean {
  if (d.severity !== 'warning' || d.span?.file !== module.file) return false;
  const at = d.span.start;
  const visit = (node: unknown): boolean => {
    if (Array.isArray(node)) return node.some(visit);
    if (typeof node !== 'object' || node === null) return false;
    const { allow, span } = node as { allow?: readonly { text: string }[]; span?: Span };
    if (span && (at < span.start || at >= span.end)) return false;
    if (allow?.some((code) => code.text === d.code)) return true;
    return Object.values(node).some(visit);
  };
  return visit(module.statements);
}
