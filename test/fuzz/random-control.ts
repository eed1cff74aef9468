/**
 * Random programs with nested loops and branches, made twice: as graphs with regions, and written out turn by turn with every branch decided, which needs
 * the values of the parameters. All values are f32 vectors of one length; the same seed gives the same program.
 */
import { Graph } from '../../compiler/ir/tensor/graph.ts';
import { closeRegions, makeCond, makeLoop, regionParameter } from '../../compiler/ir/tensor/regions.ts';
import type { Node, Rng, TensorType } from '../../compiler/ops/types.ts';
import { seededRng } from './rng.ts';

const LENGTH = 3;
export const vector: TensorType = { dtype: 'f32', shape: [LENGTH] };
const index: TensorType = { dtype: 'i32', shape: [] };

type Step =
  | { readonly kind: 'unary'; readonly op: string; readonly x: number }
  | { readonly kind: 'binary'; readonly op: string; readonly x: number; readonly y: number }
  /** Element at the index of the innermost loop, over the whole vector. */
  | { readonly kind: 'pick'; readonly x: number }
  | { readonly kind: 'cond'; readonly x: number; readonly limit: number; readonly sides: readonly Block[] }
  | {
      readonly kind: 'loop';
      readonly max: number;
      readonly count?: number;
      readonly limit?: number;
      readonly reversed: boolean;
      /** Values that a turn changes, and the one whose elements it reads one after another. */
      readonly carries: readonly number[];
      readonly xs: number;
      readonly body: Block;
    };

interface Block {
  readonly steps: readonly Step[];
  /** Values that it gives, by place in the list of what it was given and made. */
  readonly results: readonly number[];
}

/** Draws a block that is given `given` values and gives `results`. */
function drawBlock(rng: Rng, given: number, results: number, depth: number): Block {
  const steps: Step[] = [];
  let size = given;
  const any = () => rng.integer(0, size);
  const pick = <T>(list: readonly T[]) => list[rng.integer(0, list.length)];
  for (let k = rng.integer(2, 5); k > 0; k--) {
    const kind =
      depth > 0 ? pick(['unary', 'binary', 'pick', 'cond', 'loop', 'loop']) : pick(['unary', 'binary', 'pick']);
    if (kind === 'unary') steps.push({ kind, op: pick(['sin', 'tanh', 'cos']), x: any() });
    else if (kind === 'binary') steps.push({ kind, op: pick(['add', 'mul', 'sub']), x: any(), y: any() });
    else if (kind === 'pick') steps.push({ kind, x: any() });
    else if (kind === 'cond') {
      const sides = [0, 1].map(() => drawBlock(rng, size, 2, depth - 1));
      steps.push({ kind, x: any(), limit: rng.normal() / 2, sides });
      size++;
    } else {
      const carries = [any(), any()].filter((c, i, all) => all.indexOf(c) === i);
      const max = LENGTH;
      const form = pick(['plain', 'count', 'cond', 'both', 'reversed']);
      steps.push({
        kind: 'loop',
        max,
        count: form === 'count' || form === 'both' ? rng.integer(0, max + 1) : undefined,
        limit: form === 'cond' || form === 'both' ? rng.normal() / 2 : undefined,
        reversed: form === 'reversed',
        carries,
        xs: any(),
        body: drawBlock(rng, size + 1, carries.length + 1, depth - 1),
      });
      size += carries.length;
    }
    size++;
  }
  return { steps, results: Array.from({ length: results }, (_, k) => (k === 0 ? size - 1 : any())) };
}

/** How loops and branches are written. */
interface Writer {
  loop(step: Step & { kind: 'loop' }, values: readonly Node[], self: Program): Node[];
  cond(step: Step & { kind: 'cond' }, values: readonly Node[], turn: Node, self: Program): Node[];
}

/** One writing of a program into a graph. */
class Program {
  readonly graph: Graph;
  readonly writer: Writer;

  constructor(graph: Graph, writer: Writer) {
    this.graph = graph;
    this.writer = writer;
  }
  /** Results of a block for what it is given; `turn` is the index of the innermost loop. */
  block(block: Block, given: readonly Node[], turn: Node): Node[] {
    const values = [...given];
    for (const step of block.steps) values.push(...this.step(step, values, turn));
    return block.results.map((r) => values[r]);
  }
  private step(step: Step, values: readonly Node[], turn: Node): Node[] {
    const { graph } = this;
    switch (step.kind) {
      case 'unary':
        return [graph.make(step.op, [values[step.x]])];
      case 'binary':
        return [graph.make('tanh', [graph.make(step.op, [values[step.x], values[step.y]])])];
      case 'pick':
        return [this.spread(graph.make('gather', [values[step.x], turn], { axis: 0 }))];
      case 'cond':
        return this.writer.cond(step, values, turn, this);
      case 'loop':
        return this.writer.loop(step, values, this);
    }
  }
  spread(x: Node): Node {
    return this.graph.make('broadcast', [x], { shape: vector.shape, axes: [] });
  }
  sum(x: Node): Node {
    return this.graph.make('reduce_sum', [x], { axes: [0] });
  }
  below(x: Node, limit: number): Node {
    return this.graph.make('lt', [this.sum(x), this.graph.constant(limit, { dtype: 'f32', shape: [] })]);
  }
}

const withRegions: Writer = {
  cond(step, values, turn, self) {
    const { graph } = self;
    const predicate = self.below(values[step.x], step.limit);
    const marker = graph.nextId;
    const sides = step.sides.map((side) => ({ params: [], results: self.block(side, values, turn) }));
    const { regions, consts } = closeRegions(graph, marker, sides);
    const cond = makeCond(graph, predicate, consts, [regions[0], regions[1]]);
    return [cond.result(0), cond.result(1)];
  },
  loop(step, values, self) {
    const { graph } = self;
    const count = step.count === undefined ? undefined : graph.constant(step.count, index);
    const marker = graph.nextId;
    const i = regionParameter(graph, 'i', index);
    const carries = step.carries.map(() => regionParameter(graph, 'h', vector));
    const row = regionParameter(graph, 'x', { dtype: 'f32', shape: [] });
    const inside = values.map((v, k) => (step.carries.includes(k) ? carries[step.carries.indexOf(k)] : v));
    const results = self.block(step.body, [...inside, self.spread(row)], i);
    const body = {
      params: [i, ...carries, row],
      results: [...results.slice(0, carries.length), self.sum(results[carries.length])],
    };
    const own = carries.map(() => regionParameter(graph, 'h', vector));
    const condParams = [regionParameter(graph, 'i', index), ...own];
    const cond = { params: condParams, results: [self.below(own[0], step.limit ?? 0)] };
    const { regions, consts } = closeRegions(graph, marker, step.limit === undefined ? [body] : [body, cond]);
    const loop = makeLoop(graph, {
      count,
      carries: step.carries.map((c) => values[c]),
      xs: [values[step.xs]],
      consts,
      max: step.max,
      reversed: step.reversed,
      body: regions[0],
      cond: regions[1],
    });
    return [...carries.map((_, k) => loop.carry(k)), loop.ys(0)];
  },
};

/** Everything written out; `valueOf` is the value of a scalar bool node. */
function writtenOut(valueOf: (node: Node) => boolean): Writer {
  return {
    cond: (step, values, turn, self) =>
      self.block(step.sides[valueOf(self.below(values[step.x], step.limit)) ? 0 : 1], values, turn),
    loop(step, values, self) {
      const { graph } = self;
      const turns = step.count ?? step.max;
      const now = [...values];
      const rows = Array.from({ length: step.max }, () => graph.constant(0, { dtype: 'f32', shape: [] }));
      for (let t = 0; t < turns; t++) {
        const i = step.reversed ? turns - 1 - t : t;
        if (step.limit !== undefined && !valueOf(self.below(now[step.carries[0]], step.limit))) break;
        const turn = graph.constant(i, index);
        const row = self.spread(graph.make('gather', [values[step.xs], turn], { axis: 0 }));
        const results = self.block(step.body, [...now, row], turn);
        step.carries.forEach((c, k) => (now[c] = results[k]));
        rows[i] = self.sum(results[step.carries.length]);
      }
      const flat = rows.map((r) => graph.make('reshape', [r], { shape: [1] }));
      return [...step.carries.map((c) => now[c]), graph.make('concat', flat, { axis: 0 })];
    },
  };
}

export interface ControlProgram {
  /** The program's result (f32 scalar) with loops and branches as regions. */
  regions(graph: Graph, params: readonly Node[]): Node;
  /** The same written out for the values of the params that `valueOf` knows. */
  writtenOut(graph: Graph, params: readonly Node[], valueOf: (node: Node) => boolean): Node;
}

/** A program of `params` vectors, with regions nested up to `depth`. */
export function randomControl(seed: number, params: number, depth: number): ControlProgram {
  const block = drawBlock(seededRng(seed), params, 2, depth);
  const write = (graph: Graph, given: readonly Node[], writer: Writer) => {
    const self = new Program(graph, writer);
    const results = self.block(block, given, graph.constant(1, index));
    return graph.make('add', [self.sum(results[0]), self.sum(graph.make('mul', [results[1], given[0]]))]);
  };
  return {
    regions: (graph, given) => write(graph, given, withRegions),
    writtenOut: (graph, given, valueOf) => write(graph, given, writtenOut(valueOf)),
  };
}
