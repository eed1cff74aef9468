/**
 * Recovery from syntax errors, one statement at a time.
 *
 * Chevrotain's own recovery guesses by inserting or dropping single tokens and resumes at the first token that may follow any open rule;
 * with bodies inside expressions that leads to many errors that only follow from the first. A statement has a clear end here (layout made
 * it a separator, and brackets are balanced by then), so an error ends the innermost statement around it, whole with its body, and parsing
 * goes on behind it: one error for each wrong statement.
 */
import { CstParser, EOF } from 'chevrotain';
import type { CstNode, IParserConfig, IRuleConfig, IToken, ParserMethod, TokenType } from 'chevrotain';
import * as t from './tokens.ts';

export type Rule = ParserMethod<[], CstNode>;

const opening = new Set<TokenType>([t.LParen, t.LBracket, t.LBrace]);
const closing = new Set<TokenType>([t.RParen, t.RBracket, t.RBrace]);

export class RecoveringParser extends CstParser {
  /** For the offending token of each error: the first token of the statement that it ended. */
  readonly statementStarts = new Map<IToken, IToken>();
  /** Indices at which the statements now being parsed began. */
  private open: number[] = [];

  /** Index of the token consumed last; kept by Chevrotain. */
  declare protected readonly currIdx: number;
  declare protected recoveryEnabled: boolean;

  constructor(config: IParserConfig) {
    super(t.vocabulary, config);
    // Chevrotain installs its repetition recovery as a property of the instance.
    Object.assign(this, { attemptInRepetitionRecovery: () => undefined });
  }

  /** Chevrotain's analysis without the sets of tokens that may follow each rule: only its own recovery reads them, and that is replaced below. */
  protected analyse(): void {
    const recovering = this.recoveryEnabled;
    this.recoveryEnabled = false;
    this.performSelfAnalysis();
    this.recoveryEnabled = recovering;
  }

  override reset(): void {
    super.reset();
    this.open = [];
    this.statementStarts?.clear();
  }

  protected nextIs(distance: number, ...types: TokenType[]): boolean {
    return types.includes(this.LA(distance).tokenType);
  }

  /** A rule that an error passes through, up to the statement around it. */
  protected override RULE<F extends () => void>(
    name: string,
    implementation: F,
    config?: IRuleConfig<CstNode>,
  ): ParserMethod<Parameters<F>, CstNode> {
    return super.RULE(name, implementation, { ...config, resyncEnabled: name === 'statement' }) as ParserMethod<
      Parameters<F>,
      CstNode
    >;
  }

  /** Called where a statement begins. */
  protected beginStatement(): void {
    if (!this.RECORDING_PHASE) this.open.push(this.currIdx + 1);
  }

  /** Called where a statement should end: anything but a separator or a closing brace is an error. */
  protected endStatement(): void {
    if (this.RECORDING_PHASE) return;
    if (!this.nextIs(1, t.Separator, t.RBrace, EOF)) this.CONSUME(t.Separator);
    this.open.pop();
  }

  // The methods below replace Chevrotain's own recovery steps.

  protected findReSyncTokenType(): TokenType {
    return t.Separator;
  }

  protected isInCurrentRuleReSyncSet(): boolean {
    return true;
  }

  protected getFollowsForInRuleRecovery(): TokenType[] {
    return [];
  }

  protected override canTokenTypeBeInsertedInRecovery(): boolean {
    return false;
  }

  protected override canTokenTypeBeDeletedInRecovery(): boolean {
    return false;
  }

  /** Skips to the end of the statement in which the error happened. */
  protected reSyncTo(): IToken[] {
    const start = this.open.pop() ?? 0;
    this.statementStarts.set(this.LA(1), this.input[start] ?? this.LA(1));
    let depth = 0;
    for (let i = start; i <= this.currIdx; i++) depth += depthChange(this.input[i]);
    const skipped: IToken[] = [];
    for (let next = this.LA(1); next.tokenType !== EOF; next = this.LA(1)) {
      if (depth <= 0 && (next.tokenType === t.Separator || next.tokenType === t.RBrace)) break;
      depth += depthChange(next);
      skipped.push(next);
      this.SKIP_TOKEN();
    }
    return skipped;
  }
}

function depthChange(token: IToken): number {
  return opening.has(token.tokenType) ? 1 : closing.has(token.tokenType) ? -1 : 0;
}
