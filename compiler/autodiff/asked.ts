/** Refusals of derivatives, shown to who asked for the derivative. */
import { type Diagnostic, SaddleError } from '../diagnostics/diagnostic.ts';
import type { Span } from '../source/source.ts';

/**
 * Runs `body`, a derivative that is asked at `site`. What refuses it in the same file is shown where it is, with the place of the derivative; what lies in another
 * file, as in a module of the library, is shown at the derivative, since there alone the reader can do something about it.
 */
export function askedAt<T>(site: Span | undefined, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!site || !(error instanceof SaddleError)) throw error;
    throw new SaddleError(error.diagnostics.map((d) => asked(d, site)));
  }
}

function asked(d: Diagnostic, site: Span): Diagnostic {
  if (!d.span) return { ...d, span: site };
  if (d.span.file === site.file) {
    const inside = d.span.start <= site.start && site.end <= d.span.end;
    return inside ? d : { ...d, labels: [...d.labels, { span: site, text: 'the derivative is asked here' }] };
  }
  return {
    ...d,
    span: site,
    labels: [...d.labels, { span: d.span, text: 'the path ends here' }],
    hint: "stop the value of the fn that this stands in where it counts as a constant, or use one with a 'gradient' clause",
  };
}
