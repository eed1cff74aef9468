/**
 * One entry under construction: which node is each cell's current value, what was written, what is reported.
 * Reads of a cell see the version of the moment; at the end the last version of every written cell is the entry's write.
 */
import { reachable, type Graph } from '../ir/tensor/graph.ts';
import type { Entry, OutputKind, UpdateRecord } from '../ir/program.ts';
import type { Attrs, Node, TensorType } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Examples } from './chunks.ts';
import type { CellRef } from './values.ts';

/** The last statement that moved a cell. */
export interface Move {
  readonly span: Span;
  readonly by: 'update' | 'write';
}

export type EntryKind = 'once' | 'train' | 'eval' | 'until' | 'export';

interface Current {
  readonly node: Node;
  readonly version: number;
}

export interface Output {
  readonly name: string;
  readonly kind: OutputKind;
  readonly value: Node;
  /** bool scalar: whether this execution records it; absent where it always does. */
  readonly when?: Node;
  readonly span?: Span;
  /** In a rule: the application that reports, whose leaves give one number together. */
  readonly application?: { readonly statement: Span };
}

export class EntryBuilder {
  readonly id: string;
  readonly kind: EntryKind;
  readonly run: string;
  /** Where cells first used here get their initial values: an entry scheduled before this one (a 'once' entry: itself). */
  readonly init: EntryBuilder;
  /** Evaluated by the reference interpreter, in float64. */
  exact = false;
  /** In an eval over a data set: what it goes over. */
  examples: Examples | undefined;
  readonly updates: UpdateRecord[] = [];
  readonly outputs: Output[] = [];
  readonly inputs: { readonly name: string; readonly type: TensorType }[] = [];
  /** Updates of this entry so far, by cell, for alternation and for double moves. */
  readonly moved = new Map<string, Move>();
  /** Writes of cells that outlive the text which writes them. */
  lasting = 0;
  /** First values of local variables, by node. */
  readonly locals = new Map<Node, CellRef>();
  private readonly graph: Graph;
  /** The statement of the main file that is elaborated now. */
  private readonly statement: () => Span | undefined;
  /** By cell, the statements that have written it; also those that hold others of them. */
  private readonly writers = new Map<string, Set<Span>>();
  private readonly current = new Map<string, Current>();
  private readonly cells = new Map<string, CellRef>();
  /** What each cell was when it was first read here, or initialised. */
  private readonly firsts = new Map<string, Node>();
  /** Values of `let`s that later entries read: nodes kept in cells. */
  private readonly kept = new Map<Node, CellRef>();

  constructor(
    graph: Graph,
    statement: () => Span | undefined,
    id: string,
    kind: EntryKind,
    run: string,
    init?: EntryBuilder,
  ) {
    this.graph = graph;
    this.statement = statement;
    this.id = id;
    this.kind = kind;
    this.run = run;
    this.init = init ?? this;
  }

  /** Current value of a cell. */
  read(cell: CellRef): Node {
    return this.state(cell).node;
  }

  private state(cell: CellRef): Current {
    let found = this.current.get(cell.id);
    if (!found) {
      found = { node: this.graph.parameter('cell', cell.id, cell.type), version: 0 };
      this.current.set(cell.id, found);
      this.cells.set(cell.id, cell);
      this.firsts.set(cell.id, found.node);
    }
    return found;
  }

  /** Place of a cell among those met here. */
  order(id: string): number {
    return [...this.cells.keys()].indexOf(id);
  }

  /** The cell that is here what `cell` was in an earlier elaboration of the same text: itself, or the last local variable of the same declaration. */
  present(cell: CellRef): CellRef | undefined {
    if (cell.persistent) return this.cells.get(cell.id);
    const { span, label } = cell;
    return [...this.cells.values()].findLast((c) => !c.persistent && c.span === span && c.label === label);
  }

  /** Value of a cell before anything was written here. */
  first(cell: CellRef): Node {
    this.state(cell);
    return this.firsts.get(cell.id) as Node;
  }

  /** Makes a node that was written before current again: after statements that were kept apart. */
  adopt(cell: CellRef, node: Node): void {
    this.current.set(cell.id, { node, version: this.state(cell).version });
  }

  /** Makes `value` the cell's value from here on; returns the node that later reads see. */
  write(cell: CellRef, value: Node): Node {
    this.noteWriter(cell);
    const version = this.state(cell).version + 1;
    if (cell.persistent) this.lasting++;
    const node = this.graph.make('version', [this.stored(cell, value)], versionOf(cell, version));
    this.current.set(cell.id, { node, version });
    return node;
  }

  private noteWriter({ id }: CellRef): void {
    const at = this.statement();
    if (!at) return;
    const known = this.writers.get(id);
    if (known) known.add(at);
    else this.writers.set(id, new Set([at]));
  }

  /** The statements that write a cell: those in branches and loops, not the branches and loops. */
  private writersOf(id: string): readonly Span[] {
    const all = [...(this.writers.get(id) ?? [])];
    const holds = (outer: Span, inner: Span): boolean =>
      outer !== inner && outer.file === inner.file && outer.start <= inner.start && outer.end >= inner.end;
    return all.filter((at) => !all.some((other) => holds(at, other)));
  }

  /** The value as the cell keeps it. */
  private stored({ storage }: CellRef, value: Node): Node {
    if (!storage) return value;
    const { op, inputs, attrs } = value;
    // what an update has moved stays behind its stop
    return op === 'stop'
      ? this.graph.make('stop', [this.graph.make('round_half', inputs)], attrs)
      : this.graph.make('round_half', [value]);
  }

  /** Gives the cell its first value, in the entry that initialises it. */
  initialise(cell: CellRef, value: Node): void {
    this.cells.set(cell.id, cell);
    // A local variable's initial value is a value like any other; only writes are barriers to derivatives.
    const node =
      cell.persistent && !cell.elementOf
        ? this.graph.make('version', [this.stored(cell, value)], versionOf(cell, 0))
        : this.graph.make('name', [value], { name: cell.label });
    this.current.set(cell.id, { node, version: 0 });
    this.firsts.set(cell.id, node);
    if (!cell.persistent || cell.elementOf) this.locals.set(node, cell);
  }

  /** Ends the life of cells of an element's text. */
  forget(cells: readonly CellRef[]): void {
    for (const { id } of cells) this.current.delete(id);
  }

  /** Current nodes by cell, for text whose effects are chosen or repeated. */
  snapshot(): ReadonlyMap<string, Node> {
    return new Map([...this.current].map(([id, c]) => [id, c.node]));
  }

  /** Puts all cells back to what they were at the snapshot (those first met since: when they were met), for another branch of a choice. */
  restore(before: ReadonlyMap<string, Node>): void {
    for (const [id, { version }] of this.current)
      this.current.set(id, { node: before.get(id) ?? (this.firsts.get(id) as Node), version });
  }

  /** Cells whose value changed since the snapshot, with their values then (undefined where not read before) and now. */
  changedSince(before: ReadonlyMap<string, Node>): { cell: CellRef; before: Node | undefined; now: Node }[] {
    const changed: { cell: CellRef; before: Node | undefined; now: Node }[] = [];
    for (const [id, { node }] of this.current) {
      const old = before.get(id);
      if ((old ?? this.firsts.get(id)) === node) continue;
      changed.push({ cell: this.cells.get(id) as CellRef, before: old, now: node });
    }
    return changed;
  }

  /** A cell that keeps `node`, a value computed here, for later entries; made once per node. */
  keep(node: Node, make: (type: TensorType) => CellRef): CellRef {
    let cell = this.kept.get(node);
    if (!cell) {
      cell = make(node.type);
      this.kept.set(node, cell);
    }
    return cell;
  }

  output(name: string, kind: OutputKind, value: Node, span?: Span): void {
    this.outputs.push({ name, kind, value, span });
  }

  /** True where the entry does nothing that anyone could see. */
  get idle(): boolean {
    return this.outputs.length === 0 && this.writes().length === 0;
  }

  private writes(): { cell: string; value: Node; by: readonly Span[] }[] {
    const writes: { cell: string; value: Node; by: readonly Span[] }[] = [];
    for (const [id, { node }] of this.current) {
      const cell = this.cells.get(id);
      if (cell?.persistent && !cell.elementOf && !(node.op === 'parameter' && node.attrs.name === id))
        writes.push({ cell: id, value: node, by: this.writersOf(id) });
    }
    for (const [node, cell] of this.kept) writes.push({ cell: cell.id, value: node, by: cell.span ? [cell.span] : [] });
    return writes;
  }

  finish(): Entry {
    // Only whether an objective is finite matters, and where none was seen the number is 0.
    const outputs = this.outputs.map(({ name, kind, value, when, span }) => ({
      name,
      kind,
      value,
      ...(when && kind === 'report' ? { when } : {}),
      span,
    }));
    const { id, exact } = this;
    const more = exact ? { exact } : {};
    return { id, writes: this.writes(), outputs, inputs: [...this.inputs], ...more };
  }
}

/** Leaves (cells, data, scalars) and draws that a value depends on. */
export function reads(roots: Iterable<Node>): {
  cells: Set<string>;
  draws: boolean;
  data: boolean;
  scalars: Set<string>;
} {
  const cells = new Set<string>();
  const scalars = new Set<string>();
  let draws = false;
  let data = false;
  for (const node of reachable(roots)) {
    if (node.op === 'random_key') draws = true;
    if (node.op === 'version') cells.add(node.attrs.cell as string);
    if (node.op !== 'parameter') continue;
    if (node.attrs.source === 'cell') cells.add(node.attrs.name as string);
    if (node.attrs.source === 'data') data = true;
    if (node.attrs.source === 'scalar') scalars.add(node.attrs.name as string);
  }
  return { cells, draws, data, scalars };
}

/** Attributes of the node that stands for a write of a cell. */
export function versionOf({ id, label }: CellRef, version: number): Attrs {
  return label === id ? { cell: id, version } : { cell: id, version, label };
}
