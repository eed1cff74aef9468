/**
 * The tensors of one entry, by key: what they are and which memory they stand for. `cell:ID` is a cell's value before the entry, `t12` a stored node,
 * `write:ID` a further way to write a cell, `data:set.field`, `input:name`, `result:name`, `report:word` and `params` what their names say.
 * Within loops and branches: `t12_3` a stored node of block 3, `t12.1` part 1 of node 12, `control:N` a word by which the device steers itself.
 *
 * State is memory of which an old and a new value are told apart: cells, and what loops carry from turn to turn. Tensors that are aliases of state are
 * new values; every kernel that reads the old one goes before those that write them.
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
  const kind = memory.split(':')[0].replace(/^t\d.*$/, 'temps');
  return kind === 'params' || kind === 'report' || kind === 'control' ? kind : `${kind} ${word}`;
}

const isCell = (memory: string): boolean => memory.startsWith('cell:');

export class Tensors {
  private readonly infos = new Map<string, TensorInfo>();
  /** Tensors that are new values of state, by key. */
  private readonly aliases = new Map<string, string>();
  /** Tensors that lie where another one does, and are that one's first value. */
  private readonly shares = new Map<string, string>();
  /** State other than cells. */
  private readonly carried = new Set<string>();

  view(key: string, type: TensorType, packed?: { scale: number; storage: 'word' | 'u8' }): View {
    const had = this.infos.get(key);
    if (had) return had.view;
    const elements = sizeOf(type.shape);
    const exact = key === 'params' || key.startsWith('report:') || key.startsWith('control:');
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

  /** Declares memory (of a tensor that has a view) to be state. */
  declareState(memory: string): void {
    this.carried.add(memory);
  }

  isState(memory: string): boolean {
    return isCell(memory) || this.carried.has(memory);
  }

  /** Makes a tensor a new value of state. */
  alias(key: string, memory: string): void {
    this.aliases.set(key, memory);
  }

  /** Lets a tensor lie where another one does, as its first value. */
  share(key: string, memory: string): void {
    this.shares.set(key, memory);
  }

  /** A tensor, other than a stored node, by which state gets a new value. */
  writeKey(memory: string): string {
    const key = isCell(memory) ? `write:${memory.slice('cell:'.length)}` : `write:${memory}`;
    this.aliases.set(key, memory);
    return key;
  }

  unalias(key: string): void {
    this.aliases.delete(key);
  }

  /** The tensor whose memory this one uses: itself, or state. */
  memory(key: string): string {
    return this.aliases.get(key) ?? this.shares.get(key) ?? key;
  }

  /** The state of which a tensor is a new value, if it is one. */
  overwrites(key: string): string | undefined {
    return this.aliases.get(key);
  }

  /** Name of the buffer that a tensor lies in, given those of cells. Temporaries count as one buffer for each word type. */
  buffer(key: string, cellBuffer: (cell: string) => string): string {
    const memory = this.memory(key);
    if (isCell(memory)) return cellBuffer(memory.slice('cell:'.length));
    if (memory.startsWith('data:')) return memory;
    const word = wordOf(this.get(memory)?.type.dtype ?? 'f32');
    return bufferName(memory, word);
  }

  isTemporary(key: string): boolean {
    return /^t\d/.test(this.memory(key));
  }

  /** True for temporaries that can lie anywhere: no state, and where no other tensor lies. */
  isFree(key: string): boolean {
    const memory = this.memory(key);
    return memory === key && this.isTemporary(key) && !this.isState(key);
  }
}
