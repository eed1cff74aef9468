/** The executor and the session on a device, with a bundle written by hand. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bundle } from '../../../compiler/bundle/format.ts';
import { SaddleError } from '../../../compiler/diagnostics/diagnostic.ts';
import type { OpenDevice } from '../../../runtime/device/device.ts';
import { createExecutor } from '../../../runtime/device/executor.ts';
import { openDevice } from '../../../runtime/host/driver.ts';
import { type Report, type Session, type StartOptions, load } from '../../../runtime/session.ts';
import { tinyBundle, tinyData, tinyReference } from './tiny-bundle.ts';

let device: OpenDevice;
beforeAll(async () => {
  device = await openDevice('auto');
});
afterAll(() => device.close());

const begin = (bundle: Bundle, options: Partial<StartOptions> = {}): Promise<Session> =>
  load(bundle).start({ device, data: tinyData, ...options });

async function all(session: Session, options?: Parameters<Session['train']>[0]): Promise<Report[]> {
  const reports: Report[] = [];
  for await (const report of session.train(options)) reports.push(report);
  return reports;
}

/** The code of the SaddleError that a promise rejects with, and its message. */
async function failure(
  promise: Promise<unknown>,
): Promise<{ code: string; message: string; place?: { line: number } }> {
  try {
    await promise;
  } catch (reason) {
    if (reason instanceof SaddleError) return reason.diagnostics[0];
    throw reason;
  }
  throw new Error('nothing was thrown');
}

describe('training', () => {
  it('follows the float64 reference, with few submits', async () => {
    const session = await begin(tinyBundle({ steps: 300 }), { seed: 7 });
    const reports = await all(session);
    const reference = tinyReference(300, 7);
    const losses = reports.filter((r) => r.kind === 'step').map((r) => r.values.loss);
    expect(losses).toHaveLength(300);
    losses.forEach((loss, i) => expect(Math.abs(loss - reference.losses[i])).toBeLessThan(1e-5));
    const { '/w': w } = await session.get('Line');
    expect(Array.from(w.values)[0]).toBeCloseTo(reference.w[0], 4);
    expect(Array.from(w.values)[1]).toBeCloseTo(reference.w[1], 4);
    expect(reports.filter((r) => r.kind === 'step').map((r) => r.step)).toEqual(
      Array.from({ length: 300 }, (_, i) => i),
    );
    expect(session.backend.stats.submits / 300).toBeLessThanOrEqual(0.1);
    expect(session.backend.stats.dispatches).toBe(1 + 600 + 1);
    expect(session.results.runs.get('')?.status.state).toBe('ok');
    expect(session.results.runs.get('')?.steps).toBe(300);
    expect(session.results.runs.get('')?.series.get('lr')?.values[150]).toBeCloseTo(0.0375, 6);
    expect(session.done).toBe(true);
    await session.dispose();
    expect(session.backend.bytes.live).toBe(0);
  });

  it('is the same bit for bit however it is cut into submits and calls', async () => {
    const whole = await begin(tinyBundle({ steps: 60 }));
    await all(whole);
    const cut = await begin(tinyBundle({ steps: 60 }));
    for (const steps of [1, 2, 17, 39, 1]) await all(cut, { steps });
    expect(cut.done).toBe(true);
    expect((await cut.get('/w'))['/w'].values).toEqual((await whole.get('/w'))['/w'].values);
    expect(cut.results).toEqual(whole.results);
    await Promise.all([whole.dispose(), cut.dispose()]);
  });

  it('evaluates after the updates it is told to', async () => {
    const session = await begin(tinyBundle({ steps: 25, evalEvery: 10, evalAt: [3] }));
    const evals = (await all(session)).filter((r) => r.kind === 'eval');
    expect(evals.map((r) => r.step)).toEqual([0, 3, 10, 20, 25]);
    expect(session.results.runs.get('')?.series.get('error')?.steps).toEqual([0, 3, 10, 20, 25]);
    const now = await session.eval();
    expect(now.get('')?.get('error')).toBe(evals[4].values.error);
    await session.dispose();
  });

  it('tests `until` before each step', async () => {
    const session = await begin(tinyBundle({ steps: 500, until: true }));
    await all(session);
    const steps = session.results.runs.get('')?.steps as number;
    const error = session.results.runs.get('')?.series.get('error');
    expect(steps).toBeGreaterThan(3);
    expect(steps).toBeLessThan(500);
    expect(error?.steps).toEqual([steps]);
    expect(error?.values[0]).toBeLessThan(0.5);
    await session.dispose();
    // One step less does not meet the condition.
    const shorter = await begin(tinyBundle({ steps: 500, until: true }));
    await all(shorter, { steps: steps - 1 });
    expect((await shorter.eval()).get('')?.get('error')).toBeGreaterThanOrEqual(0.5);
    await shorter.dispose();
  });

  it('stops on a signal and goes on afterwards', async () => {
    const session = await begin(tinyBundle({ steps: 400 }));
    const abort = new AbortController();
    let seen = 0;
    for await (const report of session.train({ signal: abort.signal })) {
      if (report.kind === 'step' && ++seen === 5) abort.abort();
    }
    expect(seen).toBeLessThan(400);
    expect(session.results.runs.get('')?.steps).toBe(seen);
    await all(session);
    expect(session.results.runs.get('')?.steps).toBe(400);
    await session.dispose();
  });

  it('counts the work of a loop that its caller left', async () => {
    const session = await begin(tinyBundle({ steps: 200 }));
    for await (const report of session.train()) if (report.step === 3) break;
    const taken = session.results.runs.get('')?.steps as number;
    expect(session.position.step).toBe(taken);
    expect((await session.get('/n'))['/n'].values[0]).toBe(taken);
    await session.dispose();
  });

  it('takes other hypers, seeds and lengths', async () => {
    const session = await begin(tinyBundle({ steps: 100 }), { hypers: { lr: 0.01 }, steps: 3, seed: 5 });
    await all(session);
    expect(session.results.runs.get('')?.series.get('lr')?.values).toEqual([0.01, 0.01, 0.01].map(Math.fround));
    expect(session.results.runs.get('')?.steps).toBe(3);
    const first = session.results.runs.get('')?.series.get('loss')?.values[0] as number;
    expect(first).toBeCloseTo(tinyReference(1, 5).losses[0], 5);
    await session.restart({ seed: 6 });
    await all(session);
    expect(session.results.runs.get('')?.series.get('loss')?.values[0]).toBeCloseTo(tinyReference(1, 6).losses[0], 5);
    await session.dispose();
  });
});

describe('runs', () => {
  it('fail when a value is not finite, naming it, and the others go on where they may', async () => {
    const runs = [{ name: 'wild', mayFail: true }, { name: 'calm' }];
    const session = await begin(tinyBundle({ steps: 400, runs, lr: 5 }), {});
    // Both diverge: the first may, the second may not.
    const caught = await failure(all(session));
    expect(caught.code).toBe('OPT709');
    expect(caught.message).toMatch(/'loss' is not finite \((infinity|not a number)\) at step \d+, in run 'calm'/);
    expect(caught.place?.line).toBe(7);
    const wild = session.results.runs.get('wild');
    expect(wild?.status.state).toBe('failed');
    const loss = wild?.series.get('loss');
    expect(loss?.values.every(Number.isFinite)).toBe(true);
    expect(loss?.values.length).toBe(wild?.steps);
    await session.dispose();
  });

  it('are independent: each begins from its own cells, and unpaired ones from another seed', async () => {
    const runs = [{ name: 'a' }, { name: 'b' }, { name: 'c', seed: 3 }];
    const session = await begin(tinyBundle({ steps: 20, runs }));
    await all(session);
    const last = (name: string) => session.results.runs.get(name)?.series.get('loss')?.values;
    expect(last('a')).toEqual(last('b'));
    expect(last('c')?.[0]).toBeCloseTo(tinyReference(1, 1 + 3).losses[0], 5);
    await session.dispose();
  });
});

describe('cells and exports', () => {
  it('are read, written and called', async () => {
    const session = await begin(tinyBundle());
    await session.set('Line', { '/w': [3, -2] });
    const { y } = await session.call('predict', { x: [1, 0.5] });
    expect(Array.from(y)).toEqual([2]);
    expect((await session.get('Line'))['/w'].type).toEqual({ dtype: 'f32', shape: [2] });
    expect((await failure(session.call('predikt', { x: [1, 2] }))).code).toBe('OPT850');
    expect((await failure(session.call('predict', { x: [1, 2, 3] }))).message).toContain(
      'f32[2]: 2 numbers expected, 3 given',
    );
    expect((await failure(session.call('predict', {}))).code).toBe('OPT852');
    expect((await failure(session.call('predict', { x: [1, 2], z: [1] }))).message).toContain("no argument 'z'");
    expect((await failure(session.get('Lime'))).message).toContain("no model or cell 'Lime'");
    expect((await failure(session.set('Line', { '/w': [1] }))).code).toBe('OPT852');
    await session.dispose();
  });
});

describe('refusals', () => {
  it('come with a code for each wrong call', async () => {
    expect((await failure(begin(tinyBundle(), { hypers: { lrr: 1 } }))).code).toBe('OPT851');
    expect((await failure(begin(tinyBundle(), { hypers: { lr: NaN } }))).code).toBe('OPT851');
    expect((await failure(begin(tinyBundle(), { steps: 1.5 }))).code).toBe('OPT852');
    expect((await failure(begin(tinyBundle(), { seed: -1 }))).code).toBe('OPT852');
    expect((await failure(begin(tinyBundle(), { data: undefined }))).code).toBe('OPT711');
    expect((await failure(begin(tinyBundle(), { data: () => ({ x: new Float32Array(3) }) }))).code).toBe('OPT711');
    expect(() => load('{}')).toThrow('OPT712');
    expect(() => load('not json')).toThrow('OPT712');
    expect(() => load({ ...tinyBundle(), version: 99 } as unknown as Bundle)).toThrow('version 99');
  });

  it('name the run-time check that failed', async () => {
    const session = await begin(tinyBundle({ steps: 50 }), { hypers: { limit: 20 } });
    const caught = await failure(all(session));
    expect(caught.code).toBe('OPT708');
    expect(caught.message).toMatch(/index 12 is out of range: the axis has 10 elements \(in steps \d+ to \d+\)/);
    expect(caught.place?.line).toBe(9);
    await session.dispose();
  });

  it('name a kernel that the driver refuses', async () => {
    const bundle = tinyBundle();
    const broken = bundle.kernels.map((k) =>
      k.id === 'update' ? { ...k, wgsl: k.wgsl.replace('cells[0] =', 'nothing[0] =') } : k,
    );
    const caught = await failure(createExecutor({ ...bundle, kernels: broken }, device));
    expect(caught.code).toBe('OPT706');
    expect(caught.message).toContain("kernel 'update'");
  });

  it('check limits before anything runs', async () => {
    const bundle = tinyBundle();
    const many = bundle.kernels.map((k) => ({ ...k, bindings: Array.from({ length: 40 }, () => 'read' as const) }));
    expect((await failure(createExecutor({ ...bundle, kernels: many }, device))).message).toContain('binds 40 buffers');
    const huge = bundle.buffers.map((b) => (b.id === 'temps' ? { ...b, bytes: 2 ** 40 } : b));
    expect((await failure(createExecutor({ ...bundle, buffers: huge }, device))).code).toBe('OPT703');
    const wide = bundle.kernels.map((k) => ({ ...k, workgroup: [4096, 1, 1] as const }));
    expect((await failure(createExecutor({ ...bundle, kernels: wide }, device))).code).toBe('OPT703');
    const odd = bundle.kernels.map((k) => ({ ...k, features: ['chromium-nonsense'] }));
    expect((await failure(createExecutor({ ...bundle, kernels: odd }, device))).message).toContain('chromium-nonsense');
    const groups = bundle.entries.map((e) => ({
      ...e,
      commands: e.commands.map((c) => (c.kind === 'dispatch' ? { ...c, groups: [70000, 1, 1] as const } : c)),
    }));
    expect((await failure(createExecutor({ ...bundle, entries: groups }, device))).message).toContain('70000 groups');
  });
});
