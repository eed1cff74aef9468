/** docs/stdlib.md is what the doc comments say and what the examples give. `npm run test:update` writes it. */
import { expect, test } from 'vitest';
import { exampleValue, page } from './examples.ts';
import { table } from './program.ts';

test.each(
  Object.entries(table).flatMap(([module, rows]) =>
    Object.entries(rows).map(([name, row]) => [`${module}.${name}`, module, name, row] as const),
  ),
)('the example of %s has a value', (_, module, name, row) => {
  const value = exampleValue(module, name, row);
  expect(value).not.toMatch(/NaN|Infinity|undefined/);
  expect(value.length).toBeGreaterThan(0);
});

test('docs/stdlib.md is current', async () => {
  await expect(page()).toMatchFileSnapshot('../../docs/stdlib.md');
});
