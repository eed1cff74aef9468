/** How far a problem is from its first-order conditions, where its variables stand: what a ledger shows beside the constraints. */
import { SaddleError } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import type { Matched } from './classes.ts';
import type { Elaboration } from './context.ts';
import { leafNodes } from './convert.ts';
import { lagrangianOf } from './lagrangian.ts';
import { objective, playerObjective, residual } from './problem-fields.ts';
import { constraintName, relationOf } from './problem-text.ts';
import { allOf, type Level, playerCells, type ProblemInstance } from './problems.ts';
import type { Frame } from './scope.ts';
import { projectNode } from './sets.ts';
import { gradients } from './stand-ins.ts';
import type { CellRef } from './values.ts';

/** A function that some variables are to make least or greatest, the others held. */
interface Condition {
  readonly total: Node;
  readonly cells: readonly CellRef[];
  readonly sense: 1 | -1;
}

export interface FirstOrder {
  readonly norm: Node;
  /** Of a game, each player's own conditions; of several levels, those of the lower ones: x has none without the answers that it would get. */
  readonly of?: 'players' | 'lower levels';
}

/**
 * Norm of the gradient of the Lagrangian by the variables; with sets, of x - P(x - gradient), which is 0 where no feasible direction descends. Undefined for several
 * objectives, where multipliers are missing, or where the problem has no derivative.
 */
export function firstOrder(e: Elaboration, matched: Matched, view: Frame): FirstOrder | undefined {
  const { problem } = matched;
  const { level } = problem;
  const within = (conditions: readonly (Condition | undefined)[], of?: FirstOrder['of']): FirstOrder | undefined => {
    const known = conditions.filter((c) => c !== undefined);
    if (known.length === 0 || known.length < conditions.length) return undefined;
    return { norm: normOf(e, known.flatMap((c) => gaps(e, problem, c, view))), of }; // prettier-ignore
  };
  try {
    if (level.lower.length > 0) {
      const lower = allOf(level).filter((l) => l !== level);
      return within(lower.map((l) => ofLevel(e, problem, l, view)), 'lower levels'); // prettier-ignore
    }
    if (level.text.players.length > 0) return within(ofPlayers(e, problem, view), 'players');
    const total = lagrangianOf(e, matched, view);
    return within([total && { total, cells: cellsOf(level), sense: senseOf(level.text.objectives[0].sense) }]);
  } catch (error) {
    if (error instanceof SaddleError) return undefined;
    throw error;
  }
}

const cellsOf = (level: Level): CellRef[] => level.variables.flatMap((v) => v.cells().cells);
const senseOf = (word: string): 1 | -1 => (word.startsWith('max') ? -1 : 1);

/** The level's objective plus the products of published multipliers, in the writer's sense, and residuals. */
function ofLevel(e: Elaboration, problem: ProblemInstance, level: Level, view: Frame): Condition | undefined {
  const { text } = level;
  const [stmt, ...more] = text.objectives;
  if (!stmt || more.length > 0 || text.players.length > 0) return undefined;
  const sense = senseOf(stmt.sense);
  let [total] = leafNodes(e, objective(e, stmt, view), stmt.span, 'f32');
  for (const constraint of text.constraints) {
    const cells = problem.multipliers.get(constraintName(text, constraint))?.cells ?? [];
    const sign = relationOf(constraint).op === '>=' ? -1 : 1;
    const left = leafNodes(e, residual(e, constraint, view, sign), constraint.span, 'f32');
    if (cells.length !== left.length) return undefined;
    left.forEach((node, i) => {
      const product = e.make('mul', [node, e.entry.read(cells[i])]);
      const axes = node.type.shape.map((_, axis) => axis);
      const sum = axes.length > 0 ? e.make('reduce_sum', [product], { axes }) : product;
      total = e.make(sense === 1 ? 'add' : 'sub', [total, sum]);
    });
  }
  return { total, cells: cellsOf(level), sense };
}

/** Undefined where players have constraints: whose multipliers they are is not said. */
function ofPlayers(e: Elaboration, problem: ProblemInstance, view: Frame): (Condition | undefined)[] {
  const { text } = problem.level;
  if (text.constraints.length > 0 || text.objectives.length > 0) return [undefined];
  return text.players.map((stmt) => {
    const [total] = leafNodes(e, playerObjective(e, stmt, view), stmt.span, 'f32');
    return { total, cells: playerCells(e, problem, stmt, view).cells, sense: senseOf(stmt.sense) };
  });
}

/** What is left of the gradient, by variable. */
function gaps(
  e: Elaboration,
  { level, template }: ProblemInstance,
  { total, cells, sense }: Condition,
  view: Frame,
): Node[] {
  // prettier-ignore
  const sets = new Map(allOf(level).flatMap((l) => l.variables).flatMap((v) => v.cells().cells.map((cell) => [cell.id, v.set] as const))); // prettier-ignore
  const at = cells.map((cell) => e.entry.read(cell));
  const { values } = gradients(e, total, at);
  return values.map((g, i) => {
    const set = sets.get(cells[i].id);
    if (!set) return g;
    const next = e.make(sense > 0 ? 'sub' : 'add', [at[i], g]);
    return e.make('sub', [at[i], projectNode(e, set, next, view, template.decl.name.span)]);
  });
}

/** Euclidean norm of several arrays. */
export function normOf(e: Elaboration, nodes: readonly Node[]): Node {
  const squares = nodes.map((n) => {
    const square = e.make('integer_pow', [n], { exponent: 2 });
    const axes = n.type.shape.map((_, axis) => axis);
    return axes.length > 0 ? e.make('reduce_sum', [square], { axes }) : square;
  });
  return e.make('sqrt', [squares.reduce((a, b) => e.make('add', [a, b]), e.constant(0))]);
}
