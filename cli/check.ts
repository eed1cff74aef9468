/** `saddle check FILE…`: everything that can be said about a spec without a device. Data that are not there leave sizes open and are a warning. */
import { SaddleError, type Diagnostic } from '../compiler/diagnostics/diagnostic.ts';
import { renderJson } from '../compiler/diagnostics/render.ts';
import { compileSpec } from './compile.ts';
import { dataPaths, settings } from './options.ts';
import { exitCodeOf, exitCodes, type ExitCode } from './outcome.ts';
import { specFiles } from './paths.ts';
import { overridesBySource, describeData, openSpec, type Opened } from './spec.ts';
import { print, printDiagnostics, printJson, shown } from './terminal.ts';

export interface CheckOptions {
  readonly set: readonly string[];
  readonly data: readonly string[];
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export async function checkCommand(args: readonly string[], options: CheckOptions): Promise<ExitCode> {
  const set = settings(options.set);
  const data = dataPaths(options.data);
  let exit: ExitCode = exitCodes.ok;
  const documents: unknown[] = [];
  for (const file of specFiles(args)) {
    const opened: Opened = new Map();
    const diagnostics = await checkFile(file, set, data, opened);
    const code = exitCodeOf(diagnostics);
    // The first kind of failure decides; a wrong source outweighs data that cannot be read.
    if (exit === exitCodes.ok || code === exitCodes.source) exit = code === exitCodes.ok ? exit : code;
    printDiagnostics(diagnostics, opened, options.quiet);
    if (!options.json && !options.quiet && code === exitCodes.ok) print(`${shown(file)}: ok`);
    documents.push({
      file,
      status: code === exitCodes.ok ? 'ok' : 'failed',
      diagnostics: diagnostics.map((d) => renderJson(d, opened)),
    });
  }
  if (options.json) printJson({ status: exit === exitCodes.ok ? 'ok' : 'failed', files: documents });
  return exit;
}

async function checkFile(
  file: string,
  set: ReadonlyMap<string, number>,
  data: ReadonlyMap<string, string>,
  opened: Opened,
): Promise<readonly Diagnostic[]> {
  const found: Diagnostic[] = [];
  try {
    const spec = openSpec(file, opened);
    const described = await describeData(spec, overridesBySource(spec, set, data), false, set);
    found.push(...described.diagnostics);
    found.push(...compileSpec(spec, opened, { set, infos: described.infos, stage: 'check' }).diagnostics);
  } catch (cause) {
    if (!(cause instanceof SaddleError)) throw cause;
    found.push(...cause.diagnostics);
  }
  return found;
}
