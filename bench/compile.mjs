/**
 * Time from the text of a transformer to its bundle (kernels and plan; no device), each in a process of its own that has loaded the compiler:
 * `node bench/compile.mjs [--rounds N] [--assert]`. Depths are interleaved; medians. With --assert it fails where 12 layers take 3 s or more.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const LIMIT_MS = 3000;
const DEPTHS = [3, 6, 12, 24];
const bench = dirname(fileURLToPath(import.meta.url));
const library = join(bench, '..', 'dist', 'node.js');
if (!existsSync(library)) {
  console.error('there is no build: run `npm run build` first');
  process.exit(1);
}
const given = process.argv.indexOf('--rounds');
const rounds = given > 0 ? Number(process.argv[given + 1]) : 5;

const program = (depth) => `
  const { compileFile } = await import(${JSON.stringify(pathToFileURL(library).href)});
  const start = performance.now();
  const { bundle } = await compileFile(${JSON.stringify(join(bench, 'deep.opt'))}, { set: { depth: ${depth} } });
  console.log(JSON.stringify({ ms: performance.now() - start, kernels: bundle.kernels.length }));`;

const times = new Map(DEPTHS.map((depth) => [depth, []]));
const kernels = new Map();
for (let round = 0; round < rounds; round++) {
  for (const depth of DEPTHS) {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program(depth)], {
      encoding: 'utf8',
    });
    if (status !== 0) {
      console.error(stderr);
      process.exit(1);
    }
    const result = JSON.parse(stdout);
    times.get(depth).push(result.ms);
    kernels.set(depth, result.kernels);
  }
}
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
for (const depth of DEPTHS) {
  const ms = median(times.get(depth));
  console.log(
    `${String(depth).padStart(2)} layers  ${ms.toFixed(0).padStart(5)} ms  ${(ms / depth).toFixed(0).padStart(4)} ms a layer  ${kernels.get(depth)} kernels`,
  );
}
if (process.argv.includes('--assert') && median(times.get(12)) >= LIMIT_MS) process.exit(1);
