/**
 * Four small sets of the UCI repository that the project carries under `examples/data/` (notice and licence there): x holds the measurements, y the class.
 * Their files have one line per row, the class last; a first line with counts and class names where scikit-learn writes one.
 */
import { readAll } from './files.ts';
import { gunzip } from './inflate.ts';
import type { NamedSet, SetFiles } from './named.ts';
import { damaged } from './refusals.ts';
import type { Numbers, RawArray, RawTable } from './table.ts';

/** 1797 rows of 8x8 pixels in 0..16. The first 1300 are the training split, the other 497 (other writers) the test split. */
export const digits: NamedSet = {
  about: 'UCI optical digits, x: f32[*, 64] in 0..=16, y: i32[*] in 0..10',
  splits: ['', 'train', 'test'],
  open: async (name, split, files) => {
    const table = await openSmall(name, 'digits.csv.gz', files);
    const whole: RawTable = { ...table, arrays: [asBytes(table.arrays[0]), table.arrays[1]] };
    if (split === 'train') return rowsOf(whole, 0, 1300);
    return split === 'test' ? rowsOf(whole, 1300, whole.rows) : whole;
  },
};
export const iris = small('iris.csv', 'Fisher’s iris, x: f32[*, 4], y: i32[*] in 0..3, 150 rows sorted by class');
export const wine = small('wine_data.csv', 'UCI wine, x: f32[*, 13], y: i32[*] in 0..3, 178 rows sorted by class');
export const breastCancer = small(
  'breast_cancer.csv',
  'Breast Cancer Wisconsin (Diagnostic), x: f32[*, 30], y: i32[*] in 0..2, 569 rows',
);

function small(file: string, about: string): NamedSet {
  return { about, splits: [''], open: (name, _split, files) => openSmall(name, file, files) };
}

async function openSmall(name: string, path: string, files: SetFiles): Promise<RawTable> {
  const bytes = await readAll(await files.own(path));
  const text = new TextDecoder().decode(path.endsWith('.gz') ? gunzip(path, bytes) : bytes);
  // A first line such as `569,30,malignant,benign` counts rows and columns and names the classes.
  const lines = text
    .trim()
    .split(/\r?\n/)
    .filter((line) => !/[a-z]/i.test(line));
  const table = lines.map((line) => line.split(',').map(Number));
  const width = table[0].length - 1;
  if (table.some((row) => row.length !== width + 1 || row.some(Number.isNaN)))
    damaged(path, `${width + 1} numbers in each line`, 'a line with others', 'install saddle-lang again');
  const x = Float64Array.from(table.flatMap((row) => row.slice(0, width)));
  const y = Int32Array.from(table, (row) => row[width]);
  return {
    file: name,
    rows: table.length,
    arrays: [
      array('x', 'float', [table.length, width], (from, to) => x.slice(from * width, to * width)),
      array('y', 'integer', [table.length], (from, to) => y.slice(from, to)),
    ],
    anonymous: false,
  };
}

function array(
  name: string,
  numbers: RawArray['numbers'],
  shape: readonly number[],
  rows: (from: number, to: number) => Numbers,
): RawArray {
  return { name, numbers, shape, scale: 1, read: async (from, to) => rows(from, to) };
}

/** Pixels are counts in 0..16: kept as bytes on the device. */
function asBytes(array: RawArray): RawArray {
  return {
    ...array,
    numbers: 'byte',
    read: async (from, to) => Uint8Array.from((await array.read(from, to)) as Numbers),
  };
}

/** The rows from <= r < to as a table of their own. */
function rowsOf(table: RawTable, from: number, to: number): RawTable {
  const arrays = table.arrays.map((a) => ({
    ...a,
    shape: [to - from, ...a.shape.slice(1)],
    read: (first: number, last: number) => a.read(from + first, from + last),
  }));
  return { ...table, rows: to - from, arrays };
}
