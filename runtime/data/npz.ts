/** npz: a zip archive of npy arrays (numpy.savez, numpy.savez_compressed). Each array is a field; all share their first axis. */
import { zipSync, type Zippable } from 'fflate';
import type { ByteSource } from './files.ts';
import { readNpyHeader, npyArray, NPY_START, writeNpy } from './npy.ts';
import { damaged, quote, unsupported } from './refusals.ts';
import type { Numbers, RawArray, RawTable } from './table.ts';
import { openZip } from './zip.ts';

/** Opens an npz file: reads its directory and the header of each array. Throws OPT605 to OPT607, OPT612. */
export async function openNpz(file: ByteSource): Promise<RawTable> {
  const arrays: RawArray[] = [];
  for (const entry of await openZip(file)) {
    if (!entry.name.endsWith('.npy'))
      unsupported(
        file.name,
        `the entry ${quote(entry.name)}`,
        'an npz file holds npy arrays only: write it with numpy.savez',
      );
    const name = entry.name.slice(0, -'.npy'.length);
    if (arrays.some((a) => a.name === name)) damaged(file.name, 'one array of each name', `two named ${quote(name)}`);
    const what = `${file.name} (${name.slice(0, 80)})`;
    const header = readNpyHeader(what, await entry.readStart(Math.min(entry.size, NPY_START)));
    if (entry.size !== header.offset + header.bytes)
      damaged(what, `${header.offset + header.bytes} bytes for ${header.shape.join(' x ')} elements`, `${entry.size}`);
    let content: Promise<Uint8Array> | undefined;
    arrays.push(
      npyArray(what, name, header, async (offset, length) => {
        content ??= entry.read();
        return (await content).subarray(offset, offset + length);
      }),
    );
  }
  if (arrays.length === 0) damaged(file.name, 'at least one array', 'an empty archive');
  return { file: file.name, rows: arrays[0].shape[0], arrays, anonymous: false };
}

/** An npz file, stored or deflated; deterministic for the same input. */
export function writeNpz(
  arrays: Readonly<Record<string, { readonly values: Numbers; readonly shape: readonly number[] }>>,
  compress = false,
): Uint8Array {
  const files: Zippable = {};
  for (const [name, a] of Object.entries(arrays))
    files[`${name}.npy`] = [writeNpy(a.values, a.shape), { level: compress ? 6 : 0, mtime: '1980-01-01T00:00:00' }];
  return zipSync(files);
}
