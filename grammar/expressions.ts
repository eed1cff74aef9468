/**
 * Grammar rules of expressions.
 *
 * Operands and operators are parsed as one flat list; precedence is settled when the syntax tree is built, which keeps the parser's own
 * recursion shallow. All decisions need one token of lookahead (keywords are marked beforehand by `words.ts`); the few gates are explained.
 */
import type { IOrAlt } from 'chevrotain';
import { PartRules } from './parts.ts';
import type { Rule } from './recovery.ts';
import * as t from './tokens.ts';
import { keyword as k } from './tokens.ts';

/** Functions that may stand before `over` for a reduction of a map. */
export const reducers: ReadonlySet<string> = new Set(['sum', 'mean', 'max', 'min', 'variance']);

export class ExpressionRules extends PartRules {
  // ---------------------------------------------------------------- expressions

  /** `a + b`, `clip(1) |> adam(1e-3)`, `fira() else adam()` */
  override expression: Rule = this.RULE('expression', () => {
    this.SUBRULE(this.operation);
    this.MANY(() => {
      this.CONSUME(t.Pipe);
      this.SUBRULE2(this.operation);
    });
    this.OPTION({
      GATE: () => !this.nextIs(2, t.LBrace, k.if),
      DEF: () => {
        this.CONSUME(k.else);
        this.SUBRULE(this.expression);
      },
    });
  });

  /** Operands with operators between them, precedence not yet settled. */
  operation: Rule = this.RULE('operation', () => {
    this.SUBRULE(this.operand);
    this.MANY(() => {
      this.CONSUME(t.BinaryOperator);
      this.SUBRULE2(this.operand);
    });
  });

  operand: Rule = this.RULE('operand', () => {
    this.MANY(() =>
      this.OR([
        { ALT: () => this.CONSUME(t.Minus, { LABEL: 'prefix' }) },
        { ALT: () => this.CONSUME(k.not, { LABEL: 'prefix' }) },
        { ALT: () => this.CONSUME(k.fresh, { LABEL: 'prefix' }) },
        { ALT: () => this.CONSUME(k.each, { LABEL: 'prefix' }) },
      ]),
    );
    this.SUBRULE(this.postfix);
  });

  /** `x.y[i](a) at { … } with …` */
  override postfix: Rule = this.RULE('postfix', () => {
    const gradient = this.LA(1).image === 'grad';
    let suffixes = 0;
    this.SUBRULE(this.primary);
    this.MANY({
      // `with` belongs to an expression only right after `grad(…)` or before a record; else to the `update` around it
      GATE: () => !this.nextIs(1, k.with) || this.nextIs(2, t.LBrace) || (gradient && suffixes === 1),
      DEF: () => {
        this.SUBRULE(this.suffix);
        suffixes++;
      },
    });
  });

  /** Made once: a list this long costs more than it decides. */
  private suffixAlternatives: IOrAlt<unknown>[] | undefined;

  suffix: Rule = this.RULE('suffix', () => {
    this.OR(
      (this.suffixAlternatives ??= [
        { ALT: () => this.SUBRULE(this.memberSuffix) },
        { ALT: () => this.SUBRULE(this.indexSuffix) },
        { ALT: () => this.SUBRULE(this.callSuffix) },
        { ALT: () => this.SUBRULE(this.atSuffix) },
        { ALT: () => this.SUBRULE(this.withSuffix) },
      ]),
    );
  });

  memberSuffix: Rule = this.RULE('memberSuffix', () => {
    this.CONSUME(t.Dot);
    this.CONSUME(t.Word);
  });

  indexSuffix: Rule = this.RULE('indexSuffix', () => {
    this.CONSUME(t.LBracket);
    this.withHead(false, () => {
      this.SUBRULE(this.indexItem);
      this.MANY(() => {
        this.CONSUME(t.Comma);
        this.SUBRULE2(this.indexItem);
      });
    });
    this.CONSUME(t.RBracket);
    this.OPTION(() => this.CONSUME(k.replacement));
    this.OPTION2(() => {
      this.CONSUME(k.weights);
      this.SUBRULE(this.expression);
    });
  });

  indexItem: Rule = this.RULE('indexItem', () => {
    this.OR([
      { ALT: () => this.CONSUME(t.Colon) },
      { ALT: () => this.CONSUME(k.new) },
      {
        ALT: () => {
          this.SUBRULE(this.expression);
          this.OPTION(() => {
            this.CONSUME(k.max);
            this.SUBRULE2(this.expression, { LABEL: 'cap' });
          });
        },
      },
    ]);
  });

  callSuffix: Rule = this.RULE('callSuffix', () => {
    this.SUBRULE(this.args);
    this.OPTION({
      GATE: () => this.nextIs(2, t.Word) && (!this.inHead || this.nextIs(3, k.as)),
      DEF: () => {
        this.CONSUME(k.as);
        this.CONSUME(t.Word);
      },
    });
  });

  override args: Rule = this.RULE('args', () => {
    this.CONSUME(t.LParen);
    this.withHead(false, () =>
      this.OPTION(() => {
        this.SUBRULE(this.item);
        this.MANY({
          GATE: () => !this.nextIs(2, t.RParen),
          DEF: () => {
            this.CONSUME(t.Comma);
            this.SUBRULE2(this.item);
          },
        });
        this.OPTION2(() => this.CONSUME2(t.Comma));
      }),
    );
    this.CONSUME(t.RParen);
  });

  /** An argument or a field: `e` or `name: e`; that what stands before the colon is a name is checked with a better message later. */
  item: Rule = this.RULE('item', () => {
    this.SUBRULE(this.expression);
    this.OPTION(() => {
      this.CONSUME(t.Colon);
      this.SUBRULE2(this.expression, { LABEL: 'value' });
    });
  });

  /** `at { x: v }`, `at 10`, `at step 10` */
  atSuffix: Rule = this.RULE('atSuffix', () => {
    this.CONSUME(k.at);
    this.OR([
      { ALT: () => this.SUBRULE(this.braces) },
      {
        ALT: () => {
          this.OPTION({
            GATE: () => this.LA(1).image === 'step' && this.nextIs(2, t.NumberToken, t.Word, t.LParen),
            DEF: () => this.CONSUME(t.Word, { LABEL: 'step' }),
          });
          this.OR2([
            { ALT: () => this.CONSUME(t.NumberToken) },
            { ALT: () => this.CONSUME2(t.Word) },
            { ALT: () => this.SUBRULE(this.parens) },
          ]);
        },
      },
    ]);
  });

  withSuffix: Rule = this.RULE('withSuffix', () => {
    this.CONSUME(k.with);
    this.OR({
      IGNORE_AMBIGUITIES: true, // a brace is a record here, not a stage
      DEF: [{ ALT: () => this.SUBRULE(this.braces) }, { ALT: () => this.SUBRULE(this.pipeline) }],
    });
  });

  pipeline: Rule = this.RULE('pipeline', () => {
    this.SUBRULE(this.postfix);
    this.MANY(() => {
      this.CONSUME(t.Pipe);
      this.SUBRULE2(this.postfix);
    });
    this.OPTION({
      GATE: () => !this.nextIs(2, t.LBrace, k.if),
      DEF: () => {
        this.CONSUME(k.else);
        this.SUBRULE(this.pipeline);
      },
    });
  });

  /** Made once: a list this long costs more than it decides. */
  private primaryAlternatives: IOrAlt<unknown>[] | undefined;

  primary: Rule = this.RULE('primary', () => {
    this.OR(
      (this.primaryAlternatives ??= [
        { ALT: () => this.CONSUME(t.NumberToken) },
        { ALT: () => this.CONSUME(t.StringToken) },
        { ALT: () => this.CONSUME(k.true) },
        { ALT: () => this.CONSUME(k.false) },
        {
          GATE: () => this.nextIs(2, k.over) && reducers.has(this.LA(1).image),
          ALT: () => this.SUBRULE(this.reduceOver),
        },
        { ALT: () => this.CONSUME(t.Word) },
        { ALT: () => this.SUBRULE(this.parens) },
        { ALT: () => this.SUBRULE(this.array) },
        { ALT: () => this.SUBRULE(this.braces) },
        { ALT: () => this.SUBRULE(this.conditional) },
        { ALT: () => this.SUBRULE(this.mapping) },
        { ALT: () => this.SUBRULE(this.scanning) },
        { ALT: () => this.SUBRULE(this.fixedPoint) },
        { ALT: () => this.SUBRULE(this.checkpointing) },
        { ALT: () => this.SUBRULE(this.exactly) },
        { ALT: () => this.SUBRULE(this.solving) },
        { ALT: () => this.SUBRULE(this.shifting) },
        { ALT: () => this.SUBRULE(this.gathering) },
        { ALT: () => this.SUBRULE(this.indexOf) },
      ]),
    );
  });

  /** `(e)`, or a tuple `(a, b)` */
  parens: Rule = this.RULE('parens', () => {
    this.CONSUME(t.LParen);
    this.withHead(false, () => {
      this.SUBRULE(this.expression);
      this.MANY({
        GATE: () => !this.nextIs(2, t.RParen),
        DEF: () => {
          this.CONSUME(t.Comma);
          this.SUBRULE2(this.expression);
        },
      });
      this.OPTION(() => this.CONSUME2(t.Comma));
    });
    this.CONSUME(t.RParen);
  });

  array: Rule = this.RULE('array', () => {
    this.CONSUME(t.LBracket);
    this.withHead(false, () => {
      this.SUBRULE(this.expression);
      this.MANY({
        GATE: () => !this.nextIs(2, t.RBracket),
        DEF: () => {
          this.CONSUME(t.Comma);
          this.SUBRULE2(this.expression);
        },
      });
      this.OPTION(() => this.CONSUME2(t.Comma));
    });
    this.CONSUME(t.RBracket);
  });

  /** A record `{ a: e, w }` or a list `{ F, G }`. */
  braces: Rule = this.RULE('braces', () => {
    this.CONSUME(t.LBrace);
    this.withHead(false, () =>
      this.OPTION(() => {
        this.SUBRULE(this.item);
        this.MANY({
          GATE: () => !this.nextIs(2, t.RBrace),
          DEF: () => {
            this.CONSUME(t.Comma);
            this.SUBRULE2(this.item);
          },
        });
        this.OPTION2(() => this.CONSUME2(t.Comma));
      }),
    );
    this.CONSUME(t.RBrace);
  });

  conditional: Rule = this.RULE('conditional', () => {
    this.CONSUME(k.if);
    this.SUBRULE(this.expression);
    this.SUBRULE(this.body);
    this.MANY({
      GATE: () => this.nextIs(2, k.if),
      DEF: () => {
        this.CONSUME(k.else);
        this.CONSUME2(k.if);
        this.SUBRULE2(this.expression);
        this.SUBRULE2(this.body);
      },
    });
    this.OPTION({
      GATE: () => this.nextIs(2, t.LBrace),
      DEF: () => {
        this.CONSUME2(k.else);
        this.SUBRULE3(this.body, { LABEL: 'otherwise' });
      },
    });
  });

  heads: Rule = this.RULE('heads', () => {
    this.SUBRULE(this.head);
    this.MANY(() => {
      this.CONSUME(t.Comma);
      this.SUBRULE2(this.head);
    });
  });

  head: Rule = this.RULE('head', () => {
    this.SUBRULE(this.headExpression);
    this.OPTION(() => {
      this.CONSUME(k.as);
      this.SUBRULE(this.pattern);
    });
  });

  headExpression: Rule = this.RULE('headExpression', () => {
    this.withHead(true, () => this.SUBRULE(this.expression));
  });

  mapping: Rule = this.RULE('mapping', () => {
    this.CONSUME(k.map);
    this.SUBRULE(this.heads);
    this.SUBRULE(this.body);
  });

  /** A body in braces, or one name or call without. */
  looseBody: Rule = this.RULE('looseBody', () => {
    this.OR({
      IGNORE_AMBIGUITIES: true, // a brace is a body here, not a record
      DEF: [{ ALT: () => this.SUBRULE(this.body) }, { ALT: () => this.SUBRULE(this.postfix) }],
    });
  });

  /** `mean over b as e { … }`, or without braces around one name or call */
  reduceOver: Rule = this.RULE('reduceOver', () => {
    this.CONSUME(t.Word);
    this.CONSUME(k.over);
    this.SUBRULE(this.heads);
    this.SUBRULE(this.looseBody);
  });

  /** `scan h = h0 for e in xs { … }`, `scan h = h0 while C max N { … }` */
  scanning: Rule = this.RULE('scanning', () => {
    this.CONSUME(k.scan);
    this.SUBRULE(this.pattern);
    this.CONSUME(t.Equals);
    this.SUBRULE(this.expression, { LABEL: 'init' });
    this.OR([
      {
        ALT: () => {
          this.CONSUME(k.for);
          this.SUBRULE2(this.pattern, { LABEL: 'element' });
          this.CONSUME(k.in);
          this.SUBRULE2(this.expression, { LABEL: 'over' });
        },
      },
      {
        ALT: () => {
          this.CONSUME(k.while);
          this.SUBRULE(this.operation, { LABEL: 'condition' });
          this.CONSUME(k.max);
          this.SUBRULE2(this.operation, { LABEL: 'max' });
        },
      },
    ]);
    this.OPTION(() => {
      this.CONSUME(k.checkpoint);
      this.SUBRULE3(this.expression, { LABEL: 'checkpoint' });
    });
    this.SUBRULE(this.body);
  });

  fixedPoint: Rule = this.RULE('fixedPoint', () => {
    this.CONSUME(k.fixed);
    this.CONSUME(t.Word);
    this.CONSUME(t.Equals);
    this.SUBRULE(this.expression, { LABEL: 'init' });
    this.SUBRULE(this.body);
    this.CONSUME(k.until);
    this.SUBRULE2(this.operation, { LABEL: 'until' });
    this.OPTION(() => {
      this.CONSUME(k.max);
      this.SUBRULE3(this.operation, { LABEL: 'max' });
    });
    this.OPTION2(() => {
      this.CONSUME(k.by);
      this.SUBRULE(this.postfix, { LABEL: 'linear' });
    });
  });

  checkpointing: Rule = this.RULE('checkpointing', () => {
    this.CONSUME(k.checkpoint);
    this.OPTION(() => {
      this.CONSUME(k.keep);
      this.SUBRULE(this.names);
    });
    this.SUBRULE(this.body);
  });

  exactly: Rule = this.RULE('exactly', () => {
    this.CONSUME(k.exact);
    this.SUBRULE(this.body);
  });

  /** `solve P by S(…) for N until C` */
  solving: Rule = this.RULE('solving', () => {
    this.CONSUME(k.solve);
    this.SUBRULE(this.postfix);
    this.OPTION(() => {
      this.CONSUME(k.by);
      this.SUBRULE(this.pipeline);
    });
    this.OPTION2(() => {
      this.CONSUME(k.for);
      this.SUBRULE(this.operation, { LABEL: 'steps' });
    });
    this.OPTION3(() => {
      this.CONSUME(k.until);
      this.SUBRULE2(this.operation, { LABEL: 'until' });
    });
  });

  shifting: Rule = this.RULE('shifting', () => {
    this.CONSUME(k.shift);
    this.SUBRULE(this.looseBody);
    this.CONSUME(k.along);
    this.SUBRULE(this.postfix, { LABEL: 'axis' });
    this.CONSUME(k.by);
    this.SUBRULE(this.operand);
  });

  gathering: Rule = this.RULE('gathering', () => {
    this.CONSUME(k.gather);
    this.SUBRULE(this.looseBody);
    this.CONSUME(k.over);
    this.SUBRULE(this.postfix, { LABEL: 'axis' });
  });

  indexOf: Rule = this.RULE('indexOf', () => {
    this.CONSUME(k.index);
    this.CONSUME(k.of);
    this.SUBRULE(this.postfix, { LABEL: 'axis' });
  });
}
