/** Decisions by the next token are those of Chevrotain's general method, for every alternative and option of the grammar and every token. */
import {
  type Alternation,
  GAstVisitor,
  type IProductionWithOccurrence,
  LLkLookaheadStrategy,
  type OptionalProductionType,
  type Rule,
} from 'chevrotain';
import { expect, test } from 'vitest';
import { NextTokenLookahead } from '../../../grammar/lookahead.ts';
import { SaddleParser } from '../../../grammar/parser.ts';
import { vocabulary } from '../../../grammar/tokens.ts';

const ignored = (): void => {};

/** Alternations and optional parts of a rule. */
class Decisions extends GAstVisitor {
  readonly alternations: Alternation[] = [];
  readonly optional: { readonly type: OptionalProductionType; readonly node: IProductionWithOccurrence }[] = [];
  override visitRule = ignored;
  override visitNonTerminal = ignored;
  override visitAlternative = ignored;
  override visitTerminal = ignored;
  override visitAlternation(node: Alternation): void {
    this.alternations.push(node);
  }
  override visitOption = this.note('Option');
  override visitRepetition = this.note('Repetition');
  override visitRepetitionMandatory = this.note('RepetitionMandatory');
  override visitRepetitionMandatoryWithSeparator = this.note('RepetitionMandatoryWithSeparator');
  override visitRepetitionWithSeparator = this.note('RepetitionWithSeparator');

  private note(type: OptionalProductionType) {
    return (node: IProductionWithOccurrence): void => void this.optional.push({ type, node });
  }
}

/** What a decision says for each token type of the language. */
function answers(decide: Function, alternatives: number): unknown[] {
  return vocabulary.map((token) => {
    const next = { tokenTypeIdx: token.tokenTypeIdx };
    const parser = { LA: () => next, LA_FAST: () => next };
    return decide.call(
      parser,
      Array.from({ length: alternatives }, () => ({})),
    );
  });
}

test('every decision of the grammar', () => {
  const rules: Rule[] = Object.values(new SaddleParser().getGAstProductions());
  const [own, general] = [new NextTokenLookahead(), new LLkLookaheadStrategy({ maxLookahead: 1 })];
  let decisions = 0;
  for (const rule of rules) {
    const found = new Decisions();
    rule.accept(found);
    const common = { rule, maxLookahead: 1, dynamicTokensEnabled: false };
    for (const node of found.alternations) {
      const n = (node as unknown as { definition: unknown[] }).definition.length;
      for (const hasPredicates of [false, true]) {
        const options = { ...common, prodOccurrence: node.idx, hasPredicates };
        const [a, b] = [own, general].map((s) => answers(s.buildLookaheadForAlternation(options), n));
        expect(a, `${rule.name}: alternatives ${node.idx}`).toEqual(b);
        decisions++;
      }
    }
    for (const { type, node } of found.optional) {
      const options = { ...common, prodOccurrence: node.idx, prodType: type };
      const [a, b] = [own, general].map((s) => answers(s.buildLookaheadForOptional(options), 0));
      expect(a, `${rule.name}: ${type} ${node.idx}`).toEqual(b);
      decisions++;
    }
  }
  expect(decisions).toBeGreaterThan(100);
});
