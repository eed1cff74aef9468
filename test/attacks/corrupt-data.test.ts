/** Damaged files of every format: cut at many lengths, each header byte changed, bombs and lies about sizes. Always a refusal, never a crash or a flood. */
import { deflateRawSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { SaddleError } from '../../compiler/diagnostics/diagnostic.ts';
import { memoryFile } from '../../runtime/data/files.ts';
import { openTable } from '../../runtime/data/formats.ts';
import { gunzipPrefix, inflate } from '../../runtime/data/inflate.ts';
import { writeNpy } from '../../runtime/data/npy.ts';
import { writeNpz } from '../../runtime/data/npz.ts';
import { writeSafetensors } from '../../runtime/data/safetensors.ts';
import { refusalOf } from '../unit/data/refused.ts';

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
