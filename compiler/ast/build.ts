/**
 * Concrete to abstract syntax: statements, bodies and the whole file. Input: a syntax tree without errors and the comments; output: a
 * `Module` and the faults that only show here. What `if`, `map` and `solve` are at the start of a statement is decided by position:
 * the value of a body where a value is wanted and all their branches have one, a statement elsewhere.
 */
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { Source } from '../source/source.ts';
import { DeclarationBuilder } from './build-declarations.ts';
import { has, nodes, only, optionalNode, optionalToken, token, tokenSpan } from './cst.ts';
import { falseContinuations } from './continuation.ts';
import { asStatement, givesValue } from './statement-forms.ts';
import type { CstNode, IToken } from './cst.ts';
import type * as ast from './nodes.ts';

export interface Built {
  readonly module: ast.Module;
  readonly diagnostics: readonly Diagnostic[];
}

/** Builds the syntax tree of a whole file. */
export function build(file: CstNode, comments: readonly IToken[], source: Source): Built {
  const builder = new StatementBuilder(source, comments);
  return { module: builder.module(file), diagnostics: builder.diagnostics };
}

class StatementBuilder extends DeclarationBuilder {
  private readonly comments: readonly IToken[];
  /** Comments that stand alone on their line, by line. */
  private readonly commentLines = new Map<number, string>();

  constructor(source: Source, comments: readonly IToken[]) {
    super(source);
    this.comments = comments;
    for (const comment of comments) {
      const { line, column } = source.position(comment.startOffset);
      if (
        source
          .line(line)
          .slice(0, column - 1)
          .trim() === ''
      )
        this.commentLines.set(line, comment.image.slice(2).replace(/^ /, '').trimEnd());
    }
  }

  module(file: CstNode): ast.Module {
    return {
      kind: 'module',
      file: this.file,
      statements: this.statements(optionalNode(file, 'statements'), false).statements,
      comments: this.comments.map((c) => ({ text: c.image.trimEnd(), span: tokenSpan(this.file, c) })),
      span: { file: this.file, start: 0, end: this.source.text.length },
    };
  }

  override body(node: CstNode, valued: boolean): ast.Body {
    return { ...this.statements(optionalNode(node, 'statements'), valued), span: this.span(node) };
  }

  private statements(node: CstNode | undefined, valued: boolean): { statements: ast.Stmt[]; value?: ast.Expr } {
    const raw = node ? nodes(node, 'statement').map((n) => this.statement(n)) : [];
    this.diagnostics.push(...falseContinuations(raw, this.source));
    const last = raw.at(-1);
    if (valued && last?.kind === 'expr') {
      const { expr } = last;
      const whole =
        expr.parenthesized ||
        (expr.kind === 'ifExpr' ? givesValue(expr) : expr.kind !== 'map' || expr.body.value !== undefined);
      if (whole)
        return { statements: raw.slice(0, -1).map((s) => (s.kind === 'expr' ? asStatement(s) : s)), value: expr };
    }
    return { statements: raw.map((s) => (s.kind === 'expr' ? asStatement(s) : s)) };
  }

  /** Comment lines directly above a line. */
  private docAbove(offset: number): string[] {
    const lines: string[] = [];
    for (let line = this.source.position(offset).line - 1; this.commentLines.has(line); line--)
      lines.unshift(this.commentLines.get(line) as string);
    return lines;
  }

  private statement(node: CstNode): ast.Stmt {
    const parts = Object.entries(node.children).filter(([name]) => name !== 'allowBefore' && name !== 'allowAfter');
    const inner = parts[0][1][0] as CstNode;
    const allow = [...nodes(node, 'allowBefore'), ...nodes(node, 'allowAfter')].flatMap((n) =>
      this.names(only(n, 'names')),
    );
    const doc = this.docAbove(this.span(node).start);
    return {
      ...this.plainStatement(inner),
      ...(allow.length > 0 ? { allow } : {}),
      ...(doc.length > 0 ? { doc } : {}),
    };
  }

  private plainStatement(node: CstNode): ast.Stmt {
    const span = this.span(node);
    switch (node.name) {
      case 'useDeclaration':
        return this.use(node);
      case 'constantDeclaration':
        return this.constant(node);
      case 'dataDeclaration':
        return this.data(node);
      case 'cellDeclaration':
        return this.cell(node);
      case 'layerDeclaration':
        return this.layer(node);
      case 'modelDeclaration':
        return this.model(node);
      case 'fnDeclaration':
        return this.fn(node);
      case 'ruleDeclaration':
        return this.rule(node);
      case 'estimatorDeclaration':
        return this.estimator(node);
      case 'solverDeclaration':
        return this.solver(node);
      case 'classDeclaration':
        return this.class(node);
      case 'setDeclaration':
        return this.set(node);
      case 'problemDeclaration':
        return this.problem(node);
      case 'trialDeclaration':
        return this.trial(node);
      case 'runDeclaration':
        return this.run(node);
      case 'letStatement':
        return this.letStatement(node);
      case 'sampleStatement':
        return { kind: 'sample', name: this.name(token(node, 'Word')), draw: this.draw(only(node, 'draw')), span };
      case 'batchStatement':
        return {
          kind: 'batch',
          name: this.name(token(node, 'Word')),
          value: this.expression(only(node, 'expression')),
          span,
        };
      case 'updateStatement':
        return this.update(node);
      case 'trainStatement':
        return this.train(node);
      case 'evalStatement':
        return this.eval(node);
      case 'metricStatement': {
        const member = optionalNode(node, 'member');
        return {
          kind: 'metric',
          name: this.name(token(node, 'Word')),
          ...(member ? { member: this.member(member) } : {}),
          value: this.expression(only(node, 'expression')),
          span,
        };
      }
      case 'reportStatement':
        return { kind: 'report', items: nodes(node, 'reportItem').map((n) => this.reportItem(n)), span };
      case 'expectStatement':
        return this.expect(node);
      case 'emitStatement':
        return { kind: has(node, 'EMIT') ? 'emit' : 'next', value: this.expression(only(node, 'expression')), span };
      case 'endWhenStatement':
        return this.endWhen(node);
      case 'multipliersStatement':
        return {
          kind: 'multipliers',
          constraint: this.name(token(node, 'Word')),
          value: this.expression(only(node, 'expression')),
          span,
        };
      case 'expressionStatement':
        return this.expressionStatement(node);
      default:
        return this.loopOrProblemPart(node);
    }
  }

  private loopOrProblemPart(node: CstNode): ast.Stmt {
    const span = this.span(node);
    switch (node.name) {
      case 'repeatStatement': {
        const max = optionalNode(node, 'max');
        const as = optionalToken(node, 'Word');
        return {
          kind: 'repeat',
          count: this.headExpression(only(node, 'headExpression')),
          ...(max ? { max: this.operation(max) } : {}),
          ...(as ? { as: this.name(as) } : {}),
          restart: has(node, 'RESTART'),
          body: this.body(only(node, 'body'), false),
          span,
        };
      }
      case 'whileStatement':
        return {
          kind: 'while',
          condition: this.operation(only(node, 'condition')),
          max: this.operation(only(node, 'max')),
          body: this.body(only(node, 'body'), false),
          span,
        };
      case 'forStatement':
        return this.forStatement(node);
      case 'everyStatement':
        return {
          kind: 'every',
          period: this.operation(only(node, 'operation')),
          body: this.body(only(node, 'body'), false),
          span,
        };
      case 'firstStatement':
        return { kind: has(node, 'FIRST') ? 'first' : 'together', body: this.body(only(node, 'body'), false), span };
      case 'overStatement':
        return this.over(node);
      case 'objectiveStatement':
        return this.objective(node);
      case 'constraintStatement':
        return this.constraint(node);
      case 'lowerLevelStatement':
        return {
          kind: 'lowerLevel',
          variables: this.names(only(node, 'names')),
          body: this.body(only(node, 'body'), false),
          span,
        };
      default:
        return {
          kind: 'player',
          name: this.name(token(node, 'Word')),
          moves: nodes(node, 'moves').map((n) => this.postfix(n)),
          sense: has(node, 'MINIMIZES') ? 'minimizes' : 'maximizes',
          value: this.expression(only(node, 'expression')),
          span,
        };
    }
  }

  private forStatement(node: CstNode): ast.ForStmt {
    const over = this.operation(only(node, 'operation'));
    if (over.kind === 'number')
      this.report('OPT119', over.span, "'for' runs over a static range or list, not over a number", {
        hint: `write '0..${over.text}', or 'repeat ${over.text} as i { … }'`,
      });
    const name = this.name(token(node, 'Word'));
    return { kind: 'for', name, over, body: this.body(only(node, 'body'), false), span: this.span(node) };
  }

  private letStatement(node: CstNode): ast.LetStmt | ast.LetMember {
    const span = this.span(node);
    const value = this.expression(only(node, 'expression'));
    const typeNode = optionalNode(node, 'type');
    const type = typeNode && this.type(typeNode);
    const member = optionalNode(node, 'member');
    if (member) {
      if (type)
        this.report('OPT119', type.span, 'a member of a family takes the type of its value', {
          hint: 'leave the type off',
        });
      return { kind: 'letMember', name: this.name(token(node, 'Word')), member: this.member(member), value, span };
    }
    const tuple = optionalNode(node, 'tuplePattern');
    const word = optionalToken(node, 'Word');
    const pattern: ast.Pattern = tuple
      ? this.tuplePattern(tuple)
      : { kind: 'bind', name: this.name(word as IToken), span: tokenSpan(this.file, word as IToken) };
    return { kind: 'let', pattern, ...(type ? { type } : {}), value, span };
  }

  private update(node: CstNode): ast.UpdateStmt {
    const objective = optionalNode(node, 'objective');
    const along = optionalNode(node, 'along');
    const estimator = optionalNode(node, 'with');
    const value = objective && this.operation(objective);
    const list = value?.kind === 'bracelist' && !value.parenthesized ? value.items : undefined;
    return {
      kind: 'update',
      targets: nodes(node, 'targets').map((n) => this.postfix(n)),
      by: this.pipeline(only(node, 'by')),
      ...(objective ? { sense: has(node, 'MINIMIZING') ? 'minimizing' : 'maximizing' } : {}),
      objectives: list ?? (value ? [value] : []),
      ...(list?.length === 1 ? { listed: true } : {}),
      ...(along ? { along: this.operation(along) } : {}),
      ...(estimator ? { with: this.pipeline(estimator) } : {}),
      span: this.span(node),
    };
  }

  private train(node: CstNode): ast.TrainStmt {
    const until = optionalNode(node, 'until');
    const as = optionalToken(node, 'Word');
    return {
      kind: 'train',
      steps: this.headExpression(only(node, 'steps')),
      ...(until ? { until: this.headExpression(until) } : {}),
      ...(as ? { name: this.name(as) } : {}),
      body: this.body(only(node, 'body'), false),
      span: this.span(node),
    };
  }

  private eval(node: CstNode): ast.EvalStmt {
    const every = optionalNode(node, 'every');
    const over = optionalNode(node, 'over');
    const as = optionalToken(node, 'Word');
    const chunks = optionalNode(node, 'chunks');
    return {
      kind: 'eval',
      at: nodes(node, 'at').map((n) => {
        const expr = this.operation(n);
        return expr.kind === 'name' && expr.name === 'end' ? { kind: 'end' as const, span: expr.span } : expr;
      }),
      ...(every ? { every: this.operation(every) } : {}),
      ...(over ? { over: this.headExpression(over) } : {}),
      ...(as ? { as: this.name(as) } : {}),
      ...(chunks ? { chunks: this.operation(chunks) } : {}),
      body: this.body(only(node, 'body'), false),
      span: this.span(node),
    };
  }

  private reportItem(node: CstNode) {
    const value = optionalNode(node, 'expression');
    return { name: this.name(token(node, 'Word')), ...(value ? { value: this.expression(value) } : {}) };
  }

  private expect(node: CstNode): ast.ExpectStmt {
    const claim = this.operation(only(node, 'claim'));
    const reason = optionalToken(node, 'String');
    const word = optionalToken(node, 'Word');
    const range = optionalNode(node, 'seeds');
    if (word && word.image !== 'seeds')
      this.report('OPT119', tokenSpan(this.file, word), `a claim is made 'over seeds', not 'over ${word.image}'`, {
        hint: "write 'over seeds 1..=3'",
      });
    const seeds = range && this.operation(range);
    if (seeds && seeds.kind !== 'range')
      this.report('OPT119', seeds.span, 'the seeds of a claim are a range', { hint: "write 'over seeds 1..=3'" });
    return {
      kind: 'expect',
      ...(has(node, 'FAILS')
        ? {
            fails: {
              run: claim,
              ...(reason
                ? {
                    reason: {
                      kind: 'string' as const,
                      value: reason.image.slice(1, -1),
                      span: tokenSpan(this.file, reason),
                    },
                  }
                : {}),
            },
          }
        : { claim }),
      ...(seeds?.kind === 'range' ? { seeds } : {}),
      span: this.span(node),
    };
  }

  private endWhen(node: CstNode): ast.StopWhenStmt | ast.FailWhenStmt {
    const span = this.span(node);
    const condition = this.operation(only(node, 'operation'));
    const reason = optionalToken(node, 'String');
    if (has(node, 'FAIL'))
      return {
        kind: 'failWhen',
        condition,
        ...(reason
          ? { reason: { kind: 'string', value: reason.image.slice(1, -1), span: tokenSpan(this.file, reason) } }
          : {}),
        span,
      };
    if (reason)
      this.report('OPT119', tokenSpan(this.file, reason), "'stop when' ends well and has no reason", {
        hint: 'write \'fail when … as "reason"\' for a failure',
      });
    return { kind: 'stopWhen', condition, span };
  }

  private over(node: CstNode): ast.OverStmt {
    const type = optionalNode(node, 'type');
    const set = optionalNode(node, 'set');
    const init = optionalNode(node, 'init');
    return {
      kind: 'over',
      name: this.name(token(node, 'Word')),
      ...(type ? { type: this.type(type) } : {}),
      ...(set ? { set: this.operation(set) } : {}),
      ...(init ? { init: this.init(init) } : {}),
      span: this.span(node),
    };
  }

  private objective(node: CstNode): ast.ObjectiveStmt {
    const item = only(node, 'item');
    const first = this.expression(only(item, 'expression'));
    const value = optionalNode(item, 'value');
    return {
      kind: 'objective',
      sense: has(node, 'MINIMIZE') ? 'minimize' : 'maximize',
      ...(value ? { name: this.plainName(first, 'the name of an objective') } : {}),
      value: value ? this.expression(value) : first,
      span: this.span(node),
    };
  }

  private constraint(node: CstNode): ast.ConstraintStmt {
    const forallNode = optionalNode(node, 'forallPart');
    const first = optionalNode(node, 'expression');
    const relationNode = forallNode
      ? only(forallNode, 'expression')
      : (optionalNode(node, 'relation') ?? (first as CstNode));
    const relation = this.expression(relationNode);
    const named =
      first && first !== relationNode ? this.plainName(this.expression(first), 'the name of a constraint') : undefined;
    if (relation.kind !== 'binary' || !['==', '<=', '>='].includes(relation.op)) {
      this.report('OPT117', relation.span, "a constraint is a relation with '==', '<=' or '>='", {
        hint:
          relation.kind === 'binary' && (relation.op === '<' || relation.op === '>')
            ? `write '${relation.op}=': strict constraints have no solution on their boundary`
            : "write 'subject to name: a == b'",
      });
    }
    return {
      kind: 'constraint',
      ...(named ? { name: named } : {}),
      affine: has(node, 'AFFINE'),
      ...(forallNode
        ? {
            forall: { name: this.name(token(forallNode, 'Word')), over: this.operation(only(forallNode, 'operation')) },
          }
        : {}),
      relation,
      span: this.span(node),
    };
  }

  private expressionStatement(node: CstNode): ast.ExprStmt | ast.WriteStmt {
    const span = this.span(node);
    const expr = this.expression(only(node, 'expression'));
    const written = optionalNode(node, 'written');
    if (!written) return { kind: 'expr', expr, span };
    const writable = (e: ast.Expr): boolean =>
      ['name', 'member', 'index'].includes(e.kind) || (e.kind === 'tuple' && e.items.every(writable));
    if (!writable(expr))
      this.report('OPT119', expr.span, "only a cell, a part of one, or a tuple of them can be written with '<-'", {
        hint: "the target of '<-' is a name, such as 'x <- x + 1'",
      });
    return { kind: 'write', target: expr, value: this.expression(written), span };
  }
}
