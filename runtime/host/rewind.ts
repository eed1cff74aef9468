/**
 * Takes back what was written to standard error where it is a plain file: cuts the file and moves the place of writing back. That place is shared with
 * the processes that write there before and after this one, so the file cannot be opened a second time, and Node has no call to move it; WASI has.
 */
import { fstatSync, ftruncateSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** Where descriptor 2 stands, or undefined where it is no plain file that is written at its end. Linux only. */
export function placeInFile(): number | undefined {
  const stat = fstatSync(2);
  const at = Number(/^pos:\s*(\d+)$/m.exec(readFileSync('/proc/self/fdinfo/2', 'utf8'))?.[1]);
  return stat.isFile() && stat.size === at ? at : undefined;
}

/** Cuts off what was written behind `place` and returns it; undefined where that could not be done, and it stays. */
export function takeBack(place: number): string | undefined {
  const end = placeInFile();
  if (end === undefined || end < place) return undefined;
  if (end === place) return '';
  const text = readFileSync('/proc/self/fd/2').subarray(place, end).toString();
  if (!seek(place)) return undefined;
  ftruncateSync(2, place);
  return text;
}

const text = (s: string): number[] => [s.length, ...Buffer.from(s)];
const section = (id: number, bytes: readonly number[]): number[] => [id, bytes.length, ...bytes];

const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
/** A module with one function: from an offset (i64) to the result of `fd_seek(2, offset, from the start)`. */
const seeker = [
  ...header,
  ...section(1, [2, 0x60, 4, 0x7f, 0x7e, 0x7f, 0x7f, 1, 0x7f, 0x60, 1, 0x7e, 1, 0x7f]),
  ...section(2, [1, ...text('wasi_snapshot_preview1'), ...text('fd_seek'), 0, 0]),
  ...section(3, [1, 1]),
  ...section(5, [1, 0, 1]),
  ...section(7, [2, ...text('memory'), 2, 0, ...text('seek'), 0, 1]),
  ...section(10, [1, 12, 0, 0x41, 2, 0x20, 0, 0x41, 0, 0x41, 0, 0x10, 0, 0x0b]),
];

/** The little of WebAssembly that is used here; its types belong to pages. */
interface Wasm {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: Record<string, unknown> };
}

function seek(place: number): boolean {
  const { Module, Instance } = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly;
  const { emitWarning } = process;
  try {
    // Node calls WASI an experiment, on standard error.
    process.emitWarning = () => undefined;
    const { WASI } = createRequire(import.meta.url)('node:wasi') as typeof import('node:wasi');
    const wasi = new WASI({ version: 'preview1' });
    const instance = new Instance(new Module(Uint8Array.from(seeker)), wasi.getImportObject());
    wasi.initialize(instance);
    return (instance.exports.seek as (offset: bigint) => number)(BigInt(place)) === 0;
  } catch {
    return false;
  } finally {
    process.emitWarning = emitWarning;
  }
}
