/** How a run was called, read from the options and kept in its folder (`call.json`), so that `--resume` needs nothing but the folder. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fail } from '../compiler/diagnostics/diagnostic.ts';
import { dataPaths, loadPaths, settings, wholeNumber } from './options.ts';

export interface Call {
  readonly set: ReadonlyMap<string, number>;
  readonly data: ReadonlyMap<string, string>;
  /** Files of initial values by model. */
  readonly load: ReadonlyMap<string, string>;
  readonly steps?: number;
  readonly seed?: number;
  /** Of --seeds. */
  readonly seeds?: readonly number[];
}

/** The options that make a call, as the command line gives them. */
export interface CallOptions {
  readonly set: readonly string[];
  readonly data: readonly string[];
  readonly load?: readonly string[];
  readonly steps?: string;
  readonly seed?: string;
}

/** The call from the options; when resuming, that of the earlier run, which the options may not contradict (data may have moved). */
export function readCall(options: CallOptions, resumed: string | undefined): Call {
  const call: Call = {
    set: settings(options.set),
    data: dataPaths(options.data),
    load: loadPaths(options.load),
    steps: options.steps === undefined ? undefined : wholeNumber('--steps', options.steps, 0),
    seed: options.seed === undefined ? undefined : wholeNumber('--seed', options.seed, 0, 2 ** 32 - 1),
  };
  if (resumed === undefined) return call;
  const before = earlierCall(resumed);
  if (!before) return call;
  const keep = <T>(option: string, now: T | undefined, then: T | undefined): T | undefined =>
    now === undefined || now === then
      ? then
      : fail(
          'OPT803',
          undefined,
          `--resume goes on with ${option} ${then ?? 'as in the spec'}; it cannot change to ${now}`,
          {
            hint: 'leave the option out, or start a new run',
          },
        );
  for (const [name, value] of call.set) keep(`--set ${name}`, value, before.set.get(name));
  return {
    set: before.set,
    data: new Map([...before.data, ...call.data]),
    load: new Map([...before.load, ...call.load]),
    steps: keep('--steps', call.steps, before.steps),
    seed: keep('--seed', call.seed, before.seed),
    seeds: before.seeds,
  };
}

export function writeCall(folder: string, file: string, call: Call): void {
  const text = {
    file,
    set: Object.fromEntries(call.set),
    data: Object.fromEntries(call.data),
    load: Object.fromEntries(call.load),
    steps: call.steps,
    seed: call.seed,
    seeds: call.seeds,
  };
  writeFileSync(path.join(folder, 'call.json'), `${JSON.stringify(text, null, 2)}\n`);
}

function earlierCall(folder: string): Call | undefined {
  try {
    const value = JSON.parse(readFileSync(path.join(folder, 'call.json'), 'utf8')) as {
      set: Record<string, number>;
      data: Record<string, string>;
      load?: Record<string, string>;
      steps?: number;
      seed?: number;
      seeds?: number[];
    };
    return {
      set: new Map(Object.entries(value.set)),
      data: new Map(Object.entries(value.data)),
      load: new Map(Object.entries(value.load ?? {})),
      steps: value.steps,
      seed: value.seed,
      seeds: value.seeds,
    };
  } catch {
    return undefined; // A folder that was copied without it: the options stand alone.
  }
}
