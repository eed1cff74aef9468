/** Mutated, truncated and random texts: no exception, quick, and at least one located error wherever the text is refused. */
import { describe, expect, test } from 'vitest';
import { parse } from '../../../compiler/ast/parse.ts';
import { format } from '../../../compiler/ast/print.ts';
import { checkNames } from '../../../compiler/check/names.ts';
import { Source } from '../../../compiler/source/source.ts';
import { importAnything, readSource, specs } from '../check/sources.ts';

/** mulberry32: a small seeded generator of numbers in [0, 1). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 4294967296;
  };
}

const texts = specs('test/corpus/sketches').map((path) => readSource(path).text);
const fragments = [
  '{',
  '}',
  '(',
  ')',
  '[',
  ']',
  '=',
  '<-',
  '..',
  '"',
  '//',
  '\n',
  ';',
  ',',
  ':',
  '~',
  '@',
  '^',
  'train ',
  ' over ',
  ' at ',
  'if ',
  ' else ',
  'scan ',
  'let ',
  '1e',
  '\u2264',
  '\u0000',
  '\ud83d\ude00',
  "'",
];

function mutant(seed: number): string {
  const random = generator(seed);
  const pick = (n: number) => Math.floor(random() * n);
  if (seed % 10 === 0) return Array.from({ length: pick(2000) }, () => String.fromCharCode(pick(256))).join('');
  let text = texts[pick(texts.length)];
  if (seed % 3 === 0) return text.slice(0, pick(text.length));
  for (let i = 1 + pick(6); i > 0; i--) {
    const at = pick(text.length);
    const length = pick(12);
    const insert = pick(3) === 0 ? '' : fragments[pick(fragments.length)];
    text = text.slice(0, at) + insert + text.slice(at + (pick(2) === 0 ? length : 0));
  }
  return text;
}

describe('fuzz', () => {
  test.each(Array.from({ length: 10 }, (_, block) => block))('seeds of block %i', (block) => {
    for (let seed = block * 30; seed < block * 30 + 30; seed++) {
      const source = new Source('fuzz.opt', mutant(seed));
      const result = parse(source);
      if (result.ok) {
        const text = format(result.value, source);
        const again = parse(new Source('fuzz.opt', text));
        expect(again.ok, `seed ${seed} formats to what parses`).toBe(true);
        if (again.ok) expect(format(again.value, new Source('fuzz.opt', text)), `seed ${seed} formats once`).toBe(text);
      } else expect(result.diagnostics.length, `seed ${seed}`).toBeGreaterThan(0);
      const found = result.ok ? checkNames(result.value, importAnything) : result.diagnostics;
      for (const d of found) {
        const { start: from, end } = d.span ?? { start: -1, end: -1 };
        expect(
          from >= 0 && from <= end && end <= source.text.length,
          `seed ${seed}: ${d.code} at ${from}..${end}`,
        ).toBe(true);
      }
    }
  });
});
