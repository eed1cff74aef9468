/**
 * Data larger than the device binds at once stay with the host. What a step reads of such a field must be batches whose row numbers depend on nothing but
 * step, seed and hypers: the host then finds the rows itself and sends them along with the step. Each such read, `gather(field, rows)`, becomes a
 * small field of its own, filled before the kernels of the step; the kernels take the
 * same rows in the same order (their sums may be rounded otherwise, as kernels of another text are).
 */
import type { RowInstruction, RowProgram } from '../bundle/rows.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Data, Entry, Program } from '../ir/program.ts';
import { Graph, reachable, sizeOf, typeText } from '../ir/tensor/graph.ts';
import { rewrite } from '../ir/tensor/rewrite.ts';
import { padded } from '../lower/tensors.ts';
import { isRegion } from '../ops/region.ts';
import { op } from '../ops/table.ts';
import type { Node } from '../ops/types.ts';
import { dataBuffer } from './layout.ts';

/** The rows of a field that an entry takes at each execution. */
export interface Stream {
  readonly data: string;
  readonly field: string;
  /** The small field that holds them: its name among the fields of `data`. */
  readonly part: string;
  /** Bytes of one execution's rows. */
  readonly bytes: number;
  readonly rows: RowProgram;
}

export interface StreamedProgram {
  readonly program: Program;
  /** Data as the kernels read them: small parts in place of the large fields. */
  readonly resident: readonly Data[];
  /** Names `set.field` of those that stay with the host. */
  readonly host: ReadonlySet<string>;
  /** By entry. */
  readonly streams: ReadonlyMap<string, readonly Stream[]>;
}

/** Splits off what is too large. Throws OPT511 where a large field is read in any other way than by batches. */
export function streamProgram(program: Program, limit: number): StreamedProgram {
  const host = new Set<string>();
  for (const set of program.data)
    for (const f of set.fields) if (fieldBytes(f) > limit) host.add(`${set.name}.${f.name}`);
  const streams = new Map<string, readonly Stream[]>();
  if (host.size === 0) return { program, resident: program.data, host, streams };
  const parts = new Map<string, Data['fields'][number][]>();
  const last = Math.max(0, ...program.entries.flatMap(rootsOf).map((root) => root.id));
  const graph = new Graph(1 + last);
  const entries = program.entries.map((entry) => {
    const split = new Splitter(program, host, parts, limit, graph);
    const next = split.roots(rootsOf(entry)).values();
    const take = (): Node => next.next().value as Node;
    if (split.streams.length > 0) streams.set(entry.id, split.streams);
    return {
      ...entry,
      outputs: entry.outputs.map((o) => ({ ...o, value: take(), ...(o.when && { when: take() }) })),
      writes: entry.writes.map((w) => ({ ...w, value: take() })),
    };
  });
  const resident = program.data.map((set) => ({
    ...set,
    fields: [...set.fields.filter((f) => !host.has(`${set.name}.${f.name}`)), ...(parts.get(set.name) ?? [])],
  }));
  return { program: { ...program, entries }, resident, host, streams };
}

/** Bytes of a field on the device. */
export function fieldBytes({ type, storage }: Data['fields'][number]): number {
  const elements = padded(sizeOf(type.shape));
  return storage === 'u8' ? elements : 4 * elements;
}

/** Outputs, each with its condition, then writes. */
function rootsOf(entry: Entry): Node[] {
  return [
    ...entry.outputs.flatMap((o) => (o.when ? [o.value, o.when] : [o.value])),
    ...entry.writes.map((w) => w.value),
  ];
}

/** One entry's reads of large fields. */
class Splitter {
  readonly streams: Stream[] = [];
  private readonly program: Program;
  private readonly host: ReadonlySet<string>;
  private readonly parts: Map<string, Data['fields'][number][]>;
  private readonly limit: number;
  private readonly graph: Graph;

  constructor(
    program: Program,
    host: ReadonlySet<string>,
    parts: Map<string, Data['fields'][number][]>,
    limit: number,
    graph: Graph,
  ) {
    this.program = program;
    this.host = host;
    this.parts = parts;
    this.limit = limit;
    this.graph = graph;
  }

  roots(roots: readonly Node[]): Node[] {
    const isLarge = (node: Node) =>
      node.op === 'parameter' && node.attrs.source === 'data' && this.host.has(node.attrs.name as string);
    if (!reachable(roots).some(isLarge)) return [...roots];
    const rewritten = rewrite(this.graph, roots, (node) => {
      const [field] = node.inputs;
      const rows = field && isLarge(field) ? this.rowsRead(node) : undefined;
      const program = rows && rowProgram(rows);
      return program ? this.part(field, node, program) : node;
    });
    const left = reachable(rewritten);
    const whole = left.find(isLarge);
    if (whole) this.refuse(whole, left.find((node) => node.inputs.includes(whole)) ?? whole);
    return rewritten;
  }

  /** Numbers of the rows that a node reads of its first input: those of a batch, or neighbours from a place on (chunks of an eval). */
  private rowsRead(node: Node): Node | undefined {
    const [field, rows, ...others] = node.inputs;
    if (node.op === 'gather') return node.attrs.axis === 0 ? rows : undefined;
    if (node.op !== 'dynamic_slice') return undefined;
    const [count, ...rest] = node.attrs.sizes as readonly number[];
    const whole = rest.every((size, i) => size === field.type.shape[i + 1]);
    if (!whole || !others.every((start) => start.op === 'constant' && start.attrs.value === 0)) return undefined;
    const places = this.graph.make('iota', [], { dtype: 'i32', shape: [count], axis: 0 });
    return this.graph.make('add', [places, this.graph.make('broadcast', [rows], { shape: [count], axes: [] })]);
  }

  /** The field that holds the gathered rows. Two reads of the same rows have been made one by the passes. */
  private part(field: Node, gathered: Node, rows: RowProgram): Node {
    const name = field.attrs.name as string;
    const set = this.program.data.find(
      (d) => name.startsWith(`${d.name}.`) && d.fields.some((f) => name === `${d.name}.${f.name}`),
    ) as Data;
    const whole = set.fields.find((f) => name === `${set.name}.${f.name}`) as Data['fields'][number];
    const parts = this.parts.get(set.name) ?? [];
    this.parts.set(set.name, parts);
    const part = { ...whole, name: `${whole.name}@${parts.length}`, type: gathered.type };
    parts.push(part);
    this.streams.push({ data: set.name, field: whole.name, part: part.name, bytes: fieldBytes(part), rows });
    return this.graph.parameter('data', `${set.name}.${part.name}`, gathered.type);
  }

  private refuse(field: Node, reader: Node): never {
    const name = field.attrs.name as string;
    const set = this.program.data.find((d) => d.fields.some((f) => name === `${d.name}.${f.name}`));
    const info = set?.fields.find((f) => name === `${set.name}.${f.name}`);
    const mib = (n: number): string => `${Math.ceil(n / 1048576)} MiB`;
    return fail(
      'OPT511',
      reader.span ?? set?.span,
      `the field '${name}' (${typeText(field.type)}) needs ${mib(info ? fieldBytes(info) : 0)}, but the device binds at most ${mib(this.limit)} at once, and here it is not read by batches`,
      {
        hint: 'a field this large stays with the host, which sends the rows of each batch: read it by `batch b = D[64]` and by evals in chunks alone, or take fewer rows: "file"[0..10000]',
      },
    );
  }
}

/** The program of row numbers that the host can find, or undefined where they depend on cells, data or inputs. */
function rowProgram(rows: Node): RowProgram | undefined {
  const nodes = reachable([rows]);
  const index = new Map(nodes.map((node, i) => [node, i]));
  const program: RowInstruction[] = [];
  for (const node of nodes) {
    if (Object.values(node.attrs).some(isRegion)) return undefined;
    const isScalar = node.op === 'parameter' && node.attrs.source === 'scalar';
    if (node.op === 'parameter' && !isScalar) return undefined;
    const { type } = node;
    if (isScalar) program.push({ op: 'scalar', inputs: [], attrs: { name: node.attrs.name }, type });
    else if (node.op !== 'constant' && !op(node.op).reference) return undefined;
    else program.push({ op: node.op, inputs: node.inputs.map((i) => index.get(i) as number), attrs: node.attrs, type });
  }
  return program;
}

export const streamBuffer = (set: string, part: string): string => `stream:${set}.${part}`;

/** What fills the parts before the kernels of an execution run: copies out of the ring that the host writes. */
export function streamCommands(streams: readonly Stream[]) {
  return streams.map(({ data, part, bytes }) => ({
    kind: 'copy' as const,
    from: streamBuffer(data, part),
    fromOffset: 0,
    to: dataBuffer(data, part),
    toOffset: 0,
    bytes,
  }));
}
