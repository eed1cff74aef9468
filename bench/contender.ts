/** What is compared: a system that has been given one workload. */
export interface Contender {
  readonly name: string;
  /** Runs n steps and returns when the device has finished them. */
  run(n: number): Promise<void>;
  /** Numbers by which contenders are compared after the same number of steps: the loss of the step last taken, or what the workload computes. Not counted or timed. */
  check(): Promise<ArrayLike<number>>;
  close(): Promise<void>;
}
