/**
 * Layout: which newlines and semicolons end a statement, and whether brackets match.
 *
 * Input: the raw tokens of the lexer. Output: tokens in which one `Separator` stands between two statements, no newline is left and
 * brackets are balanced, and the bracket faults found on the way (missing brackets are inserted with an empty image, stray ones dropped,
 * so that the parser meets no consequences of them). A newline is dropped inside ( ) and [ ], after an operator, `=`, `->`, `|>`, `,` and an
 * opening brace, before `else`, `|>` and a closing brace. Semicolons inside ( ) are kept: headers such as `(x, y; F, f)` use them.
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
  t.LBrace, t.Comma, t.Colon, t.Write, t.Arrow, t.Pipe, t.ClosedRange, t.Range, t.EqualEqual, t.NotEqual, t.NearlyEqual, t.LessEqual,
  t.GreaterEqual, t.Less, t.Greater, t.Equals, t.Tilde, t.Plus, t.Minus, t.Star, t.Slash, t.MatMul, t.Caret,
]); // prettier-ignore
const continuingWords = new Set(['and', 'or', 'not', 'div', 'mod']);

/** Words that, followed by a name at the start of a line, begin a statement even where a parenthesis was left open before. */
const sureStarts = new Set([
  'let',
  'fn',
  'update',
  'model',
  'layer',
  'rule',
  'run',
  'trial',
  'metric',
  'report',
  'batch',
  'sample',
  'data',
  'var',
  'use',
  'expect',
]);
const sureNext = new Set<TokenType>([t.Word, t.LParen]);

interface Open {
  readonly token: IToken;
  /** Column of the first token of the line on which the bracket stands. */
  readonly indent: number;
}

/** Thins out newlines, makes separators and balances brackets; linear in the number of tokens. */
export function layout(raw: readonly IToken[]): Layout {
  return new LayoutPass(raw).run();
}

class LayoutPass {
  private readonly raw: readonly IToken[];
  private readonly tokens: IToken[] = [];
  private readonly faults: BracketFault[] = [];
  private readonly open: Open[] = [];
  private lineStart = 0;
  private indent = 0;
  /** The first brace that a brace further left closed: likely the one that was left open. */
  private suspect: IToken | undefined;
  /** Set behind a bracket that was dropped: the line ends even where its last token would let it go on. */
  private lineIsOver = false;

  constructor(raw: readonly IToken[]) {
    this.raw = raw;
  }

  run(): Layout {
    let pending: IToken | undefined; // a newline or semicolon that may become a separator
    let firstOnLine = true;
    for (let i = 0; i < this.raw.length; i++) {
      const token = this.raw[i];
      const type = token.tokenType;
      if (type === t.Newline) {
        this.lineStart = token.startOffset + token.image.length;
        firstOnLine = true;
      } else if (firstOnLine) {
        this.indent = token.startOffset - this.lineStart;
        if (this.insideParens() && this.surelyStarts(i)) {
          this.closeParens(token);
          pending ??= this.raw[i - 1];
        }
      }
      if (type === t.Newline || (type === t.Semicolon && !this.insideParens())) {
        if (!this.insideParens()) pending ??= token;
        continue;
      }
      token.endOffset = token.startOffset + token.image.length - 1; // the lexer tracks starts only; nodes take their ends from here
      if (pending) this.separate(pending, token);
      pending = undefined;
      if (closerOf.has(type)) {
        if (this.open.length === maxNesting) this.faults.push({ kind: 'deep', open: token });
        this.open.push({ token, indent: this.indent });
      }
      if (!closers.has(type) || this.close(token, firstOnLine)) this.tokens.push(token);
      firstOnLine = false;
    }
    this.closeAtEnd();
    return { tokens: this.tokens, faults: this.faults };
  }

  private insideParens(): boolean {
    const top = this.open.at(-1);
    return top !== undefined && top.token.tokenType !== t.LBrace;
  }

  private surelyStarts(i: number): boolean {
    const next = this.raw[i + 1];
    const { tokenType, image } = this.raw[i];
    const previous = this.raw[i - 2]?.tokenType; // i - 1 is the newline
    if (tokenType !== t.Word || !sureStarts.has(image) || !next || !sureNext.has(next.tokenType)) return false;
    return next.tokenType === t.Word ? !continuingWords.has(next.image) : image === 'let' && previous !== t.Comma;
  }

  /** Puts a separator before `token`, unless the line goes on. */
  private separate(pending: IToken, token: IToken): void {
    const previous = this.tokens.at(-1);
    if (!previous) return;
    const needless =
      !this.lineIsOver && (pending.tokenType === t.Newline ? this.goesOn() : previous.tokenType === t.LBrace);
    this.lineIsOver = false;
    if (!needless && !goesOnBefore(token))
      this.tokens.push({ ...pending, tokenType: t.Separator, tokenTypeIdx: t.Separator.tokenTypeIdx as number });
  }

  private goesOn(): boolean {
    const previous = this.tokens[this.tokens.length - 1];
    if (previous.tokenType !== t.Word) return continues.has(previous.tokenType);
    return continuingWords.has(previous.image) && this.tokens.at(-2)?.tokenType !== t.Dot;
  }

  /**
   * Matches a closing bracket with the innermost opening one. Where they differ, brackets left open further in are closed before it when
   * one further out fits; else the closing bracket itself is the fault. Returns whether the token is to be kept.
   */
  private close(token: IToken, firstOnLine: boolean): boolean {
    const fits = (open: Open) => closerOf.get(open.token.tokenType) === token.tokenType;
    const top = this.open.at(-1);
    if (top && fits(top)) {
      this.open.pop();
      if (firstOnLine && this.indent < top.indent) this.suspect ??= top.token;
      return true;
    }
    const outer = this.open.findLastIndex(fits);
    if (outer < 0) {
      this.faults.push({ kind: 'unmatched', close: token, open: top?.token });
      if (top && this.insideParens() && token.tokenType !== t.RBrace) {
        this.open.pop(); // `[1, 2)`: taken for the closing bracket that it should have been
        this.insertCloser(top.token, token.startOffset);
      } else this.lineIsOver = true;
      return false;
    }
    while (this.open.length > outer + 1) this.closeTop(token.startOffset, token);
    this.open.pop();
    return true;
  }

  private closeTop(offset: number, before?: IToken): void {
    const { token } = this.open.pop() as Open;
    this.faults.push({ kind: 'unclosed', open: token, before });
    this.insertCloser(token, offset);
  }

  private insertCloser(open: IToken, offset: number): void {
    const tokenType = closerOf.get(open.tokenType) as TokenType;
    this.tokens.push({
      image: '',
      startOffset: offset,
      endOffset: offset - 1,
      tokenType,
      tokenTypeIdx: tokenType.tokenTypeIdx as number,
    });
  }

  private closeParens(before: IToken): void {
    while (this.insideParens()) this.closeTop(before.startOffset, before);
  }

  private closeAtEnd(): void {
    const last = this.raw.at(-1);
    const end = last ? last.startOffset + last.image.length : 0;
    while (this.open.length > 0) {
      const { token } = this.open.pop() as Open;
      const brace = token.tokenType === t.LBrace;
      this.faults.push({ kind: 'unclosed', open: brace && this.suspect ? this.suspect : token });
      if (brace) this.suspect = undefined;
      this.insertCloser(token, end);
    }
  }
}

function goesOnBefore(next: IToken): boolean {
  return (
    next.tokenType === t.RBrace || next.tokenType === t.Pipe || (next.tokenType === t.Word && next.image === 'else')
  );
}
