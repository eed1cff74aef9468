/**
 * Concrete to abstract syntax: names, patterns, types, parameters and draws, the parts that expressions and declarations share. The base
 * of the builder's classes, which mirror those of the grammar.
 */
import type { DiagnosticCode } from '../diagnostics/catalog.ts';
import { error } from '../diagnostics/diagnostic.ts';
import type { Diagnostic, DiagnosticParts } from '../diagnostics/diagnostic.ts';
import { didYouMean } from '../diagnostics/suggest.ts';
import type { Source, Span } from '../source/source.ts';
import { has, nameOf, nodes, nodeSpan, only, optionalNode, optionalToken, token, tokens } from './cst.ts';
import type { CstNode, IToken } from './cst.ts';
import type * as ast from './nodes.ts';

export const dtypes: readonly string[] = ['f32', 'f16', 'i32', 'u32', 'bool'];
export const paramKinds: readonly ast.ParamKind[] = [
  'dim', 'axis', 'data', 'set', 'fn', 'layer', 'model', 'rule', 'estimator', 'aggregator', 'solver', 'problem', 'objective', 'cells',
]; // prettier-ignore

export abstract class PartBuilder {
  readonly diagnostics: Diagnostic[] = [];
  protected readonly source: Source;
  protected readonly file: string;

  constructor(source: Source) {
    this.source = source;
    this.file = source.name;
  }

  abstract expression(node: CstNode): ast.Expr;
  abstract postfix(node: CstNode): ast.Expr;
  abstract args(node: CstNode): ast.Arg[];

  /** `{ statements }`; where `valued`, a last expression is the body's value. */
  abstract body(node: CstNode, valued: boolean): ast.Body;

  protected report(code: DiagnosticCode, span: Span, message: string, parts: DiagnosticParts = {}): void {
    this.diagnostics.push(error(code, span, message, parts));
  }

  protected name(t: IToken): ast.Name {
    return nameOf(this.file, t);
  }

  protected span(node: CstNode): Span {
    return nodeSpan(this.file, node);
  }

  names(node: CstNode): ast.Name[] {
    return tokens(node, 'Word').map((t) => this.name(t));
  }

  pattern(node: CstNode): ast.Pattern {
    const tuple = optionalNode(node, 'tuplePattern');
    if (tuple) return this.tuplePattern(tuple);
    const name = this.name(token(node, 'Word'));
    return { kind: 'bind', name, span: name.span };
  }

  tuplePattern(node: CstNode): ast.Pattern {
    return { kind: 'tuplePattern', items: nodes(node, 'pattern').map((n) => this.pattern(n)), span: this.span(node) };
  }

  type(node: CstNode): ast.TypeExpr {
    const dtype = this.name(token(node, 'Word'));
    if (!dtypes.includes(dtype.text)) this.unknownType(dtype, dtypes);
    return this.typeOf(node, dtype);
  }

  private typeOf(node: CstNode, dtype: ast.Name): ast.TypeExpr {
    const dims = nodes(node, 'dimension').map((n) =>
      has(n, 'Star') ? { kind: 'star' as const, span: this.span(n) } : this.expression(only(n, 'expression')),
    );
    return { dtype, ...(dims.length > 0 ? { dims } : {}), span: this.span(node) };
  }

  private unknownType(name: ast.Name, known: readonly string[]): void {
    const familiar: Record<string, string> = {
      float: 'f32',
      float32: 'f32',
      double: 'f32',
      f64: 'f32',
      int: 'i32',
      int32: 'i32',
      i64: 'i32',
      long: 'i32',
      boolean: 'bool',
      half: 'f16',
      tensor: 'f32',
    };
    const same = familiar[name.text.toLowerCase()];
    const hint = same
      ? `write '${same}'`
      : (didYouMean(name.text, known) ?? `types are ${dtypes.join(', ')}, with dims as in f32[n, 64]`);
    this.report('OPT113', name.span, `unknown type '${name.text}'`, { hint });
  }

  params(node: CstNode): ast.Param[] {
    return nodes(node, 'param').map((n) => this.param(n));
  }

  private param(node: CstNode): ast.Param {
    const name = this.name(token(node, 'Word'));
    const fallback = optionalNode(node, 'expression');
    const typeNode = optionalNode(node, 'type');
    let paramKind: ast.ParamKind = 'value';
    let type: ast.TypeExpr | undefined;
    if (typeNode) {
      const word = this.name(token(typeNode, 'Word'));
      const kind = paramKinds.find((k) => k === word.text);
      if (kind) {
        paramKind = kind;
        if (has(typeNode, 'dimension'))
          this.report('OPT113', this.span(typeNode), `'${kind}' is a kind of parameter and has no dims`, {
            hint: `write '${name.text}: ${kind}', or a tensor type such as 'f32[n]'`,
          });
      } else if (dtypes.includes(word.text)) type = this.typeOf(typeNode, word);
      else this.unknownType(word, [...dtypes, ...paramKinds]);
    }
    return {
      name,
      paramKind,
      ...(type ? { type } : {}),
      ...(fallback ? { default: this.expression(fallback) } : {}),
      span: this.span(node),
    };
  }

  draw(node: CstNode): ast.Draw {
    const args = optionalNode(node, 'args');
    const type = optionalNode(node, 'type');
    const like = optionalNode(node, 'like');
    const seed = optionalNode(node, 'seed');
    const stream = optionalToken(node, 'stream');
    return {
      dist: this.name(token(node, 'Word')),
      args: args ? this.args(args) : [],
      ...(type ? { type: this.type(type) } : {}),
      ...(like ? { like: this.postfix(like) } : {}),
      ...(seed ? { seed: this.postfix(seed) } : {}),
      ...(stream ? { stream: this.name(stream) } : {}),
      span: this.span(node),
    };
  }

  init(node: CstNode): ast.Init {
    const draw = optionalNode(node, 'draw');
    if (draw) return { kind: 'draw', draw: this.draw(draw) };
    return { kind: 'value', expr: this.expression(only(node, 'expression')) };
  }
}
