/** Renders diagnostics: as text for people (excerpt, caret, labels, hint) and as JSON for programs. */
import type { Source, Sources, Span } from '../source/source.ts';
import type { Diagnostic } from './diagnostic.ts';

/** Colour functions are injected, so that this module knows nothing of terminals. */
export interface Paint {
  error(text: string): string;
  warning(text: string): string;
  accent(text: string): string;
  dim(text: string): string;
}

export const plain: Paint = { error: (t) => t, warning: (t) => t, accent: (t) => t, dim: (t) => t };

/** Control and bidirectional marks in quoted source could spoof a terminal; tabs are shown as one space to keep carets right. */
function safe(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text
    .replace(/\t/g, ' ')
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\u00b7');
}

/** Longest part of a line that is quoted, in characters; of a longer line the part around the span is shown. */
const quotedWidth = 160;

function excerpt(
  source: Source,
  span: Span,
  mark: string,
  text: string,
  paint: (t: string) => string,
  dim: Paint['dim'],
): string[] {
  const from = source.position(span.start);
  const to = source.position(Math.max(span.start, span.end));
  const line = source.line(from.line);
  const width =
    to.line === from.line ? Math.max(1, to.column - from.column) : Math.max(1, line.length - from.column + 1);
  const gutter = String(from.line).length;
  const skipped = line.length <= quotedWidth ? 0 : Math.max(0, Math.min(from.column - 41, line.length - quotedWidth));
  const shown = line.slice(skipped, skipped + quotedWidth);
  const before = skipped > 0 ? '\u2026' : '';
  const after = skipped + quotedWidth < line.length ? '\u2026' : '';
  const column = from.column - 1 - skipped;
  const marks = mark.repeat(Math.max(1, Math.min(width, shown.length - column)));
  return [
    `${dim(`${from.line} |`)} ${before}${safe(shown)}${after}`,
    `${dim(`${' '.repeat(gutter)} |`)} ${' '.repeat(before.length + column)}${paint(marks + (text ? ` ${text}` : ''))}`,
  ];
}

/** Text of one diagnostic. `sources` supplies excerpts; a span in an unknown file is printed without one. */
export function renderText(d: Diagnostic, sources: Sources, paint: Paint = plain): string {
  const colour = d.severity === 'error' ? paint.error : paint.warning;
  const lines = [`${colour(`${d.severity}[${d.code}]`)}: ${safe(d.message)}`];
  if (d.span) {
    const source = sources.get(d.span.file);
    if (source) {
      const { line, column } = source.position(d.span.start);
      lines.push(`  ${paint.dim('-->')} ${safe(d.span.file)}:${line}:${column}`);
      lines.push(...excerpt(source, d.span, '^', '', colour, paint.dim));
    } else lines.push(`  ${paint.dim('-->')} ${safe(d.span.file)}`);
  } else if (d.place) {
    const { file, line, column, text } = d.place;
    lines.push(`  ${paint.dim('-->')} ${safe(file)}:${line}:${column}`);
    if (text) {
      lines.push(`${paint.dim(`${line} |`)} ${safe(text.slice(0, quotedWidth))}`);
      if (column <= Math.min(text.length, quotedWidth))
        lines.push(`${paint.dim(`${' '.repeat(String(line).length)} |`)} ${' '.repeat(column - 1)}${colour('^')}`);
    }
  }
  for (const label of d.labels) {
    const source = sources.get(label.span.file);
    if (!source) continue;
    const at = source.position(label.span.start);
    if (!d.span || label.span.file !== d.span.file)
      lines.push(`  ${paint.dim('-->')} ${safe(label.span.file)}:${at.line}:${at.column}`);
    lines.push(...excerpt(source, label.span, '-', safe(label.text), paint.accent, paint.dim));
  }
  for (const note of d.notes) lines.push(`  note: ${safe(note)}`);
  if (d.hint) lines.push(`  ${paint.accent('help')}: ${safe(d.hint)}`);
  return lines.join('\n');
}

/** All diagnostics, errors before warnings, in source order within each. */
export function renderAll(diagnostics: readonly Diagnostic[], sources: Sources, paint: Paint = plain): string {
  const rank = (d: Diagnostic) => (d.severity === 'error' ? 0 : 1);
  return [...diagnostics]
    .sort((a, b) => rank(a) - rank(b) || (a.span?.start ?? 0) - (b.span?.start ?? 0))
    .map((d) => renderText(d, sources, paint))
    .join('\n\n');
}

/** JSON form: positions are 1-based lines and columns beside the offsets. */
export function renderJson(d: Diagnostic, sources: Sources): Record<string, unknown> {
  const place = (span: Span | undefined) => {
    if (!span) return undefined;
    const source = sources.get(span.file);
    return {
      file: span.file,
      start: span.start,
      end: span.end,
      ...(source
        ? {
            ...source.position(span.start),
            endLine: source.position(span.end).line,
            endColumn: source.position(span.end).column,
          }
        : {}),
    };
  };
  return {
    code: d.code,
    severity: d.severity,
    message: d.message,
    span: place(d.span),
    ...(d.place ? { place: d.place } : {}),
    labels: d.labels.map((l) => ({ text: l.text, span: place(l.span) })),
    notes: d.notes,
    hint: d.hint,
  };
}
