/**
 * Everything that is written to the terminal goes through here: colours only where the stream is a terminal and NO_COLOR is not set; results on
 * standard output, messages on standard error. With `--json`, standard output carries one JSON document and nothing else.
 */
import { writeSync } from 'node:fs';
import pc from 'picocolors';
import type { Diagnostic } from '../compiler/diagnostics/diagnostic.ts';
import { renderAll, type Paint } from '../compiler/diagnostics/render.ts';
import type { Sources } from '../compiler/source/source.ts';

/** Whether to colour what is written to a stream. FORCE_COLOR overrides the test for a terminal, NO_COLOR overrides both. */
export function hasColour(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv = process.env): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR && env.FORCE_COLOR !== '0') return true;
  return stream.isTTY === true && env.TERM !== 'dumb';
}

export function paintFor(stream: NodeJS.WriteStream): Paint {
  const c = pc.createColors(hasColour(stream));
  return { error: (t) => c.bold(c.red(t)), warning: (t) => c.bold(c.yellow(t)), accent: c.cyan, dim: c.dim };
}

export function coloursFor(stream: NodeJS.WriteStream): ReturnType<typeof pc.createColors> {
  return pc.createColors(hasColour(stream));
}

/** Most diagnostics of one file that are shown: the rest of very many seldom says more. */
const MOST = 20;

/** Writes diagnostics to standard error, errors first, with excerpts of the sources at hand. Warnings are left out with `errorsOnly`. */
export function printDiagnostics(diagnostics: readonly Diagnostic[], sources: Sources, errorsOnly = false): void {
  const wanted = errorsOnly ? diagnostics.filter((d) => d.severity === 'error') : diagnostics;
  if (wanted.length === 0) return;
  const ordered = [...wanted].sort((a, b) => Number(a.severity !== 'error') - Number(b.severity !== 'error'));
  const more = ordered.length - MOST;
  const rest = more > 0 ? `\n\n… and ${more} more; --json lists them all` : '';
  writeAll(2, `${renderAll(ordered.slice(0, MOST), sources, paintFor(process.stderr))}${rest}\n`);
}

/** A line of results. */
export function print(text: string): void {
  writeAll(1, `${text}\n`);
}

/** A line of remarks, on standard error. */
export function note(text: string): void {
  writeAll(2, `${text}\n`);
}

/** The one JSON document of a `--json` call. */
export function printJson(document: unknown): void {
  print(
    JSON.stringify(document, (_key, value: unknown) => (value instanceof Map ? Object.fromEntries(value) : value), 2),
  );
}

/** A name from outside (of a file, say) without characters that would steer the terminal. */
export function shown(name: string): string {
  // eslint-disable-next-line no-control-regex
  return name.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\u00b7');
}

/**
 * Writes all of a text before it returns, so that nothing is lost when the process exits at once after it. A pipe that is full is tried again; one
 * whose reader has gone (`saddle … | head`) ends the writing quietly.
 */
export function writeAll(descriptor: 1 | 2, text: string): void {
  let rest: Uint8Array = new TextEncoder().encode(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest));
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? cause.code : '';
      if (code === 'EPIPE') return;
      if (code !== 'EAGAIN') throw cause;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }
}
