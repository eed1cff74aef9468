/**
 * How many executions go into one submission: enough that submitting costs nothing, few enough that no watchdog (about 2 s on Windows, 10 s in
 * browsers) and no user pressing Ctrl-C has to wait. The count never changes results, only timing.
 */

/** A submission should take about this long. */
const targetMs = 200;
/** Growth from one submission to the next, so that a first guess from a cold device cannot overshoot. */
const growth = 4;

export class Pace {
  private readonly most: number;
  private allowed = 1;
  private measured = 0;
  private lastEnd = 0;

  constructor(most: number) {
    this.most = most;
  }

  capacity(): number {
    return this.allowed;
  }

  /** Records a submission of `count` executions that was sent at `start` and had finished at `end` (ms on one clock). */
  record(count: number, start: number, end: number): void {
    // Submissions queue up: this one began when it was sent or when its predecessor ended.
    const ms = (end - Math.max(start, this.lastEnd)) / count;
    this.lastEnd = end;
    this.measured++;
    // The first one compiles the kernels in the driver and says nothing about speed.
    if (this.measured === 1) {
      this.allowed = Math.min(2, this.most);
      return;
    }
    const fits = Math.max(1, Math.floor(targetMs / Math.max(ms, 1e-3)));
    this.allowed = Math.min(this.most, fits, Math.max(this.allowed, count) * growth);
  }
}
