/** What a slip is: one likely mistake, recognized from an error of the parser and the tokens around it. */
import type { IToken } from 'chevrotain';
import * as t from '../../grammar/tokens.ts';
import type { DiagnosticCode } from '../diagnostics/catalog.ts';

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

/** Questions that several slips ask. */
export class Look {
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

/** Recognizes one slip. */
export type Test = (look: Look) => Slip | undefined;
