/** What all blocks of one entry share: tensors, parameter words, faults, words by which the device steers itself, and numbers for what they make. */
import type { HostInstruction } from '../bundle/host-program.ts';
import type { ParamWord } from '../bundle/format.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Data } from '../ir/program.ts';
import { Graph } from '../ir/tensor/graph.ts';
import type { View } from '../ir/kernel/kernel.ts';
import type { DType, Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { size } from './fuse.ts';
import type { DeviceProfile } from './profile.ts';
import type { StatePlace } from './schedule.ts';
import { padded, Tensors, wordOf } from './tensors.ts';

/** Most values of constant tables in one entry: they travel as parameter words. */
const MAX_TABLE = 8192;

export interface Fault {
  readonly message: string;
  readonly span?: Span;
  /** A condition on values, no index. */
  readonly ofValues: boolean;
}

/** A word by which the device steers itself: a state of its own, with a node that reads it. */
export interface Control {
  readonly memory: string;
  readonly view: View;
  readonly node: Node;
}

export class EntryContext {
  readonly tensors = new Tensors();
  readonly profile: DeviceProfile;
  readonly params: ParamWord[] = [];
  readonly instructions: HostInstruction[];
  readonly faults: Fault[] = [];
  /** Makes the nodes of lowering itself, numbered after all others. */
  readonly graph: Graph;
  /** Stored nodes by the key of their tensor. */
  readonly nodeOf = new Map<string, Node>();
  /** Temporaries to be laid side by side. */
  readonly blocks: (readonly string[])[] = [];
  readonly inBlock = new Set<string>();
  private readonly data: readonly Data[];
  private readonly hostIndex: ReadonlyMap<Node, number>;
  private readonly cellPlace: StatePlace;
  private readonly carriedAt = new Map<string, { buffer: string; offset: number }>();
  private readonly controls = new Map<Node, View>();
  private readonly faultNumbers = new Map<string, number>();
  private readonly paramWords = new Map<Node, number>();
  private nextWord = 0;
  private blockCount = 0;

  /** `host` are the nodes that the host computes, with their places in its program. */
  constructor(
    data: readonly Data[],
    profile: DeviceProfile,
    place: StatePlace,
    graph: Graph,
    host: { readonly index: ReadonlyMap<Node, number>; readonly instructions: readonly HostInstruction[] },
  ) {
    this.data = data;
    this.profile = profile;
    this.cellPlace = place;
    this.graph = graph;
    this.hostIndex = host.index;
    this.instructions = [...host.instructions];
  }

  /** Number of a new block within the entry. */
  newBlock(): number {
    return ++this.blockCount;
  }

  get controlWords(): number {
    return this.controls.size;
  }

  // ---------------------------------------------------------------- state

  readonly placeOf: StatePlace = (memory) => this.cellPlace(memory) ?? this.carriedAt.get(memory);

  /** Name of the buffer that a tensor lies in. */
  readonly bufferOf = (tensor: string): string =>
    this.tensors.buffer(tensor, (cell) => this.placeOf(`cell:${cell}`)?.buffer ?? 'cells');

  /** Declares what a loop carries: tensors that lie side by side, numbers and words apart. */
  declareCarries(keys: readonly string[]): void {
    for (const word of ['f32', 'u32'] as const) {
      const own = keys.filter((key) => wordOf(this.tensors.get(key)?.type.dtype ?? 'f32') === word);
      if (own.length > 0) this.blocks.push(own);
      let offset = 0;
      for (const key of own) {
        this.tensors.declareState(key);
        this.carriedAt.set(key, { buffer: `carries ${own[0]}`, offset });
        offset += padded(this.tensors.get(key)?.view.size ?? 0);
      }
    }
  }

  /** A new word by which the device steers itself. */
  control(dtype: DType): Control {
    const memory = `control:${this.controls.size}`;
    const view = this.tensors.view(memory, { dtype, shape: [] });
    this.tensors.declareState(memory);
    const node = this.graph.parameter('region', memory, { dtype, shape: [] });
    this.controls.set(node, view);
    return { memory, view, node };
  }

  // ---------------------------------------------------------------- leaves

  isLeaf(node: Node): boolean {
    return this.hostIndex.has(node) || node.op === 'parameter' || node.op === 'constant' || node.op === 'part';
  }

  /** Place of a value in the host's program, if the host computes it. */
  hostValue(node: Node): number | undefined {
    return this.hostIndex.get(node);
  }

  /** Memory of a parameter of the entry, or of a control word. */
  leafView(node: Node): View | undefined {
    const name = node.attrs.name as string;
    switch (node.attrs.source) {
      case 'cell':
        return this.tensors.view(`cell:${name}`, node.type);
      case 'input':
        return this.tensors.view(`input:${name}`, node.type);
      case 'data': {
        const dot = name.lastIndexOf('.');
        const set = this.data.find((d) => d.name === name.slice(0, dot));
        const field = set?.fields.find((f) => f.name === name.slice(dot + 1));
        const storage = field?.storage === 'u8' ? 'u8' : 'word';
        return this.tensors.view(`data:${name}`, node.type, { storage, scale: field?.scale ?? 1 });
      }
      default:
        return this.controls.get(node);
    }
  }

  /** Parameter words of a host value or constant table: its view begins at the value's first word. */
  hostView(node: Node): View | undefined {
    const index = this.hostIndex.get(node);
    const table = node.op === 'constant' && node.attrs.values !== undefined;
    if (index === undefined && !table) return undefined;
    let word = this.paramWords.get(node);
    if (word === undefined) {
      // Tables start at a multiple of four words, so that they can be read by four.
      if (table) this.nextWord = Math.ceil(this.nextWord / 4) * 4;
      word = this.nextWord;
      // An empty table takes a word too: views are known by their first one.
      this.nextWord += Math.max(1, size(node));
      this.paramWords.set(node, word);
      if (table) this.addTable(node, word);
      else {
        for (let component = 0; component < size(node); component++) {
          this.params.push({ word: word + component, dtype: node.type.dtype, value: index as number, component });
        }
      }
    }
    return this.tensors.view(`params:${word}`, { dtype: node.type.dtype, shape: node.type.shape });
  }

  private addTable(node: Node, word: number): void {
    const values = node.attrs.values as readonly number[];
    if (word + values.length > MAX_TABLE) {
      fail(
        'OPT510',
        node.span,
        `this constant has ${values.length} values; all constant tables of a step may have ${MAX_TABLE}`,
        {
          hint: 'put the numbers into a data file and declare it with `data`',
        },
      );
    }
    for (const [k, value] of values.entries()) {
      this.params.push({ word: word + k, dtype: node.type.dtype, value: this.instructions.length, component: 0 });
      this.instructions.push({ op: 'constant', inputs: [], attrs: { value }, dtype: node.type.dtype, inputDtypes: [] });
    }
  }

  /** Number of the fault that a failed check at a node raises; `{index}` in its message stands for the index. */
  fault(node: Node, message: string): number {
    const id = `${message}@${node.span ? `${node.span.file}:${node.span.start}` : node.id}`;
    let number = this.faultNumbers.get(id);
    if (number === undefined) {
      this.faults.push({ message, span: node.span, ofValues: node.op === 'fault_where' });
      number = this.faults.length;
      this.faultNumbers.set(id, number);
    }
    return number;
  }
}
