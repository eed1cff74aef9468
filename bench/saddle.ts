/**
 * Saddle as a contender: `mlp.opt` compiled here and run by the session API, on its own device of the common adapter. The batch and the initial
 * parameters of the workload take the place of the spec's data file and draws.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { DataInfo } from '../compiler/bundle/format.ts';
import { SaddleError } from '../compiler/diagnostics/diagnostic.ts';
import { compile } from '../compiler/pipeline.ts';
import { Source } from '../compiler/source/source.ts';
import { openAdapter } from '../runtime/device/device.ts';
import { defaultLimitMs, waitWithin } from '../runtime/host/wait.ts';
import { load, type Session } from '../runtime/session.ts';
import { BATCH, SIZES, type Contender, type Workload } from './workload.ts';

const here = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** Compiles and starts Saddle on an adapter. `keep` holds what must outlive the device. */
export async function open(workload: Workload, adapter: GPUAdapter, keep: readonly unknown[]): Promise<Contender> {
  const device = await openAdapter(adapter, keep, waitWithin(defaultLimitMs));
  const batch: DataInfo = {
    rows: BATCH,
    fields: [
      { name: 'x', dtype: 'f32', shape: [SIZES[0]], storage: 'f32', scale: 1 },
      { name: 'y', dtype: 'i32', shape: [], storage: 'i32', scale: 1 },
    ],
  };
  const compiled = compile(new Source('mlp.opt', readFileSync(here('mlp.opt'), 'utf8')), {
    readImport: (module) => new Source(`${module}.opt`, readFileSync(here(`../stdlib/${module}.opt`), 'utf8')),
    dataInfo: () => batch,
    set: new Map(),
    profile: device.profile,
  });
  if (!compiled.ok) throw new SaddleError(compiled.diagnostics);
  if (!compiled.value.bundle) throw new Error('no bundle');
  const session = await load(compiled.value.bundle).start({ device, data: () => ({ x: workload.x, y: workload.y }) });
  await setParameters(session, workload);
  let last = NaN;
  return {
    name: 'Saddle',
    async run(n) {
      for await (const report of session.train({ steps: n })) last = report.values.loss;
    },
    loss: async () => last,
    async close() {
      await session.dispose();
      device.close();
    },
  };
}

/** Puts the workload's weights and biases where the model's are: each is recognized by its shape, which no two share. */
async function setParameters(session: Session, workload: Workload): Promise<void> {
  await session.train({ steps: 0 }).next(); // Draws the initial values, which are then replaced.
  const cells = await session.get('Net');
  const values: Record<string, Float32Array> = {};
  for (const [id, tensor] of Object.entries(cells)) {
    const [a, b] = tensor.type.shape;
    const layer = workload.layers.find((l) => (b === undefined ? l.outputs === a : l.inputs === a && l.outputs === b));
    if (!layer) throw new Error(`no parameters for ${id}`);
    values[id] = b === undefined ? layer.b : layer.W;
  }
  await session.set('Net', values);
}
