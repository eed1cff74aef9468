/**
 * The canonical formatter (`saddle fmt`): the same tokens with canonical spacing, indentation and blank lines.
 *
 * It works on the token sequence of a text that parses, not on the tree, so that every comment stays where it is and nothing can be lost.
 * Lines are those of the author where a statement or a field of a record ends; breaks inside ( ) and [ ] and after operators are undone
 * where the whole fits into one line. Formatting twice changes nothing more, and the formatted text has the same syntax tree.
 */
import type { IToken, TokenType } from 'chevrotain';
import { layout } from '../../grammar/layout.ts';
import * as t from '../../grammar/tokens.ts';
import { keyword as k, saddleLexer } from '../../grammar/tokens.ts';
import { markKeywords } from '../../grammar/words.ts';
import type { Source } from '../source/source.ts';
import type { Module } from './nodes.ts';

/** Longest line that breaks are undone for. */
export const lineWidth = 160;
const indentWidth = 2;
/** Further lines of a parenthesis that goes on right behind its opening. */
const hangingWidth = 4;

type Break = 'none' | 'soft' | 'hard';

interface Piece {
  readonly token: IToken;
  readonly text: string;
  readonly comment: boolean;
  /** What the author put before this piece. */
  readonly before: Break;
  readonly blankBefore: boolean;
  /** A space, or nothing, between this piece and the one before where both stand on one line. */
  readonly gap: string;
}

/** Canonical text of a module that was parsed from `source`. */
export function format(module: Module, source: Source): string {
  const lexed = saddleLexer().tokenize(source.text);
  const { tokens } = layout(lexed.tokens);
  markKeywords(tokens);
  const comments = module.comments.map(
    (c) => ({ image: c.text, startOffset: c.span.start, tokenType: t.Comment, tokenTypeIdx: 0 }) as IToken,
  );
  return new Printer(pieces(tokens, comments, source.text)).print();
}

// ---------------------------------------------------------------- pieces

const opening = new Set<TokenType>([t.LParen, t.LBracket, t.LBrace]);
const closing = new Set<TokenType>([t.RParen, t.RBracket, t.RBrace]);
const operandEnds = new Set<TokenType>([
  t.Word,
  t.NumberToken,
  t.StringToken,
  t.RParen,
  t.RBracket,
  t.RBrace,
  k.true,
  k.false,
]);
const headedByClass = new Set<TokenType>([k.rule, k.estimator, k.aggregator, k.solver]);

/** Tokens and comments in order, with the author's breaks; separators become breaks or semicolons. */
function pieces(tokens: readonly IToken[], comments: readonly IToken[], text: string): Piece[] {
  const all = [...tokens, ...comments].sort((a, b) => a.startOffset - b.startOffset || a.image.length - b.image.length);
  const result: Piece[] = [];
  const open: TokenType[] = [];
  const spacing = new Spacing();
  let separator: IToken | undefined;
  let end = 0; // end of the last piece in the source
  let tokenEnd = 0; // end of the last token that is no comment
  let last: IToken | undefined; // that token

  for (const token of all) {
    const comment = token.tokenType === t.Comment;
    if (token.tokenType === t.Separator) {
      separator = token;
      continue;
    }
    const between = text.slice(end, token.startOffset);
    const broken = between.includes('\n');
    const brokenSinceToken = text.slice(tokenEnd, token.startOffset).includes('\n');
    if (!comment && separator && !brokenSinceToken && last)
      result.push({ token: separator, text: ';', comment: false, before: 'none', blankBefore: false, gap: '' });
    if (!comment && trailingComma(last, token, brokenSinceToken, result)) result.pop();
    result.push({
      token,
      text: token.image,
      comment,
      before: !broken
        ? 'none'
        : comment || result.at(-1)?.comment
          ? 'hard'
          : breakKind(last, token, separator !== undefined, open.at(-1)),
      blankBefore: /\n[ \t\r\f]*\n/.test(between),
      gap: comment ? ' ' : spacing.before(token, last, separator !== undefined, open.at(-1)),
    });
    end = token.startOffset + token.image.length;
    if (comment) continue;
    if (opening.has(token.tokenType)) open.push(token.tokenType);
    else if (closing.has(token.tokenType)) open.pop();
    separator = undefined;
    last = token;
    tokenEnd = end;
  }
  return result;
}

function breakKind(last: IToken | undefined, token: IToken, separated: boolean, inside: TokenType | undefined): Break {
  if (separated || !last) return 'hard';
  if (token.tokenType === k.else) return 'none';
  if (last.tokenType === t.LBrace || token.tokenType === t.RBrace) return 'hard';
  return inside === t.LBrace && last.tokenType === t.Comma ? 'hard' : 'soft';
}

/** A comma before a closing bracket on the same line is dropped, but for that of a tuple of one. */
function trailingComma(last: IToken | undefined, token: IToken, broken: boolean, before: readonly Piece[]): boolean {
  if (last?.tokenType !== t.Comma || !closing.has(token.tokenType) || before.at(-1)?.token !== last) return false;
  if (broken && token.tokenType === t.RBrace) return false;
  return token.tokenType !== t.RParen;
}

/** Decides the space between two neighbours on a line. */
class Spacing {
  /** First token of the statement at hand, and the two tokens before the current one. */
  private first: IToken | undefined;
  private secondLast: IToken | undefined;

  before(token: IToken, last: IToken | undefined, starts: boolean, inside: TokenType | undefined): string {
    if (starts || !last || last.tokenType === t.LBrace) this.first = token;
    const space = last === undefined ? '' : starts ? ' ' : this.between(last, token, inside);
    if (token.tokenType === t.Minus || token.tokenType === k.not)
      this.unary = !last || starts || !operandEnds.has(last.tokenType);
    this.secondLast = last;
    return space;
  }

  /** Whether the last minus was a prefix. */
  private unary = false;

  private between(last: IToken, token: IToken, inside: TokenType | undefined): string {
    const left = last.tokenType;
    const right = token.tokenType;
    if (left === t.LBrace || right === t.RBrace) return left === t.LBrace && right === t.RBrace ? '' : ' ';
    if (left === t.LParen || left === t.LBracket || right === t.RParen || right === t.RBracket) return '';
    if (right === t.Comma || right === t.Semicolon || right === t.Dot || left === t.Dot) return '';
    if (right === t.Colon) return inside === t.LBracket && left === t.Comma ? ' ' : '';
    for (const tight of [t.Range, t.ClosedRange, t.Caret]) if (left === tight || right === tight) return '';
    if (left === t.Minus && this.unary) return '';
    if (right === t.LBracket) return operandEnds.has(left) ? '' : ' ';
    if (right === t.LParen) return operandEnds.has(left) && !this.opensHeader(last) ? '' : ' ';
    return ' ';
  }

  /** `for tree (P, G)`, `for bilevel (x, y; F)`, `class c (x; F)`: the parenthesis is no call. */
  private opensHeader(last: IToken): boolean {
    if (last.tokenType !== t.Word || !this.first || !this.secondLast) return false;
    if (this.first.tokenType === k.class) return this.secondLast === this.first;
    return headedByClass.has(this.first.tokenType) && this.secondLast.tokenType === k.for;
  }
}

// ---------------------------------------------------------------- lines

interface OpenBracket {
  readonly brace: boolean;
  /** Indentation of the line it stands on, and of lines inside. */
  readonly outer: number;
  readonly inner: number;
}

class Printer {
  private readonly pieces: readonly Piece[];
  private readonly lines: string[] = [];
  private readonly open: OpenBracket[] = [];

  constructor(all: readonly Piece[]) {
    this.pieces = all;
  }

  print(): string {
    let start = 0;
    let continues = false; // the line at `start` goes on a statement
    let indent = 0;
    while (start < this.pieces.length) {
      const piece = this.pieces[start];
      if (piece.blankBefore && this.mayBeBlank(piece)) this.lines.push('');
      indent = this.indentOf(start, continues, indent);
      // a run of lines with only soft breaks between them, joined where it fits
      let end = start + 1;
      while (end < this.pieces.length && this.pieces[end].before !== 'hard') end++;
      const run = this.pieces.slice(start, end);
      const whole = this.join(run);
      const code = run.at(-1)?.comment ? this.join(run.slice(0, -1)) : whole;
      if (indent + code.length <= lineWidth || !run.some((p) => p.before === 'soft')) this.emit(run, whole, indent);
      else this.emitBroken(run, indent);
      const next = this.pieces[end];
      continues = next !== undefined && next.before === 'hard' && this.goesOn(end);
      start = end;
    }
    return this.lines.length === 0 ? '' : `${this.lines.join('\n')}\n`;
  }

  private mayBeBlank(piece: Piece): boolean {
    const last = this.lines.at(-1);
    return (
      last !== undefined &&
      last !== '' &&
      !last
        .replace(/\/\/.*/, '')
        .trimEnd()
        .endsWith('{') &&
      piece.token.tokenType !== t.RBrace
    );
  }

  /** Whether a hard break before piece `i` (made by a comment) lies within a statement, outside of braces of its own. */
  private goesOn(i: number): boolean {
    const top = this.open.at(-1);
    return top !== undefined && !top.brace && this.pieces[i] !== undefined;
  }

  private indentOf(start: number, continues: boolean, current: number): number {
    const top = this.open.at(-1);
    if (top && closing.has(this.pieces[start].token.tokenType)) return this.outermostClosed(start).outer;
    if (top) return top.inner;
    return continues ? current : 0;
  }

  /** The opening bracket of the last of the closing brackets that a line begins with. */
  private outermostClosed(start: number): OpenBracket {
    let end = start + 1;
    while (
      end < this.pieces.length &&
      closing.has(this.pieces[end].token.tokenType) &&
      this.pieces[end].before !== 'hard'
    )
      end++;
    return this.open[Math.max(0, this.open.length - (end - start))];
  }

  private join(run: readonly Piece[]): string {
    return run.map((piece, i) => (i === 0 ? '' : piece.gap) + piece.text).join('');
  }

  private emit(run: readonly Piece[], text: string, indent: number): void {
    this.lines.push(' '.repeat(indent) + text);
    run.forEach((piece, i) => this.track(piece, indent, run[i + 1] === undefined));
  }

  /** Keeps the author's breaks of a run that is too long for one line. */
  private emitBroken(run: readonly Piece[], indent: number): void {
    let from = 0;
    for (let i = 1; i <= run.length; i++) {
      if (i < run.length && run[i].before !== 'soft') continue;
      const part = run.slice(from, i);
      const first = part[0];
      const closes = closing.has(first.token.tokenType);
      const top = this.open.at(-1);
      const own =
        from === 0 ? indent : closes && top ? top.outer : top && !top.brace ? top.inner : indent + hangingWidth;
      this.emit(part, this.join(part), own);
      from = i;
    }
  }

  /** Keeps the stack of open brackets; `last`: the piece ends its line. */
  private track(piece: Piece, indent: number, last: boolean): void {
    const type = piece.token.tokenType;
    if (opening.has(type)) {
      const brace = type === t.LBrace;
      this.open.push({ brace, outer: indent, inner: indent + (brace || last ? indentWidth : hangingWidth) });
    } else if (closing.has(type)) this.open.pop();
  }
}
