/**
 * The one type of every message: errors and warnings of the compiler, of data files, of the device and of calls.
 * A diagnostic is data; `render.ts` shows it as text (caret, labels, hint) or JSON. Codes live in `catalog.ts`.
 */
import type { Span } from '../source/source.ts';
import type { DiagnosticCode } from './catalog.ts';

export type Severity = 'error' | 'warning';

/** A second place that matters, with a word on why: "declared here", "this has shape f32[64, 10]". */
export interface Label {
  readonly span: Span;
  readonly text: string;
}

/** A place already resolved to a line, for messages at run time, where no source text is at hand (`text` is that line). */
export interface ResolvedPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

export interface Diagnostic {
  readonly code: DiagnosticCode;
  readonly severity: Severity;
  /** One line, in the user's terms: what was expected and what was found. */
  readonly message: string;
  /** Where; absent only for messages that no text causes (missing driver, wrong command line). */
  readonly span?: Span;
  /** Instead of a span, for what happens while a bundle runs. */
  readonly place?: ResolvedPlace;
  readonly labels: readonly Label[];
  readonly notes: readonly string[];
  /** What to do about it. */
  readonly hint?: string;
}

/** Optional parts of a diagnostic. */
export interface DiagnosticParts {
  readonly labels?: readonly Label[];
  readonly notes?: readonly string[];
  readonly hint?: string;
  readonly place?: ResolvedPlace;
}

export function error(
  code: DiagnosticCode,
  span: Span | undefined,
  message: string,
  parts: DiagnosticParts = {},
): Diagnostic {
  return {
    code,
    severity: 'error',
    message,
    span,
    ...(parts.place ? { place: parts.place } : {}),
    labels: parts.labels ?? [],
    notes: parts.notes ?? [],
    hint: parts.hint,
  };
}

export function warning(
  code: DiagnosticCode,
  span: Span | undefined,
  message: string,
  parts: DiagnosticParts = {},
): Diagnostic {
  return { ...error(code, span, message, parts), severity: 'warning' };
}

/** Result of a compiler stage: a value with warnings, or diagnostics of which at least one is an error. */
export type Result<T> =
  | { readonly ok: true; readonly value: T; readonly diagnostics: readonly Diagnostic[] }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/**
 * A user-facing error in flight. Thrown inside a stage where returning would obscure the code, and always caught at
 * the stage's boundary (or by the command line); it is never a bug of ours: those are `InternalError`.
 */
export class SaddleError extends Error {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: Diagnostic | readonly Diagnostic[]) {
    const list = Array.isArray(diagnostics) ? (diagnostics as readonly Diagnostic[]) : [diagnostics as Diagnostic];
    super(list.map((d) => `${d.code}: ${d.message}`).join('\n'));
    this.name = 'SaddleError';
    this.diagnostics = list;
  }
}

/** A bug of the compiler or runtime itself (exit code 70): an invariant that no input may break was broken. */
export class InternalError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InternalError';
  }
}

/** Throws a located error; for use where a stage cannot go on. */
export function fail(
  code: DiagnosticCode,
  span: Span | undefined,
  message: string,
  parts: DiagnosticParts = {},
): never {
  throw new SaddleError(error(code, span, message, parts));
}
