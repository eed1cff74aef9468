/**
 * Lines that look like the rest of the line before and are not. A line may begin with `-`, `(` or `[` as a statement of its own, so
 * `let y = a` with `- b` below it would silently define y without b. Indented deeper than the statement before, it was meant to go on.
 */
import { error } from '../diagnostics/diagnostic.ts';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { Source } from '../source/source.ts';
import type { Stmt } from './nodes.ts';

/** Errors for expressions that begin like a continuation of the statement above them in the same body. */
export function falseContinuations(statements: readonly Stmt[], source: Source): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (let i = 1; i < statements.length; i++) {
    const { kind, span } = statements[i];
    const first = source.text[span.start];
    if (kind !== 'expr' || !'-(['.includes(first)) continue;
    const here = source.position(span.start);
    const above = source.position(statements[i - 1].span.start);
    if (here.line === above.line || here.column <= above.column) continue;
    found.push(
      error(
        'OPT115',
        { ...span, end: span.start + 1 },
        `this line does not go on the one before: a line that begins with '${first}' is a statement of its own`,
        {
          labels: [{ span: statements[i - 1].span, text: 'ends with its line' }],
          hint:
            first === '-'
              ? "put '-' at the end of the line before, or the whole expression in parentheses"
              : `put '${first}' on the line before, or indent this line as a statement of its own`,
        },
      ),
    );
  }
  return found;
}
