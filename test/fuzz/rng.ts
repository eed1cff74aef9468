/** Seeded random numbers for samplers and generators: the same seed gives the same cases on every machine. */
import type { Rng } from '../../compiler/ops/types.ts';

/** A generator by mulberry32; `seed` is any 32-bit integer. */
export function seededRng(seed: number): Rng {
  let state = seed | 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    uniform,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    integer: (lo, hi) => lo + Math.floor(uniform() * (hi - lo)),
  };
}

/** A seed made of a text, so that each primitive has cases of its own. */
export function seedOf(text: string): number {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  return hash;
}
