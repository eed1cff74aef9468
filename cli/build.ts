/**
 * `saddle build FILE -o DIR`: the compiled program as an ES module with its types, for pages and for Node, with the runtime beside it and nothing else to
 * install. With `--from RUN` only the exported functions, with the parameters of that run: what an application needs that does not train.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bundle } from '../compiler/bundle/format.ts';
import { InternalError, SaddleError, fail } from '../compiler/diagnostics/diagnostic.ts';
import { compileProgram } from '../compiler/emit/bundle.ts';
import { reachable } from '../compiler/ir/tensor/graph.ts';
import type { Span } from '../compiler/source/source.ts';
import { optimizeProgram } from '../compiler/passes/program.ts';
import type { NumberArray } from '../runtime/backend.ts';
import { readCheckpoint } from '../runtime/checkpoint/checkpoint.ts';
import { loadCheckpoint } from '../runtime/checkpoint/node-store.ts';
import { bytesText } from '../runtime/report/numbers.ts';
import { declarationsText, moduleText } from './build-texts.ts';
import { compileSpec, type Compiled } from './compile.ts';
import { dataPaths, settings } from './options.ts';
import { exitCodes, type ExitCode } from './outcome.ts';
import { folderToResume } from './run-folder.ts';
import { describeData, openSpec, overridesBySource, type Opened } from './spec.ts';
import { failed } from './summary.ts';
import { print, printDiagnostics, printJson, shown } from './terminal.ts';

export interface BuildOptions {
  readonly output: string;
  readonly from?: string;
  readonly set: readonly string[];
  readonly data: readonly string[];
  readonly json?: boolean;
}

export async function buildCommand(file: string, options: BuildOptions): Promise<ExitCode> {
  const opened: Opened = new Map();
  try {
    const set = settings(options.set);
    const spec = openSpec(file, opened);
    const overrides = overridesBySource(spec, set, dataPaths(options.data));
    const { infos, diagnostics } = await describeData(spec, overrides, true, set);
    if (diagnostics.length > 0) throw new SaddleError(diagnostics);
    // Without a profile the kernels keep to what every WebGPU device grants.
    const compiled = compileSpec(spec, opened, { set, infos, stage: 'bundle' });
    printDiagnostics(compiled.diagnostics, opened);
    if (!compiled.bundle) throw new InternalError('the compiler gave no bundle');
    const name = path.basename(file).replace(/\.opt$/, '');
    const { bundle, parameters } =
      options.from === undefined
        ? { bundle: compiled.bundle, parameters: undefined }
        : await deployed(compiled, compiled.bundle, options.from, name);
    const files = write(options.output, name, bundle, parameters);
    if (options.json) printJson({ status: 'ok', file, out: options.output, files, kernels: bundle.kernels.length });
    else for (const [at, bytes] of Object.entries(files)) print(`${shown(at)}  ${bytesText(bytes)}`);
    return exitCodes.ok;
  } catch (cause) {
    return failed(cause, file, opened, options);
  }
}

type Parameters = ReadonlyMap<string, NumberArray>;

/** The exported functions alone, and the cells that they read as the run has left them. Throws OPT803, OPT808, OPT65x. */
async function deployed(
  { program, sources }: Compiled,
  whole: Bundle,
  from: string,
  name: string,
): Promise<{ readonly bundle: Bundle; readonly parameters: Parameters }> {
  if (program.exports.length === 0)
    fail('OPT803', undefined, '--from keeps the exported functions, and the spec exports none', {
      hint: 'export fn predict(x: f32[1, 784]) = softmax(Net(x))',
    });
  const saved = await readCheckpoint(whole, await loadCheckpoint(checkpointOf(from, name)));
  const ids = new Set(program.exports.map((e) => e.entry));
  const entries = program.entries.filter((e) => ids.has(e.id));
  const leaves = reachable(entries.flatMap((e) => e.outputs.map((o) => o.value))).filter((n) => n.op === 'parameter');
  const read = (source: string) => new Set(leaves.filter((n) => n.attrs.source === source).map((n) => String(n.attrs.name))); // prettier-ignore
  const [cells, fields] = [read('cell'), read('data')];
  const locate = (span: Span) => {
    const source = sources.get(span.file);
    const at = source?.position(span.start);
    return source && at && { file: span.file, ...at, text: source.line(at.line) };
  };
  const bundle = compileProgram(
    optimizeProgram({
      ...program,
      entries,
      cells: program.cells.filter((c) => cells.has(c.id)),
      data: program.data.filter((d) => d.fields.some((f) => fields.has(`${d.name}.${f.name}`))),
      models: program.models.filter((m) => m.cells.every((id) => cells.has(id))),
      schedule: [],
      claims: [],
      updates: [],
    }),
    { locate },
  );
  return { bundle, parameters: new Map([...cells].map((id) => [id, saved.cells.get(id) as NumberArray])) };
}

/** The checkpoint that `--from` means: the file itself, or that of a run folder. */
function checkpointOf(from: string, name: string): string {
  return from.endsWith('.safetensors') ? from : path.join(folderToResume(from, undefined, name), 'checkpoint.safetensors'); // prettier-ignore
}

/** Writes the files and gives their sizes. Throws OPT804 where the folder cannot be written. */
function write(folder: string, name: string, bundle: Bundle, parameters: Parameters | undefined) {
  const texts = {
    [`${name}.js`]: moduleText(name, bundle, parameters),
    [`${name}.d.ts`]: declarationsText(name, bundle),
    [`${name}.bundle.json`]: JSON.stringify(bundle),
    'saddle-runtime.js': readFileSync(runtimeFile(), 'utf8'),
  };
  try {
    mkdirSync(folder, { recursive: true });
    const sizes: Record<string, number> = {};
    for (const [file, text] of Object.entries(texts)) {
      const target = path.join(folder, file);
      writeFileSync(`${target}.tmp`, text);
      renameSync(`${target}.tmp`, target);
      sizes[target] = Buffer.byteLength(text);
    }
    return sizes;
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    return fail('OPT804', undefined, `'${folder}' cannot be written: ${text}`, {
      hint: 'choose another folder with -o',
    });
  }
}

/** The runtime as one file: beside the built command, or in `dist/` of the source tree. Throws OPT804. */
function runtimeFile(): string {
  for (let folder = path.dirname(fileURLToPath(import.meta.url)); ; folder = path.dirname(folder)) {
    for (const inner of ['', 'dist']) {
      const file = path.join(folder, inner, 'saddle-runtime.js');
      if (existsSync(file)) return file;
    }
    if (path.dirname(folder) === folder)
      return fail('OPT804', undefined, 'the runtime to be copied has not been built', { hint: 'run: npm run build' });
  }
}
