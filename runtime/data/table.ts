/**
 * What every format and every named set is read into: a table of arrays that share their first axis, the rows.
 * Opening a table reads headers only (a csv file has none and is scanned); the numbers come with `read`.
 */

/** Numbers as the file holds them. 64-bit integers arrive as Float64Array, refused where that is not exact. */
export type Numbers =
  Float32Array | Float64Array | Int8Array | Int16Array | Int32Array | Uint8Array | Uint16Array | Uint32Array;

export interface RawArray {
  readonly name: string;
  /** Kind of its numbers, for the type of a field that takes them. */
  readonly numbers: 'float' | 'integer' | 'byte';
  /** Shape of the whole array: the first axis is the rows. */
  readonly shape: readonly number[];
  /** A value is the stored number times this: 1/255 for images in bytes, else 1. */
  readonly scale: number;
  /** The rows are where their number says: reading some costs nothing for the others. */
  readonly byRows?: boolean;
  /** Rows from <= r < to, row-major. Throws SaddleError OPT6xx where the content is damaged. */
  read(from: number, to: number): Promise<Numbers>;
}

export interface RawTable {
  /** As named in messages: the path as written, or the name of the set. */
  readonly file: string;
  readonly rows: number;
  readonly arrays: readonly RawArray[];
  /** True for formats that hold one array without a name (npy, idx): a field of any name takes it. */
  readonly anonymous: boolean;
  /** Present for tables of columns (csv): fields may take a column or a range of columns. */
  readonly columns?: Columns;
}

export interface Columns {
  /** Names of the header, absent where there is none (or where it does not name each column). */
  readonly names?: readonly string[];
  readonly count: number;
  /** The columns a <= c < b as one array: [rows] where `single`, else [rows, b - a]. */
  array(name: string, a: number, b: number, single: boolean): RawArray;
}

/** Number of elements of one row. */
export function rowSize(shape: readonly number[]): number {
  return shape.slice(1).reduce((product, n) => product * n, 1);
}

/** Product of dims, or undefined where it is not exact below 2^53: hostile headers overflow here. */
export function safeProduct(dims: readonly number[]): number | undefined {
  let product = 1;
  for (const n of dims) {
    product *= n;
    if (!Number.isSafeInteger(product)) return undefined;
  }
  return product;
}
