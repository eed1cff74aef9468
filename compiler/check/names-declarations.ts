/** Names of declarations: what bodies declare, the scopes of templates, and the parts of problems. */
import { bodiesOf } from '../ast/bodies.ts';
import type * as ast from '../ast/nodes.ts';
import { ExpressionNames } from './names-expressions.ts';
import { librarySets } from './names-imports.ts';
import { article } from './names-lookup.ts';
import type { Place } from './names-lookup.ts';
import { declarations, openParams, Scope } from './names-scope.ts';
import type { Entry, EntryKind } from './names-scope.ts';

export const outside: Place = { stepped: false, counted: false, layered: false };
const template: Place = { stepped: true, counted: false, layered: false };

/** Kinds of names that can be written. */
const writable: readonly EntryKind[] = ['cell', 'model', 'variable', 'param', 'bound', 'unknown', 'problem'];

export abstract class DeclarationNames extends ExpressionNames {
  abstract statements(statements: readonly ast.Stmt[], scope: Scope, place: Place): void;

  // ---------------------------------------------------------------- declarations

  protected declareAll(statements: readonly ast.Stmt[], scope: Scope, except?: (stmt: ast.Stmt) => boolean): void {
    const weak: Entry[] = [];
    for (const stmt of statements) {
      if (except?.(stmt)) continue;
      for (const entry of declarations(stmt)) {
        if (stmt.kind === 'data' && entry.kind === 'dim')
          weak.push(entry); // a dim bound by a file may be declared as well
        else this.declare(scope, this.withParams(entry, stmt, scope));
      }
    }
    for (const entry of weak) if (!scope.find(entry.name, entry.span.start).entry) scope.declare(entry);
  }

  /** Parameters of instances and aliases, which depend on what they instantiate. */
  private withParams(entry: Entry, stmt: ast.Stmt, scope: Scope): Entry {
    const source = stmt.kind === 'modelInstance' ? stmt.layer : stmt.kind === 'trial' ? stmt.alias : undefined;
    if (!source) return entry;
    const root = source.kind === 'call' ? source.callee : source;
    if (root.kind !== 'name') return entry;
    const base = scope.find(root.name, Number.POSITIVE_INFINITY).entry;
    const params = openParams(base?.params, source.kind === 'call' ? source.args : []);
    return params ? { ...entry, params } : entry;
  }

  /** Metrics and reports of a trial or file, which claims and runs read; those of templates belong to the templates. */
  protected declareSeries(statements: readonly ast.Stmt[], scope: Scope): void {
    for (const stmt of statements) {
      if (stmt.kind === 'metric') {
        const entry: Entry = {
          name: stmt.name.text,
          kind: 'metric',
          span: stmt.name.span,
          from: stmt.span.end,
          family: stmt.member !== undefined,
        };
        const earlier = scope.series.get(entry.name);
        if (earlier?.kind === 'metric' && !(earlier.family && entry.family))
          this.report('OPT206', entry.span, `the metric '${entry.name}' is declared twice`, {
            labels: [{ span: earlier.span, text: 'declared here first' }],
            hint: 'metrics of one trial have different names',
          });
        else scope.series.set(entry.name, entry);
      } else if (stmt.kind === 'report') {
        for (const { name, value } of stmt.items)
          if (!scope.series.has(name.text)) {
            const entry = { name: name.text, kind: 'report', span: name.span, from: stmt.span.end } as const;
            scope.series.set(name.text, { ...entry, shows: value === undefined });
          }
      } else for (const body of bodiesOf(stmt)) this.declareSeries(body.statements, scope);
    }
  }

  // ---------------------------------------------------------------- bodies

  /** Checks a body in `scope`, which is new for it and may already hold parameters; returns the scope. */
  override body(body: ast.Body, scope: Scope, place: Place): Scope {
    this.declareAll(body.statements, scope);
    this.statements(body.statements, scope, place);
    if (body.value) this.expression(body.value, scope, place);
    return scope;
  }

  protected inner(body: ast.Body, scope: Scope, place: Place): void {
    this.body(body, new Scope(scope), place);
  }

  /** The scope of a template: its parameters, with the dims that their types bind. */
  private templateScope(params: readonly ast.Param[], scope: Scope, place: Place): Scope {
    const own = new Scope(scope, true);
    for (const p of params)
      this.declare(own, {
        name: p.name.text,
        kind: p.paramKind === 'dim' ? 'dim' : p.paramKind === 'model' ? 'model' : 'param',
        paramKind: p.paramKind,
        span: p.name.span,
        from: -1,
      });
    for (const p of params) if (p.type) this.type(p.type, own, place, true);
    for (const p of params) if (p.default) this.given(p.default, own, template);
    return own;
  }

  private names(names: readonly (ast.Name | undefined)[], kind: EntryKind, scope: Scope): void {
    for (const name of names) if (name) this.declare(scope, { name: name.text, kind, span: name.span, from: -1 });
  }

  /** What `<-` and `update` write: a cell, a part of one, or a tuple of them. */
  protected target(expr: ast.Expr, scope: Scope, place: Place): void {
    if (expr.kind === 'tuple') {
      for (const item of expr.items) this.target(item, scope, place);
      return;
    }
    this.expression(expr, scope, place);
    let root: ast.Expr = expr;
    while (root.kind === 'member' || root.kind === 'index') root = root.object;
    if (root.kind !== 'name') return;
    const entry = scope.find(root.name, root.span.start).entry;
    if (!entry || writable.includes(entry.kind)) return;
    const hint =
      entry.kind === 'let'
        ? `declare it with 'var ${entry.name} = …'`
        : entry.kind === 'frozen'
          ? `'frozen' never moves; declare a 'var' to move it`
          : "only 'var', 'state', models and the variables of problems are written";
    this.report('OPT224', root.span, `'${entry.name}' is ${article(entry.kind)} and cannot be written`, {
      labels: this.declaredAt(entry),
      hint,
    });
  }

  protected trial(stmt: ast.TrialDecl, scope: Scope, place: Place): void {
    if (stmt.alias) {
      const root = stmt.alias.kind === 'call' ? stmt.alias.callee : stmt.alias;
      if (root.kind === 'name' && stmt.alias.kind === 'call') this.call(stmt.alias, scope, place, true);
      else this.expression(stmt.alias, scope, place);
    }
    if (!stmt.body) return;
    const own = this.templateScope(stmt.params, scope, place);
    this.declareSeries(stmt.body.statements, own);
    this.body(stmt.body, own, outside);
  }

  protected templateBody(stmt: ast.Stmt, scope: Scope, place: Place): void {
    switch (stmt.kind) {
      case 'fn':
        return this.fn(stmt, scope, place);
      case 'export':
        return this.fn(stmt.fn, scope, place);
      case 'layer':
      case 'model': {
        const own = this.templateScope(stmt.params, scope, place);
        if (stmt.result) this.type(stmt.result, own, place, true);
        this.inner(stmt.body, own, { ...template, layered: true });
        return;
      }
      case 'rule': {
        const own = this.templateScope(stmt.params, scope, place);
        this.names([stmt.value, stmt.gradient, stmt.objective], 'bound', own);
        if (stmt.valueType) this.type(stmt.valueType, own, place, true);
        return this.inner(stmt.body, own, { ...template, counted: true });
      }
      case 'estimator':
      case 'aggregator': {
        const own = this.templateScope(stmt.params, scope, place);
        this.names(
          stmt.kind === 'estimator' ? [stmt.objective, stmt.over, stmt.cells] : [stmt.directions, stmt.cells],
          'bound',
          own,
        );
        return this.inner(stmt.body, own, { ...template, counted: true });
      }
      case 'solver':
      case 'class': {
        const own = this.templateScope(stmt.kind === 'solver' ? stmt.params : [], scope, place);
        if (stmt.kind === 'solver') this.problemClass(stmt.problemClass);
        this.names(
          stmt.variables.map((v) => v.name),
          'bound',
          own,
        );
        this.names(
          stmt.variables.map((v) => v.set),
          'bound',
          own,
        );
        this.names(stmt.parts, 'bound', own);
        return this.inner(stmt.body, own, template);
      }
      case 'set': {
        const own = this.templateScope(stmt.params, scope, place);
        this.names([stmt.variable], 'bound', own);
        this.statements(stmt.body.statements, own, template);
        return;
      }
      case 'problem':
        this.body(stmt.body, this.templateScope(stmt.params, scope, place), template);
        return;
      default:
        return this.problemPart(stmt, scope, place);
    }
  }

  /** Classes are those of the standard library or declared in the file; used where an import of that name is. */
  private problemClass(name: ast.Name): void {
    this.usedImports.add(name.text);
  }

  private fn(stmt: ast.FnDecl, scope: Scope, place: Place): void {
    const own = this.templateScope(stmt.params ?? [], scope, place);
    if (stmt.result) this.type(stmt.result, own, place, true);
    const inside: Place = { ...template, counted: place.counted, layered: place.layered };
    const forward = this.body(stmt.body, new Scope(own), inside);
    if (!stmt.gradient) return;
    const backward = new Scope(forward, true);
    this.bindName(stmt.gradient.name, backward);
    this.expression(stmt.gradient.body, backward, inside);
  }

  private problemPart(stmt: ast.Stmt, scope: Scope, place: Place): void {
    switch (stmt.kind) {
      case 'over':
        if (!stmt.type && !stmt.init) this.resolve(stmt.name.text, stmt.name.span, scope, place);
        if (stmt.type) this.type(stmt.type, scope, place, false);
        if (stmt.set) this.set(stmt.set, scope, place);
        if (stmt.init) this.init(stmt.init, scope, place);
        return;
      case 'objective':
        return this.expression(stmt.value, scope, place);
      case 'constraint': {
        const own = new Scope(scope);
        if (stmt.forall) {
          this.expression(stmt.forall.over, scope, place);
          this.bindName(stmt.forall.name, own);
        }
        return this.expression(stmt.relation, own, place);
      }
      case 'lowerLevel': {
        for (const name of stmt.variables) this.resolve(name.text, name.span, scope, place);
        // its variables and objectives are declared in the scope of the whole problem
        const own = new Scope(scope);
        const declaredAbove = (s: ast.Stmt) => ['over', 'objective', 'constraint', 'lowerLevel'].includes(s.kind);
        this.declareAll(stmt.body.statements, own, declaredAbove);
        return this.statements(stmt.body.statements, own, place);
      }
      case 'player':
        for (const target of stmt.moves) this.target(target, scope, place);
        return this.expression(stmt.value, scope, place);
    }
  }

  /** The set of a variable: a declared or imported set, or a range. */
  private set(expr: ast.Expr, scope: Scope, place: Place): void {
    const root = expr.kind === 'call' ? expr.callee : expr;
    if (root.kind !== 'name') return this.expression(expr, scope, place);
    const library = librarySets(this.imports, this.file);
    const entry = scope.find(root.name, root.span.start).entry ?? library.get(root.name);
    if (expr.kind === 'call') this.args(expr.args, scope, place);
    if (entry && ['set', 'unknown', 'param', 'let', 'bound'].includes(entry.kind)) {
      this.usedImports.add(root.name);
      return;
    }
    this.report(
      'OPT203',
      root.span,
      entry ? `'${root.name}' is ${article(entry.kind)}, not a set` : `unknown set '${root.name}'`,
      {
        ...(entry ? { labels: this.declaredAt(entry) } : {}),
        hint: setHint(root.name, scope, library.keys()),
      },
    );
  }
}

function setHint(name: string, scope: Scope, library: Iterable<string>): string {
  const declared = [...scope.visible()].filter((n) =>
    ['set', 'unknown'].includes(scope.find(n, Number.POSITIVE_INFINITY).entry?.kind ?? ''),
  );
  const sets = [...declared, ...library];
  const near = sets.find((s) => s.startsWith(name.slice(0, 2)));
  return near ? `did you mean '${near}'?` : `take it from a module: 'use sets { ${name} }', or write a range 'a..b'`;
}
