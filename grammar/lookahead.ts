/**
 * Lookahead made when it is first needed. Chevrotain computes the decision of every alternative and option of the grammar before the first token is
 * read; a file uses a fraction of them, and `saddle check` is a process of its own each time, so that all of it would be paid at every call.
 */
import { LLkLookaheadStrategy } from 'chevrotain';
import type { ILookaheadStrategy, OptionalProductionType, Rule } from 'chevrotain';

type Alternation = Parameters<ILookaheadStrategy['buildLookaheadForAlternation']>[0];
type Optional = { prodOccurrence: number; prodType: OptionalProductionType; rule: Rule; maxLookahead: number; dynamicTokensEnabled: boolean }; // prettier-ignore
type ForAlternation = ReturnType<ILookaheadStrategy['buildLookaheadForAlternation']>;
type ForOptional = ReturnType<ILookaheadStrategy['buildLookaheadForOptional']>;

/** The decisions of `LLkLookaheadStrategy`, each built at its first use. */
export class LazyLookahead extends LLkLookaheadStrategy {
  override buildLookaheadForAlternation(options: Alternation): ForAlternation {
    let built: ForAlternation | undefined;
    const build = () => (built ??= super.buildLookaheadForAlternation(options));
    return function (this: unknown, alternatives) {
      return build().call(this, alternatives);
    };
  }

  override buildLookaheadForOptional(options: Optional): ForOptional {
    let built: ForOptional | undefined;
    const build = () => (built ??= super.buildLookaheadForOptional(options));
    return function (this: unknown) {
      return build().call(this);
    };
  }
}
