/**
 * Places the temporaries of an entry: a tensor lives from the kernel that writes it to the last that reads it, and takes the lowest place free all that
 * time. All entries share the same arenas, one of f32 and one of 32-bit words. Tensors of a block are placed as one.
 */
import { sizeOf, typeText } from '../ir/tensor/graph.ts';
import type { Span } from '../source/source.ts';
import type { Schedule } from '../lower/schedule.ts';
import { padded, wordOf, type Tensors } from '../lower/tensors.ts';
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
    const placed: { piece: Piece; offset: number }[] = [];
    const own = pieces.filter((p) => p.word === word).sort((a, b) => a.first - b.first || b.size - a.size);
    for (const piece of own) {
      if (piece.size > segment) {
        const what = `the intermediate value (${typeText(tensors.get(piece.tensors[0])?.type ?? { dtype: 'f32', shape: [piece.size] })})`;
        tooLarge(spanOf(piece.tensors[0]), what, 4 * piece.size, limit);
      }
      const busy = placed
        .filter((p) => p.piece.first <= piece.last && piece.first <= p.piece.last)
        .sort((a, b) => a.offset - b.offset);
      let offset = 0;
      for (const b of busy) {
        offset = withinSegment(offset, piece.size, segment);
        if (offset + piece.size <= b.offset) break;
        offset = Math.max(offset, b.offset + b.piece.size);
      }
      offset = withinSegment(offset, piece.size, segment);
      placed.push({ piece, offset });
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

const elementsOf = (tensors: Tensors, t: string): number => padded(sizeOf(tensors.get(t)?.type.shape ?? []));

function withinSegment(offset: number, size: number, segment: number): number {
  const part = Math.floor(offset / segment);
  return offset + size <= (part + 1) * segment ? offset : (part + 1) * segment;
}

function collect(schedule: Schedule, tensors: Tensors): Piece[] {
  const pieces = new Map<string, Piece>();
  for (const block of schedule.blocks) {
    const word = wordOf(tensors.get(block[0])?.type.dtype ?? 'f32');
    const size = block.reduce((sum, t) => sum + elementsOf(tensors, t), 0);
    const piece: Piece = { tensors: block, word, size, first: Infinity, last: -1 };
    for (const t of block) pieces.set(t, piece);
  }
  schedule.units.forEach((unit, k) => {
    for (const t of [...unit.writes, ...unit.reads]) {
      if (!tensors.isTemporary(t)) continue;
      let piece = pieces.get(t);
      if (!piece) {
        const word = wordOf(tensors.get(t)?.type.dtype ?? 'f32');
        piece = { tensors: [t], word, size: elementsOf(tensors, t), first: k, last: k };
        pieces.set(t, piece);
      }
      piece.first = Math.min(piece.first, k);
      piece.last = Math.max(piece.last, k);
    }
  });
  return [...new Set(pieces.values())].filter((p) => p.last >= 0);
}
