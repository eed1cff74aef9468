/**
 * Ctrl-C and termination. The first one asks the run to stop at the next submit, so that a checkpoint can be saved; the second one, or one that
 * comes before there is anything to save, ends the process at once.
 */
import { exitCodes } from './outcome.ts';

export class Interrupts {
  private asked = false;
  private readonly listeners = new Set<() => void>();
  private readonly handle: () => void;
  /** True while a run can still be stopped in order. */
  private orderly = false;

  constructor() {
    this.handle = () => {
      if (this.asked || !this.orderly) process.exit(exitCodes.interrupted);
      this.asked = true;
      for (const listener of this.listeners) listener();
    };
    process.on('SIGINT', this.handle);
    process.on('SIGTERM', this.handle);
  }

  get requested(): boolean {
    return this.asked;
  }

  /** From now on the first interrupt only sets `requested` and calls the listeners. */
  stopInOrder(): void {
    this.orderly = true;
  }

  /** Calls `act` at the interrupt; the result takes it back. */
  listen(act: () => void): () => void {
    this.listeners.add(act);
    return () => this.listeners.delete(act);
  }

  dispose(): void {
    process.off('SIGINT', this.handle);
    process.off('SIGTERM', this.handle);
  }
}
