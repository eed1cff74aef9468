/** `saddle explain CODE`: the meaning of a diagnostic. `saddle explain FILE --stage STAGE`: the program after a stage of the compiler. */
import { catalog, catalogEntry } from '../compiler/diagnostics/catalog.ts';
import { SaddleError, fail } from '../compiler/diagnostics/diagnostic.ts';
import { didYouMean } from '../compiler/diagnostics/suggest.ts';
import { exitCodeOf, exitCodes, type ExitCode } from './outcome.ts';
import { print, printDiagnostics, coloursFor, printJson } from './terminal.ts';

export const STAGES = ['ast', 'updates', 'program', 'graph', 'optimized', 'kernels', 'wgsl', 'plan', 'cost'] as const;
export type Stage = (typeof STAGES)[number];

export interface ExplainOptions {
  readonly stage?: string;
  /** Form of the problems as mathematics; true where none is given. */
  readonly math?: string | true;
  readonly set: readonly string[];
  readonly data: readonly string[];
  readonly json?: boolean;
}

export async function explainCommand(what: string, options: ExplainOptions): Promise<ExitCode> {
  if (options.math !== undefined) return explainMath(what, options.math === true ? 'text' : options.math, options);
  if (options.stage === undefined && /^opt\d*$/i.test(what))
    return explainCode(what.toUpperCase(), options.json === true);
  const stage = STAGES.find((s) => s === (options.stage ?? 'updates'));
  if (!stage)
    return fail('OPT806', undefined, `there is no stage '${options.stage}'`, {
      hint: didYouMean(options.stage ?? '', STAGES) ?? `the stages are ${STAGES.join(', ')}`,
    });
  return explainStage(what, stage, options);
}

/** Problems are printed as they are declared: nothing is compiled for it. */
async function explainMath(file: string, form: string, options: ExplainOptions): Promise<ExitCode> {
  const { openSpec } = await import('./spec.ts');
  const { mathOf } = await import('../compiler/ast/math.ts');
  const opened = new Map();
  try {
    const forms = ['text', 'latex'] as const;
    const wanted = forms.find((f) => f === form);
    if (!wanted)
      fail('OPT803', undefined, `problems are printed as text or latex, not as '${form}'`, {
        hint: didYouMean(form, forms) ?? 'write --math latex',
      });
    const spec = openSpec(file, opened);
    const text = mathOf(spec.module, wanted, (span) => spec.source.slice(span));
    if (text === '')
      fail('OPT806', undefined, `there is no problem in ${file} to print`, {
        hint: 'saddle explain FILE prints the updates of its train bodies',
      });
    if (options.json) printJson({ file, form: wanted, text });
    else print(text.trimEnd());
    return exitCodes.ok;
  } catch (cause) {
    if (!(cause instanceof SaddleError)) throw cause;
    printDiagnostics(cause.diagnostics, opened);
    return exitCodeOf(cause.diagnostics);
  }
}

function explainCode(code: string, json: boolean): ExitCode {
  const entry = catalogEntry(code);
  if (!entry)
    return fail('OPT806', undefined, `there is no diagnostic '${code}'`, {
      hint: didYouMean(code, Object.keys(catalog)) ?? 'codes look like OPT301; a message shows its own in brackets',
    });
  if (json) {
    printJson({ code, ...entry });
    return exitCodes.ok;
  }
  const c = coloursFor(process.stdout);
  print(`${c.bold(`${code}: ${entry.title}`)}\n\n${wrap(entry.about)}`);
  if (entry.example)
    print(`\n${c.red('wrong')}\n${indent(entry.example.wrong)}\n\n${c.green('right')}\n${indent(entry.example.right)}`);
  return exitCodes.ok;
}

/** Breaks a paragraph at spaces, before column 100. */
function wrap(text: string): string {
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1];
    if (last !== '' && last.length + word.length + 1 > 100) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines.join('\n');
}

function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
}

/** Compiles for the portable profile: the text is the same on every machine. */
async function explainStage(file: string, stage: Stage, options: ExplainOptions): Promise<ExitCode> {
  const { overridesBySource, describeData, openSpec } = await import('./spec.ts');
  const { dataPaths, settings } = await import('./options.ts');
  const opened = new Map();
  try {
    const set = settings(options.set);
    const data = dataPaths(options.data);
    const spec = openSpec(file, opened);
    const overrides = overridesBySource(spec, set, data);
    if (stage === 'ast') {
      const { dump } = await import('../compiler/ast/dump.ts');
      print(dump(spec.module).trimEnd());
      return exitCodes.ok;
    }
    const early = stage === 'updates' || stage === 'program' || stage === 'graph';
    const described = await describeData(spec, overrides, !early, set);
    printDiagnostics(described.diagnostics, opened);
    if (described.diagnostics.some((d) => d.severity === 'error')) return exitCodeOf(described.diagnostics);
    const { compileSpec } = await import('./compile.ts');
    const compiled = compileSpec(spec, opened, { set, infos: described.infos, stage: early ? 'program' : 'bundle' });
    print(compiled.texts(stage).trimEnd());
    return exitCodes.ok;
  } catch (cause) {
    if (!(cause instanceof SaddleError)) throw cause;
    printDiagnostics(cause.diagnostics, opened);
    return exitCodeOf(cause.diagnostics);
  }
}
