/** The examples on small real data: their claims hold them to optima that an independent program found in float64. Examples that show two texts to be one method. */
import path from 'node:path';
import { expect, it } from 'vitest';
import { compileSpec } from '../../../cli/compile.ts';
import { runSpec } from '../../../cli/run.ts';
import { describeData, openSpec, overridesBySource, type Opened } from '../../../cli/spec.ts';

it.each(['breast-cancer', 'penguins'])('%s', { timeout: 120_000 }, async (name) => {
  const file = path.join(import.meta.dirname, '../../../examples', name, `${name}.opt`);
  const { exit, document } = await runSpec(file, { set: [], data: [], quiet: true }, 'test');
  expect(exit, JSON.stringify(document)).toBe(0);
});

// Penalties, line search and blocks of rows; a Hessian that is shifted; a constraint without a slope.
it.each(['bt5', 'hs6', 'hs28', 'hs61'])('adasketch/cutest/%s', { timeout: 120_000 }, async (name) => {
  const file = path.join(import.meta.dirname, '../../../examples/adasketch/cutest', `${name}.opt`);
  const { exit, document } = await runSpec(file, { set: [], data: [], device: 'reference', quiet: true }, 'test');
  expect(exit, JSON.stringify(document)).toBe(0);
});

const game = path.join(import.meta.dirname, '../../../examples/dann/game.opt');

it('dann/game: gradient reversal and the declared game compile to the same updates', async () => {
  const opened: Opened = new Map();
  const spec = openSpec(game, opened);
  const { infos } = await describeData(spec, overridesBySource(spec, new Map(), new Map()), true);
  const text = compileSpec(spec, opened, { set: new Map(), infos, stage: 'program' }).texts('updates');
  const [turned, played] = text.split(/^\S.*:$/m).slice(1);
  const updates = [
    'Features <- Features - 0.05 * (d task - strength * d side)  by sgd(lr: 0.05)',
    'Label <- Label - 0.05 * (d task)  by sgd(lr: 0.05)',
    'Domain <- Domain - 0.05 * (strength * d side)  by sgd(lr: 0.05)',
  ];
  const lines = (section: string) => section.trim().split(/\n\s*/);
  expect(lines(turned)).toEqual(updates);
  expect(lines(played).slice(0, 3)).toEqual(updates);
  expect(played).toContain('simultaneous');
});

it('dann/game: and take the same steps, bit for bit', { timeout: 120_000 }, async () => {
  const { exit, document } = await runSpec(
    game,
    { set: ['STEPS=20'], data: [], device: 'reference', quiet: true },
    'test',
  );
  expect(exit, JSON.stringify(document)).toBe(0);
  expect((document.expects ?? []).length).toBe(3);
});
