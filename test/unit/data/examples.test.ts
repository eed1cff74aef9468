/** The examples on small real data: their claims hold them to optima that an independent program found in float64. */
import path from 'node:path';
import { expect, it } from 'vitest';
import { runSpec } from '../../../cli/run.ts';

it.each(['breast-cancer', 'penguins'])('%s', { timeout: 120_000 }, async (name) => {
  const file = path.join(import.meta.dirname, '../../../examples', name, `${name}.opt`);
  const { exit, document } = await runSpec(file, { set: [], data: [], quiet: true }, 'test');
  expect(exit, JSON.stringify(document)).toBe(0);
});
