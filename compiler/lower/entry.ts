/**
 * One entry of a program, from tensor graph to ordered kernels. Reads of a cell see its value before the entry: a kernel that writes a cell comes after all
 * that read it, or writes to a temporary that is copied at the end. What depends on scalars alone is left to the host.
 */
import { op as opOf } from '../ops/table.ts';
import type { Node } from '../ops/types.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { HostInstruction, HostProgram } from '../bundle/host-program.ts';
import type { ParamWord } from '../bundle/format.ts';
import { sizeOf, reachable } from '../ir/tensor/graph.ts';
import type { Data, Entry } from '../ir/program.ts';
import type { Kernel, View } from '../ir/kernel/kernel.ts';
import { extractHost } from '../passes/host.ts';
import type { Span } from '../source/source.ts';
import { contractionOf } from './dims.ts';
import { chooseStored, size } from './fuse.ts';
import { Grouping, type Group } from './groups.ts';
import { lowerNest, type Root } from './nest.ts';
import type { DeviceProfile } from './profile.ts';
import type { Storage } from './storage.ts';
import { splitReductions } from './split.ts';
import { Tensors } from './tensors.ts';
import { unitOf, type Unit } from './unit.ts';

/** Most values of constant tables in one entry: they travel as parameter words. */
const MAX_TABLE = 8192;

export interface LoweredEntry {
  readonly units: Unit[];
  readonly tensors: Tensors;
  readonly host: HostProgram;
  readonly params: readonly ParamWord[];
  /** Device outputs by position in the entry's outputs: report word, or undefined for host outputs and results. */
  readonly reports: ReadonlyMap<number, number>;
  readonly hostOutputs: ReadonlyMap<number, number>;
  readonly faults: readonly { readonly message: string; readonly span?: Span }[];
  /** Where the stored node of a tensor comes from. */
  spanOf(tensor: string): Span | undefined;
  /** Makes a unit that copies a stored node's tensor into a cell. */
  copyToCell(tensor: string, cell: string): Unit;
}

/** `cellBuffer` names the buffer that a cell lies in. */
export function lowerEntry(
  entry: Entry,
  data: readonly Data[],
  profile: DeviceProfile,
  cellBuffer: (cell: string) => string,
): LoweredEntry {
  return new EntryLowering(entry, data, profile, cellBuffer).run();
}

class EntryLowering {
  private readonly entry: Entry;
  private readonly data: readonly Data[];
  private readonly profile: DeviceProfile;
  private readonly cellBuffer: (cell: string) => string;
  private readonly tensors = new Tensors();
  private readonly faults: { message: string; span?: Span }[] = [];
  private readonly faultNumbers = new Map<string, number>();
  private readonly params: ParamWord[] = [];
  private nextWord = 0;
  private readonly instructions: HostInstruction[] = [];
  private readonly paramWords = new Map<Node, number>();
  private hostIndex: ReadonlyMap<Node, number> = new Map();
  private stored: ReadonlySet<Node> = new Set();
  private readonly nodeOf = new Map<string, Node>();

  constructor(entry: Entry, data: readonly Data[], profile: DeviceProfile, cellBuffer: (cell: string) => string) {
    this.cellBuffer = cellBuffer;
    this.entry = entry;
    this.data = data;
    this.profile = profile;
  }

  run(): LoweredEntry {
    const { writes, outputs } = this.entry;
    const known = new Map<Node, Node>();
    const values = [...writes.map((w) => owned(w.value, w.cell, known)), ...outputs.map((o) => o.value)];
    const roots = splitReductions(values, this.profile);
    const host = extractHost(roots);
    this.hostIndex = host.index;
    this.instructions.push(...host.program.instructions);
    const isLeaf = (n: Node): boolean => this.isLeaf(n);
    const nodes = innerNodes(roots, isLeaf);
    const isHostOutput = (k: number): boolean =>
      outputs[k].kind !== 'result' && host.index.has(roots[writes.length + k]);
    const results = new Set(roots.filter((_, k) => k < writes.length || !isHostOutput(k - writes.length)));
    this.stored = chooseStored(nodes, isLeaf, results, this.profile.maxStorageBuffers);
    for (const n of this.stored) this.nodeOf.set(key(n), n);

    // Where values go: the first write of a stored node shares the cell's memory, all others are stores of their own.
    const extra = new Map<Node, View[]>();
    const copies: { node: Node; view: View }[] = [];
    const send = (node: Node, view: View): void => {
      if (this.stored.has(node)) extra.set(node, [...(extra.get(node) ?? []), view]);
      else copies.push({ node, view });
    };
    const placed = new Set<Node>();
    writes.forEach((w, k) => {
      const node = roots[k];
      if (node.op === 'parameter' && node.attrs.source === 'cell' && node.attrs.name === w.cell) return;
      if (size(node) === 0) return;
      if (this.stored.has(node) && !placed.has(node)) {
        placed.add(node);
        this.tensors.view(key(node), node.type);
        this.tensors.alias(key(node), `cell:${w.cell}`);
      } else send(node, this.tensors.view(`write:${w.cell}`, node.type));
    });
    const reports = new Map<number, number>();
    const hostOutputs = new Map<number, number>();
    outputs.forEach((o, k) => {
      const node = roots[writes.length + k];
      if (o.kind === 'result') {
        if (size(node) > 0) send(node, this.tensors.view(`result:${o.name}`, node.type));
      } else if (isHostOutput(k)) hostOutputs.set(k, host.index.get(node) as number);
      else {
        const word = reports.size;
        reports.set(k, word);
        send(node, this.tensors.view(`report:${word}`, { dtype: node.type.dtype, shape: [1] }));
      }
    });

    const storageFor = (own: ReadonlySet<Node>): Storage => this.storage(own);
    const ofTensor = (tensor: string): string => this.tensors.buffer(tensor, this.cellBuffer);
    const ofRoot = (node: Node): string[] =>
      [key(node), ...(extra.get(node) ?? []).map((view) => view.tensor)].map(ofTensor);
    const names = { ofTensor, ofRoot };
    const grouping = new Grouping(this.stored, isLeaf, storageFor, this.profile, results, names);
    const used = new Set<string>();
    for (const g of grouping.groups) for (const n of g.reads) if (grouping.groupOf.get(n) !== g) used.add(key(n));
    for (const c of copies) used.add(key(c.node));
    const units: Unit[] = [];
    for (const g of grouping.groups) {
      const targets = (n: Node): View[] => {
        const own = used.has(key(n)) || placed.has(n) ? [this.tensors.view(key(n), n.type)] : [];
        return [...own, ...(extra.get(n) ?? [])];
      };
      if (g.roots.every((n) => targets(n).length === 0)) continue;
      units.push(this.unit(grouping, g, targets));
    }
    for (const c of copies) units.push(this.copy(c.node, c.view));
    return {
      units,
      tensors: this.tensors,
      host: { instructions: this.instructions },
      params: this.params,
      reports,
      hostOutputs,
      faults: this.faults,
      spanOf: (tensor) => this.nodeOf.get(tensor)?.span,
      copyToCell: (tensor, cell) => {
        const node = this.nodeOf.get(tensor) as Node;
        return this.copy(node, this.tensors.view(`write:${cell}`, node.type));
      },
    };
  }

  private unit(grouping: Grouping, g: Group, targets: (n: Node) => View[]): Unit {
    const kernel: Kernel = grouping.lower(g, targets);
    const roots: Root[] = g.roots.map((node) => ({ node, targets: targets(node) })).filter((r) => r.targets.length > 0);
    const nest =
      g.kind === 'nest' ? { spec: { rows: g.rows, roots }, storage: this.storage(new Set(g.roots)) } : undefined;
    return unitOf(kernel, labelOf(g.roots), spansOf(g.roots), flopsOf(g.roots), nest);
  }

  private copy(node: Node, view: View): Unit {
    const spec = { rows: size(node), roots: [{ node, targets: [view] }] };
    const storage = this.storage(new Set());
    const kernel = lowerNest(spec, storage, this.profile);
    return unitOf(kernel, `write ${view.tensor.replace(/^write:/, '')}`, spansOf([node]), 0, { spec, storage });
  }

  // ---------------------------------------------------------------- leaves

  private isLeaf(node: Node): boolean {
    return this.hostIndex.has(node) || node.op === 'parameter' || node.op === 'constant';
  }

  private storage(own: ReadonlySet<Node>): Storage {
    return {
      view: (node) => {
        if (node.op === 'parameter') return this.leafView(node);
        return this.stored.has(node) && !own.has(node) && size(node) > 0
          ? this.tensors.view(key(node), node.type)
          : undefined;
      },
      host: (node) => this.hostView(node),
      fault: (node, what) => this.fault(node, what),
    };
  }

  private leafView(node: Node): View | undefined {
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
        return undefined;
    }
  }

  /** Parameter words of a host value or constant table: its view begins at the value's first word. */
  private hostView(node: Node): View | undefined {
    const index = this.hostIndex.get(node);
    const table = node.op === 'constant' && node.attrs.values !== undefined;
    if (index === undefined && !table) return undefined;
    let word = this.paramWords.get(node);
    if (word === undefined) {
      // Tables start at a multiple of four words, so that they can be read by four.
      if (table) this.nextWord = Math.ceil(this.nextWord / 4) * 4;
      word = this.nextWord;
      this.nextWord += size(node);
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

  private fault(node: Node, what: string): number {
    const message = `${node.op === 'gather' || node.op === 'scatter_add' ? 'index' : 'window'} out of range: ${what}`;
    const id = `${message}@${node.span ? `${node.span.file}:${node.span.start}` : node.id}`;
    let number = this.faultNumbers.get(id);
    if (number === undefined) {
      this.faults.push({ message, span: node.span });
      number = this.faults.length;
      this.faultNumbers.set(id, number);
    }
    return number;
  }
}

const key = (node: Node): string => `t${node.id}`;

/** Another cell's old value as a node of its own: it may have to wait in a temporary (two cells that are swapped). */
function owned(value: Node, cell: string, known: Map<Node, Node>): Node {
  if (value.op !== 'parameter' || value.attrs.source !== 'cell' || value.attrs.name === cell) return value;
  // The id lies between those of the parameter and of anything made later.
  const own = known.get(value) ?? {
    ...value,
    id: value.id + 0.01,
    op: 'reshape',
    inputs: [value],
    attrs: { shape: value.type.shape },
  };
  known.set(value, own);
  return own;
}

/** All nodes between the roots and the leaves, leaves included, in topological order. */
function innerNodes(roots: readonly Node[], isLeaf: (n: Node) => boolean): Node[] {
  const seen = new Set<Node>();
  const stack = [...roots];
  while (stack.length > 0) {
    const node = stack.pop() as Node;
    if (seen.has(node)) continue;
    seen.add(node);
    if (!isLeaf(node)) stack.push(...node.inputs);
  }
  // reachable() gives a topological order that holds for ids; keep only what is needed on the device.
  return reachable(roots).filter((n) => seen.has(n));
}

function labelOf(roots: readonly Node[]): string {
  const last = roots[roots.length - 1];
  const ops = [...new Set(roots.map((r) => r.op))].slice(0, 3).join(', ');
  return last.path ? `${ops} (${last.path})` : ops;
}

function spansOf(roots: readonly Node[]): Span[] {
  const seen = new Map<string, Span>();
  for (const { span } of roots) if (span) seen.set(`${span.file}:${span.start}`, span);
  return [...seen.values()].slice(0, 8);
}

function flopsOf(roots: readonly Node[]): number {
  let flops = 0;
  for (const node of roots) {
    const { family } = opOf(node.op).lower;
    if (family === 'contraction') {
      const c = contractionOf(node);
      flops += 2 * c.batch * c.m * c.n * c.k;
    } else if (family === 'reduce') flops += sizeOf(node.inputs[0].type.shape);
    else flops += size(node);
  }
  return flops;
}
