/**
 * How a command ends. Exit codes are a contract: 0 ok; 1 the source is wrong; 2 the call is wrong; 3 the run failed (not-finite
 * values, device, data); 4 an `expect` does not hold; 70 a bug of Saddle; 130 interrupted.
 */
import type { Diagnostic } from '../compiler/diagnostics/diagnostic.ts';

export const exitCodes = { ok: 0, source: 1, call: 2, run: 3, claim: 4, bug: 70, interrupted: 130 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** The exit code of an error, by the hundred of its code: OPT1xx to OPT5xx are about the source, 6xx and 7xx about the run, 8xx about the call. */
export function exitCodeOf(diagnostics: readonly Diagnostic[]): ExitCode {
  // OPT702, an unknown --device, is a mistake of the call though it is about devices.
  const hundreds = diagnostics
    .filter((d) => d.severity === 'error')
    .map((d) => (d.code === 'OPT702' ? 8 : Number(d.code[3])));
  if (hundreds.length === 0) return exitCodes.ok;
  if (hundreds.includes(9)) return exitCodes.bug;
  if (hundreds.some((h) => h <= 5)) return exitCodes.source;
  return hundreds.includes(8) ? exitCodes.call : exitCodes.run;
}

/** The exit code of several runs: an interrupt, then what is wrong with the call, the source or the run, outweigh a claim that fails. */
export function worst(exits: readonly ExitCode[]): ExitCode {
  const order: ExitCode[] = [exitCodes.interrupted, exitCodes.call, exitCodes.source, exitCodes.run, exitCodes.claim];
  return order.find((code) => exits.includes(code)) ?? exitCodes.ok;
}
