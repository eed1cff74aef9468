/**
 * The pages of a parquet column of numbers, or of lists of numbers (format: github.com/apache/parquet-format, Encodings.md and parquet.thrift). The footer and
 * the page headers are read by hyparquet; the pages are decoded here, because a page of a hostile file can keep a decoder that believes it busy for ever:
 * every run, level and size is bounded by the number of values that the footer gives.
 */
import type { ColumnMetaData, PageHeader, SchemaElement } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { pageCodecs } from './codecs.ts';
import type { ByteSource } from './files.ts';
import { bitsOf, deltas, hybrid, Reader } from './parquet-encodings.ts';
import { checkExpansion, damaged, quote, unsupported } from './refusals.ts';

/** How the leaf of a column lies in its schema. */
export interface Leaf {
  readonly element: SchemaElement;
  /** Level at which a value is there; below it, the value or its list is missing. */
  readonly defined: number;
  /** For lists: the level at which an element is there, be it null. Absent for plain columns. */
  readonly listed?: number;
}

/** Values of a column chunk, one after the other, missing ones NaN; for lists also where each row's begin (`rows + 1` numbers). */
export interface ChunkValues {
  readonly values: Float64Array;
  readonly starts?: Uint32Array;
}

/** Decodes a column chunk. Throws OPT605 to OPT607. */
export async function readChunk(
  file: ByteSource,
  chunk: ColumnMetaData,
  leaf: Leaf,
  rows: number,
): Promise<ChunkValues> {
  const { values: count, start, size } = checkChunk(file, chunk, leaf, rows);
  const reader = new Reader(await file.read(start, size));
  const sink = new Sink(file.name, count, rows, leaf);
  let dictionary: Float64Array | undefined;
  let unpacked = 0;
  while (sink.filled < count) {
    const view = { view: reader.view, offset: reader.at };
    const header = parquetHeader(view);
    reader.at = view.offset;
    const packed = reader.take(header.compressed_page_size);
    unpacked += header.uncompressed_page_size;
    checkExpansion(file.name, size, unpacked);
    if (header.dictionary_page_header) {
      const page = new Reader(unpack(file.name, chunk, packed, header.uncompressed_page_size));
      dictionary = plain(page, header.dictionary_page_header.num_values, leaf.element);
    } else readPage({ file: file.name, chunk, leaf, header, packed, dictionary, sink });
  }
  return sink.finish();
}

/** What the footer says of a chunk, checked: values, first byte and bytes. */
function checkChunk(file: ByteSource, chunk: ColumnMetaData, leaf: Leaf, rows: number) {
  if (chunk.codec !== 'UNCOMPRESSED' && !Object.hasOwn(pageCodecs(file.name), chunk.codec))
    unsupported(
      file.name,
      `pages compressed by ${chunk.codec}`,
      'write it with snappy, zstd, gzip, lz4_raw or without compression',
    );
  const values = Number(chunk.num_values);
  const start = Number(chunk.dictionary_page_offset || chunk.data_page_offset);
  const size = Number(chunk.total_compressed_size);
  const few = leaf.listed === undefined ? values !== rows : values < rows;
  if (few || !Number.isSafeInteger(values)) damaged(file.name, `${rows} rows in a column`, `${values} values`);
  if (!(start >= 4) || !(size >= 0) || start + size > file.size)
    damaged(file.name, 'a column within the file', `one at bytes ${start} to ${start + size}`);
  // Runs of one value compress without bound, so that the sizes of pages do not bound their values.
  checkExpansion(file.name, Math.max(file.size, 2 ** 20), 8 * values);
  return { values, start, size };
}

function unpack(file: string, chunk: ColumnMetaData, packed: Uint8Array, size: number): Uint8Array {
  if (chunk.codec === 'UNCOMPRESSED') return packed;
  return pageCodecs(file)[chunk.codec as keyof ReturnType<typeof pageCodecs>](packed, size);
}

interface Page {
  readonly file: string;
  readonly chunk: ColumnMetaData;
  readonly leaf: Leaf;
  readonly header: PageHeader;
  readonly packed: Uint8Array;
  readonly dictionary: Float64Array | undefined;
  readonly sink: Sink;
}

/** A data page: levels of repetition and of definition, then the values that are there. */
function readPage({ file, chunk, leaf, header, packed, dictionary, sink }: Page): void {
  const head = header.data_page_header ?? header.data_page_header_v2;
  if (!head) return damaged(file, 'a data page', quote(String(header.type)));
  const count = head.num_values;
  if (!(count >= 0) || sink.filled + count > sink.count)
    return damaged(file, `${sink.count} values in a column`, `${sink.filled + count}`);
  const v2 = header.data_page_header_v2;
  const lists = leaf.listed !== undefined;
  let repeated: Uint32Array | undefined;
  let defined: Uint32Array | undefined;
  let body: Reader;
  if (v2) {
    const reader = new Reader(packed);
    const repetition = new Reader(reader.take(v2.repetition_levels_byte_length));
    const definition = new Reader(reader.take(v2.definition_levels_byte_length));
    if (lists) repeated = hybrid(repetition, 1, count);
    if (leaf.defined > 0) defined = hybrid(definition, bitsOf(leaf.defined), count);
    const rest = reader.rest();
    const size = header.uncompressed_page_size - (packed.length - rest.length);
    body = new Reader(v2.is_compressed && rest.length > 0 ? unpack(file, chunk, rest, size) : rest);
  } else {
    body = new Reader(unpack(file, chunk, packed, header.uncompressed_page_size));
    if (lists) repeated = hybrid(new Reader(body.take(body.u32())), 1, count);
    if (leaf.defined > 0) defined = hybrid(new Reader(body.take(body.u32())), bitsOf(leaf.defined), count);
  }
  const present = defined ? defined.reduce((n, d) => n + (d === leaf.defined ? 1 : 0), 0) : count;
  sink.add(count, repeated, defined, pageValues(file, body, head.encoding, present, leaf.element, dictionary));
}

/** The values of a page that are there. */
function pageValues(
  file: string,
  body: Reader,
  encoding: string,
  count: number,
  element: SchemaElement,
  dictionary: Float64Array | undefined,
): Float64Array {
  switch (encoding) {
    case 'PLAIN':
      return plain(body, count, element);
    case 'PLAIN_DICTIONARY':
    case 'RLE_DICTIONARY': {
      if (count === 0) return new Float64Array(0);
      const indices = hybrid(body, body.u8(), count);
      if (!dictionary) return damaged(file, 'a dictionary before the pages that use it', 'none');
      return Float64Array.from(indices, (i) => (i < dictionary.length ? dictionary[i] : outside(file, i)));
    }
    case 'RLE':
      return Float64Array.from(hybrid(new Reader(body.take(body.u32())), 1, count));
    case 'BYTE_STREAM_SPLIT':
      return plain(new Reader(body.unsplit(count, widthOf(element))), count, element);
    case 'DELTA_BINARY_PACKED':
      return toNumbers(element, deltas(body, count, element.type === 'INT32' ? 32 : 64));
    default:
      return unsupported(file, `numbers in the encoding ${encoding}`, 'write it with plain or dictionary encoding');
  }
}

function outside(file: string, index: number): never {
  return damaged(file, 'an entry of the dictionary', `number ${index}`);
}

function widthOf(element: SchemaElement): number {
  return element.type === 'INT64' || element.type === 'DOUBLE' ? 8 : 4;
}

/** Numbers one after the other, booleans as bits. */
function plain(reader: Reader, count: number, element: SchemaElement): Float64Array {
  if (element.type === 'BOOLEAN') {
    const bytes = reader.take(Math.ceil(count / 8));
    return Float64Array.from({ length: count }, (_, i) => (bytes[i >> 3] >> (i & 7)) & 1);
  }
  const bytes = reader.take(count * widthOf(element)).slice();
  if (element.type === 'FLOAT') return Float64Array.from(new Float32Array(bytes.buffer, 0, count));
  if (element.type === 'DOUBLE') return new Float64Array(bytes.buffer, 0, count);
  return toNumbers(
    element,
    element.type === 'INT32' ? new Int32Array(bytes.buffer, 0, count) : new BigInt64Array(bytes.buffer, 0, count),
  );
}

/** Integers as float64; unsigned ones are stored in the bits of signed ones. Throws where a 64-bit integer is not exact. */
function toNumbers(element: SchemaElement, stored: Int32Array | BigInt64Array): Float64Array {
  const { logical_type: logical, converted_type: converted } = element;
  const unsigned = converted?.startsWith('UINT') || (logical?.type === 'INTEGER' && !logical.isSigned);
  if (stored instanceof Int32Array) return Float64Array.from(stored, (v) => (unsigned ? v >>> 0 : v));
  const numbers = new Float64Array(stored.length);
  for (let i = 0; i < stored.length; i++) {
    const exact = unsigned ? BigInt.asUintN(64, stored[i]) : stored[i];
    numbers[i] = Number(exact);
    if (!Number.isSafeInteger(numbers[i]))
      throw new Error(`the 64-bit integer ${exact}: beyond 2^53 integers are not exact here`);
  }
  return numbers;
}

/** Collects the values of the pages, with NaN where there is none. */
class Sink {
  filled = 0;
  readonly count: number;
  private readonly file: string;
  private readonly leaf: Leaf;
  private readonly values: Float64Array;
  private readonly starts: Uint32Array | undefined;
  private readonly rows: number;
  private row = 0;
  private elements = 0;

  constructor(file: string, count: number, rows: number, leaf: Leaf) {
    this.file = file;
    this.count = count;
    this.rows = rows;
    this.leaf = leaf;
    this.values = new Float64Array(count);
    this.starts = leaf.listed === undefined ? undefined : new Uint32Array(rows + 1);
  }

  add(count: number, repeated: Uint32Array | undefined, defined: Uint32Array | undefined, present: Float64Array): void {
    const { leaf, values, starts } = this;
    let next = 0;
    for (let i = 0; i < count; i++) {
      const level = defined ? defined[i] : leaf.defined;
      if (starts && repeated?.[i] === 0) {
        if (this.row === this.rows) damaged(this.file, `${this.rows} lists in a column`, 'more');
        starts[this.row++] = this.elements;
      }
      // An empty or missing list has an entry and no element.
      if (leaf.listed !== undefined && level < leaf.listed) continue;
      values[this.elements++] = level === leaf.defined ? present[next++] : NaN;
    }
    this.filled += count;
  }

  finish(): ChunkValues {
    const { starts } = this;
    if (!starts) return { values: this.values };
    if (this.row !== this.rows) damaged(this.file, `${this.rows} lists in a column`, `${this.row}`);
    starts[this.rows] = this.elements;
    return { values: this.values.subarray(0, this.elements), starts };
  }
}
