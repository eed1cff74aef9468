/**
 * Layout: which newlines and semicolons end a statement, and whether brackets match.
 *
 * Input: the raw tokens of the lexer. Output: tokens in which one `Separator` stands between two statements and no newline is left, and
 * the bracket faults found on the way. A newline is dropped inside ( ) and [ ], after an operator, `=`, `->`, `|>`, `,` and an opening brace,
 * before `else`, `|>` and a closing brace. Semicolons inside ( ) are kept: headers such as `(x, y; F, f)` use them.
 */
import type { IToken, TokenType } from 'chevrotain';
import * as t from './tokens.ts';

export type BracketFault =
  | { readonly kind: 'unclosed'; readonly open: IToken; readonly before?: IToken }
  | { readonly kind: 'unmatched'; readonly close: IToken; readonly open?: IToken }
  | { readonly kind: 'deep'; readonly open: IToken };

export interface Layout {
  readonly tokens: IToken[];
  readonly faults: BracketFault[];
}

/** Deepest nesting of brackets that is accepted. */
export const maxNesting = 200;

const closerOf = new Map<TokenType, TokenType>([
  [t.LParen, t.RParen],
  [t.LBracket, t.RBracket],
  [t.LBrace, t.RBrace],
]);
const closers = new Set<TokenType>(closerOf.values());

/** After these a line goes on. */
const continues = new Set<TokenType>([
  t.LBrace, t.Comma, t.Colon, t.Write, t.Arrow, t.Pipe, t.ClosedRange, t.Range, t.Dot, t.EqualEqual, t.NotEqual, t.NearlyEqual, t.LessEqual,
  t.GreaterEqual, t.Less, t.Greater, t.Equals, t.Tilde, t.Plus, t.Minus, t.Star, t.Slash, t.MatMul, t.Caret,
]); // prettier-ignore
const continuingWords = new Set(['and', 'or', 'not', 'div', 'mod']);

function goesOnAfter(previous: IToken, beforeThat: IToken | undefined): boolean {
  if (previous.tokenType !== t.Word) return continues.has(previous.tokenType);
  return continuingWords.has(previous.image) && beforeThat?.tokenType !== t.Dot;
}

function goesOnBefore(next: IToken): boolean {
  return (
    next.tokenType === t.RBrace || next.tokenType === t.Pipe || (next.tokenType === t.Word && next.image === 'else')
  );
}

/** Thins out newlines, makes separators and matches brackets; linear in the number of tokens. */
export function layout(raw: readonly IToken[]): Layout {
  const tokens: IToken[] = [];
  const faults: BracketFault[] = [];
  const open: IToken[] = [];
  let pending: IToken | undefined; // a newline or semicolon that may become a separator

  for (const token of raw) {
    const type = token.tokenType;
    const top = open.at(-1);
    const insideParens = top !== undefined && top.tokenType !== t.LBrace;
    if (type === t.Newline || (type === t.Semicolon && !insideParens)) {
      if (!insideParens) pending ??= token;
      continue;
    }
    const previous = tokens.at(-1);
    if (pending && previous) {
      const needless =
        pending.tokenType === t.Newline ? goesOnAfter(previous, tokens.at(-2)) : previous.tokenType === t.LBrace;
      if (!needless && !goesOnBefore(token)) tokens.push(separator(pending));
    }
    pending = undefined;
    if (closerOf.has(type)) {
      if (open.length === maxNesting) faults.push({ kind: 'deep', open: token });
      open.push(token);
    } else if (closers.has(type)) close(token, open, faults);
    tokens.push(token);
  }
  for (const token of open) faults.push({ kind: 'unclosed', open: token });
  return { tokens, faults };
}

function separator(from: IToken): IToken {
  return { ...from, tokenType: t.Separator, tokenTypeIdx: t.Separator.tokenTypeIdx as number };
}

/**
 * Matches a closing bracket with the innermost opening one. Where they differ, brackets left open further in are dropped when one
 * further out fits; else the closing bracket itself is the fault.
 */
function close(token: IToken, open: IToken[], faults: BracketFault[]): void {
  const top = open.at(-1);
  if (top && closerOf.get(top.tokenType) === token.tokenType) {
    open.pop();
    return;
  }
  let fits = open.length - 1;
  while (fits >= 0 && closerOf.get(open[fits].tokenType) !== token.tokenType) fits--;
  if (fits < 0) {
    faults.push({ kind: 'unmatched', close: token, open: top });
    return;
  }
  for (const left of open.slice(fits + 1)) faults.push({ kind: 'unclosed', open: left, before: token });
  open.length = fits;
}
