/** Reports and metrics come in the order of the text, whether the device computes them or the host. */
import { expect, test } from 'vitest';
import { compile } from '../../../compiler/pipeline.ts';
import { Source } from '../../../compiler/source/source.ts';
import { readOutputs } from '../../../runtime/device/words.ts';
import { readLibrary } from '../elaborate/run-spec.ts';

test('values of the host stand among those of the device', () => {
  const text = `hyper q = 3
var x = 2.0
train 3 {
  x <- x + 1
  report a = q
  report d = x, c = q * 2, e = x + 1, b = x + 2, h = q
}`;
  const options = { readImport: readLibrary(), dataInfo: () => undefined, set: new Map<string, number>() };
  const result = compile(new Source('spec.opt', text), options);
  const entry = result.ok && result.value.bundle?.entries.find((e) => e.outputs.length > 0);
  if (!entry) throw new Error('no entry with outputs');
  expect([entry.outputs.length, entry.hostOutputs.length]).toEqual([3, 3]);
  const hostValues = entry.host.instructions.map(() => [0]);
  const { values } = readOutputs(entry, hostValues, new DataView(new ArrayBuffer(256)), 0);
  expect([...values.keys()]).toEqual(['a', 'd', 'c', 'e', 'b', 'h']);
});
