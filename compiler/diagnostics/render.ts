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

/** Something to point out in a source: the place of a diagnostic, or a label. */
interface Mark {
  readonly source: Source;
  readonly span: Span;
  readonly sign: '^' | '-';
  readonly text: string;
}

/** A quoted line of a source with the marks under it. Lines too long to be shown whole have one mark each. */
interface Excerpt {
  readonly line: number;
  readonly marks: readonly [Mark, ...Mark[]];
}

/** Marks by line, in the order in which their lines are first met. */
function excerpts(marks: readonly Mark[]): Excerpt[] {
  const found: { line: number; marks: [Mark, ...Mark[]] }[] = [];
  for (const mark of marks) {
    const { line } = mark.source.position(mark.span.start);
    const whole = mark.source.line(line).length <= quotedWidth;
    const known = whole && found.find((x) => x.line === line && x.marks[0].source === mark.source);
    if (known) known.marks.push(mark);
    else found.push({ line, marks: [mark] });
  }
  return found;
}

function excerptText({ line, marks }: Excerpt, colour: (t: string) => string, paint: Paint): string[] {
  const text = marks[0].source.line(line);
  const from = marks[0].source.position(marks[0].span.start).column;
  const skipped = text.length <= quotedWidth ? 0 : Math.max(0, Math.min(from - 41, text.length - quotedWidth));
  const shown = text.slice(skipped, skipped + quotedWidth);
  const before = skipped > 0 ? '\u2026' : '';
  const after = skipped + quotedWidth < text.length ? '\u2026' : '';
  const gutter = paint.dim(`${' '.repeat(String(line).length)} |`);
  const under = marks.map((mark) => {
    const start = mark.source.position(mark.span.start).column;
    const to = mark.source.position(Math.max(mark.span.start, mark.span.end));
    const width = to.line === line ? Math.max(1, to.column - start) : Math.max(1, text.length - start + 1);
    const column = start - 1 - skipped;
    const signs = mark.sign.repeat(Math.max(1, Math.min(width, shown.length - column)));
    const tint = mark.sign === '^' ? colour : paint.accent;
    return `${gutter} ${' '.repeat(before.length + column)}${tint(signs + (mark.text ? ` ${safe(mark.text)}` : ''))}`;
  });
  return [`${paint.dim(`${line} |`)} ${before}${safe(shown)}${after}`, ...under];
}

/** Text of one diagnostic. `sources` supplies excerpts; a span in an unknown file is printed without one. */
export function renderText(d: Diagnostic, sources: Sources, paint: Paint = plain): string {
  const colour = d.severity === 'error' ? paint.error : paint.warning;
  const lines = [`${colour(`${d.severity}[${d.code}]`)}: ${safe(d.message)}`];
  const marks: Mark[] = [];
  if (d.span) {
    const source = sources.get(d.span.file);
    if (source) marks.push({ source, span: d.span, sign: '^', text: '' });
    else lines.push(`  ${paint.dim('-->')} ${safe(d.span.file)}`);
  } else if (d.place) lines.push(...placeText(d.place, colour, paint));
  for (const label of d.labels) {
    const source = sources.get(label.span.file);
    if (source) marks.push({ source, span: label.span, sign: '-', text: label.text });
  }
  excerpts(marks).forEach((part, i) => {
    const [{ source, span }] = part.marks;
    const { line, column } = source.position(span.start);
    if ((i === 0 && d.span === span) || source.name !== d.span?.file)
      lines.push(`  ${paint.dim('-->')} ${safe(source.name)}:${line}:${column}`);
    lines.push(...excerptText(part, colour, paint));
  });
  for (const note of d.notes) lines.push(`  note: ${safe(note)}`);
  if (d.hint) lines.push(`  ${paint.accent('help')}: ${safe(d.hint)}`);
  return lines.join('\n');
}

/** A place of a run, whose line came with it. */
function placeText(
  { file, line, column, text }: NonNullable<Diagnostic['place']>,
  colour: (t: string) => string,
  paint: Paint,
): string[] {
  const lines = [`  ${paint.dim('-->')} ${safe(file)}:${line}:${column}`];
  if (!text) return lines;
  lines.push(`${paint.dim(`${line} |`)} ${safe(text.slice(0, quotedWidth))}`);
  if (column <= Math.min(text.length, quotedWidth))
    lines.push(`${paint.dim(`${' '.repeat(String(line).length)} |`)} ${' '.repeat(column - 1)}${colour('^')}`);
  return lines;
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
