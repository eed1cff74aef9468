/** The program of `saddle doctor`'s checked computation, as a bundle: `add` gives the sums of two vectors of length n. */
import type { Bundle } from '../../compiler/bundle/format.ts';

export function addition(n: number): Bundle {
  const type = { dtype: 'f32', shape: [n] } as const;
  const buffer = (id: string) => ({ id, role: 'inputs', bytes: 4 * n }) as const;
  const bind = (id: string) => ({ buffer: id, slot: false });
  return {
    format: 'saddle-bundle',
    version: 2,
    name: 'doctor',
    hypers: [],
    data: [],
    buffers: [buffer('a'), buffer('b'), buffer('sum')],
    cells: [],
    kernels: [
      {
        id: 'add',
        label: 'add',
        wgsl: `
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> sum: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < ${n}u) { sum[id.x] = a[id.x] + b[id.x]; }
}`,
        bindings: ['read', 'read', 'read_write'],
        workgroup: [64, 1, 1],
        features: [],
        places: [],
      },
    ],
    entries: [
      {
        id: 'add',
        commands: [
          { kind: 'dispatch', kernel: 'add', groups: [Math.ceil(n / 64), 1, 1], bindings: ['a', 'b', 'sum'].map(bind) },
        ],
        host: { instructions: [] },
        params: [],
        outputs: [],
        hostOutputs: [],
        inputs: [
          { name: 'a', type, buffer: 'a', offset: 0 },
          { name: 'b', type, buffer: 'b', offset: 0 },
        ],
        results: [{ name: 'sum', type, buffer: 'sum', offset: 0 }],
        faults: [],
        cost: { flops: n, bytes: 12 * n },
      },
    ],
    schedule: [],
    runs: [],
    models: [],
    exports: [{ name: 'add', entry: 'add' }],
    claims: [],
    memory: { total: 12 * n, temps: {} },
  };
}
