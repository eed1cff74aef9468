/**
 * Grammar rules of the parts that expressions and declarations share: bodies, patterns, types, parameters, draws. The base of the
 * parser's classes; rules that it calls and that come later are declared and defined in `expressions.ts` and `parser.ts`.
 */
import { EOF } from 'chevrotain';
import { RecoveringParser } from './recovery.ts';
import type { Rule } from './recovery.ts';
import * as t from './tokens.ts';
import { keyword as k } from './tokens.ts';

export class PartRules extends RecoveringParser {
  /** True in the head of `map`, `over`, `repeat`, `train`, `eval`, where the last `as` belongs to the head and not to a call. */
  protected inHead = false;

  declare expression: Rule;
  declare postfix: Rule;
  declare args: Rule;
  declare statement: Rule;

  /** Runs a part of a rule with `inHead` set or cleared; the flag is restored even when recovery throws. */
  protected withHead<T>(inHead: boolean, part: () => T): T {
    const before = this.inHead;
    this.inHead = inHead;
    try {
      return part();
    } finally {
      this.inHead = before;
    }
  }

  override reset(): void {
    super.reset();
    this.inHead = false;
  }

  /** `{ statements }`; the last expression is the value */
  body: Rule = this.RULE('body', () => {
    this.CONSUME(t.LBrace);
    this.withHead(false, () => this.SUBRULE(this.statements));
    this.CONSUME(t.RBrace);
  });

  statements: Rule = this.RULE('statements', () => {
    this.MANY_SEP({ SEP: t.Separator, DEF: () => this.SUBRULE(this.statement) });
    // Reached only in wrong texts: what stands here begins no statement, and parsing it as one reports and skips it.
    while (!this.RECORDING_PHASE && !this.nextIs(1, t.RBrace, EOF)) {
      if (this.nextIs(1, t.Separator)) this.CONSUME(t.Separator);
      this.SUBRULE2(this.statement);
    }
  });

  pattern: Rule = this.RULE('pattern', () => {
    this.OR([{ ALT: () => this.CONSUME(t.Word) }, { ALT: () => this.SUBRULE(this.tuplePattern) }]);
  });

  tuplePattern: Rule = this.RULE('tuplePattern', () => {
    this.CONSUME(t.LParen);
    this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => this.SUBRULE(this.pattern) });
    this.CONSUME(t.RParen);
  });

  names: Rule = this.RULE('names', () => {
    this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => this.CONSUME(t.Word) });
  });

  /** `f32[n, *]`, also a kind of parameter such as `rule` */
  type: Rule = this.RULE('type', () => {
    this.CONSUME(t.Word);
    this.OPTION(() => {
      this.CONSUME(t.LBracket);
      this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => this.SUBRULE(this.dimension) });
      this.CONSUME(t.RBracket);
    });
  });

  dimension: Rule = this.RULE('dimension', () => {
    this.OR([{ ALT: () => this.CONSUME(t.Star) }, { ALT: () => this.SUBRULE(this.expression) }]);
  });

  params: Rule = this.RULE('params', () => {
    this.CONSUME(t.LParen);
    this.OPTION(() => {
      this.SUBRULE(this.param);
      this.MANY({
        GATE: () => !this.nextIs(2, t.RParen),
        DEF: () => {
          this.CONSUME(t.Comma);
          this.SUBRULE2(this.param);
        },
      });
      this.OPTION2(() => this.CONSUME2(t.Comma));
    });
    this.CONSUME(t.RParen);
  });

  param: Rule = this.RULE('param', () => {
    this.CONSUME(t.Word);
    this.OPTION(() => {
      this.CONSUME(t.Colon);
      this.SUBRULE(this.type);
    });
    this.OPTION2(() => {
      this.CONSUME(t.Equals);
      this.SUBRULE(this.expression);
    });
  });

  /** `normal(0, 1) f32[2] seed 3 stream eps` */
  draw: Rule = this.RULE('draw', () => {
    this.CONSUME(t.Word);
    this.OPTION(() => this.SUBRULE(this.args));
    this.OPTION2(() =>
      this.OR([
        { ALT: () => this.SUBRULE(this.type) },
        {
          ALT: () => {
            this.CONSUME(k.like);
            this.SUBRULE(this.postfix, { LABEL: 'like' });
          },
        },
      ]),
    );
    this.OPTION3(() => {
      this.CONSUME(k.seed);
      this.SUBRULE2(this.postfix, { LABEL: 'seed' });
    });
    this.OPTION4(() => {
      this.CONSUME(k.stream);
      this.CONSUME2(t.Word, { LABEL: 'stream' });
    });
  });

  /** `= e` or `~ DIST` */
  init: Rule = this.RULE('init', () => {
    this.OR([
      {
        ALT: () => {
          this.CONSUME(t.Equals);
          this.SUBRULE(this.expression);
        },
      },
      {
        ALT: () => {
          this.CONSUME(t.Tilde);
          this.SUBRULE(this.draw);
        },
      },
    ]);
  });
}
