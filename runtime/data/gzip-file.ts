/**
 * A gzip file as the byte source of its content. Headers are read from a decompressed start of it; the whole is decompressed, once and with its checksum
 * verified, when more is asked for. Until then the size is what the file's trailer says; the whole must then agree.
 */
import { readAll, type ByteSource } from './files.ts';
import { gunzip, gunzipPrefix } from './inflate.ts';
import { damaged } from './refusals.ts';

/** Compressed bytes that are tried for a header: enough for an npy header of the largest size that is read. */
const START = 1 << 17;

export async function openGzip(file: ByteSource): Promise<ByteSource> {
  const trailer = await file.read(Math.max(0, file.size - 4), 4);
  if (file.size < 18 || trailer.length < 4) damaged(file.name, 'a gzip file', `${file.size} bytes`);
  const size = new DataView(trailer.buffer, trailer.byteOffset, 4).getUint32(0, true);
  let whole: Promise<Uint8Array> | undefined;
  return {
    name: file.name,
    size,
    whole: true,
    read: async (offset, length) => {
      const end = Math.min(size, offset + length);
      if (!whole && file.size > START && end <= START) {
        const start = gunzipPrefix(file.name, await file.read(0, START), end);
        if (start.length >= end) return start.subarray(offset, end);
      }
      whole ??= readAll(file).then((bytes) => gunzip(file.name, bytes));
      return (await whole).subarray(offset, end);
    },
    close: () => file.close(),
    sibling: file.sibling,
  };
}
