/**
 * The likely slips: forms of other languages and small omissions, each recognized from what the parser found, what it expected and the
 * tokens around. A slip is data: a test, and the message and hint it gives. The first that fits is used.
 */
import type { IToken } from 'chevrotain';
import { keyword as k } from '../../grammar/tokens.ts';
import * as t from '../../grammar/tokens.ts';
import { reservedWords } from '../../grammar/words.ts';
import type { DiagnosticCode } from '../diagnostics/catalog.ts';
import { nearest } from '../diagnostics/suggest.ts';
import { countedStarts, foreignStarts, infixWords, statementStarts } from './familiar.ts';

/** One error of the parser. */
export interface Mistake {
  /** The token that did not fit; undefined at the end of the file. */
  readonly found: IToken | undefined;
  /** Names of the token types that would have fitted. */
  readonly expected: ReadonlySet<string>;
  /** Rules open at that place, outermost first. */
  readonly rules: readonly string[];
  readonly tokens: readonly IToken[];
  /** Index of `found`, and of the first token of its statement. */
  readonly index: number;
  readonly start: number;
}

export interface Slip {
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly hint: string;
  /** The token to point at, where it is not the one found. */
  readonly at?: IToken;
}

const compound = new Set(['+', '-', '*', '/', '^', '@']);
const condition = new Set([
  'conditional',
  'whileStatement',
  'expectStatement',
  'trainStatement',
  'endWhenStatement',
  'constraintStatement',
  'forallPart',
]);

/** Questions that several slips ask. */
class Look {
  readonly mistake: Mistake;

  constructor(mistake: Mistake) {
    this.mistake = mistake;
  }

  /** The token `distance` places from the one found; 0 is that itself. */
  token(distance: number): IToken | undefined {
    return this.mistake.tokens[this.mistake.index + distance];
  }

  image(distance: number): string {
    return this.token(distance)?.image ?? '';
  }

  /** Whether two neighbours touch. */
  adjacent(distance: number): boolean {
    const left = this.token(distance);
    const right = this.token(distance + 1);
    return left !== undefined && right !== undefined && left.startOffset + left.image.length === right.startOffset;
  }

  get first(): IToken | undefined {
    return this.mistake.tokens[this.mistake.start];
  }

  /** How many tokens of the statement come before the one found. */
  get behind(): number {
    return this.mistake.index - this.mistake.start;
  }

  in(...rules: string[]): boolean {
    return rules.some((rule) => this.mistake.rules.includes(rule));
  }

  expects(...names: string[]): boolean {
    return names.some((name) => this.mistake.expected.has(name));
  }

  get expectsExpression(): boolean {
    return this.expects('Number') && this.expects('LParen');
  }

  get startsOperand(): boolean {
    const type = this.token(0)?.tokenType;
    return type === t.Word || type === t.NumberToken || type === t.StringToken;
  }
}

type Test = (look: Look) => Slip | undefined;

const slips: readonly Test[] = [
  // ---- numbers and ranges
  (l) =>
    l.image(0) === '.' && l.image(-1) === '..'
      ? {
          code: 'OPT106',
          message: "'...' is no operator",
          hint: "a range is written 'a..b', or 'a..=b' with its end",
          at: l.token(-1),
        }
      : undefined,
  (l) =>
    l.image(0) === '.' && l.expectsExpression && l.token(1)?.tokenType === t.NumberToken
      ? { code: 'OPT111', message: 'a number begins with a digit', hint: `write '0.${l.image(1)}'` }
      : undefined,
  (l) =>
    l.image(-1) === '.' && l.token(-2)?.tokenType === t.NumberToken && l.adjacent(-2)
      ? {
          code: 'OPT111',
          message: 'a number has digits behind its point',
          hint: `write '${l.image(-2)}${/[.eE]/.test(l.image(-2)) ? '' : '.0'}'`,
          at: l.token(-2),
        }
      : undefined,
  (l) =>
    l.token(0)?.tokenType === t.Word && l.token(-1)?.tokenType === t.NumberToken && l.adjacent(-1)
      ? {
          code: 'OPT111',
          message: `'${l.image(-1)}${l.image(0)}' is neither a number nor a name`,
          hint: `write '${l.image(-1)} * ${l.image(0)}', or begin the name with a letter`,
        }
      : undefined,
  // ---- operators
  (l) =>
    l.image(0) === '*' && l.image(-1) === '*' && l.adjacent(-1)
      ? { code: 'OPT106', message: "'**' is no operator", hint: "powers are written 'x^2'", at: l.token(-1) }
      : undefined,
  (l) =>
    (l.image(0) === '+' && l.image(-1) === '+') || (l.image(-1) === '-' && l.image(-2) === '-' && l.adjacent(-2))
      ? {
          code: 'OPT106',
          message: `'${l.image(-1)}${l.image(-1)}' is no operator`,
          hint: "write 'x <- x + 1'",
          at: l.token(-1),
        }
      : undefined,
  (l) =>
    l.image(0) === '=' && compound.has(l.image(-1)) && l.adjacent(-1)
      ? {
          code: 'OPT106',
          message: `'${l.image(-1)}=' is no operator`,
          hint: `write 'x <- x ${l.image(-1)} e' for a cell`,
          at: l.token(-1),
        }
      : undefined,
  (l) =>
    l.image(0) === '=' && l.image(-1) === '==' && l.adjacent(-1)
      ? { code: 'OPT106', message: "'===' is no operator", hint: "write '=='", at: l.token(-1) }
      : undefined,
  (l) =>
    l.image(0) === ':' && l.image(1) === '=' && l.adjacent(0)
      ? {
          code: 'OPT106',
          message: "':=' is no operator",
          hint: "write 'let x = e' to name a value, 'x <- e' to write a cell",
        }
      : undefined,
  (l) =>
    l.image(0) === '>' && l.image(-1) === '=' && l.adjacent(-1)
      ? {
          code: 'OPT106',
          message: "'=>' is no operator",
          hint: "write '>=' to compare, 'fn f(x) = e' for a function",
          at: l.token(-1),
        }
      : undefined,
  (l) =>
    l.image(0) === '->' && l.expects('Separator') && !l.in('fnDeclaration')
      ? { code: 'OPT106', message: "'->' does not write a value", hint: "write 'x <- e'" }
      : undefined,
  (l) =>
    l.image(0) === '<-' && l.expects('Equals')
      ? { code: 'OPT106', message: "'<-' writes a cell that exists; here a name is introduced", hint: "write '='" }
      : undefined,
  (l) =>
    l.image(0) === '=' && l.in('args')
      ? {
          code: 'OPT118',
          message: "name and value of an argument are joined by ':'",
          hint: `write '${l.image(-1)}: ${l.image(1)}'`,
        }
      : undefined,
  (l) =>
    l.image(0) === '=' && l.in('braces') && !l.in('body')
      ? {
          code: 'OPT114',
          message: "name and value of a field are joined by ':'",
          hint: `write '${l.image(-1)}: ${l.image(1)}'`,
        }
      : undefined,
  (l) =>
    l.image(0) === '=' && l.mistake.rules.slice(-2).some((r) => condition.has(r))
      ? {
          code: 'OPT106',
          message: "'=' defines; it does not compare",
          hint: "write '==', or '~=' with 'within' for nearly equal",
        }
      : undefined,
  (l) =>
    l.image(0) === '=' && l.expects('LBrace') && l.in('expectStatement', 'conditional', 'whileStatement')
      ? { code: 'OPT106', message: "'=' defines; it does not compare", hint: "write '=='" }
      : undefined,
  (l) =>
    l.image(0) === '=' && l.first?.tokenType === k.expect
      ? {
          code: 'OPT106',
          message: "'=' defines; it does not compare",
          hint: "write '==', or '~= … within …' for nearly equal",
        }
      : undefined,
  (l) =>
    l.image(0) === '=' && l.expects('Tilde')
      ? { code: 'OPT119', message: "a draw is written with '~'", hint: "write 'sample z ~ normal f32[n]'" }
      : undefined,
  (l) =>
    l.image(0) === '~' && l.first?.tokenType === k.let
      ? {
          code: 'OPT119',
          message: "'let' names a value; a draw is a 'sample'",
          hint: `write 'sample ${l.image(-1)} ~ …'`,
        }
      : undefined,
  (l) =>
    l.image(0) === '=' && l.expects('IN')
      ? { code: 'OPT119', message: "a static loop runs over a range with 'in'", hint: "write 'for i in 0..n { … }'" }
      : undefined,
  (l) =>
    l.image(0) === '=' &&
    l.expects('Separator') &&
    l.token(0) &&
    !foreignStarts[l.first?.image ?? ''] &&
    l.first?.tokenType === t.Word
      ? {
          code: 'OPT106',
          message: "'=' alone neither names a value nor writes a cell",
          hint: `write 'let ${l.image(-1)} = …' to name a value, '${l.image(-1)} <- …' to write a cell`,
        }
      : undefined,
  (l) =>
    l.behind === 0 &&
    l.token(0) &&
    (l.token(0)?.tokenType.CATEGORIES?.includes(t.BinaryOperator) || [',', '.', '=', '->'].includes(l.image(0))) &&
    l.expectsExpression
      ? {
          code: 'OPT115',
          message: `a line cannot begin with '${l.image(0)}'`,
          hint: `put '${l.image(0)}' at the end of the line before, or the whole expression in parentheses`,
        }
      : undefined,
  // ---- words of other languages, misspelled keywords
  (l) =>
    l.image(0) === 'then' && l.in('conditional')
      ? { code: 'OPT116', message: "there is no 'then'", hint: "write 'if c { a } else { b }'" }
      : undefined,
  (l) =>
    l.token(0)?.tokenType === k.if && l.expects('Separator', 'RParen', 'Comma')
      ? {
          code: 'OPT116',
          message: 'a condition stands before its branches',
          hint: "write 'if c { a } else { b }', or 'where(c, a, b)' for each element",
        }
      : undefined,
  (l) =>
    l.first?.image === 'for' && l.image(0) === '('
      ? {
          code: 'OPT116',
          message: "'for' has no header in parentheses",
          hint: "write 'for i in 0..n { … }', or 'repeat n as i { … }' for a count known only at run time",
        }
      : undefined,
  (l) =>
    l.image(0) === 'mut' || (l.image(-1) === 'mut' && l.first?.tokenType === k.let)
      ? {
          code: 'OPT116',
          message: "a 'let' never changes",
          hint: "write 'var x = e' for a cell and 'x <- e' to write it",
        }
      : undefined,
  (l) =>
    l.behind >= 1 && l.first?.tokenType === t.Word && foreignStarts[l.first.image] && l.expects('Separator', 'Number')
      ? {
          code: 'OPT116',
          message: `'${l.first.image}' is no statement`,
          hint: foreignStarts[l.first.image],
          at: l.first,
        }
      : undefined,
  (l) => {
    if (
      l.behind !== 1 ||
      l.first?.tokenType !== t.Word ||
      !(l.startsOperand || l.image(0) === '{' || /^[a-z]+$/.test(l.image(0)))
    )
      return undefined;
    const counted = l.token(0)?.tokenType === t.NumberToken && nearest(l.first.image, countedStarts);
    const word = counted || nearest(l.first.image, statementStarts);
    return word
      ? { code: 'OPT107', message: `'${l.first.image}' is no keyword`, hint: `did you mean '${word}'?`, at: l.first }
      : undefined;
  },
  (l) => {
    if (l.token(0)?.tokenType !== t.Word || l.expectsExpression) return undefined;
    const british: Record<string, string> = {
      minimising: 'minimizing',
      maximising: 'maximizing',
      minimises: 'minimizes',
      maximises: 'maximizes',
      minimize: 'minimizing',
      maximize: 'maximizing',
    };
    const word = british[l.image(0)] ?? nearest(l.image(0), infixWords);
    return word && l.image(0).length > 2
      ? { code: 'OPT107', message: `'${l.image(0)}' is no keyword`, hint: `did you mean '${word}'?` }
      : undefined;
  },
  // ---- incomplete statements
  (l) =>
    l.first?.tokenType === k.update && l.expects('BY')
      ? {
          code: 'OPT108',
          message: "'update' needs the rule that makes the step",
          hint: "write 'update P by sgd(0.1) minimizing L'",
        }
      : undefined,
  (l) =>
    l.first?.tokenType === k.update && l.image(-1) === 'by'
      ? {
          code: 'OPT108',
          message: "'by' needs a rule",
          hint: "write 'by sgd(0.1)', or a pipeline 'by clip(1.0) |> adam(1e-3)'",
        }
      : undefined,
  (l) =>
    l.first?.tokenType === k.while && l.expects('MAX')
      ? { code: 'OPT108', message: "'while' needs a bound on its turns", hint: "write 'while c max 100 { … }'" }
      : undefined,
  (l) =>
    l.first?.tokenType === k.train && l.expects('MAX')
      ? {
          code: 'OPT108',
          message: "'train until' needs a bound on its steps",
          hint: "write 'train until c max 1000 { … }'",
        }
      : undefined,
  (l) => {
    const needs: Record<string, string> = {
      train: 'train 100 { … }',
      repeat: 'repeat 10 { … }',
      every: 'every 10 { … }',
    };
    const form = l.first && l.mistake.tokens[l.mistake.start + 1]?.image === '{' ? needs[l.first.image] : undefined;
    return form
      ? {
          code: 'OPT108',
          message: `'${l.first?.image}' needs a number before its body`,
          hint: `write '${form}'`,
          at: l.first,
        }
      : undefined;
  },
  (l) =>
    l.expects('UNTIL') && l.in('fixedPoint')
      ? {
          code: 'OPT108',
          message: "'fixed' needs the tolerance at which it ends",
          hint: "write 'fixed z = z0 { f(z) } until 1e-5 max 200'",
        }
      : undefined,
  (l) =>
    l.expects('FOR') && l.in('scanning')
      ? {
          code: 'OPT108',
          message: "'scan' needs what it runs over",
          hint: "write 'scan h = h0 for e in xs { next f(h, e) }'",
        }
      : undefined,
  (l) =>
    l.expects('LBrace') && l.first?.tokenType === k.use
      ? { code: 'OPT108', message: "'use' needs the names that it takes", hint: "write 'use nn { linear, relu }'" }
      : undefined,
  (l) =>
    l.image(0) === ':' && l.expects('LBrace')
      ? { code: 'OPT116', message: "a body stands in braces, not behind ':'", hint: "write '{ … }'" }
      : undefined,
  (l) =>
    l.expects('LBrace') && l.image(0) === '=' && l.in('layerDeclaration', 'modelDeclaration')
      ? {
          code: 'OPT119',
          message: 'a layer or model has a body in braces',
          hint: "write 'model M(x: f32[n, 4]) { … }'",
        }
      : undefined,
  (l) =>
    l.expects('LBrace') && !l.expectsExpression && (!l.token(0) || l.token(0)?.tokenType === t.Separator)
      ? { code: 'OPT108', message: 'a body is missing', hint: "open it with '{' on the same line" }
      : undefined,
  // ---- names
  (l) => {
    const found = l.token(0);
    if (
      !found ||
      !l.expects('Word') ||
      l.expectsExpression ||
      !/^[a-z]+$/.test(found.image) ||
      found.tokenType === t.Word
    )
      return undefined;
    const reserved = reservedWords.has(found.image);
    return {
      code: 'OPT109',
      message: `the ${reserved ? 'reserved word' : 'keyword'} '${found.image}' cannot be a name here`,
      hint: `choose another name, such as '${found.image}_'`,
    };
  },
  // ---- separators
  (l) =>
    l.image(0) === ':' && l.in('indexSuffix')
      ? {
          code: 'OPT106',
          message: "a slice is written with '..'",
          hint: "write 'x[a..b]'; ':' alone takes the whole axis",
        }
      : undefined,
  (l) =>
    l.image(-1) === ':' && l.in('indexSuffix') && l.startsOperand
      ? {
          code: 'OPT106',
          message: "a slice is written with '..'",
          hint: "write 'x[0..b]'; ':' alone takes the whole axis",
        }
      : undefined,
  (l) =>
    l.image(0) === ';' && l.expects('RParen', 'RBracket', 'Comma')
      ? { code: 'OPT101', message: "';' does not separate values", hint: "write ','" }
      : undefined,
  (l) =>
    l.startsOperand && l.expects('RParen', 'RBracket', 'RBrace')
      ? {
          code: 'OPT101',
          message: `expected ',' or the closing bracket, found '${l.image(0)}'`,
          hint: "separate values by ',', or put an operator between them",
        }
      : undefined,
  (l) =>
    /^(f32|f16|i32|u32|bool)$/.test(l.image(0)) &&
    l.first &&
    [k.let, k.var, k.param, k.state, k.frozen, k.over].includes(l.first.tokenType)
      ? { code: 'OPT119', message: "a type stands behind ':'", hint: `write '${l.image(-1)}: ${l.image(0)}'` }
      : undefined,
  (l) =>
    l.token(0)?.tokenType === k.else
      ? { code: 'OPT101', message: "this 'else' belongs to no 'if'", hint: "write 'if c { … } else { … }'" }
      : undefined,
];

/** The first slip that fits, or undefined. */
export function findSlip(mistake: Mistake): Slip | undefined {
  const look = new Look(mistake);
  for (const test of slips) {
    const slip = test(look);
    if (slip) return slip;
  }
  return undefined;
}
