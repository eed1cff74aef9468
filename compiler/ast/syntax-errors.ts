/**
 * Syntax errors in the user's words. The lexer, the layout and the parser report bare facts (a character, a bracket, an expected and a
 * found token); here they become diagnostics with a hint, and faults that only follow from an earlier one are left out.
 */
import type { ILexingError, IRecognitionException, IToken } from 'chevrotain';
import type { BracketFault } from '../../grammar/layout.ts';
import { maxNesting } from '../../grammar/layout.ts';
import { error } from '../diagnostics/diagnostic.ts';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { Source, Span } from '../source/source.ts';

export function inOrder(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  return [...diagnostics].sort((a, b) => (a.span?.start ?? 0) - (b.span?.start ?? 0));
}

function spanOf(source: Source, token: IToken): Span {
  return { file: source.name, start: token.startOffset, end: token.startOffset + token.image.length };
}

export function characterErrors(
  source: Source,
  errors: readonly ILexingError[],
  _tokens: readonly IToken[],
): Diagnostic[] {
  return errors.map((e) =>
    error(
      'OPT104',
      { file: source.name, start: e.offset, end: e.offset + e.length },
      `unexpected character '${source.text.slice(e.offset, e.offset + e.length)}'`,
    ),
  );
}

export function bracketErrors(source: Source, faults: readonly BracketFault[]): Diagnostic[] {
  return faults.map((fault) => {
    if (fault.kind === 'deep')
      return error('OPT112', spanOf(source, fault.open), `brackets are nested more than ${maxNesting} deep`);
    if (fault.kind === 'unmatched')
      return error('OPT103', spanOf(source, fault.close), `'${fault.close.image}' closes nothing`);
    return error('OPT102', spanOf(source, fault.open), `'${fault.open.image}' is never closed`);
  });
}

export function parserErrors(
  source: Source,
  errors: readonly IRecognitionException[],
  _tokens: readonly IToken[],
  _earlier: readonly Diagnostic[],
): Diagnostic[] {
  return errors.map((e) => {
    const atEnd = Number.isNaN(e.token.startOffset);
    const span = atEnd
      ? { file: source.name, start: source.text.length, end: source.text.length }
      : spanOf(source, e.token);
    return error('OPT101', span, e.message);
  });
}
