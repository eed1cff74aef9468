/**
 * Places the temporaries of an entry: a tensor lives from the kernel that writes it to the last that reads it, and takes the lowest place free all that
 * time. All entries share the same arenas, one of f32 and one of 32-bit words. Tensors of a block are placed as one.
 */
import { InternalError } from '../diagnostics/diagnostic.ts';
import { sizeOf, typeText } from '../ir/tensor/graph.ts';
import type { Span } from '../source/source.ts';
import type { Schedule } from '../lower/schedule.ts';
import { padded, wordOf, type Tensors } from '../lower/tensors.ts';
import type { Step, Unit } from '../lower/unit.ts';
import { tooLarge, type Place } from './layout.ts';

interface Piece {
  readonly tensors: readonly string[];
  readonly word: 'f32' | 'u32';
  readonly size: number;
  first: number;
  last: number;
}

export interface TempPlan {
  readonly places: ReadonlyMap<string, Place>;
  /** Elements used of each buffer. */
  readonly sizes: ReadonlyMap<string, number>;
}

export function planTemporaries(
  schedule: Schedule,
  tensors: Tensors,
  limit: number,
  spanOf: (tensor: string) => Span | undefined,
): TempPlan {
  const pieces = collect(schedule, tensors);
  const places = new Map<string, Place>();
  const sizes = new Map<string, number>();
  // Elements of one buffer: a piece may not straddle two.
  const segment = Math.floor(limit / 256) * 64;
  for (const word of ['f32', 'u32'] as const) {
    const own = pieces.filter((p) => p.word === word);
    for (const piece of own) {
      if (piece.size <= segment) continue;
      const what = `the intermediate value (${typeText(tensors.get(piece.tensors[0])?.type ?? { dtype: 'f32', shape: [piece.size] })})`;
      tooLarge(spanOf(piece.tensors[0]), what, 4 * piece.size, limit);
    }
    // In the order of time, or the largest first: now the one leaves less room unused, now the other.
    const inTime = place(
      [...own].sort((a, b) => a.first - b.first || b.size - a.size),
      segment,
    );
    const bySize = place(
      [...own].sort((a, b) => b.size - a.size || a.first - b.first),
      segment,
    );
    const placed = extent(bySize) < extent(inTime) ? bySize : inTime;
    for (const { piece, offset } of placed) {
      const part = Math.floor(offset / segment);
      const buffer = `temps${word === 'u32' ? ':words' : ''}${part > 0 ? `:${part}` : ''}`;
      let at = offset - part * segment;
      sizes.set(buffer, Math.max(sizes.get(buffer) ?? 0, at + piece.size));
      for (const t of piece.tensors) {
        places.set(t, { buffer, offset: at });
        at += elementsOf(tensors, t);
      }
    }
  }
  return { places, sizes };
}

interface Placed {
  readonly piece: Piece;
  readonly offset: number;
}

/** Each piece in turn takes the lowest place that is free all the time it lives. */
function place(pieces: readonly Piece[], segment: number): Placed[] {
  const placed: Placed[] = [];
  for (const piece of pieces) {
    const busy = placed
      .filter((p) => p.piece.first <= piece.last && piece.first <= p.piece.last)
      .sort((a, b) => a.offset - b.offset);
    let offset = 0;
    for (const b of busy) {
      offset = withinSegment(offset, piece.size, segment);
      if (offset + piece.size <= b.offset) break;
      offset = Math.max(offset, b.offset + b.piece.size);
    }
    placed.push({ piece, offset: withinSegment(offset, piece.size, segment) });
  }
  return placed;
}

const extent = (placed: readonly Placed[]): number => Math.max(0, ...placed.map((p) => p.offset + p.piece.size));

const elementsOf = (tensors: Tensors, t: string): number => padded(sizeOf(tensors.get(t)?.type.shape ?? []));

function withinSegment(offset: number, size: number, segment: number): number {
  const part = Math.floor(offset / segment);
  return offset + size <= (part + 1) * segment ? offset : (part + 1) * segment;
}

function collect(schedule: Schedule, tensors: Tensors): Piece[] {
  const pieces = new Map<string, Piece>();
  const pieceOf = (tensor: string): Piece => {
    let piece = pieces.get(tensor);
    if (!piece) {
      const word = wordOf(tensors.get(tensor)?.type.dtype ?? 'f32');
      piece = { tensors: [tensor], word, size: elementsOf(tensors, tensor), first: Infinity, last: -1 };
      pieces.set(tensor, piece);
    }
    return piece;
  };
  for (const block of schedule.blocks) {
    const word = wordOf(tensors.get(block[0])?.type.dtype ?? 'f32');
    const size = block.reduce((sum, t) => sum + elementsOf(tensors, t), 0);
    const piece: Piece = { tensors: block, word, size, first: Infinity, last: -1 };
    for (const t of block) pieces.set(t, piece);
  }
  const { units, repeats } = positions(schedule.steps);
  const accesses = new Map<Piece, Access[]>();
  units.forEach((unit, k) => {
    const note = (t: string, write: boolean): void => {
      const memory = tensors.memory(t);
      if (!tensors.isTemporary(memory)) return;
      const piece = pieceOf(memory);
      accesses.set(piece, [...(accesses.get(piece) ?? []), { at: k, write }]);
    };
    // Reads first: a kernel that does both reads what another turn has written.
    for (const t of unit.reads) note(t, false);
    for (const t of unit.writes) note(t, true);
  });
  for (const [piece, list] of accesses) {
    if (!list.some((a) => a.write)) throw new InternalError(`${piece.tensors.join(', ')} is read, and never written`);
  }
  for (const [piece, list] of accesses) {
    piece.first = list[0].at;
    piece.last = list[list.length - 1].at;
    for (const range of repeats) span(piece, list, range);
  }
  return [...accesses.keys()];
}

interface Access {
  readonly at: number;
  readonly write: boolean;
}

/** Kernels `first` to `last` are run again and again. */
interface Range {
  readonly first: number;
  readonly last: number;
}

/** Kernels by position, and what is repeated, inner loops before outer ones. */
function positions(steps: readonly Step[]): { units: Unit[]; repeats: Range[] } {
  const units: Unit[] = [];
  const repeats: Range[] = [];
  const visit = (list: readonly Step[]): void => {
    for (const step of list) {
      if (step.kind === 'kernel') units.push(step);
      else if (step.kind === 'repeat') {
        const first = units.length;
        visit(step.steps);
        repeats.push({ first, last: units.length - 1 });
      } else for (const branch of [step.taken, step.otherwise]) visit(branch);
    }
  };
  visit(steps);
  return { units, repeats };
}

/** A value that a loop reads and another turn, or something outside, has written must live as long as the loop; one of a single turn need not. */
function span(piece: Piece, accesses: readonly Access[], range: Range): void {
  const inside = accesses.filter((a) => a.at >= range.first && a.at <= range.last);
  if (inside.length === 0) return;
  const isLocal = inside.length === accesses.length && inside[0].write;
  if (isLocal) return;
  piece.first = Math.min(piece.first, range.first);
  piece.last = Math.max(piece.last, range.last);
}
