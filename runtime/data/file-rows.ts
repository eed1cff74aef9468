/**
 * Fields that memory need not hold: their rows are read from the file when a step takes them, and checked then. Only for formats in which a row stands at a place
 * that its number says.
 */
import type { DataField } from '../../compiler/bundle/format.ts';
import type { RowSource } from '../backend.ts';
import { convertField, type FieldValues } from './convert.ts';
import { rowSize, type RawArray } from './table.ts';

/** Reads that are on their way together. */
const AT_ONCE = 32;
/** Rows that are read in one go where they are neighbours. */
const MOST_ROWS = 4096;

/** An array of an open file. */
export interface OpenArray {
  readonly file: string;
  readonly array: RawArray;
  close(): Promise<void>;
}

/** Rows from <= r < from + count of the file, in `places` of what was asked for. */
interface Run {
  readonly from: number;
  readonly rows: number[];
  readonly places: number[];
}

/** The rows of a field, from row `first` of the file on. `open` is called at the first read, and the file closed by `close`. */
export function fileRows(field: DataField, first: number, open: () => Promise<OpenArray>): RowSource {
  let opened: Promise<OpenArray> | undefined;
  return {
    rows: field.type.shape[0],
    read: async (rows) => {
      const { file, array } = await (opened ??= open());
      const perRow = rowSize(field.type.shape);
      const values = emptyValues(field, rows.length * perRow);
      const runs = runsOf(rows, first);
      for (let i = 0; i < runs.length; i += AT_ONCE)
        await Promise.all(
          runs.slice(i, i + AT_ONCE).map(async ({ from, rows: taken, places }) => {
            const end = taken[taken.length - 1] + 1;
            const part = convertField(file, field, array, await array.read(from, end), from);
            taken.forEach((row, k) => {
              const at = (row - from) * perRow;
              values.set(part.subarray(at, at + perRow), places[k] * perRow);
            });
          }),
        );
      return values;
    },
    close: async () => {
      const was = opened;
      opened = undefined;
      await (await was?.catch(() => undefined))?.close();
    },
  };
}

function emptyValues(field: DataField, length: number): FieldValues {
  if (field.storage === 'u8') return new Uint8Array(length);
  return field.storage === 'i32' ? new Int32Array(length) : new Float32Array(length);
}

/** Neighbours together, in the order of the file; a row may be asked for more than once. */
function runsOf(rows: readonly number[], first: number): Run[] {
  const order = rows.map((row, place) => ({ row: row + first, place })).sort((a, b) => a.row - b.row);
  const runs: Run[] = [];
  for (const { row, place } of order) {
    const run = runs.at(-1);
    if (run && row - run.rows[run.rows.length - 1] <= 1 && row - run.from < MOST_ROWS) {
      run.rows.push(row);
      run.places.push(place);
    } else runs.push({ from: row, rows: [row], places: [place] });
  }
  return runs;
}
