/**
 * Concrete to abstract syntax: expressions.
 *
 * The grammar gives operands and operators as flat lists; here precedence is applied with an operator stack (no recursion, so a long
 * chain cannot overflow). Faults that the grammar lets through for the sake of better messages (a field that is no name, a chained
 * comparison) are reported here.
 */
import { cover } from '../source/source.ts';
import type { Span } from '../source/source.ts';
import { PartBuilder } from './build-parts.ts';
import { choice, has, isToken, nodes, only, optionalNode, optionalToken, token, tokens, tokenSpan } from './cst.ts';
import type { CstNode, IToken } from './cst.ts';
import type * as ast from './nodes.ts';

const precedence: Record<string, number> = {
  or: 1, and: 2, '==': 3, '!=': 3, '<': 3, '<=': 3, '>': 3, '>=': 3, '~=': 3, within: 3, '..': 4, '..=': 4, '+': 5, '-': 5,
  '*': 6, '/': 6, '@': 6, div: 6, mod: 6, '^': 8,
}; // prettier-ignore
const comparisonLevel = 3;
const rangeLevel = 4;
const prefixLevel = 7;
const powerLevel = 8;

/** Largest finite f32. */
const largestF32 = 3.4028234663852886e38;

type Pending = { readonly op: IToken; readonly level: number; readonly prefix: boolean };

export abstract class ExpressionBuilder extends PartBuilder {
  // ---------------------------------------------------------------- operators

  override expression(node: CstNode): ast.Expr {
    const stages = nodes(node, 'operation').map((n) => this.operation(n));
    const otherwise = optionalNode(node, 'expression');
    if (stages.length === 1 && !otherwise) return stages[0];
    const span = this.span(node);
    const rest = otherwise && this.expression(otherwise);
    const pipeline: ast.Pipeline = {
      span,
      stages,
      ...(rest ? { otherwise: rest.kind === 'pipeline' ? rest.pipeline : { stages: [rest], span: rest.span } } : {}),
    };
    return { kind: 'pipeline', pipeline, span };
  }

  /** Applies precedence to `operand (operator operand)*` by the shunting-yard method. */
  operation(node: CstNode): ast.Expr {
    const operands = nodes(node, 'operand');
    const operators = tokens(node, 'BinaryOperator');
    const values: ast.Expr[] = [];
    const stack: Pending[] = [];
    this.pushOperand(operands[0], values, stack);
    for (let i = 0; i < operators.length; i++) {
      const op = operators[i];
      const level = precedence[op.image];
      while (stack.length > 0) {
        const top = stack[stack.length - 1];
        if (top.level < level || (top.level === level && level === powerLevel)) break;
        stack.pop();
        if (top.level === level && (level === comparisonLevel || level === rangeLevel)) this.checkChain(top.op, op);
        this.reduce(top, values);
      }
      stack.push({ op, level, prefix: false });
      this.pushOperand(operands[i + 1], values, stack);
    }
    while (stack.length > 0) this.reduce(stack.pop() as Pending, values);
    return values[0];
  }

  /** An operand with its prefixes, where it stands alone. */
  operand(node: CstNode): ast.Expr {
    const values: ast.Expr[] = [];
    const stack: Pending[] = [];
    this.pushOperand(node, values, stack);
    while (stack.length > 0) this.reduce(stack.pop() as Pending, values);
    return values[0];
  }

  private pushOperand(node: CstNode, values: ast.Expr[], stack: Pending[]): void {
    for (const op of tokens(node, 'prefix')) stack.push({ op, level: prefixLevel, prefix: true });
    values.push(this.postfix(only(node, 'postfix')));
  }

  private reduce(pending: Pending, values: ast.Expr[]): void {
    const opSpan = tokenSpan(this.file, pending.op);
    const right = values.pop() as ast.Expr;
    if (pending.prefix) {
      values.push(this.prefixed(pending.op.image, right, cover(opSpan, right.span)));
      return;
    }
    const left = values.pop() as ast.Expr;
    const span = cover(left.span, right.span);
    const op = pending.op.image;
    if (op === '..' || op === '..=') values.push({ kind: 'range', lo: left, hi: right, closed: op === '..=', span });
    else if (op === 'within') values.push(this.withTolerance(left, right, opSpan, span));
    else values.push({ kind: 'binary', op: op as ast.BinaryOp, left, right, opSpan, span });
  }

  private prefixed(op: string, operand: ast.Expr, span: Span): ast.Expr {
    if (op === 'fresh') return { kind: 'fresh', expr: operand, span };
    if (op === 'each') return { kind: 'each', values: operand, span };
    return { kind: 'unary', op: op as '-' | 'not', operand, span };
  }

  private withTolerance(left: ast.Expr, tolerance: ast.Expr, opSpan: Span, span: Span): ast.Expr {
    if (left.kind === 'binary' && left.op === '~=' && !left.within) return { ...left, within: tolerance, span };
    this.report('OPT110', opSpan, "'within' gives the tolerance of '~=' and stands only behind it", {
      hint: "write 'a ~= b within t'",
    });
    return left;
  }

  private checkChain(first: IToken, second: IToken): void {
    if (second.image === 'within') return;
    const range = second.image.startsWith('..');
    this.report(
      'OPT110',
      tokenSpan(this.file, second),
      range
        ? 'ranges cannot be chained'
        : `comparisons cannot be chained: '${first.image}' and '${second.image}' stand in one row`,
      {
        labels: [{ span: tokenSpan(this.file, first), text: range ? 'the first range' : 'the first comparison' }],
        hint: range ? "a range has two ends: 'a..b'" : "write 'a < b and b < c'",
      },
    );
  }

  // ---------------------------------------------------------------- postfix

  override postfix(node: CstNode): ast.Expr {
    let expr = this.primary(only(node, 'primary'));
    for (const suffix of nodes(node, 'suffix')) {
      const span = cover(expr.span, this.span(suffix));
      const inner = choice(suffix) as CstNode;
      switch (inner.name) {
        case 'memberSuffix':
          expr = { kind: 'member', object: expr, name: this.name(token(inner, 'Word')), span };
          break;
        case 'indexSuffix':
          expr = {
            kind: 'index',
            object: expr,
            items: nodes(inner, 'indexItem').map((n) => this.indexItem(n)),
            replacement: has(inner, 'REPLACEMENT'),
            ...(has(inner, 'WEIGHTS') ? { weights: this.expression(only(inner, 'expression')) } : {}),
            span,
          };
          break;
        case 'callSuffix': {
          const as = optionalToken(inner, 'Word');
          expr = {
            kind: 'call',
            callee: expr,
            args: this.args(only(inner, 'args')),
            ...(as ? { as: this.name(as) } : {}),
            span,
          };
          break;
        }
        case 'atSuffix':
          expr = this.at(expr, inner, span);
          break;
        default:
          expr = { kind: 'with', expr, pipeline: this.withPipeline(inner), span };
      }
    }
    return expr;
  }

  private indexItem(node: CstNode): ast.IndexItem {
    if (has(node, 'Colon')) return { kind: 'all', span: this.span(node) };
    if (has(node, 'NEW')) return { kind: 'new', span: this.span(node) };
    const expr = this.expression(only(node, 'expression'));
    const cap = optionalNode(node, 'cap');
    return cap ? { kind: 'capped', count: expr, max: this.expression(cap) } : { kind: 'at', expr };
  }

  override args(node: CstNode): ast.Arg[] {
    const seen = new Set<string>();
    return nodes(node, 'item').map((item) => {
      const span = this.span(item);
      const first = this.expression(only(item, 'expression'));
      const value = optionalNode(item, 'value');
      if (!value) {
        if (seen.size > 0)
          this.report('OPT118', span, 'an argument without a name stands behind one with a name', {
            hint: 'put the unnamed arguments first, or name this one',
          });
        return { value: first, span };
      }
      const name = this.plainName(first, 'the name of an argument');
      seen.add(name.text);
      return { name, value: this.expression(value), span };
    });
  }

  /** The name that an expression before a colon must be. */
  protected plainName(expr: ast.Expr, what: string): ast.Name {
    if (expr.kind === 'name' && !expr.parenthesized) return { text: expr.name, span: expr.span };
    this.report('OPT114', expr.span, `${what} must be a plain name`, {
      hint: "before ':' stands one name, such as 'rate: 0.1'",
    });
    return { text: '', span: expr.span };
  }

  private at(expr: ast.Expr, node: CstNode, span: Span): ast.Expr {
    const braces = optionalNode(node, 'braces');
    if (!braces) {
      const number = optionalToken(node, 'Number');
      const word = optionalToken(node, 'Word');
      const step = number ? this.number(number) : word ? this.nameRef(word) : this.parens(only(node, 'parens'));
      return { kind: 'at', expr, bindings: [], step, span };
    }
    const bindings = nodes(braces, 'item').map((item) => {
      const target = this.expression(only(item, 'expression'));
      const value = optionalNode(item, 'value');
      if (!['name', 'member', 'index'].includes(target.kind) || target.parenthesized)
        this.report('OPT114', target.span, "'at' replaces a name, a part or a member", {
          hint: "write 'e at { x: value }'",
        });
      else if (!value)
        this.report('OPT114', target.span, "'at' needs a new value for this name", {
          hint: "write 'e at { x: value }'",
        });
      return { target, value: value ? this.expression(value) : target };
    });
    if (bindings.length === 0)
      this.report('OPT114', this.span(braces), "'at { }' replaces nothing", { hint: "write 'e at { x: value }'" });
    return { kind: 'at', expr, bindings, span };
  }

  private withPipeline(node: CstNode): ast.Pipeline {
    const braces = optionalNode(node, 'braces');
    if (!braces) return this.pipeline(only(node, 'pipeline'));
    return { stages: [this.braces(braces)], span: this.span(braces) };
  }

  pipeline(node: CstNode): ast.Pipeline {
    const otherwise = optionalNode(node, 'pipeline');
    return {
      stages: nodes(node, 'postfix').map((n) => this.postfix(n)),
      ...(otherwise ? { otherwise: this.pipeline(otherwise) } : {}),
      span: this.span(node),
    };
  }

  // ---------------------------------------------------------------- primaries

  private primary(node: CstNode): ast.Expr {
    const child = choice(node);
    if (isToken(child)) {
      const span = tokenSpan(this.file, child);
      switch (child.tokenType.name) {
        case 'Number':
          return this.number(child);
        case 'String':
          return { kind: 'string', value: child.image.slice(1, -1), span };
        case 'TRUE':
        case 'FALSE':
          return { kind: 'bool', value: child.image === 'true', span };
        default:
          return this.nameRef(child);
      }
    }
    switch (child.name) {
      case 'parens':
        return this.parens(child);
      case 'array':
        return {
          kind: 'array',
          items: nodes(child, 'expression').map((n) => this.expression(n)),
          span: this.span(child),
        };
      case 'braces':
        return this.braces(child);
      case 'conditional':
        return this.conditional(child);
      default:
        return this.prefixForm(child);
    }
  }

  private nameRef(t: IToken): ast.NameRef {
    return { kind: 'name', name: t.image, span: tokenSpan(this.file, t) };
  }

  private number(t: IToken): ast.NumberLit {
    const value = Number(t.image);
    const span = tokenSpan(this.file, t);
    if (value > largestF32)
      this.report('OPT111', span, `the number ${t.image} is beyond the largest f32, 3.4e38`, {
        hint: 'write a smaller number; a mask of minus infinity is usually written -1e30',
      });
    return { kind: 'number', value, integral: /^\d+$/.test(t.image), text: t.image, span };
  }

  private parens(node: CstNode): ast.Expr {
    const items = nodes(node, 'expression').map((n) => this.expression(n));
    const span = this.span(node);
    if (items.length > 1 || has(node, 'Comma')) return { kind: 'tuple', items, span };
    return { ...items[0], parenthesized: true, span };
  }

  protected braces(node: CstNode): ast.Expr {
    const items = nodes(node, 'item');
    const span = this.span(node);
    if (items.length === 0)
      this.report('OPT114', span, 'empty braces hold no value', {
        hint: "a record has fields, '{ w: e }', a list has items, '{ L1, L2 }'",
      });
    if (!items.some((item) => has(item, 'value')))
      return { kind: 'bracelist', items: items.map((item) => this.expression(only(item, 'expression'))), span };
    const seen = new Map<string, Span>();
    const fields = items.map((item) => {
      const first = this.expression(only(item, 'expression'));
      const value = optionalNode(item, 'value');
      const name = this.plainName(first, 'the name of a field');
      const earlier = seen.get(name.text);
      if (earlier && name.text !== '')
        this.report('OPT114', name.span, `the field '${name.text}' is given twice`, {
          labels: [{ span: earlier, text: 'given here first' }],
          hint: 'keep one of them',
        });
      seen.set(name.text, name.span);
      return { name, value: value ? this.expression(value) : first, shorthand: !value };
    });
    return { kind: 'record', fields, span };
  }

  /** An `else if` chain, folded from its end. */
  private conditional(node: CstNode): ast.IfExpr {
    const conditions = nodes(node, 'expression').map((n) => this.expression(n));
    const bodies = nodes(node, 'body').map((n) => this.body(n, true));
    const ifs = tokens(node, 'IF');
    const last = optionalNode(node, 'otherwise');
    const end = this.span(node).end;
    let result: ast.Body | ast.IfExpr | undefined = last && this.body(last, true);
    for (let i = conditions.length - 1; i >= 0; i--) {
      const span: Span = { file: this.file, start: ifs[i].startOffset, end };
      result = {
        kind: 'ifExpr',
        condition: conditions[i],
        // oxlint-disable-next-line unicorn/no-thenable -- the branch of an `if`; nothing awaits a syntax tree
        then: bodies[i],
        ...(result ? { otherwise: result } : {}),
        span,
      };
    }
    return result as ast.IfExpr;
  }

  private prefixForm(node: CstNode): ast.Expr {
    const span = this.span(node);
    switch (node.name) {
      case 'mapping':
        return { kind: 'map', heads: this.heads(only(node, 'heads')), body: this.body(only(node, 'body'), true), span };
      case 'reduceOver':
        return {
          kind: 'reduceOver',
          reducer: this.name(token(node, 'Word')),
          heads: this.heads(only(node, 'heads')),
          body: this.looseBody(only(node, 'looseBody')),
          span,
        };
      case 'scanning': {
        const [checkpoint, condition] = [optionalNode(node, 'checkpoint'), optionalNode(node, 'condition')];
        return {
          kind: 'scan',
          pattern: this.pattern(only(node, 'pattern')),
          init: this.expression(only(node, 'init')),
          ...(condition
            ? { condition: this.operation(condition), max: this.operation(only(node, 'max')) }
            : { element: this.pattern(only(node, 'element')), over: this.expression(only(node, 'over')) }),
          ...(checkpoint ? { checkpoint: this.expression(checkpoint) } : {}),
          body: this.body(only(node, 'body'), false),
          span,
        };
      }
      case 'fixedPoint': {
        const [max, linear] = [optionalNode(node, 'max'), optionalNode(node, 'linear')];
        return {
          kind: 'fixed',
          name: this.name(token(node, 'Word')),
          init: this.expression(only(node, 'init')),
          body: this.body(only(node, 'body'), true),
          until: this.operation(only(node, 'until')),
          ...(max ? { max: this.operation(max) } : {}),
          ...(linear ? { linear: this.postfix(linear) } : {}),
          span,
        };
      }
      case 'checkpointing': {
        const names = optionalNode(node, 'names');
        return {
          kind: 'checkpoint',
          keep: names ? this.names(names) : [],
          body: this.body(only(node, 'body'), true),
          span,
        };
      }
      case 'exactly':
        return { kind: 'exact', body: this.body(only(node, 'body'), true), span };
      case 'solving':
        return this.solving(node);
      case 'shifting':
        return {
          kind: 'axisOp',
          op: 'shift',
          body: this.looseBody(only(node, 'looseBody')),
          axis: this.postfix(only(node, 'axis')),
          by: this.operand(only(node, 'operand')),
          span,
        };
      case 'gathering':
        return {
          kind: 'axisOp',
          op: 'gather',
          body: this.looseBody(only(node, 'looseBody')),
          axis: this.postfix(only(node, 'axis')),
          span,
        };
      default:
        return { kind: 'axisOp', op: 'index', axis: this.postfix(only(node, 'axis')), span };
    }
  }

  solving(node: CstNode): ast.SolveExpr {
    const solver = optionalNode(node, 'pipeline');
    const steps = optionalNode(node, 'steps');
    const until = optionalNode(node, 'until');
    return {
      kind: 'solveExpr',
      problem: this.postfix(only(node, 'postfix')),
      ...(solver ? { solver: this.pipeline(solver) } : {}),
      ...(steps ? { steps: this.operation(steps) } : {}),
      ...(until ? { until: this.operation(until) } : {}),
      span: this.span(node),
    };
  }

  /** A body in braces, or one name or call without. */
  private looseBody(node: CstNode): ast.Body {
    const braces = optionalNode(node, 'body');
    if (braces) return this.body(braces, true);
    const value = this.postfix(only(node, 'postfix'));
    return { statements: [], value, span: value.span };
  }

  heads(node: CstNode): ast.MapHead[] {
    return nodes(node, 'head').map((head) => {
      const pattern = optionalNode(head, 'pattern');
      return {
        over: this.headExpression(only(head, 'headExpression')),
        ...(pattern ? { as: this.pattern(pattern) } : {}),
      };
    });
  }

  headExpression(node: CstNode): ast.Expr {
    return this.expression(only(node, 'expression'));
  }
}
