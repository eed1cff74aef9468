/** Programs built by hand for the tests of lowering: small ones with one entry, and the network of the benchmarks. */
import { grad } from '../../compiler/autodiff/index.ts';
import type { Cell, Entry, Program } from '../../compiler/ir/program.ts';
import { Graph } from '../../compiler/ir/tensor/graph.ts';
import type { DType, Node, TensorType } from '../../compiler/ops/types.ts';
import { runPasses, tensorPasses } from '../../compiler/passes/index.ts';

export const f32 = (...shape: number[]): TensorType => ({ dtype: 'f32', shape });
export const i32 = (...shape: number[]): TensorType => ({ dtype: 'i32', shape });
export const u32 = (...shape: number[]): TensorType => ({ dtype: 'u32', shape });

export function cell(id: string, type: TensorType, group = id): Cell {
  return { id, type, kind: 'param', run: '', group };
}

/** A program of the given cells and entries, with the passes run over each entry. */
export function program(graph: Graph, parts: Partial<Program> & { entries: readonly Entry[] }): Program {
  const entries = parts.entries.map((entry) => {
    const conditions = entry.outputs.flatMap((o) => o.when ?? []);
    const roots = [...entry.writes.map((w) => w.value), ...entry.outputs.map((o) => o.value), ...conditions];
    const done = runPasses(graph, roots, tensorPasses).values();
    const next = (): Node => done.next().value as Node;
    const writes = entry.writes.map((w) => ({ ...w, value: next() }));
    const outputs = entry.outputs.map((o) => ({ ...o, value: next() }));
    return { ...entry, writes, outputs: outputs.map((o) => (o.when ? { ...o, when: next() } : o)) };
  });
  const empty: Program = {
    name: 'test',
    hypers: [],
    data: [],
    cells: [],
    entries: [],
    schedule: [],
    runs: [],
    exports: [],
    claims: [],
    updates: [],
    models: [],
  };
  return { ...empty, ...parts, entries };
}

/** A program with one entry whose results are `results`, a function of inputs. */
export function resultsProgram(
  graph: Graph,
  inputs: Record<string, TensorType>,
  results: Record<string, Node>,
): Program {
  return program(graph, {
    entries: [
      {
        id: 'main',
        writes: [],
        outputs: Object.entries(results).map(([name, value]) => ({ name, kind: 'result' as const, value })),
        inputs: Object.entries(inputs).map(([name, type]) => ({ name, type })),
      },
    ],
  });
}

export class Build {
  readonly g: Graph;
  constructor(g: Graph = new Graph()) {
    this.g = g;
  }
  input(name: string, type: TensorType): Node {
    return this.g.parameter('input', name, type);
  }
  op(name: string, ...inputs: Node[]): Node {
    return this.g.make(name, inputs);
  }
  spread(x: Node, shape: readonly number[], axes: readonly number[]): Node {
    return this.g.make('broadcast', [x], { shape, axes });
  }
  num(value: number, like: Node): Node {
    return this.g.constant(value, like.type);
  }
  sum(x: Node, ...axes: number[]): Node {
    return this.g.make('reduce_sum', [x], { axes });
  }
  matmul(a: Node, b: Node, aAxis = 1, bAxis = 0): Node {
    return this.g.make('dot_general', [a, b], {
      lhs_contract: [aAxis],
      rhs_contract: [bAxis],
      lhs_batch: [],
      rhs_batch: [],
    });
  }
  cast(x: Node, dtype: DType): Node {
    return this.g.make('cast', [x], { dtype });
  }
}

export interface MlpOptions {
  readonly sizes: readonly number[];
  readonly batch: number;
  readonly rows: number;
}

/** Softmax cross-entropy of a ReLU network on shuffled batches of byte images, with Adam. */
export function mlpProgram({ sizes, batch, rows }: MlpOptions): { program: Program; cells: Cell[] } {
  const b = new Build();
  const { g } = b;
  const cells: Cell[] = [];
  const leaves: { cell: Cell; node: Node }[] = [];
  for (let l = 0; l + 1 < sizes.length; l++) {
    for (const c of [cell(`W${l}`, f32(sizes[l], sizes[l + 1]), 'net'), cell(`b${l}`, f32(sizes[l + 1]), 'net')]) {
      cells.push(c);
      leaves.push({ cell: c, node: g.parameter('cell', c.id, c.type) });
    }
  }
  const step = g.parameter('scalar', 'step', i32());
  const seed = g.parameter('scalar', 'seed', u32());
  const key = g.make('random_key', [seed], { site: [1, 2] });
  const position = b.op('mul', step, b.num(batch, step));
  const index = g.make('shuffle_index', [key, position], { rows, count: batch });
  const x = g.make('gather', [g.parameter('data', 'train.x', f32(rows, sizes[0])), index], { axis: 0 });
  const y = g.make('gather', [g.parameter('data', 'train.y', i32(rows)), index], { axis: 0 });
  let h = x;
  for (let l = 0; l + 1 < sizes.length; l++) {
    const z = b.op(
      'add',
      b.matmul(h, leaves[2 * l].node),
      b.spread(leaves[2 * l + 1].node, [batch, sizes[l + 1]], [1]),
    );
    h = l + 2 < sizes.length ? b.op('max', z, b.num(0, z)) : z;
  }
  const classes = sizes[sizes.length - 1];
  const shape = [batch, classes];
  const peak = g.make('stop', [g.make('reduce_max', [h], { axes: [1] })]);
  const shifted = b.op('sub', h, b.spread(peak, shape, [0]));
  const lse = b.op('log', b.sum(b.op('exp', shifted), 1));
  const hot = b.cast(b.op('eq', g.make('iota', [], { shape, axis: 1, dtype: 'i32' }), b.spread(y, shape, [0])), 'f32');
  const losses = b.op('sub', lse, b.sum(b.op('mul', hot, shifted), 1));
  const total = b.sum(losses, 0);
  const loss = b.op('div', total, b.num(batch, total));
  const result = grad(
    g,
    loss,
    leaves.map((l) => l.node),
  );
  const grads = result.values;
  const k = b.op('add', b.cast(step, 'f32'), b.num(1, loss));
  const one = b.num(1, loss);
  const correction = (beta: number): Node => b.op('sub', one, b.op('pow', b.num(beta, loss), k));
  const [c1, c2] = [correction(0.9), correction(0.999)];
  const lr = g.parameter('scalar', 'hyper:lr', f32());
  const writes: { cell: string; value: Node }[] = [];
  const states: Cell[][] = [[], []];
  leaves.forEach(({ cell: c, node: p }, i) => {
    const dims = c.type.shape;
    const all = (s: Node): Node => b.spread(s, dims, []);
    const state = ['m', 'v'].map((name, j) => {
      const s = cell(`${c.id}#adam.${name}`, c.type, `adam.${name}`);
      states[j].push(s);
      return g.parameter('cell', s.id, s.type);
    });
    const gradient = grads[i];
    const m = b.op('add', b.op('mul', b.num(0.9, p), state[0]), b.op('mul', b.num(1 - 0.9, p), gradient));
    const square = g.make('integer_pow', [gradient], { exponent: 2 });
    const v = b.op('add', b.op('mul', b.num(0.999, p), state[1]), b.op('mul', b.num(1 - 0.999, p), square));
    const denominator = b.op('add', b.op('sqrt', b.op('div', v, all(c2))), b.num(1e-8, p));
    const update = b.op('div', b.op('div', m, all(c1)), denominator);
    writes.push({ cell: c.id, value: b.op('sub', p, b.op('mul', all(lr), update)) });
    writes.push({ cell: `${c.id}#adam.m`, value: m }, { cell: `${c.id}#adam.v`, value: v });
  });
  const allCells = [...cells, ...states.flat()];
  return {
    cells: allCells,
    program: program(g, {
      cells: allCells,
      data: [
        {
          name: 'train',
          source: 'test',
          rows,
          fields: [
            { name: 'x', type: f32(rows, sizes[0]), storage: 'u8', scale: 1 / 255 },
            { name: 'y', type: i32(rows), storage: 'i32', scale: 1 },
          ],
        },
      ],
      entries: [{ id: 'step', writes, outputs: [{ name: 'loss', kind: 'report', value: loss }], inputs: [] }],
    }),
  };
}
