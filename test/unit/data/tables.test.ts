/** Parquet, Arrow, texts and images against files that others wrote (pyarrow, pillow: fixtures/write-tables.py), whose contents are formulas of the row. */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { memoryFile } from '../../../runtime/data/files.ts';
import { arrayOf } from '../../../runtime/data/fields.ts';
import { openTable } from '../../../runtime/data/formats.ts';
import { describeSource, loadSource } from '../../../runtime/data/load.ts';
import { nodeDataHost } from '../../../runtime/data/node-files.ts';
import { field, inFolder, refusalOf } from './refused.ts';

const fixtures = path.join(import.meta.dirname, 'fixtures');
const open = (name: string) => openTable(memoryFile(name, new Uint8Array(readFileSync(path.join(fixtures, name)))));
const rows = Array.from({ length: 300 }, (_, i) => i);

async function column(table: Awaited<ReturnType<typeof open>>, text: string, from = 0, to = 300) {
  const request = { name: text, column: text };
  return Array.from(await arrayOf(table, request, [request]).read(from, to));
}

describe.each([
  'none.parquet',
  'snappy.parquet',
  'gzip.parquet',
  'zstd.parquet',
  'lz4.parquet',
  'uncompressed.feather',
  'lz4.feather',
  'zstd.feather',
  'stream.arrows',
])('%s', (name) => {
  it('gives its columns, over the borders of its groups', async () => {
    const table = await open(name);
    expect(table.rows).toBe(300);
    expect(await column(table, '"a"')).toEqual(rows.map((i) => i / 4));
    expect(await column(table, '"b"')).toEqual(rows.map((i) => expect.closeTo(Math.sin(i), 12)));
    expect(await column(table, '"y"', 126, 131)).toEqual([0, 1, 2, 0, 1]);
    expect(await column(table, '"wide"')).toEqual(rows.map((i) => i * 1e6));
    expect(await column(table, '"small"')).toEqual(rows.map((i) => i % 251));
    expect(await column(table, '"flag"')).toEqual(rows.map((i) => (i % 2 === 0 ? 1 : 0)));
    expect(await column(table, '"list"', 127, 129)).toEqual([127, 127.5, 128, 128.5]);
    expect(await column(table, '"fixed"', 299, 300)).toEqual([299, -299, 598]);
    expect(await column(table, '0..3', 255, 257)).toEqual([
      63.75,
      expect.closeTo(Math.sin(255), 12),
      0,
      64,
      expect.closeTo(Math.sin(256), 12),
      1,
    ]);
    const kinds = Object.fromEntries(table.arrays.map((a) => [a.name, [a.numbers, ...a.shape]]));
    expect(kinds).toMatchObject({
      a: ['float', 300],
      y: ['integer', 300],
      list: ['float', 300, 2],
      fixed: ['float', 300, 3],
    });
  });
  it('explains what it does not give', async () => {
    const table = await open(name);
    expect((await column(table, '"missing"', 6, 9)).map(Number.isNaN)).toEqual([false, true, false]);
    for (const [text, reason] of [
      ['"text"', 'texts'],
      ['"when"', 'time'],
    ]) {
      const d = await refusalOf(column(table, text));
      expect(d.code).toBe('OPT614');
      expect(d.message).toContain(reason);
    }
    const ragged = await refusalOf(column(table, '"ragged"'));
    expect(ragged.message).toContain("row 1: column 'ragged' holds a list of 2");
  });
});

it('parquet pages of version 2, without dictionaries, in three encodings', async () => {
  const table = await open('v2.parquet');
  expect(await column(table, '"a"')).toEqual(rows.map((i) => i / 4));
  expect(await column(table, '"y"')).toEqual(rows.map((i) => i % 3));
  expect((await column(table, '"missing"')).findIndex(Number.isNaN)).toBe(7);
});

it('a codec that is not read is named', async () => {
  const table = await open('brotli.parquet');
  const d = await refusalOf(column(table, '"a"'));
  expect(d.code).toBe('OPT606');
  expect(d.message).toContain('BROTLI');
});

it('a missing value is refused by the field that takes it, with its row', () =>
  inFolder(async (folder) => {
    cpSync(path.join(fixtures, 'snappy.parquet'), path.join(folder, 'd.parquet'));
    const d = await refusalOf(loadSource('d.parquet', [field('missing', 'f32', [300])], undefined, hostOf(folder)));
    expect(d.code).toBe('OPT611');
    expect(d.message).toContain('row 7 is NaN');
  }));

function hostOf(folder: string) {
  return nodeDataHost({ specFolder: folder, workingFolder: folder, cacheFolder: path.join(folder, 'cache') });
}

describe('texts', () => {
  const text = 'to be, or not – ünd\nto be';
  const inText = <T>(use: (host: ReturnType<typeof hostOf>) => Promise<T>) =>
    inFolder((folder) => {
      writeFileSync(path.join(folder, 't.txt'), text);
      return use(hostOf(folder));
    });
  const sorted = [...new Set(text)].sort((a, b) => (a.codePointAt(0) ?? 0) - (b.codePointAt(0) ?? 0));

  it('one row per character, as its place among the distinct ones', () =>
    inText(async (host) => {
      const info = await describeSource('t.txt', host, [{ name: 'c' }]);
      expect(info.rows).toBe([...text].length);
      expect(info.fields[0]).toEqual({ name: 'c', dtype: 'i32', shape: [], storage: 'i32', scale: 1 });
      const loaded = await loadSource(
        't.txt',
        [field('c', 'i32', [info.rows], { range: [0, sorted.length] })],
        undefined,
        host,
      );
      expect(Array.from(loaded.fields.get('c')!, (c) => sorted[c]).join('')).toBe(text);
    }));
  it('code points and bytes by name', () =>
    inText(async (host) => {
      const points = await loadSource(
        't.txt',
        [field('c', 'i32', [[...text].length], { column: '"codes"' })],
        undefined,
        host,
      );
      expect(String.fromCodePoint(...points.fields.get('c')!)).toBe(text);
      const bytes = Buffer.from(text);
      const raw = await loadSource(
        't.txt',
        [field('c', 'i32', [bytes.length], { column: '"bytes"' })],
        undefined,
        host,
      );
      expect(Array.from(raw.fields.get('c')!)).toEqual(Array.from(bytes));
    }));
});

describe('folders of images', () => {
  const images = path.join(fixtures, 'images');
  const grey = Array.from({ length: 24 }, (_, i) => i * 10);
  const rgb = grey.flatMap((g) => [g, 255 - g, Math.floor(g / 2)]);
  const inPictures = <T>(
    files: Record<string, string>,
    use: (host: ReturnType<typeof hostOf>, folder: string) => Promise<T>,
  ) =>
    inFolder((folder) => {
      for (const [to, from] of Object.entries(files)) {
        mkdirSync(path.dirname(path.join(folder, 'pics', to)), { recursive: true });
        cpSync(path.join(images, from), path.join(folder, 'pics', to));
      }
      return use(hostOf(folder), folder);
    });
  const load = async (host: ReturnType<typeof hostOf>, shape: number[], more = {}) =>
    Array.from(
      (await loadSource('pics', [field('x', 'u8', shape, { scale: 1 / 255, ...more })], undefined, host)).fields.get(
        'x',
      )!,
    );

  it('classes are the subfolders in order; grey needs one channel', () =>
    inPictures(
      { 'b/1.png': 'grey.png', 'a/2.png': 'grey.png', 'a/10.PNG': 'grey.png', 'notes.txt': 'grey.png' },
      async (host) => {
        const info = await describeSource('pics', host, [{ name: 'x' }, { name: 'y' }]);
        expect(info).toEqual({
          rows: 3,
          fields: [
            { name: 'x', dtype: 'f32', shape: [4, 6], storage: 'u8', scale: 1 / 255 },
            { name: 'y', dtype: 'i32', shape: [], storage: 'i32', scale: 1 },
          ],
        });
        const loaded = await loadSource(
          'pics',
          [field('x', 'u8', [3, 24], { scale: 1 / 255 }), field('y', 'i32', [3])],
          undefined,
          host,
        );
        expect(Array.from(loaded.fields.get('y')!)).toEqual([0, 0, 1]);
        expect(Array.from(loaded.fields.get('x')!)).toEqual([...grey, ...grey, ...grey]);
      },
    ));
  it('every kind of PNG, as pillow wrote it', async () => {
    await inPictures(
      { '0.png': 'rgb.png', '1.png': 'opaque.png', '2.png': 'palette.png', '3.png': 'grey.png' },
      async (host) => {
        expect((await describeSource('pics', host, [{ name: 'x' }])).fields[0].shape).toEqual([4, 6, 3]);
        expect(await load(host, [4, 4, 6, 3])).toEqual([...rgb, ...rgb, ...rgb, ...grey.flatMap((g) => [g, g, g])]);
      },
    );
    await inPictures({ '0.png': 'alpha.png' }, async (host) =>
      expect(await load(host, [1, 4, 6, 4])).toEqual(grey.flatMap((g, i) => [...rgb.slice(3 * i, 3 * i + 3), g])),
    );
    await inPictures({ '0.png': 'bits.png' }, async (host) =>
      expect(await load(host, [1, 24])).toEqual(grey.map((g) => (g > 100 ? 255 : 0))),
    );
  });
  it('JPEG, within what its compression loses', () =>
    inPictures({ '0.jpg': 'grey.jpg', '1.jpeg': 'rgb.jpg' }, async (host) => {
      const values = await load(host, [2, 4, 6, 3]);
      const expected = [...grey.flatMap((g) => [g, g, g]), ...rgb];
      values.forEach((v, i) => expect(Math.abs(v - expected[i])).toBeLessThanOrEqual(6));
    }));
  it.each([
    [
      'another size',
      { '0.png': 'grey.png', '1.png': 'short.png' },
      [2, 24],
      'OPT609',
      "'pics/1.png' has 3 x 6 pixels, 'pics/0.png' 4 x 6",
    ],
    [
      'colours in a grey field',
      { '0.png': 'grey.png', '1.png': 'rgb.png' },
      [2, 24],
      'OPT609',
      "'pics/1.png' has colours",
    ],
    ['transparency', { '0.png': 'rgb.png', '1.png': 'alpha.png' }, [2, 4, 6, 3], 'OPT609', 'is transparent'],
    ['16 bits', { '0.png': 'deep.png' }, [1, 24], 'OPT606', '16 bits'],
    [
      'images beside subfolders',
      { '0.png': 'grey.png', 'a/0.png': 'grey.png' },
      [2, 24],
      'OPT606',
      'beside its subfolders',
    ],
    ['no images', { 'notes.txt': 'grey.png' }, [1, 24], 'OPT605', 'a folder of .png and .jpg images'],
  ] as const)('refuses: %s', (_name, files, shape, code, text) =>
    inPictures(files, async (host) => {
      const d = await refusalOf(load(host, [...shape]));
      expect(d.code).toBe(code);
      expect(d.message).toContain(text);
      expect(d.hint).toBeTruthy();
    }),
  );
  it('a link out of the folder is refused when it is opened', () =>
    inPictures({ '0.png': 'grey.png' }, async (host, folder) => {
      symlinkSync(path.join(images, 'grey.png'), path.join(folder, 'pics', '1.png'));
      const d = await refusalOf(load(host, [2, 24]));
      expect(d.code).toBe('OPT602');
      expect(d.message).toContain('pics/1.png');
    }));
});
