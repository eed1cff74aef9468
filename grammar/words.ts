/**
 * Contextual keywords: decides for every word whether it is a keyword where it stands, and retypes its token if so.
 *
 * One pass from left to right. What matters is the token before (already decided) and the raw token after:
 * - after `.` and where a declaration gives a name, a word is a name;
 * - at the start of a statement a word is a keyword if what follows can follow that keyword (`train 200 {`, not `train.x` or `train = 1`);
 * - where an expression may begin, the heads `map`, `scan`, `if` … are keywords under the same condition;
 * - right after a complete operand only a keyword can follow (`L at`, `b max`, `D with`), since two operands never stand side by side.
 * So every keyword but the reserved few may be used as a name.
 */
import type { IToken, TokenType } from 'chevrotain';
import * as t from './tokens.ts';
import { isKeywordText, keyword } from './tokens.ts';
import type { KeywordText } from './tokens.ts';

/** Words that are never names. */
export const reservedWords: ReadonlySet<string> = new Set([
  'and',
  'or',
  'not',
  'div',
  'mod',
  'if',
  'else',
  'true',
  'false',
  'let',
  'fn',
  'while',
]);

type Follow = 'name' | 'operand' | 'body' | 'text' | 'negative';

/** Keywords that open a statement, and what must follow for them to be one. */
const statementWords: Partial<Record<KeywordText, readonly (Follow | string)[]>> = {
  use: ['name', 'text'], dim: ['name'], hyper: ['name'], axis: ['name'], data: ['name'], frozen: ['name'], var: ['name'], param: ['name'],
  state: ['name'], layer: ['name'], model: ['name'], opaque: ['name'], rule: ['name'], estimator: ['name'], aggregator: ['name'],
  solver: ['name'], class: ['name'], set: ['name'], problem: ['name'], trial: ['name'], run: ['name'], export: ['name'], sample: ['name'],
  batch: ['name'], update: ['name', '('], train: ['operand', '(', 'body'], solve: ['name', '('], eval: ['name', 'body', 'at'], metric: ['name'],
  report: ['name'], expect: ['operand', '(', '-'], repeat: ['operand', '(', 'body'], for: ['name', '('], every: ['operand', '(', 'body'],
  first: ['body'], together: ['body'], emit: ['operand', '(', 'body', '[', '-'], next: ['operand', '(', 'body', '[', '-'], stop: ['when'],
  fail: ['when'], multipliers: ['name'], over: ['name'], minimize: ['operand', '(', '[', '{', '-'], maximize: ['operand', '(', '[', '{', '-'],
  subject: ['to'], where: ['name'], player: ['name'], allow: ['name'],
}; // prettier-ignore

/** Keywords that open an expression. */
const prefixWords: Partial<Record<KeywordText, readonly (Follow | string)[]>> = {
  map: ['operand', '(', 'body', '[', 'negative'], scan: ['name', '('], fixed: ['name'], checkpoint: ['body', 'keep'], exact: ['body'], fresh: ['operand', '('],
  each: ['operand', '(', '['], solve: ['name'], index: ['of'], new: [']', ','], forall: ['name'], affine: ['name'],
}; // prettier-ignore

const infixWords: ReadonlySet<string> = new Set<KeywordText>([
  'at', 'with', 'as', 'by', 'for', 'until', 'max', 'minimizing', 'maximizing', 'along', 'over', 'within', 'in', 'else', 'from', 'fails', 'may',
  'replacement', 'weights', 'restart', 'like', 'seed', 'stream', 'gradient', 'checkpoint', 'moves', 'minimizes', 'maximizes', 'solves', 'allow', 'of', 'when',
]); // prettier-ignore

/** After these keywords stands the name of something new. */
const namesNext = new Set<TokenType>(
  ['dim', 'hyper', 'axis', 'data', 'frozen', 'var', 'param', 'state', 'layer', 'model', 'fn', 'rule', 'estimator', 'aggregator', 'solver', 'class',
   'set', 'problem', 'trial', 'run', 'let', 'sample', 'batch', 'metric', 'player', 'as', 'gradient', 'stream', 'multipliers', 'allow',
  ].filter(isKeywordText).map((text) => keyword[text]),
); // prettier-ignore

const operandEnds = new Set<TokenType>([
  t.Word,
  t.NumberToken,
  t.StringToken,
  t.RParen,
  t.RBracket,
  t.RBrace,
  keyword.true,
  keyword.false,
  keyword.replacement,
]);
const wordOperators = new Set(['and', 'or', 'div', 'mod']);

/** Words that can only stand after an operand; a name at a statement's start followed by one of them is being used, not declared. */
const usedBefore = new Set(['and', 'or', 'div', 'mod', 'at', 'with']);

/** The same for words that may open an expression: `update map by r` moves something called map. */
const usedInExpression = new Set([
  'by',
  'as',
  'in',
  'minimizing',
  'maximizing',
  'along',
  'until',
  'for',
  'over',
  'within',
  'else',
  'and',
  'or',
  'div',
  'mod',
  'at',
  'with',
]);

function retype(token: IToken, text: KeywordText): void {
  token.tokenType = keyword[text];
  token.tokenTypeIdx = keyword[text].tokenTypeIdx as number;
}

function isWord(token: IToken | undefined, text?: string): boolean {
  return token?.tokenType === t.Word && (text === undefined || token.image === text);
}

/** Whether the tokens after position i are what one of `wanted` asks for. */
function follows(tokens: readonly IToken[], i: number, wanted: readonly string[], used = usedBefore): boolean {
  const next = tokens.at(i + 1);
  if (i + 1 >= tokens.length || !next) return false;
  const adjacent = next.startOffset === tokens[i].startOffset + tokens[i].image.length;
  for (const want of wanted) {
    switch (want) {
      case 'name':
      case 'operand': {
        if (want === 'operand' && next.tokenType === t.NumberToken) return true;
        if (next.tokenType !== t.Word) continue;
        if (!used.has(next.image)) return true;
        const after = tokens[i + 2];
        if (after && (after.tokenType === t.Equals || after.tokenType === t.Colon || after.tokenType === t.Tilde))
          return true;
        continue;
      }
      case 'text':
        if (next.tokenType === t.StringToken) return true;
        continue;
      case 'body':
        if (next.tokenType === t.LBrace) return true;
        continue;
      case '[': // `next [a, b]` but not `next[0]`
        if (next.tokenType === t.LBracket && !adjacent) return true;
        continue;
      case '(':
        if (next.tokenType === t.LParen) return true;
        continue;
      case 'negative': // `map -2..3` but not `map - 2`
        if (next.tokenType === t.Minus && !adjacent && beginsRange(tokens, i + 1)) return true;
        continue;
      default:
        if (next.image === want) return true;
    }
  }
  return false;
}

/** Whether the minus at i is the sign of the number or name right behind it, at which a range starts. */
function beginsRange(tokens: readonly IToken[], i: number): boolean {
  const start = tokens.at(i + 1);
  if (!start || start.startOffset !== tokens[i].startOffset + 1) return false;
  const range = tokens.at(i + 2)?.tokenType;
  return (
    (start.tokenType === t.NumberToken || start.tokenType === t.Word) && (range === t.Range || range === t.ClosedRange)
  );
}

/** `shift X along A` and `gather X over A`, where X is a name, a call or a group: looks for the second word behind X. */
function isAxisOperation(tokens: readonly IToken[], i: number, second: string): boolean {
  let depth = 0;
  for (let j = i + 1; j < Math.min(tokens.length, i + 5000); j++) {
    const token = tokens[j];
    if (token.tokenType === t.LParen || token.tokenType === t.LBracket || token.tokenType === t.LBrace) depth++;
    else if (token.tokenType === t.RParen || token.tokenType === t.RBracket || token.tokenType === t.RBrace) {
      if (--depth < 0) return false;
    } else if (depth === 0 && j > i + 1) {
      if (isWord(token, second)) return true;
      if (token.tokenType === t.Separator || token.tokenType === t.Comma || token.tokenType === t.Equals) return false;
      if (token.tokenType !== t.Dot && token.tokenType !== t.Word) return false;
      if (token.tokenType === t.Word && tokens[j - 1].tokenType !== t.Dot) return false;
    } else if (depth === 0 && token.tokenType !== t.Word) return false;
  }
  return false;
}

/** The second word of two-word keywords: returns true where the word at i was retyped as one. */
function secondWord(tokens: readonly IToken[], i: number): boolean {
  const previous = tokens[i - 1]?.tokenType;
  const text = tokens[i].image;
  const pairs: readonly (readonly [TokenType, KeywordText])[] = [
    [keyword.subject, 'to'],
    [keyword.stop, 'when'],
    [keyword.fail, 'when'],
    [keyword.may, 'fail'],
    [keyword.index, 'of'],
    [keyword.chunks, 'of'],
    [keyword.checkpoint, 'keep'],
    [keyword.opaque, 'fn'],
    [keyword.export, 'opaque'],
    [keyword.export, 'fn'],
  ];
  for (const [first, second] of pairs)
    if (previous === first && text === second && !(second === 'keep' && !isWord(tokens[i + 1]))) {
      retype(tokens[i], second);
      return true;
    }
  if (previous === keyword.in && text === 'chunks' && isWord(tokens[i + 1], 'of')) {
    retype(tokens[i], 'chunks');
    return true;
  }
  return false;
}

function startsStatement(previous: IToken | undefined, beforeThat: IToken | undefined): boolean {
  if (!previous) return true;
  const type = previous.tokenType;
  return type === t.Separator || type === t.LBrace || beforeThat?.tokenType === keyword.allow;
}

/** Retypes, in place, every word that is a keyword where it stands. */
export function markKeywords(tokens: readonly IToken[]): void {
  const open: TokenType[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i];
    if (token.tokenType !== t.Word) {
      if (token.tokenType === t.LBracket || token.tokenType === t.LParen || token.tokenType === t.LBrace)
        open.push(token.tokenType);
      else if (token.tokenType === t.RBracket || token.tokenType === t.RParen || token.tokenType === t.RBrace)
        open.pop();
      continue;
    }
    const text = token.image;
    const previous = tokens[i - 1];
    if (!isKeywordText(text) || previous?.tokenType === t.Dot) continue;
    if (previous && namesNext.has(previous.tokenType) && !reservedWords.has(text)) continue;
    if (secondWord(tokens, i)) continue;

    if (startsStatement(previous, tokens[i - 2])) {
      const wanted = statementWords[text];
      if (wanted && follows(tokens, i, wanted)) {
        retype(token, text);
        continue;
      }
    }
    if (reservedWords.has(text)) {
      const kind = text === 'fn' && previous?.tokenType === t.Colon; // the kind of a parameter: `f: fn`
      if (!kind && !isField(tokens, i)) retype(token, text);
      continue;
    }
    const afterOperand =
      previous !== undefined && operandEnds.has(previous.tokenType) && tokens[i - 2]?.tokenType !== keyword.allow;
    if (afterOperand) {
      if (infixWords.has(text) && !callsMax(tokens, i)) retype(token, text);
      continue;
    }
    if (text === 'shift' || text === 'gather') {
      if (isAxisOperation(tokens, i, text === 'shift' ? 'along' : 'over')) retype(token, text);
      continue;
    }
    if (text === 'forall' || text === 'affine') {
      if (
        previous &&
        follows(tokens, i, ['name']) &&
        (text === 'forall' ? isWord(tokens[i + 2], 'in') : previous.tokenType === keyword.to)
      )
        retype(token, text);
      continue;
    }
    if (isHeadWord(previous, text)) {
      retype(token, text);
      continue;
    }
    if (text === 'new' && open.at(-1) !== t.LBracket) continue;
    const wanted = prefixWords[text];
    if (wanted && follows(tokens, i, wanted, usedInExpression)) retype(token, text);
  }
}

/** `eval at …`, `eval every n`, `eval over D`, `eval in chunks of k`, `train until C`: words right after the statement's own. */
function isHeadWord(previous: IToken | undefined, text: string): boolean {
  if (previous?.tokenType === keyword.train) return text === 'until';
  return (
    previous?.tokenType === keyword.eval && (text === 'at' || text === 'every' || text === 'over' || text === 'in')
  );
}

/** `max over P max(x)`: a call of `max` right after an operand, told from the cap `b max N` by its adjacent parenthesis. */
function callsMax(tokens: readonly IToken[], i: number): boolean {
  const next = tokens[i + 1];
  return tokens[i].image === 'max' && next?.tokenType === t.LParen && next.startOffset === tokens[i].startOffset + 3;
}

/** A reserved word before a colon inside braces or parentheses is still no name, but is reported as one by the parser. */
function isField(tokens: readonly IToken[], i: number): boolean {
  return !wordOperators.has(tokens[i].image) && tokens[i].image !== 'else' && tokens[i + 1]?.tokenType === t.Colon;
}
