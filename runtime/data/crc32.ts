/** CRC-32 as gzip, zip and our checkpoints use it (polynomial 0xEDB88320, reflected). */

let table: Uint32Array | undefined;

function crcTable(): Uint32Array {
  if (table) return table;
  table = new Uint32Array(256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    table[n] = c >>> 0;
  }
  return table;
}

/** CRC of `bytes`, continuing from the CRC of what came before (0 at the start). Unsigned 32 bit. */
export function crc32(bytes: Uint8Array, before = 0): number {
  const t = crcTable();
  let c = ~before;
  for (let i = 0; i < bytes.length; i++) c = t[(c ^ bytes[i]) & 255] ^ (c >>> 8);
  return ~c >>> 0;
}
