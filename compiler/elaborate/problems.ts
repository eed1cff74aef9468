/**
 * Problems. A problem with its parameters given has variables, which are cells, and fields (objectives, constraints, values of its text), which are computed
 * anew wherever they are read, from the cells of that moment. A run has one instance of each problem that it names; `solve` as an expression makes its own.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Span } from '../source/source.ts';
import { bindParameters, openParameters } from './arguments.ts';
import { cellsFor, initialValue } from './cells.ts';
import type { Elaboration, RunContext } from './context.ts';
import { toDim, toNode } from './convert.ts';
import { libraryScope } from './imports.ts';
import { allLevels, checkProblem, type LevelText, levelText } from './problem-text.ts';
import { type Binding, type Frame, noLoop, Scope } from './scope.ts';
import { isSet } from './sets.ts';
import { target } from './targets.ts';
import { staticType } from './types.ts';
import { type CellValue, exact, kindText, type Template, tensor, type Value } from './values.ts';

/** What somebody moves: a variable of the problem, or a model. */
export interface Variable {
  readonly name: string;
  readonly span: Span;
  /** Where it may live, if it is not free. */
  readonly set?: Template;
  /** Of whole numbers: the least, and the one behind the greatest. */
  readonly range?: { readonly lo: number; readonly hi: number };
  cells(): CellValue;
}

export interface Level {
  readonly text: LevelText;
  readonly variables: readonly Variable[];
  readonly lower: readonly Level[];
}

export interface ProblemInstance {
  readonly name: string;
  readonly template: Template;
  /** Its parameters and variables. */
  readonly scope: Scope;
  readonly frame: Frame;
  /** Whose models and variables its text names, also where it is read from outside. */
  readonly run: RunContext;
  readonly level: Level;
  /** Multipliers that solvers have published, by constraint. */
  readonly multipliers: Map<string, CellValue>;
  /** Its cells keep their values from phase to phase. */
  readonly persistent: boolean;
}

export function isProblem(value: Value): value is Template {
  return value.kind === 'template' && value.decl.kind === 'problem';
}

/** A level and those below it, the upper one first. */
export function allOf(level: Level): Level[] {
  return [level, ...level.lower.flatMap(allOf)];
}

// ---------------------------------------------------------------- instances

/** The run's instance of a problem without open parameters. */
export function instanceOf(e: Elaboration, t: Template, span: Span): ProblemInstance {
  const known = e.run.instances.get(t.decl);
  if (known?.kind === 'problem') return known.instance;
  if (e.run === e.fileRun && e.hasRuns && !e.replacing)
    fail('OPT424', span, `each run has its own ${t.decl.name.text}: this text is outside every run`, {
      labels: [{ span: t.decl.name.span, text: 'declared here, instantiated by each run' }],
      hint: `reach it through a run, or replace its variables: ${t.decl.name.text}.F at { ${t.decl.name.text}.x: v }`,
    });
  const open = openParameters(t);
  if (open.length > 0)
    fail('OPT311', span, `${t.decl.name.text} still needs ${open.map((p) => p.name.text).join(', ')}`, {
      labels: [{ span: open[0].span, text: 'declared here, without a default' }],
      hint: `write ${t.decl.name.text}(…)`,
    });
  const instance = e.within(e.entry.init, () => newInstance(e, t, span, undefined));
  e.run.instances.set(t.decl, { kind: 'problem', instance });
  if (e.run !== e.fileRun || !e.hasRuns) e.run.members.set(instance.name, { kind: 'problem', instance });
  return instance;
}

/** An instance whose variables begin here. `local`: the frame of an expression, whose variables live as long as its evaluation. */
export function newInstance(e: Elaboration, t: Template, span: Span, local: Frame | undefined): ProblemInstance {
  const decl = t.decl as ast.ProblemDecl;
  const text = levelText(decl.body.statements, decl.name.span);
  checkProblem(decl, text);
  const scope = new Scope(t.frame.scope);
  const frame: Frame = {
    scope,
    body: 'fn',
    path: [...(local?.path ?? t.frame.path), decl.name.text],
    indices: local?.indices ?? [],
    execution: noLoop,
    depth: (local?.depth ?? 0) + 1,
  };
  bindParameters(e, t, scope, frame, span);
  for (const level of allLevels(text))
    for (const stmt of level.rest) if (stmt.kind === 'dim') scope.set(stmt.name.text, known(e, stmt, frame));
  const instance: ProblemInstance = {
    name: decl.name.text,
    template: t,
    scope,
    frame,
    run: e.run,
    level: levelOf(e, text, frame, decl.name.text, local !== undefined),
    multipliers: new Map(),
    persistent: local === undefined,
  };
  checkOwners(e, instance);
  return instance;
}

function known(e: Elaboration, stmt: ast.DimDecl, frame: Frame): Binding {
  const size = toDim(e, e.do.expression(e, stmt.value, frame), stmt.value.span, `the dim ${stmt.name.text}`);
  return { kind: 'value', value: exact(size, true), span: stmt.name.span };
}

function levelOf(e: Elaboration, text: LevelText, frame: Frame, problem: string, local: boolean): Level {
  const declared = text.variables.map((stmt) => variable(e, stmt, frame, problem, local));
  const own = new Set(text.variables.map((v) => v.name.text));
  const models = text.names.filter((n) => !own.has(n.text)).map((n) => movedModel(e, n, frame));
  const lower = text.lower.map((l) => levelOf(e, l, frame, problem, local));
  return { text, variables: [...declared, ...models], lower };
}

function variable(e: Elaboration, stmt: ast.OverStmt, frame: Frame, problem: string, local: boolean): Variable {
  const name = stmt.name.text;
  if (!stmt.type && !stmt.init) return movedModel(e, stmt.name, { ...frame, scope: frame.scope.parent as Scope }, stmt);
  const range = stmt.set && rangeOf(e, stmt.set, frame);
  const set = stmt.set && !range ? setOf(e, stmt.set, frame) : undefined;
  const type = stmt.type && staticType(e, stmt.type, frame);
  const decl: ast.CellDecl = {
    kind: 'cell',
    word: 'var',
    name: stmt.name,
    type: stmt.type,
    init: stmt.init,
    span: stmt.span,
  };
  const value = initialValue(e, decl, type, frame, [...frame.path, name], frame.indices);
  const id = `${e.qualified(`${problem}.${name}`)}${local ? `@${e.nextLocal++}` : ''}`;
  const place = {
    kind: 'var',
    id,
    label: `${problem}.${name}`,
    group: id,
    run: e.run.name,
    persistent: !local,
    span: stmt.name.span,
  } as const;
  const floats =
    value.kind === 'exact' || value.kind === 'exactArray' ? tensor(toNode(e, value, stmt.span, 'f32')) : value;
  const cells = cellsFor(e, floats, place, stmt.span);
  frame.scope.set(name, { kind: 'value', value: cells, span: stmt.name.span });
  if (range && cells.cells.some((c) => c.type.dtype !== 'i32'))
    fail(
      'OPT441',
      stmt.span,
      `${name} is in a range of whole numbers, and has type ${e.typeText(cells.cells[0].type)}`,
      {
        hint: `write over ${name}: i32[n] in 0..10, or a set: in box(0, 10)`,
      },
    );
  return { name, span: stmt.name.span, set, range, cells: () => cells };
}

/** A model (or variable of the file) that a problem moves: its cells are known once it was called. */
function movedModel(e: Elaboration, name: ast.Name, frame: Frame, over?: ast.OverStmt): Variable {
  if (!frame.scope.find(name.text))
    fail('OPT441', name.span, `${name.text} is no variable: it has neither a type nor a first value`, {
      hint: `write over ${name.text}: f32[n] = 0, or name a model of the file`,
    });
  const set = over?.set && setOf(e, over.set, frame);
  const expr: ast.Expr = { kind: 'name', name: name.text, span: name.span };
  return { name: name.text, span: name.span, set, cells: () => cellsNamed(e, expr, frame) };
}

/** The cells that an expression names, with its structure. OPT441 where it is no cell. */
function cellsNamed(e: Elaboration, expr: ast.Expr, frame: Frame): CellValue {
  const t = target(e, expr, frame);
  const cells = t.leaves.map((leaf) => {
    if (leaf.cell && leaf.cell.kind !== 'let' && leaf.cell.kind !== 'frozen') return leaf.cell;
    fail('OPT441', expr.span, `${t.text} is a value, which nobody can move`, {
      hint: 'a problem moves its variables, models and vars',
    });
  });
  return { kind: 'cell', cells, like: t.value };
}

/** `in a..b` of a variable of whole numbers; undefined where it is a set. */
function rangeOf(e: Elaboration, expr: ast.Expr, frame: Frame): Variable['range'] {
  if (expr.kind !== 'range') return undefined;
  const value = e.do.expression(e, expr, frame);
  if (value.kind === 'range' && value.lo.kind === 'exact')
    return { lo: value.lo.value, hi: value.lo.value + value.length };
  fail('OPT305', expr.span, 'the range of a variable is known at compile time', { hint: 'write in 0..n with a dim n' });
}

/** A set after `in`: in scope, else of the library. */
function setOf(e: Elaboration, expr: ast.Expr, frame: Frame): Template {
  const root = expr.kind === 'call' ? expr.callee : expr;
  let inner = frame;
  if (root.kind === 'name' && !frame.scope.find(root.name)) {
    const found = libraryScope(e, 'sets', expr.span)?.names.get(root.name);
    if (found) {
      inner = { ...frame, scope: new Scope(frame.scope) };
      inner.scope.set(root.name, found);
    }
  }
  const value = e.do.expression(e, expr, inner);
  if (isSet(value)) return value;
  fail('OPT304', expr.span, `a variable lives in a set, not in ${kindText(value)}`, {
    hint: 'write in box(0, 1), or declare set s() for x { project = …  contains = … }',
  });
}

// ---------------------------------------------------------------- owners

/** The cells that a player moves. */
export function playerCells(
  e: Elaboration,
  instance: ProblemInstance,
  player: ast.PlayerStmt,
  frame: Frame,
): CellValue {
  const parts = player.moves.map((expr) => {
    const own = expr.kind === 'name' && instance.level.variables.find((v) => v.name === expr.name);
    return { expr, cells: own ? own.cells() : cellsNamed(e, expr, frame) };
  });
  return together(parts.map(({ expr, cells }) => ({ name: nameOf(e, expr), cells })));
}

const nameOf = (e: Elaboration, expr: ast.Expr): string =>
  expr.kind === 'name' ? expr.name : e.options.text(expr.span);

/** Several variables as one tree; one alone is itself. */
export function together(parts: readonly { readonly name: string; readonly cells: CellValue }[]): CellValue {
  if (parts.length === 1) return parts[0].cells;
  return {
    kind: 'cell',
    cells: parts.flatMap((p) => p.cells.cells),
    like: { kind: 'record', fields: new Map(parts.map((p) => [p.name, p.cells.like])) },
  };
}

/** Every variable has one owner. OPT441 where two levels or players move one, or no player does. */
function checkOwners(e: Elaboration, { level, name }: ProblemInstance): void {
  const owners = new Map<string, Span>();
  const own = (variable: string, span: Span): void => {
    const first = owners.get(variable);
    if (first)
      fail('OPT441', span, `${variable} has two owners in ${name}`, {
        labels: [{ span: first, text: 'the other one' }],
        hint: 'every variable is moved by one level or player',
      });
    owners.set(variable, span);
  };
  const visit = (each: Level): void => {
    const { players } = each.text;
    if (players.length === 0) for (const v of each.variables) own(v.name, v.span);
    for (const player of players) for (const expr of player.moves) own(nameOf(e, expr), expr.span);
    const idle = players.length > 0 && each.variables.find((v) => !owners.has(v.name));
    if (idle)
      fail('OPT441', idle.span, `no player moves ${idle.name}`, {
        labels: players.map((p) => ({ span: p.name.span, text: 'a player of this level' })),
        hint: `add it to what a player moves: player ${players[0].name.text} moves ${idle.name} …`,
      });
    each.lower.forEach(visit);
  };
  visit(level);
}
