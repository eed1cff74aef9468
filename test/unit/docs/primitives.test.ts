/** The reference page of the primitives is what the op table says. `npm run test:update` writes it. */
import { expect, test } from 'vitest';
import { ops } from '../../../compiler/ops/table.ts';
import { primitivesPage } from '../../../scripts/primitives.ts';

test('docs/primitives.md is current', async () => {
  await expect(primitivesPage()).toMatchFileSnapshot('../../../docs/primitives.md');
});

test('each primitive stands on the page once', () => {
  const page = primitivesPage();
  for (const { name } of ops) expect(page.split(`| \`${name}\` |`).length, name).toBe(2);
});
