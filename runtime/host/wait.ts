/**
 * Waiting for the device in Node. Dawn settles its promises from a loop of `setImmediate` callbacks, which keeps one core busy for as long as anything
 * is pending; on a machine where the processor is also the "GPU" this halves the speed. So between two turns of that loop the thread sleeps.
 * It never sleeps longer than a millisecond at a time: signals, timers and other promises go on as usual.
 */

import { fail } from '../../compiler/diagnostics/diagnostic.ts';
import type { Wait } from '../device/device.ts';

const cell = new Int32Array(new SharedArrayBuffer(4));
const sleepMs = 1;
/** Turns without sleep at first: most small submissions are done within them. */
const briskTurns = 50;

/** A submission is meant to take a fifth of a second; compiling kernels in the driver may add a minute on a slow machine. */
export const defaultLimitMs = 300_000;

/** The way of waiting with a limit. Its promise resolves or rejects as the one given does; after the limit it rejects with SaddleError OPT710. */
export function waitWithin(limitMs: number): Wait {
  return (promise) => waitAsleep(promise, limitMs);
}

async function waitAsleep<T>(promise: Promise<T>, limitMs: number): Promise<T> {
  const start = performance.now();
  const state = { settled: false };
  const mark = (): void => {
    state.settled = true;
  };
  promise.then(mark, mark);
  for (let turn = 0; !state.settled; turn++) {
    if (turn > briskTurns) {
      Atomics.wait(cell, 0, 0, sleepMs);
      if (performance.now() - start > limitMs) {
        fail('OPT710', undefined, `the device did not answer within ${Math.round(limitMs / 1000)} seconds`, {
          hint: 'choose another driver with --device, or smaller batches',
        });
      }
    }
    await new Promise<void>((done) => setImmediate(done));
  }
  return promise;
}
