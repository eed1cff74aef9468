/**
 * Sessions run bundles. This is the entry of the runtime: it knows nothing of files, terminals or drivers, and so works the same in Node, in a page,
 * and on the reference interpreter.
 *
 *   const session = await load(bundle).start({ device, data });
 *   for await (const report of session.train()) console.log(report.step, report.values);
 *   const { result } = await session.call('predict', { x });
 *   await session.dispose();
 */
import { BUNDLE_VERSION, type Bundle, type BundleData } from '../compiler/bundle/format.ts';
import { fail } from '../compiler/diagnostics/diagnostic.ts';
import { type Backend, type FieldSource, inMemory, type NumberArray } from './backend.ts';
import type { OpenDevice } from './device/device.ts';
import { createExecutor } from './device/executor.ts';
import { type Overrides, Session, checkedSeed } from './session-run.ts';
import { hyperOverrides } from './session-scalars.ts';

export type { Overrides, Report, Tensor } from './session-run.ts';
export { Session } from './session-run.ts';

/** Seed of a session that is given none. */
export const defaultSeed = 1;

export interface StartOptions extends Overrides {
  /** Where to run: an open device, or a backend already prepared for this bundle (which then stays the caller's to dispose of). */
  readonly device?: OpenDevice;
  readonly backend?: Backend;
  /** Gives the fields of a data set in the storage that the bundle states. Needed when the bundle has data. */
  readonly data?: (
    data: BundleData,
  ) => Promise<Readonly<Record<string, FieldSource>>> | Readonly<Record<string, FieldSource>>;
  /** Bytes of a checkpoint to continue from. */
  readonly resume?: Uint8Array;
}

export interface LoadedBundle {
  readonly bundle: Bundle;
  start(options: StartOptions): Promise<Session>;
}

/** Takes a bundle, as an object or as JSON text. Throws SaddleError OPT712 where it is none of this version. */
export function load(source: Bundle | string): LoadedBundle {
  const bundle = typeof source === 'string' ? parseBundle(source) : source;
  if (bundle?.format !== 'saddle-bundle') fail('OPT712', undefined, 'this is not a compiled Saddle program');
  if (bundle.version !== BUNDLE_VERSION)
    fail(
      'OPT712',
      undefined,
      `the bundle has version ${bundle.version}; this runtime reads version ${BUNDLE_VERSION}`,
      {
        hint: 'compile the source again',
      },
    );
  return { bundle, start: (options) => start(bundle, options) };
}

function parseBundle(text: string): Bundle {
  try {
    return JSON.parse(text) as Bundle;
  } catch {
    return fail('OPT712', undefined, 'this is not a compiled Saddle program (no valid JSON)');
  }
}

async function start(bundle: Bundle, options: StartOptions): Promise<Session> {
  const overrides = hyperOverrides(bundle, options.hypers ?? {});
  const { steps } = options;
  if (steps !== undefined && (!Number.isInteger(steps) || steps < 0))
    fail('OPT852', undefined, `steps must be a whole number from 0, not ${steps}`);
  const seed = checkedSeed(options.seed ?? defaultSeed);
  if (bundle.data.length > 0 && !options.data) fail('OPT711', undefined, 'the program needs data and none were given');
  if (!options.backend && !options.device) fail('OPT852', undefined, 'start needs a device or a backend');
  // Data are read while the driver compiles the kernels.
  const loading = Promise.all(bundle.data.map(async (d) => ({ d, fields: await options.data?.(d) })));
  loading.catch(() => {}); // reported where it is awaited
  const backend = options.backend ?? (await createExecutor(bundle, options.device as OpenDevice));
  const keep = bundle.entries.some((e) => e.exact);
  const kept = new Map<string, NumberArray>();
  try {
    for (const { d, fields } of await loading) {
      for (const field of d.fields) {
        const values = fields && Object.hasOwn(fields, field.name) ? fields[field.name] : undefined;
        if (!values) fail('OPT711', undefined, `data '${d.name}' lacks the field '${field.name}'`, { place: d.place });
        await backend.loadData(d.name, field.name, values);
        if (keep) kept.set(`${d.name}.${field.name}`, inMemory(`${d.name}.${field.name}`, values, "'exact'"));
      }
    }
    const session = new Session(bundle, backend, { seed, overrides, steps, owned: !options.backend, data: kept });
    await session.restart({ seed });
    if (options.resume) await session.restore(options.resume, options);
    return session;
  } catch (reason) {
    if (!options.backend) await backend.dispose();
    throw reason;
  }
}
