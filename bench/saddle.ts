/** Saddle as a contender: a spec of `workloads/` compiled here and run by the session API, on its own device of the common adapter. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { DataInfo } from '../compiler/bundle/format.ts';
import { SaddleError } from '../compiler/diagnostics/diagnostic.ts';
import { compile } from '../compiler/pipeline.ts';
import { Source } from '../compiler/source/source.ts';
import { openAdapter } from '../runtime/device/device.ts';
import { defaultLimitMs, waitWithin } from '../runtime/host/wait.ts';
import { load } from '../runtime/session.ts';
import type { Contender } from './contender.ts';
import type { Dims, Given, Workload } from './workload.ts';

const read = (relative: string) => readFileSync(fileURLToPath(new URL(relative, import.meta.url)), 'utf8');

/** Compiles and starts Saddle on an adapter. `keep` holds what must outlive the device. */
export async function open(
  workload: Workload,
  given: Given,
  dims: Dims,
  adapter: GPUAdapter,
  keep: readonly unknown[],
): Promise<Contender> {
  const device = await openAdapter(adapter, keep, waitWithin(defaultLimitMs));
  const compiled = compile(new Source(`${workload.spec}.opt`, read(`workloads/${workload.spec}.opt`)), {
    readImport: (module) => new Source(`${module}.opt`, read(`../stdlib/${module}.opt`)),
    dataInfo: () => infoOf(given),
    set: new Map(Object.entries(dims).map(([name, value]) => [name, value])),
    profile: device.profile,
  });
  if (!compiled.ok) throw new SaddleError(compiled.diagnostics);
  if (!compiled.value.bundle) throw new Error('no bundle');
  const fields = Object.fromEntries(Object.entries(given).map(([name, { values }]) => [name, values]));
  const session = await load(compiled.value.bundle).start({
    device,
    data: () => fields,
    steps: Number.MAX_SAFE_INTEGER,
  });
  /** The first report of the last step. */
  let reported: readonly number[] = [];
  return {
    name: 'Saddle',
    async run(n) {
      for await (const report of session.train({ steps: n })) reported = Object.values(report.values).slice(0, 1);
    },
    async check() {
      if (!workload.check) return reported;
      const found = Object.values(await session.get(workload.check));
      return found[0].values;
    },
    async close() {
      await session.dispose();
      device.close();
    },
  };
}

/** The data declaration's one row. */
function infoOf(given: Given): DataInfo {
  const fields = Object.entries(given).map(([name, { values, shape }]) => {
    const dtype = values instanceof Float32Array ? ('f32' as const) : ('i32' as const);
    return { name, dtype, shape, storage: dtype, scale: 1 };
  });
  return { rows: 1, fields };
}
