/**
 * Evals over more examples than memory holds at once. Where every metric is a function of reductions over the examples, the reductions are accumulated
 * over chunks of rows, and the metrics computed from them: one entry per level of reductions (a variance needs two passes), executed once for each
 * chunk, and the eval itself, which reads the totals. The last chunk begins earlier where the rows do not divide; what was counted is masked.
 */
import { fail } from '../diagnostics/diagnostic.ts';
import type { Cell, Entry } from '../ir/program.ts';
import { type Graph, sizeOf } from '../ir/tensor/graph.ts';
import { op as opOf } from '../ops/table.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { Mixed, type Role, roleOf, uniformInputs } from './example-axis.ts';

/** The examples that an eval goes over. */
export interface Examples {
  readonly rows: number;
  /** The fields as the eval reads them: nodes that name whole fields. */
  readonly sources: Set<Node>;
  /** `in chunks of k`. */
  readonly chunk?: { readonly rows: number; readonly span: Span };
  /** The first value over the examples that is too large to be taken whole. */
  oversized?: Node;
}

/** Largest field or value over the examples, in bytes, that an eval keeps at once without being told. */
const WHOLE_BYTES = 64 * 2 ** 20;

/** What is known of the nodes that the outputs of an eval need. */
interface Analysis {
  readonly axes: ReadonlyMap<Node, number>;
  readonly roles: ReadonlyMap<Node, Role>;
  /** Reductions over the examples that a node depends on, one behind another. */
  readonly levels: ReadonlyMap<Node, number>;
}

/** The entry, or the entries that it becomes: those of the passes, then itself. `addCell` takes the totals. */
export function chunked(
  e: Elaboration,
  entry: Entry,
  examples: Examples,
  run: string,
  addCell: (c: Cell) => void,
): Entry[] {
  const analysis = analysed(entry, examples);
  if (analysis instanceof Mixed) {
    refuse(e, examples, analysis);
    return [entry];
  }
  const rows = chunkRows(e, analysis, examples);
  if (rows >= examples.rows && examples.chunk === undefined) return [entry];
  if (e.witnesses.involved(examples.rows)) return [entry];
  return new Chunking(e.graph, entry, examples, analysis, Math.min(rows, examples.rows), run, addCell).entries();
}

function refuse(e: Elaboration, examples: Examples, { node }: Mixed): void {
  const hint = 'metrics in chunks are functions of sums, means, maxima and minima over the examples';
  if (examples.chunk)
    fail('OPT428', node.span, 'this is no reduction over the examples, so they cannot be taken in chunks', {
      labels: [{ span: examples.chunk.span, text: 'asked for here' }],
      hint,
    });
  const large = examples.oversized;
  if (!large) return;
  const size = sizeOf(large.type.shape);
  fail('OPT503', large.span, `a value of ${size} elements is too large: ${e.typeText(large.type)}`, {
    labels: node.span
      ? [{ span: node.span, text: 'this is no reduction over the examples, so they are taken whole' }]
      : [],
    hint,
  });
}

/** Inputs that a value is computed from: for an alias, what it stands for. */
function operands(node: Node): readonly Node[] {
  return opOf(node.op).lower.family === 'alias' ? node.inputs.slice(0, 1) : node.inputs;
}

/** Everything that the roots are computed from, inputs first. */
function needed(roots: readonly Node[]): Node[] {
  const seen = new Set<Node>();
  const stack = [...roots];
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    stack.push(...operands(node));
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

const rootsOf = (entry: Entry): Node[] => entry.outputs.flatMap((o) => (o.when ? [o.value, o.when] : [o.value]));

function analysed(entry: Entry, { sources, rows }: Examples): Analysis | Mixed {
  const axes = new Map<Node, number>();
  const roles = new Map<Node, Role>();
  const levels = new Map<Node, number>();
  try {
    for (const node of needed(rootsOf(entry))) {
      const inputs = operands(node);
      const level = Math.max(0, ...inputs.map((i) => levels.get(i) as number));
      const over = inputs.some((i) => axes.has(i));
      const role = over && !sources.has(node) ? roleOf(node, axes, rows) : undefined;
      if (sources.has(node)) axes.set(node, 0);
      if (role) roles.set(node, role);
      if (role?.kind === 'rows') axes.set(node, role.axis);
      levels.set(node, role?.kind === 'cut' ? level + 1 : level);
    }
  } catch (reason) {
    if (reason instanceof Mixed) return reason;
    throw reason;
  }
  return { axes, roles, levels };
}

/** Bytes of a field on the device: of a loaded one as it is stored. */
function fieldBytes(e: Elaboration, field: Node): number {
  let node = field;
  while (node.op === 'name') node = node.inputs[0];
  const stored = e.data.flatMap((d) => d.fields.filter((f) => `${d.name}.${f.name}` === node.attrs.name));
  const bytes = node.op === 'parameter' && node.attrs.source === 'data' && stored[0]?.storage === 'u8' ? 1 : 4;
  return bytes * sizeOf(node.type.shape);
}

/** Rows of a chunk: as asked for, or as many as keep the examples, and the largest value over them, small; the chunks then about equal. */
function chunkRows(e: Elaboration, { axes }: Analysis, { rows, chunk, sources }: Examples): number {
  if (chunk) return chunk.rows;
  let largest = Math.max(0, ...[...sources].map((source) => fieldBytes(e, source.inputs[0])));
  for (const [node] of axes) {
    const { family } = opOf(node.op).lower;
    if (family !== 'index' && family !== 'alias' && !sources.has(node))
      largest = Math.max(largest, 4 * sizeOf(node.type.shape));
  }
  if (largest <= WHOLE_BYTES) return rows;
  const most = Math.max(1, Math.floor((rows * WHOLE_BYTES) / largest));
  return Math.ceil(rows / Math.ceil(rows / most));
}

/** Builds the entries of one eval. */
class Chunking {
  private readonly graph: Graph;
  private readonly entry: Entry;
  private readonly examples: Examples;
  private readonly analysis: Analysis;
  private readonly rows: number;
  private readonly run: string;
  private readonly addCell: (cell: Cell) => void;
  /** Totals by reduction, as they are read. */
  private readonly totals = new Map<Node, Node>();
  private readonly wholes = new Map<Node, Node>();
  private readonly parts = new Map<Node, Node>();
  private readonly chunk: Node;
  /** First row of the chunk, and the first that was not counted before. */
  private readonly start: Node;
  private readonly first: Node;

  constructor(
    graph: Graph,
    entry: Entry,
    examples: Examples,
    analysis: Analysis,
    rows: number,
    run: string,
    addCell: (cell: Cell) => void,
  ) {
    this.graph = graph;
    this.entry = entry;
    this.examples = examples;
    this.analysis = analysis;
    this.rows = rows;
    this.run = run;
    this.addCell = addCell;
    this.chunk = graph.parameter('scalar', 'chunk', { dtype: 'i32', shape: [] });
    this.first = graph.make('mul', [this.chunk, this.integer(rows)]);
    this.start = graph.make('min', [this.first, this.integer(examples.rows - rows)]);
  }

  private integer(value: number): Node {
    return this.graph.constant(value, { dtype: 'i32', shape: [] });
  }

  entries(): Entry[] {
    const cuts = [...this.analysis.roles].flatMap(([node, role]) => (role.kind === 'cut' ? [{ node, role }] : []));
    const chunks = Math.ceil(this.examples.rows / this.rows);
    const passes: Entry[] = [];
    for (let level = 1; ; level++) {
      const now = cuts.filter(({ node }) => this.analysis.levels.get(node) === level);
      if (now.length === 0) break;
      const id = `${this.entry.id}.pass${level}`;
      const writes = now.map(({ node, role }) => this.accumulate(node, role));
      passes.push({ id, writes, outputs: [], inputs: [] });
    }
    const outputs = this.entry.outputs.map((o) => ({
      ...o,
      value: this.whole(o.value),
      ...(o.when && { when: this.whole(o.when) }),
    }));
    return [...passes, { ...this.entry, outputs, passes: passes.map(({ id }) => ({ entry: id, chunks })) }];
  }

  /** The write that adds this chunk's part of a reduction to the total. */
  private accumulate(node: Node, role: Role): { cell: string; value: Node } {
    const { type } = node;
    const id = `${this.entry.id}#${this.totals.size}`;
    this.addCell({ id, type, kind: 'let', run: this.run, group: id, span: node.span });
    const total = this.graph.parameter('cell', id, type);
    const value = this.graph.at(node.span, () => {
      const part = this.graph.make(node.op, this.inputsOf(node, role, true), role.attrs(this.rows));
      const combine = role.kind === 'cut' ? role.combine : 'add';
      const begins = this.repeated(this.graph.make('eq', [this.chunk, this.integer(0)]), type.shape);
      return this.graph.make('select', [begins, part, this.graph.make(combine, [total, part])]);
    });
    this.totals.set(node, total);
    return { cell: id, value };
  }

  private repeated(x: Node, shape: readonly number[], axes: readonly number[] = []): Node {
    return shape.length === 0 ? x : this.graph.make('broadcast', [x], { shape, axes });
  }

  /** Inputs over the rows of the chunk; for sums and products, rows counted before become neutral. */
  private inputsOf(node: Node, role: Role, masked: boolean): Node[] {
    const neutral =
      role.kind === 'cut' ? ({ add: 0, mul: 1 } as Partial<Record<string, number>>)[role.combine] : undefined;
    return operands(node).map((input, i) => {
      const along = role.uniform[i];
      const axis = this.analysis.axes.get(input) ?? along;
      if (axis === undefined) return this.whole(input);
      const part = along === undefined ? this.part(input) : this.uniform(input, along);
      return masked && this.countsOnce(node, i) ? this.unmasked(part, axis, neutral) : part;
    });
  }

  /** Indices of a scatter are no summands. */
  private countsOnce(node: Node, input: number): boolean {
    return node.op !== 'scatter_add' || input === 1;
  }

  private unmasked(x: Node, axis: number, neutral: number | undefined): Node {
    if (neutral === undefined || this.examples.rows % this.rows === 0) return x;
    const { graph } = this;
    const shape = [x.type.shape[axis]];
    const each = shape[0] / this.rows;
    const entry = graph.make('iota', [], { dtype: 'i32', shape, axis: 0 });
    const row = each === 1 ? entry : graph.make('floor_div', [entry, this.repeated(this.integer(each), shape)]);
    const at = graph.make('add', [row, this.repeated(this.start, shape)]);
    const counts = graph.make('ge', [at, this.repeated(this.first, shape)]);
    return graph.make('select', [this.repeated(counts, x.type.shape, [axis]), x, graph.constant(neutral, x.type)]);
  }

  /** A value over the examples, over the rows of the chunk. */
  private part(node: Node): Node {
    const known = this.parts.get(node);
    if (known) return known;
    const made = this.graph.at(node.span, () => this.makePart(node), node.path);
    this.parts.set(node, made);
    return made;
  }

  private makePart(node: Node): Node {
    if (this.examples.sources.has(node)) {
      const [field] = node.inputs;
      const starts = field.type.shape.map((_, axis) => (axis === 0 ? this.start : this.integer(0)));
      return this.graph.make('dynamic_slice', [field, ...starts], { sizes: field.type.shape.with(0, this.rows) });
    }
    const role = this.analysis.roles.get(node) as Role;
    const inputs = this.inputsOf(node, role, false);
    return opOf(node.op).lower.family === 'alias' ? inputs[0] : this.graph.make(node.op, inputs, role.attrs(this.rows));
  }

  /** A value that is the same along an axis of the examples, over the rows of the chunk. */
  private uniform(node: Node, axis: number): Node {
    const along = uniformInputs(node, axis) ?? [];
    const inputs = operands(node).map((input, i) => {
      const on = along[i];
      return on === undefined ? this.whole(input) : this.uniform(input, on);
    });
    if (opOf(node.op).lower.family === 'alias') return inputs[0];
    const { shape } = node.attrs;
    const rows = (node.type.shape[axis] / this.examples.rows) * this.rows;
    return this.graph.make(
      node.op,
      inputs,
      Array.isArray(shape) ? { ...node.attrs, shape: (shape as number[]).with(axis, rows) } : node.attrs,
    );
  }

  /** A value that is not over the examples, with reductions over them read as totals. */
  private whole(node: Node): Node {
    if ((this.analysis.levels.get(node) ?? 0) === 0) return node;
    const known = this.totals.get(node) ?? this.wholes.get(node);
    if (known) return known;
    const inputs = operands(node).map((i) => this.whole(i));
    const alias = opOf(node.op).lower.family === 'alias';
    const made = alias
      ? inputs[0]
      : this.graph.at(node.span, () => this.graph.make(node.op, inputs, node.attrs), node.path);
    this.wholes.set(node, made);
    return made;
  }
}
