/**
 * What the parts of a problem read. An objective that reads none of what its level or player moves, a constraint on nothing that is moved, and a variable that nothing
 * reads change no shape and raise no error while a solver runs: they only make the problem another one than was meant.
 */
import { fail } from '../diagnostics/diagnostic.ts';
import { sameValue } from '../ir/tensor/same.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { leafNodes } from './convert.ts';
import { constraintName, relationOf } from './problem-text.ts';
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
  for (const part of parts) {
    warnTwice(e, part, instance);
    warnApart(e, instance, part, parts, view);
  }
  const idle = allOf(instance.level)
    .flatMap((l) => l.variables)
    .find((v) => v.cells().cells.every((c) => !read.has(c)));
  if (idle)
    fail('OPT447', idle.span, `nothing in ${instance.name} reads the variable ${idle.name}`, {
      hint: 'remove it, or use it in an objective or constraint',
    });
}

interface Parts extends ReturnType<typeof partsOf> {
  readonly level: Level;
}

/** OPT449: the same constraint twice, or two players who want the same. */
function warnTwice(e: Elaboration, { constraints, players }: Parts, { name }: ProblemInstance): void {
  const same = (a: Value, b: Value, span: Span): boolean => {
    const [x, y] = [leafNodes(e, a, span), leafNodes(e, b, span)];
    return x.length === y.length && x.every((node, i) => sameValue(node, y[i]));
  };
  constraints.forEach(({ stmt, value }, i) => {
    const first = constraints.slice(0, i).find((c) => relationOf(c.stmt).op === relationOf(stmt).op && same(c.value, value, stmt.span)); // prettier-ignore
    if (first)
      e.warn(
        'OPT449',
        stmt.span,
        'this constraint says again what another one says: their multipliers are not determined',
        {
          labels: [{ span: first.stmt.span, text: 'the same' }],
          hint: 'one of them is probably to name another variable; else remove it',
        },
      );
  });
  players.forEach(({ stmt, value }, i) => {
    const first = players.slice(0, i).find((p) => p.stmt.sense === stmt.sense && same(p.value, value, stmt.span));
    if (first)
      e.warn(
        'OPT449',
        stmt.value.span,
        `${first.stmt.name.text} and ${stmt.name.text} both ${stmt.sense.replace(/s$/, '')} this: ${name} is no game`,
        {
          labels: [{ span: first.stmt.value.span, text: 'the same' }],
          hint: 'one of them is probably to have the other sense; variables of one objective are of one level',
        },
      );
  });
}

/** OPT449: levels of which one says nothing to the other, players who do not meet. */
function warnApart(e: Elaboration, instance: ProblemInstance, part: Parts, all: readonly Parts[], view: Frame): void {
  const readsAny = (values: readonly { value: Value; stmt: { span: Span } }[], cells: readonly CellRef[]): boolean =>
    values.some(({ value, stmt }) => {
      const met = readsByCell(e, visibleNodes(leafNodes(e, value, stmt.span), true));
      return cells.some((cell) => met.has(cell.id));
    });
  const cellsOf = (level: Level): CellRef[] => level.variables.flatMap((v) => v.cells().cells);
  const own = cellsOf(part.level);
  // a level may follow one that is further above
  const above = all.filter((p) => allOf(p.level).includes(part.level)).flatMap((p) => cellsOf(p.level));
  for (const level of part.level.lower) {
    const inner = all
      .filter((p) => allOf(level).includes(p.level))
      .flatMap((p) => [...p.objectives, ...p.constraints, ...p.players]);
    const outer = [...part.objectives, ...part.constraints, ...part.players];
    if (own.length > 0 && !readsAny(inner, above))
      apart(e, level.text.span, 'this level reads nothing that a level above it moves: its answer is always the same');
    else if (outer.length > 0 && !readsAny(outer, allOf(level).flatMap(cellsOf)))
      apart(e, level.text.span, 'the level above reads no answer of this one, which is solved for nothing');
  }
  const moved = part.players.map(({ stmt }) => playerCells(e, instance, stmt, view).cells);
  const lone = part.players.find((player, i) => {
    const others = part.players.filter((_, k) => k !== i);
    const theirs = moved.filter((_, k) => k !== i).flat();
    return others.length > 0 && !readsAny([player], theirs) && !readsAny(others, moved[i]);
  });
  if (lone)
    apart(
      e,
      lone.stmt.value.span,
      `${lone.stmt.name.text} meets no other player: what it moves and what it reads is its own`,
    );
}

function apart(e: Elaboration, span: Span, message: string): void {
  e.warn('OPT449', span, message, {
    hint: 'check the names that are read, and whether a stop or a value computed outside stands in between',
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
