/**
 * The tensors of one entry, by key: what they are and which memory they stand for. `cell:ID` is a cell's value before the entry, `t12` a stored node,
 * `write:ID` a further way to write a cell, `data:set.field`, `input:name`, `result:name`, `report:word` and `params` what their names say.
 */
import type { DType, TensorType } from '../ops/types.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import type { View } from '../ir/kernel/kernel.ts';

/** Tensors start at multiples of 64 elements (256 bytes), and own all up to the next one. */
export const ALIGN = 64;
export const padded = (elements: number): number => Math.max(ALIGN, Math.ceil(elements / ALIGN) * ALIGN);

export interface TensorInfo {
  readonly key: string;
  readonly type: TensorType;
  readonly view: View;
}

/** The cell whose memory a tensor is, if any. */
export type CellOf = (key: string) => string | undefined;

export const wordOf = (dtype: DType): 'f32' | 'u32' => (dtype === 'f32' ? 'f32' : 'u32');

function bufferName(memory: string, word: 'f32' | 'u32'): string {
  const kind = memory.split(':')[0].replace(/^t[\d.]+$/, 'temps');
  return kind === 'params' || kind === 'report' ? kind : `${kind} ${word}`;
}

export class Tensors {
  private readonly infos = new Map<string, TensorInfo>();
  /** Stored nodes that are written straight into a cell (key → cell) or result. */
  private readonly aliases = new Map<string, string>();

  view(key: string, type: TensorType, packed?: { scale: number; storage: 'word' | 'u8' }): View {
    const had = this.infos.get(key);
    if (had) return had.view;
    const elements = sizeOf(type.shape);
    const exact = key === 'params' || key.startsWith('report:');
    const view: View = {
      tensor: key,
      dtype: type.dtype,
      storage: packed?.storage ?? 'word',
      scale: packed?.scale ?? 1,
      size: exact ? elements : padded(elements),
    };
    this.infos.set(key, { key, type, view });
    return view;
  }

  get(key: string): TensorInfo | undefined {
    return this.infos.get(key);
  }

  alias(key: string, memory: string): void {
    this.aliases.set(key, memory);
  }

  unalias(key: string): void {
    this.aliases.delete(key);
  }

  /** The tensor whose memory this one uses: itself, `cell:ID`, or `result:NAME`. */
  memory(key: string): string {
    const alias = this.aliases.get(key);
    if (alias) return alias;
    return key.startsWith('write:') ? `cell:${key.slice('write:'.length)}` : key;
  }

  /** Name of the buffer that a tensor lies in, given those of cells. Temporaries count as one buffer for each word type. */
  buffer(key: string, cellBuffer: (cell: string) => string): string {
    const memory = this.memory(key);
    if (memory.startsWith('cell:')) return cellBuffer(memory.slice('cell:'.length));
    if (memory.startsWith('data:')) return memory;
    const word = wordOf(this.get(memory)?.type.dtype ?? 'f32');
    return bufferName(memory, word);
  }

  isTemporary(key: string): boolean {
    return /^t\d/.test(this.memory(key));
  }
}
