/**
 * Decisions by the next token, each made when it is first needed. Chevrotain computes the lookahead of every alternative and option of the grammar, by a
 * general method for any number of tokens, before the first token is read; a file uses a fraction of them, and `saddle check` is a process of its own each
 * time. With one token a decision is a table over the tokens that each alternative can begin with, and these sets are shared by all decisions.
 */
import {
  Alternation,
  LLkLookaheadStrategy,
  NonTerminal,
  Option,
  Repetition,
  RepetitionMandatory,
  RepetitionMandatoryWithSeparator,
  RepetitionWithSeparator,
  Terminal,
} from 'chevrotain';
import type {
  ILookaheadStrategy,
  IToken,
  IOrAlt,
  IProduction,
  IProductionWithOccurrence,
  OptionalProductionType,
  Rule,
  TokenType,
} from 'chevrotain';

type Decision = Parameters<ILookaheadStrategy['buildLookaheadForAlternation']>[0];
type OptionalDecision = Parameters<ILookaheadStrategy['buildLookaheadForOptional']>[0];

/** What a production can begin with; `empty`: it may also be nothing. */
interface First {
  readonly tokens: ReadonlySet<TokenType>;
  readonly empty: boolean;
}

/** Which token types, by their index, choose it; undefined: whatever comes. */
type Choice = ReadonlySet<number> | undefined;

/** The parser, as a decision sees it. */
interface Parsing {
  LA(distance: number): IToken;
}

type Sequence = readonly IProduction[];

const kinds: Readonly<Record<OptionalProductionType, new (...args: never[]) => IProduction>> = {
  Option,
  Repetition,
  RepetitionMandatory,
  RepetitionMandatoryWithSeparator,
  RepetitionWithSeparator,
};

/** LL(1): the first alternative that can begin with the next token is taken. */
export class NextTokenLookahead extends LLkLookaheadStrategy {
  private readonly firsts = new Map<Rule, First>();

  constructor() {
    super({ maxLookahead: 1 });
  }

  override buildLookaheadForAlternation({ rule, prodOccurrence, hasPredicates }: Decision) {
    let table: Map<number, number> | undefined;
    let choices: Choice[] | undefined;
    const made = (): Choice[] =>
      (choices ??= parts(find(rule.definition, Alternation, prodOccurrence)).map((alternative) =>
        choiceOf(this.first(parts(alternative))),
      ));
    if (hasPredicates) {
      return function (this: Parsing, alternatives: IOrAlt<unknown>[] = []): number | undefined {
        const next = this.LA(1).tokenTypeIdx;
        const taken = made().findIndex(
          (choice, k) => (choice === undefined || choice.has(next)) && alternatives[k]?.GATE?.call(this) !== false,
        );
        return taken < 0 ? undefined : taken;
      };
    }
    return function (this: Parsing): number | undefined {
      table ??= tableOf(made());
      return table.get(this.LA(1).tokenTypeIdx) ?? table.get(ANY);
    };
  }

  override buildLookaheadForOptional({ rule, prodOccurrence, prodType }: OptionalDecision) {
    let made: { readonly choice: Choice } | undefined;
    const make = () => ({
      choice: choiceOf(this.first(parts(find(rule.definition, kinds[prodType], prodOccurrence)))),
    });
    return function (this: Parsing): boolean {
      made ??= make();
      return made.choice === undefined || made.choice.has(this.LA(1).tokenTypeIdx);
    };
  }

  /** What a sequence of productions can begin with. */
  private first(sequence: Sequence): First {
    const tokens = new Set<TokenType>();
    for (const production of sequence) {
      const own = this.firstOf(production);
      own.tokens.forEach((token) => tokens.add(token));
      if (!own.empty) return { tokens, empty: false };
    }
    return { tokens, empty: true };
  }

  private firstOf(production: IProduction): First {
    if (production instanceof Terminal) return { tokens: new Set([production.terminalType]), empty: false };
    if (production instanceof NonTerminal) return this.firstOfRule(production.referencedRule);
    if (production instanceof Alternation) {
      const each = parts(production).map((alternative) => this.first(parts(alternative)));
      return { tokens: new Set(each.flatMap((f) => [...f.tokens])), empty: each.some((f) => f.empty) };
    }
    const inside = this.first(parts(production));
    const optional =
      production instanceof Option || production instanceof Repetition || production instanceof RepetitionWithSeparator;
    return optional ? { tokens: inside.tokens, empty: true } : inside;
  }

  private firstOfRule(rule: Rule): First {
    // Ends, since no rule of an LL grammar begins with itself.
    const found = this.firsts.get(rule) ?? this.first(rule.definition);
    this.firsts.set(rule, found);
    return found;
  }
}

/** In a table: what is taken where no alternative begins with the token. */
const ANY = -1;

/** By token type the first alternative that it chooses; an alternative that may be empty is taken by all tokens that no earlier one begins with. */
function tableOf(choices: readonly Choice[]): Map<number, number> {
  const table = new Map<number, number>();
  for (const [k, choice] of choices.entries()) {
    if (choice === undefined) {
      table.set(ANY, k);
      break;
    }
    for (const token of choice) if (!table.has(token)) table.set(token, k);
  }
  return table;
}

function choiceOf({ tokens, empty }: First): Choice {
  if (empty) return undefined;
  const indices = new Set<number>();
  for (const token of tokens) {
    indices.add(token.tokenTypeIdx as number);
    token.categoryMatches?.forEach((inner) => indices.add(inner));
  }
  return indices;
}

const parts = (production: IProduction): Sequence => (production as { definition?: IProduction[] }).definition ?? [];

/** The production of a kind with this ordinal, anywhere inside. */
function find(sequence: Sequence, kind: new (...args: never[]) => IProduction, ordinal: number): IProduction {
  const stack = [...sequence];
  while (stack.length > 0) {
    const production = stack.pop() as IProduction;
    if (production instanceof kind && (production as IProductionWithOccurrence).idx === ordinal) return production;
    // what a rule calls is not part of its text
    if (!(production instanceof NonTerminal)) stack.push(...parts(production));
  }
  throw new Error(`the grammar has no ${kind.name} ${ordinal} here`);
}
