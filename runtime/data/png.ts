/**
 * PNG, by the library fast-png. It is given only the chunks that make the picture, their checksums verified, and only after the pixels have been inflated once
 * under a cap: to exactly as many bytes as the header's size takes.
 */
import { decode, type DecodedPng } from 'fast-png';
import { crc32 } from './crc32.ts';
import type { Photograph } from './files.ts';
import { inflatePrefix } from './inflate.ts';
import { checkSize, damaged, unsupported } from './refusals.ts';

interface Chunk {
  readonly type: string;
  /** Length, type, content and checksum. */
  readonly bytes: Uint8Array;
}

/** Bits of a pixel by colour type, over the depth. */
const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
/** Origin and step of the seven passes of an interlaced image: x, y, dx, dy. */
const PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

/** Pixels of a PNG of 8 bits or less a channel. Throws OPT605 to OPT607. */
export function decodePng(name: string, bytes: Uint8Array): Photograph {
  const chunks = readChunks(name, bytes);
  const header = chunks[0]?.bytes;
  if (chunks[0]?.type !== 'IHDR' || header.length !== 25) return damaged(name, 'the header of a PNG', 'none');
  const view = new DataView(header.buffer, header.byteOffset + 8, 13);
  const [width, height, depth, colour] = [view.getUint32(0), view.getUint32(4), view.getUint8(8), view.getUint8(9)];
  const interlaced = view.getUint8(12) === 1;
  checkSize(name, width, height);
  if (depth === 16) unsupported(name, 'a PNG of 16 bits a channel', 'save it with 8 bits, or the numbers as npy');
  if (interlaced && depth < 8) unsupported(name, 'an interlaced PNG of few colours', 'save it without interlacing');
  if (!Object.hasOwn(CHANNELS, colour) || ![1, 2, 4, 8].includes(depth))
    damaged(name, 'a kind of pixels that PNG has', `type ${colour} of ${depth} bits`);
  if (colour !== 3 && chunks.some((c) => c.type === 'tRNS'))
    unsupported(name, 'a PNG with a transparent colour', 'save it without transparency, or with an alpha channel');
  checkContent(name, chunks, contentBytes(width, height, CHANNELS[colour] * depth, interlaced));
  try {
    return toRgba(decode(join([bytes.subarray(0, 8), ...chunks.map((c) => c.bytes)])), colour, depth);
  } catch (cause) {
    return damaged(name, 'a PNG image', cause instanceof Error ? cause.message.slice(0, 160) : 'other bytes');
  }
}

/** The chunks that make the picture. */
function readChunks(name: string, bytes: Uint8Array): Chunk[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const kept: Chunk[] = [];
  let at = 8;
  for (;;) {
    if (at + 12 > bytes.length) return damaged(name, 'the last chunk of a PNG', 'the end of the file');
    const end = at + 12 + view.getUint32(at);
    if (end > bytes.length) return damaged(name, 'a whole chunk', 'the end of the file');
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (crc32(bytes.subarray(at + 4, end - 4)) !== view.getUint32(end - 4))
      damaged(name, 'a matching checksum', 'another one');
    if (['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND'].includes(type)) kept.push({ type, bytes: bytes.subarray(at, end) });
    if (type === 'IEND') return kept;
    at = end;
  }
}

/** Bytes of the filtered rows. */
function contentBytes(width: number, height: number, bits: number, interlaced: boolean): number {
  const passes = interlaced ? PASSES : [[0, 0, 1, 1]];
  let bytes = 0;
  for (const [x, y, dx, dy] of passes) {
    const columns = Math.ceil((width - x) / dx);
    const rows = Math.ceil((height - y) / dy);
    if (columns > 0 && rows > 0) bytes += rows * (1 + Math.ceil((columns * bits) / 8));
  }
  return bytes;
}

function checkContent(name: string, chunks: readonly Chunk[], expected: number): void {
  const packed = join(chunks.filter((c) => c.type === 'IDAT').map((c) => c.bytes.subarray(8, -4)));
  if (packed.length < 6) damaged(name, 'the pixels of a PNG', 'none');
  // Two bytes of zlib before the deflated content, four of checksum after it.
  const content = inflatePrefix(name, packed.subarray(2), expected + 1);
  if (content.length !== expected)
    damaged(name, `${expected} bytes of pixels`, `${content.length < expected ? content.length : 'more'}`);
}

function toRgba(image: DecodedPng, colour: number, depth: number): Photograph {
  const { width, height, palette } = image;
  const rgba = new Uint8Array(4 * width * height);
  const channels = CHANNELS[colour];
  const rowBytes = Math.ceil((width * channels * depth) / 8);
  const largest = 2 ** depth - 1;
  const sample = (y: number, i: number) => {
    const bit = i * depth;
    return (image.data[y * rowBytes + (bit >> 3)] >> (8 - depth - (bit & 7))) & largest;
  };
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const to = 4 * (y * width + x);
      rgba[to + 3] = 255;
      if (colour === 3) {
        const entry = palette?.[sample(y, x)];
        if (!entry) throw new Error('a colour that its palette lacks');
        rgba.set(entry, to);
      } else if (channels <= 2) {
        rgba.fill((sample(y, x * channels) * 255) / largest, to, to + 3);
        if (channels === 2) rgba[to + 3] = sample(y, x * channels + 1);
      } else for (let c = 0; c < channels; c++) rgba[to + c] = sample(y, x * channels + c);
    }
  return { width, height, rgba };
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
