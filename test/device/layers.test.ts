/** Small networks of the library's layers and its linear algebra: trained on the device and in float64 on the reference, they record the same numbers. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Bundle } from '../../compiler/bundle/format.ts';
import { compile } from '../../compiler/pipeline.ts';
import { Source } from '../../compiler/source/source.ts';
import type { OpenDevice } from '../../runtime/device/device.ts';
import { openDevice } from '../../runtime/host/driver.ts';
import { createReferenceBackend } from '../../runtime/reference/backend.ts';
import { load, type Session } from '../../runtime/session.ts';

let device: OpenDevice;
beforeAll(async () => {
  device = await openDevice('auto');
});
afterAll(() => device.close());

const library = (module: string): Source =>
  new Source(`${module}.opt`, readFileSync(new URL(`../../stdlib/${module}.opt`, import.meta.url), 'utf8'));

/** Values of a report at each step. */
async function series(session: Session, name: string): Promise<number[]> {
  const values: number[] = [];
  for await (const report of session.train({ steps: 3 })) values.push(report.values[name]);
  await session.dispose();
  return values;
}

async function agree(text: string, name: string, tolerance: number): Promise<void> {
  const compiled = compile(new Source('layers.opt', text), {
    readImport: library,
    dataInfo: () => undefined,
    set: new Map(),
    profile: device.profile,
  });
  if (!compiled.ok) throw new Error(compiled.diagnostics.map((d) => d.message).join('\n'));
  const bundle = compiled.value.bundle as Bundle;
  const onDevice = await series(await load(bundle).start({ device }), name);
  const reference = createReferenceBackend(compiled.value.program);
  const wanted = await series(await load(bundle).start({ backend: reference }), name);
  expect(wanted).toHaveLength(3);
  expect(wanted[2]).not.toBe(wanted[0]);
  onDevice.forEach((v, i) =>
    expect(Math.abs(v - wanted[i])).toBeLessThan(tolerance * Math.max(1, Math.abs(wanted[i]))),
  );
}

it('a convolutional network with pools, strides, groups and norms', { timeout: 240_000 }, async () => {
  const text = `use nn { conv2d, group_norm, batch_norm, relu, flatten, linear, upsample }
use rules { sgd }
let x = reshape(sin(0.7 * f32(0..1372)), 2, 14, 7, 7)
model Net(x: f32[n, h, w, c]) {
  let a = max_pool(relu(batch_norm(conv2d(x, 6, size: 3))), [2, 2])
  let b = avg_pool(group_norm(conv2d(a, 8, size: 3, stride: 2, groups: 2), groups: 4), 3, stride: 1, padding: "same")
  linear(flatten(upsample(relu(b))), 3)
}
train 3 { let loss = mean((Net(x) - 1)^2); update Net by sgd(0.05) minimizing loss; report loss }`;
  await agree(text, 'loss', 1e-4);
});

it('a transformer with embeddings', { timeout: 240_000 }, async () => {
  const text = `use nn { embedding, transformer_block, rms_norm, linear }
use losses { cross_entropy }
use rules { sgd }
let i = reshape((0..27) mod 5, 3, 9)
model Net(i) { linear(rms_norm(transformer_block(embedding(i, 5, 12), heads: 3, ratio: 2, causal: true)), 5) }
train 3 {
  let loss = mean(cross_entropy(reshape(Net(i), 27, 5), reshape(i, 27)))
  update Net by sgd(0.5) minimizing loss
  report loss
}`;
  await agree(text, 'loss', 1e-4);
});

it('factors, eigenvalues, solutions and their derivatives', { timeout: 240_000 }, async () => {
  const text = `use linalg { eigh, solve_linear, qr, svd }
use rules { sgd }
let b = cos(f32(0..5))
var A = reshape(sin(0.37 * f32(0..25)^2), 5, 5) + 2 * onehot(0..5, 5)
train 3 {
  let loss = sum(solve_linear(A, b)^2) + sum(sin(eigh(A)[0])) + sum(svd(A)[1]) + sum(qr(A)[1]^2) + sum(cholesky(A @ transpose(A)))
  update A by sgd(0.01) minimizing loss
  report loss
}`;
  await agree(text, 'loss', 1e-3);
});
