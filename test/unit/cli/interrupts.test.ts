/** Ctrl-C: at once before there is anything to save, in order afterwards, at once again the second time. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Interrupts } from '../../../cli/interrupts.ts';

let exits: (number | undefined)[] = [];
beforeEach(() => {
  exits = [];
  vi.spyOn(process, 'exit').mockImplementation((code) => {
    exits.push(Number(code));
    return undefined as never;
  });
});
afterEach(() => vi.restoreAllMocks());

it.each(['SIGINT', 'SIGTERM'] as const)('%s', (signal) => {
  const interrupts = new Interrupts();
  let heard = 0;
  try {
    process.emit(signal);
    expect(exits).toEqual([130]);
    exits = [];
  } finally {
    interrupts.dispose();
  }
  const later = new Interrupts();
  try {
    later.stopInOrder();
    const forget = later.listen(() => heard++);
    process.emit(signal);
    expect([exits, heard, later.requested]).toEqual([[], 1, true]);
    process.emit(signal);
    expect(exits).toEqual([130]);
    forget();
  } finally {
    later.dispose();
  }
});
