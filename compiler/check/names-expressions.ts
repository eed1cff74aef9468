/**
 * Names in expressions, draws and types: every name is looked up in its namespace (values; distributions after `~`; dims in types), and
 * forms with bodies open scopes.
 */
import type * as ast from '../ast/nodes.ts';
import { didYouMean } from '../diagnostics/suggest.ts';
import { builtinDistributions } from './builtins.ts';
import { checkArguments, checkBuiltinArguments } from './names-calls.ts';
import { initializers } from './names-imports.ts';
import type { Place } from './names-lookup.ts';
import { Scope } from './names-scope.ts';
import type { Entry } from './names-scope.ts';
import { TemplateNames } from './names-templates.ts';

export abstract class ExpressionNames extends TemplateNames {
  abstract body(body: ast.Body, scope: Scope, place: Place): Scope;

  expressions(list: readonly ast.Expr[], scope: Scope, place: Place): void {
    for (const expr of list) this.expression(expr, scope, place);
  }

  override expression(expr: ast.Expr, scope: Scope, place: Place): void {
    switch (expr.kind) {
      case 'number':
      case 'bool':
      case 'string':
        return;
      case 'name':
        this.resolve(expr.name, expr.span, scope, place);
        return;
      case 'member':
        this.expression(expr.object, scope, place);
        return;
      case 'index':
        this.expression(expr.object, scope, place);
        for (const item of expr.items) {
          if (item.kind === 'at') this.value(item.expr, scope, place);
          else if (item.kind === 'capped') this.expressions([item.count, item.max], scope, place);
        }
        if (expr.weights) this.value(expr.weights, scope, place);
        return;
      case 'call':
        this.call(expr, scope, place, false);
        return;
      case 'unary':
        this.value(expr.operand, scope, place);
        return;
      case 'binary':
        this.value(expr.left, scope, place);
        this.value(expr.right, scope, place);
        if (expr.within) this.value(expr.within, scope, place);
        return;
      case 'range':
        this.value(expr.lo, scope, place);
        this.value(expr.hi, scope, place);
        return;
      case 'tuple':
      case 'array':
      case 'bracelist':
        this.expressions(expr.items, scope, place);
        return;
      case 'record':
        for (const field of expr.fields) this.expression(field.value, scope, place);
        return;
      case 'at':
        this.expression(expr.expr, scope, place);
        for (const { target, value } of expr.bindings) this.expressions([target, value], scope, place);
        if (expr.step) this.expression(expr.step, scope, place);
        return;
      case 'with':
        this.expression(expr.expr, scope, place);
        if (expr.pipeline.stages[0].kind === 'record') this.expression(expr.pipeline.stages[0], scope, place);
        else this.pipeline(expr.pipeline, 'estimator', scope, place);
        return;
      case 'fresh':
        this.expression(expr.expr, scope, place);
        return;
      case 'each':
        this.expression(expr.values, scope, place);
        return;
      case 'pipeline':
        this.pipeline(expr.pipeline, undefined, scope, place);
        return;
      default:
        this.form(expr, scope, place);
    }
  }

  /** Forms with bodies. */
  private form(
    expr:
      | ast.MapExpr
      | ast.ReduceOver
      | ast.ScanExpr
      | ast.FixedExpr
      | ast.IfExpr
      | ast.CheckpointExpr
      | ast.ExactExpr
      | ast.SolveExpr
      | ast.AxisOp,
    scope: Scope,
    place: Place,
  ): void {
    switch (expr.kind) {
      case 'map':
      case 'reduceOver': {
        const inner = new Scope(scope);
        for (const head of expr.heads) {
          this.expression(head.over, scope, place);
          if (head.as) this.bind(head.as, inner);
        }
        this.body(expr.body, inner, place);
        return;
      }
      case 'scan': {
        const inner = new Scope(scope);
        const before = [expr.init, expr.over, expr.max, expr.checkpoint].filter((part) => part !== undefined);
        this.expressions(before, scope, place);
        this.bind(expr.pattern, inner);
        if (expr.element) this.bind(expr.element, inner);
        if (expr.condition) this.expression(expr.condition, inner, place);
        this.body(expr.body, inner, place);
        return;
      }
      case 'fixed': {
        const inner = new Scope(scope);
        this.expression(expr.init, scope, place);
        this.bindName(expr.name, inner);
        this.body(expr.body, inner, place);
        this.expression(expr.until, scope, place);
        if (expr.max) this.expression(expr.max, scope, place);
        if (expr.linear) this.expression(expr.linear, scope, place);
        return;
      }
      case 'ifExpr':
        this.expression(expr.condition, scope, place);
        this.body(expr.then, new Scope(scope), place);
        if (!expr.otherwise) return;
        if ('kind' in expr.otherwise) this.expression(expr.otherwise, scope, place);
        else this.body(expr.otherwise, new Scope(scope), place);
        return;
      case 'checkpoint':
        for (const name of expr.keep) this.resolve(name.text, name.span, scope, place);
        this.body(expr.body, new Scope(scope), place);
        return;
      case 'exact':
        this.body(expr.body, new Scope(scope), place);
        return;
      case 'solveExpr':
        this.solve(expr, scope, place);
        return;
      case 'axisOp':
        if (expr.body) this.body(expr.body, new Scope(scope), place);
        this.expression(expr.axis, scope, place);
        if (expr.by) this.expression(expr.by, scope, place);
    }
  }

  // ---------------------------------------------------------------- draws and types

  draw(draw: ast.Draw, scope: Scope, place: Place): void {
    const { dist } = draw;
    this.args(draw.args, scope, place);
    const builtin = builtinDistributions.get(dist.text);
    const user = scope.find(dist.text, dist.span.start).entry;
    // A fn in scope comes first, then the distributions, then the library's initializers.
    const own = user && (user.kind === 'fn' || user.kind === 'unknown' || user.paramKind === 'fn') ? user : undefined;
    const found = own ?? (builtin ? undefined : this.library().get(dist.text));
    if (found) {
      if (found === user) this.usedImports.add(dist.text);
      const declared = found.span.file === dist.span.file ? { declared: found.span } : {};
      if (found.params)
        this.diagnostics.push(
          ...checkArguments(draw.args, found.params, { name: dist.text, span: dist.span, ...declared }, true),
        );
    } else if (builtin) this.diagnostics.push(...checkBuiltinArguments(draw.args, builtin, dist.span));
    else {
      const familiar: Record<string, string> = {
        gaussian: 'normal',
        randn: 'normal',
        rand: 'uniform',
        randint: 'integers',
        xavier: 'glorot',
        kaiming: 'he',
        multinomial: 'categorical',
        shuffle: 'permutation',
        coin: 'bernoulli',
      };
      const same = familiar[dist.text.toLowerCase()];
      this.report('OPT202', dist.span, `unknown distribution '${dist.text}'`, {
        hint: same
          ? `write '${same}'`
          : (didYouMean(dist.text, [...builtinDistributions.keys(), ...this.library().keys()]) ??
            `distributions are ${[...builtinDistributions.keys(), ...this.library().keys()].join(', ')}`),
      });
    }
    if (draw.type) this.type(draw.type, scope, place, false);
    if (draw.like) this.expression(draw.like, scope, place);
    if (draw.seed) this.expression(draw.seed, scope, place);
  }

  /** What the library starts parameters with. */
  private library(): ReadonlyMap<string, Entry> {
    return initializers(this.imports, this.file);
  }

  init(init: ast.Init, scope: Scope, place: Place): void {
    if (init.kind === 'draw') this.draw(init.draw, scope, place);
    else this.given(init.expr, scope, place);
  }

  /** A type; where it `binds`, plain names that mean no dim yet are new dims of `scope`. */
  type(type: ast.TypeExpr, scope: Scope, place: Place, binds: boolean): void {
    for (const dim of type.dims ?? []) {
      if (dim.kind === 'star') continue;
      if (dim.kind !== 'name') {
        this.expression(dim, scope, place);
        continue;
      }
      const { entry } = scope.find(dim.name, dim.span.start);
      if (binds && !isDim(entry)) {
        if (!scope.entries.has(dim.name))
          scope.declare({ name: dim.name, kind: 'dim', span: dim.span, from: -1, family: true });
        continue;
      }
      if (entry) {
        this.usedImports.add(dim.name);
        continue;
      }
      const dims = [...scope.visible()].filter((name) => isDim(scope.find(name, dim.span.start).entry));
      this.report('OPT223', dim.span, `unknown dim '${dim.name}'`, {
        hint:
          didYouMean(dim.name, dims) ?? `declare it with 'dim ${dim.name} = …', or bind it in the type of a parameter`,
      });
    }
  }
}

function isDim(entry: Entry | undefined): boolean {
  return (
    entry !== undefined &&
    (entry.kind === 'dim' ||
      entry.kind === 'unknown' ||
      (entry.kind === 'param' && (entry.paramKind === 'dim' || entry.paramKind === 'value')))
  );
}
