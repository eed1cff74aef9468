/** A small program on the reference backend and, compiled, on the device: the same training, step by step. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compileProgram } from '../../../compiler/emit/bundle.ts';
import type { Program } from '../../../compiler/ir/program.ts';
import { Graph } from '../../../compiler/ir/tensor/graph.ts';
import type { Backend } from '../../../runtime/backend.ts';
import type { OpenDevice } from '../../../runtime/device/device.ts';
import { createExecutor } from '../../../runtime/device/executor.ts';
import { openDevice } from '../../../runtime/host/driver.ts';
import { createReferenceBackend } from '../../../runtime/reference/backend.ts';
import { type Session, load } from '../../../runtime/session.ts';
import { SaddleError } from '../../../compiler/diagnostics/diagnostic.ts';

let device: OpenDevice;
beforeAll(async () => {
  device = await openDevice('auto');
});
afterAll(() => device.close());

const f32 = { dtype: 'f32', shape: [] } as const;
const vector = { dtype: 'f32', shape: [4] } as const;
const bytes = { dtype: 'f32', shape: [4] } as const;

/** w <- w - lr * (w - d.x), reporting sum((w - d.x)^2); a call adds its input to w; one entry indexes out of range at step 3. */
function program(options: { readonly fault?: boolean } = {}): Program {
  const g = new Graph();
  const w = () => g.parameter('cell', 'w', vector);
  const fill = (v: ReturnType<typeof g.make>) => g.make('broadcast', [v], { shape: [4], axes: [] });
  const difference = g.make('sub', [w(), g.parameter('data', 'd.x', bytes)]);
  const lr = g.make('mul', [
    g.parameter('scalar', 'hyper:lr', f32),
    g.make('sub', [g.constant(1, f32), g.parameter('scalar', 'progress', f32)]),
  ]);
  const index = g.make('reshape', [g.parameter('scalar', 'step', { dtype: 'i32', shape: [] })], { shape: [1] });
  const picked = g.make('reshape', [g.make('gather', [w(), index], { axis: 0 })], { shape: [] });
  return {
    name: 'small',
    hypers: [{ name: 'lr', value: g.constant(0.25, f32) }],
    data: [{ name: 'd', source: 'd', rows: 4, fields: [{ name: 'x', type: bytes, storage: 'u8', scale: 1 / 255 }] }],
    cells: [{ id: 'w', type: vector, kind: 'param', run: '', group: 'w' }],
    entries: [
      {
        id: 'init',
        writes: [{ cell: 'w', value: g.constant(2, vector) }],
        outputs: [],
        inputs: [],
      },
      {
        id: 'step',
        writes: [{ cell: 'w', value: g.make('sub', [w(), g.make('mul', [fill(lr), difference])]) }],
        outputs: [
          {
            name: 'loss',
            kind: 'report',
            value: g.make('reduce_sum', [g.make('mul', [difference, difference])], { axes: [0] }),
          },
          ...(options.fault ? [{ name: 'picked', kind: 'report' as const, value: picked }] : []),
        ],
        inputs: [],
      },
      {
        id: 'add',
        writes: [],
        outputs: [{ name: 'y', kind: 'result', value: g.make('add', [w(), g.parameter('input', 'x', vector)]) }],
        inputs: [{ name: 'x', type: vector }],
      },
    ],
    schedule: [
      { kind: 'once', name: 'init', run: '', entry: 'init' },
      { kind: 'train', name: 'main', run: '', steps: 12, entry: 'step', evals: [] },
    ],
    runs: [{ name: '', mayFail: false }],
    exports: [{ name: 'add', entry: 'add' }],
    claims: [],
    updates: [],
    models: [],
  };
}

const start = (p: Program, backend: Backend): Promise<Session> =>
  load(compileProgram(p)).start({ backend, data: () => ({ x: Uint8Array.of(0, 51, 102, 255) }) });

async function losses(session: Session): Promise<number[]> {
  const found: number[] = [];
  for await (const report of session.train()) found.push(report.values.loss);
  return found;
}

it('trains as float64 arithmetic does, and the device follows', async () => {
  const p = program();
  const reference = await start(p, createReferenceBackend(p));
  const exact = await losses(reference);
  const target = [0, 0.2, 0.4, 1];
  const w = [2, 2, 2, 2];
  for (let step = 0; step < 12; step++) {
    expect(exact[step]).toBeCloseTo(
      w.reduce((sum, v, i) => sum + (v - target[i]) ** 2, 0),
      12,
    );
    w.forEach((v, i) => (w[i] = v - 0.25 * (1 - step / 12) * (v - target[i])));
  }
  const onDevice = await start(p, await createExecutor(compileProgram(p), device));
  (await losses(onDevice)).forEach((loss, i) => expect(Math.abs(loss - exact[i])).toBeLessThan(1e-5 * exact[0]));
  const called = await Promise.all([reference, onDevice].map((s) => s.call('add', { x: [1, 2, 3, 4] })));
  called[0].y.forEach((v, i) => expect(called[1].y[i]).toBeCloseTo(v, 5));
  await onDevice.backend.dispose();
});

it('reports an index out of range, as the device does', async () => {
  const p = program({ fault: true });
  for (const backend of [createReferenceBackend(p), await createExecutor(compileProgram(p), device)]) {
    const session = await start(p, backend);
    const caught = await losses(session).catch((reason: unknown) => reason);
    expect(caught).toBeInstanceOf(SaddleError);
    expect((caught as SaddleError).diagnostics[0].code).toBe('OPT708');
    await backend.dispose();
  }
});

it('resumes from its own checkpoints in float64', async () => {
  const p = program();
  const whole = await start(p, createReferenceBackend(p));
  await losses(whole);
  const first = await start(p, createReferenceBackend(p));
  for await (const report of first.train({ steps: 5 })) void report;
  const second = await start(p, createReferenceBackend(p));
  await second.restore(await first.save());
  await losses(second);
  expect(await second.get('w')).toEqual(await whole.get('w'));
  expect(second.results).toEqual(whole.results);
});
