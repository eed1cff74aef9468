/** Values are computed without branches: a kernel of many bounds must not become a graph of many blocks, which drivers compile slowly or, as SwiftShader, not at all. */
import { expect, test } from 'vitest';
import { compile } from '../../../compiler/pipeline.ts';
import { Source } from '../../../compiler/source/source.ts';

test('bounds of joined and padded values are tested without && and ||', () => {
  const pieces = Array.from({ length: 9 }, (_, i) => `sin(x[${i}..${i + 3}])`).join(', ');
  const text = `var x: f32[12] = 1\ntrain 2 { report s = sum(cumsum(concat(${pieces}))^2)\n  x <- x * 1.1 }`;
  const result = compile(new Source('joined.opt', text), {
    readImport: () => undefined,
    dataInfo: () => undefined,
    set: new Map(),
  });
  if (!result.ok) throw new Error(result.diagnostics.map((d) => d.message).join('\n'));
  const values = result.value
    .texts('wgsl')
    .split('\n')
    .filter((line) => /^\s*let /.test(line));
  expect(values.some((line) => line.includes(') & ('))).toBe(true);
  expect(values.filter((line) => /&&|\|\|/.test(line))).toEqual([]);
});
