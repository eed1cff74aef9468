/**
 * Threefry-2x32-20 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) and the keyed bijection behind shuffles, in
 * exact 32-bit arithmetic. `wgsl-functions.ts` holds the same arithmetic as device code; the two must agree bit for bit.
 */

export type Words = readonly [number, number];

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24];

/** The two words (u32) of counter c under key k. */
export function threefry([k0, k1]: Words, [c0, c1]: Words): Words {
  const keys = [k0, k1, 0x1bd11bda ^ k0 ^ k1];
  let x = (c0 + k0) | 0;
  let y = (c1 + k1) | 0;
  for (let round = 0; round < 20; round++) {
    const r = ROTATIONS[round % 8];
    x = (x + y) | 0;
    y = ((y << r) | (y >>> (32 - r))) ^ x;
    if (round % 4 === 3) {
      const injection = (round + 1) / 4;
      x = (x + keys[injection % 3]) | 0;
      y = (y + keys[(injection + 1) % 3] + injection) | 0;
    }
  }
  return [x >>> 0, y >>> 0];
}

/** MurmurHash3's 32-bit finalizer. */
function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Smallest a with a * a >= rows: the side of the square on which the Feistel network works. */
export function shuffleSide(rows: number): number {
  let side = Math.floor(Math.sqrt(rows));
  while (side * side < rows) side++;
  return side;
}

/**
 * Image of x in [0, rows) under a bijection of [0, rows) that depends on the key and the epoch. Eight rounds of a generalized Feistel network
 * on pairs (left, right) of [0, side) map [0, side^2) onto itself; walking on along a cycle until the image is below `rows` makes that a
 * bijection of [0, rows). A cycle meets at most side^2 - rows other points in a row, which bounds the walk.
 */
export function shuffled(x: number, key: Words, epoch: number, rows: number): number {
  const side = shuffleSide(rows);
  const [k0, k1] = threefry(key, [epoch, 0]);
  let value = x;
  for (let walk = 0; walk < side * side - rows + 1; walk++) {
    let left = Math.floor(value / side);
    let right = value % side;
    for (let round = 0; round < 8; round++) {
      const hash = mix(mix(((right ^ k0) + Math.imul(round, 0x9e3779b9)) | 0) ^ k1);
      [left, right] = [right, (left + (hash % side)) % side];
    }
    value = left * side + right;
    if (value < rows) break;
  }
  return value;
}
