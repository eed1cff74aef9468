/**
 * Where persistent values lie. Per run, cells share one arena of f32 and one of 32-bit words (integers, booleans); cells of one group lie side by side in
 * their order, each at a multiple of 64 elements. An arena that outgrows a binding continues in a further buffer.
 */
import type { BufferRole, BundleBuffer, BundleCell } from '../bundle/format.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { sizeOf, typeText } from '../ir/tensor/graph.ts';
import type { Cell, Data, Program } from '../ir/program.ts';
import { memoryType } from '../passes/halves.ts';
import { padded, wordOf } from '../lower/tensors.ts';

export interface Place {
  readonly buffer: string;
  /** In elements. */
  readonly offset: number;
}

/** Buffers under construction: id → role, element type and size in bytes. */
export class Buffers {
  private readonly list = new Map<string, { role: BufferRole; word: 'f32' | 'u32'; bytes: number }>();

  /** Makes the buffer at least this large. */
  reserve(id: string, role: BufferRole, word: 'f32' | 'u32', bytes: number): void {
    const had = this.list.get(id);
    const rounded = Math.max(256, Math.ceil(bytes / 256) * 256);
    this.list.set(id, { role, word, bytes: Math.max(had?.bytes ?? 0, rounded) });
  }

  word(id: string): 'f32' | 'u32' {
    return this.list.get(id)?.word ?? 'u32';
  }

  /** Bytes of one slot, where the buffer is a ring. */
  bytes(id: string): number {
    return this.list.get(id)?.bytes ?? 0;
  }

  role(id: string): BufferRole | undefined {
    return this.list.get(id)?.role;
  }

  all(): BundleBuffer[] {
    return [...this.list].map(([id, { role, bytes }]) => ({ id, role, bytes }));
  }
}

/** Places all cells; reserves their buffers. */
export function layoutCells(cells: readonly Cell[], buffers: Buffers, limit: number): Map<string, Place> {
  const places = new Map<string, Place>();
  const used = new Map<string, { part: number; offset: number }>();
  for (const cell of inGroups(cells)) {
    const type = memoryType(cell);
    const size = padded(sizeOf(type.shape));
    if (4 * size > limit) tooLarge(cell.span, `the cell '${cell.id}' (${typeText(cell.type)})`, 4 * size, limit);
    const word = wordOf(type.dtype);
    const arena = `cells:${cell.run}${word === 'u32' ? ':words' : ''}`;
    let at = used.get(arena) ?? { part: 0, offset: 0 };
    if (4 * (at.offset + size) > limit) at = { part: at.part + 1, offset: 0 };
    const buffer = at.part === 0 ? arena : `${arena}:${at.part}`;
    places.set(cell.id, { buffer, offset: at.offset });
    used.set(arena, { part: at.part, offset: at.offset + size });
    buffers.reserve(buffer, 'cells', word, 4 * (at.offset + size));
  }
  return places;
}

/** Cells with those of one group together, groups in order of first appearance. */
function inGroups(cells: readonly Cell[]): Cell[] {
  const groups = new Map<string, Cell[]>();
  for (const cell of cells) {
    const key = `${cell.run}\n${cell.group}`;
    groups.set(key, [...(groups.get(key) ?? []), cell]);
  }
  return [...groups.values()].flat();
}

export function bundleCells(program: Program, places: ReadonlyMap<string, Place>): BundleCell[] {
  return program.cells.map((cell) => {
    const place = places.get(cell.id) as Place;
    return {
      id: cell.id,
      type: cell.type,
      ...(cell.storage && { storage: cell.storage }),
      kind: cell.kind,
      run: cell.run,
      buffer: place.buffer,
      offset: 4 * place.offset,
    };
  });
}

/** One read-only buffer per data field. */
export function layoutData(data: readonly Data[], buffers: Buffers, limit: number): void {
  for (const set of data) {
    for (const field of set.fields) {
      const elements = padded(sizeOf(field.type.shape));
      const bytes = field.storage === 'u8' ? elements : 4 * elements;
      if (bytes > limit)
        tooLarge(set.span, `the field '${set.name}.${field.name}' (${typeText(field.type)})`, bytes, limit);
      const word = field.storage === 'f32' ? 'f32' : 'u32';
      buffers.reserve(dataBuffer(set.name, field.name), 'data', word, bytes);
    }
  }
}

export const dataBuffer = (set: string, field: string): string => `data:${set}.${field}`;

export function tooLarge(span: Cell['span'], what: string, bytes: number, limit: number): never {
  const mib = (n: number): string => `${Math.ceil(n / 1048576)} MiB`;
  return fail('OPT511', span, `${what} needs ${mib(bytes)}, but the device binds at most ${mib(limit)} at once`, {
    hint: 'use a smaller batch or split the tensor',
  });
}
