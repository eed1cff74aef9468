/**
 * The parts of a problem as written: its variables, objectives, constraints, players and lower levels. A class is read the same way: it is the skeleton of the
 * problems that a solver takes. What is wrong whatever the values are (no objective, a name without an owner) is refused here.
 */
import type * as ast from '../ast/nodes.ts';
import { fail, InternalError } from '../diagnostics/diagnostic.ts';
import type { Span } from '../source/source.ts';

export interface LevelText {
  /** Where the level begins, for messages. */
  readonly span: Span;
  readonly variables: readonly ast.OverStmt[];
  /** Names after `where`, of a lower level: its variables, and models that it moves. */
  readonly names: readonly ast.Name[];
  readonly objectives: readonly ast.ObjectiveStmt[];
  readonly constraints: readonly ast.ConstraintStmt[];
  readonly players: readonly ast.PlayerStmt[];
  readonly lower: readonly LevelText[];
  /** Everything else: values and functions that the fields read, and reports. */
  readonly rest: readonly ast.Stmt[];
}

export function levelText(statements: readonly ast.Stmt[], span: Span, names: readonly ast.Name[] = []): LevelText {
  const parts = ['over', 'objective', 'constraint', 'player', 'lowerLevel'];
  return {
    span,
    names,
    variables: statements.filter((s) => s.kind === 'over'),
    objectives: statements.filter((s) => s.kind === 'objective'),
    constraints: statements.filter((s) => s.kind === 'constraint'),
    players: statements.filter((s) => s.kind === 'player'),
    lower: statements
      .filter((s) => s.kind === 'lowerLevel')
      .map((s) => levelText(s.body.statements, s.span, s.variables)),
    rest: statements.filter((s) => !parts.includes(s.kind)),
  };
}

/** The levels of a problem, the upper one first. */
export function allLevels(level: LevelText): LevelText[] {
  return [level, ...level.lower.flatMap(allLevels)];
}

/** Refuses with OPT440 a problem that asks for nothing, and with OPT441 a lower level whose names are not those of what it moves. */
export function checkProblem(decl: ast.ProblemDecl, level: LevelText): void {
  for (const each of allLevels(level)) {
    if (each.objectives.length + each.players.length === 0)
      fail('OPT440', each.span, `${each === level ? `the problem ${decl.name.text}` : 'this level'} has no objective`, {
        hint: 'add minimize F: e, or player A moves x minimizes e',
      });
    if (each.objectives.length > 0 && each.players.length > 0)
      fail(
        'OPT440',
        each.players[0].span,
        'the objectives of a level belong to the level or to its players, not to both',
        {
          labels: [{ span: each.objectives[0].span, text: 'the level has this one' }],
          hint: 'give the objective to a player: player A moves x minimizes e',
        },
      );
    const list = each.objectives.find((o) => o.value.kind === 'bracelist');
    if (list)
      fail('OPT440', list.value.span, 'each objective of a problem has a minimize or maximize of its own', {
        hint: 'write minimize F: a and minimize G: b; the braces are those of a class, for any number of objectives',
      });
    if (each === level) continue;
    const names = new Map(each.names.map((n) => [n.text, n]));
    const foreign = each.variables.find((v) => !names.has(v.name.text));
    if (foreign)
      fail('OPT441', foreign.name.span, `${foreign.name.text} is declared in a level whose head does not name it`, {
        labels: [{ span: each.span, text: `this level solves for ${[...names.keys()].join(', ')}` }],
        hint: `write where ${[...names.keys(), foreign.name.text].join(', ')} solves { … }`,
      });
  }
}

/** The name of a constraint: as written, else by its place in the problem. */
export function constraintName(level: LevelText, stmt: ast.ConstraintStmt): string {
  if (stmt.name) return stmt.name.text;
  const unnamed = level.constraints.filter((c) => !c.name);
  return unnamed.length === 1 ? 'constraint' : `constraint_${unnamed.indexOf(stmt)}`;
}

/** Left side, right side and relation of a constraint. */
export function relationOf(stmt: ast.ConstraintStmt): { left: ast.Expr; right: ast.Expr; op: '==' | '<=' | '>=' } {
  const { relation } = stmt;
  if (relation.kind === 'binary') {
    const { left, right, op } = relation;
    if (op === '==' || op === '<=' || op === '>=') return { left, right, op };
  }
  throw new InternalError('a constraint that is no relation');
}
