/**
 * A bundle written by hand, so that the runtime is tested without the compiler: linear regression y = w0 * x0 + w1 * x1 by gradient descent on eight
 * rows, with parameters, reports, a metric, an export, an `until` condition and a run-time check. `tinyReference` is the same in plain arithmetic.
 */
import type { Bundle, BundleEntry, BundleKernel, BundlePhase, Command } from '../../../compiler/bundle/format.ts';
import type { HostInstruction } from '../../../compiler/bundle/host-program.ts';

export const rows = 8;
export const x = Float32Array.from({ length: rows * 2 }, (_, i) => ((i * 7) % 5) / 5 - 0.3);
export const y = Float32Array.from({ length: rows }, (_, i) => 2 * x[2 * i] - x[2 * i + 1]);
/** Weights of the rows, as bytes: every row counts once but the last, which counts twice. */
export const weight = Uint8Array.from({ length: rows }, (_, i) => (i === rows - 1 ? 2 : 1));

const head = '@group(0) @binding';
const main = '@compute @workgroup_size(1) fn main()';

function kernel(id: string, bindings: BundleKernel['bindings'], wgsl: string): BundleKernel {
  return { id, label: id, wgsl, bindings, workgroup: [1, 1, 1], features: [], places: [] };
}

const kernels: BundleKernel[] = [
  kernel(
    'init',
    ['read_write', 'read'],
    `${head}(0) var<storage, read_write> cells: array<f32>;
     ${head}(1) var<storage, read> params: array<u32>;
     ${main} { cells[0] = f32(params[0]) * 0.01; cells[1] = 0.0; cells[64] = 0.0; }`,
  ),
  kernel(
    'gradient',
    ['read', 'read', 'read', 'read', 'read_write', 'read_write'],
    `${head}(0) var<storage, read> cells: array<f32>;
     ${head}(1) var<storage, read> x: array<f32>;
     ${head}(2) var<storage, read> y: array<f32>;
     ${head}(3) var<storage, read> weight: array<u32>;
     ${head}(4) var<storage, read_write> temps: array<f32>;
     ${head}(5) var<storage, read_write> report: array<f32>;
     ${main} {
       var loss = 0.0; var g0 = 0.0; var g1 = 0.0;
       for (var i = 0u; i < ${rows}u; i++) {
         let m = f32((weight[i / 4u] >> (8u * (i % 4u))) & 255u);
         let e = cells[0] * x[2u * i] + cells[1] * x[2u * i + 1u] - y[i];
         loss += m * e * e; g0 += 2.0 * m * e * x[2u * i]; g1 += 2.0 * m * e * x[2u * i + 1u];
       }
       report[0] = loss; report[1] = loss; temps[0] = g0; temps[1] = g1;
     }`,
  ),
  kernel(
    'update',
    ['read_write', 'read', 'read', 'read_write'],
    `${head}(0) var<storage, read_write> cells: array<f32>;
     ${head}(1) var<storage, read> temps: array<f32>;
     ${head}(2) var<storage, read> params: array<f32>;
     ${head}(3) var<storage, read_write> faults: array<u32>;
     ${main} {
       cells[0] = cells[0] - params[0] * temps[0]; cells[1] = cells[1] - params[0] * temps[1]; cells[64] = cells[64] + 1.0;
       if (params[1] > 0.0 && cells[64] > params[1]) { faults[0] = 2u; faults[2] = 12u; }
     }`,
  ),
  kernel(
    'measure',
    ['read', 'read_write'],
    `${head}(0) var<storage, read> cells: array<f32>;
     ${head}(1) var<storage, read_write> report: array<f32>;
     ${main} { report[0] = abs(cells[0] - 2.0) + abs(cells[1] + 1.0); }`,
  ),
  kernel(
    'close-enough',
    ['read', 'read_write'],
    `${head}(0) var<storage, read> cells: array<f32>;
     ${head}(1) var<storage, read_write> report: array<u32>;
     ${main} { report[0] = select(0u, 1u, abs(cells[0] - 2.0) + abs(cells[1] + 1.0) < 0.5); }`,
  ),
  kernel(
    'predict',
    ['read', 'read_write'],
    `${head}(0) var<storage, read> cells: array<f32>;
     ${head}(1) var<storage, read_write> io: array<f32>;
     ${main} { io[4] = cells[0] * io[0] + cells[1] * io[1]; }`,
  ),
];

const scalar = (name: string, dtype: 'u32' | 'i32' | 'f32'): HostInstruction => ({
  op: 'scalar',
  inputs: [],
  attrs: { name },
  dtype,
  inputDtypes: [],
});

const dispatch = (kernel: string, ...bindings: string[]): Command => ({
  kind: 'dispatch',
  kernel,
  groups: [1, 1, 1],
  bindings: bindings.map((buffer) => ({ buffer, slot: buffer === 'params' || buffer === 'reports' })),
});

function entry(id: string, parts: Partial<BundleEntry>): BundleEntry {
  return {
    id,
    commands: [],
    host: { instructions: [] },
    params: [],
    outputs: [],
    hostOutputs: [],
    inputs: [],
    results: [],
    faults: [],
    cost: { flops: 100, bytes: 100 },
    ...parts,
  };
}

const place = { file: 'tiny.opt', line: 7, column: 3, text: '  update w by sgd(lr) minimizing loss' };

const entries = (run: string): BundleEntry[] => {
  const cells = `cells${run}`;
  return [
    entry(`init${run}`, {
      commands: [dispatch('init', cells, 'params')],
      host: { instructions: [scalar('seed', 'u32')] },
      params: [{ word: 0, dtype: 'u32', value: 0, component: 0 }],
    }),
    entry(`step${run}`, {
      commands: [
        dispatch('gradient', cells, 'x', 'y', 'weight', 'temps', 'reports'),
        // Copies end a compute pass, within one buffer too: gradients go once round.
        { kind: 'copy', from: 'temps', fromOffset: 0, to: 'temps', toOffset: 256, bytes: 8 },
        { kind: 'copy', from: 'temps', fromOffset: 256, to: 'spare', toOffset: 0, bytes: 8 },
        dispatch('update', cells, 'spare', 'params', 'faults'),
      ],
      host: { instructions: [scalar('hyper:lr', 'f32'), scalar('hyper:limit', 'f32'), scalar('step', 'i32')] },
      params: [
        { word: 0, dtype: 'f32', value: 0, component: 0 },
        { word: 1, dtype: 'f32', value: 1, component: 0 },
      ],
      outputs: [
        { name: 'loss', kind: 'report', word: 0, dtype: 'f32', place },
        { name: 'loss', kind: 'objective', word: 1, dtype: 'f32', place },
      ],
      hostOutputs: [{ at: 2, name: 'lr', kind: 'report', value: 0, dtype: 'f32' }],
      faults: [
        { message: 'never' },
        { message: 'index {index} is out of range: the axis has 10 elements', place: { ...place, line: 9 } },
      ],
    }),
    entry(`measure${run}`, {
      commands: [dispatch('measure', cells, 'reports')],
      outputs: [{ name: 'error', kind: 'metric', word: 0, dtype: 'f32', place }],
    }),
    entry(`until${run}`, {
      commands: [dispatch('close-enough', cells, 'reports')],
      outputs: [{ name: 'until', kind: 'report', word: 0, dtype: 'bool', place }],
    }),
    entry(`predict${run}`, {
      commands: [dispatch('predict', cells, 'io')],
      inputs: [{ name: 'x', type: { dtype: 'f32', shape: [2] }, buffer: 'io', offset: 0 }],
      results: [{ name: 'y', type: { dtype: 'f32', shape: [] }, buffer: 'io', offset: 16 }],
    }),
  ];
};

export interface TinyOptions {
  readonly steps?: number;
  readonly until?: boolean;
  readonly evalEvery?: number;
  readonly evalAt?: readonly number[];
  /** Names of runs; '' alone is a file without trials. */
  readonly runs?: readonly { readonly name: string; readonly mayFail?: boolean; readonly seed?: number }[];
  readonly lr?: number;
}

const constant = (value: number): HostInstruction => ({
  op: 'constant',
  inputs: [],
  attrs: { value },
  dtype: 'f32',
  inputDtypes: [],
});

/** The bundle; `lr` halves over the run by way of `progress`, so that a wrong step count shows in the numbers. */
export function tinyBundle(options: TinyOptions = {}): Bundle {
  const runs = options.runs ?? [{ name: '' }];
  const buffer = (id: string, role: Bundle['buffers'][number]['role'], bytes: number) => ({ id, role, bytes });
  const binary = (op: string, a: number, b: number): HostInstruction => ({
    op,
    inputs: [a, b],
    attrs: {},
    dtype: 'f32',
    inputDtypes: ['f32', 'f32'],
  });
  return {
    format: 'saddle-bundle',
    version: 2,
    name: 'tiny',
    hypers: [
      {
        name: 'lr',
        // lr * (1 - progress / 2)
        program: {
          instructions: [
            constant(options.lr ?? 0.05),
            constant(1),
            constant(0.5),
            scalar('progress', 'f32'),
            binary('mul', 2, 3),
            binary('sub', 1, 4),
            binary('mul', 0, 5),
          ],
        },
      },
      { name: 'limit', program: { instructions: [constant(0)] } },
    ],
    data: [
      {
        name: 'd',
        source: 'd.npz',
        rows,
        fields: [
          { name: 'x', type: { dtype: 'f32', shape: [rows, 2] }, storage: 'f32', scale: 1, buffer: 'x' },
          { name: 'y', type: { dtype: 'f32', shape: [rows] }, storage: 'f32', scale: 1, buffer: 'y' },
          { name: 'weight', type: { dtype: 'f32', shape: [rows] }, storage: 'u8', scale: 1, buffer: 'weight' },
        ],
      },
    ],
    buffers: [
      ...runs.map((r) => buffer(`cells${r.name}`, 'cells', 512)),
      buffer('temps', 'temps', 512),
      buffer('spare', 'temps', 256),
      buffer('x', 'data', rows * 8),
      buffer('y', 'data', rows * 4),
      buffer('weight', 'data', rows),
      buffer('params', 'params', 256),
      buffer('reports', 'reports', 256),
      buffer('faults', 'faults', 16),
      buffer('io', 'inputs', 32),
    ],
    cells: runs.flatMap(({ name }) => [
      {
        id: `${name}/w`,
        type: { dtype: 'f32', shape: [2] },
        kind: 'param',
        run: name,
        buffer: `cells${name}`,
        offset: 0,
      },
      {
        id: `${name}/n`,
        type: { dtype: 'f32', shape: [] },
        kind: 'state',
        run: name,
        buffer: `cells${name}`,
        offset: 256,
      },
    ]),
    kernels,
    entries: runs.flatMap((r) => entries(r.name)),
    schedule: runs.flatMap(({ name }): BundlePhase[] => [
      { kind: 'once', name: 'init', run: name, entry: `init${name}` },
      {
        kind: 'train',
        name: 'main',
        run: name,
        steps: options.steps ?? 100,
        entry: `step${name}`,
        until: options.until ? `until${name}` : undefined,
        evals: [
          {
            entry: `measure${name}`,
            times: { at: options.evalAt ?? [], every: options.evalEvery, end: true },
          },
        ],
      },
    ]),
    runs: runs.map((r) => ({ name: r.name, mayFail: r.mayFail ?? false, seed: r.seed })),
    models: runs.map(({ name }) => ({ name: name ? `${name}.Line` : 'Line', run: name, cells: [`${name}/w`] })),
    exports: [{ name: 'predict', entry: `predict${runs[0].name}` }],
    claims: [],
    memory: { total: 2048, temps: {} },
  };
}

/** Fields for `start`. */
export const tinyData = (): Record<string, Float32Array | Uint8Array> => ({ x, y, weight });

/** Losses and weights of the same training in float64. */
export function tinyReference(steps: number, seed: number, lr = 0.05): { losses: number[]; w: [number, number] } {
  const w: [number, number] = [seed * 0.01, 0];
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    let loss = 0;
    const g = [0, 0];
    for (let i = 0; i < rows; i++) {
      const e = w[0] * x[2 * i] + w[1] * x[2 * i + 1] - y[i];
      loss += weight[i] * e * e;
      g[0] += 2 * weight[i] * e * x[2 * i];
      g[1] += 2 * weight[i] * e * x[2 * i + 1];
    }
    losses.push(loss);
    const rate = lr * (1 - step / steps / 2);
    w[0] -= rate * g[0];
    w[1] -= rate * g[1];
  }
  return { losses, w };
}
