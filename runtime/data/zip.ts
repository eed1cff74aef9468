/**
 * The part of the zip format that npz files use: the central directory is read from the end of the file, each entry is stored or
 * deflated, its CRC is checked. Encrypted, split and zip64 archives are refused; sizes are counted, not believed.
 */
import type { ByteSource } from './files.ts';
import { crc32 } from './crc32.ts';
import { inflate, inflatePrefix } from './inflate.ts';
import { MAX_BYTES, MAX_ENTRIES } from './limits.ts';
import { damaged, quote, tooLarge, unsupported } from './refusals.ts';

export interface ZipEntry {
  readonly name: string;
  /** Bytes of the content, as declared; checked by `read`. */
  readonly size: number;
  /** All of the content. */
  read(): Promise<Uint8Array>;
  /** At least the first `wanted` bytes (all where there are fewer), without the checksum. */
  readStart(wanted: number): Promise<Uint8Array>;
}

const END_RECORD = 0x06054b50;
const DIRECTORY_RECORD = 0x02014b50;
const LOCAL_RECORD = 0x04034b50;

/** Lists an archive. Throws OPT605 to OPT607. */
export async function openZip(file: ByteSource): Promise<ZipEntry[]> {
  const end = await findEnd(file);
  if (end.count === 0xffff || end.size === 0xffffffff || end.offset === 0xffffffff)
    unsupported(file.name, 'a zip64 archive', 'store the arrays in several npz files, or as plain npy files');
  if (end.count > MAX_ENTRIES) tooLarge(file.name, `it has ${end.count} entries, at most ${MAX_ENTRIES} are read`);
  if (end.offset + end.size > end.at)
    damaged(file.name, 'a directory within the file', `one that ends at byte ${end.offset + end.size}`);
  const bytes = await file.read(end.offset, end.size);
  if (bytes.length !== end.size) damaged(file.name, `a directory of ${end.size} bytes`, `${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const entries: ZipEntry[] = [];
  let at = 0;
  let total = 0;
  for (let i = 0; i < end.count; i++) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== DIRECTORY_RECORD)
      damaged(file.name, `${end.count} directory records`, `${i}`);
    const nameLength = view.getUint16(at + 28, true);
    const next = at + 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (next > bytes.length) damaged(file.name, 'a directory record', 'one that is cut off');
    const record: ZipRecord = {
      name: new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength)),
      flags: view.getUint16(at + 8, true),
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      packed: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      local: view.getUint32(at + 42, true),
    };
    total += record.size;
    if (total > MAX_BYTES) tooLarge(file.name, `its entries hold more than ${MAX_BYTES} bytes together`);
    entries.push(entry(file, record));
    at = next;
  }
  return entries;
}

interface ZipRecord {
  readonly name: string;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly local: number;
}

function entry(file: ByteSource, record: ZipRecord): ZipEntry {
  const what = `${file.name} (${record.name.slice(0, 80)})`;
  if (record.flags & 1)
    unsupported(file.name, `the encrypted entry ${quote(record.name)}`, 'store it without a password');
  if (record.method !== 0 && record.method !== 8)
    unsupported(
      file.name,
      `an entry compressed by method ${record.method}`,
      'numpy.savez and savez_compressed are both read',
    );
  if (record.packed === 0xffffffff || record.size === 0xffffffff || record.local === 0xffffffff)
    unsupported(file.name, `the entry ${quote(record.name)} of zip64 size`, 'store it as a plain npy file');
  if (record.method === 0 && record.packed !== record.size)
    damaged(what, `${record.size} stored bytes`, `${record.packed}`);
  const packed = async (limit: number) => {
    const head = await file.read(record.local, 30);
    const view = new DataView(head.buffer, head.byteOffset, head.length);
    if (head.length < 30 || view.getUint32(0, true) !== LOCAL_RECORD) damaged(what, 'a local record', 'other bytes');
    const start = record.local + 30 + view.getUint16(26, true) + view.getUint16(28, true);
    return file.read(start, Math.min(limit, record.packed));
  };
  return {
    name: record.name,
    size: record.size,
    read: async () => {
      const bytes = await packed(record.packed);
      if (bytes.length !== record.packed) damaged(what, `${record.packed} bytes`, `${bytes.length}`);
      const content = record.method === 0 ? bytes : inflate(what, bytes);
      if (content.length !== record.size) damaged(what, `${record.size} bytes of content`, `${content.length}`);
      if (crc32(content) !== record.crc) damaged(what, 'a matching checksum', 'another one');
      return content;
    },
    readStart: async (wanted) => {
      const bytes = await packed(wanted + 4096); // DEFLATE may expand incompressible bytes by a little
      return record.method === 0 ? bytes : inflatePrefix(what, bytes, wanted);
    },
  };
}

/** The end record stands in the last 22 bytes, or before a comment of at most 65,535 bytes. */
async function findEnd(file: ByteSource): Promise<{ at: number; count: number; size: number; offset: number }> {
  const length = Math.min(file.size, 22 + 65_535);
  const start = file.size - length;
  const tail = await file.read(start, length);
  const view = new DataView(tail.buffer, tail.byteOffset, tail.length);
  for (let at = tail.length - 22; at >= 0; at--) {
    if (view.getUint32(at, true) !== END_RECORD || at + 22 + view.getUint16(at + 20, true) !== tail.length) continue;
    if (view.getUint16(at + 4, true) !== 0 || view.getUint16(at + 6, true) !== 0)
      unsupported(file.name, 'one part of a split archive', 'join the parts first');
    return {
      at: start + at,
      count: view.getUint16(at + 10, true),
      size: view.getUint32(at + 12, true),
      offset: view.getUint32(at + 16, true),
    };
  }
  return damaged(file.name, 'the end record of a zip archive', 'none');
}
