/** Errors inside of another file's template are shown at the call that led there, with the inner place as a second one. */
import { SaddleError } from '../diagnostics/diagnostic.ts';
import type { Span } from '../source/source.ts';

/** Runs `body`, a template called `name` from `site`. */
export function seenFrom<T>(site: Span, name: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof SaddleError)) throw error;
    throw new SaddleError(
      error.diagnostics.map((d) => {
        if (!d.span || d.span.file === site.file) return d;
        return { ...d, span: site, labels: [...d.labels, { span: d.span, text: `here, in ${name}` }] };
      }),
    );
  }
}
