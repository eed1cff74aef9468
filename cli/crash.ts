/** A bug of Saddle: exit code 70, a report file with what is needed to find it, and not a stack trace in the user's face. */
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { exitCodes, type ExitCode } from './outcome.ts';
import { note } from './terminal.ts';
import { version } from './version.ts';

/** Writes the report and says where it is. Never throws. */
export function reportCrash(cause: unknown, args: readonly string[], say: (line: string) => void = note): ExitCode {
  const stack = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  const message = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
  say(`error[OPT900]: a bug of Saddle: ${message}`);
  try {
    const file = path.join(mkdtempSync(path.join(tmpdir(), 'saddle-report-')), 'report.txt');
    writeFileSync(file, report(stack, args));
    say(
      `  a report was written to ${file}\n  help: please file it as an issue; it contains the spec named on the command line`,
    );
  } catch {
    say('  the report could not be written; SADDLE_DEBUG=1 shows the details');
  }
  if (process.env.SADDLE_DEBUG && process.env.SADDLE_DEBUG !== '0') say(stack);
  return exitCodes.bug;
}

function report(stack: string, args: readonly string[]): string {
  const specs = args.filter((arg) => arg.endsWith('.opt') && existsSync(arg));
  return [
    `saddle ${version()}, node ${process.version}, ${process.platform}-${process.arch}`,
    `saddle ${args.join(' ')}`,
    '',
    stack,
    ...specs.map((file) => `\n---- ${file}\n${readFileSync(file, 'utf8')}`),
    '',
  ].join('\n');
}
