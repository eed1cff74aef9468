/** `npm run size`: lines per folder, and every source above 500 lines. The figures to hold are in CONTRIBUTING.md. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
function files(dir) {
  return readdirSync(join(root, dir), { withFileTypes: true }).flatMap((e) =>
    e.isDirectory()
      ? e.name === 'node_modules'
        ? []
        : files(`${dir}/${e.name}`)
      : /\.(ts|mjs|opt)$/.test(e.name)
        ? [`${dir}/${e.name}`]
        : [],
  );
}
const lines = (file) => readFileSync(join(root, file), 'utf8').split('\n').length;
let long = 0;
for (const dir of ['grammar', 'compiler', 'runtime', 'cli', 'stdlib', 'examples', 'test', 'bench', 'scripts']) {
  const all = files(dir).map((file) => ({ file, lines: lines(file) }));
  const sorted = all.map((f) => f.lines).sort((a, b) => a - b);
  const total = sorted.reduce((a, b) => a + b, 0);
  console.log(
    `${dir.padEnd(10)} ${String(total).padStart(6)} lines in ${String(all.length).padStart(3)} files, median ${sorted[sorted.length >> 1] ?? 0}`,
  );
  for (const f of all) {
    if (f.lines > 500 && !dir.startsWith('test')) {
      long++;
      console.log(`  ${f.file}: ${f.lines} lines`);
    }
  }
}
if (long > 0) console.log(`${long} source(s) above 500 lines`);
