/**
 * Apache Parquet. The library hyparquet reads the footer; the pages of columns of numbers, and of lists of numbers of one length, are decoded by
 * `parquet-pages.ts`. A column is read by row groups.
 */
import { parquetMetadataAsync, parquetSchema, type FileMetaData, type SchemaTree } from 'hyparquet';
import { SaddleError } from '../../compiler/diagnostics/diagnostic.ts';
import { columnarTable, refuseLength, type TypedColumn } from './columnar.ts';
import type { ByteSource } from './files.ts';
import { MAX_TABLE_FOOTER } from './limits.ts';
import { readChunk, type ChunkValues, type Leaf } from './parquet-pages.ts';
import { damaged, quote, tooLarge } from './refusals.ts';
import type { RawTable } from './table.ts';

/** What the columns of one file share. */
interface Open {
  readonly file: ByteSource;
  readonly metadata: FileMetaData;
}

/** Opens a parquet file. Throws OPT605 to OPT607; a column without numbers is refused by the field that takes it (OPT614). */
export async function openParquet(file: ByteSource): Promise<RawTable> {
  const footer = await checkFooter(file);
  return explained(file.name, async () => {
    const metadata = await parquetMetadataAsync(
      {
        byteLength: file.size,
        slice: async (start, end = file.size) => (await file.read(start, end - start)).slice().buffer as ArrayBuffer,
      },
      { initialFetchSize: footer, geoparquet: false },
    );
    const rows = checkRows(file, metadata);
    const open = { file, metadata };
    const columns: TypedColumn[] = [];
    for (const tree of parquetSchema(metadata).children) columns.push(await column(open, tree));
    return columnarTable(file.name, rows, columns);
  });
}

/** Checks the last 8 bytes, the length of the footer and PAR1, and the footer's bytes; returns the bytes from the footer to the end. */
async function checkFooter(file: ByteSource): Promise<number> {
  const end = await file.read(Math.max(0, file.size - 8), 8);
  if (file.size < 12 || end.length < 8 || String.fromCharCode(...end.subarray(4)) !== 'PAR1')
    damaged(file.name, 'PAR1 at its end, as parquet files have', 'other bytes');
  const length = new DataView(end.buffer, end.byteOffset, 8).getUint32(0, true);
  if (length + 12 > file.size) damaged(file.name, `a footer of ${length} bytes`, `${file.size} bytes in all`);
  if (length > MAX_TABLE_FOOTER)
    tooLarge(file.name, `its footer has ${length} bytes, at most ${MAX_TABLE_FOOTER} are read`);
  // The library reads numbers of any length, in time that grows with its square.
  let run = 0;
  for (const byte of await file.read(file.size - 8 - length, length)) {
    run = byte >= 0x80 ? run + 1 : 0;
    if (run > 2 ** 14) damaged(file.name, 'a footer', 'a number without end');
  }
  return length + 8;
}

function checkRows(file: ByteSource, metadata: FileMetaData): number {
  const rows = Number(metadata.num_rows);
  const inGroups = metadata.row_groups.reduce((sum, g) => sum + Number(g.num_rows), 0);
  if (!Number.isSafeInteger(rows) || rows < 0 || inGroups !== rows || metadata.row_groups.some((g) => g.num_rows < 0n))
    damaged(file.name, `${rows} rows in its groups`, `${inGroups}`);
  return rows;
}

async function column(open: Open, tree: SchemaTree): Promise<TypedColumn> {
  const { name } = tree.element;
  const leaf = leafOf(tree);
  const kind = leaf ? kindOf(leaf) : { not: 'records' };
  const none = async () => new Float64Array(0); // never asked for: such a column is refused
  if (!leaf || typeof kind === 'object') return { name, kind, read: none };
  if (leaf.listed === undefined || open.metadata.row_groups.length === 0)
    return { name, kind, read: readerOf(open, name, leaf, undefined) };
  // A column of lists: their length is that of the first.
  const { starts } = await readGroup(open, name, leaf, 0);
  const width = starts && starts.length > 1 ? starts[1] - starts[0] : 0;
  if (width === 0) return { name, kind: { not: 'lists, of which the first is empty' }, read: none };
  return { name, kind, width, read: readerOf(open, name, leaf, width) };
}

/** The leaf of a column of numbers or of (three-level or two-level) lists of numbers, with its levels; undefined for other shapes. */
function leafOf(tree: SchemaTree): Leaf | undefined {
  const optional = (t: SchemaTree) => (t.element.repetition_type === 'OPTIONAL' ? 1 : 0);
  if (tree.children.length === 0)
    return tree.element.repetition_type === 'REPEATED' ? undefined : { element: tree.element, defined: optional(tree) };
  const [repeated] = tree.children;
  const isList = tree.element.converted_type === 'LIST' || tree.element.logical_type?.type === 'LIST';
  if (!isList || tree.children.length !== 1 || repeated.element.repetition_type !== 'REPEATED') return undefined;
  const listed = optional(tree) + 1;
  if (repeated.children.length === 0) return { element: repeated.element, defined: listed, listed };
  const [leaf] = repeated.children;
  if (repeated.children.length > 1 || leaf.children.length > 0 || leaf.element.repetition_type === 'REPEATED')
    return undefined;
  return { element: leaf.element, defined: listed + optional(leaf), listed };
}

function kindOf({ element }: Leaf): TypedColumn['kind'] {
  const logical = element.logical_type?.type ?? element.converted_type;
  if (logical !== undefined && logical !== 'INTEGER' && !/^U?INT_/.test(logical))
    return { not: /^(STRING|UTF8|JSON|ENUM)$/.test(logical) ? 'texts' : `${logical.toLowerCase()} values` };
  switch (element.type) {
    case 'FLOAT':
    case 'DOUBLE':
      return 'float';
    case 'BOOLEAN':
    case 'INT32':
    case 'INT64':
      return 'integer';
    default:
      return { not: 'bytes' };
  }
}

/** Reads rows by row groups; the last group decoded is kept, since rows are read in pieces. */
function readerOf(open: Open, name: string, leaf: Leaf, width: number | undefined) {
  let last: { readonly group: number; readonly numbers: Promise<Float64Array> } | undefined;
  const decode = async (group: number, firstRow: number): Promise<Float64Array> => {
    const found = await readGroup(open, name, leaf, group);
    return width === undefined ? found.values : ofWidth(found, open, name, width, firstRow);
  };
  return (from: number, to: number): Promise<Float64Array> =>
    explained(open.file.name, async () => {
      const each = width ?? 1;
      const result = new Float64Array((to - from) * each);
      let first = 0;
      for (const [group, { num_rows }] of open.metadata.row_groups.entries()) {
        const end = first + Number(num_rows);
        const [a, b] = [Math.max(from, first), Math.min(to, end)];
        if (a < b) {
          if (last?.group !== group) last = { group, numbers: decode(group, first) };
          const numbers = await last.numbers;
          result.set(numbers.subarray((a - first) * each, (b - first) * each), (a - from) * each);
        }
        first = end;
      }
      return result;
    });
}

/** A column in one row group. */
async function readGroup(open: Open, name: string, leaf: Leaf, group: number): Promise<ChunkValues> {
  const { num_rows: rows, columns } = open.metadata.row_groups[group];
  const chunk = columns.find((c) => c.meta_data?.path_in_schema[0] === name)?.meta_data;
  if (!chunk) return damaged(open.file.name, `the column ${quote(name)} in every row group`, `none in group ${group}`);
  return readChunk(open.file, chunk, leaf, Number(rows));
}

/** The lists of a chunk one after the other, if each has `width` numbers; else refused (OPT614). */
function ofWidth(
  { values, starts }: ChunkValues,
  open: Open,
  name: string,
  width: number,
  first: number,
): Float64Array {
  if (!starts) return values;
  for (let row = 0; row + 1 < starts.length; row++) {
    const length = starts[row + 1] - starts[row];
    if (length !== width) refuseLength(open.file.name, name, first + row, length, width);
  }
  return values;
}

/** What a decoder throws is about damaged bytes: it comes out as OPT605. */
async function explained<T>(file: string, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (cause) {
    if (cause instanceof SaddleError) throw cause;
    return damaged(file, 'a parquet file', cause instanceof Error ? cause.message.slice(0, 160) : 'other bytes');
  }
}
