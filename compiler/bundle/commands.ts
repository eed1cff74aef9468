/** What an entry does on the device: dispatches and copies, repeated and chosen between. Walked here, so that nobody forgets what is nested. */

/** A bound range; `slot` marks ring buffers, bound at slot k for the k-th step of a submit. */
export interface Binding {
  readonly buffer: string;
  readonly slot: boolean;
}

export type Command =
  | {
      readonly kind: 'dispatch';
      readonly kernel: string;
      readonly groups: readonly [number, number, number];
      readonly bindings: readonly Binding[];
    }
  | {
      readonly kind: 'copy';
      readonly from: string;
      readonly fromOffset: number;
      readonly to: string;
      readonly toOffset: number;
      readonly bytes: number;
    }
  /** The commands, `turns` times. The device itself counts, and skips what is not to happen. */
  | { readonly kind: 'loop'; readonly turns: number; readonly commands: readonly Command[] }
  /** Decided for each execution by value `value` of the host program: the first commands where it is not 0. */
  | {
      readonly kind: 'if';
      readonly value: number;
      readonly commands: readonly Command[];
      readonly otherwise: readonly Command[];
    };

export type SimpleCommand = Extract<Command, { kind: 'dispatch' | 'copy' }>;

/** Visits every dispatch and copy once, with the number of times that one execution runs it at most. */
export function eachCommand(
  commands: readonly Command[],
  visit: (command: SimpleCommand, times: number) => void,
  times = 1,
): void {
  for (const c of commands) {
    if (c.kind === 'loop') eachCommand(c.commands, visit, times * c.turns);
    else if (c.kind === 'if') for (const branch of [c.commands, c.otherwise]) eachCommand(branch, visit, times);
    else visit(c, times);
  }
}

/** The dispatches and copies of one execution, in order; `taken` tells which way an 'if' goes, by its value. */
export function* flatCommands(
  commands: readonly Command[],
  taken: (value: number) => boolean,
): Generator<SimpleCommand, void> {
  for (const c of commands) {
    if (c.kind === 'loop') for (let turn = 0; turn < c.turns; turn++) yield* flatCommands(c.commands, taken);
    else if (c.kind === 'if') yield* flatCommands(taken(c.value) ? c.commands : c.otherwise, taken);
    else yield c;
  }
}

/** Most dispatches that one execution makes. */
export function countDispatches(commands: readonly Command[]): number {
  let most = 0;
  for (const c of commands) {
    if (c.kind === 'dispatch') most++;
    else if (c.kind === 'loop') most += c.turns * countDispatches(c.commands);
    else if (c.kind === 'if') most += Math.max(countDispatches(c.commands), countDispatches(c.otherwise));
  }
  return most;
}
