/**
 * Every environment variable that Saddle reads, in one place.
 *
 * | variable       | meaning                                                                                             |
 * |----------------|-----------------------------------------------------------------------------------------------------|
 * | SADDLE_DEVICE  | auto (default), gpu, hardware, lavapipe, swiftshader or reference; `--device` takes precedence       |
 * | SADDLE_CACHE   | folder for generated data sets, unpacked drivers and compiled code (default: the user's cache folder)|
 * | SADDLE_DEBUG   | 0 (default) to 4: 1 shows stack traces and the driver's own messages, higher numbers show more        |
 * | SADDLE_NO_APT  | 1 keeps `scripts/setup.mjs` from installing a driver with apt (read there)                           |
 */
import { fail } from '../../compiler/diagnostics/diagnostic.ts';
import { didYouMean } from '../../compiler/diagnostics/suggest.ts';
import { cacheFolder } from './cache-folder.ts';

export const deviceChoices = ['auto', 'gpu', 'hardware', 'lavapipe', 'swiftshader', 'reference'] as const;
/** `auto` and `gpu`: any adapter, hardware first; `reference`: the float64 interpreter, no device at all. */
export type DeviceChoice = (typeof deviceChoices)[number];

export interface Settings {
  readonly device: DeviceChoice;
  readonly cache: string;
  readonly debug: number;
}

/** Reads a device choice. Throws SaddleError OPT702 for an unknown one. */
export function deviceChoice(text: string): DeviceChoice {
  const choice = deviceChoices.find((c) => c === text.toLowerCase());
  if (choice) return choice;
  return fail('OPT702', undefined, `there is no device '${text}'`, {
    hint: didYouMean(text, deviceChoices) ?? `the choices are ${deviceChoices.join(', ')}`,
  });
}

/** Settings from the environment. Throws SaddleError OPT702 for an unknown SADDLE_DEVICE. */
export function readSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  const debug = Number(env.SADDLE_DEBUG ?? 0);
  return {
    device: deviceChoice(env.SADDLE_DEVICE || 'auto'),
    cache: cacheFolder(env),
    debug: Number.isFinite(debug) ? debug : 1,
  };
}
