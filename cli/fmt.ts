/** `saddle fmt FILE…`: rewrites specs in the canonical form; `--check` only says which are not in it, `--stdout` prints one. */
import { renameSync, writeFileSync } from 'node:fs';
import { parse } from '../compiler/ast/parse.ts';
import { format } from '../compiler/ast/print.ts';
import { fail } from '../compiler/diagnostics/diagnostic.ts';
import { exitCodes, type ExitCode } from './outcome.ts';
import { specFiles } from './paths.ts';
import { readSpec } from './spec.ts';
import { note, print, printDiagnostics, shown, writeAll } from './terminal.ts';

export interface FmtOptions {
  readonly check?: boolean;
  readonly stdout?: boolean;
}

export function fmtCommand(args: readonly string[], options: FmtOptions): ExitCode {
  const files = specFiles(args);
  if (options.stdout && files.length > 1)
    fail('OPT801', undefined, `--stdout prints one file, ${files.length} were given`);
  let exit: ExitCode = exitCodes.ok;
  for (const file of files) {
    const source = readSpec(file);
    const parsed = parse(source);
    if (!parsed.ok) {
      printDiagnostics(parsed.diagnostics, new Map([[source.name, source]]));
      exit = exitCodes.source;
      continue;
    }
    const text = format(parsed.value, source);
    if (options.stdout) writeAll(1, text);
    else if (text === source.text) continue;
    else if (options.check) {
      note(`${shown(file)} is not formatted`);
      exit = exitCodes.source;
    } else {
      write(file, text);
      print(shown(file));
    }
  }
  return exit;
}

/** A crash in between leaves the old file. */
function write(file: string, text: string): void {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, file);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason';
    fail('OPT804', undefined, `'${file}' cannot be written (${code})`);
  }
}
