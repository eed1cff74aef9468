/**
 * The examples of the language reference are compiled to programs. What this version does not compile is marked "(later)" on the page, in the title of its
 * section or in a sentence of it, and refused by OPT502 alone. Blocks marked `run` are run, and their claims hold; those marked `error CODE` are refused by
 * that code alone.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { holds } from '../elaborate/decide.ts';
import { tryCompile } from '../elaborate/run-spec.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/language.md'), 'utf8');
const sections = page.split(/^## /m).slice(1);
const examples = sections.flatMap((section) =>
  [...section.matchAll(/```opt(?: run)?\n([\s\S]*?)```/g)].map(
    (match) => [section.split('\n')[0], match[1], section.includes('**(later)**')] as const,
  ),
);
const files = { './mine.opt': 'rule my_rule(lr = 1) for (p, g) { p <- p - lr * g }\n' };

test.each(examples)('%s', (_, text, later) => {
  const result = tryCompile(text, { files });
  const errors = result.diagnostics.filter((d) => d.severity === 'error');
  if (later) expect(errors.filter((d) => d.code !== 'OPT502').map((d) => d.message)).toEqual([]);
  else expect(errors.map((d) => `${d.code}: ${d.message}`)).toEqual([]);
});

test('most of them compile', () => {
  const compiled = examples.filter(([, text]) => tryCompile(text, { files }).ok);
  expect(examples.length).toBeGreaterThan(15);
  expect(compiled.length).toBeGreaterThanOrEqual(14);
});

test.each([...page.matchAll(/```opt run\n([\s\S]*?)```/g)].map((match) => match[1]))('claims hold', async (text) => {
  const wanted = [...text.matchAll(/^expect /gm)].map(() => true);
  expect(wanted.length).toBeGreaterThan(0);
  expect(await holds(text)).toEqual(wanted);
});

const refused = [...page.matchAll(/```opt error (OPT\d+)\n([\s\S]*?)```/g)].map(
  (match) => [match[1], match[2]] as const,
);

test.each(refused)('refused: %s', (code, text) => {
  const errors = tryCompile(text, { files }).diagnostics.filter((d) => d.severity === 'error');
  expect(errors.map((d) => d.code)).toEqual([code]);
  expect(errors[0].span).toBeDefined();
  expect(errors[0].hint).toBeTruthy();
});
