/** A long sort on the device, which is a chain of merges, against the reference. */
import { afterAll, expect, it } from 'vitest';
import { compileProgram } from '../../compiler/emit/bundle.ts';
import { op } from '../../compiler/ops/table.ts';
import { seededRng } from '../fuzz/rng.ts';
import { caseOf, normals, run } from '../ops/cases.ts';
import { closeDevice, openDevice } from './device.ts';
import { resultsProgram } from './programs.ts';
import { BundleRunner } from './run-bundle.ts';

afterAll(closeDevice);

it('100,003 numbers with ties are sorted as the reference sorts them', { timeout: 120_000 }, async () => {
  const { device, profile } = await openDevice();
  const x = normals(seededRng(2), { dtype: 'f32', shape: [100_003] });
  const inputs = [{ ...x, data: x.data.map((v) => Math.round(500 * v)) }];
  const { graph, params, node } = caseOf(op('argsort'), { inputs, attrs: { axis: 0, descending: false } });
  const [want] = run([node], params, inputs);
  const bundle = compileProgram(resultsProgram(graph, { x0: x.type }, { y: node }), { limits: profile });
  const runner = await new BundleRunner(device, bundle).prepare();
  const { y } = await runner.run('main', {}, { x0: inputs[0].data });
  runner.dispose();
  expect(y).toEqual([...want.data]);
});
