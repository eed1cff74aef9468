/**
 * The library: compile a `.opt` source to a bundle, load it, and run it in a session. Free of Node and of the DOM; a host supplies the device
 * (`openPageDevice(navigator.gpu)` in a page; `openAdapter` for any WebGPU adapter) and the data.
 */
export { compile, type Compiled, type CompileOptions } from './compiler/pipeline.ts';
export { Source, type Span } from './compiler/source/source.ts';
export { type Diagnostic, SaddleError, type Result } from './compiler/diagnostics/diagnostic.ts';
export { renderAll, renderJson, renderText } from './compiler/diagnostics/render.ts';
export type { Bundle } from './compiler/bundle/format.ts';
export type { Backend, DeviceInfo, FieldSource, NumberArray, RowSource } from './runtime/backend.ts';
export { type OpenDevice, openAdapter } from './runtime/device/device.ts';
export { openPageDevice } from './runtime/host/browser.ts';
export { type DeviceProfile, defaultProfile, profileOf } from './runtime/device/profile.ts';
export { type ClaimResult, decideClaims, seedsOf } from './runtime/report/claims.ts';
export type { Results, RunResult, RunStatus, Series } from './runtime/session-results.ts';
export { runSeeds, type SeedReport } from './runtime/session-seeds.ts';
export {
  type LoadedBundle,
  type Report,
  type Session,
  type StartOptions,
  type Tensor,
  load,
} from './runtime/session.ts';
