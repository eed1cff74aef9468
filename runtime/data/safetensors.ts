/**
 * safetensors, read and written: a little-endian u64 header length, a JSON header, then the bytes of all tensors. The header is
 * checked in full before anything is taken from it: size cap, known types, overflow-checked shapes, and offsets that tile the
 * buffer exactly, without holes or overlaps. Used for data and for checkpoints.
 */
import type { ByteSource } from './files.ts';
import { decode, elementBytes, elementNumbers, type Element } from './elements.ts';
import { MAX_AXES, MAX_ENTRIES, MAX_SAFETENSORS_HEADER } from './limits.ts';
import { damaged, quote, tooLarge, unsupported } from './refusals.ts';
import { rowSize, safeProduct, type Numbers, type RawTable } from './table.ts';

const ELEMENTS: ReadonlyMap<string, Element> = new Map<string, Element>([
  ['F32', 'f4'],
  ['F64', 'f8'],
  ['I8', 'i1'],
  ['I16', 'i2'],
  ['I32', 'i4'],
  ['I64', 'i8'],
  ['U8', 'u1'],
  ['U16', 'u2'],
  ['U32', 'u4'],
  ['U64', 'u8'],
  ['BOOL', 'b1'],
]);

export interface SafetensorsEntry {
  readonly name: string;
  readonly element: Element;
  readonly shape: readonly number[];
  /** Byte range in the file. */
  readonly start: number;
  readonly end: number;
}
export interface SafetensorsHeader {
  readonly entries: readonly SafetensorsEntry[];
  readonly metadata: ReadonlyMap<string, string>;
}

/** Reads and checks the header. Throws OPT605 to OPT607. */
export async function readSafetensorsHeader(file: ByteSource): Promise<SafetensorsHeader> {
  const start = await file.read(0, 8);
  if (start.length < 8) damaged(file.name, 'a header length of 8 bytes', `${start.length} bytes`);
  const length = Number(new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true));
  if (length > MAX_SAFETENSORS_HEADER)
    tooLarge(file.name, `its header declares ${length} bytes, at most ${MAX_SAFETENSORS_HEADER} are read`);
  if (8 + length > file.size) damaged(file.name, `a header of ${length} bytes`, `${file.size - 8} bytes in all`);
  const bytes = await file.read(8, length);
  if (bytes.length !== length) damaged(file.name, `a header of ${length} bytes`, `${bytes.length}`);
  return checkHeader(file.name, parseJson(file.name, bytes), 8 + length, file.size);
}

function parseJson(file: string, bytes: Uint8Array): Record<string, unknown> {
  if (bytes[0] !== 0x7b) damaged(file, "a header that starts with '{'", 'other bytes');
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (isRecord(value)) return value;
  } catch (cause) {
    damaged(file, 'a JSON header', cause instanceof Error ? cause.message.slice(0, 120) : 'other text');
  }
  return damaged(file, 'a JSON object as header', 'another value');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkHeader(file: string, json: Record<string, unknown>, base: number, size: number): SafetensorsHeader {
  const entries: SafetensorsEntry[] = [];
  const metadata = new Map<string, string>();
  const names = Object.keys(json);
  if (names.length > MAX_ENTRIES) tooLarge(file, `it has ${names.length} tensors, at most ${MAX_ENTRIES} are read`);
  for (const name of names) {
    const value = json[name];
    if (!isRecord(value)) damaged(file, `a record for ${quote(name)}`, typeof value);
    if (name === '__metadata__') {
      for (const [key, text] of Object.entries(value)) {
        if (typeof text !== 'string') damaged(file, `a text as metadata ${quote(key)}`, typeof text);
        metadata.set(key, text);
      }
    } else entries.push(checkEntry(file, name, value, base, size));
  }
  entries.sort((a, b) => a.start - b.start || a.end - b.end);
  let at = base;
  for (const e of entries) {
    if (e.start !== at) damaged(file, `tensor ${quote(e.name)} at byte ${at}`, `byte ${e.start}: a hole or an overlap`);
    at = e.end;
  }
  if (at !== size) damaged(file, `${at} bytes`, `${size} bytes`);
  return { entries, metadata };
}

function checkEntry(
  file: string,
  name: string,
  value: Record<string, unknown>,
  base: number,
  size: number,
): SafetensorsEntry {
  const { dtype, shape, data_offsets: offsets } = value;
  const whole = (list: unknown): list is number[] =>
    Array.isArray(list) && list.every((n) => typeof n === 'number' && Number.isSafeInteger(n) && n >= 0);
  if (typeof dtype !== 'string') return damaged(file, `a dtype of ${quote(name)}`, typeof dtype);
  const element = ELEMENTS.get(dtype);
  if (element === undefined)
    return unsupported(
      file,
      `the tensor ${quote(name)} of type ${quote(dtype)}`,
      'convert it to F32 or I32 before saving',
    );
  if (!whole(shape) || shape.length > MAX_AXES) return damaged(file, `a shape of ${quote(name)}`, 'none that is legal');
  if (!whole(offsets) || offsets.length !== 2 || offsets[0] > offsets[1] || base + offsets[1] > size)
    return damaged(
      file,
      `data offsets of ${quote(name)} within the file`,
      JSON.stringify(offsets)?.slice(0, 80) ?? 'none',
    );
  const count = safeProduct(shape);
  const bytes = count === undefined ? undefined : count * elementBytes(element);
  if (bytes !== offsets[1] - offsets[0])
    return damaged(
      file,
      `${offsets[1] - offsets[0]} bytes of ${quote(name)} (its offsets)`,
      `${shape.join(' x ')} ${dtype}`,
    );
  return { name, element, shape, start: base + offsets[0], end: base + offsets[1] };
}

/** Values of one tensor of the file. */
export async function readTensor(file: ByteSource, entry: SafetensorsEntry): Promise<Numbers> {
  const bytes = await file.read(entry.start, entry.end - entry.start);
  if (bytes.length !== entry.end - entry.start)
    damaged(file.name, `${entry.end - entry.start} bytes of ${quote(entry.name)}`, `${bytes.length}`);
  return decode(file.name, bytes, entry.element, true);
}

/** A safetensors file as data: each tensor is a field, its first axis the rows; a number of its own is one row. */
export async function openSafetensors(file: ByteSource): Promise<RawTable> {
  const { entries } = await readSafetensorsHeader(file);
  const arrays = entries.map((e) => {
    const shape = e.shape.length > 0 ? e.shape : [1];
    const stride = rowSize(shape) * elementBytes(e.element);
    return {
      name: e.name,
      numbers: elementNumbers(e.element),
      shape,
      scale: 1,
      byRows: true,
      read: (from: number, to: number) =>
        readTensor(file, { ...e, start: e.start + from * stride, end: e.start + to * stride }),
    };
  });
  if (arrays.length === 0) damaged(file.name, 'at least one tensor', 'none');
  const whole = entries.find((e) => e.shape.length > 0);
  return { file: file.name, rows: whole?.shape[0] ?? 1, arrays, anonymous: false };
}

export interface SafetensorsTensor {
  readonly values: Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array;
  readonly shape: readonly number[];
}

/**
 * The bytes of a safetensors file, in the order of the map, as pieces to be written one after the other (so that a writer need not
 * hold a second copy). The header is padded so that the tensors start at a multiple of 8.
 */
export function safetensorsPieces(
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  const header: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) header.push(['__metadata__', metadata]);
  const pieces: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { values, shape }] of tensors) {
    const end = offset + values.byteLength;
    header.push([name, { dtype: dtypeOf(values), shape, data_offsets: [offset, end] }]);
    pieces.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    offset = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const padded = Math.ceil(json.length / 8) * 8;
  const start = new Uint8Array(8 + padded).fill(0x20);
  new DataView(start.buffer).setBigUint64(0, BigInt(padded), true);
  start.set(json, 8);
  return [start, ...pieces];
}

/** A whole safetensors file in memory. */
export function writeSafetensors(
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const pieces = safetensorsPieces(tensors, metadata);
  const file = new Uint8Array(pieces.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const piece of pieces) {
    file.set(piece, at);
    at += piece.length;
  }
  return file;
}

function dtypeOf(values: SafetensorsTensor['values']): string {
  if (values instanceof Float32Array) return 'F32';
  if (values instanceof Float64Array) return 'F64';
  if (values instanceof Int32Array) return 'I32';
  return values instanceof Uint32Array ? 'U32' : 'U8';
}
