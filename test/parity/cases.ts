/** What is compared: specs with the files they read, and on which devices. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Dims, workloads } from '../../bench/workload.ts';

export interface Case {
  /** Name of the files in the folder of a run: NAME.npz, NAME.expected.npz. */
  readonly name: string;
  /** Path of the .opt file. */
  readonly spec: string;
  /** Steps of every phase. */
  readonly steps: number;
  /** Files of the folder by data declaration, without `.npz`. */
  readonly data: Readonly<Record<string, string>>;
  /** Values of dims. */
  readonly set: Dims;
  readonly devices: readonly DeviceName[];
  /** A narrower limit for the reports of the first steps on the adapter. */
  readonly first?: { readonly steps: number; readonly reports: number };
  /** Set for the workloads of the benchmarks: which. */
  readonly workload?: string;
}

/** The adapter in float32, whose trajectory may stray by 1e-4, and the float64 interpreter, which computes what JAX does and may differ by rounding alone. */
export const limits = { reference: 1e-9, auto: 1e-4 } as const;
export type DeviceName = keyof typeof limits;

/** Steps of the twins. */
export const STEPS = 20;

const folderOf = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

function twin(name: string, declaration: string): Case {
  return {
    name,
    spec: folderOf(`${name}.opt`),
    steps: STEPS,
    data: { init: `init-${name}`, [declaration]: name },
    set: {},
    devices: ['reference', 'auto'],
  };
}

/** A workload at its size on the adapter, and with some dims made smaller on the interpreter. */
function workload(name: string, steps: number, small: { steps: number; set: Dims }): readonly Case[] {
  const of = (suffix: string, device: DeviceName, taken: { steps: number; set: Dims }): Case => ({
    name: `bench-${name}${suffix}`,
    spec: path.join(folderOf('../../bench/workloads'), `${workloads[name].spec}.opt`),
    data: { given: `bench-${name}${suffix}` },
    devices: [device],
    workload: name,
    ...taken,
  });
  const full = of('', 'auto', { steps, set: workloads[name].dims });
  return [
    name === 'mlp' ? { ...full, first: { steps: 3, reports: 1e-6 } } : full,
    of('-small', 'reference', { steps: small.steps, set: { ...workloads[name].dims, ...small.set } }),
  ];
}

export const cases: readonly Case[] = [
  twin('digits', 'train'),
  twin('dann', 'pair'),
  twin('rules', 'train'),
  twin('optax', 'train'),
  ...workload('mlp', 20, { steps: 3, set: { B: 32 } }),
  ...workload('dann', 20, { steps: 5, set: {} }),
  ...workload('cnn', 20, { steps: 2, set: { B: 4 } }),
  ...workload('transformer', 10, { steps: 3, set: { B: 2, T: 12, D: 32, V: 32 } }),
  ...workload('matmul256', 20, { steps: 3, set: { N: 96 } }),
  ...workload('matmul1024', 2, { steps: 3, set: { N: 64 } }),
  ...workload('chain', 1, { steps: 1, set: { N: 65536 } }),
  ...workload('softmax', 1, { steps: 1, set: { R: 64 } }),
  ...workload('layernorm', 1, { steps: 1, set: { R: 64 } }),
  ...workload('hvp', 1, { steps: 1, set: {} }),
  ...workload('adam10m', 3, { steps: 5, set: { L: 3, N: 100 } }),
  ...workload('rosenbrock', 3, { steps: 3, set: {} }),
  ...workload('auglag', 20, { steps: 20, set: {} }),
  // In step 7 a unit crosses ReLU's kink; JAX in float32 then strays by 3e-4 too.
  ...workload('ortho', 5, { steps: 2, set: { B: 32 } }),
];
