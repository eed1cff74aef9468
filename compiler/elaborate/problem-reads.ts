/**
 * What the parts of a problem read. An objective that reads none of what its level or player moves, a constraint on nothing that is moved, and a variable that nothing
 * reads change no shape and raise no error while a solver runs: they only make the problem another one than was meant.
 */
import { fail } from '../diagnostics/diagnostic.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { leafNodes } from './convert.ts';
import { constraintName } from './problem-text.ts';
import { objective, playerObjective, residual } from './problem-fields.ts';
import { allOf, type Level, playerCells, type ProblemInstance } from './problems.ts';
import type { Frame } from './scope.ts';
import { readsByCell, visibleNodes } from './targets.ts';
import type { CellRef, Value } from './values.ts';

/** Evaluates every part of the problem (which also gives models their parameters). OPT447 where one reads nothing that it could depend on. */
export function checkReads(e: Elaboration, instance: ProblemInstance, view: Frame): void {
  // Models get their parameters by their first call, so that everything is called before cells are asked for.
  const parts = allOf(instance.level).map((level) => ({ level, ...partsOf(e, level, view) }));
  const read = new Set<CellRef>();
  const cellsOf = (level: Level): CellRef[] => level.variables.flatMap((v) => v.cells().cells);
  for (const { level, objectives, constraints, players } of parts) {
    const own = cellsOf(level);
    const below = level.lower.flatMap(allOf).flatMap(cellsOf);
    const all = [
      ...parts.flatMap((p) => cellsOf(p.level)),
      ...players.flatMap((p) => playerCells(e, instance, p.stmt, view).cells),
    ];
    const reads = (value: Value, span: Span): Set<CellRef> => {
      const met = readsByCell(e, visibleNodes(leafNodes(e, value, span), true));
      const found = new Set(all.filter((cell) => met.has(cell.id)));
      for (const cell of found) read.add(cell);
      return found;
    };
    const lower = level !== instance.level;
    for (const { stmt, value } of objectives) {
      const found = reads(value, stmt.value.span);
      if (!(lower ? own : [...own, ...below]).some((c) => found.has(c)))
        nothing(
          stmt.value.span,
          `the objective ${stmt.name?.text ?? ''} reads no variable of its level`.replace('  ', ' '),
          level,
        );
    }
    for (const { stmt, value } of constraints) {
      const found = reads(value, stmt.span);
      if (![...own, ...below].some((c) => found.has(c)))
        nothing(
          stmt.span,
          `the constraint ${constraintName(level.text, stmt)} reads no variable of its level: it holds or not, whatever is done`,
          level,
        );
    }
    for (const { stmt, value } of players) {
      const found = reads(value, stmt.value.span);
      if (!playerCells(e, instance, stmt, view).cells.some((c) => found.has(c)))
        nothing(stmt.value.span, `the objective of ${stmt.name.text} does not depend on what it moves`, level);
    }
  }
  const idle = allOf(instance.level)
    .flatMap((l) => l.variables)
    .find((v) => v.cells().cells.every((c) => !read.has(c)));
  if (idle)
    fail('OPT447', idle.span, `nothing in ${instance.name} reads the variable ${idle.name}`, {
      hint: 'remove it, or use it in an objective or constraint',
    });
}

function partsOf(e: Elaboration, { text }: Level, view: Frame) {
  return {
    objectives: text.objectives.map((stmt) => ({ stmt, value: objective(e, stmt, view) })),
    constraints: text.constraints.map((stmt) => ({ stmt, value: residual(e, stmt, view, 1) })),
    players: text.players.map((stmt) => ({ stmt, value: playerObjective(e, stmt, view) })),
  };
}

function nothing(span: Span, message: string, level: Level): never {
  fail('OPT447', span, message, {
    labels: level.variables.map((v) => ({ span: v.span, text: 'a variable of this level' })),
    hint: 'check the names that it reads: a value computed before the problem, or a stop, does not follow the variables',
  });
}
