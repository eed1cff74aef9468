/** What an entry does on the device: dispatches and copies, repeated and chosen between. Walked here, so that nobody forgets what is nested. */

/** A bound range; `slot` marks ring buffers, bound at slot k for the k-th step of a submit. */
export interface Binding {
  readonly buffer: string;
  readonly slot: boolean;
}

/** A word of a buffer; `offset` in bytes. */
export interface Word {
  readonly buffer: string;
  readonly offset: number;
}

export type Command =
  | {
      readonly kind: 'dispatch';
      readonly kernel: string;
      readonly groups: readonly [number, number, number];
      readonly bindings: readonly Binding[];
      /**
       * Present where the dispatch is all that its entry does: launched with n workgroups (at most this many) it makes n executions, with the rings bound from the slot of the
       * first one to their end.
       */
      readonly executions?: number;
    }
  | {
      readonly kind: 'copy';
      readonly from: string;
      readonly fromOffset: number;
      readonly to: string;
      readonly toOffset: number;
      readonly bytes: number;
    }
  /** The commands, `turns` times. The device itself counts, and skips what is not to happen: from the turn on at whose end the flag is 0. */
  | { readonly kind: 'loop'; readonly turns: number; readonly flag?: Word; readonly commands: readonly Command[] }
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

/** A loop that may have ended: the answer is whether its flag was set when it was asked for the last time but one (true at first). */
export interface Question {
  readonly kind: 'question';
  readonly flag: Word;
  /** The answer to come; kept by whoever answers. */
  waiting: Promise<boolean> | undefined;
}

/** Dispatches after the end of a loop that are worth a question. */
const LONG = 128;
/** Turns before the first question; twice as many before the next, up to the most. */
const FIRST_TURNS = 16;
const MOST_TURNS = 256;

const isLong = (c: Command): boolean =>
  c.kind === 'loop' && c.flag !== undefined && c.turns > FIRST_TURNS && c.turns * countDispatches(c.commands) > LONG;

/** Whether there are loops whose end is worth waiting for. */
export function hasLongLoops(commands: readonly Command[]): boolean {
  return commands.some((c) => {
    if (c.kind === 'loop') return isLong(c) || hasLongLoops(c.commands);
    return c.kind === 'if' && (hasLongLoops(c.commands) || hasLongLoops(c.otherwise));
  });
}

/** As `flatCommands`, with questions in long loops, which end where the answer is no. */
export function* patientCommands(
  commands: readonly Command[],
  taken: (value: number) => boolean,
): Generator<SimpleCommand | Question, void, boolean> {
  for (const c of commands) {
    if (c.kind === 'loop') {
      const question: Question | undefined =
        isLong(c) && c.flag ? { kind: 'question', flag: c.flag, waiting: undefined } : undefined;
      let next = FIRST_TURNS;
      let step = FIRST_TURNS;
      for (let turn = 0; turn < c.turns; turn++) {
        if (question && turn === next) {
          if (!(yield question)) break;
          step = Math.min(MOST_TURNS, 2 * step);
          next += step;
        }
        yield* patientCommands(c.commands, taken);
      }
    } else if (c.kind === 'if') yield* patientCommands(taken(c.value) ? c.commands : c.otherwise, taken);
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
