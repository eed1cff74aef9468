/** Choices, loops, counts, conditional reports and axes from the text to the end: on the device as on the float64 reference, and cut and resumed. */
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import type { Bundle } from '../../compiler/bundle/format.ts';
import { compile } from '../../compiler/pipeline.ts';
import { Source } from '../../compiler/source/source.ts';
import { createReferenceBackend } from '../../runtime/reference/backend.ts';
import { load, type Session } from '../../runtime/session.ts';
import { closeDevice, openDevice } from './device.ts';

afterAll(closeDevice);

const text = `
use rules { sgd, adam }
data D = { v: f32(0..10) }
rule armijo(t0 = 8.0) for tree (P, G; L) {
  var t = t0
  while (L at { P: P - t * G }) > L - 1e-4 * t * dot(G, G) max 40 { t <- t / 2 }
  P <- P - t * G
  report length = t
}
var x: f32[3] = [3, -1, 2]
var u: f32[2] = [3, -1]
var y: f32 = 3
var n: i32 = 4
var i: i32 = 7
train 9 as main {
  var t = 1.0
  repeat 20 as j { t <- t + 0.5 * f32(j) * (if j mod 2 == 0 { 1.0 } else { -1.0 }) }
  if step mod 3 == 1 { batch b = D[2]; y <- sum(b.v) / 10; report got = y }
  every 2 { every 3 { report rare = f32(step) } }
  while y > 0.1 max 50 { y <- y / 2; report halved = y }
  repeat n max 5 { x <- 0.99 * x }
  if step == 5 { n <- -1 }
  repeat 20 {
    sample z ~ normal f32[3]
    update x by adam(0.01) minimizing sum((x - 1)^2 + 0.01 * z * x)
  }
  if y > 100 { x[i] <- 3.0; u <- log(-abs(u)) }
  update u by armijo() minimizing sum([1.0, 10.0] * u^2) + (if y > 0 { sqrt(y) } else { y^2 })
  if step > 3 { update y by adam(0.1) minimizing if y > 0 { log(y + 1) } else { y^2 } }
  repeat 12 restart { update x by sgd(0.001, momentum: 0.5) minimizing sum(x^2) allow OPT418 }
  report t, x0 = x[0], x2 = x[2], u0 = u[0], y
}
`;

const axes = `
use rules { sgd, adam }
axis clients = 5
frozen target over clients: f32[3] ~ normal
var x: f32[3] = 0
var h over clients: f32[3] = 1
var calm over clients: i32 = 0
train 9 as main {
  let moved = map clients {
    var w = x
    repeat 12 { update w by sgd(0.05) minimizing sum((w - target)^2) }
    if sum(w) > 0.2 { calm <- calm + 1; update h by adam(0.1) minimizing sum((h - w)^2) }
    w
  }
  x <- mean over clients moved
  let near = shift h along clients by 2
  let parts = cut(join(moved, clients, 0), clients, 0)
  report x0 = x[0], calmed = f32(sum over clients calm), met = sum over clients { dot(near, parts) }, most = max over clients { norm(h) }
}
`;

describe.each([
  { name: 'control', text, series: ['got', 'rare', 'halved', 't', 'x0', 'x2', 'u0', 'y', 'length'] },
  { name: 'axes', text: axes, series: ['x0', 'calmed', 'met', 'most'] },
])('$name', ({ name: program, text, series }) => {
  it('on the device as on the reference, and resumed', { timeout: 300_000 }, async () => {
    const { owner: device } = await openDevice();
    const compiled = compile(new Source(`${program}.opt`, text), {
      readImport: (module) =>
        new Source(
          `stdlib/${module}.opt`,
          readFileSync(new URL(`../../stdlib/${module}.opt`, import.meta.url), 'utf8'),
        ),
      dataInfo: () => undefined,
      set: new Map(),
      profile: device.profile,
    });
    if (!compiled.ok) throw new Error(compiled.diagnostics.map((d) => d.message).join('\n'));
    const bundle = compiled.value.bundle as Bundle;
    const train = async (session: Session, steps?: number): Promise<void> => {
      for await (const report of session.train({ steps })) void report;
    };
    const onDevice = await load(bundle).start({ device });
    const reference = await load(bundle).start({ backend: createReferenceBackend(compiled.value.program) });
    await train(onDevice);
    await train(reference);
    const of = (session: Session) => session.results.runs.get('')?.series ?? new Map();
    for (const name of series) {
      const [ours, exact] = [onDevice, reference].map((s) => of(s).get(name));
      expect(ours?.steps).toEqual(exact?.steps);
      expect(ours?.values.length).toBeGreaterThan(0);
      exact?.values.forEach((v: number, k: number) =>
        expect(Math.abs((ours?.values[k] ?? Number.NaN) - v)).toBeLessThan(1e-4 * Math.max(1, Math.abs(v))),
      );
    }
    if (series.includes('rare')) expect(of(onDevice).get('rare')?.values).toEqual([0, 6]);
    const first = await load(bundle).start({ device });
    await train(first, 5);
    const bytes = await first.save();
    await first.dispose();
    const second = await load(bundle).start({ device, resume: bytes });
    await train(second);
    expect(second.results).toEqual(onDevice.results);
    for (const session of [onDevice, reference, second]) await session.dispose();
  });
});
