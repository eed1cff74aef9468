/**
 * The workloads of the benchmarks: for each the spec in `workloads/`, its dims, and the numbers that its data declaration takes, made from a seed. Every contender
 * gets these same numbers, and so does the float64 program that the parity tests compare with.
 */
export interface Tensor {
  readonly values: Float32Array | Int32Array;
  readonly shape: readonly number[];
}

/** The fields of a workload's `data given`, each without the one row that the declaration has. */
export type Given = Readonly<Record<string, Tensor>>;
export type Dims = Readonly<Record<string, number>>;

export interface Workload {
  /** File `workloads/SPEC.opt`. */
  readonly spec: string;
  /** Dims of the spec by name, as they are measured. Each must be one of the spec's. */
  readonly dims: Dims;
  /** Steps that one step of the spec's phase is counted for. */
  readonly counts?: number;
  /** The cell by which contenders are compared; where it is left off, the first report. */
  readonly check?: string;
  given(dims: Dims, draw: Draw): Given;
}

/** Where numbers come from: each call goes on in one stream. */
export interface Draw {
  /** Uniform between -limit and limit. */
  uniform(limit: number, ...shape: number[]): Tensor;
  /** Uniform between 0 and 1. */
  share(...shape: number[]): Tensor;
  /** Whole numbers from 0 to below n. */
  whole(n: number, ...shape: number[]): Tensor;
}

export const workloads: Readonly<Record<string, Workload>> = {
  mlp: {
    spec: 'mlp',
    dims: { B: 128 },
    given: ({ B }, draw) => ({ x: draw.uniform(1, B, 784), y: draw.whole(10, B), ...dense(draw, [784, 256, 128, 10]) }),
  },
  dann: {
    spec: 'dann',
    dims: { B: 64 },
    given: ({ B }, draw) => ({
      xs: draw.uniform(1, B, 256),
      ys: draw.whole(10, B),
      xt: draw.uniform(0.5, B, 256),
      ...dense(draw, [256, 128, 64], 'f'),
      ...dense(draw, [64, 10], 'l'),
      ...dense(draw, [64, 32, 1], 'd'),
    }),
  },
  cnn: {
    spec: 'cnn',
    dims: { B: 32 },
    given: ({ B }, draw) => ({
      x: draw.share(B, 28, 28, 1),
      y: draw.whole(10, B),
      K1: draw.uniform(0.2, 5, 5, 1, 16),
      c1: draw.uniform(0.05, 16),
      K2: draw.uniform(0.07, 5, 5, 16, 32),
      c2: draw.uniform(0.05, 32),
      W: draw.uniform(0.06, 1568, 10),
      b: draw.uniform(0.05, 10),
    }),
  },
  transformer: {
    spec: 'transformer',
    dims: { B: 8, T: 64, D: 128, V: 256, depth: 2, heads: 4 },
    given: transformer,
  },
  matmul256: { spec: 'matmul', check: 'C', dims: { N: 256 }, given: matmul },
  matmul1024: { spec: 'matmul', check: 'C', dims: { N: 1024 }, given: matmul },
  chain: { spec: 'chain', check: 'y', dims: { N: 4194304 }, given: ({ N }, draw) => ({ x: draw.uniform(3, N) }) },
  softmax: {
    spec: 'softmax',
    check: 'y',
    dims: { R: 2048, C: 1024 },
    given: ({ R, C }, draw) => ({ x: draw.uniform(4, R, C) }),
  },
  layernorm: {
    spec: 'layernorm',
    check: 'y',
    dims: { R: 2048, C: 1024 },
    given: ({ R, C }, draw) => ({ x: draw.share(R, C), scale: draw.share(C), shift: draw.uniform(1, C) }),
  },
  hvp: {
    spec: 'hvp',
    check: 'hW1',
    dims: { B: 256 },
    given: ({ B }, draw) => ({
      x: draw.uniform(1, B, 64),
      y: draw.uniform(1, B),
      ...dense(draw, [64, 64, 1]),
      ...dense(draw, [64, 64, 1], 'v'),
    }),
  },
  adam10m: {
    spec: 'adam10m',
    check: 'P',
    dims: { L: 40, N: 500 },
    given: ({ L, N }, draw) => ({ p: draw.uniform(0.1, L, N, N), g: draw.uniform(1, L, N, N) }),
  },
  rosenbrock: {
    spec: 'rosenbrock',
    check: 'x',
    dims: { inner: 1000 },
    counts: 1000,
    given: () => ({ x: { values: Float32Array.of(-1.2, 1), shape: [2] } }),
  },
  auglag: {
    spec: 'auglag',
    check: 'x',
    dims: { M: 5, N: 20 },
    given: ({ M, N }, draw) => ({ A: draw.uniform(1, M, N), b: draw.uniform(1, M) }),
  },
  ortho: {
    spec: 'ortho',
    dims: { B: 128 },
    given: ({ B }, draw) => ({
      x: draw.uniform(1, 2, B, 784),
      y: draw.whole(10, 2, B),
      ...dense(draw, [784, 256, 128, 10]),
    }),
  },
};

/** What the workload is given, with some of its dims changed. Throws an Error for a dim that it does not have. */
export function givenOf(workload: Workload, changed: Dims = {}, seed = 1): Given {
  const unknown = Object.keys(changed).find((name) => !(name in workload.dims));
  if (unknown) throw new Error(`the workload ${workload.spec} has no dim ${unknown}`);
  return workload.given({ ...workload.dims, ...changed }, drawing(seed));
}

function drawing(seed: number): Draw {
  const next = generator(seed);
  const length = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
  const floats = (shape: readonly number[], of: (u: number) => number): Tensor => ({
    values: Float32Array.from({ length: length(shape) }, () => of(next())),
    shape,
  });
  return {
    uniform: (limit, ...shape) => floats(shape, (u) => (2 * u - 1) * limit),
    share: (...shape) => floats(shape, (u) => u),
    whole: (n, ...shape) => ({
      values: Int32Array.from({ length: length(shape) }, () => Math.floor(next() * n)),
      shape,
    }),
  };
}

/** Weights [in, out] by Glorot's limit and biases of consecutive layers, `W1`, `b1`, `W2`, … with a prefix. Biases are not zero, so that a wrong one shows. */
function dense(draw: Draw, sizes: readonly number[], prefix = ''): Given {
  const result: Record<string, Tensor> = {};
  for (let l = 0; l + 1 < sizes.length; l++) {
    const [inputs, outputs] = [sizes[l], sizes[l + 1]];
    result[`${prefix}W${l + 1}`] = draw.uniform(Math.sqrt(6 / (inputs + outputs)), inputs, outputs);
    result[`${prefix}b${l + 1}`] = draw.uniform(0.05, outputs);
  }
  return result;
}

/** A keeps the size of what it multiplies: its entries have the variance 1 / N. */
function matmul({ N }: Dims, draw: Draw): Given {
  return { A: draw.uniform(Math.sqrt(3 / N), N, N), C: draw.uniform(1, N, N) };
}

function transformer({ B, T, D, V, depth }: Dims, draw: Draw): Given {
  const square = () => draw.uniform(Math.sqrt(3 / D), depth, D, D);
  const shift = (size = D) => draw.uniform(0.05, depth, size);
  /** Scales of a norm, near 1. */
  const scale = (...shape: number[]): Tensor => {
    const { values } = draw.uniform(0.2, ...shape);
    return { values: Float32Array.from(values, (v) => 1 + v), shape };
  };
  return {
    tokens: draw.whole(V, B, T + 1),
    E: draw.uniform(1, V, D),
    P: draw.uniform(0.5, T, D),
    n1: scale(depth, D),
    s1: shift(),
    Wq: square(),
    bq: shift(),
    Wk: square(),
    Wv: square(),
    bv: shift(),
    Wo: square(),
    bo: shift(),
    n2: scale(depth, D),
    s2: shift(),
    W1: draw.uniform(Math.sqrt(1 / D), depth, D, 4 * D),
    b1: shift(4 * D),
    W2: draw.uniform(Math.sqrt(1 / D), depth, 4 * D, D),
    b2: shift(),
    nf: scale(D),
    sf: draw.uniform(0.05, D),
    Wh: draw.uniform(Math.sqrt(3 / D), D, V),
    bh: draw.uniform(0.05, V),
  };
}

/** Uniform numbers in [0, 1): mulberry32. */
export function generator(seed: number): () => number {
  let s = seed >>> 0;
  return () => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), s | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
