/**
 * The door to data: `describeSource` tells the compiler what a source holds (headers only), `loadSource` reads and checks the numbers
 * of a compiled declaration. A source is a file or a named set (`named.ts`); everything is an explained SaddleError OPT6xx or right.
 */
import { fail, SaddleError } from '../../compiler/diagnostics/diagnostic.ts';
import type { DataField, DataInfo } from '../../compiler/bundle/format.ts';
import type { RowSource } from '../backend.ts';
import { convertField, type FieldValues } from './convert.ts';
import { arrayOf, type FieldRequest } from './fields.ts';
import type { DataHost } from './files.ts';
import { openTable } from './formats.ts';
import { openImages } from './images.ts';
import { fileRows, type OpenArray } from './file-rows.ts';
import { MAX_BYTES, MAX_HELD_BYTES, MAX_IMAGES } from './limits.ts';
import { unknownSet, withNamed } from './named.ts';
import { quote, tooLarge } from './refusals.ts';
import { rowSize, safeProduct, type RawArray, type RawTable } from './table.ts';
import { openTexts } from './texts.ts';
import { tokenColumn } from './tokens.ts';
import { isWeightSource } from './weights.ts';

/** Options of both functions. */
export interface SourceOptions {
  /** Path that replaces the source, given by the user (`--data NAME=PATH`): it may lead anywhere. */
  readonly override?: string;
}

export interface LoadedData {
  /** Rows of every field, after the slice. */
  readonly rows: number;
  /** By field name, row-major; f32 as Float32Array, i32 as Int32Array, u8 as the stored bytes (value = byte * scale). */
  readonly fields: ReadonlyMap<string, FieldValues>;
  /** Fields of which rows are read when they are taken, each to be closed. */
  readonly later: ReadonlyMap<string, RowSource>;
}

/**
 * What a source holds. With `fields` (those of the declaration), each of them is resolved and stands first under its declared name, so that
 * columns and files of one unnamed array need no care elsewhere; the source's own arrays follow. Shapes are those of one row.
 * Throws OPT601 to OPT608, OPT613 to OPT615.
 */
export async function describeSource(
  source: string,
  host: DataHost,
  fields: readonly FieldRequest[] = [],
  options: SourceOptions = {},
): Promise<DataInfo> {
  return withTable(source, host, options, fields, async (table) => {
    const described = fields.map((field) => describeField(field, arrayOf(table, field, fields)));
    const others = table.arrays.filter((a) => a.shape[0] === table.rows && !described.some((d) => d.name === a.name));
    return {
      rows: fields.length > 0 ? commonRows(table, fields) : table.rows,
      fields: [...described, ...others.map((a) => describeArray(a.name, a))],
    };
  });
}

/**
 * Loads the fields of a compiled declaration: opens the source, checks names, rows, shapes, types and ranges, and takes the rows of `slice` (half open; all by default).
 * Throws OPT601 to OPT615.
 */
export async function loadSource(
  source: string,
  fields: readonly (DataField & { readonly buffer?: string })[],
  slice: readonly [number, number] | undefined,
  host: DataHost,
  options: SourceOptions = {},
): Promise<LoadedData> {
  const rowsOf = fields.map((f) => ({ column: f.column, row: f.type.shape.slice(1) }));
  return withTable(source, host, options, rowsOf, async (table) => {
    const rows = commonRows(table, fields);
    const [from, to] = slice ?? [0, rows];
    if (from < 0 || to > rows || from > to)
      fail('OPT612', undefined, `the rows [${from}..${to}] of ${quote(table.file)} do not lie within its ${rows}`, {
        hint: `a slice counts from 0 and leaves its end out: [0..${rows}] takes all`,
      });
    const loaded = new Map<string, FieldValues>();
    const later = new Map<string, RowSource>();
    for (const field of fields) {
      const array = arrayOf(table, field, fields);
      checkShape(table, field, array, to - from);
      if (isLeft(table, field, array, to - from)) {
        const open = () => openArray(options.override ?? source, host, options.override !== undefined, field, fields);
        later.set(field.name, fileRows(field, from, open));
      } else {
        const tensor = isWeightSource(source) ? array.name : undefined;
        loaded.set(field.name, convertField(table.file, field, array, await array.read(from, to), from, tensor));
      }
    }
    return { rows: to - from, fields: loaded, later };
  });
}

/**
 * Whether the rows of a field are left in the file: it stays with the host (`emit/stream.ts`), and is larger than memory ought to hold. Refuses what can neither be
 * held nor left (OPT607).
 */
function isLeft(
  table: RawTable,
  field: DataField & { readonly buffer?: string },
  array: RawArray,
  rows: number,
): boolean {
  const bytes = rows * rowSize(array.shape) * (field.storage === 'u8' ? 1 : 4);
  if (field.buffer === undefined && array.byRows && bytes > MAX_HELD_BYTES) return true;
  if (bytes > MAX_BYTES)
    tooLarge(
      table.file,
      `field ${quote(field.name)} takes ${bytes} bytes, at most ${MAX_BYTES} are held in memory`,
      array.byRows
        ? 'read it by batches alone on a device (batch b = D[64]): its rows then stay in the file. Or take fewer rows: "file"[0..10000]'
        : 'store it as plain npy, idx or safetensors, whose rows can stay in the file, or take fewer rows: "file"[0..10000]',
    );
  return false;
}

/** Opens a file once more for the rows of one field. */
async function openArray(
  source: string,
  host: DataHost,
  trusted: boolean,
  field: DataField,
  fields: readonly DataField[],
): Promise<OpenArray> {
  const file = await host.open(source, trusted);
  try {
    const table = await openTable(file, fields);
    return { file: table.file, array: arrayOf(table, field, fields), close: () => file.close() };
  } catch (cause) {
    await file.close();
    throw cause;
  }
}

async function withTable<T>(
  source: string,
  host: DataHost,
  options: SourceOptions,
  fields: readonly Pick<FieldRequest, 'row' | 'column'>[],
  use: (table: RawTable) => Promise<T>,
): Promise<T> {
  // A set given by the user (`--data train=digits:train`) is a set as well.
  const text = options.override ?? source;
  const named = await withNamed(text, host, options.override !== undefined, fields, use);
  if (named) return named.value;
  const folder = await host.list(text, options.override !== undefined, MAX_IMAGES);
  if (folder) {
    const texts = fields.some((f) => tokenColumn(f.column));
    return use(texts ? await openTexts(text, folder, fields) : await openImages(text, folder, host, fields));
  }
  const file = await host.open(text, options.override !== undefined).catch((cause: unknown) => {
    // A single word that is no file was rather meant as a set.
    if (cause instanceof SaddleError && cause.diagnostics[0].code === 'OPT601' && /^[\w-]+$/.test(text))
      unknownSet(text);
    throw cause;
  });
  try {
    return await use(await openTable(file, fields));
  } finally {
    await file.close();
  }
}

/** An array as a declared field takes it: integers as f32 if the field is f32, a row in the declared shape if it has as many numbers. */
function describeField(field: FieldRequest, array: RawArray): DataInfo['fields'][number] {
  const info = describeArray(field.name, array);
  const sameSize = field.row && safeProduct(field.row) === rowSize(array.shape);
  return {
    ...info,
    ...(field.dtype === 'f32' && info.dtype === 'i32' ? { dtype: 'f32', storage: 'f32' } : {}),
    ...(field.row && sameSize ? { shape: field.row } : {}),
  };
}

/** Bytes stay bytes on the device; integers of more than one number a row are measurements, single ones are classes or counts. */
function describeArray(name: string, array: RawArray): DataInfo['fields'][number] {
  const shape = array.shape.slice(1);
  const { scale } = array;
  if (array.numbers === 'byte' && (shape.length > 0 || scale !== 1))
    return { name, dtype: 'f32', shape, storage: 'u8', scale };
  const dtype = array.numbers === 'float' ? 'f32' : 'i32';
  return { name, dtype, shape, storage: dtype, scale };
}

function commonRows(table: RawTable, fields: readonly FieldRequest[]): number {
  const arrays = fields.map((field) => arrayOf(table, field, fields));
  const odd = arrays.findIndex((a) => a.shape[0] !== arrays[0].shape[0]);
  if (odd >= 0)
    fail(
      'OPT612',
      undefined,
      `${quote(table.file)}: field ${quote(fields[odd].name)} has ${arrays[odd].shape[0]} rows, field ${quote(fields[0].name)} has ${arrays[0].shape[0]}`,
      { hint: 'the fields of one declaration share their rows: row i of each belongs to example i' },
    );
  return arrays.length > 0 ? arrays[0].shape[0] : table.rows;
}

function checkShape(table: RawTable, field: DataField, array: RawArray, rows: number): void {
  if (field.type.shape[0] !== rows)
    fail(
      'OPT612',
      undefined,
      `${quote(table.file)} gives ${rows} rows, the program was compiled for ${field.type.shape[0]}`,
      {
        hint: 'the file changed since the program was compiled, or the declared row count or slice is another one',
      },
    );
  if (rowSize(field.type.shape) === rowSize(array.shape)) return;
  const show = (shape: readonly number[]) => `[${['*', ...shape.slice(1)].join(', ')}]`;
  fail(
    'OPT609',
    undefined,
    `field ${quote(field.name)} is declared ${field.type.dtype}${show(field.type.shape)}, ${quote(table.file)} holds ${show(array.shape)}`,
    { hint: `declare it as ${field.name}: ${field.type.dtype}${show(array.shape)}` },
  );
}
