/** `explain --math`: problems as they are declared, in text and in LaTeX. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { mathOf } from '../../../compiler/ast/math.ts';
import { parse } from '../../../compiler/ast/parse.ts';
import { Source } from '../../../compiler/source/source.ts';
import { saddle } from './saddle.ts';

/** The spec 'problems' stands beside its goldens. */
const file = 'test/golden/math/problems.opt';
const source = new Source(file, readFileSync(path.join(import.meta.dirname, '../../..', file), 'utf8'));

it.each(['text', 'latex'] as const)('%s', async (form) => {
  const parsed = parse(source);
  if (!parsed.ok) throw new Error(parsed.diagnostics.map((d) => d.message).join('\n'));
  const found = mathOf(parsed.value, form, (span) => source.slice(span));
  await expect(found).toMatchFileSnapshot(`../../golden/math/problems.${form === 'text' ? 'txt' : 'tex'}`);
  const brackets = (open: RegExp, close: RegExp) => expect(found.match(open)?.length).toBe(found.match(close)?.length);
  brackets(/\{/g, /\}/g);
  brackets(/\\left/g, /\\right/g);
});

it('on the command line', async () => {
  expect(await saddle(['explain', file, '--math'])).toMatchObject({ code: 0, stderr: '' });
  const { stdout } = await saddle(['explain', file, '--math', 'latex', '--json']);
  expect((JSON.parse(stdout) as { text: string }).text).toContain('\\begin{aligned}');
  expect((await saddle(['explain', file, '--math', 'tex'])).stderr).toContain('OPT803');
  expect((await saddle(['explain', 'examples/digits/digits.opt', '--math'])).stderr).toContain('OPT806');
});
