/**
 * Arrow IPC files and streams (Feather version 2), by the library flechette. The file is read whole: its buffers then serve as they are. Lengths that a record
 * batch claims are checked when its values are taken, and nothing is reserved for them before.
 */
import {
  CompressionType,
  setCompressionCodec,
  tableFromIPC,
  Type,
  type Column,
  type DataType,
} from '@uwdata/flechette';
import { SaddleError } from '../../compiler/diagnostics/diagnostic.ts';
import { bufferCodecs } from './codecs.ts';
import { columnarTable, flatLists, isList, plainNumbers, type TypedColumn } from './columnar.ts';
import { readAll, type ByteSource } from './files.ts';
import { checkExpansion, damaged, quote, unsupported } from './refusals.ts';
import type { RawTable } from './table.ts';

const MAGIC = 'ARROW1';

/** True for the first bytes of an Arrow file (streams have no mark). */
export function isArrow(start: Uint8Array): boolean {
  return textOf(start.subarray(0, 6)) === MAGIC;
}

/** Opens an Arrow file or stream. Throws OPT605 to OPT607; a column without numbers is refused by the field that takes it (OPT614). */
export async function openArrow(file: ByteSource): Promise<RawTable> {
  const bytes = await readAll(file);
  if (textOf(bytes.subarray(0, 4)) === 'FEA1')
    unsupported(file.name, 'Feather version 1', 'write it again: pandas and pyarrow write version 2');
  if (isArrow(bytes) && textOf(bytes.subarray(-6)) !== MAGIC)
    damaged(file.name, `${MAGIC} at its end, as Arrow files have`, 'other bytes');
  // The end mark is optional in the format, but a stream without it cannot be told from one that broke off between two batches.
  if (!isArrow(bytes) && !endsStream(bytes))
    damaged(
      file.name,
      'the end mark of an Arrow stream',
      'other bytes',
      'close the writer of the stream, or write an Arrow file',
    );
  return explained(file.name, () => {
    const { lz4, zstd } = bufferCodecs(file.name);
    const noEncoder = (): never => {
      throw new Error('nothing is compressed here');
    };
    // Codecs are global in the library; it decompresses within this call.
    setCompressionCodec(CompressionType.LZ4_FRAME, { decode: lz4, encode: noEncoder });
    setCompressionCodec(CompressionType.ZSTD, { decode: zstd, encode: noEncoder });
    // The library asks for typed arrays over the buffers, which must be aligned: those of a file are, from its start.
    const table = tableFromIPC(aligned(bytes), { useBigInt: true, useBigIntTimestamp: true });
    const rows = table.numRows;
    if (table.children.length === 0) damaged(file.name, 'at least one column', 'none');
    checkExpansion(file.name, Math.max(file.size, 2 ** 20), rows);
    return columnarTable(
      file.name,
      rows,
      table.children.map((column, i) => columnOf(file.name, table.names[i] as string, column, rows)),
    );
  });
}

function columnOf(file: string, name: string, column: Column<unknown>, rows: number): TypedColumn {
  const { type } = column;
  if (column.length !== rows) damaged(file, `${rows} rows of column ${quote(name)}`, `${column.length}`);
  const list = type.typeId === Type.FixedSizeList || type.typeId === Type.List || type.typeId === Type.LargeList;
  const kind = kindOf(list ? type.children[0].type : type);
  if (!list || typeof kind === 'object' || rows === 0)
    return { name, kind, read: async (a, b) => plainNumbers(file, name, take(file, name, column, a, b)) };
  const [first] = explained(file, () => take(file, name, column, 0, 1));
  const width = isList(first) ? first.length : 0;
  if (width === 0) return { name, kind: { not: 'lists, of which the first is empty' }, read: noNumbers };
  return { name, kind, width, read: async (a, b) => flatLists(file, name, width, take(file, name, column, a, b), a) };
}

const noNumbers = async (): Promise<Float64Array> => new Float64Array(0); // never asked for: the column is refused

function kindOf(type: DataType): TypedColumn['kind'] {
  switch (type.typeId) {
    case Type.Float:
      return 'float';
    case Type.Int:
    case Type.Bool:
      return 'integer';
    case Type.Dictionary:
    case Type.Utf8:
    case Type.LargeUtf8:
    case Type.Utf8View:
      return { not: 'texts' };
    case Type.Date:
    case Type.Time:
    case Type.Timestamp:
    case Type.Duration:
      return { not: 'times' };
    default:
      return { not: 'values of another kind' };
  }
}

/** Values of the rows from <= r < to: null where missing, never undefined. */
function take(file: string, name: string, column: Column<unknown>, from: number, to: number): unknown[] {
  return explained(file, () => {
    const values: unknown[] = [];
    let first = 0;
    for (const batch of column.data) {
      const end = Math.min(to, first + batch.length);
      for (let row = Math.max(from, first); row < end; row++) {
        const value = batch.at(row - first);
        // The library reads past the end of a buffer that is too short.
        if (value === undefined || hasHole(value))
          damaged(file, `${batch.length} values in a batch of column ${quote(name)}`, `${row - first}`);
        values.push(value);
      }
      first += batch.length;
    }
    return values;
  });
}

function hasHole(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  for (let i = 0; i < value.length; i++) if (value[i] === undefined) return true;
  return false;
}

/** What the library throws is about damaged bytes: it comes out as OPT605. */
function explained<T>(file: string, use: () => T): T {
  try {
    return use();
  } catch (cause) {
    if (cause instanceof SaddleError) throw cause;
    return damaged(file, 'Arrow data', cause instanceof Error ? cause.message.slice(0, 160) : 'other bytes');
  }
}

function aligned(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
}

/** A continuation mark and a length of zero. */
function endsStream(bytes: Uint8Array): boolean {
  const end = bytes.subarray(-8);
  return end.length === 8 && end.every((b, i) => b === (i < 4 ? 255 : 0));
}

function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
