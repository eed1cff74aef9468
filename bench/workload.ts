/**
 * The workload: one fixed batch of MNIST-sized inputs and the initial parameters of the multilayer perceptron 784-256-128-10, made from a seed.
 * Every contender gets these same numbers, so their losses after the same number of steps must agree.
 */
export const BATCH = 128;
export const SIZES = [784, 256, 128, 10] as const;
export const CLASSES = 10;

export interface Workload {
  /** Inputs, [BATCH, 784], rows one after the other. */
  readonly x: Float32Array;
  /** Classes, [BATCH]. */
  readonly y: Int32Array;
  /** Weights [in, out] and biases [out] by layer. */
  readonly layers: readonly {
    readonly W: Float32Array;
    readonly b: Float32Array;
    readonly inputs: number;
    readonly outputs: number;
  }[];
}

/** A contender: one optimizer step of the workload, Adam with rate 1e-3, betas 0.9 and 0.999, eps 1e-8. */
export interface Contender {
  readonly name: string;
  /** Runs n steps and returns when the device has finished them. */
  run(n: number): Promise<void>;
  /** Loss of the batch at the step last taken (before its update). Not counted or timed. */
  loss(): Promise<number>;
  close(): Promise<void>;
}

/** Uniform numbers in [0, 1): mulberry32. */
function generator(seed: number): () => number {
  let s = seed >>> 0;
  return () => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), s | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function makeWorkload(seed = 1): Workload {
  const next = generator(seed);
  const x = Float32Array.from({ length: BATCH * SIZES[0] }, next);
  const y = Int32Array.from({ length: BATCH }, () => Math.floor(next() * CLASSES));
  const layers = [0, 1, 2].map((l) => {
    const [inputs, outputs] = [SIZES[l], SIZES[l + 1]];
    const limit = Math.sqrt(6 / (inputs + outputs));
    const W = Float32Array.from({ length: inputs * outputs }, () => (2 * next() - 1) * limit);
    return { W, b: new Float32Array(outputs), inputs, outputs };
  });
  return { x, y, layers };
}
