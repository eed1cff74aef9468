/**
 * The optimization graph of a program: what each term of an objective reads, which statement descends it, and how its derivative reaches what that
 * statement moves (directly, reversed, or not at all because of a stop). Plain data; drawn by `saddle graph`.
 */
import { type BundleSolve, LEDGER_PART } from '../bundle/format.ts';
import type { Cell, Entry, Program, UpdateRecord } from '../ir/program.ts';
import { cellRead, reachable, sizeOf } from '../ir/tensor/graph.ts';
import { dependencies } from '../ops/region.ts';
import type { Node } from '../ops/types.ts';
import { termsOf } from './directions.ts';
import { leavesOf, sharesOf, termName, type TextOf } from './shares.ts';

export type DiagramNodeKind = 'data' | 'parameters' | 'value' | 'term' | 'update' | 'write';

export interface DiagramNode {
  readonly id: string;
  readonly kind: DiagramNodeKind;
  readonly label: string;
  /** A second line: numbers of parameters, the sense of an update. */
  readonly detail: string;
}

/**
 * `reads`: a term reads data, parameters or a value. `stopped`: it reads parameters that its statement moves, but no derivative comes back.
 * `objective`: a term belongs to the objective of a statement. `descends`, `ascends`, `reversed`: the share of a term in what a statement does to
 * parameters (`reversed` after an odd number of reversals). `moves`: parameters are moved along a given direction, or written.
 */
export type DiagramEdgeKind = 'reads' | 'stopped' | 'objective' | 'descends' | 'ascends' | 'reversed' | 'moves';

export interface DiagramEdge {
  readonly from: string;
  readonly to: string;
  readonly kind: DiagramEdgeKind;
  readonly label: string;
}

/** Phases of equal structure are one part, under all their names. */
export interface DiagramPart {
  readonly names: readonly string[];
  readonly nodes: readonly DiagramNode[];
  readonly edges: readonly DiagramEdge[];
}

export interface Diagram {
  readonly title: string;
  readonly parts: readonly DiagramPart[];
}

/** The optimization graph of every phase that moves something. Where a solver writes the variables itself, what it solves is drawn: objectives and constraints. */
export function diagramOf(program: Program, text: TextOf): Diagram {
  const entries = new Map<string, UpdateRecord[]>();
  for (const u of program.updates) entries.set(u.entry, [...(entries.get(u.entry) ?? []), u]);
  const parts = new Map<string, DiagramPart>();
  for (const [entry, updates] of entries) {
    const part = new PartBuilder(program, text).build(updates, solvedIn(program, entry, text));
    const key = JSON.stringify(part);
    parts.set(key, { names: [...(parts.get(key)?.names ?? []), entry], ...part });
  }
  return { title: program.name, parts: [...parts.values()] };
}

/** What a solve is of: nodes of objectives and constraints, as its ledger has them. */
interface Solved {
  readonly solve: BundleSolve;
  readonly objectives: readonly Node[];
  readonly constraints: readonly { readonly node: Node; readonly text: string }[];
}

function solvedIn(program: Program, entry: string, text: TextOf): Solved | undefined {
  const phase = program.schedule.find((p) => p.kind === 'train' && p.entry === entry);
  const solve = program.solves?.find((s) => phase && s.run === phase.run && s.key === phase.name && !s.within);
  if (!solve || solve.unrecorded) return undefined;
  const { run, key } = solve;
  const entries = new Set(program.schedule.filter((p) => p.run === run).map((p) => p.entry));
  // Outputs of the step and of the ledger behind it have the same names; the latter are of the variables as they are at the end.
  const outputs = program.entries.filter((e) => entries.has(e.id)).flatMap((e: Entry) => e.outputs.filter((o) => o.kind === 'metric')); // prettier-ignore
  const part = `${LEDGER_PART}${key}.`;
  const isObjective = (name: string): boolean =>
    name === solve.objective || name.replace(`${key}.`, '').startsWith('objective_');
  return {
    solve,
    objectives: outputs.filter((o) => isObjective(o.name)).map((o) => o.value),
    constraints: outputs.flatMap((o) => {
      const { name } = solve.constraints.find((c) => o.name === `${part}${c.name}.value`) ?? {};
      return name === undefined
        ? []
        : [{ node: o.value, text: o.span ? line(text(o.span)).replace(/^subject to /, '') : name }];
    }),
  };
}

class PartBuilder {
  private readonly nodes = new Map<string, DiagramNode>();
  private readonly edges = new Map<string, DiagramEdge>();
  private readonly models = new Map<string, { name: string; count: number }>();

  private readonly cells: ReadonlyMap<string, Cell>;
  private readonly text: TextOf;

  constructor(program: Program, text: TextOf) {
    this.cells = new Map(program.cells.map((c) => [c.id, c]));
    this.text = text;
    for (const m of program.models) {
      const name = m.run === '' ? m.name : m.name.slice(m.run.length + 1);
      const count = m.cells.reduce((sum, c) => sum + sizeOf(this.cells.get(c)?.type.shape ?? [0]), 0);
      for (const c of m.cells) this.models.set(c, { name, count });
    }
  }

  build(updates: readonly UpdateRecord[], solved: Solved | undefined): Omit<DiagramPart, 'names'> {
    // A statement in a loop has one record a turn: they differ in versions only.
    const statements = new Map<string, UpdateRecord[]>();
    for (const u of updates) {
      const key = `${u.span.file}:${u.span.start} ${u.targetNames.join()}`;
      statements.set(key, [...(statements.get(key) ?? []), u]);
    }
    const moves = [...statements.values()].filter(([u]) => u.sense !== 'write').length;
    let place = 0;
    for (const turns of statements.values())
      if (turns[0].sense !== 'write') this.statement(turns[0], turns.length, moves > 1 ? `${++place}. ` : '');
    if (moves === 0 && solved) {
      this.solve(solved, updates);
      return this.part();
    }
    // Of what is written, only what some objective reads: the rest is bookkeeping.
    const read = new Set(this.nodes.keys());
    for (const turns of statements.values()) {
      const [u] = turns;
      if (u.sense === 'write' && u.targets.some((t) => read.has(this.key(t)))) this.statement(u, turns.length, '');
    }
    return this.part();
  }

  private part(): Omit<DiagramPart, 'names'> {
    return { nodes: [...this.nodes.values()], edges: [...this.edges.values()] };
  }

  /** A solver that writes the variables: its steps are its own affair, what it solves is not. */
  private solve({ solve, objectives, constraints }: Solved, updates: readonly UpdateRecord[]): void {
    const id = this.node('update', `solve ${solve.problem} by ${short(line(solve.solver))}`, '');
    const terms = objectives.flatMap((node) => termsOf(node).map((term) => ({ ...term, text: undefined })));
    for (const { node, text } of [...terms, ...constraints]) {
      const term = this.node('term', text ?? bare(termName(node, this.text)), '');
      for (const n of reachable([node], (inner) => (cellRead(inner) === undefined ? dependencies(inner) : []))) {
        const from = this.source(n);
        if (from !== undefined) this.edge(from, term, 'reads', '');
      }
      this.edge(term, id, 'objective', '');
    }
    for (const target of updates.flatMap((u) => u.targets)) {
      const moved = this.cell(target);
      if (moved !== undefined) this.edge(id, moved, 'moves', '');
    }
  }

  private statement(u: UpdateRecord, times: number, place: string): void {
    const written = u.sense === 'write';
    const detail = [
      written ? '' : u.sense === 'along' ? 'along a given direction' : u.sense,
      u.with === '' ? '' : `with ${line(u.with)}`,
      u.alternating ? 'reads what was moved before' : '',
      times > 1 ? `${times} times a step` : '',
    ];
    const id = this.node(
      written ? 'write' : 'update',
      `${place}${written ? '<- ' : ''}${short(line(u.by))}`,
      detail.filter((d) => d !== '').join(', '),
    );
    const terms = u.objectives.flatMap((o) => termsOf(o.node));
    for (const term of terms) this.edge(this.term(term.node, u), id, 'objective', '');
    for (const name of u.targetNames) {
      const leaves = leavesOf(u, name);
      const target = this.target(u, name);
      if (u.objectives.length === 0) this.edge(id, target, 'moves', '');
      for (const share of sharesOf(u, leaves, this.text)) {
        const up = share.negative !== (u.sense === 'maximizing');
        const kind = share.reversals % 2 === 1 ? 'reversed' : up ? 'ascends' : 'descends';
        this.edge(
          id,
          target,
          kind,
          [...share.factors, share.factors.length > 0 ? share.name : bare(share.name)].join(' · '),
        );
      }
    }
  }

  /** A term with what it reads; of what `u` moves, whether a derivative comes back. */
  private term(node: Node, u: UpdateRecord): string {
    const id = this.node('term', bare(termName(node, this.text)), '');
    const leaves = new Set<Node>(u.wrt);
    const read = reachable([node], (n) => (cellRead(n) === undefined ? dependencies(n) : []));
    const reached = new Set(
      u.targetNames
        .filter((name) => {
          const own = leavesOf(u, name);
          return sharesOf(u, own, this.text).some((s) => s.term.node === node);
        })
        .map((name) => this.target(u, name)),
    );
    for (const n of read) {
      const from = this.source(n);
      if (from === undefined) continue;
      const moved = leaves.has(n) || u.targets.includes(cellRead(n) ?? '');
      this.edge(from, id, moved && !reached.has(from) ? 'stopped' : 'reads', '');
    }
    return id;
  }

  /** The data, parameters or kept value that a leaf of the graph reads. */
  private source(n: Node): string | undefined {
    const cell = cellRead(n);
    if (cell !== undefined) return this.cell(cell);
    if (n.op !== 'parameter' || n.attrs.source !== 'data') return undefined;
    return this.node('data', (n.attrs.name as string).split('.')[0], '');
  }

  private cell(id: string): string | undefined {
    const place = this.placeOf(id);
    return place && this.node(...place);
  }

  /** Key of the node of a cell, there or not. */
  private key(id: string): string {
    const place = this.placeOf(id);
    return place ? nodeKey(place[0], place[1]) : '';
  }

  /** Kind, label and detail of the node that stands for a cell; states of rules have none. */
  private placeOf(id: string): [DiagramNodeKind, string, string] | undefined {
    const cell = this.cells.get(id);
    if (cell?.kind === 'state') return undefined;
    const model = this.models.get(id);
    if (model) return ['parameters', model.name, `${model.count.toLocaleString('en')} parameters`];
    const name = cell && cell.run !== '' ? id.slice(cell.run.length + 1) : id;
    if (cell?.kind === 'let') return ['value', name.split('.')[0], ''];
    return ['parameters', name, cell ? `${cell.kind}, ${shapeText(cell.type.shape)}` : ''];
  }

  private target(u: UpdateRecord, name: string): string {
    const own = u.targets.find((_, i) => leavesOf(u, name).has(u.wrt[i])) ?? u.targets[0];
    const whole = this.cell(own);
    return whole ?? this.node('parameters', name, '');
  }

  private node(kind: DiagramNodeKind, label: string, detail: string): string {
    const key = nodeKey(kind, label);
    const found = this.nodes.get(key);
    if (found) return found.id;
    const id = `n${this.nodes.size}`;
    this.nodes.set(key, { id, kind, label, detail });
    return id;
  }

  private edge(from: string, to: string, kind: DiagramEdgeKind, label: string): void {
    this.edges.set(`${from} ${to} ${kind} ${label}`, { from, to, kind, label });
  }
}

function nodeKey(kind: DiagramNodeKind, label: string): string {
  return `${kind} ${label}`;
}

/** A text that is nothing but a bracket, without it. */
function bare(name: string): string {
  return name.startsWith('(') ? name.slice(1, -1) : name;
}

function line(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

function short(text: string): string {
  return text.length > 48 ? `${text.slice(0, 45)}...` : text;
}

function shapeText(shape: readonly number[]): string {
  return shape.length === 0 ? 'scalar' : shape.join(' × ');
}
