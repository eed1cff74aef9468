/** A program from its text to the end: on the device, cut and resumed, and on the reference. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Bundle } from '../../../compiler/bundle/format.ts';
import { type Compiled, compile } from '../../../compiler/pipeline.ts';
import { Source } from '../../../compiler/source/source.ts';
import type { NumberArray } from '../../../runtime/backend.ts';
import type { OpenDevice } from '../../../runtime/device/device.ts';
import { openDevice } from '../../../runtime/host/driver.ts';
import { createReferenceBackend } from '../../../runtime/reference/backend.ts';
import { decideClaims } from '../../../runtime/report/claims.ts';
import { type Session, load } from '../../../runtime/session.ts';

const text = `
use nn    { linear, relu }
use rules { adam }
dim B = 7
hyper lr = 0.02 * (1 - progress)
data d = { x: zeros(20, 3) }
model Net(x: f32[n, 3]) { linear(relu(linear(x, 5)), 1)[:, 0] }
trial t(k) {
  train until norm(Net) > 30 max 24 as main {
    batch b = d[B]
    sample z ~ normal like b.x
    let loss = mean((Net(b.x + z) - (z[:, 0] * k - z[:, 1]))^2)
    update Net by adam(lr) minimizing loss
    report loss
    eval every 10 { metric size = norm(Net) }
  }
}
run a = t(1)
run b = t(2)
expect b.loss > a.loss
expect a.steps == 24
`;

let device: OpenDevice;
let compiled: Compiled;
let bundle: Bundle;
beforeAll(async () => {
  device = await openDevice('auto');
  const result = compile(new Source('small.opt', text), {
    readImport: (module) =>
      new Source(
        `stdlib/${module}.opt`,
        readFileSync(new URL(`../../../stdlib/${module}.opt`, import.meta.url), 'utf8'),
      ),
    dataInfo: () => undefined,
    set: new Map(),
    profile: device.profile,
  });
  if (!result.ok) throw new Error(result.diagnostics.map((d) => d.message).join('\n'));
  compiled = result.value;
  bundle = compiled.bundle as Bundle;
});
afterAll(() => device.close());

async function train(session: Session, steps?: number): Promise<void> {
  for await (const report of session.train({ steps })) void report;
}

const cellsOf = (session: Session): Promise<Map<string, NumberArray>> =>
  session.backend.readCells(session.bundle.cells.map((c) => c.id));

it('resumes bit for bit, in either run and in front of a loop condition', async () => {
  const loaded = load(bundle);
  const whole = await loaded.start({ device });
  await train(whole);
  const cells = await cellsOf(whole);
  for (const cut of [1, 24, 37]) {
    const first = await loaded.start({ device });
    await train(first, cut);
    const bytes = await first.save();
    await first.dispose();
    const second = await loaded.start({ device, resume: bytes });
    await train(second);
    expect(await cellsOf(second)).toEqual(cells);
    expect(second.results).toEqual(whole.results);
    await second.dispose();
  }
  expect(decideClaims(bundle, new Map([[1, whole.results]]), 1).map((c) => c.pass)).toEqual([true, true]);
  await whole.dispose();
});

it('follows the float64 reference', async () => {
  const onDevice = await load(bundle).start({ device });
  const reference = await load(bundle).start({ backend: createReferenceBackend(compiled.program) });
  await train(onDevice);
  await train(reference);
  for (const run of ['a', 'b']) {
    for (const name of ['loss', 'size']) {
      const [ours, exact] = [onDevice, reference].map((s) => s.results.runs.get(run)?.series.get(name)?.values ?? []);
      expect(ours.length).toBe(exact.length);
      ours.forEach((v, i) => expect(Math.abs(v - exact[i])).toBeLessThan(1e-5 * Math.max(1, Math.abs(exact[i]))));
    }
  }
  await onDevice.dispose();
});

it('can be read and written before it trains, and keeps what was written', async () => {
  const session = await load(bundle).start({ device, seed: 1 });
  const name = bundle.cells.find((c) => c.run === 'a' && c.kind === 'param' && c.id.endsWith('W'))?.id as string;
  const initial = (await session.get(name))[name].values;
  expect(Array.from(initial).some((v) => v !== 0)).toBe(true);
  await session.set(name, { [name]: Array.from(initial, () => 0.25) });
  await train(session, 0);
  expect(Array.from((await session.get(name))[name].values)).toEqual(Array.from(initial, () => 0.25));
  await session.dispose();
});
