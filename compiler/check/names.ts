/**
 * Static resolution of names over the syntax tree, before elaboration: unknown names, duplicates, order of definition, arguments of
 * calls, kinds of templates, imports, cells that are written, and the placement of statements. Pure: modules come from a resolver.
 */
import type * as ast from '../ast/nodes.ts';
import { warning } from '../diagnostics/diagnostic.ts';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import { article, ExpressionNames } from './names-expressions.ts';
import type { Place } from './names-expressions.ts';
import { importCycles, importEntries } from './names-imports.ts';
import type { ImportResolver } from './names-imports.ts';
import { declarations, openParams, outlivesLoop, Scope } from './names-scope.ts';
import type { Entry, EntryKind } from './names-scope.ts';
import { checkPlacement } from './placement.ts';

export type { ImportResolver } from './names-imports.ts';

/** All diagnostics of names and placement of one module, in source order. Imported modules are checked on their own. */
export function checkNames(module: ast.Module, imports: ImportResolver): Diagnostic[] {
  const checker = new NameChecker(module, imports);
  checker.run();
  const found = [...checker.diagnostics, ...importCycles(module, imports), ...checkPlacement(module)];
  return found.sort((a, b) => (a.span?.start ?? 0) - (b.span?.start ?? 0));
}

const outside: Place = { stepped: false, counted: false, layered: false };
const template: Place = { stepped: true, counted: false, layered: false };

/** Kinds of names that can be written. */
const writable: readonly EntryKind[] = ['cell', 'model', 'variable', 'param', 'bound', 'unknown', 'problem'];

class NameChecker extends ExpressionNames {
  private readonly module: ast.Module;
  private readonly imports: ImportResolver;

  constructor(module: ast.Module, imports: ImportResolver) {
    super();
    this.module = module;
    this.imports = imports;
  }

  run(): void {
    const file = new Scope();
    for (const stmt of this.module.statements) {
      if (stmt.kind !== 'use') continue;
      const { entries, diagnostics, faulty } = importEntries(stmt, this.module.file, this.imports);
      for (const name of faulty) this.usedImports.add(name);
      this.diagnostics.push(...diagnostics);
      for (const entry of entries) this.declare(file, entry);
    }
    this.declareAll(this.module.statements, file);
    this.declareSeries(this.module.statements, file);
    this.statements(this.module.statements, file, outside);
    this.reportUnused();
  }

  private reportUnused(): void {
    for (const stmt of this.module.statements) {
      if (stmt.kind !== 'use') continue;
      for (const { name, as } of stmt.names) {
        const local = as ?? name;
        if (!this.usedImports.has(local.text))
          this.diagnostics.push(
            warning('OPT216', local.span, `'${local.text}' is imported and not used`, {
              hint: 'remove it from the use',
            }),
          );
      }
    }
  }

  // ---------------------------------------------------------------- declarations

  private declareAll(statements: readonly ast.Stmt[], scope: Scope, except?: (stmt: ast.Stmt) => boolean): void {
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
  private declareSeries(statements: readonly ast.Stmt[], scope: Scope): void {
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
        for (const { name } of stmt.items)
          if (!scope.series.has(name.text))
            scope.series.set(name.text, { name: name.text, kind: 'report', span: name.span, from: stmt.span.end });
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

  private inner(body: ast.Body, scope: Scope, place: Place): void {
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

  // ---------------------------------------------------------------- statements

  private statements(statements: readonly ast.Stmt[], scope: Scope, place: Place): void {
    for (const stmt of statements) this.statement(stmt, scope, place);
  }

  private statement(stmt: ast.Stmt, scope: Scope, place: Place): void {
    switch (stmt.kind) {
      case 'use':
        return;
      case 'dim':
        return this.expression(stmt.value, scope, place);
      case 'hyper':
        return this.expression(stmt.value, scope, { ...place, stepped: true });
      case 'axis':
        return this.expression(stmt.size, scope, place);
      case 'data':
        return this.data(stmt, scope, place);
      case 'cell':
        if (stmt.over) this.expression(stmt.over, scope, place);
        if (stmt.type) this.type(stmt.type, scope, place, stmt.word === 'param');
        if (stmt.init) this.init(stmt.init, scope, place);
        return;
      case 'modelInstance':
        if (stmt.member) this.expression(stmt.member, scope, place);
        this.template(stmt.layer, 'layer', scope, place);
        if (stmt.from) this.expression(stmt.from, scope, place);
        return;
      case 'run':
        if (stmt.member) this.expression(stmt.member, scope, place);
        if (stmt.value.kind === 'solveExpr') this.solve(stmt.value, scope, place);
        else this.template(stmt.value, 'trial', scope, place, ['seed']);
        return;
      case 'let':
        if (stmt.type) this.type(stmt.type, scope, place, false);
        return this.expression(stmt.value, scope, place);
      case 'letMember':
        return this.expressions([stmt.member, stmt.value], scope, place);
      case 'sample':
        return this.draw(stmt.draw, scope, place);
      case 'batch':
        return this.expression(stmt.value, scope, place);
      case 'write':
        this.target(stmt.target, scope, place);
        return this.expression(stmt.value, scope, place);
      case 'update':
        return this.update(stmt, scope, place);
      case 'metric':
        if (stmt.member) this.expression(stmt.member, scope, place);
        return this.expression(stmt.value, scope, place);
      case 'report':
        for (const { name, value } of stmt.items) {
          if (value) this.expression(value, scope, place);
          else this.resolve(name.text, name.span, scope, place);
        }
        return;
      case 'expect':
        if (stmt.claim) this.expression(stmt.claim, scope, place);
        if (stmt.fails) this.expression(stmt.fails.run, scope, place);
        if (stmt.seeds) this.expression(stmt.seeds, scope, place);
        return;
      case 'mapStmt':
        return this.expression(stmt.map, scope, place);
      case 'solve':
        return this.solve(stmt.solve, scope, place);
      case 'emit':
      case 'next':
        return this.expression(stmt.value, scope, place);
      case 'stopWhen':
      case 'failWhen':
        return this.expression(stmt.condition, scope, place);
      case 'multipliers':
        this.resolve(stmt.constraint.text, stmt.constraint.span, scope, place);
        return this.expression(stmt.value, scope, place);
      case 'expr':
        return this.expression(stmt.expr, scope, place);
      case 'setMember':
        return this.expression(stmt.value, scope, place);
      default:
        return this.withBody(stmt, scope, place);
    }
  }

  private data(stmt: ast.DataDecl, scope: Scope, place: Place): void {
    if (stmt.rows) this.expression(stmt.rows, scope, place);
    for (const field of stmt.fields ?? []) {
      this.type(field.type, scope, place, false);
      if (field.range) this.expression(field.range, scope, place);
      if (field.column && field.column.kind !== 'string') this.expression(field.column, scope, place);
    }
    if (stmt.value) this.expression(stmt.value, scope, place);
  }

  private update(stmt: ast.UpdateStmt, scope: Scope, place: Place): void {
    for (const target of stmt.targets) this.target(target, scope, place);
    this.pipeline(stmt.by, 'rule', scope, place);
    this.expressions(stmt.objectives, scope, place);
    if (stmt.along) this.expression(stmt.along, scope, place);
    if (stmt.with) this.pipeline(stmt.with, 'estimator', scope, place);
  }

  /** What `<-` and `update` write: a cell, a part of one, or a tuple of them. */
  private target(expr: ast.Expr, scope: Scope, place: Place): void {
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

  /** Statements and declarations with bodies. */
  private withBody(stmt: ast.Stmt, scope: Scope, place: Place): void {
    switch (stmt.kind) {
      case 'train': {
        const inside: Place = { ...place, stepped: true };
        this.expression(stmt.steps, scope, place);
        if (stmt.until) this.expression(stmt.until, scope, inside);
        return this.inner(stmt.body, scope, inside);
      }
      case 'eval':
        return this.eval(stmt, scope, place);
      case 'repeat': {
        this.expression(stmt.count, scope, place);
        const own = new Scope(scope);
        if (stmt.as) this.bindName(stmt.as, own, { kind: 'let' });
        this.body(stmt.body, own, place);
        return;
      }
      case 'while':
        this.expressions([stmt.condition, stmt.max], scope, place);
        return this.inner(stmt.body, scope, place);
      case 'if':
        this.expression(stmt.condition, scope, place);
        this.inner(stmt.then, scope, place);
        if (stmt.otherwise && 'kind' in stmt.otherwise) this.statement(stmt.otherwise, scope, place);
        else if (stmt.otherwise) this.inner(stmt.otherwise, scope, place);
        return;
      case 'for': {
        this.expression(stmt.over, scope, place);
        const own = new Scope(scope);
        this.bindName(stmt.name, own, { kind: 'dim' });
        this.declareAll(stmt.body.statements, own, outlivesLoop);
        this.statements(stmt.body.statements, own, place);
        return;
      }
      case 'every':
        this.expression(stmt.period, scope, place);
        return this.inner(stmt.body, scope, place);
      case 'first':
      case 'together':
        return this.inner(stmt.body, scope, place);
      case 'trial':
        return this.trial(stmt, scope, place);
      default:
        return this.templateBody(stmt, scope, place);
    }
  }

  private eval(stmt: ast.EvalStmt, scope: Scope, place: Place): void {
    for (const at of stmt.at) if (at.kind !== 'end') this.expression(at, scope, place);
    for (const expr of [stmt.every, stmt.over, stmt.chunks]) if (expr) this.expression(expr, scope, place);
    const own = new Scope(scope);
    if (stmt.as) this.bindName(stmt.as, own, { kind: 'batch' });
    this.body(stmt.body, own, { ...place, stepped: true });
  }

  private trial(stmt: ast.TrialDecl, scope: Scope, place: Place): void {
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

  private templateBody(stmt: ast.Stmt, scope: Scope, place: Place): void {
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
    const entry = scope.find(root.name, root.span.start).entry;
    if (expr.kind === 'call') this.args(expr.args, scope, place);
    if (entry && ['set', 'unknown', 'param', 'let'].includes(entry.kind)) {
      this.usedImports.add(root.name);
      return;
    }
    this.report(
      'OPT203',
      root.span,
      entry ? `'${root.name}' is ${article(entry.kind)}, not a set` : `unknown set '${root.name}'`,
      {
        ...(entry ? { labels: this.declaredAt(entry) } : {}),
        hint: setHint(root.name, scope),
      },
    );
  }
}

function setHint(name: string, scope: Scope): string {
  const sets = [...scope.visible()].filter((n) =>
    ['set', 'unknown'].includes(scope.find(n, Number.POSITIVE_INFINITY).entry?.kind ?? ''),
  );
  const near = sets.find((s) => s.startsWith(name.slice(0, 2)));
  return near ? `did you mean '${near}'?` : `take it from a module: 'use sets { ${name} }', or write a range 'a..b'`;
}

/** Bodies nested in a statement whose metrics and reports belong to the trial around it. */
function bodiesOf(stmt: ast.Stmt): ast.Body[] {
  switch (stmt.kind) {
    case 'train':
    case 'eval':
    case 'repeat':
    case 'while':
    case 'for':
    case 'every':
    case 'first':
    case 'together':
      return [stmt.body];
    case 'if':
      return [
        stmt.then,
        ...(!stmt.otherwise ? [] : 'kind' in stmt.otherwise ? bodiesOf(stmt.otherwise) : [stmt.otherwise]),
      ];
    default:
      return [];
  }
}
