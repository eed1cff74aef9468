/**
 * Classes of problems. A class is a skeleton: what a problem must have for a solver of the class to know what to do with it. Matching a problem with the class of a
 * solver gives each name of the solver's header its meaning, or says what is missing, or what the solver would leave out of account.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { didYouMean } from '../diagnostics/suggest.ts';
import type { Span } from '../source/source.ts';
import { isAffine } from '../check/affine.ts';
import type { Elaboration } from './context.ts';
import { leafNodes } from './convert.ts';
import { libraryScope } from './imports.ts';
import { constraintName, levelText, type LevelText, relationOf } from './problem-text.ts';
import { objective, playerObjective, residual } from './problem-fields.ts';
import { allOf, type Level, playerCells, type ProblemInstance, together, type Variable } from './problems.ts';
import type { Frame } from './scope.ts';
import {
  type CellValue,
  type ClassValue,
  isCompound,
  type SetProduct,
  type Template,
  tensor,
  type Value,
} from './values.ts';

/** A constraint in the direction of the solver's class. */
export interface Oriented {
  readonly stmt: ast.ConstraintStmt;
  readonly name: string;
  /** 1 where the residual is left minus right as written. */
  readonly sign: 1 | -1;
}

/** What a name of a solver's header stands for. */
export type Part =
  | { readonly kind: 'variables'; readonly cells: () => CellValue; readonly variables: readonly Variable[] }
  | { readonly kind: 'set'; readonly set: SetProduct }
  | { readonly kind: 'objective'; readonly read: (view: Frame) => Value }
  | {
      readonly kind: 'constraints';
      readonly read: (view: Frame) => Value;
      readonly all: readonly Oriented[];
      /** In the Lagrangian the residual is added (1) or taken off (-1). */
      readonly sense: 1 | -1;
    };

export interface Matched {
  readonly problem: ProblemInstance;
  readonly solver: Template;
  /** By the solver's own names. */
  readonly parts: ReadonlyMap<string, Part>;
}

/** The class that a solver is for. OPT442 where there is none of this name. */
export function classOf(e: Elaboration, solver: Template): ClassValue {
  const { problemClass } = solver.decl as ast.SolverDecl;
  const library = () => libraryScope(e, 'classes', problemClass.span);
  const own = solver.frame.scope.find(problemClass.text) ?? library()?.names.get(problemClass.text);
  if (own?.kind === 'value' && own.value.kind === 'class') return own.value;
  const known = [...(library()?.names.keys() ?? [])];
  fail('OPT442', problemClass.span, `there is no class of problems called '${problemClass.text}'`, {
    hint: didYouMean(problemClass.text, known) ?? `declare it, or take one of the library: ${known.join(', ')}`,
  });
}

/** A reason why a problem is not of a class. */
interface Misfit {
  readonly text: string;
  readonly span: Span;
}

/** Meanings of the names of the solver's header. OPT443 where the problem is not what the solver takes. */
export function match(e: Elaboration, problem: ProblemInstance, solver: Template, view: Frame, span: Span): Matched {
  const found = tryMatch(e, problem, solver, view);
  if ('parts' in found) return found;
  const name = solver.decl.name.text;
  const fitting = librarySolvers(e, problem, view, span).flatMap((s) =>
    s.decl.name.text === name ? [] : s.decl.name.text,
  );
  const [first, ...more] = found.misfits;
  fail('OPT443', span, `${name} is a solver for ${classText(solver)}, and ${problem.name} ${first.text}`, {
    labels: [
      ...found.misfits.map((m) => ({ span: m.span, text: m === first ? 'here' : `it ${m.text}` })),
      { span: (solver.decl as ast.SolverDecl).problemClass.span, text: `what ${name} takes` },
    ],
    notes: more.map((m) => `${problem.name} also ${m.text}`),
    hint:
      fitting.length > 0 ? `solvers of the library that fit: ${fitting.join(', ')}` : 'no solver of the library fits',
  });
}

const classText = (solver: Template): string => `the class ${(solver.decl as ast.SolverDecl).problemClass.text}`;

/** The solvers of the library that take the problem. */
export function librarySolvers(e: Elaboration, problem: ProblemInstance, view: Frame, span: Span): Template[] {
  const names = libraryScope(e, 'solvers', span)?.names ?? new Map<string, never>();
  return [...names.values()].flatMap((binding) => {
    if (binding.kind !== 'value' || binding.value.kind !== 'template' || binding.value.decl.kind !== 'solver')
      return [];
    return 'parts' in tryMatch(e, problem, binding.value, view) ? [binding.value] : [];
  });
}

function tryMatch(
  e: Elaboration,
  problem: ProblemInstance,
  solver: Template,
  view: Frame,
): Matched | { readonly misfits: readonly Misfit[] } {
  const wanted = classOf(e, solver);
  const header = headerNames(solver, wanted);
  const matching = new Matching(e, problem, view, header);
  matching.level(levelText(wanted.decl.body.statements, wanted.decl.name.span), problem.level);
  if (matching.misfits.length > 0) return { misfits: matching.misfits };
  return { problem, solver, parts: matching.parts };
}

/** The solver's names by those of its class; `set` where the header takes the set of a variable. */
interface Header {
  readonly variables: ReadonlyMap<string, { readonly name: string; readonly set?: string }>;
  readonly parts: ReadonlyMap<string, string>;
}

function headerNames(solver: Template, wanted: ClassValue): Header {
  const decl = solver.decl as ast.SolverDecl;
  const { variables, parts, name } = wanted.decl;
  if (decl.variables.length !== variables.length || decl.parts.length > parts.length)
    fail('OPT442', decl.problemClass.span, `the class ${name.text} has ${count(variables.length, 'tree')} of variables and ${count(parts.length, 'part')}`, {
      labels: [{ span: name.span, text: 'declared here' }],
      hint: `write for ${name.text} (${variables.map((v) => v.name.text).join(', ')}; ${parts.map((p) => p.text).join(', ')}), with names of your own`,
    }); // prettier-ignore
  return {
    variables: new Map(
      variables.map((v, i) => [v.name.text, { name: decl.variables[i].name.text, set: decl.variables[i].set?.text }]),
    ),
    parts: new Map(decl.parts.map((p, i) => [parts[i].text, p.text])),
  };
}

const count = (n: number, word: string): string => `${n} ${word}${n === 1 ? '' : 's'}`;

class Matching {
  readonly parts = new Map<string, Part>();
  readonly misfits: Misfit[] = [];
  private readonly e: Elaboration;
  private readonly problem: ProblemInstance;
  private readonly view: Frame;
  private readonly header: Header;

  constructor(e: Elaboration, problem: ProblemInstance, view: Frame, header: Header) {
    this.e = e;
    this.problem = problem;
    this.view = view;
    this.header = header;
  }

  level(wanted: LevelText, level: Level): void {
    const { text } = level;
    if (wanted.players.length > 0) this.players(wanted, level);
    else {
      this.variables(wanted, level);
      this.objectives(wanted, text);
    }
    if (wanted.players.length === 0 && text.players.length > 0)
      this.misfit(text.players[0].name.span, 'has players, each with an objective of its own');
    this.constraints(wanted, level);
    if (wanted.lower.length !== text.lower.length) {
      const [at] = text.lower;
      const needed = wanted.lower.length;
      const none = `has no lower level, where ${needed === 1 ? 'one is' : `${needed} are`} needed`;
      const has = `has ${count(text.lower.length, 'lower level')}${needed === 0 ? '' : `, not ${needed}`}`;
      return this.misfit(at?.span ?? text.span, text.lower.length === 0 ? none : has);
    }
    wanted.lower.forEach((inner, i) => this.level(inner, level.lower[i]));
  }

  private misfit(span: Span, text: string): void {
    this.misfits.push({ span, text });
  }

  private variables(wanted: LevelText, level: Level): void {
    const own = level.variables;
    if (wanted.variables.length > 1)
      fail('OPT442', wanted.variables[1].span, 'a level of a class has one tree of variables', {
        hint: 'leave one over: it stands for all variables of the level',
      });
    const [variable] = wanted.variables;
    if (!variable) return;
    if (own.length === 0) return this.misfit(level.text.span, 'has no variables at this level');
    const name = this.header.variables.get(variable.name.text);
    if (!name) return;
    const set = this.setOf(own, name.set, variable.set !== undefined);
    if (name.set && set) this.parts.set(name.set, { kind: 'set', set });
    this.parts.set(name.name, { kind: 'variables', cells: () => allCells(own), variables: own });
    this.wholeNumbers(own, variable.type?.dtype.text === 'i32');
  }

  /** A class asks for whole numbers by `over c: i32`; the others move floats. */
  private wholeNumbers(own: readonly Variable[], wanted: boolean): void {
    for (const v of own) {
      const whole = v.cells().cells.every((c) => c.type.dtype === 'i32');
      if (whole === wanted) continue;
      this.misfit(
        v.span,
        wanted ? `has the variable ${v.name}, which is no whole number` : `has the variable ${v.name} of whole numbers`,
      );
    }
  }

  /** The product of the sets. A solver that does not ask for it would let variables leave them. */
  private setOf(own: readonly Variable[], name: string | undefined, offered: boolean): SetProduct | undefined {
    const bound = own.find((v) => v.set);
    if (bound && !(name && offered))
      this.misfit(bound.span, `has the variable ${bound.name} in a set, which this solver does not look at`);
    if (!name) return undefined;
    return { kind: 'setProduct', sets: own.flatMap((v) => v.cells().cells.map(() => v.set)) };
  }

  private objectives(wanted: LevelText, text: LevelText): void {
    const [all] = wanted.objectives;
    if (wanted.objectives.length === 1 && all.value.kind === 'bracelist') return this.allObjectives(all, text);
    const several = text.objectives.length !== wanted.objectives.length;
    if (several && text.players.length === 0)
      return this.misfit(
        text.objectives[0]?.span ?? text.span,
        `has ${count(text.objectives.length, 'objective')} at this level, not ${wanted.objectives.length}`,
      );
    wanted.objectives.forEach((skeleton, i) => {
      const name = this.header.parts.get(nameIn(skeleton.value));
      const stmt = text.objectives[i];
      if (name === undefined || !stmt) return;
      const read = (view: Frame): Value => turned(this.e, objective(this.e, stmt, view), stmt.sense !== skeleton.sense);
      this.parts.set(name, { kind: 'objective', read });
    });
  }

  /** `minimize { Fs }` of a class stands for all objectives of the level, which are a tuple. */
  private allObjectives(skeleton: ast.ObjectiveStmt, text: LevelText): void {
    const { value } = skeleton;
    if (value.kind !== 'bracelist' || value.items.length !== 1)
      fail('OPT442', value.span, 'a class has one name for any number of objectives', {
        hint: 'write minimize { Fs }, or a minimize for each of them',
      });
    const name = this.header.parts.get(nameIn(value.items[0]));
    if (name === undefined || text.players.length > 0) return;
    const { e } = this;
    const items = (view: Frame): Value[] =>
      text.objectives.map((stmt) => turned(e, objective(e, stmt, view), stmt.sense !== skeleton.sense));
    this.parts.set(name, { kind: 'objective', read: (view) => ({ kind: 'tuple', items: items(view) }) });
  }

  /** One player of the class stands for all players; several for as many. */
  private players(wanted: LevelText, level: Level): void {
    const { text } = level;
    const all = wanted.players.length === 1;
    if (text.players.length === 0) return this.misfit(text.span, 'has no players');
    if (!all && text.players.length !== wanted.players.length)
      return this.misfit(
        text.players[0].name.span,
        `has ${count(text.players.length, 'player')}, not ${wanted.players.length}`,
      );
    const bound = level.variables.find((v) => v.set);
    if (bound) this.misfit(bound.span, `has the variable ${bound.name} in a set, which this solver does not look at`);
    const players = text.players.map((stmt) => ({
      cells: () => playerCells(this.e, this.problem, stmt, this.view),
      read: (view: Frame): Value => turned(this.e, playerObjective(this.e, stmt, view), stmt.sense === 'maximizes'),
    }));
    wanted.players.forEach((skeleton, i) => {
      const mine = all ? players : [players[i]];
      const variables = this.header.variables.get(nameIn(skeleton.moves[0]));
      const part = this.header.parts.get(nameIn(skeleton.value));
      if (variables)
        this.parts.set(variables.name, {
          kind: 'variables',
          variables: [],
          cells: () =>
            tuple(
              mine.map((p) => p.cells()),
              all,
            ),
        });
      if (part === undefined) return;
      const read = (view: Frame): Value => {
        const values = mine.map((p) => p.read(view));
        return all ? { kind: 'tuple', items: values } : values[0];
      };
      this.parts.set(part, { kind: 'objective', read });
    });
  }

  private constraints(wanted: LevelText, level: Level): void {
    const { text } = level;
    const skeletons = wanted.constraints.map((stmt) => ({ stmt, ...relationOf(stmt), mine: [] as Oriented[] }));
    for (const stmt of text.constraints) {
      const { op } = relationOf(stmt);
      const equality = op === '==';
      const name = constraintName(text, stmt);
      const skeleton = skeletons.find((s) => (s.op === '==') === equality);
      const named = skeleton && this.header.parts.has(nameIn(skeleton.left));
      if (!skeleton || !named) {
        this.misfit(
          stmt.span,
          `has the ${equality ? 'equality' : 'inequality'} ${name}, which this solver does not look at`,
        );
        continue;
      }
      const oriented: Oriented = { stmt, name, sign: equality || op === skeleton.op ? 1 : -1 };
      if (skeleton.stmt.affine && !this.affine(oriented, level)) {
        this.misfit(
          stmt.span,
          `has the constraint ${name}, which is not affine in the variables of its level as far as can be seen`,
        );
        continue;
      }
      skeleton.mine.push(oriented);
    }
    const asked = skeletons.filter((s) => this.header.parts.has(nameIn(s.left)));
    if (asked.length > 0 && text.constraints.length === 0) {
      const kinds = [...new Set(asked.map((s) => (s.op === '==' ? 'equality' : 'inequality')))];
      this.misfit(text.span, `has no constraint (${kinds.join(' or ')}) at this level`);
    }
    for (const { left, op, mine } of skeletons) {
      const name = this.header.parts.get(nameIn(left));
      if (name === undefined) continue;
      const read = (view: Frame): Value => residuals(this.e, mine, view);
      this.parts.set(name, { kind: 'constraints', read, all: mine, sense: op === '>=' ? -1 : 1 });
    }
  }

  private affine({ stmt, sign }: Oriented, level: Level): boolean {
    const { e } = this;
    const cells = level.variables.flatMap((v) => v.cells().cells);
    const by = new Set(cells.map((c) => e.entry.read(c)));
    return leafNodes(e, residual(e, stmt, this.view, sign), stmt.span, 'f32').every((node) => isAffine(node, by));
  }
}

const allCells = (variables: readonly Variable[]): CellValue =>
  together(variables.map((v) => ({ name: v.name, cells: v.cells() })));

function tuple(parts: readonly CellValue[], all: boolean): CellValue {
  if (!all) return parts[0];
  return {
    kind: 'cell',
    cells: parts.flatMap((p) => p.cells),
    like: { kind: 'tuple', items: parts.map((p) => p.like) },
  };
}

/** Residuals by the names of their constraints; one alone is itself. */
export function residuals(e: Elaboration, all: readonly Oriented[], view: Frame): Value {
  const values = all.map(({ stmt, sign }) => residual(e, stmt, view, sign));
  if (values.length === 1 && !isCompound(values[0])) return values[0];
  return { kind: 'record', fields: new Map(all.map(({ name }, i) => [name, values[i]])) };
}

function turned(e: Elaboration, value: Value, turn: boolean): Value {
  return turn && value.kind === 'tensor' ? tensor(e.make('neg', [value.node])) : value;
}

/** The name that a part of a class's body is written by. OPT442 for anything else. */
function nameIn(expr: ast.Expr): string {
  if (expr.kind === 'name') return expr.name;
  fail('OPT442', expr.span, 'a class names the parts of a problem', {
    hint: 'write minimize F, subject to g == 0, player p moves x minimizes F',
  });
}

/** All constraints of a problem, for its ledger, with the level they stand in. */
export function constraintsOf(
  problem: ProblemInstance,
): { readonly name: string; readonly stmt: ast.ConstraintStmt }[] {
  return allOf(problem.level).flatMap(({ text }) =>
    text.constraints.map((stmt) => ({ name: constraintName(text, stmt), stmt })),
  );
}
