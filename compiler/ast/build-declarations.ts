/** Concrete to abstract syntax: declarations. */
import { ExpressionBuilder } from './build-expressions.ts';
import { has, nodes, only, optionalNode, optionalToken, token, tokens, tokenSpan } from './cst.ts';
import type { CstNode } from './cst.ts';
import type * as ast from './nodes.ts';

export abstract class DeclarationBuilder extends ExpressionBuilder {
  protected use(node: CstNode): ast.UseDecl {
    const text = optionalToken(node, 'String');
    return {
      kind: 'use',
      module: text
        ? { kind: 'string', value: text.image.slice(1, -1), span: tokenSpan(this.file, text) }
        : this.name(token(node, 'Word')),
      names: nodes(node, 'usedName').map((n) => {
        const alias = optionalToken(n, 'alias');
        return { name: this.name(token(n, 'Word')), ...(alias ? { as: this.name(alias) } : {}) };
      }),
      span: this.span(node),
    };
  }

  protected constant(node: CstNode): ast.DimDecl | ast.HyperDecl | ast.AxisDecl {
    const common = { name: this.name(token(node, 'Word')), span: this.span(node) };
    const value = this.expression(only(node, 'expression'));
    if (has(node, 'AXIS')) return { kind: 'axis', size: value, ...common };
    return has(node, 'DIM') ? { kind: 'dim', value, ...common } : { kind: 'hyper', value, ...common };
  }

  protected data(node: CstNode): ast.DataDecl {
    const from = optionalToken(node, 'String');
    const rows = optionalNode(node, 'rows');
    const fields = optionalNode(node, 'dataFields');
    const value = optionalNode(node, 'value');
    return {
      kind: 'data',
      name: this.name(token(node, 'Word')),
      ...(from ? { from: { kind: 'string', value: from.image.slice(1, -1), span: tokenSpan(this.file, from) } } : {}),
      ...(rows ? { rows: this.expression(rows) } : {}),
      ...(fields ? { fields: nodes(fields, 'dataField').map((n) => this.dataField(n)) } : {}),
      ...(value ? { value: this.expression(value) } : {}),
      span: this.span(node),
    };
  }

  private dataField(node: CstNode): ast.DataField {
    const range = optionalNode(node, 'range');
    const column = optionalNode(node, 'column');
    return {
      name: this.name(token(node, 'Word')),
      type: this.type(only(node, 'type')),
      ...(range ? { range: this.expression(range) } : {}),
      ...(column ? { column: this.expression(column) } : {}),
      span: this.span(node),
    };
  }

  protected cell(node: CstNode): ast.CellDecl {
    const over = optionalNode(node, 'over');
    const type = optionalNode(node, 'type');
    const init = optionalNode(node, 'init');
    const word = has(node, 'VAR') ? 'var' : has(node, 'PARAM') ? 'param' : has(node, 'STATE') ? 'state' : 'frozen';
    return {
      kind: 'cell',
      word,
      name: this.name(token(node, 'Word')),
      ...(over ? { over: this.postfix(over) } : {}),
      ...(type ? { type: this.type(type) } : {}),
      ...(init ? { init: this.init(init) } : {}),
      span: this.span(node),
    };
  }

  private signature(node: CstNode) {
    const result = optionalNode(node, 'type');
    return {
      name: this.name(token(node, 'Word')),
      params: this.params(only(node, 'params')),
      ...(result ? { result: this.type(result) } : {}),
      body: this.body(only(node, 'body'), true),
      span: this.span(node),
    };
  }

  protected layer(node: CstNode): ast.LayerDecl {
    return { kind: 'layer', ...this.signature(node) };
  }

  protected model(node: CstNode): ast.ModelDecl | ast.ModelInstance {
    const layer = optionalNode(node, 'layer');
    const member = optionalNode(node, 'member');
    if (!layer) {
      if (member)
        this.report('OPT119', this.span(member), 'a model with a body cannot be a member of a family', {
          hint: "declare a layer and write 'model C[l] = Layer'",
        });
      return { kind: 'model', ...this.signature(node) };
    }
    const from = optionalNode(node, 'from');
    return {
      kind: 'modelInstance',
      name: this.name(token(node, 'Word')),
      ...(member ? { member: this.member(member) } : {}),
      layer: this.expression(layer),
      ...(from ? { from: this.expression(from) } : {}),
      span: this.span(node),
    };
  }

  protected member(node: CstNode): ast.Expr {
    return this.expression(only(node, 'expression'));
  }

  protected fn(node: CstNode): ast.FnDecl | ast.ExportDecl {
    const params = optionalNode(node, 'params');
    const result = optionalNode(node, 'type');
    const braces = optionalNode(node, 'body');
    const incoming = optionalToken(node, 'incoming');
    const span = this.span(node);
    const fn: ast.FnDecl = {
      kind: 'fn',
      name: this.name(token(node, 'Word')),
      ...(params ? { params: this.params(params) } : {}),
      ...(result ? { result: this.type(result) } : {}),
      body: braces ? this.body(braces, true) : this.oneExpression(only(node, 'expression')),
      braces: braces !== undefined,
      ...(incoming
        ? {
            gradient: {
              name: this.name(incoming),
              body: this.expression(only(node, 'derivative')),
              span: { file: this.file, start: token(node, 'GRADIENT').startOffset, end: span.end },
            },
          }
        : {}),
      opaque: has(node, 'OPAQUE'),
      span,
    };
    return has(node, 'EXPORT') ? { kind: 'export', fn, span } : fn;
  }

  private oneExpression(node: CstNode): ast.Body {
    const value = this.expression(node);
    return { statements: [], value, span: value.span };
  }

  protected rule(node: CstNode): ast.RuleDecl {
    const tree = optionalToken(node, 'tree');
    const valueType = optionalNode(node, 'type');
    const objective = optionalToken(node, 'objective');
    if (tree && tree.image !== 'tree')
      this.report(
        'OPT119',
        tokenSpan(this.file, tree),
        `a rule is written 'for (p, g)' or 'for tree (P, G)', not 'for ${tree.image}'`,
        { hint: "write 'for tree (P, G)' to see the whole group at once" },
      );
    return {
      kind: 'rule',
      name: this.name(token(node, 'Word')),
      params: this.params(only(node, 'params')),
      tree: tree !== undefined,
      value: this.name(token(node, 'value')),
      ...(valueType ? { valueType: this.type(valueType) } : {}),
      gradient: this.name(token(node, 'direction')),
      ...(objective ? { objective: this.name(objective) } : {}),
      body: this.body(only(node, 'body'), false),
      span: this.span(node),
    };
  }

  protected estimator(node: CstNode): ast.EstimatorDecl | ast.AggregatorDecl {
    const common = {
      name: this.name(token(node, 'Word')),
      params: this.params(only(node, 'params')),
      cells: this.name(token(node, 'cells')),
      body: this.body(only(node, 'body'), true),
      span: this.span(node),
    };
    const first = this.name(token(node, 'first'));
    const over = optionalToken(node, 'over');
    if (has(node, 'ESTIMATOR'))
      return { kind: 'estimator', objective: first, ...(over ? { over: this.name(over) } : {}), ...common };
    if (over)
      this.report('OPT119', tokenSpan(this.file, over), "an aggregator has no 'over': it sees directions only", {
        hint: "write 'for (Gs, P)'",
      });
    return { kind: 'aggregator', directions: first, ...common };
  }

  private classHeader(node: CstNode) {
    const parts = optionalNode(node, 'names');
    return {
      variables: nodes(node, 'classVariable').map((n) => {
        const set = optionalToken(n, 'set');
        return { name: this.name(token(n, 'Word')), ...(set ? { set: this.name(set) } : {}) };
      }),
      parts: parts ? this.names(parts) : [],
    };
  }

  protected solver(node: CstNode): ast.SolverDecl {
    return {
      kind: 'solver',
      name: this.name(token(node, 'Word')),
      params: this.params(only(node, 'params')),
      problemClass: this.name(token(node, 'problemClass')),
      ...this.classHeader(only(node, 'classHeader')),
      body: this.body(only(node, 'body'), false),
      span: this.span(node),
    };
  }

  protected class(node: CstNode): ast.ClassDecl {
    return {
      kind: 'class',
      name: this.name(token(node, 'Word')),
      ...this.classHeader(only(node, 'classHeader')),
      body: this.body(only(node, 'body'), false),
      span: this.span(node),
    };
  }

  protected set(node: CstNode): ast.SetDecl {
    const params = optionalNode(node, 'params');
    const open = token(node, 'LBrace');
    const span = this.span(node);
    return {
      kind: 'set',
      name: this.name(token(node, 'Word')),
      params: params ? this.params(params) : [],
      variable: this.name(token(node, 'variable')),
      body: {
        statements: nodes(node, 'setMember').map((n) => this.setMember(n)),
        span: { file: this.file, start: open.startOffset, end: span.end },
      },
      span,
    };
  }

  private setMember(node: CstNode): ast.SetMember {
    return {
      kind: 'setMember',
      name: this.name(token(node, 'Word')),
      value: this.expression(only(node, 'expression')),
      span: this.span(node),
    };
  }

  protected problem(node: CstNode): ast.ProblemDecl {
    const params = optionalNode(node, 'params');
    return {
      kind: 'problem',
      name: this.name(token(node, 'Word')),
      params: params ? this.params(params) : [],
      body: this.body(only(node, 'body'), false),
      span: this.span(node),
    };
  }

  protected trial(node: CstNode): ast.TrialDecl {
    const params = optionalNode(node, 'params');
    return {
      kind: 'trial',
      name: this.name(token(node, 'Word')),
      params: params ? this.params(params) : [],
      ...(params
        ? { body: this.body(only(node, 'body'), false) }
        : { alias: this.expression(only(node, 'expression')) }),
      span: this.span(node),
    };
  }

  protected run(node: CstNode): ast.RunDecl {
    const member = optionalNode(node, 'member');
    return {
      kind: 'run',
      name: this.name(tokens(node, 'Word')[0]),
      ...(member ? { member: this.member(member) } : {}),
      value: this.expression(only(node, 'expression')),
      mayFail: has(node, 'FAIL'),
      span: this.span(node),
    };
  }
}
