/**
 * A bundle of two runs and a backend that computes it in plain arithmetic, so that the command line's loop is tested without compiler and device: a
 * step sets w <- 0.9 w + (seed + step) and reports it; the eval reports w / 2 every four updates and at the end.
 */
import type { Bundle, BundleEntry, BundlePhase } from '../../../compiler/bundle/format.ts';
import type { Backend, NumberArray } from '../../../runtime/backend.ts';

const host = { instructions: [] };
const base = {
  commands: [],
  host,
  params: [],
  hostOutputs: [],
  inputs: [],
  results: [],
  faults: [],
  cost: { flops: 0, bytes: 0 },
};
const entry = (id: string, kind: 'report' | 'metric', name: string): BundleEntry => ({
  ...base,
  id,
  outputs: [{ name, kind, word: 0, dtype: 'f32' }],
});
const phase = (run: string, steps: number): BundlePhase => ({
  kind: 'train',
  name: 'fit',
  run,
  steps,
  entry: `${run}/step`,
  evals: [{ entry: `${run}/eval`, times: { at: [], every: 4, end: true } }],
});

export function countingBundle(steps = 10): Bundle {
  const runs = ['a', 'b'];
  return {
    format: 'saddle-bundle',
    version: 2,
    name: 'counting',
    hypers: [],
    data: [],
    buffers: [{ id: 'cells', role: 'cells', bytes: 8 }],
    cells: runs.map((run, i) => ({
      id: `${run}/w`,
      type: { dtype: 'f32', shape: [] },
      kind: 'var',
      run,
      buffer: 'cells',
      offset: 4 * i,
    })),
    kernels: [],
    entries: runs.flatMap((run) => [entry(`${run}/step`, 'report', 'w'), entry(`${run}/eval`, 'metric', 'half')]),
    schedule: runs.map((run) => phase(run, steps)),
    runs: runs.map((name) => ({ name, mayFail: false })),
    models: [],
    exports: [],
    claims: [],
    memory: { total: 8, temps: {} },
  };
}

/** A backend over `countingBundle`. `onSubmit` sees each submission, `failAt` makes w not finite at that step of run a. */
export function countingBackend(
  onSubmit: (entry: string, step: number) => void = () => {},
  failAt = Infinity,
): Backend {
  const cells = new Map<string, number>([
    ['a/w', 0],
    ['b/w', 0],
  ]);
  const stats = { dispatches: 0, submits: 0, executions: 0 };
  return {
    info: { class: 'reference', name: 'counting', vendor: '', driver: '', backend: 'test' },
    stats,
    bytes: { live: 8, peak: 8 },
    loadData: async () => {},
    capacity: () => 3,
    submit: async (id, steps) => {
      await new Promise((done) => setTimeout(done, 1));
      stats.submits++;
      const [run, what] = id.split('/');
      return steps.map((s) => {
        onSubmit(id, s.step);
        stats.executions++;
        const w = cells.get(`${run}/w`) ?? 0;
        if (what === 'eval') return { values: new Map([['half', w / 2]]), objectives: new Map() };
        const next = run === 'a' && s.step === failAt ? NaN : Math.fround(0.9 * w + s.seed + s.step);
        cells.set(`${run}/w`, next);
        return { values: new Map([['w', next]]), objectives: new Map() };
      });
    },
    call: async () => ({}),
    readCells: async (ids) => new Map(ids.map((id) => [id, Float32Array.of(cells.get(id) ?? 0)])),
    writeCells: async (values: ReadonlyMap<string, NumberArray>) => {
      for (const [id, v] of values) cells.set(id, v[0]);
    },
    reset: async () => {
      for (const id of cells.keys()) cells.set(id, 0);
    },
    dispose: async () => {},
  } as Backend;
}
