/** The guides: every block marked `run` is run, and its claims hold. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { holds } from '../elaborate/decide.ts';

const folder = join(import.meta.dirname, '../../../docs/guides');
const blocks = readdirSync(folder)
  .filter((name) => name.endsWith('.md'))
  .flatMap((name) => {
    const text = readFileSync(join(folder, name), 'utf8');
    return [...text.matchAll(/```opt run\n([\s\S]*?)```/g)].map((match, i) => [`${name} ${i + 1}`, match[1]] as const);
  });

test.each(blocks)('%s', { timeout: 60_000 }, async (_, text) => {
  const wanted = [...text.matchAll(/^expect /gm)].map(() => true);
  expect(wanted.length).toBeGreaterThan(0);
  expect(await holds(text)).toEqual(wanted);
});
