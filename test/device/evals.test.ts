/** Evals in chunks and exact parts on the device, through a whole session: the metrics are those of the reference, taken whole. */
import { afterAll, describe, expect, it } from 'vitest';
import { compile } from '../../compiler/pipeline.ts';
import { Source } from '../../compiler/source/source.ts';
import { createReferenceBackend } from '../../runtime/reference/backend.ts';
import { openDevice as search } from '../../runtime/host/driver.ts';
import type { OpenDevice } from '../../runtime/device/device.ts';
import { load } from '../../runtime/session.ts';
import { readLibrary } from '../unit/elaborate/run-spec.ts';

let device: OpenDevice | undefined;
afterAll(() => device?.close());

const bytes = Uint8Array.from({ length: 203 * 6 }, (_, i) => (i * 37 + ((i * i) % 11) * 5) % 256);
const classes = Int32Array.from({ length: 203 }, (_, i) => (i * 7) % 3);
const info = {
  rows: 203,
  fields: [
    { name: 'x', dtype: 'f32', shape: [6], storage: 'u8', scale: 1 / 255 },
    { name: 'y', dtype: 'i32', shape: [], storage: 'i32', scale: 1 },
  ],
} as const;

const spec = (chunks: string) => `use nn { linear, relu }
use losses { cross_entropy }
use rules { sgd }
data D from "set" { x: f32[*, 6], y: i32[*] in 0..3 }
model Net(x: f32[n, 6]) { linear(relu(linear(x, 8)), 3) }
train 6 { batch b = D[8]
  update Net by sgd(0.1) minimizing mean(cross_entropy(Net(b.x), b.y)) }
eval every 3 over D as e ${chunks} {
  let z = Net(e.x)
  metric right = f32(sum(i32(argmax(z) == e.y)))
  metric loss = mean(cross_entropy(z, e.y))
  metric spread = variance(z[:, 0])
  metric top = max(z)
  metric classes = norm(segment_sum(z, by: e.y, into: 3))
}
let whole = mean(Net(D.x)^2)
let half = exact { mean(Net(D.x)^2) }
metric error = abs(half - whole)
metric half_again = half
`;

async function metrics(
  text: string,
  on: 'device' | 'reference',
  limits: Partial<OpenDevice['profile']> = {},
): Promise<Record<string, readonly number[]>> {
  const made = compile(new Source('spec.opt', text), {
    readImport: readLibrary(),
    dataInfo: () => info,
    set: new Map(),
    profile: { ...device?.profile, ...limits },
  });
  if (!made.ok) throw new Error(made.diagnostics.map((d) => d.message).join('\n'));
  const { bundle, program } = made.value;
  if (!bundle) throw new Error('no bundle');
  const where = on === 'device' ? { device } : { backend: createReferenceBackend(program) };
  const session = await load(bundle).start({ ...where, seed: 2, data: () => ({ x: bytes, y: classes }) });
  for await (const report of session.train()) expect(report.run).toBe('');
  const now = await session.eval();
  const series = session.results.runs.get('')?.series ?? new Map();
  const last = Object.fromEntries([...series].map(([name, s]) => [name, s.values as readonly number[]]));
  // The same metrics, asked for at the end.
  for (const [name, value] of now.get('') ?? []) expect(value, name).toBeCloseTo(last[name].at(-1) as number, 5);
  await session.dispose();
  return last;
}

describe('an eval in chunks', () => {
  it('gives the metrics of the whole, on the device', { timeout: 120_000 }, async () => {
    device ??= await search();
    const want = await metrics(spec(''), 'reference');
    for (const chunks of ['', 'in chunks of 10']) {
      const found = await metrics(spec(chunks), 'device');
      expect(found.right, chunks).toEqual(want.right);
      for (const name of ['loss', 'spread', 'top', 'classes', 'half_again'])
        found[name].forEach((v, i) => expect(v, `${name} ${chunks}`).toBeCloseTo(want[name][i], 4));
      expect(found.error[0]).toBeLessThan(1e-5);
    }
  });

  it(
    'reads rows that stay with the host, where the field is more than the device binds',
    { timeout: 120_000 },
    async () => {
      device ??= await search();
      const text = spec('in chunks of 10').replace(/^let whole[^]*/m, '');
      const want = await metrics(text, 'reference');
      const found = await metrics(text, 'device', { maxBindingBytes: 1024 });
      expect(found.right).toEqual(want.right);
      for (const name of ['loss', 'spread', 'top', 'classes'])
        found[name].forEach((v, i) => expect(v, name).toBeCloseTo(want[name][i], 4));
    },
  );
});
