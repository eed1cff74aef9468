/** Run-time checks on the device name the index, the axis and the line, in the words of the reference. */
import { afterAll, describe, expect, it } from 'vitest';
import { SaddleError } from '../../compiler/diagnostics/diagnostic.ts';
import { compile } from '../../compiler/pipeline.ts';
import { Source } from '../../compiler/source/source.ts';
import { openDevice } from '../../runtime/host/driver.ts';
import type { OpenDevice } from '../../runtime/device/device.ts';
import { createReferenceBackend } from '../../runtime/reference/backend.ts';
import { load } from '../../runtime/session.ts';
import { readLibrary } from '../unit/elaborate/run-spec.ts';

let device: OpenDevice | undefined;
afterAll(() => device?.close());

const head = 'var x: f32[10] = 1\nvar w: f32[10, 8] = 1\nvar k: i32 = 9\nlet far = k + i32(x[0]) * 3\n';
const indexed = (i: number, size: number) => `index ${i} is out of range: the axis has ${size} elements`;
const cases: readonly (readonly [string, string])[] = [
  ['metric m = x[far]', indexed(12, 10)],
  ['metric m = x[far - 13]', indexed(-1, 10)],
  ['metric m = sum(w[:, far])', indexed(12, 8)],
  ['let list = (0..10) + far div 12\nmetric m = sum(w[list])', indexed(10, 10)],
  ['metric m = sum(segment_sum(x, by: (0..10) + k - 9, into: 9))', indexed(9, 9)],
  ['let s = far - 4\nmetric m = sum(x[s..s + 4])', 'a window of 4 that begins at 8 does not fit: the axis has 10 elements'],
  ['train 1 { x[far] <- 2\n report m = sum(x) }', indexed(12, 10)],
  ['train 1 { x[k..k + 3] <- 2 * ones(3)\n report m = sum(x) }', 'a window of 3 that begins at 9 does not fit: the axis has 10 elements'],
]; // prettier-ignore

async function failure(
  text: string,
  on: 'device' | 'reference',
): Promise<{ message: string; line: number | undefined }> {
  const made = compile(new Source('spec.opt', text), {
    readImport: readLibrary(),
    dataInfo: () => undefined,
    set: new Map(),
  });
  if (!made.ok) throw new Error(made.diagnostics.map((d) => d.message).join('\n'));
  const { bundle, program } = made.value;
  if (!bundle) throw new Error('no bundle');
  const where = on === 'device' ? { device } : { backend: createReferenceBackend(program) };
  const session = await load(bundle).start(where);
  try {
    for await (const report of session.train()) expect(report).toBeUndefined();
  } catch (caught) {
    if (!(caught instanceof SaddleError)) throw caught;
    const [d] = caught.diagnostics;
    expect(d.code).toBe('OPT708');
    const at = d.span ? new Source('spec.opt', text).position(d.span.start).line : d.place?.line;
    return { message: d.message, line: at };
  } finally {
    await session.dispose();
  }
  throw new Error('nothing failed');
}

describe('an index out of range', () => {
  it.each(cases)('%s', { timeout: 60_000 }, async (text, message) => {
    device ??= await openDevice();
    const onReference = await failure(head + text, 'reference');
    const onDevice = await failure(head + text, 'device');
    expect(onReference.message).toBe(`${message} (step 0)`);
    expect(onDevice).toEqual(onReference);
  });
});
