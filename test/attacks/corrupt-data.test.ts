/** Damaged files of every format: cut at many lengths, each header byte changed, bombs and lies about sizes. Always a refusal, never a crash or a flood. */
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { parquetMetadataAsync } from 'hyparquet';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { SaddleError } from '../../compiler/diagnostics/diagnostic.ts';
import { crc32 } from '../../runtime/data/crc32.ts';
import { memoryFile } from '../../runtime/data/files.ts';
import { openTable } from '../../runtime/data/formats.ts';
import { gunzipPrefix, inflate } from '../../runtime/data/inflate.ts';
import { writeNpy } from '../../runtime/data/npy.ts';
import { writeNpz } from '../../runtime/data/npz.ts';
import { writeSafetensors } from '../../runtime/data/safetensors.ts';
import { loadSource } from '../../runtime/data/load.ts';
import { nodeDataHost } from '../../runtime/data/node-files.ts';
import { field, inFolder, refusalOf } from '../unit/data/refused.ts';

const values = Float32Array.from({ length: 400 }, (_, i) => Math.sin(i));
const labels = Int32Array.from({ length: 100 }, (_, i) => i % 10);
const arrays = { x: { values, shape: [100, 4] }, y: { values: labels, shape: [100] } };
const idx = Uint8Array.from([0, 0, 8, 2, 0, 0, 0, 20, 0, 0, 0, 10, ...Array.from({ length: 200 }, (_, i) => i)]);
const files: [string, Uint8Array][] = [
  ['a.npy', writeNpy(values, [100, 4])],
  ['a.npz', writeNpz(arrays)],
  ['deflated.npz', writeNpz(arrays, true)],
  ['a.safetensors', writeSafetensors(new Map(Object.entries(arrays)))],
  ['a.idx', idx],
  ['a.idx.gz', gzipSync(idx)],
];
const fixture = (name: string) =>
  new Uint8Array(readFileSync(path.join(import.meta.dirname, '../unit/data/fixtures', name)));
/** Of other writers, larger, and without checksums: what a change of their bytes does to numbers cannot be known, only that nothing crashes. */
const foreign: [string, Uint8Array][] = [
  'snappy.parquet',
  'zstd.parquet',
  'gzip.parquet',
  'v2.parquet',
  'lz4.feather',
  'zstd.feather',
  'uncompressed.feather',
  'stream.arrows',
].map((name) => [name, fixture(name)]);

/** Opens and reads everything. */
async function readAllArrays(name: string, bytes: Uint8Array): Promise<number[][]> {
  const table = await openTable(memoryFile(name, bytes));
  const all: number[][] = [];
  for (const a of table.arrays) all.push(Array.from(await a.read(0, a.shape[0])));
  return all;
}

/** True where the file was refused with an explanation; an unexplained error fails the test. */
async function isRefused(name: string, bytes: Uint8Array): Promise<boolean> {
  try {
    await readAllArrays(name, bytes);
    return false;
  } catch (cause) {
    if (!(cause instanceof SaddleError)) throw cause;
    const [d] = cause.diagnostics;
    expect(d.code).toMatch(/^OPT6/);
    expect(d.message).toContain(name.split('.')[0]);
    expect(d.hint).toBeTruthy();
    return true;
  }
}

describe.each(files)('%s', (name, bytes) => {
  it('is whole to begin with', async () => {
    expect(await isRefused(name, bytes)).toBe(false);
  });
  it('cut at every 64 bytes', async () => {
    for (let length = 0; length < bytes.length; length += 64)
      expect(await isRefused(name, bytes.subarray(0, length)), `cut at ${length}`).toBe(true);
    expect(await isRefused(name, bytes.subarray(0, bytes.length - 1))).toBe(true);
  });
  it('one byte too many', async () => {
    expect(await isRefused(name, Uint8Array.from([...bytes, 0]))).toBe(true);
  });
  it('each of the first 160 bytes changed: refused, or read without a crash', async () => {
    for (let at = 0; at < Math.min(160, bytes.length); at++)
      for (const flip of [0xff, 0x01, 0x80]) {
        const changed = new Uint8Array(bytes);
        changed[at] ^= flip;
        await isRefused(name, changed);
      }
  });
});

it('any changed byte of an archive with checksums is found, or changes nothing', async () => {
  for (const [name, bytes] of files.filter(([n]) => n.endsWith('z'))) {
    const whole = await readAllArrays(name, bytes);
    for (let at = 0; at < bytes.length; at += 7) {
      const changed = new Uint8Array(bytes);
      changed[at] ^= 0x10;
      const read = await readAllArrays(name, changed).catch(() => undefined);
      // An array may lose its name to a flip in the directory; its numbers may not change.
      if (read) for (const a of read) expect(whole).toContainEqual(a);
    }
  }
});

describe('bombs', () => {
  const zeros = new Uint8Array(64 * 2 ** 20);
  it('gzip beyond 200 : 1', async () => {
    expect((await refusalOf(openTable(memoryFile('bomb.csv.gz', gzipSync(zeros))))).code).toBe('OPT607');
  });
  it('deflate beyond 200 : 1', () => {
    expect(() => inflate('bomb.npz', deflateRawSync(zeros))).toThrow(SaddleError);
  });
  it('a prefix of a gzip file needs no more than that', () => {
    expect(gunzipPrefix('a', gzipSync(zeros).subarray(0, 1024), 100).length).toBeLessThan(40 * 2 ** 20);
  });
  it('an npz entry that lies about its size', async () => {
    const bytes = writeNpz({ x: { values: new Uint8Array(3 * 2 ** 20), shape: [3 * 2 ** 20] } }, true);
    const d = await refusalOf(openTable(memoryFile('lie.npz', bytes)).then((t) => t.arrays[0].read(0, 1)));
    expect(d.code).toBe('OPT607');
  });
  it('headers that declare more than the machine has', async () => {
    const npy = new TextDecoder('latin1').decode(writeNpy(new Float32Array(1), [1]));
    const vast = Uint8Array.from(npy.replace('(1,), }           ', '(999999999999,), }'), (c) => c.charCodeAt(0));
    expect((await refusalOf(openTable(memoryFile('vast.npy', vast)))).code).toMatch(/OPT60[57]/);
    const manyAxes = Uint8Array.of(0, 0, 8, 255, ...Array(300).fill(255));
    expect((await refusalOf(openTable(memoryFile('axes.idx', manyAxes)))).code).toBe('OPT607');
    const vastIdx = Uint8Array.of(0, 0, 14, 3, ...Array(12).fill(255));
    expect((await refusalOf(openTable(memoryFile('vast.idx', vastIdx)))).code).toBe('OPT607');
  });
});

describe.each(foreign)('%s', (name, bytes) => {
  // One column holds lists of two lengths and says so; the others are read.
  const wholeNames = async () => (await openTable(memoryFile(name, bytes))).arrays.map((a) => a.name);
  const readable = async (changed: Uint8Array): Promise<number> => {
    const table = await openTable(memoryFile(name, changed));
    let read = 0;
    for (const a of table.arrays) if (a.name !== 'ragged') read += (await a.read(0, a.shape[0])).length;
    return read;
  };
  it('is whole to begin with', async () => {
    expect(await readable(bytes)).toBeGreaterThan(900);
    expect(await wholeNames()).toContain('a');
  });
  it('cut anywhere', async () => {
    for (let length = 0; length < bytes.length; length += 997)
      expect((await refusalOf(readable(bytes.subarray(0, length)))).code, `cut at ${length}`).toMatch(/^OPT60[5-7]$/);
    expect((await refusalOf(readable(bytes.subarray(0, bytes.length - 1)))).code).toMatch(/^OPT60[5-7]$/);
    expect((await refusalOf(readable(Uint8Array.from([...bytes, 0])))).code).toMatch(/^OPT60[5-7]$/);
  });
  it('bytes changed, most of them where headers lie: refused, or read without a crash', async () => {
    const places = Array.from({ length: 90 }, (_, i) => (i % 2 === 0 ? i * 97 : bytes.length - 14 * i) % bytes.length);
    for (const at of places.filter((p) => p >= 0)) {
      const changed = new Uint8Array(bytes);
      changed[at] ^= [0xff, 0x01, 0x80][at % 3];
      try {
        await readable(changed);
      } catch (cause) {
        if (!(cause instanceof SaddleError)) throw cause;
        expect(cause.diagnostics[0].code).toMatch(/^OPT6/);
      }
    }
  });
});

describe('images', () => {
  const load = (bytes: Uint8Array, name = '0.png') =>
    inFolder(async (folder) => {
      mkdirSync(path.join(folder, 'pics'));
      writeFileSync(path.join(folder, 'pics', name), bytes);
      const host = nodeDataHost({ specFolder: folder, workingFolder: folder });
      return loadSource('pics', [field('x', 'u8', [1, 4, 6, 3], { scale: 1 / 255 })], undefined, host);
    });
  const png = fixture('images/rgb.png');
  const jpg = fixture('images/rgb.jpg');
  it('a PNG cut anywhere, or with any byte changed', async () => {
    for (let at = 0; at < png.length; at += 3) {
      expect((await refusalOf(load(png.subarray(0, at)))).code, `cut at ${at}`).toBe('OPT605');
      const changed = new Uint8Array(png);
      changed[at] ^= 0x10;
      expect((await refusalOf(load(changed))).code, `changed at ${at}`).toMatch(/^OPT60[567]$/);
    }
  });
  it('a JPEG cut anywhere', async () => {
    for (let at = 2; at < jpg.length - 2; at += 37)
      expect((await refusalOf(load(jpg.subarray(0, at), '0.jpg'))).code, `cut at ${at}`).toBe('OPT605');
  });
  it('sizes that lie: a header of 65535 x 65535 pixels, and content that inflates without end', async () => {
    const huge = new Uint8Array(jpg);
    const frame = huge.findIndex((b, i) => b === 0xff && huge[i + 1] === 0xc0);
    huge.fill(0xff, frame + 5, frame + 9);
    expect((await refusalOf(load(huge, '0.jpg'))).code).toBe('OPT607');
    const chunk = (type: string, content: Uint8Array) => {
      const bytes = new Uint8Array(12 + content.length);
      const view = new DataView(bytes.buffer);
      view.setUint32(0, content.length);
      bytes.set(Buffer.from(type), 4);
      bytes.set(content, 8);
      view.setUint32(8 + content.length, crc32(bytes.subarray(4, 8 + content.length)));
      return bytes;
    };
    const header = Uint8Array.of(0, 0, 0, 6, 0, 0, 0, 4, 8, 2, 0, 0, 0);
    const bomb = (head: Uint8Array, size: number) =>
      Uint8Array.from([
        ...png.subarray(0, 8),
        ...chunk('IHDR', head),
        ...chunk('IDAT', deflateSync(new Uint8Array(size))),
        ...chunk('IEND', new Uint8Array(0)),
      ]);
    expect((await refusalOf(load(bomb(header, 2 ** 24)))).code).toMatch(/^OPT60[57]$/);
    const wide = new Uint8Array(header).fill(0xff, 0, 4);
    expect((await refusalOf(load(bomb(wide, 76)))).code).toBe('OPT607');
    expect((await load(bomb(header, 76))).rows).toBe(1);
  });
  it('a text that is no UTF-8', async () => {
    const d = await refusalOf(openTable(memoryFile('a.txt', Uint8Array.of(0x61, 0xff, 0xfe))));
    expect(d.code).toBe('OPT605');
  });
});

it('a parquet page that claims two billion values is refused before memory is reserved', async () => {
  const bytes = fixture('none.parquet');
  const metadata = await parquetMetadataAsync({ byteLength: bytes.length, slice: (a, b) => bytes.slice(a, b).buffer });
  const { data_page_offset: start } = metadata.row_groups[0].columns[1].meta_data!;
  // The header's thrift: field 5 (data_page_header) is a struct whose first field is num_values, 128 as a zigzag varint of two bytes.
  const at = bytes.findIndex((b, i) => i >= Number(start) && b === 0x80 && bytes[i + 1] === 0x02);
  const changed = Uint8Array.from([...bytes.subarray(0, at), 0xff, 0x7f, ...bytes.subarray(at + 2)]);
  const table = await openTable(memoryFile('none.parquet', changed));
  const d = await refusalOf(table.arrays.find((a) => a.name === 'b')!.read(0, 300));
  expect(d.code).toBe('OPT605');
  expect(d.message).toContain('values');
});
