/**
 * Static resolution of names over the syntax tree, before elaboration: unknown names, duplicates, order of definition, arguments of
 * calls, kinds of templates, imports, cells that are written, and the placement of statements. Pure: modules come from a resolver.
 */
import type * as ast from '../ast/nodes.ts';
import { warning } from '../diagnostics/diagnostic.ts';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import { DeclarationNames, outside } from './names-declarations.ts';
import { importCycles, importEntries } from './names-imports.ts';
import type { ImportResolver } from './names-imports.ts';
import type { Place } from './names-lookup.ts';
import { declaresRuns, outlivesLoop, Scope } from './names-scope.ts';
import { checkPlacement } from './placement.ts';
import { checkStates } from './reads.ts';
import type { Span } from '../source/source.ts';

export type { ImportResolver } from './names-imports.ts';

/** All diagnostics of names and placement of one module, in source order. Imported modules are checked on their own. */
export function checkNames(module: ast.Module, imports: ImportResolver): Diagnostic[] {
  const checker = new NameChecker(module, imports);
  checker.run();
  const found = [
    ...checker.diagnostics,
    ...importCycles(module, imports),
    ...checkPlacement(module),
    ...checkStates(module),
  ];
  return found.sort((a, b) => (a.span?.start ?? 0) - (b.span?.start ?? 0));
}

class NameChecker extends DeclarationNames {
  private readonly module: ast.Module;

  constructor(module: ast.Module, imports: ImportResolver) {
    super(imports, module.file);
    this.module = module;
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

  // ---------------------------------------------------------------- statements

  override statements(statements: readonly ast.Stmt[], scope: Scope, place: Place): void {
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
        return this.expect(stmt, this.claimScope(scope, stmt.span), place);
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

  private expect(stmt: ast.ExpectStmt, scope: Scope, place: Place): void {
    if (stmt.claim) this.expression(stmt.claim, scope, place);
    if (stmt.fails) this.expression(stmt.fails.run, scope, place);
    if (stmt.seeds) this.expression(stmt.seeds, scope, place);
  }

  /** In claims of a file without runs, which is one run, `run` names it, and `steps` are its own. */
  private claimScope(scope: Scope, span: Span): Scope {
    if (declaresRuns(this.module.statements) || scope.find('run', span.start).entry) return scope;
    const own = new Scope(scope);
    own.declare({ name: 'run', kind: 'run', span, from: -1 });
    if (!scope.find('steps', span.start).entry) own.declare({ name: 'steps', kind: 'metric', span, from: -1 });
    return own;
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
        if (stmt.max) this.expression(stmt.max, scope, place);
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
}
