/** The encodings inside parquet pages, each bounded by the number of values asked for. Errors are plain ones: the caller says which file they are about. */

/** A place in bytes; taking more than there are is an error. */
export class Reader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** The next `length` bytes. */
  take(length: number): Uint8Array {
    if (!(length >= 0) || this.at + length > this.bytes.length)
      throw new Error(`${length} bytes wanted where ${this.bytes.length - this.at} are left`);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  rest(): Uint8Array {
    return this.bytes.subarray(this.at);
  }

  u8(): number {
    return this.take(1)[0];
  }

  u32(): number {
    this.take(4);
    return this.view.getUint32(this.at - 4, true);
  }

  /** An unsigned LEB128 number, of at most ten bytes. */
  varint(): bigint {
    let result = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.u8();
      result |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return result;
    }
    throw new Error('a number of more than ten bytes');
  }

  /** A signed number in zigzag form. */
  zigzag(): bigint {
    const n = this.varint();
    return (n >> 1n) ^ -(n & 1n);
  }

  /** BYTE_STREAM_SPLIT undone: `width` streams of `count` bytes each, brought together by value. */
  unsplit(count: number, width: number): Uint8Array {
    const streams = this.take(count * width);
    const joined = new Uint8Array(count * width);
    for (let b = 0; b < width; b++) for (let i = 0; i < count; i++) joined[i * width + b] = streams[b * count + i];
    return joined;
  }
}

/** Bits that hold the numbers 0..=largest. */
export function bitsOf(largest: number): number {
  return 32 - Math.clz32(largest);
}

/** `count` numbers of `bits` bits from runs and bit-packed groups of eight. */
export function hybrid(reader: Reader, bits: number, count: number): Uint32Array {
  if (bits > 32) throw new Error(`numbers of ${bits} bits`);
  const output = new Uint32Array(count);
  if (bits === 0) return output;
  let filled = 0;
  while (filled < count) {
    const header = Number(reader.varint());
    const run = Math.floor(header / 2);
    if (run === 0) throw new Error('an empty run');
    if (header % 2 === 0) {
      let value = 0;
      reader.take(Math.ceil(bits / 8)).forEach((byte, i) => (value += byte * 256 ** i));
      const end = Math.min(count, filled + run);
      output.fill(value, filled, end);
      filled = end;
    } else {
      // The last group may be cut to the values that there are.
      const wanted = Math.min(count - filled, 8 * run);
      const packed = reader.take(Math.min(run * bits, reader.rest().length));
      if (packed.length * 8 < wanted * bits) throw new Error('a packed group that is cut off');
      for (let i = 0; i < wanted; i++) output[filled + i] = unpackBits(packed, i * bits, bits);
      filled += wanted;
    }
  }
  return output;
}

/** The number of `bits` bits (at most 32) at a bit of a little-endian stream. */
function unpackBits(bytes: Uint8Array, at: number, bits: number): number {
  let value = 0;
  for (let done = 0; done < bits;) {
    const bit = (at + done) & 7;
    const take = Math.min(8 - bit, bits - done);
    const part = (bytes[(at + done) >> 3] >> bit) & (2 ** take - 1);
    value += part * 2 ** done;
    done += take;
  }
  return value;
}

/** DELTA_BINARY_PACKED: a first value, then blocks of differences from the block's least, in miniblocks of a bit width each. Wraps at `size` bits. */
export function deltas(reader: Reader, count: number, size: 32 | 64): Int32Array | BigInt64Array {
  const output = size === 32 ? new Int32Array(count) : new BigInt64Array(count);
  const block = Number(reader.varint());
  const miniblocks = Number(reader.varint());
  const total = Number(reader.varint());
  const each = block / miniblocks;
  if (!(miniblocks >= 1) || !Number.isInteger(each) || each % 32 !== 0 || each > 2 ** 20 || total < count)
    throw new Error(`blocks of ${block} differences in ${miniblocks} parts, for ${total} values`);
  let value = reader.zigzag();
  const put = (i: number) => {
    if (output instanceof Int32Array) output[i] = Number(BigInt.asIntN(32, value));
    else output[i] = value;
  };
  if (count > 0) put(0);
  for (let filled = 1; filled < count;) {
    const least = reader.zigzag();
    const widths = reader.take(miniblocks);
    for (const bits of widths) {
      if (filled >= count) break;
      if (bits > 64) throw new Error(`differences of ${bits} bits`);
      const packed = reader.take((each * bits) / 8);
      for (let i = 0; i < each && filled < count; i++, filled++) {
        value = BigInt.asIntN(64, value + least + unpackWide(packed, i * bits, bits));
        put(filled);
      }
    }
  }
  return output;
}

function unpackWide(bytes: Uint8Array, at: number, bits: number): bigint {
  if (bits <= 32) return BigInt(unpackBits(bytes, at, bits));
  return BigInt(unpackBits(bytes, at, 32)) + (BigInt(unpackBits(bytes, at + 32, bits - 32)) << 32n);
}
