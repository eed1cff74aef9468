/**
 * The tokens of the language and the lexer that finds them.
 *
 * Keywords are contextual, so the lexer knows only one kind of word, `Word`; `words.ts` then retypes those words that are
 * keywords where they stand. Comments are set aside in a group of their own; newlines are tokens here and are thinned out by `layout.ts`.
 */
import { createToken, Lexer } from 'chevrotain';
import type { TokenType } from 'chevrotain';

const letter = 'A-Za-z_\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u024F\\u0370-\\u03FF';

/** Names and keywords: Latin and Greek letters, digits, `_`, and primes at the end (`h'`). */
export const Word = createToken({ name: 'Word', label: 'a name', pattern: new RegExp(`[${letter}][${letter}0-9]*'*`) });
export const NumberToken = createToken({
  name: 'Number',
  label: 'a number',
  pattern: /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/,
});
export const StringToken = createToken({ name: 'String', label: 'a text in double quotes', pattern: /"[^"\r\n]*"/ });
export const Comment = createToken({ name: 'Comment', pattern: /\/\/[^\r\n]*/, group: 'comments' });
export const Newline = createToken({ name: 'Newline', label: 'a new line', pattern: /\r?\n/, line_breaks: true });
const Blank = createToken({ name: 'Blank', pattern: /[ \t\r\f\uFEFF]+/, group: Lexer.SKIPPED });

/** What ends a statement: made by `layout.ts` from newlines and semicolons. */
export const Separator = createToken({ name: 'Separator', label: 'the end of the line', pattern: Lexer.NA });

const symbol = (name: string, text: string, categories: TokenType[] = []): TokenType =>
  createToken({ name, pattern: text, label: `'${text}'`, categories });

/** Every operator that stands between two operands; precedence is decided when the syntax tree is built. */
export const BinaryOperator = createToken({ name: 'BinaryOperator', label: 'an operator', pattern: Lexer.NA });

export const LParen = symbol('LParen', '(');
export const RParen = symbol('RParen', ')');
export const LBracket = symbol('LBracket', '[');
export const RBracket = symbol('RBracket', ']');
export const LBrace = symbol('LBrace', '{');
export const RBrace = symbol('RBrace', '}');
export const Comma = symbol('Comma', ',');
export const Semicolon = symbol('Semicolon', ';');
export const Colon = symbol('Colon', ':');
export const Write = symbol('Write', '<-');
export const Arrow = symbol('Arrow', '->');
export const Pipe = symbol('Pipe', '|>');
export const ClosedRange = symbol('ClosedRange', '..=', [BinaryOperator]);
export const Range = symbol('Range', '..', [BinaryOperator]);
export const Dot = symbol('Dot', '.');
export const EqualEqual = symbol('EqualEqual', '==', [BinaryOperator]);
export const NotEqual = symbol('NotEqual', '!=', [BinaryOperator]);
export const NearlyEqual = symbol('NearlyEqual', '~=', [BinaryOperator]);
export const LessEqual = symbol('LessEqual', '<=', [BinaryOperator]);
export const GreaterEqual = symbol('GreaterEqual', '>=', [BinaryOperator]);
export const Less = symbol('Less', '<', [BinaryOperator]);
export const Greater = symbol('Greater', '>', [BinaryOperator]);
export const Equals = symbol('Equals', '=');
export const Tilde = symbol('Tilde', '~');
export const Plus = symbol('Plus', '+', [BinaryOperator]);
export const Minus = symbol('Minus', '-', [BinaryOperator]);
export const Star = symbol('Star', '*', [BinaryOperator]);
export const Slash = symbol('Slash', '/', [BinaryOperator]);
export const MatMul = symbol('MatMul', '@', [BinaryOperator]);
export const Caret = symbol('Caret', '^', [BinaryOperator]);

const operatorWords = new Set(['and', 'or', 'div', 'mod', 'within']);
const keywordTexts = [
  // declarations
  'use', 'dim', 'hyper', 'axis', 'data', 'frozen', 'var', 'param', 'state', 'layer', 'model', 'opaque', 'fn', 'rule', 'estimator',
  'aggregator', 'solver', 'class', 'set', 'problem', 'trial', 'run', 'export',
  // statements
  'let', 'sample', 'batch', 'update', 'train', 'solve', 'eval', 'metric', 'report', 'expect', 'repeat', 'while', 'if', 'for', 'every',
  'first', 'together', 'emit', 'next', 'stop', 'fail', 'when', 'multipliers', 'over', 'minimize', 'maximize', 'subject', 'to', 'affine',
  'forall', 'where', 'solves', 'player', 'moves', 'minimizes', 'maximizes', 'allow',
  // heads of expressions
  'map', 'scan', 'fixed', 'checkpoint', 'keep', 'exact', 'fresh', 'each', 'shift', 'gather', 'index', 'not', 'true', 'false',
  // between and after expressions
  'and', 'or', 'div', 'mod', 'within', 'at', 'with', 'as', 'by', 'until', 'max', 'minimizing', 'maximizing', 'along', 'in', 'else', 'from',
  'fails', 'may', 'replacement', 'weights', 'restart', 'like', 'seed', 'stream', 'gradient', 'of', 'chunks', 'new',
] as const; // prettier-ignore

export type KeywordText = (typeof keywordTexts)[number];

/** Token type of each keyword, named by its text in capitals: `keyword.train` has the name `TRAIN`. */
export const keyword = Object.fromEntries(
  keywordTexts.map((text) => [
    text,
    createToken({
      name: text.toUpperCase(),
      label: `'${text}'`,
      pattern: Lexer.NA,
      categories: operatorWords.has(text) ? [BinaryOperator] : [],
    }),
  ]),
) as Record<KeywordText, TokenType>;

export function isKeywordText(text: string): text is KeywordText {
  return Object.hasOwn(keyword, text);
}

const lexed: TokenType[] = [
  Blank, Newline, Comment, Word, NumberToken, StringToken,
  LParen, RParen, LBracket, RBracket, LBrace, RBrace, Comma, Semicolon, Colon,
  Write, Arrow, Pipe, ClosedRange, Range, Dot, EqualEqual, NotEqual, NearlyEqual, LessEqual, GreaterEqual, Less, Greater, Equals, Tilde,
  Plus, Minus, Star, Slash, MatMul, Caret,
]; // prettier-ignore

/** All token types, for the parser. */
export const vocabulary: TokenType[] = [...lexed, Separator, BinaryOperator, ...Object.values(keyword)];

let lexer: Lexer | undefined;

/** The lexer, made at first use. Unknown characters are reported in `errors` and skipped; it never throws. */
export function saddleLexer(): Lexer {
  lexer ??= new Lexer(lexed, { positionTracking: 'onlyOffset', skipValidations: true, ensureOptimizations: true });
  return lexer;
}
