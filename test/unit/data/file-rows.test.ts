/** Fields that are left in the file: files beyond 2 GiB, with holes so that they take no disk. Rows are marked by hand, bytes are checked at their places. */
import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { DataField } from '../../../compiler/bundle/format.ts';
import { isRowSource, type RowSource } from '../../../runtime/backend.ts';
import { loadSource } from '../../../runtime/data/load.ts';
import { nodeDataHost } from '../../../runtime/data/node-files.ts';
import { writeNpy } from '../../../runtime/data/npy.ts';
import { field, inFolder, refusalOf } from './refused.ts';

const hostOf = (folder: string) => nodeDataHost({ specFolder: folder, workingFolder: folder, cacheFolder: folder });
const ROWS = 3 * 2 ** 20;
const WIDTH = 256;

/** The header of an npy file of float32, as numpy writes it. */
function npyHeader(shape: readonly number[]): Buffer {
  const dict = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`;
  const padded = `${dict.padEnd(128 - 10 - 1)}\n`;
  const head = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, padded.length, 0]);
  return Buffer.concat([head, Buffer.from(padded, 'latin1')]);
}

/** 3 GiB of zeros, with the number of the row in the last place of some rows. */
function writeLarge(file: string, marked: readonly number[], last: (row: number) => number = (row) => row): void {
  const header = npyHeader([ROWS, WIDTH]);
  const handle = openSync(file, 'w');
  writeSync(handle, header);
  ftruncateSync(handle, header.length + ROWS * WIDTH * 4);
  for (const row of marked)
    writeSync(
      handle,
      Buffer.from(Float32Array.of(last(row)).buffer),
      0,
      4,
      header.length + (row * WIDTH + WIDTH - 1) * 4,
    );
  closeSync(handle);
}

async function later(folder: string, source: string, wanted: DataField, slice?: readonly [number, number]) {
  const loaded = await loadSource(source, [wanted], slice, hostOf(folder));
  expect(loaded.fields.size).toBe(0);
  const rows = loaded.later.get(wanted.name) as RowSource;
  expect(isRowSource(rows)).toBe(true);
  return rows;
}

describe('a file larger than memory ought to hold', () => {
  it('gives the rows asked for, in their order, once and again', () =>
    inFolder(async (folder) => {
      writeLarge(path.join(folder, 'x.npy'), [0, 1, 7, 2_200_000, ROWS - 1]);
      const rows = await later(folder, 'x.npy', field('x', 'f32', [ROWS, WIDTH]));
      const asked = [ROWS - 1, 0, 7, 5, 1, 7, 2_200_000, 2_199_999];
      const values = await rows.read(asked);
      expect(values).toHaveLength(asked.length * WIDTH);
      expect(asked.map((_, i) => values[i * WIDTH + WIDTH - 1])).toEqual([ROWS - 1, 0, 7, 0, 1, 7, 2_200_000, 0]);
      expect(Array.from(values).reduce((a, b) => a + b, 0)).toBe(ROWS - 1 + 7 + 1 + 7 + 2_200_000);
      await rows.close();
      // A slice counts from its own first row; a file that was closed is opened again.
      const part = await later(folder, 'x.npy', field('x', 'f32', [1_000_000, WIDTH]), [2_100_000, 3_100_000]);
      expect((await part.read([100_000]))[WIDTH - 1]).toBe(2_200_000);
      await part.close();
      expect((await part.read([100_000]))[WIDTH - 1]).toBe(2_200_000);
      await part.close();
    }));
  it('checks each value when its row is read, and names its row in the file', () =>
    inFolder(async (folder) => {
      writeLarge(path.join(folder, 'x.npy'), [2_200_000], () => Number.NaN);
      const rows = await later(folder, 'x.npy', field('x', 'f32', [2_500_000, WIDTH]), [500_000, 3_000_000]);
      await rows.read([1_699_999]);
      const d = await refusalOf(rows.read([3, 1_700_000]));
      expect(d.code).toBe('OPT611');
      expect(d.message).toContain('row 2200000 (number 255 of the row)');
      await rows.close();
    }));
  it('bytes stay bytes', () =>
    inFolder(async (folder) => {
      const header = Buffer.alloc(16);
      header.set([0, 0, 8, 3]);
      [2 ** 20, 32, 96].forEach((n, i) => header.writeUInt32BE(n, 4 + 4 * i));
      const handle = openSync(path.join(folder, 'x.idx'), 'w');
      writeSync(handle, header);
      ftruncateSync(handle, 16 + 3 * 2 ** 30);
      writeSync(handle, Buffer.of(200), 0, 1, 16 + 1_000_000 * 3072 + 5);
      closeSync(handle);
      const rows = await later(folder, 'x.idx', field('x', 'u8', [2 ** 20, 32, 96], { scale: 1 / 255 }));
      const values = await rows.read([3, 1_000_000]);
      expect(values).toBeInstanceOf(Uint8Array);
      expect(values.indexOf(200)).toBe(3072 + 5);
      await rows.close();
    }));
  it('is refused where the device or the format needs it whole', () =>
    inFolder(async (folder) => {
      writeLarge(path.join(folder, 'x.npy'), []);
      const wanted = field('x', 'f32', [ROWS, WIDTH]);
      const resident = await refusalOf(
        loadSource('x.npy', [{ ...wanted, buffer: 'data:x' } as DataField], undefined, hostOf(folder)),
      );
      expect(resident.code).toBe('OPT607');
      expect(resident.hint).toContain('batch b = D[64]');
      const handle = openSync(path.join(folder, 'x.csv'), 'w');
      ftruncateSync(handle, 3 * 2 ** 30);
      closeSync(handle);
      expect((await refusalOf(loadSource('x.csv', [wanted], undefined, hostOf(folder)))).code).toBe('OPT607');
    }));
  it('small files, and compressed ones, are held in memory', () =>
    inFolder(async (folder) => {
      const values = Float32Array.of(1, 2, 3);
      writeFileSync(path.join(folder, 'x.npy'), writeNpy(values, [3]));
      writeFileSync(path.join(folder, 'x.npy.gz'), gzipSync(writeNpy(values, [3])));
      for (const source of ['x.npy', 'x.npy.gz']) {
        const loaded = await loadSource(source, [field('x', 'f32', [3])], undefined, hostOf(folder));
        expect(loaded.fields.get('x')).toEqual(values);
        expect(loaded.later.size).toBe(0);
      }
    }));
});

it('trains on 3 GiB in a process that holds a fraction of them', { timeout: 600_000 }, () =>
  inFolder(async (folder) => {
    const marked = [0, 1, 2, 3, 4].flatMap((step) => [0, 1, 2].map((i) => step * 700_000 + i));
    writeLarge(path.join(folder, 'x.npy'), marked, () => 1);
    writeFileSync(
      path.join(folder, 'large.opt'),
      `use rules { sgd }
data D from "x.npy" { x: f32[N, ${WIDTH}] }
var w: f32[${WIDTH}] = 1
train 5 {
  batch b = D[64]
  let rows = D.x[step * 700000 + (0..4)]
  let seen = sum(rows * w)
  update w by sgd(0.01) minimizing mean(sum((b.x - w)^2, axis: 1)) + 0 * seen
  report marks = sum(rows), all_rows = f32(N)
}
expect min(marks) == 3
expect max(marks) == 3
expect all_rows == ${ROWS}
`,
    );
    const root = path.join(import.meta.dirname, '../../..');
    const peak = 'data:text/javascript,process.on("exit",()=>console.error("peak "+process.resourceUsage().maxRSS))';
    const args = ['--max-old-space-size=256', '--import', 'tsx', '--import', peak, path.join(root, 'cli/main.ts')];
    const ran = spawnSync(process.execPath, [...args, 'test', path.join(folder, 'large.opt')], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(ran.status, ran.stdout + ran.stderr).toBe(0);
    // Kilobytes. The driver and Node take about 400 MB of them.
    expect(Number(/peak (\d+)/.exec(ran.stderr)?.[1])).toBeLessThan(1_200_000);
  }),
);
