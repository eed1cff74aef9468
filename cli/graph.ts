/** `saddle graph FILE`: the optimization graph of a spec as a picture (svg) or as text of Graphviz (dot). */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { diagramOf } from '../compiler/check/diagram.ts';
import { SaddleError, fail } from '../compiler/diagnostics/diagnostic.ts';
import { compileSpec } from './compile.ts';
import { dotText } from './graph-dot.ts';
import { dataPaths, settings } from './options.ts';
import { exitCodes, type ExitCode } from './outcome.ts';
import { describeData, openSpec, overridesBySource, type Opened } from './spec.ts';
import { failed } from './summary.ts';
import { print, printDiagnostics, printJson, shown } from './terminal.ts';

export interface GraphOptions {
  /** `.svg` or `.dot`; without it the text of Graphviz goes to standard output. */
  readonly output?: string;
  readonly set: readonly string[];
  readonly data: readonly string[];
  readonly json?: boolean;
}

export async function graphCommand(file: string, options: GraphOptions): Promise<ExitCode> {
  const opened: Opened = new Map();
  try {
    const kind = formatOf(options.output);
    const set = settings(options.set);
    const spec = openSpec(file, opened);
    const described = await describeData(spec, overridesBySource(spec, set, dataPaths(options.data)), false, set);
    if (described.diagnostics.some((d) => d.severity === 'error')) throw new SaddleError(described.diagnostics);
    const compiled = compileSpec(spec, opened, { set, infos: described.infos, stage: 'program' });
    printDiagnostics([...described.diagnostics, ...compiled.diagnostics], opened);
    const diagram = diagramOf(compiled.program, (span) => compiled.sources.get(span.file)?.slice(span) ?? '');
    if (diagram.parts.length === 0)
      fail('OPT806', undefined, 'nothing is moved in this spec: there is no optimization to draw', {
        hint: 'saddle explain FILE --stage graph prints what is computed',
      });
    const dot = dotText(diagram);
    if (options.output !== undefined) write(options.output, kind === '.svg' ? await svgOf(dot) : dot);
    if (options.json) printJson({ status: 'ok', file, out: options.output, ...diagram });
    else print(options.output === undefined ? dot.trimEnd() : shown(options.output));
    return exitCodes.ok;
  } catch (cause) {
    return failed(cause, file, opened, options);
  }
}

function formatOf(output: string | undefined): string {
  const kind = output === undefined ? '.dot' : path.extname(output);
  if (kind !== '.svg' && kind !== '.dot')
    fail('OPT803', undefined, `a graph is written as .svg or .dot, not as '${output}'`, {
      hint: 'saddle graph spec.opt -o graph.svg',
    });
  return kind;
}

/** Laid out by Graphviz, compiled to WebAssembly. */
async function svgOf(dot: string): Promise<string> {
  const { instance } = await import('@viz-js/viz');
  return (await instance()).renderString(dot, { format: 'svg' });
}

/** Throws OPT804 where the file cannot be written. */
function write(file: string, text: string): void {
  try {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(`${file}.tmp`, text);
    renameSync(`${file}.tmp`, file);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    fail('OPT804', undefined, `'${file}' cannot be written: ${reason}`, { hint: 'choose another file with -o' });
  }
}
