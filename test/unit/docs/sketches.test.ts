/**
 * The specs of test/corpus/sketches, written before the compiler: all of them compile to a program, and what does not would be listed with place and reason.
 * The list is a golden file, so that every change of it is looked at (`npm run test:update` writes it). Where the language page refuses
 * a sketch, the copy is corrected, with a comment at the place.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Source } from '../../../compiler/source/source.ts';
import { tryCompile } from '../elaborate/run-spec.ts';

const folder = join(import.meta.dirname, '../../corpus/sketches');

/** `compiles`, or the first error with its place. */
function outcome(text: string): string {
  const result = tryCompile(text);
  if (result.ok) return 'compiles';
  const [first] = result.diagnostics.filter((d) => d.severity === 'error');
  expect(first.span, first.message).toBeDefined();
  expect(first.hint, first.message).toBeTruthy();
  const { line, column } = new Source('sketch.opt', text).position(first.span?.start ?? -1);
  return `${first.code} @ ${line}:${column} ${first.message}`;
}

test('each sketch compiles, or is refused at a place with a hint', { timeout: 120_000 }, async () => {
  const lines = readdirSync(folder)
    .filter((name) => name.endsWith('.opt'))
    .toSorted()
    .map((name) => `${name}: ${outcome(readFileSync(join(folder, name), 'utf8'))}`);
  expect(lines).toHaveLength(33);
  expect(lines.filter((line) => !line.endsWith(': compiles'))).toEqual([]);
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('../../golden/sketches.txt');
});
