/** Grammar rules of declarations: everything that introduces a name of its own kind. */
import type { TokenType } from 'chevrotain';
import { ExpressionRules } from './expressions.ts';
import type { Rule } from './recovery.ts';
import * as t from './tokens.ts';
import { keyword as k } from './tokens.ts';

export class DeclarationRules extends ExpressionRules {
  /** `use nn { linear, relu as r }` */
  useDeclaration: Rule = this.RULE('useDeclaration', () => {
    this.CONSUME(k.use);
    this.OR([{ ALT: () => this.CONSUME(t.Word) }, { ALT: () => this.CONSUME(t.StringToken) }]);
    this.CONSUME(t.LBrace);
    this.SUBRULE(this.usedName);
    this.MANY({
      GATE: () => !this.nextIs(2, t.RBrace),
      DEF: () => {
        this.CONSUME(t.Comma);
        this.SUBRULE2(this.usedName);
      },
    });
    this.OPTION(() => this.CONSUME2(t.Comma));
    this.CONSUME(t.RBrace);
  });

  usedName: Rule = this.RULE('usedName', () => {
    this.CONSUME(t.Word);
    this.OPTION(() => {
      this.CONSUME(k.as);
      this.CONSUME2(t.Word, { LABEL: 'alias' });
    });
  });

  /** `dim N = 3`, `hyper lr = 0.1`, `axis clients = 20` */
  constantDeclaration: Rule = this.RULE('constantDeclaration', () => {
    this.OR([
      { ALT: () => this.CONSUME(k.dim) },
      { ALT: () => this.CONSUME(k.hyper) },
      { ALT: () => this.CONSUME(k.axis) },
    ]);
    this.CONSUME(t.Word);
    this.CONSUME(t.Equals);
    this.SUBRULE(this.expression);
  });

  dataDeclaration: Rule = this.RULE('dataDeclaration', () => {
    this.CONSUME(k.data);
    this.CONSUME(t.Word);
    this.OR([
      {
        ALT: () => {
          this.CONSUME(k.from);
          this.CONSUME(t.StringToken);
          this.OPTION(() => {
            this.CONSUME(t.LBracket);
            this.SUBRULE(this.expression, { LABEL: 'rows' });
            this.CONSUME(t.RBracket);
          });
          this.OPTION2(() => this.SUBRULE(this.dataFields));
        },
      },
      {
        ALT: () => {
          this.CONSUME(t.Equals);
          this.SUBRULE2(this.expression, { LABEL: 'value' });
        },
      },
    ]);
  });

  dataFields: Rule = this.RULE('dataFields', () => {
    this.CONSUME(t.LBrace);
    this.SUBRULE(this.dataField);
    this.MANY({
      GATE: () => !this.nextIs(2, t.RBrace),
      DEF: () => {
        this.CONSUME(t.Comma);
        this.SUBRULE2(this.dataField);
      },
    });
    this.OPTION(() => this.CONSUME2(t.Comma));
    this.CONSUME(t.RBrace);
  });

  /** `x: f32[*, 784] in 0..=255 = "pixels"` */
  dataField: Rule = this.RULE('dataField', () => {
    this.CONSUME(t.Word);
    this.CONSUME(t.Colon);
    this.SUBRULE(this.type);
    this.OPTION(() => {
      this.CONSUME(k.in);
      this.SUBRULE(this.expression, { LABEL: 'range' });
    });
    this.OPTION2(() => {
      this.CONSUME(t.Equals);
      this.SUBRULE2(this.expression, { LABEL: 'column' });
    });
  });

  /** `var x over clients: f32[n] = e`, and `param`, `state`, `frozen` */
  cellDeclaration: Rule = this.RULE('cellDeclaration', () => {
    this.OR([
      { ALT: () => this.CONSUME(k.var) },
      { ALT: () => this.CONSUME(k.param) },
      { ALT: () => this.CONSUME(k.state) },
      { ALT: () => this.CONSUME(k.frozen) },
    ]);
    this.CONSUME(t.Word);
    this.OPTION(() => {
      this.CONSUME(k.over);
      this.SUBRULE(this.postfix, { LABEL: 'over' });
    });
    this.OPTION2(() => {
      this.CONSUME(t.Colon);
      this.SUBRULE(this.type);
    });
    this.OPTION3(() => this.SUBRULE(this.init));
  });

  layerDeclaration: Rule = this.RULE('layerDeclaration', () => {
    this.CONSUME(k.layer);
    this.CONSUME(t.Word);
    this.SUBRULE(this.params);
    this.OPTION(() => {
      this.CONSUME(t.Arrow);
      this.SUBRULE(this.type);
    });
    this.SUBRULE(this.body);
  });

  /** `model M(x) { … }`, or an instance of a layer: `model C[l] = Conv(o: 32)`, `model E = Net from Net` */
  modelDeclaration: Rule = this.RULE('modelDeclaration', () => {
    this.CONSUME(k.model);
    this.CONSUME(t.Word);
    this.OPTION(() => this.SUBRULE(this.member));
    this.OR([
      {
        ALT: () => {
          this.SUBRULE(this.params);
          this.OPTION2(() => {
            this.CONSUME(t.Arrow);
            this.SUBRULE(this.type);
          });
          this.SUBRULE(this.body);
        },
      },
      {
        ALT: () => {
          this.CONSUME(t.Equals);
          this.SUBRULE(this.expression, { LABEL: 'layer' });
          this.OPTION3(() => {
            this.CONSUME(k.from);
            this.SUBRULE2(this.expression, { LABEL: 'from' });
          });
        },
      },
    ]);
  });

  /** `[l]` behind the name of a family's member */
  member: Rule = this.RULE('member', () => {
    this.CONSUME(t.LBracket);
    this.SUBRULE(this.expression);
    this.CONSUME(t.RBracket);
  });

  /** `export opaque fn f(a) -> f32 = e gradient g -> e` */
  fnDeclaration: Rule = this.RULE('fnDeclaration', () => {
    this.OPTION(() => this.CONSUME(k.export));
    this.OPTION2(() => this.CONSUME(k.opaque));
    this.CONSUME(k.fn);
    this.CONSUME(t.Word);
    this.OPTION3(() => this.SUBRULE(this.params));
    this.OPTION4(() => {
      this.CONSUME(t.Arrow);
      this.SUBRULE(this.type);
    });
    this.OR([
      {
        ALT: () => {
          this.CONSUME(t.Equals);
          this.SUBRULE(this.expression);
        },
      },
      { ALT: () => this.SUBRULE(this.body) },
    ]);
    this.OPTION5(() => {
      this.CONSUME(k.gradient);
      this.CONSUME2(t.Word, { LABEL: 'incoming' });
      this.CONSUME2(t.Arrow);
      this.SUBRULE2(this.expression, { LABEL: 'derivative' });
    });
  });

  /** `rule r(lr = 1) for tree (P, G; L) { … }`; the word `tree` is checked when the tree is built */
  ruleDeclaration: Rule = this.RULE('ruleDeclaration', () => {
    this.CONSUME(k.rule);
    this.CONSUME(t.Word);
    this.SUBRULE(this.params);
    this.CONSUME(k.for);
    this.OPTION(() => this.CONSUME2(t.Word, { LABEL: 'tree' }));
    this.CONSUME(t.LParen);
    this.CONSUME3(t.Word, { LABEL: 'value' });
    this.OPTION2(() => {
      this.CONSUME(t.Colon);
      this.SUBRULE(this.type);
    });
    this.CONSUME(t.Comma);
    this.CONSUME4(t.Word, { LABEL: 'direction' });
    this.OPTION3(() => {
      this.CONSUME(t.Semicolon);
      this.CONSUME5(t.Word, { LABEL: 'objective' });
    });
    this.CONSUME(t.RParen);
    this.SUBRULE(this.body);
  });

  /** `estimator e(eps = 1) for (L over e, P) { … }` and `aggregator a() for (Gs, P) { … }` */
  estimatorDeclaration: Rule = this.RULE('estimatorDeclaration', () => {
    this.OR([{ ALT: () => this.CONSUME(k.estimator) }, { ALT: () => this.CONSUME(k.aggregator) }]);
    this.CONSUME(t.Word);
    this.SUBRULE(this.params);
    this.CONSUME(k.for);
    this.CONSUME(t.LParen);
    this.CONSUME2(t.Word, { LABEL: 'first' });
    this.OPTION(() => {
      this.CONSUME(k.over);
      this.CONSUME3(t.Word, { LABEL: 'over' });
    });
    this.CONSUME(t.Comma);
    this.CONSUME4(t.Word, { LABEL: 'cells' });
    this.CONSUME(t.RParen);
    this.SUBRULE(this.body);
  });

  solverDeclaration: Rule = this.RULE('solverDeclaration', () => {
    this.CONSUME(k.solver);
    this.CONSUME(t.Word);
    this.SUBRULE(this.params);
    this.CONSUME(k.for);
    this.CONSUME2(t.Word, { LABEL: 'problemClass' });
    this.SUBRULE(this.classHeader);
    this.SUBRULE(this.body);
  });

  classDeclaration: Rule = this.RULE('classDeclaration', () => {
    this.CONSUME(k.class);
    this.CONSUME(t.Word);
    this.SUBRULE(this.classHeader);
    this.SUBRULE(this.body);
  });

  /** `(x in X, y; F, f, g)` */
  classHeader: Rule = this.RULE('classHeader', () => {
    this.CONSUME(t.LParen);
    this.OPTION(() => this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => this.SUBRULE(this.classVariable) }));
    this.OPTION2(() => {
      this.CONSUME(t.Semicolon);
      this.SUBRULE(this.names);
    });
    this.CONSUME(t.RParen);
  });

  classVariable: Rule = this.RULE('classVariable', () => {
    this.CONSUME(t.Word);
    this.OPTION(() => {
      this.CONSUME(k.in);
      this.CONSUME2(t.Word, { LABEL: 'set' });
    });
  });

  /** `set box(lo, hi) for x { project = e  contains = e }`; members need no separator */
  setDeclaration: Rule = this.RULE('setDeclaration', () => {
    this.CONSUME(k.set);
    this.CONSUME(t.Word);
    this.OPTION(() => this.SUBRULE(this.params));
    this.CONSUME(k.for);
    this.CONSUME2(t.Word, { LABEL: 'variable' });
    this.CONSUME(t.LBrace);
    this.MANY(() => {
      this.SUBRULE(this.setMember);
      this.OPTION2(() => this.CONSUME(t.Separator));
    });
    this.CONSUME(t.RBrace);
  });

  setMember: Rule = this.RULE('setMember', () => {
    this.CONSUME(t.Word);
    this.CONSUME(t.Equals);
    this.SUBRULE(this.expression);
  });

  problemDeclaration: Rule = this.RULE('problemDeclaration', () => {
    this.CONSUME(k.problem);
    this.CONSUME(t.Word);
    this.OPTION(() => this.SUBRULE(this.params));
    this.SUBRULE(this.body);
  });

  trialDeclaration: Rule = this.RULE('trialDeclaration', () => {
    this.CONSUME(k.trial);
    this.CONSUME(t.Word);
    this.OR([
      {
        ALT: () => {
          this.SUBRULE(this.params);
          this.SUBRULE(this.body);
        },
      },
      {
        ALT: () => {
          this.CONSUME(t.Equals);
          this.SUBRULE(this.expression);
        },
      },
    ]);
  });

  /** `run a = fit(x) may fail`, `run r[l] = …` */
  runDeclaration: Rule = this.RULE('runDeclaration', () => {
    this.CONSUME(k.run);
    this.CONSUME(t.Word);
    this.OPTION(() => this.SUBRULE(this.member));
    this.CONSUME(t.Equals);
    this.SUBRULE(this.expression);
    this.OPTION2(() => {
      this.CONSUME(k.may);
      this.CONSUME(k.fail);
    });
  });
}

/** First tokens of declarations, for messages. */
export const declarationWords: readonly TokenType[] = [
  k.use,
  k.dim,
  k.hyper,
  k.axis,
  k.data,
  k.var,
  k.layer,
  k.model,
  k.fn,
  k.rule,
  k.trial,
  k.run,
];
