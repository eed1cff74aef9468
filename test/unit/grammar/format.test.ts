/** The formatter: the same tree, nothing lost, and nothing left to do the second time. */
import { describe, expect, test } from 'vitest';
import { dump } from '../../../compiler/ast/dump.ts';
import { parse } from '../../../compiler/ast/parse.ts';
import { format } from '../../../compiler/ast/print.ts';
import { Source } from '../../../compiler/source/source.ts';
import { readSource, specs } from '../check/sources.ts';

function parsed(text: string) {
  const source = new Source('test.opt', text);
  const result = parse(source);
  if (!result.ok) throw new Error(result.diagnostics.map((d) => d.message).join('\n'));
  return { module: result.value, source };
}

function formatted(text: string): string {
  const { module, source } = parsed(text);
  return format(module, source);
}

/** A tree without positions. */
function bare(text: string): unknown {
  const drop = new Set(['span', 'opSpan']);
  return JSON.parse(JSON.stringify(parsed(text).module, (key, value: unknown) => (drop.has(key) ? undefined : value)));
}

describe('corpus', () => {
  test.each([...specs('test/corpus/sketches'), ...specs('stdlib')])('%s', (path) => {
    const text = readSource(path).text;
    const once = formatted(text);
    expect(bare(once)).toEqual(bare(text));
    expect(formatted(once)).toBe(once);
  });
});

describe('layout', () => {
  test.each([
    ['spaces', 'let   a=f( x ,y:- 1 )+x [ : ,new ]^2..3', 'let a = f(x, y: -1) + x[:, new]^2..3\n'],
    ['headers', 'rule r(lr=1) for tree(P,G;L){P<-P-lr*G}', 'rule r(lr = 1) for tree (P, G; L) { P <- P - lr * G }\n'],
    ['classes', 'class c(x;F){over x;minimize F}', 'class c (x; F) { over x; minimize F }\n'],
    [
      'indentation',
      'train 3{\nlet a=1\n      if b{\nc<-1\n}\n}',
      'train 3 {\n  let a = 1\n  if b {\n    c <- 1\n  }\n}\n',
    ],
    [
      'blank lines',
      '\n\nlet a = 1\n\n\n\nlet b = 2\n\ntrain 3 {\n\n  let c = 1\n\n}\n\n',
      'let a = 1\n\nlet b = 2\n\ntrain 3 {\n  let c = 1\n}\n',
    ],
    ['joined lines', 'let a = f(\n  1,\n  2\n) +\n  3', 'let a = f(1, 2) + 3\n'],
    ['records keep their lines', 'let a = {\nb: 1,\nc: 2\n}', 'let a = {\n  b: 1,\n  c: 2\n}\n'],
    ['else', 'let a = if b { 1 }\nelse { 2 }', 'let a = if b { 1 } else { 2 }\n'],
    ['trailing commas', 'let a = [1, 2, ]\nlet b = (1, )', 'let a = [1, 2]\nlet b = (1,)\n'],
    [
      'comments',
      '// top\nlet a = 1     // one\ntrain 3 { // head\n// own\nlet b = 2\n// last\n}\n// end',
      '// top\nlet a = 1 // one\ntrain 3 { // head\n  // own\n  let b = 2\n  // last\n}\n// end\n',
    ],
    ['comments inside parentheses', 'let a = f(1, // one\n 2)', 'let a = f(1, // one\n    2)\n'],
    ['types and draws', 'param W:f32[ i,o ]~normal( 0,1 )', 'param W: f32[i, o] ~ normal(0, 1)\n'],
    ['unary and binary minus', 'let a = b-1\nlet c = (-1, -b, not -d)', 'let a = b - 1\nlet c = (-1, -b, not -d)\n'],
    ['nothing', '', ''],
    ['only comments', '\n// a\n\n\n// b', '// a\n\n// b\n'],
  ])('%s', (_, text, expected) => {
    expect(formatted(text)).toBe(expected);
    expect(formatted(expected)).toBe(expected);
    expect(bare(expected)).toEqual(bare(text));
  });

  test('breaks inside brackets stay where the line would be too long', () => {
    const long = `let a = f(${Array.from({ length: 30 }, (_, i) => `argument_${i}`).join(', ')})`;
    const broken = long.replace('argument_15', '\nargument_15');
    expect(formatted(broken)).toBe(`${broken.replace('argument_14, \n', 'argument_14,\n    ')}\n`);
  });
});

describe('golden outlines', () => {
  test.each(['dann', 'penalty-bilevel', 'fira'])('%s', async (name) => {
    const { module } = parsed(readSource(`test/corpus/sketches/${name}.opt`).text);
    await expect(dump(module)).toMatchFileSnapshot(`../../golden/ast/${name}.txt`);
  });
});
