/** The walk through the schedule, against a plain simulation of what language.md says; and the two helpers of submission: pace and waiting. */
import { describe, expect, it } from 'vitest';
import { SaddleError } from '../../../compiler/diagnostics/diagnostic.ts';
import { Pace } from '../../../runtime/device/pace.ts';
import { defaultLimitMs, waitWithin } from '../../../runtime/host/wait.ts';
import { type Position, beginning, nextJob, totalSteps } from '../../../runtime/session-schedule.ts';
import { type TinyOptions, tinyBundle } from './tiny-bundle.ts';

/** All that happens, as words, with jobs cut to random sizes by `random`. */
function walk(options: TinyOptions, random: () => number, endAt = Infinity): string[] {
  const bundle = tinyBundle(options);
  const events: string[] = [];
  let at: Position = beginning;
  for (;;) {
    const capacity = (): number => 1 + Math.floor(random() * 9);
    const job = nextJob({ bundle, skip: () => false, capacity }, at, 1 + Math.floor(random() * 9));
    if (!job) return events;
    // A position survives being written down.
    at = JSON.parse(JSON.stringify(job.after)) as Position;
    if (job.kind === 'until') at = { ...at, ended: job.first >= endAt };
    else if (job.kind === 'step') for (let k = 0; k < job.count; k++) events.push(`step ${job.first + k}`);
    else if (job.kind === 'eval') events.push(`eval ${job.first}`);
    else events.push(job.kind);
  }
}

function expected(steps: number, every: number | undefined, evalAt: readonly number[]): string[] {
  const events = ['once'];
  for (let n = 0; n <= steps; n++) {
    if (evalAt.includes(n) || (every !== undefined && n % every === 0) || n === steps) events.push(`eval ${n}`);
    if (n < steps) events.push(`step ${n}`);
  }
  return [...events, 'check'];
}

/** A small generator with a fixed seed. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('the walk', () => {
  it('is that of the text, however it is cut', () => {
    const random = generator(11);
    for (let turn = 0; turn < 200; turn++) {
      const steps = Math.floor(random() * 30);
      const every = random() < 0.5 ? 1 + Math.floor(random() * 7) : undefined;
      const evalAt = Array.from({ length: Math.floor(random() * 4) }, () => Math.floor(random() * 35));
      expect(walk({ steps, evalEvery: every, evalAt }, random)).toEqual(expected(steps, every, evalAt));
    }
  });

  it('ends where a condition is met, with the eval of the end once', () => {
    const random = generator(12);
    for (let turn = 0; turn < 60; turn++) {
      const endAt = Math.floor(random() * 40);
      const steps = 25;
      const every = 1 + Math.floor(random() * 7);
      const taken = Math.min(endAt, steps);
      expect(walk({ steps, until: true, evalEvery: every }, random, endAt)).toEqual(expected(taken, every, []));
    }
  });

  it('passes over failed runs and counts the steps of all', () => {
    const bundle = tinyBundle({ steps: 10, runs: [{ name: 'a' }, { name: 'b' }] });
    const job = nextJob(
      { bundle, skip: (run) => run === 'a', capacity: () => 4 },
      { ...beginning, phase: 1, step: 3 },
      99,
    );
    expect(job).toMatchObject({ kind: 'once', run: 'b' });
    expect(nextJob({ bundle, skip: () => true, capacity: () => 4 }, beginning, 99)).toBeUndefined();
    expect(totalSteps(bundle)).toBe(20);
    expect(totalSteps(bundle, 3)).toBe(6);
  });
});

describe('the pace', () => {
  it('grows to the most that fits in a fifth of a second', () => {
    const fast = new Pace(64);
    const slow = new Pace(64);
    let [now, later] = [0, 0];
    for (let i = 0; i < 6; i++) {
      const [a, b] = [fast.capacity(), slow.capacity()];
      fast.record(a, now, (now += a * 1));
      slow.record(b, later, (later += b * 30));
    }
    expect(fast.capacity()).toBe(64);
    expect(slow.capacity()).toBe(6);
  });

  it('does not take the first submission, which compiles, for the speed', () => {
    const pace = new Pace(64);
    pace.record(1, 0, 5000);
    expect(pace.capacity()).toBe(2);
    pace.record(2, 5000, 5002);
    expect(pace.capacity()).toBe(8);
  });

  it('falls again when steps become slow', () => {
    const pace = new Pace(64);
    pace.record(1, 0, 1);
    pace.record(2, 1, 2);
    pace.record(8, 2, 10);
    expect(pace.capacity()).toBe(32);
    pace.record(32, 10, 10 + 32 * 500);
    expect(pace.capacity()).toBe(1);
  });
});

describe('waiting', () => {
  it('leaves the processor idle', async () => {
    const before = process.cpuUsage();
    await waitWithin(defaultLimitMs)(new Promise((done) => setTimeout(done, 400)));
    const used = process.cpuUsage(before);
    // A loop of setImmediate alone would use all of it.
    expect((used.user + used.system) / 1000).toBeLessThan(200);
  });

  it('passes on values and errors, and gives up after its limit', async () => {
    expect(await waitWithin(1000)(Promise.resolve(3))).toBe(3);
    await expect(waitWithin(1000)(Promise.reject(new Error('no')))).rejects.toThrow('no');
    const caught = await waitWithin(50)(new Promise(() => {})).catch((reason: unknown) => reason);
    expect((caught as SaddleError).diagnostics[0].code).toBe('OPT710');
  });
});
