/** What a run shows, on a terminal and elsewhere. */
import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import { duration, Progress, show, sparkline } from '../../../cli/progress.ts';
import type { Report } from '../../../runtime/session.ts';

const report = (step: number, values: Record<string, number>, run = '', kind: Report['kind'] = 'step'): Report => ({
  kind,
  run,
  phase: '',
  step,
  steps: 100,
  values,
});

function display(live: boolean, width = 80) {
  let text = '';
  let clock = 0;
  const progress = new Progress({
    write: (t) => (text += t),
    live,
    colours: pc.createColors(false),
    width: () => width,
    total: 100,
    done: 0,
    now: () => clock,
  });
  return { progress, tick: (ms: number) => (clock += ms), text: () => text };
}

it('plain lines: one every five seconds, without control characters', () => {
  const { progress, tick, text } = display(false);
  for (let step = 0; step < 100; step++) {
    tick(200);
    progress.report(report(step, { loss: 1 / (step + 1) }));
  }
  progress.finish();
  const lines = text().trim().split('\n');
  expect(lines).toHaveLength(5);
  expect(lines[0]).toBe('step 25/100  5.0 steps/s, 15 s left  loss 0.04');
  expect(lines.at(-1)).toContain('step 100/100');
  // eslint-disable-next-line no-control-regex
  expect(text()).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
});

it('the rate leaves out the first step, which compiles, and counts batches of reports once', () => {
  const { progress, tick, text } = display(false);
  tick(30_000);
  for (let step = 0; step < 10; step++) progress.report(report(step, { loss: 1 }));
  expect(text()).toBe('step 1/100  loss 1\n');
  for (let batch = 1; batch < 7; batch++) {
    tick(1000);
    for (let step = 0; step < 10; step++) progress.report(report(10 * batch + step, { loss: 1 }));
  }
  expect(text().trim().split('\n').at(-1)).toBe('step 51/100  8.2 steps/s, 6 s left  loss 1');
  progress.finish();
  expect(text().trim().split('\n').at(-1)).toBe('step 70/100  10 steps/s, 3 s left  loss 1');
});

it('live: redrawn in place, with bar, values and curve of each run', () => {
  const { progress, tick, text } = display(true);
  for (let step = 0; step < 50; step++) {
    tick(60);
    progress.report(report(step, { loss: 50 - step, other: 1 }, 'dann'));
  }
  progress.report(report(50, { accuracy: 0.75 }, 'dann', 'eval'));
  tick(1000);
  progress.report(report(0, { loss: 3 }, 'plain'));
  progress.finish();
  const last = text().split('\x1b[0J').at(-1)!;
  expect(last).toContain('plain 1/100');
  expect(last).toContain('dann  loss 1  other 1  accuracy 0.75');
  expect(last).toMatch(/█▇.*▁ loss/u);
  expect(last.trimEnd().split('\n')).toHaveLength(5);
  // Each redraw goes up by as many lines as were drawn.
  expect(text()).toContain('\x1b[3A\x1b[0J');
});

it('live lines never wrap', () => {
  const { progress, tick, text } = display(true, 30);
  tick(500);
  progress.report(report(0, Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`value${i}`, i]))));
  for (const line of text().split('\n')) expect(line.length).toBeLessThan(30);
});

it('a curve keeps the whole run in view', () => {
  const { progress, text } = display(true, 200);
  for (let step = 0; step < 1000; step++) progress.report(report(step, { loss: 1000 - step }));
  progress.finish();
  const curve = /[▁▂▃▄▅▆▇█]{5,}(?= loss)/u.exec(text().split('\n').at(-2)!)![0];
  expect(curve.length).toBeGreaterThan(20);
  expect(curve.length).toBeLessThanOrEqual(40);
  expect(curve.startsWith('█')).toBe(true);
  expect(curve.endsWith('▁')).toBe(true);
});

describe('numbers for people', () => {
  it.each([
    [0.123456789, '0.12346'],
    [1e-7, '1.000e-7'],
    [12345678.9, '1.235e+7'],
    [200, '200'],
    [0, '0'],
    [-0.5, '-0.5'],
  ])('%f', (value, text) => expect(show(value)).toBe(text));
  it.each([
    [8.4, '8 s'],
    [200, '3 min 20 s'],
    [3840, '1 h 04 min'],
  ])('%f seconds', (value, text) => expect(duration(value)).toBe(text));
  it('constant curves are flat', () => expect(sparkline([2, 2, 2])).toBe('▁▁▁'));
});
