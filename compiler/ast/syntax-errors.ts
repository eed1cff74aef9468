/**
 * Syntax errors in the user's words. The lexer, the layout and the parser report bare facts (a character, a bracket, an expected and a
 * found token); here they become diagnostics. Known slips (`slips.ts`) get a message and hint of their own; for the rest the message says
 * what would have fitted. Faults that only follow from an earlier one on the same line are left out.
 */
import type { ILexingError, IParserErrorMessageProvider, IRecognitionException, IToken, TokenType } from 'chevrotain';
import type { BracketFault } from '../../grammar/layout.ts';
import { maxNesting } from '../../grammar/layout.ts';
import * as t from '../../grammar/tokens.ts';
import { error } from '../diagnostics/diagnostic.ts';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { Source, Span } from '../source/source.ts';
import { describeCharacter } from './characters.ts';
import { forms } from './familiar.ts';
import { findSlip } from './slips.ts';
import type { Mistake } from './slip.ts';

export function inOrder(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  return [...diagnostics].sort((a, b) => (a.span?.start ?? 0) - (b.span?.start ?? 0));
}

function spanOf(source: Source, token: IToken): Span {
  return { file: source.name, start: token.startOffset, end: token.startOffset + token.image.length };
}

// ---------------------------------------------------------------- characters and brackets

/** Characters that the lexer does not know; one error for each run of them, and at most one for a line. */
export function characterErrors(source: Source, errors: readonly ILexingError[]): Diagnostic[] {
  const lines = new Set<number>();
  const found: Diagnostic[] = [];
  for (const { offset, length } of errors) {
    const { line } = source.position(offset);
    if (lines.has(line)) continue;
    lines.add(line);
    const known = describeCharacter(source.text, offset, length);
    found.push(
      error(known.code, { file: source.name, start: offset, end: offset + known.length }, known.message, {
        hint: known.hint,
      }),
    );
  }
  return found;
}

export function bracketErrors(source: Source, faults: readonly BracketFault[]): Diagnostic[] {
  const closer: Record<string, string> = { '(': ')', '[': ']', '{': '}' };
  return faults.map((fault) => {
    if (fault.kind === 'deep')
      return error('OPT112', spanOf(source, fault.open), `brackets are nested more than ${maxNesting} deep`, {
        hint: 'name inner parts with let or fn',
      });
    if (fault.kind === 'unmatched') {
      const labels = fault.open
        ? [{ span: spanOf(source, fault.open), text: `this '${fault.open.image}' is open here` }]
        : [];
      return error('OPT103', spanOf(source, fault.close), `'${fault.close.image}' closes nothing`, {
        labels,
        hint: fault.open
          ? `'${fault.open.image}' is closed by '${closer[fault.open.image]}'`
          : 'remove it, or add the bracket that it should close',
      });
    }
    const open = fault.open.image;
    const end = fault.before ? fault.before.startOffset : source.text.trimEnd().length;
    const at: Span = { file: source.name, start: end, end: Math.min(end + 1, source.text.length) };
    return error(
      'OPT102',
      at,
      `'${closer[open]}' is missing${fault.before ? ` before '${fault.before.image}'` : ' before the end of the file'}`,
      {
        labels: [{ span: spanOf(source, fault.open), text: `this '${open}' is never closed` }],
        hint: `add '${closer[open]}'`,
      },
    );
  });
}

// ---------------------------------------------------------------- the parser's errors

/** What the parser reports instead of prose: the names of the token types that would have fitted, separated by spaces. */
export const expectedTokens: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected }) => expected.name,
  buildNotAllInputParsedMessage: () => t.Separator.name,
  buildNoViableAltMessage: ({ expectedPathsPerAlt }) => firstOf(expectedPathsPerAlt.flat()),
  buildEarlyExitMessage: ({ expectedIterationPaths }) => firstOf(expectedIterationPaths),
};

function firstOf(paths: readonly TokenType[][]): string {
  return [...new Set(paths.map((path) => path[0]?.name))].filter((name) => name !== undefined).join(' ');
}

/** Turns the parser's errors into diagnostics; those on a line that already has an error are consequences and are dropped. */
export function parserErrors(
  source: Source,
  errors: readonly IRecognitionException[],
  tokens: readonly IToken[],
  starts: ReadonlyMap<IToken, IToken>,
  earlier: readonly Diagnostic[],
): Diagnostic[] {
  const lines = new Set(
    earlier
      .flatMap((d) => [d.span, ...d.labels.map((l) => l.span)])
      .map((span) => source.position(span?.start ?? 0).line),
  );
  const result: Diagnostic[] = [];
  for (const exception of errors) {
    const mistake = mistakeOf(exception, tokens, starts);
    const span = foundSpan(source, mistake);
    const { line } = source.position(span.start);
    if (lines.has(line) || mistake.found?.image === '') continue;
    lines.add(line);
    const slip = findSlip(mistake);
    if (slip) {
      result.push(error(slip.code, slip.at ? spanOf(source, slip.at) : span, slip.message, { hint: slip.hint }));
      continue;
    }
    const expected = describeExpected(mistake.expected);
    result.push(
      error('OPT101', span, `expected ${expected}, found ${describeFound(mistake.found)}`, {
        hint: generalHint(mistake),
      }),
    );
  }
  return result;
}

function mistakeOf(
  exception: IRecognitionException,
  tokens: readonly IToken[],
  starts: ReadonlyMap<IToken, IToken>,
): Mistake {
  const found = Number.isNaN(exception.token.startOffset) ? undefined : exception.token;
  const index = found ? indexOf(tokens, found) : tokens.length;
  const start = starts.get(exception.token);
  return {
    found,
    expected: new Set(exception.message.split(' ')),
    rules: exception.context.ruleStack,
    tokens,
    index,
    start: start ? Math.min(indexOf(tokens, start), index) : index,
  };
}

/** Index of a token by its offset; tokens are in order. */
function indexOf(tokens: readonly IToken[], token: IToken): number {
  let low = 0;
  let high = tokens.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (tokens[middle].startOffset < token.startOffset) low = middle + 1;
    else high = middle;
  }
  while (low < tokens.length - 1 && tokens[low] !== token && tokens[low + 1].startOffset === token.startOffset) low++;
  return low;
}

/** The found token; at the end of a line or file, the place behind the last token before it. */
function foundSpan(source: Source, mistake: Mistake): Span {
  const { found, tokens, index } = mistake;
  if (found && found.tokenType !== t.Separator) return spanOf(source, found);
  const previous = tokens[index - 1];
  const end = previous ? previous.startOffset + previous.image.length : 0;
  return { file: source.name, start: end, end };
}

function describeFound(found: IToken | undefined): string {
  if (!found) return 'the end of the file';
  if (found.tokenType === t.Separator) return found.image === ';' ? "';'" : 'the end of the line';
  if (found.tokenType === t.StringToken) return 'a text';
  if (found.tokenType === t.Word || found.tokenType === t.NumberToken) return `'${found.image}'`;
  return /^[a-z]+$/.test(found.image) ? `the keyword '${found.image}'` : `'${found.image}'`;
}

const labels = new Map(t.vocabulary.map((type) => [type.name, type.LABEL ?? type.name]));
const statementOnly = new Set(['USE', 'TRAIN', 'LET']);
const expressionStarts = new Set(
  ['Number', 'String', 'TRUE', 'FALSE', 'LParen', 'LBracket', 'LBrace', 'IF', 'MAP', 'SCAN', 'FIXED', 'CHECKPOINT', 'EXACT', 'SOLVE', 'SHIFT',
   'GATHER', 'INDEX', 'Minus', 'NOT', 'FRESH', 'EACH'],
); // prettier-ignore

/** `an expression`, or the few things that would have fitted. */
function describeExpected(expected: ReadonlySet<string>): string {
  if ([...expected].some((name) => statementOnly.has(name))) return 'a statement or an expression';
  const isExpression = expected.has('Number') && expected.has('LParen');
  const names = isExpression
    ? [...expected].filter((name) => !expressionStarts.has(name) && name !== 'Word')
    : [...expected];
  const texts = [...(isExpression ? ['an expression'] : []), ...names.map((name) => labels.get(name) ?? name)];
  if (texts.length === 1) return texts[0];
  return `${texts.slice(0, -1).join(', ')} or ${texts.at(-1)}`;
}

/** A hint for errors that are none of the known slips. */
function generalHint({ found, expected, rules }: Mistake): string {
  const statement = rules.findLast((rule) => rule.endsWith('Statement') || rule.endsWith('Declaration'));
  if (expected.has('Separator') && found && found.tokenType !== t.Separator)
    return 'a statement ends at the end of its line; write the next one on a line of its own, or behind ;';
  const form = statement && forms[statement];
  return form ? `the form is: ${form}` : 'complete the expression, or put a value here';
}
