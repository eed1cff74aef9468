/** Crashes, hangs and losses of the device, each in a process of its own. */
import { describe, expect, it } from 'vitest';
import { run } from './child.ts';

describe('garbage collection at every turn', () => {
  it('takes nothing that the device needs', { timeout: 60000 }, async () => {
    const outcome = await run('collect', { node: ['--expose-gc'], timeout: 50000 });
    expect(outcome).toMatchObject({ code: 0, signal: null, stdout: 'reports 150\n' });
  });
});

describe('a process ends, however it is ended', () => {
  const orders: [string, number][] = [
    ['nothing-run', 0],
    ['dispose-close', 0],
    ['close-dispose', 0],
    ['close-twice', 0],
    ['dispose-only', 0],
    ['close-only', 0],
    ['neither', 0],
    ['half-way', 0],
    ['close-half-way', 0],
    ['exit', 0],
    ['exit-7', 7],
    ['throw', 5],
  ];
  it.each(orders)('%s', { timeout: 40000 }, async (order, code) => {
    const outcome = await run('shutdown', { args: [order], timeout: 30000 });
    expect({ order, code: outcome.code, signal: outcome.signal, stdout: outcome.stdout }).toEqual({
      order,
      code,
      signal: null,
      stdout: '',
    });
  });
});

describe('a device that goes away', () => {
  it('ends the run with an explained error', { timeout: 40000 }, async () => {
    const outcome = await run('lost');
    expect(outcome.stdout).toMatch(/^OPT704 the device was lost/);
    expect(outcome.stdout).toContain('save: OPT704');
    expect(outcome.code).toBe(0);
  });
});

describe('a device that refuses or hangs', () => {
  it('ends the run at an error that nobody asked for, and prints nothing of it', { timeout: 40000 }, async () => {
    expect(await run('refused')).toMatchObject({ code: 0, stdout: 'OPT705 true\n' });
  });

  it('ends the run when it does not answer', { timeout: 40000 }, async () => {
    expect(await run('hang')).toMatchObject({ code: 3, signal: null, stdout: 'OPT710\n' });
  });
});

describe('a device of a page', () => {
  it('trains as well', { timeout: 40000 }, async () => {
    expect(await run('page')).toMatchObject({ code: 0, stdout: '40 OPT701: this browser has no WebGPU\n' });
  });
});
