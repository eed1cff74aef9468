/** Every example of the language reference parses, resolves and is formatted without loss. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { renderText } from '../../../compiler/diagnostics/render.ts';
import { Source } from '../../../compiler/source/source.ts';
import { diagnose, importAnything, root } from './sources.ts';

const page = readFileSync(join(root, 'docs/language.md'), 'utf8');
const examples = [...page.matchAll(/```opt(?: fault \w+)?\n([\s\S]*?)```/g)].map((match) => match[1]);

test('the page has examples', () => expect(examples.length).toBeGreaterThan(15));

test.each(examples.map((text, i) => [i + 1, text] as const))('example %i', (i, text) => {
  const source = new Source(`example ${i}`, text);
  const found = diagnose(source, importAnything).filter((d) => d.severity === 'error');
  expect(found.map((d) => renderText(d, new Map([[source.name, source]])))).toEqual([]);
});
