/**
 * Small sets that the project carries under `examples/data/` (notice and licence there): x holds the measurements, y the class.
 * Their sizes are known here, so that describing one reads no file; a file's lines hold one row each, the class last.
 */
import { readAll } from './files.ts';
import type { NamedSet, SetFiles } from './named.ts';
import { damaged } from './refusals.ts';
import type { RawArray } from './table.ts';

/** The first 1300 rows are the training split, the other 497 (of other writers) the test split. */
const DIGITS_SPLIT = 1300;
const PENGUINS = 333;

export const digits: NamedSet = {
  about:
    'UCI optical digits, x: f32[*, 64] in 0..=16, y: i32[*] in 0..10; 1797 rows, 1300 for training and 497 for tests',
  splits: ['', 'train', 'test'],
  open: async (name, split, files) => {
    const [from, to] = { train: [0, DIGITS_SPLIT], test: [DIGITS_SPLIT, 1797] }[split] ?? [0, 1797];
    const { x, y } = smallSet('digits.csv.gz', 1797, 64, files);
    // Pixels are counts in 0..16: they stay bytes on the device.
    const pixels: RawArray = { ...x, numbers: 'byte', read: async (a, b) => Uint8Array.from(await x.read(a, b)) };
    return { file: name, rows: to - from, arrays: [rowsOf(pixels, from, to), rowsOf(y, from, to)], anonymous: false };
  },
};
export const iris = whole(
  'iris.csv',
  150,
  4,
  'Fisher’s iris, x: f32[*, 4], y: i32[*] in 0..3; 150 rows sorted by class',
);
export const wine = whole(
  'wine_data.csv',
  178,
  13,
  'UCI wine, x: f32[*, 13], y: i32[*] in 0..3; 178 rows sorted by class',
);
export const breastCancer = whole(
  'breast_cancer.csv',
  569,
  30,
  'Breast Cancer Wisconsin (Diagnostic), x: f32[*, 30], y: i32[*] in 0..2; 569 rows',
);

/** Rows that lack a measurement or the sex are left out, as in most uses of the set. */
export const penguins: NamedSet = {
  about:
    'Palmer penguins, x: f32[*, 4], y: i32[*] in 0..3 (species), sex: i32[*] in 0..2, island: i32[*] in 0..3; 333 rows sorted by species',
  splits: [''],
  open: async (name, _split, files) => {
    const { x, y } = smallSet('penguins.csv', PENGUINS, 6, files);
    const part = (label: string, from: number, to: number): RawArray => ({
      ...x,
      name: label,
      numbers: to - from > 1 ? 'float' : 'integer',
      shape: to - from > 1 ? [PENGUINS, to - from] : [PENGUINS],
      read: async (a, b) => {
        const all = await x.read(a, b);
        return Float64Array.from({ length: (b - a) * (to - from) }, (_, i) => {
          const row = Math.floor(i / (to - from));
          return all[row * 6 + from + (i % (to - from))];
        });
      },
    });
    const arrays = [part('x', 0, 4), y, part('sex', 4, 5), part('island', 5, 6)];
    return { file: name, rows: PENGUINS, arrays, anonymous: false };
  },
};

function whole(file: string, rows: number, width: number, about: string): NamedSet {
  return {
    about,
    splits: [''],
    open: async (name, _split, files) => {
      const { x, y } = smallSet(file, rows, width, files);
      return { file: name, rows, arrays: [x, y], anonymous: false };
    },
  };
}

/** x [rows, width] and y [rows]; the file is read once, at the first read of either. */
function smallSet(path: string, rows: number, width: number, files: SetFiles): { x: RawArray; y: RawArray } {
  let parsed: Promise<number[][]> | undefined;
  const lines = () => (parsed ??= parseLines(path, rows, width, files));
  const x = async (from: number, to: number) =>
    Float64Array.from((await lines()).slice(from, to).flatMap((row) => row.slice(0, width)));
  const y = async (from: number, to: number) => Int32Array.from((await lines()).slice(from, to), (row) => row[width]);
  return {
    x: { name: 'x', numbers: 'float', shape: [rows, width], scale: 1, read: x },
    y: { name: 'y', numbers: 'integer', shape: [rows], scale: 1, read: y },
  };
}

async function parseLines(path: string, rows: number, width: number, files: SetFiles): Promise<number[][]> {
  const bytes = await readAll(await files.own(path));
  const text = new TextDecoder().decode(
    path.endsWith('.gz') ? (await import('./inflate.ts')).gunzip(path, bytes) : bytes,
  );
  // A first line such as `569,30,malignant,benign` counts rows and columns and names the classes.
  const lines = text
    .trim()
    .split(/\r?\n/)
    .filter((line) => !/[a-z]{3}/i.test(line));
  const table = lines.map((line) => line.split(',').map(Number));
  if (table.length !== rows || table.some((row) => row.length !== width + 1 || row.some(Number.isNaN)))
    damaged(
      path,
      `${rows} lines of ${width + 1} numbers`,
      'others',
      'the installation is not complete: install saddle-lang again',
    );
  return table;
}

/** The rows from <= r < to of an array as an array of their own. */
function rowsOf(array: RawArray, from: number, to: number): RawArray {
  return {
    ...array,
    shape: [to - from, ...array.shape.slice(1)],
    read: (first, last) => array.read(from + first, from + last),
  };
}
