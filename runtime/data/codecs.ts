/**
 * Decompression of the pages of parquet files and the buffers of Arrow files. Each says how long its content is; what comes out is counted against that and
 * against the caps of `limits.ts`, so that a declared size is never believed, and memory for it is reserved only where the compressed bytes can yield it.
 */
import { Decompress } from 'fzstd';
import { snappyUncompress } from 'hyparquet';
import { gunzip } from './inflate.ts';
import { checkExpansion } from './refusals.ts';

type Decode = (input: Uint8Array, size: number) => Uint8Array;

/** Wraps a decoder that fills an output of the declared size. Errors of the decoders themselves are explained by who calls. */
function bounded(file: string, decode: Decode): Decode {
  return (input, size) => {
    checkExpansion(file, input.length, size);
    const output = decode(input, size);
    if (output.length !== size) throw new Error(`a page of ${size} bytes decompresses to ${output.length}`);
    return output;
  };
}

/** Decompressors by parquet's names, for one file. Brotli and the old LZ4 (of Hadoop) are left out: hardly anyone writes them. */
export function pageCodecs(file: string): Record<'SNAPPY' | 'GZIP' | 'ZSTD' | 'LZ4_RAW', Decode> {
  return {
    SNAPPY: bounded(file, (input, size) => {
      const output = new Uint8Array(size);
      snappyUncompress(input, output);
      return output;
    }),
    GZIP: bounded(file, (input) => gunzip(file, input)),
    ZSTD: bounded(file, unzstd),
    LZ4_RAW: bounded(file, (input, size) => {
      const output = new Uint8Array(size);
      return output.subarray(0, unlz4Block(input, output, 0));
    }),
  };
}

/** Decompressors of Arrow's buffers. */
export function bufferCodecs(file: string): { readonly lz4: Decode; readonly zstd: Decode } {
  return { lz4: bounded(file, unlz4Frame), zstd: bounded(file, unzstd) };
}

/** Zstandard, as a stream: the size in its own header is not trusted either. */
function unzstd(input: Uint8Array, size: number): Uint8Array {
  const output = new Uint8Array(size);
  let at = 0;
  const stream = new Decompress((chunk) => {
    if (at + chunk.length > size) throw new Error(`more than ${size} bytes come out`);
    output.set(chunk, at);
    at += chunk.length;
  });
  const piece = 65_536;
  for (let start = 0; start < input.length; start += piece)
    stream.push(input.subarray(start, start + piece), start + piece >= input.length);
  return output.subarray(0, at);
}

/**
 * An LZ4 frame (github.com/lz4/lz4, doc/lz4_Frame_format.md): a header, blocks with their lengths, a mark of the end. Blocks that refer to earlier ones are
 * read by decoding all of a frame into one output. Checksums are skipped: Arrow writes none.
 */
function unlz4Frame(input: Uint8Array, size: number): Uint8Array {
  const view = new DataView(input.buffer, input.byteOffset, input.length);
  if (input.length < 7 || view.getUint32(0, true) !== 0x184d2204) throw new Error('no LZ4 frame');
  const flags = input[4];
  if (flags >> 6 !== 1) throw new Error('an LZ4 frame of another version');
  let at = 7 + (flags & 8 ? 8 : 0) + (flags & 1 ? 4 : 0);
  const output = new Uint8Array(size);
  let filled = 0;
  for (;;) {
    const word = view.getUint32(at, true);
    at += 4;
    if (word === 0) return output.subarray(0, filled);
    const length = word & 0x7fffffff;
    if (at + length > input.length) throw new Error('an LZ4 block that is cut off');
    const block = input.subarray(at, at + length);
    at += length + (flags & 16 ? 4 : 0);
    if (word >>> 31) {
      if (filled + length > size) throw new Error(`more than ${size} bytes come out`);
      output.set(block, filled);
      filled += length;
    } else filled = unlz4Block(block, output, filled);
  }
}

/** One LZ4 block, appended to `output` at `at`; returns the new end. */
function unlz4Block(block: Uint8Array, output: Uint8Array, at: number): number {
  let i = 0;
  const length = (nibble: number): number => {
    let n = nibble;
    if (nibble === 15)
      for (;;) {
        if (i >= block.length) throw new Error('an LZ4 length that is cut off');
        const more = block[i++];
        n += more;
        if (more !== 255) break;
      }
    return n;
  };
  while (i < block.length) {
    const token = block[i++];
    const literals = length(token >> 4);
    if (i + literals > block.length || at + literals > output.length) throw new Error('LZ4 literals past the end');
    output.set(block.subarray(i, i + literals), at);
    i += literals;
    at += literals;
    if (i === block.length) return at;
    if (i + 2 > block.length) throw new Error('an LZ4 offset that is cut off');
    const offset = block[i] | (block[i + 1] << 8);
    i += 2;
    const match = length(token & 15) + 4;
    if (offset === 0 || offset > at || at + match > output.length) throw new Error('an LZ4 match out of range');
    for (let k = 0; k < match; k++, at++) output[at] = output[at - offset];
  }
  return at;
}
