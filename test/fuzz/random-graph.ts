/**
 * Random tensor graphs for property tests: f32 values with draws, shapes, contractions, indices, conditions and barriers, kept bounded
 * so that rounding differences stay small. The same seed gives the same graph and values.
 */
import { Graph } from '../../compiler/ir/tensor/graph.ts';
import { range, sizeOf } from '../../compiler/ops/arrays.ts';
import type { NdArray, Node, Rng, TensorType } from '../../compiler/ops/types.ts';
import { seededRng } from './rng.ts';

export interface RandomGraph {
  readonly graph: Graph;
  /** Some f32 nodes; the last one is a scalar that depends on all of them. */
  readonly roots: readonly Node[];
  readonly params: readonly Node[];
  /** Value of a parameter. */
  readonly leaf: (parameter: Node) => NdArray;
}

export interface RandomGraphOptions {
  readonly nodes?: number;
  /** Only smooth primitives, so that derivatives can be compared with differences. */
  readonly smooth?: boolean;
  /** With `stop`, reversals, names and versions. */
  readonly barriers?: boolean;
}

/** One way to make a new value from the pool; undefined where it does not apply. */
type Production = (c: Construction) => Node | undefined;

class Construction {
  readonly graph = new Graph();
  readonly rng: Rng;
  readonly pool: Node[] = [];

  constructor(rng: Rng) {
    this.rng = rng;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.rng.integer(0, list.length)];
  }
  node(): Node {
    return this.pick(this.pool);
  }
  /** A value of the shape: one of the pool, or a scalar spread over it. */
  like(shape: readonly number[]): Node {
    const same = this.pool.filter((n) => n.type.shape.join() === shape.join());
    if (same.length > 0 && this.rng.uniform() < 0.9) return this.pick(same);
    return this.graph.make('broadcast', [this.mean(this.node())], { shape, axes: [] });
  }
  /** The mean of all elements, which bounds a sum. */
  mean(x: Node): Node {
    const total = this.graph.make('reduce_sum', [x], { axes: x.type.shape.map((_, a) => a) });
    return this.graph.make('mul', [total, this.graph.constant(1 / Math.max(1, sizeOf(x.type.shape)), total.type)]);
  }
  bounded(x: Node): Node {
    return this.graph.make('tanh', [x]);
  }
  axis(x: Node): number {
    return this.rng.integer(0, x.type.shape.length);
  }
  indices(size: number): Node {
    const shape = [this.rng.integer(1, 4)];
    return this.graph.dense(
      Array.from({ length: shape[0] }, () => this.rng.integer(0, size)),
      { dtype: 'i32', shape },
    );
  }
}

const smoothUnary = ['neg', 'sin', 'cos', 'tanh', 'sigmoid', 'softplus', 'atan', 'erf'];
const binary = ['add', 'sub', 'mul'];

const smooth: readonly Production[] = [
  (c) => c.graph.make(c.pick(smoothUnary), [c.node()]),
  (c) => {
    const x = c.node();
    return c.bounded(c.graph.make(c.pick(binary), [x, c.like(x.type.shape)]));
  },
  (c) => {
    const x = c.node();
    return c.graph.make(c.pick(['add', 'mul', 'sub']), [x, c.graph.constant(c.pick([1, -1, 0, -0, 0.5]), x.type)]);
  },
  (c) => c.graph.make('integer_pow', [c.bounded(c.node())], { exponent: c.rng.integer(0, 4) }),
  (c) => {
    const x = c.node();
    return c.bounded(
      c.graph.make('reduce_sum', [x], { axes: range(x.type.shape.length).filter(() => c.rng.uniform() < 0.5) }),
    );
  },
  (c) => {
    const x = c.node();
    const order = range(x.type.shape.length).sort(() => c.rng.uniform() - 0.5);
    return c.graph.make('permute', [x], { axes: order });
  },
  (c) => {
    const x = c.node();
    const size = sizeOf(x.type.shape);
    const factor = c.pick(range(size + 1).filter((f) => f > 0 && size % f === 0));
    return c.graph.make('reshape', [x], { shape: [factor, size / factor] });
  },
  (c) => {
    const x = c.node();
    if (x.type.shape.length > 2) return undefined;
    return c.graph.make('broadcast', [x], { shape: [2, ...x.type.shape], axes: x.type.shape.map((_, a) => a + 1) });
  },
  (c) => {
    const x = c.node();
    const start = x.type.shape.map((dim) => c.rng.integer(0, Math.max(1, dim - 1)));
    return c.graph.make('slice', [x], {
      start,
      limit: x.type.shape,
      stride: x.type.shape.map(() => c.rng.integer(1, 3)),
    });
  },
  (c) => {
    const x = c.node();
    const some = () => x.type.shape.map(() => c.rng.integer(0, 2));
    return sizeOf(x.type.shape) > 60
      ? undefined
      : c.graph.make('pad', [x], { low: some(), high: some(), interior: some() });
  },
  (c) => {
    const x = c.node();
    if (x.type.shape.length === 0 || sizeOf(x.type.shape) > 60) return undefined;
    return c.graph.make('concat', [x, c.like(x.type.shape)], { axis: c.axis(x) });
  },
  (c) => {
    const x = c.node();
    return c.graph.make('flip', [x], { axes: range(x.type.shape.length).filter(() => c.rng.uniform() < 0.5) });
  },
  (c) => {
    const matrices = c.pool.filter((n) => n.type.shape.length === 2);
    if (matrices.length === 0) return undefined;
    const x = c.pick(matrices);
    const contract = c.axis(x);
    const partners = matrices.filter((n) => n.type.shape.includes(x.type.shape[contract]));
    const y = c.pick(partners);
    const at = y.type.shape.indexOf(x.type.shape[contract]);
    const none: number[] = [];
    return c.bounded(
      c.graph.make('dot_general', [x, y], {
        lhs_contract: [contract],
        rhs_contract: [at],
        lhs_batch: none,
        rhs_batch: none,
      }),
    );
  },
  (c) => {
    const x = c.node();
    if (x.type.shape.length === 0) return undefined;
    const axis = c.axis(x);
    return c.graph.make('gather', [x, c.indices(x.type.shape[axis])], { axis });
  },
  (c) => {
    const x = c.node();
    if (x.type.shape.length === 0) return undefined;
    return c.bounded(c.graph.make('cumsum', [x], { axis: c.axis(x), reverse: c.rng.uniform() < 0.5 }));
  },
  (c) => {
    const x = c.node();
    const key = c.graph.dense([c.rng.integer(0, 2 ** 32), c.rng.integer(0, 2 ** 32)], { dtype: 'u32', shape: [2] });
    const bits = c.graph.make('random_bits', [key], { shape: x.type.shape, word: 0 });
    const eight = c.graph.constant(8, bits.type);
    const draw = c.graph.make('cast', [c.graph.make('shift_right', [bits, eight])], { dtype: 'f32' });
    return c.graph.make('mul', [x, c.graph.make('mul', [draw, c.graph.constant(2 ** -24, draw.type)])]);
  },
];

const kinked: readonly Production[] = [
  (c) => c.graph.make(c.pick(['abs', 'sign', 'floor', 'round']), [c.node()]),
  (c) => {
    const x = c.node();
    return c.graph.make(c.pick(['max', 'min']), [x, c.like(x.type.shape)]);
  },
  (c) => {
    const x = c.node();
    const y = c.like(x.type.shape);
    const condition = c.graph.make(c.pick(['lt', 'ge', 'eq']), [x, y]);
    return c.graph.make('select', [condition, y, x]);
  },
  (c) => {
    const x = c.node();
    const axes = range(x.type.shape.length).filter((a) => x.type.shape[a] > 0 && c.rng.uniform() < 0.5);
    return c.graph.make(c.pick(['reduce_max', 'reduce_min']), [x], { axes });
  },
  (c) => {
    const x = c.node();
    return x.type.shape.length === 0 ? undefined : c.graph.make('sort', [x], { axis: c.axis(x), descending: false });
  },
];

const barriers: readonly Production[] = [
  (c) => c.graph.make('stop', [c.node()]),
  (c) => c.graph.make('name', [c.node()], { name: `let "${c.rng.integer(0, 9)}" // ]` }),
  (c) => c.graph.make('version', [c.node()], { cell: 'Net.W', version: c.rng.integer(1, 4) }),
  (c) => c.graph.make('gradient_reversal', [c.node(), c.graph.constant(0.5, { dtype: 'f32', shape: [] })]),
  (c) => {
    const x = c.node();
    const g = c.graph.parameter('region', 'g', x.type);
    const rule = { params: [g], results: [c.graph.make('mul', [g, c.graph.make('cos', [x])])] };
    return c.graph.make('custom_gradient', [c.graph.make('sign', [x]), x], { rule });
  },
];

/** A graph of about `nodes` productions (default 30). */
export function randomGraph(seed: number, options: RandomGraphOptions = {}): RandomGraph {
  const c = new Construction(seededRng(seed));
  const types: TensorType[] = [[], [3], [2, 3], [3, 3], [2, 1, 4]].map((shape) => ({ dtype: 'f32', shape }));
  const params = types.map((type, i) => c.graph.parameter('cell', `p${i}`, type));
  const values = new Map(
    params.map((p) => [
      p,
      { type: p.type, data: Float64Array.from({ length: sizeOf(p.type.shape) }, () => c.rng.normal()) },
    ]),
  );
  c.pool.push(...params);
  const productions = [...smooth, ...(options.smooth ? [] : kinked), ...(options.barriers ? barriers : [])];
  for (let i = 0; i < (options.nodes ?? 30); i++) {
    c.graph.span = c.rng.uniform() < 0.8 ? { file: 'a "b".opt', start: i, end: i + 3 } : undefined;
    c.graph.path = c.rng.uniform() < 0.5 ? `Net/linear.${i}` : undefined;
    const made = c.pick(productions)(c);
    if (made && sizeOf(made.type.shape) > 0 && sizeOf(made.type.shape) < 200) c.pool.push(made);
  }
  const means = c.pool.map((node) => c.mean(node));
  const total = means.reduce((a, b) => c.graph.make('add', [a, b]));
  return { graph: c.graph, roots: [...c.pool.slice(-3), total], params, leaf: (p) => values.get(p) as NdArray };
}
