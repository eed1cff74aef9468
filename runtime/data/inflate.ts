/**
 * DEFLATE with its output counted while it is produced, so that a decompression bomb stops at the cap and not at the end of memory.
 * Sizes that a file declares about itself are never trusted.
 */
import { Gunzip, Inflate } from 'fflate';
import { SaddleError } from '../../compiler/diagnostics/diagnostic.ts';
import { crc32 } from './crc32.ts';
import { MAX_BYTES, MAX_RATIO, RATIO_FREE_BYTES } from './limits.ts';
import { isGzip } from './magic.ts';
import { bomb, damaged } from './refusals.ts';

/** Compressed bytes handed to the decompressor at once: bounds how far past a cap its output can run (by 1032 times this). */
const PIECE = 16_384;

interface Stream {
  push(piece: Uint8Array, final: boolean): void;
}
type MakeStream = (emit: (chunk: Uint8Array) => void) => Stream;

/**
 * Runs a decompressor over `compressed`. With `prefix`, stops once that many bytes are out (the content may then be longer);
 * without, the compressed stream must end with its bytes.
 */
function run(file: string, compressed: Uint8Array, make: MakeStream, prefix?: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  let produced = 0;
  const stream = make((chunk) => {
    chunks.push(chunk);
    produced += chunk.length;
    if (produced > MAX_BYTES || (produced > RATIO_FREE_BYTES && produced > compressed.length * MAX_RATIO))
      bomb(file, compressed.length, produced);
  });
  try {
    for (let at = 0; at < compressed.length || at === 0; at += PIECE) {
      stream.push(compressed.subarray(at, at + PIECE), at + PIECE >= compressed.length);
      if (prefix !== undefined && produced >= prefix) break;
    }
  } catch (cause) {
    if (cause instanceof SaddleError) throw cause;
    damaged(file, 'compressed data', cause instanceof Error ? cause.message : 'garbage');
  }
  return join(chunks, produced);
}

function join(chunks: readonly Uint8Array[], size: number): Uint8Array {
  if (chunks.length === 1) return chunks[0];
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** Content of a gzip file of one member, with its length and CRC checked. Throws OPT605, OPT607. */
export function gunzip(file: string, compressed: Uint8Array): Uint8Array {
  if (!isGzip(compressed) || compressed.length < 18) damaged(file, 'a gzip file', `${compressed.length} other bytes`);
  const content = run(file, compressed, (emit) => new Gunzip((chunk) => emit(chunk)));
  const trailer = new DataView(compressed.buffer, compressed.byteOffset + compressed.length - 8, 8);
  if (trailer.getUint32(4, true) !== content.length % 2 ** 32)
    damaged(file, `${trailer.getUint32(4, true)} bytes of content (gzip trailer)`, `${content.length} bytes`);
  if (trailer.getUint32(0, true) !== crc32(content)) damaged(file, 'a matching gzip checksum', 'another one');
  return content;
}

/** At least the first `wanted` bytes of a gzip file's content, from the first bytes of the file (as far as they go); unchecked. */
export function gunzipPrefix(file: string, start: Uint8Array, wanted: number): Uint8Array {
  if (!isGzip(start) || start.length < 18) damaged(file, 'a gzip file', `${start.length} other bytes`);
  // The stream is not told that it ends, so that a start alone is no error.
  return run(
    file,
    start,
    (emit) => {
      const stream = new Gunzip((chunk) => emit(chunk));
      return { push: (piece) => stream.push(piece, false) };
    },
    wanted,
  );
}

/** Content of a raw DEFLATE stream (an entry of a zip archive). */
export function inflate(file: string, compressed: Uint8Array): Uint8Array {
  return run(file, compressed, (emit) => new Inflate((chunk) => emit(chunk)));
}

/** At least the first `wanted` bytes of a raw DEFLATE stream. */
export function inflatePrefix(file: string, start: Uint8Array, wanted: number): Uint8Array {
  return run(
    file,
    start,
    (emit) => {
      const stream = new Inflate((chunk) => emit(chunk));
      return { push: (piece) => stream.push(piece, false) };
    },
    wanted,
  );
}
