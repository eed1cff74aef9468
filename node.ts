/**
 * The library in Node: everything of `index.ts`, and what a page has to bring by itself: specs and data from disk, and a device on Dawn.
 *
 *   const { bundle, data } = await compileFile('digits.opt');
 *   const session = await load(bundle).start({ device: await openDevice(), data });
 */
import { compileSpec } from './cli/compile.ts';
import { describeData, describeLoads, openSpec, overridesBySource, type Opened } from './cli/spec.ts';
import type { Bundle, BundleData } from './compiler/bundle/format.ts';
import { type Diagnostic, InternalError, SaddleError } from './compiler/diagnostics/diagnostic.ts';
import type { Source } from './compiler/source/source.ts';
import { loadSource } from './runtime/data/load.ts';
import type { FieldSource } from './runtime/backend.ts';
import type { DeviceProfile } from './runtime/device/profile.ts';

export * from './index.ts';
export { openDevice } from './runtime/host/driver.ts';
export type { DeviceChoice } from './runtime/host/settings.ts';
export { loadCheckpoint, saveCheckpoint } from './runtime/checkpoint/node-store.ts';

export interface CompileFileOptions {
  /** Values of `dim` and `hyper` declarations, as `--set`. */
  readonly set?: Readonly<Record<string, number>>;
  /** Paths or named sets in place of those of `data` declarations, by name, as `--data`. */
  readonly data?: Readonly<Record<string, string>>;
  /** Files of initial values (safetensors, or a `model.json` of TensorFlow.js) by the name of the model that takes them, as `--load`. */
  readonly load?: Readonly<Record<string, string>>;
  /** Device to compile for: `(await openDevice()).profile`. Without it, the kernels keep to what every WebGPU device grants. */
  readonly profile?: DeviceProfile;
}

export interface CompiledFile {
  readonly bundle: Bundle;
  /** Loads the data sets that the spec declares; to be given to `start`. */
  readonly data: (data: BundleData) => Promise<Record<string, FieldSource>>;
  readonly warnings: readonly Diagnostic[];
  /** For `renderText`, which shows the lines a diagnostic is about. */
  readonly sources: ReadonlyMap<string, Source>;
}

/** Compiles a spec on disk. Data files are described (their headers are read), not loaded. Throws SaddleError with every diagnostic. */
export async function compileFile(file: string, options: CompileFileOptions = {}): Promise<CompiledFile> {
  const opened: Opened = new Map();
  const spec = openSpec(file, opened);
  const set = new Map(Object.entries(options.set ?? {}));
  const overrides = overridesBySource(spec, set, new Map(Object.entries(options.data ?? {})));
  const { infos, diagnostics } = await describeData(spec, overrides, true, set);
  if (diagnostics.some((d) => d.severity === 'error')) throw new SaddleError(diagnostics);
  const weights = await describeLoads(spec, new Map(Object.entries(options.load ?? {})), overrides);
  const compiled = compileSpec(spec, opened, { set, infos, stage: 'bundle', profile: options.profile, weights });
  if (!compiled.bundle) throw new InternalError('the compiler gave no bundle');
  return {
    bundle: compiled.bundle,
    data: async (d) => {
      const { fields, later } = await loadSource(d.source, d.fields, d.slice, spec.host, {
        override: overrides.get(d.source),
      });
      return Object.fromEntries([...fields, ...later]);
    },
    warnings: [...diagnostics, ...compiled.diagnostics],
    sources: opened,
  };
}
