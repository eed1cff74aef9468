/** Tables of typed columns (parquet, Arrow): what each column holds, and fields that take one column or a range of them. */
import { fail } from '../../compiler/diagnostics/diagnostic.ts';
import { MAX_COLUMNS } from './limits.ts';
import { quote, tooLarge } from './refusals.ts';
import type { Numbers, RawArray, RawTable } from './table.ts';

export interface TypedColumn {
  readonly name: string;
  /** Kind of its numbers, or why it gives none ("texts", "dates", …). */
  readonly kind: 'float' | 'integer' | { readonly not: string };
  /** Numbers of a row where the column holds lists of one length; absent for a plain number. */
  readonly width?: number;
  /** Rows from <= r < to, missing ones NaN. */
  read(from: number, to: number): Promise<Numbers>;
}

/** The table of some columns; those without numbers are refused once a field takes them. */
export function columnarTable(file: string, rows: number, columns: readonly TypedColumn[]): RawTable {
  if (columns.length > MAX_COLUMNS) tooLarge(file, `it has ${columns.length} columns, at most ${MAX_COLUMNS} are read`);
  const array = (name: string, a: number, b: number, single: boolean) =>
    single ? oneColumn(file, rows, columns[a], name) : manyColumns(file, rows, columns.slice(a, b), name);
  const names = columns.map((c) => c.name);
  const usable = columns.flatMap((c, i) => (isUsable(c) ? [array(c.name, i, i + 1, true)] : []));
  return {
    file,
    rows,
    anonymous: false,
    arrays: usable,
    columns: { names, count: columns.length, array },
  };
}

function isUsable(column: TypedColumn): column is TypedColumn & { kind: 'float' | 'integer' } {
  return typeof column.kind === 'string';
}

function oneColumn(file: string, rows: number, column: TypedColumn, name: string): RawArray {
  const kind = numbersOf(file, column);
  const shape = column.width === undefined ? [rows] : [rows, column.width];
  return { name, numbers: kind, shape, scale: 1, read: (from, to) => column.read(from, to) };
}

/** Columns side by side: [rows, columns]. */
function manyColumns(file: string, rows: number, columns: readonly TypedColumn[], name: string): RawArray {
  const kinds = columns.map((c) => numbersOf(file, c));
  const list = columns.find((c) => c.width !== undefined);
  if (list)
    fail('OPT608', undefined, `${quote(file)}: the column ${quote(list.name)} holds lists`, {
      hint: 'give it a field of its own; a range takes columns of plain numbers',
    });
  const read = async (from: number, to: number) => {
    const values = new Float64Array((to - from) * columns.length);
    for (const [c, column] of columns.entries()) {
      const numbers = await column.read(from, to);
      for (let row = 0; row < to - from; row++) values[row * columns.length + c] = numbers[row];
    }
    return values;
  };
  const numbers = kinds.every((k) => k === 'integer') ? 'integer' : 'float';
  return { name, numbers, shape: [rows, columns.length], scale: 1, read };
}

/** Refuses a column without numbers (OPT614). */
function numbersOf(file: string, column: TypedColumn): 'float' | 'integer' {
  if (isUsable(column)) return column.kind;
  const { not } = column.kind as { readonly not: string };
  return fail('OPT614', undefined, `${quote(file)}: column ${quote(column.name)} holds ${not}, not numbers`, {
    hint: 'write numbers instead before saving: classes as 0, 1, 2, …, times as seconds or days',
  });
}

/** Numbers as float64: null becomes NaN (refused by the field that meets it), booleans 0 and 1, 64-bit integers exactly or not at all. */
export function plainNumbers(file: string, column: string, values: ArrayLike<unknown>): Float64Array {
  const numbers = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    numbers[i] = value === null || value === undefined ? NaN : Number(value);
    if (typeof value === 'bigint' && !Number.isSafeInteger(numbers[i]))
      fail('OPT606', undefined, `${quote(file)} holds the 64-bit integer ${value} in column ${quote(column)}`, {
        hint: 'integers beyond 2^53 are not exact here; store them as int32 or float64',
      });
  }
  return numbers;
}

/** Lists of `width` numbers each, one after the other; a list of another length is refused (OPT614). */
export function flatLists(
  file: string,
  column: string,
  width: number,
  lists: ArrayLike<unknown>,
  firstRow: number,
): Float64Array {
  const numbers = new Float64Array(lists.length * width);
  for (let i = 0; i < lists.length; i++) {
    const list = lists[i];
    const length = isList(list) ? list.length : undefined;
    if (!isList(list) || length !== width) return refuseLength(file, column, firstRow + i, length ?? 0, width);
    numbers.set(plainNumbers(file, column, list), i * width);
  }
  return numbers;
}

/** Refuses a list of another length than the first (OPT614). */
export function refuseLength(file: string, column: string, row: number, length: number, width: number): never {
  return fail(
    'OPT614',
    undefined,
    `${quote(file)} row ${row}: column ${quote(column)} holds ${length === 0 ? 'no list' : `a list of ${length}`}, the first row one of ${width}`,
    { hint: 'the lists of a column must have one length: pad or cut them before saving' },
  );
}

export function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}
