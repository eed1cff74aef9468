/** Statements and declarations in textual order: declarations bind names, statements act on the entry being built. */
import type * as ast from '../ast/nodes.ts';
import { fail, InternalError, SaddleError } from '../diagnostics/diagnostic.ts';
import { hasNodes } from './arguments.ts';
import { axisDeclaration } from './axes.ts';
import { mapStatement } from './maps.ts';
import { batch } from './batches.ts';
import { bindPattern, readBinding } from './bindings.ts';
import { named } from './naming.ts';
import { localVariable } from './cells.ts';
import { checkChosen, ifStatement, together } from './choices.ts';
import type { Elaboration } from './context.ts';
import { plain, toDim } from './convert.ts';
import { dataset } from './data.ts';
import { evaluation } from './evals.ts';
import { prepareExact } from './exact.ts';
import { every, repeat, staticFor, whileStatement } from './loops.ts';
import { recordInnerLedgers } from './inner-solves.ts';
import { marked } from './keeping.ts';
import { instanceOf, layerCell, localModel } from './models.ts';
import { exported, metric, report, train } from './phases.ts';
import { draw, nameDraw } from './random.ts';
import { trialRun } from './runs.ts';
import type { Binding, Declared, Frame } from './scope.ts';
import { siteName } from '../ast/sites.ts';
import { solveStatement } from './solve.ts';
import { first } from './solvers.ts';
import { annotate } from './types.ts';
import { update } from './update.ts';
import { exact, type TemplateDecl, type Value } from './values.ts';
import { write } from './writes.ts';

/** Statements of a block in its frame, then its value. */
export function body(e: Elaboration, block: ast.Body, frame: Frame): Value | undefined {
  declareTemplates(block.statements, frame);
  return e.inBody(frame.scope, () => {
    if (frame.ending?.ends(block)) frame.ending.statements(block.statements, frame);
    else for (const stmt of block.statements) e.do.statement(e, stmt, frame);
    return block.value && e.do.expression(e, block.value, frame);
  });
}

/** Templates can be used above their declaration. */
export function declareTemplates(statements: readonly ast.Stmt[], frame: Frame): void {
  for (const stmt of statements) declareTemplate(stmt, frame);
}

function declareTemplate(stmt: ast.Stmt, frame: Frame): boolean {
  switch (stmt.kind) {
    case 'fn':
      if (stmt.params === undefined && !stmt.opaque)
        frame.scope.set(stmt.name.text, { kind: 'named', decl: stmt, frame, span: stmt.name.span });
      else template(stmt, frame);
      return true;
    case 'layer':
    case 'rule':
    case 'estimator':
    case 'aggregator':
    case 'solver':
    case 'set':
    case 'problem':
      template(stmt, frame);
      return true;
    case 'class':
      bind(frame, stmt.name, { kind: 'class', decl: stmt, frame });
      return true;
    default:
      return false;
  }
}

export function statement(e: Elaboration, stmt: ast.Stmt, frame: Frame): void {
  const before = e.allowed;
  const outer = e.innermost;
  if (stmt.span.file === e.mainFile) e.innermost = stmt.span;
  if (stmt.allow) e.allowed = [...before, ...stmt.allow.map((n) => n.text)];
  // Outside phases, statements belong to the entry that is open between them.
  if ((frame.body === 'file' || frame.body === 'trial') && e.importDepth === 0) {
    e.entry = e.once();
    e.statement = stmt.span;
  }
  try {
    e.graph.at(stmt.span, () => {
      if (stmt.kind === 'let' || stmt.kind === 'letMember' || stmt.kind === 'metric')
        prepareExact(e, stmt.value, frame);
      evaluate(e, stmt, frame);
    });
    // A choice between phases may have solved problems.
    if (frame.body === 'trial' || frame.body === 'file') if (!frame.chosen) recordInnerLedgers(e);
  } catch (error) {
    e.evaluating.clear();
    if (!(error instanceof SaddleError) || !canGoOn(stmt, frame, error)) throw error;
    e.errors.push(...error.diagnostics);
  } finally {
    e.allowed = before;
    e.innermost = outer;
  }
}

/** Statements that bind no name: what follows them can be checked although they are wrong. */
const BINDS_NOTHING = new Set(['update', 'write', 'report', 'metric', 'eval']);

/** Bodies of templates end with their first error, which belongs to the call. */
const PHASES = new Set(['file', 'trial', 'train', 'eval']);

function canGoOn(stmt: ast.Stmt, frame: Frame, error: SaddleError): boolean {
  const limit = error.diagnostics.some((d) => d.code === 'OPT501' || d.code === 'OPT505');
  return BINDS_NOTHING.has(stmt.kind) && PHASES.has(frame.body) && !limit;
}

function evaluate(e: Elaboration, stmt: ast.Stmt, frame: Frame): void {
  checkChosen(stmt, frame);
  if (declareTemplate(stmt, frame)) return;
  switch (stmt.kind) {
    case 'use':
      return e.do.importNames(e, stmt, frame.scope);
    case 'dim': {
      const settable = stmt.span.file === e.mainFile && (frame.body === 'file' || frame.body === 'trial');
      const given = settable ? e.options.set.get(stmt.name.text) : undefined;
      const size =
        given ?? toDim(e, e.do.expression(e, stmt.value, frame), stmt.value.span, `the dim ${stmt.name.text}`);
      if (!Number.isInteger(size))
        fail('OPT305', stmt.span, `the dim ${stmt.name.text} is set to ${size}, which is no whole number`, {
          hint: 'give a whole number',
        });
      return bind(frame, stmt.name, exact(size, true));
    }
    case 'hyper':
    case 'model':
      return declare(e, stmt, stmt.name, frame);
    case 'modelInstance':
      return modelInstance(e, stmt, frame);
    case 'cell':
      return cell(e, stmt, frame);
    case 'data':
      return bind(frame, stmt.name, dataset(e, stmt, frame));
    case 'trial':
      return trial(e, stmt, frame);
    case 'axis':
      return bind(frame, stmt.name, axisDeclaration(e, stmt, frame));
    case 'run':
      return trialRun(e, stmt, frame);
    case 'let':
      return letStatement(e, stmt, frame);
    case 'letMember': {
      const value = plain(e, e.do.expression(e, stmt.value, frame), stmt.value.span);
      return bindMember(e, frame, stmt.name, stmt.member, named(e, stmt.name.text, value, stmt.value.span));
    }
    case 'sample': {
      const value = draw(e, stmt.draw, undefined, drawSite(stmt, frame), frame);
      return bindHere(e, frame, stmt.name, nameDraw(e, stmt.name.text, value, stmt.span));
    }
    case 'batch':
      return bindHere(e, frame, stmt.name, batch(e, stmt, frame));
    case 'write':
      return write(e, stmt, frame);
    case 'update':
      return update(e, stmt, frame);
    case 'train':
      return train(e, stmt, frame);
    case 'eval':
      return evaluation(e, stmt, frame);
    case 'metric':
      return metric(e, stmt, frame);
    case 'report':
      return report(e, stmt, frame);
    case 'expect':
      e.expects.push({ stmt, frame, run: e.run });
      return;
    case 'export':
      return exported(e, stmt, frame);
    case 'repeat':
      return repeat(e, stmt, frame);
    case 'if':
      return ifStatement(e, stmt, frame);
    case 'for':
      return staticFor(e, stmt, frame);
    case 'every':
      e.lookedAround++;
      return every(e, stmt, frame);
    case 'solve':
      return solveStatement(e, stmt, frame);
    case 'while':
      return whileStatement(e, stmt, frame);
    case 'first':
      return first(e, stmt, frame);
    case 'multipliers':
      return multipliers(e, stmt, frame);
    case 'stopWhen':
    case 'failWhen':
      throw new InternalError(`a '${stmt.kind}' in a ${frame.body}, which nothing ends`);
    case 'together':
      return together(e, stmt, frame);
    case 'mapStmt':
      return mapStatement(e, stmt, frame);
    case 'expr':
      fail('OPT424', stmt.span, 'this expression has no effect', { hint: 'bind it: let y = …, or report it' });
    // falls through: fail never returns
    case 'next':
    case 'emit':
      fail('OPT424', stmt.span, `'${stmt.kind}' belongs to the body of a scan itself, not to a branch or loop in it`, {
        hint: `choose the value: ${stmt.kind} if c { a } else { b }`,
      });
    // falls through: fail never returns
    default:
      return e.notYet(`'${stmt.kind}' here`, stmt.span);
  }
}

/** Site of a draw. The first draw of an initializer is that of the cell which it starts. */
function drawSite(stmt: ast.SampleStmt, frame: Frame): readonly string[] {
  const { initializer } = frame;
  if (!initializer || initializer.drawn) return [...frame.path, siteName(stmt)];
  initializer.drawn = true;
  return frame.path;
}

/** A name for a value known at compile time, or for a data set, which keeps its own home. */
function bind(frame: Frame, name: ast.Name, value: Value): void {
  frame.scope.set(name.text, { kind: 'value', value, span: name.span });
}

/** A name for a value computed in the current entry. */
function bindHere(e: Elaboration, frame: Frame, name: ast.Name, value: Value): void {
  frame.scope.set(name.text, {
    kind: 'value',
    value,
    home: hasNodes(value) || value.kind === 'batch' ? e.entry : undefined,
    span: name.span,
  });
}

function template(decl: TemplateDecl, frame: Frame): void {
  bind(frame, decl.name, { kind: 'template', decl, frame, bound: new Map() });
}

function trial(e: Elaboration, stmt: ast.TrialDecl, frame: Frame): void {
  if (!stmt.alias) return template(stmt, frame);
  const value = e.do.trialTemplate(e, stmt.alias, frame);
  bind(frame, stmt.name, value);
}

/** Declarations that a run instantiates: at once where the text belongs to one, at first use where it belongs to each. */
function declare(e: Elaboration, stmt: Declared, name: ast.Name, frame: Frame): void {
  if (stmt.kind === 'model' && frame.body !== 'file' && frame.body !== 'trial')
    return bind(frame, name, localModel(e, stmt, frame, name.text));
  const binding: Binding = { kind: 'declared', decl: stmt, frame, span: name.span };
  frame.scope.set(name.text, binding);
  const shared = stmt.kind === 'hyper' || (stmt.kind === 'cell' && stmt.word === 'frozen');
  if (frame.body !== 'file' || !e.hasRuns || shared) readBinding(e, binding, name.text, name.span);
}

function modelInstance(e: Elaboration, stmt: ast.ModelInstance, frame: Frame): void {
  const local = frame.body !== 'file' && frame.body !== 'trial';
  if (!stmt.member)
    return local
      ? bind(frame, stmt.name, localModel(e, stmt, frame, stmt.name.text))
      : declare(e, stmt, stmt.name, frame);
  const member = toDim(e, e.do.expression(e, stmt.member, frame), stmt.member.span, 'the index of a member');
  const name = `${stmt.name.text}[${member}]`;
  const model = local ? localModel(e, stmt, frame, name) : instanceOf(e, stmt, frame, name);
  if (!local) e.run.members.set(name, model);
  bindMember(e, frame, stmt.name, stmt.member, model);
}

/** `multipliers g = e`: to the solve that the text belongs to. */
function multipliers(e: Elaboration, stmt: ast.MultipliersStmt, frame: Frame): void {
  const value = plain(e, e.do.expression(e, stmt.value, frame), stmt.value.span);
  frame.solving?.publish(stmt, value);
}

function cell(e: Elaboration, stmt: ast.CellDecl, frame: Frame): void {
  if (frame.body === 'file' || frame.body === 'trial') return declare(e, stmt, stmt.name, frame);
  if (stmt.word === 'state' && frame.ruleState) return frame.ruleState(stmt, frame);
  if (frame.owner && stmt.word !== 'var') return bind(frame, stmt.name, layerCell(e, stmt, frame));
  if (stmt.word === 'var') return bindHere(e, frame, stmt.name, localVariable(e, stmt, frame));
  fail('OPT424', stmt.span, `${stmt.word} cannot stand in a ${frame.body} body`, {
    hint: stmt.word === 'frozen' ? 'declare it outside, or use sample' : 'declare it in a layer or rule',
  });
}

function letStatement(e: Elaboration, stmt: ast.LetStmt, frame: Frame): void {
  let value = e.do.expression(e, stmt.value, frame);
  if (value.kind !== 'model' && value.kind !== 'solution') value = plain(e, value, stmt.value.span);
  if (stmt.type)
    value = annotate(
      e,
      value,
      stmt.type,
      frame,
      stmt.value.span,
      { what: `let ${stmt.pattern.kind === 'bind' ? stmt.pattern.name.text : '…'}`, declared: stmt.type.span },
      true,
    );
  bindPattern(stmt.pattern, value, stmt.value.span, (name, part) => {
    e.graph.at(stmt.value.span, () => {
      const own = named(e, name.text, part, stmt.value.span);
      bindHere(e, frame, name, frame.keepsLets ? marked(e, name, own) : own);
    });
  });
}

/** Adds a member to a family; the family lives in the scope outside of the static loop that declares it. */
function bindMember(e: Elaboration, frame: Frame, name: ast.Name, index: ast.Expr, value: Value): void {
  const member = toDim(e, e.do.expression(e, index, frame), index.span, 'the index of a member');
  let family = frame.branch ? frame.scope.findWithin(name.text, frame.branch) : frame.scope.find(name.text);
  if (family?.kind !== 'family') {
    family = { kind: 'family', name: name.text, members: new Map(), span: name.span };
    (frame.familyScope ?? frame.scope).set(name.text, family);
  }
  if (family.members.has(member))
    fail('OPT312', name.span, `${name.text}[${member}] is declared twice`, {
      hint: 'members of a family are declared once',
    });
  family.members.set(member, { kind: 'value', value, home: hasNodes(value) ? e.entry : undefined, span: name.span });
}
