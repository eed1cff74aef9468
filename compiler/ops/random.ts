/**
 * Random draws without state: a key is made on the host from the seed, the site of the draw and the indices of the loops around it;
 * bits are a function of key and element index. So recomputing, reordering or differentiating a program draws nothing anew.
 *
 * Operands of the WGSL texts ('indexed' family): the flat result index (u32), then each component of each input in order, so
 * key[0], key[1] (u32) and, for shuffle_index, the position (i32).
 */
import { drawArray, drawShape, int, ints, need, shapeAttr, shapeText, sizeOf } from './arrays.ts';
import { named } from './elementwise.ts';
import {
  drawBits,
  drawPermutation,
  drawShuffle,
  firstKey,
  keyOfWords,
  type KeyWords,
  nextKey,
  wordsOf,
} from './random-words.ts';
import { Terms } from './terms.ts';
import { shuffled, shuffleSide, threefry, type Words } from './threefry.ts';
import type { Attrs, NdArray, Node, Rng, TensorType } from './types.ts';
import * as wgsl from './wgsl-functions.ts';

const EXACT = { relative: 0, absolute: 0 };
const noDerivative = { vjp: 'none', jvp: 'none', tolerance: EXACT } as const;

function checkKey(key: TensorType): void {
  need(
    key.dtype === 'u32' && key.shape.length === 1 && key.shape[0] === 2,
    () => `a key is u32[2], not ${key.dtype}${shapeText(key.shape)}`,
  );
}

function rowsAttr(attrs: Attrs, name: string): number {
  const rows = int(attrs, name);
  need(rows >= 1 && rows < 2 ** 31, () => `'${name}' must be from 1 to 2^31 - 1, not ${rows}`);
  return rows;
}

const keyOf = (key: NdArray): Words => [key.data[0], key.data[1]];
const drawKey = (rng: Rng) => drawArray(rng, { dtype: 'u32', shape: [2] }, () => rng.integer(0, 2 ** 32));

/** WGSL literal of the shuffle's rows and side. */
const shuffleSizes = (rows: number) => `${rows}u, ${shuffleSide(rows)}u`;

export const randomOps = named({
  random_key: {
    about:
      'Key (u32[2]) of a draw: {site} mixed with the seed, then with each index in turn. Made on the host where all of these are known there, else by `threefry`. Inputs: seed (u32 scalar), i32 scalar indices.',
    arity: 'variadic',
    infer: ([seed, ...indices], attrs) => {
      const site = ints(attrs, 'site');
      need(
        site.length === 2 && site.every((w) => w >= 0 && w < 2 ** 32),
        () => `a site is two 32-bit words, not ${shapeText(site)}`,
      );
      need(seed !== undefined && seed.dtype === 'u32' && seed.shape.length === 0, () => 'a seed is a u32 scalar');
      for (const index of indices) {
        need(index.dtype === 'i32' && index.shape.length === 0, () => 'an index of random_key is an i32 scalar');
      }
      return { dtype: 'u32', shape: [2] };
    },
    reference: ([seed, ...indices], attrs, type) => {
      const [s0, s1] = attrs.site as readonly number[];
      let key = threefry([(s0 ^ seed.data[0]) >>> 0, s1], [0, 0]);
      indices.forEach((index, position) => (key = threefry(key, [index.data[0] >>> 0, position])));
      return { type, data: Float64Array.from(key) };
    },
    // The longest beginning that all elements share is still one key.
    batch: ({ b, node, n }, inputs, mapped) => {
      const t = new Terms(b);
      const first = mapped.indexOf(true);
      const site = node.attrs.site as readonly number[];
      const spread = (x: Node) => t.broadcast(x, [n], []);
      const shared = () => wordsOf(b, b.make('random_key', inputs.slice(0, first), node.attrs));
      const start = first === 0 ? firstKey(b, inputs[0], site) : shared();
      let key: KeyWords = first === 0 ? start : [spread(start[0]), spread(start[1])];
      inputs.slice(1).forEach((index, position) => {
        if (position + 1 >= first) key = nextKey(b, key, mapped[position + 1] ? index : spread(index), position);
      });
      return keyOfWords(b, key);
    },
    lower: { family: 'host' },
    sample: (rng) => {
      const word = () => rng.integer(0, 2 ** 32);
      const indices = Array.from({ length: rng.integer(0, 3) }, () => drawArray(rng, { dtype: 'i32', shape: [] }));
      return {
        inputs: [drawArray(rng, { dtype: 'u32', shape: [] }, word), ...indices],
        attrs: { site: [word(), word()] },
      };
    },
    ...noDerivative,
  },
  random_bits: {
    about:
      'u32 random bits of {shape}: element i is word {word} (0 or 1) of Threefry-2x32-20 at counter (i, 0) under the key. Input: key (u32[2]).',
    arity: 1,
    infer: ([key], attrs) => {
      checkKey(key);
      const word = int(attrs, 'word');
      need(word === 0 || word === 1, () => `'word' is 0 or 1, not ${word}`);
      return { dtype: 'u32', shape: shapeAttr(attrs, 'shape') };
    },
    reference: ([key], attrs, type) => {
      const word = attrs.word as 0 | 1;
      const data = Float64Array.from({ length: sizeOf(type.shape) }, (_, i) => threefry(keyOf(key), [i, 0])[word]);
      return { type, data };
    },
    batch: ({ b, node: { attrs, type } }, [key]) => drawBits(b, wordsOf(b, key), type.shape, attrs.word as number),
    lower: {
      family: 'indexed',
      wgsl: {
        expr: ([i, k0, k1], _, attrs) => `sd_threefry(${k0}, ${k1}, ${i}, 0u).${attrs.word === 0 ? 'x' : 'y'}`,
        functions: wgsl.threefry,
      },
    },
    sample: (rng) => ({ inputs: [drawKey(rng)], attrs: { shape: drawShape(rng, 0, 3), word: rng.integer(0, 2) } }),
    ...noDerivative,
  },
  shuffle_index: {
    about:
      'Row numbers (i32[count]) of an endless reshuffled pass over {rows} rows: element i is place p = position + i of the stream, row p mod rows of pass p div rows, each pass in an order of its own that the key fixes. Inputs: key (u32[2]), position (i32 scalar >= 0).',
    arity: 2,
    infer: ([key, position], attrs) => {
      checkKey(key);
      need(position.dtype === 'i32' && position.shape.length === 0, () => 'the position of a shuffle is an i32 scalar');
      rowsAttr(attrs, 'rows');
      const count = int(attrs, 'count');
      need(count >= 0, () => `'count' must be >= 0, not ${count}`);
      return { dtype: 'i32', shape: [count] };
    },
    reference: ([key, position], attrs, type) => {
      const rows = attrs.rows as number;
      const data = Float64Array.from({ length: type.shape[0] }, (_, i) => {
        const p = (position.data[0] + i) >>> 0;
        return shuffled(p % rows, keyOf(key), Math.floor(p / rows), rows);
      });
      return { type, data };
    },
    batch: ({ b, node: { attrs, type }, n }, inputs, mapped) => {
      const t = new Terms(b);
      const [key, position] = inputs.map((x, k) => (mapped[k] ? x : t.lead(x, n)));
      return drawShuffle(b, wordsOf(b, key), position, attrs.rows as number, type.shape[0]);
    },
    lower: {
      family: 'indexed',
      wgsl: {
        expr: ([i, k0, k1, position], _, attrs) => {
          const rows = attrs.rows as number;
          const p = `(u32(${position}) + ${i})`;
          return `i32(sd_shuffle(${p} % ${rows}u, ${k0}, ${k1}, ${p} / ${rows}u, ${shuffleSizes(rows)}))`;
        },
        functions: wgsl.shuffle,
      },
    },
    sample: (rng) => ({
      inputs: [drawKey(rng), drawArray(rng, { dtype: 'i32', shape: [] }, () => rng.integer(0, 1000))],
      attrs: { rows: rng.integer(1, 30), count: rng.integer(0, 40) },
    }),
    ...noDerivative,
  },
  permutation: {
    about: 'A permutation (i32[n]) of 0 … {n} - 1 that the key fixes: pass 0 of shuffle_index. Input: key (u32[2]).',
    arity: 1,
    infer: ([key], attrs) => {
      checkKey(key);
      return { dtype: 'i32', shape: [rowsAttr(attrs, 'n')] };
    },
    reference: ([key], attrs, type) => {
      const n = attrs.n as number;
      return { type, data: Float64Array.from({ length: n }, (_, i) => shuffled(i, keyOf(key), 0, n)) };
    },
    batch: ({ b, node }, [key]) => drawPermutation(b, wordsOf(b, key), node.attrs.n as number),
    lower: {
      family: 'indexed',
      wgsl: {
        expr: ([i, k0, k1], _, attrs) => `i32(sd_shuffle(${i}, ${k0}, ${k1}, 0u, ${shuffleSizes(attrs.n as number)}))`,
        functions: wgsl.shuffle,
      },
    },
    sample: (rng) => ({ inputs: [drawKey(rng)], attrs: { n: rng.integer(1, 40) } }),
    ...noDerivative,
  },
});
