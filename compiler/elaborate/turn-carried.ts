/**
 * Which cells a loop carries. A loop inside of one that was looked at has been looked at with it: where its text takes no derivative, it is enough to know which cells it
 * changed then. Whether it changes the same ones now, the turn itself shows.
 */
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import type { Effects } from './effects.ts';
import type { Lifetime } from './lifetime.ts';
import type { CellRef } from './values.ts';

/** What a body changes, as a first elaboration of it has shown. */
export interface Carried {
  readonly cells: Map<string, CellRef>;
  /** Positions of the p and g of a rule. */
  readonly slots: Set<number>;
  readonly lifetime: Lifetime | undefined;
  /** That elaboration; absent where an earlier one serves. */
  readonly first?: { readonly dry: Effects<unknown>; readonly marker: number };
}

/** What loops changed whose text looks at nothing but values, by the place of the loop. */
export class SeenLoops {
  private readonly seen = new Map<Span, { readonly cells: readonly CellRef[]; readonly slots: readonly number[] }>();

  /** `around`: the count of `lookedAround` before the loop. */
  note(e: Elaboration, loop: Span, around: number, cells: readonly CellRef[], slots: readonly number[]): void {
    if (e.lookedAround === around) this.seen.set(loop, { cells, slots });
    else this.seen.delete(loop);
  }

  /** What the loop carries if it changes what it changed before; undefined where that is not known. */
  carried(e: Elaboration, loop: Span, lifetime: Lifetime | undefined): Carried | undefined {
    const known = this.seen.get(loop);
    const cells = known?.cells.map((cell) => e.entry.present(cell));
    if (!known || !cells?.every((cell) => cell !== undefined)) return undefined;
    return { cells: new Map(cells.map((cell) => [cell.id, cell])), slots: new Set(known.slots), lifetime };
  }
}
