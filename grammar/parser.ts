/**
 * The grammar of a `.opt` file: rules of statements on top of those of declarations and expressions. Rules only, no actions: the
 * result is a concrete syntax tree, from which `compiler/ast/build.ts` makes the abstract one. Recovery is on, so that one run finds
 * several mistakes.
 */
import { DeclarationRules } from './declarations.ts';
import { NextTokenLookahead } from './lookahead.ts';
import type { Rule } from './recovery.ts';
import * as t from './tokens.ts';
import { keyword as k } from './tokens.ts';
import type { IOrAlt, IParserConfig } from 'chevrotain';

export class SaddleParser extends DeclarationRules {
  constructor(config: IParserConfig = {}) {
    super({
      recoveryEnabled: true,
      nodeLocationTracking: 'onlyOffset',
      maxLookahead: 1,
      lookaheadStrategy: new NextTokenLookahead(),
      skipValidations: true,
      ...config,
    });
    this.analyse();
  }

  file: Rule = this.RULE('file', () => {
    this.SUBRULE(this.statements);
  });

  /** Made once: a list this long costs more than it decides. */
  private statementAlternatives: IOrAlt<unknown>[] | undefined;

  override statement: Rule = this.RULE('statement', () => {
    this.beginStatement();
    this.OPTION(() => this.SUBRULE(this.allowance, { LABEL: 'allowBefore' }));
    this.OR(
      (this.statementAlternatives ??= [
        { ALT: () => this.SUBRULE(this.useDeclaration) },
        { ALT: () => this.SUBRULE(this.constantDeclaration) },
        { ALT: () => this.SUBRULE(this.dataDeclaration) },
        { ALT: () => this.SUBRULE(this.cellDeclaration) },
        { ALT: () => this.SUBRULE(this.layerDeclaration) },
        { ALT: () => this.SUBRULE(this.modelDeclaration) },
        { ALT: () => this.SUBRULE(this.fnDeclaration) },
        { ALT: () => this.SUBRULE(this.ruleDeclaration) },
        { ALT: () => this.SUBRULE(this.estimatorDeclaration) },
        { ALT: () => this.SUBRULE(this.solverDeclaration) },
        { ALT: () => this.SUBRULE(this.classDeclaration) },
        { ALT: () => this.SUBRULE(this.setDeclaration) },
        { ALT: () => this.SUBRULE(this.problemDeclaration) },
        { ALT: () => this.SUBRULE(this.trialDeclaration) },
        { ALT: () => this.SUBRULE(this.runDeclaration) },
        { ALT: () => this.SUBRULE(this.letStatement) },
        { ALT: () => this.SUBRULE(this.sampleStatement) },
        { ALT: () => this.SUBRULE(this.batchStatement) },
        { ALT: () => this.SUBRULE(this.updateStatement) },
        { ALT: () => this.SUBRULE(this.trainStatement) },
        { ALT: () => this.SUBRULE(this.evalStatement) },
        { ALT: () => this.SUBRULE(this.metricStatement) },
        { ALT: () => this.SUBRULE(this.reportStatement) },
        { ALT: () => this.SUBRULE(this.expectStatement) },
        { ALT: () => this.SUBRULE(this.repeatStatement) },
        { ALT: () => this.SUBRULE(this.whileStatement) },
        { ALT: () => this.SUBRULE(this.forStatement) },
        { ALT: () => this.SUBRULE(this.everyStatement) },
        { ALT: () => this.SUBRULE(this.firstStatement) },
        { ALT: () => this.SUBRULE(this.emitStatement) },
        { ALT: () => this.SUBRULE(this.endWhenStatement) },
        { ALT: () => this.SUBRULE(this.multipliersStatement) },
        { ALT: () => this.SUBRULE(this.overStatement) },
        { ALT: () => this.SUBRULE(this.objectiveStatement) },
        { ALT: () => this.SUBRULE(this.constraintStatement) },
        { ALT: () => this.SUBRULE(this.lowerLevelStatement) },
        { ALT: () => this.SUBRULE(this.playerStatement) },
        { ALT: () => this.SUBRULE(this.expressionStatement) },
      ]),
    );
    this.OPTION2(() => this.SUBRULE2(this.allowance, { LABEL: 'allowAfter' }));
    this.endStatement();
  });

  /** `allow OPT412, OPT413` before or behind a statement */
  allowance: Rule = this.RULE('allowance', () => {
    this.CONSUME(k.allow);
    this.SUBRULE(this.names);
  });

  /** `let (a, b): T = e`, `let h[l + 1] = e` */
  letStatement: Rule = this.RULE('letStatement', () => {
    this.CONSUME(k.let);
    this.OR([
      {
        ALT: () => {
          this.CONSUME(t.Word);
          this.OPTION(() => this.SUBRULE(this.member));
        },
      },
      { ALT: () => this.SUBRULE(this.tuplePattern) },
    ]);
    this.OPTION2(() => {
      this.CONSUME(t.Colon);
      this.SUBRULE(this.type);
    });
    this.CONSUME(t.Equals);
    this.SUBRULE(this.expression);
  });

  sampleStatement: Rule = this.RULE('sampleStatement', () => {
    this.CONSUME(k.sample);
    this.CONSUME(t.Word);
    this.CONSUME(t.Tilde);
    this.SUBRULE(this.draw);
  });

  batchStatement: Rule = this.RULE('batchStatement', () => {
    this.CONSUME(k.batch);
    this.CONSUME(t.Word);
    this.CONSUME(t.Equals);
    this.SUBRULE(this.expression);
  });

  /** `update A, B.head by r1 |> r2 minimizing e with est |> agg`, or `along d` */
  updateStatement: Rule = this.RULE('updateStatement', () => {
    this.CONSUME(k.update);
    this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => this.SUBRULE(this.postfix, { LABEL: 'targets' }) });
    this.CONSUME(k.by);
    this.SUBRULE(this.pipeline, { LABEL: 'by' });
    this.OPTION(() =>
      this.OR([
        {
          ALT: () => {
            this.CONSUME(k.minimizing);
            this.SUBRULE(this.operation, { LABEL: 'objective' });
          },
        },
        {
          ALT: () => {
            this.CONSUME(k.maximizing);
            this.SUBRULE2(this.operation, { LABEL: 'objective' });
          },
        },
        {
          ALT: () => {
            this.CONSUME(k.along);
            this.SUBRULE3(this.operation, { LABEL: 'along' });
          },
        },
      ]),
    );
    this.OPTION2(() => {
      this.CONSUME(k.with);
      this.SUBRULE2(this.pipeline, { LABEL: 'with' });
    });
  });

  /** `train N as a { … }`, `train until C max N as a { … }` */
  trainStatement: Rule = this.RULE('trainStatement', () => {
    this.CONSUME(k.train);
    this.OR([
      {
        ALT: () => {
          this.CONSUME(k.until);
          this.SUBRULE(this.headExpression, { LABEL: 'until' });
          this.CONSUME(k.max);
          this.SUBRULE2(this.headExpression, { LABEL: 'steps' });
        },
      },
      { ALT: () => this.SUBRULE3(this.headExpression, { LABEL: 'steps' }) },
    ]);
    this.OPTION(() => {
      this.CONSUME(k.as);
      this.CONSUME(t.Word);
    });
    this.SUBRULE(this.body);
  });

  /** `eval at 0, 10, end over D as e in chunks of k { … }` */
  evalStatement: Rule = this.RULE('evalStatement', () => {
    this.CONSUME(k.eval);
    this.OPTION(() =>
      this.OR([
        {
          ALT: () => {
            this.CONSUME(k.at);
            this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => this.SUBRULE(this.operation, { LABEL: 'at' }) });
          },
        },
        {
          ALT: () => {
            this.CONSUME(k.every);
            this.SUBRULE2(this.operation, { LABEL: 'every' });
          },
        },
      ]),
    );
    this.OPTION2(() => {
      this.CONSUME(k.over);
      this.SUBRULE(this.headExpression, { LABEL: 'over' });
      this.OPTION3(() => {
        this.CONSUME(k.as);
        this.CONSUME(t.Word);
      });
    });
    this.OPTION4(() => {
      this.CONSUME(k.in);
      this.CONSUME(k.chunks);
      this.CONSUME(k.of);
      this.SUBRULE3(this.operation, { LABEL: 'chunks' });
    });
    this.SUBRULE(this.body);
  });

  metricStatement: Rule = this.RULE('metricStatement', () => {
    this.CONSUME(k.metric);
    this.CONSUME(t.Word);
    this.OPTION(() => this.SUBRULE(this.member));
    this.CONSUME(t.Equals);
    this.SUBRULE(this.expression);
  });

  reportStatement: Rule = this.RULE('reportStatement', () => {
    this.CONSUME(k.report);
    this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => this.SUBRULE(this.reportItem) });
  });

  reportItem: Rule = this.RULE('reportItem', () => {
    this.CONSUME(t.Word);
    this.OPTION(() => {
      this.CONSUME(t.Equals);
      this.SUBRULE(this.expression);
    });
  });

  /** `expect E over seeds 1..=3`, `expect run fails "why"`; the word `seeds` is checked when the tree is built */
  expectStatement: Rule = this.RULE('expectStatement', () => {
    this.CONSUME(k.expect);
    this.SUBRULE(this.operation, { LABEL: 'claim' });
    this.OPTION(() => {
      this.CONSUME(k.fails);
      this.OPTION2(() => this.CONSUME(t.StringToken));
    });
    this.OPTION3(() => {
      this.CONSUME(k.over);
      this.CONSUME(t.Word);
      this.SUBRULE2(this.operation, { LABEL: 'seeds' });
    });
  });

  repeatStatement: Rule = this.RULE('repeatStatement', () => {
    this.CONSUME(k.repeat);
    this.SUBRULE(this.headExpression);
    this.OPTION3(() => {
      this.CONSUME(k.max);
      this.SUBRULE(this.operation, { LABEL: 'max' });
    });
    this.OPTION(() => {
      this.CONSUME(k.as);
      this.CONSUME(t.Word);
    });
    this.OPTION2(() => this.CONSUME(k.restart));
    this.SUBRULE(this.body);
  });

  whileStatement: Rule = this.RULE('whileStatement', () => {
    this.CONSUME(k.while);
    this.SUBRULE(this.operation, { LABEL: 'condition' });
    this.CONSUME(k.max);
    this.SUBRULE2(this.operation, { LABEL: 'max' });
    this.SUBRULE(this.body);
  });

  forStatement: Rule = this.RULE('forStatement', () => {
    this.CONSUME(k.for);
    this.CONSUME(t.Word);
    this.CONSUME(k.in);
    this.SUBRULE(this.operation);
    this.SUBRULE(this.body);
  });

  everyStatement: Rule = this.RULE('everyStatement', () => {
    this.CONSUME(k.every);
    this.SUBRULE(this.operation);
    this.SUBRULE(this.body);
  });

  /** `first { … }`, `together { … }` */
  firstStatement: Rule = this.RULE('firstStatement', () => {
    this.OR([{ ALT: () => this.CONSUME(k.first) }, { ALT: () => this.CONSUME(k.together) }]);
    this.SUBRULE(this.body);
  });

  /** `emit y`, `next (h, c)` in a scan */
  emitStatement: Rule = this.RULE('emitStatement', () => {
    this.OR([{ ALT: () => this.CONSUME(k.emit) }, { ALT: () => this.CONSUME(k.next) }]);
    this.SUBRULE(this.expression);
  });

  /** `stop when C`, `fail when C as "why"` */
  endWhenStatement: Rule = this.RULE('endWhenStatement', () => {
    this.OR([{ ALT: () => this.CONSUME(k.stop) }, { ALT: () => this.CONSUME(k.fail) }]);
    this.CONSUME(k.when);
    this.SUBRULE(this.operation);
    this.OPTION(() => {
      this.CONSUME(k.as);
      this.CONSUME(t.StringToken);
    });
  });

  multipliersStatement: Rule = this.RULE('multipliersStatement', () => {
    this.CONSUME(k.multipliers);
    this.CONSUME(t.Word);
    this.CONSUME(t.Equals);
    this.SUBRULE(this.expression);
  });

  /** `over x: T in SET = init` */
  overStatement: Rule = this.RULE('overStatement', () => {
    this.CONSUME(k.over);
    this.CONSUME(t.Word);
    this.OPTION(() => {
      this.CONSUME(t.Colon);
      this.SUBRULE(this.type);
    });
    this.OPTION2(() => {
      this.CONSUME(k.in);
      this.SUBRULE(this.operation, { LABEL: 'set' });
    });
    this.OPTION3(() => this.SUBRULE(this.init));
  });

  /** `minimize F: e`; an item with a colon carries the name */
  objectiveStatement: Rule = this.RULE('objectiveStatement', () => {
    this.OR([{ ALT: () => this.CONSUME(k.minimize) }, { ALT: () => this.CONSUME(k.maximize) }]);
    this.SUBRULE(this.item);
  });

  /** `subject to affine name: forall g in G: a <= b` */
  constraintStatement: Rule = this.RULE('constraintStatement', () => {
    this.CONSUME(k.subject);
    this.CONSUME(k.to);
    this.OPTION(() => this.CONSUME(k.affine));
    this.OR([
      { ALT: () => this.SUBRULE(this.forallPart) },
      {
        ALT: () => {
          this.SUBRULE(this.expression);
          this.OPTION2(() => {
            this.CONSUME(t.Colon);
            this.OR2([
              { ALT: () => this.SUBRULE2(this.forallPart) },
              { ALT: () => this.SUBRULE2(this.expression, { LABEL: 'relation' }) },
            ]);
          });
        },
      },
    ]);
  });

  forallPart: Rule = this.RULE('forallPart', () => {
    this.CONSUME(k.forall);
    this.CONSUME(t.Word);
    this.CONSUME(k.in);
    this.SUBRULE(this.operation);
    this.CONSUME(t.Colon);
    this.SUBRULE(this.expression);
  });

  /** `where y1, y2 solves { … }` */
  lowerLevelStatement: Rule = this.RULE('lowerLevelStatement', () => {
    this.CONSUME(k.where);
    this.SUBRULE(this.names);
    this.CONSUME(k.solves);
    this.SUBRULE(this.body);
  });

  /** `player A moves X, Y minimizes E` */
  playerStatement: Rule = this.RULE('playerStatement', () => {
    this.CONSUME(k.player);
    this.CONSUME(t.Word);
    this.CONSUME(k.moves);
    this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => this.SUBRULE(this.postfix, { LABEL: 'moves' }) });
    this.OR([{ ALT: () => this.CONSUME(k.minimizes) }, { ALT: () => this.CONSUME(k.maximizes) }]);
    this.SUBRULE(this.expression);
  });

  /** An expression, or a write `x <- e`; `if`, `map` and `solve` as statements are told apart when the tree is built */
  expressionStatement: Rule = this.RULE('expressionStatement', () => {
    this.SUBRULE(this.expression);
    this.OPTION(() => {
      this.CONSUME(t.Write);
      this.SUBRULE2(this.expression, { LABEL: 'written' });
    });
  });
}
