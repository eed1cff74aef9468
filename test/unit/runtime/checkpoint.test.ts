/** Checkpoints: bit-identical continuation, refusal of what does not fit, damage of every kind. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bundle } from '../../../compiler/bundle/format.ts';
import { SaddleError } from '../../../compiler/diagnostics/diagnostic.ts';
import { readCheckpoint } from '../../../runtime/checkpoint/checkpoint.ts';
import { readSafetensorsHeader } from '../../../runtime/data/safetensors.ts';
import { memoryFile } from '../../../runtime/data/files.ts';
import type { OpenDevice } from '../../../runtime/device/device.ts';
import { openDevice } from '../../../runtime/host/driver.ts';
import { type Session, type StartOptions, load } from '../../../runtime/session.ts';
import { type TinyOptions, tinyBundle, tinyData } from './tiny-bundle.ts';

let device: OpenDevice;
beforeAll(async () => {
  device = await openDevice('auto');
});
afterAll(() => device.close());

const begin = (bundle: Bundle, options: Partial<StartOptions> = {}): Promise<Session> =>
  load(bundle).start({ device, data: tinyData, ...options });

async function run(session: Session, steps?: number): Promise<void> {
  for await (const report of session.train({ steps })) void report;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (reason) {
    if (reason instanceof SaddleError) return reason.diagnostics[0].code;
    throw reason;
  }
  return 'none';
}

async function saved(options: TinyOptions, steps: number): Promise<Uint8Array> {
  const session = await begin(tinyBundle(options));
  await run(session, steps);
  const bytes = await session.save();
  await session.dispose();
  return bytes;
}

describe('resuming', () => {
  it('is the same bit for bit, wherever the run was cut', async () => {
    const options: TinyOptions = { steps: 30, evalEvery: 7, runs: [{ name: 'a' }, { name: 'b' }] };
    const whole = await begin(tinyBundle(options), { seed: 3, hypers: { lr: 0.03 } });
    await run(whole);
    const cells = await whole.backend.readCells(whole.bundle.cells.map((c) => c.id));
    for (const cut of [0, 1, 7, 13, 29, 30, 31, 44, 60]) {
      const first = await begin(tinyBundle(options), { seed: 3, hypers: { lr: 0.03 } });
      await run(first, cut);
      const bytes = await first.save();
      await first.dispose();
      const second = await begin(tinyBundle(options), { resume: bytes });
      expect(second.seed).toBe(3);
      expect(second.warnings).toEqual([]);
      await run(second);
      expect(await second.backend.readCells(second.bundle.cells.map((c) => c.id))).toEqual(cells);
      expect(second.results).toEqual(whole.results);
      await second.dispose();
    }
    await whole.dispose();
  });

  it('keeps the place within an `until` loop', async () => {
    const options: TinyOptions = { steps: 500, until: true };
    const whole = await begin(tinyBundle(options));
    await run(whole);
    const second = await begin(tinyBundle(options), { resume: await saved(options, 5) });
    await run(second);
    expect(second.results).toEqual(whole.results);
    await Promise.all([whole.dispose(), second.dispose()]);
  });

  it('is refused for another program or another seed, and warned of for changed code', async () => {
    const bytes = await saved({ steps: 10 }, 4);
    const bundle = tinyBundle({ steps: 10 });
    const attempt = (b: Bundle, options: Partial<StartOptions> = {}) => codeOf(begin(b, { resume: bytes, ...options }));
    expect(await attempt({ ...bundle, cells: bundle.cells.slice(1) })).toBe('OPT651');
    const wider = bundle.cells.map((c) => ({ ...c, type: { ...c.type, dtype: 'i32' as const } }));
    expect(await attempt({ ...bundle, cells: wider })).toBe('OPT651');
    expect(await attempt(tinyBundle({ steps: 10, runs: [{ name: 'a' }] }))).toBe('OPT651');
    expect(await attempt(bundle, { seed: 2 })).toBe('OPT654');
    const longer = await begin(tinyBundle({ steps: 20 }), { resume: bytes });
    expect(longer.warnings.map((w) => w.code)).toEqual(['OPT652']);
    await run(longer);
    expect(longer.results.runs.get('')?.steps).toBe(20);
    await longer.dispose();
  });

  it('never saves a number that is not finite', async () => {
    const session = await begin(tinyBundle());
    await session.set('Line', { '/w': [NaN, 1] });
    expect(await codeOf(session.save())).toBe('OPT709');
    await session.dispose();
  });
});

describe('damage', () => {
  it('is found at every byte of the header and at random bytes of the data', async () => {
    const bytes = await saved({ steps: 12 }, 6);
    const bundle = tinyBundle({ steps: 12 });
    const { entries } = await readSafetensorsHeader(memoryFile('c', bytes));
    const dataStart = entries[0].start;
    for (let at = 0; at < bytes.length; at += at < dataStart ? 1 : 3) {
      const bent = bytes.slice();
      bent[at] ^= 1 << (at % 7);
      const wasPadding = at >= 8 && at < dataStart && bytes.subarray(at, dataStart).every((b) => b === 0x20);
      const code = await codeOf(readCheckpoint(bundle, bent));
      if (!wasPadding) expect({ at, code }).toEqual({ at, code: code === 'OPT651' ? 'OPT651' : 'OPT650' });
    }
  });

  it('is found at every length', async () => {
    const bytes = await saved({ steps: 12 }, 6);
    const bundle = tinyBundle({ steps: 12 });
    for (let length = 0; length < bytes.length; length += 16)
      expect(await codeOf(readCheckpoint(bundle, bytes.slice(0, length)))).toBe('OPT650');
    const longer = new Uint8Array(bytes.length + 8);
    longer.set(bytes);
    expect(await codeOf(readCheckpoint(bundle, longer))).toBe('OPT650');
  });
});
