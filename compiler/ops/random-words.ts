/**
 * Random numbers whose keys are not known to the host: keys by element of a `map`, by turn of a loop, or computed. The same integers as those of `random.ts`,
 * made by elementwise primitives on the two words of a key, so that batching, loops and fusion have nothing special to know.
 */
import { range, sizeOf } from './arrays.ts';
import { elementwise, named, type TypeRule, uniform } from './elementwise.ts';
import { Terms } from './terms.ts';
import { shuffled, shuffleSide, threefry } from './threefry.ts';
import type { Builder, Node, Rng } from './types.ts';
import * as wgsl from './wgsl-functions.ts';

const words: TypeRule = uniform(['u32']);
const EXACT = { relative: 0, absolute: 0 };
const drawWord = (rng: Rng) => rng.integer(0, 2 ** 32);

export const randomWordOps = named({
  threefry: elementwise(4, {
    about:
      'Word {word} (0 or 1) of Threefry-2x32-20 (Salmon et al., 2011). Inputs (u32): key words k0, k1, counter words c0, c1.',
    types: words,
    scalar: ([k0, k1, c0, c1], attrs) => threefry([k0, k1], [c0, c1])[attrs.word as 0 | 1],
    wgsl: ([k0, k1, c0, c1], _, attrs) => `sd_threefry(${k0}, ${k1}, ${c0}, ${c1}).${attrs.word === 0 ? 'x' : 'y'}`,
    functions: wgsl.threefry,
    draw: drawWord,
    attrs: (rng) => ({ word: rng.integer(0, 2) }),
    tolerance: EXACT,
  }),
  shuffled: elementwise(4, {
    about:
      'Place of row x in a reshuffled pass over {rows} rows. Inputs (u32): x below {rows}, key words k0, k1, number of the pass.',
    types: words,
    scalar: ([x, k0, k1, pass], attrs) => shuffled(x, [k0, k1], pass, attrs.rows as number),
    wgsl: ([x, k0, k1, pass], _, attrs) => {
      const rows = attrs.rows as number;
      return `sd_shuffle(${x}, ${k0}, ${k1}, ${pass}, ${rows}u, ${shuffleSide(rows)}u)`;
    },
    functions: wgsl.shuffle,
    draw: (rng, _, input) => (input === 0 ? rng.integer(0, 7) : drawWord(rng)),
    attrs: () => ({ rows: 7 }),
    tolerance: EXACT,
  }),
});

/** The two words of keys; any shape, the same for both. */
export type KeyWords = readonly [Node, Node];

/** Words of keys [..., 2]. */
export function wordsOf(b: Builder, key: Node): KeyWords {
  const t = new Terms(b);
  const axis = key.type.shape.length - 1;
  const word = (k: number) => t.reshape(t.sliceAxis(key, axis, k, k + 1), key.type.shape.slice(0, axis));
  return [word(0), word(1)];
}

/** Keys [..., 2] of their words. */
export function keyOfWords(b: Builder, [k0, k1]: KeyWords): Node {
  const t = new Terms(b);
  const { shape } = k0.type;
  return t.concat([t.reshape(k0, [...shape, 1]), t.reshape(k1, [...shape, 1])], shape.length);
}

/** Both words at counters (c0, c1) under keys; all of one shape. */
function pair(b: Builder, [k0, k1]: KeyWords, c0: Node, c1: Node): KeyWords {
  const word = (w: number) => b.make('threefry', [k0, k1, c0, c1], { word: w });
  return [word(0), word(1)];
}

/** First key of a site: (site0 xor seed, site1) at counter 0. */
export function firstKey(b: Builder, seed: Node, [s0, s1]: readonly number[]): KeyWords {
  const t = new Terms(b);
  const zero = t.number(0, seed);
  return pair(b, [b.make('xor', [seed, t.number(s0, seed)]), t.number(s1, seed)], zero, zero);
}

/** The keys mixed with an index (i32, of their shape) that stands at `position` among the indices of a draw. */
export function nextKey(b: Builder, key: KeyWords, index: Node, position: number): KeyWords {
  const t = new Terms(b);
  const counter = t.cast(index, 'u32');
  return pair(b, key, counter, t.number(position, counter));
}

/** Elements 0, 1, … of `count` for every key, u32 [...keys, count], and the keys repeated over them. */
function overElements(b: Builder, key: KeyWords, count: number): { index: Node; key: KeyWords; shape: number[] } {
  const t = new Terms(b);
  const lead = key[0].type.shape;
  const shape = [...lead, count];
  const spread = (x: Node) => t.broadcast(x, shape, range(lead.length));
  return { index: t.iota(shape, lead.length, 'u32'), key: [spread(key[0]), spread(key[1])], shape };
}

/** What `random_bits` draws under each key: [...keys, ...shape]. */
export function drawBits(b: Builder, key: KeyWords, shape: readonly number[], word: number): Node {
  const t = new Terms(b);
  const all = overElements(b, key, sizeOf(shape));
  const bits = b.make('threefry', [...all.key, all.index, t.number(0, all.index)], { word });
  return t.reshape(bits, [...key[0].type.shape, ...shape]);
}

/** What `shuffle_index` gives under each key at its position (i32, of the keys' shape): [...keys, count]. */
export function drawShuffle(b: Builder, key: KeyWords, position: Node, rows: number, count: number): Node {
  const t = new Terms(b);
  const all = overElements(b, key, count);
  const start = t.broadcast(t.cast(position, 'u32'), all.shape, range(position.type.shape.length));
  const place = t.add(start, all.index);
  const size = t.number(rows, place);
  const row = b.make('floor_mod', [place, size]);
  const pass = b.make('floor_div', [place, size]);
  return t.cast(b.make('shuffled', [row, ...all.key, pass], { rows }), 'i32');
}

/** What `permutation` gives under each key: [...keys, n]. */
export function drawPermutation(b: Builder, key: KeyWords, n: number): Node {
  const t = new Terms(b);
  const all = overElements(b, key, n);
  return t.cast(b.make('shuffled', [all.index, ...all.key, t.number(0, all.index)], { rows: n }), 'i32');
}
