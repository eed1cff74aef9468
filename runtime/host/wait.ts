/**
 * Waiting for the device in Node. Dawn settles its promises from a loop of `setImmediate` callbacks, which keeps one core busy for as long as anything
 * is pending; on a machine where the processor is also the "GPU" this halves the speed. So between two turns of that loop the thread sleeps.
 * It never sleeps longer than a millisecond at a time: signals, timers and other promises go on as usual.
 */

const cell = new Int32Array(new SharedArrayBuffer(4));
const sleepMs = 1;
/** Turns without sleep at first: most small submissions are done within them. */
const briskTurns = 50;

/** Resolves or rejects as the promise does. */
export async function waitAsleep<T>(promise: Promise<T>): Promise<T> {
  let settled = false;
  const mark = (): void => {
    settled = true;
  };
  promise.then(mark, mark);
  for (let turn = 0; !settled; turn++) {
    if (turn > briskTurns) Atomics.wait(cell, 0, 0, sleepMs);
    await new Promise<void>((done) => setImmediate(done));
  }
  return promise;
}
