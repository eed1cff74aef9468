/** `npm run check`: types, lint, format, layering and cycles, side by side; prints what failed and nothing else. */
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const bin = (name) => join(root, 'node_modules', '.bin', name);
const steps = [
  ['types', bin('tsc'), ['-p', 'tsconfig.json']],
  ['lint', bin('oxlint'), ['--deny-warnings', 'grammar', 'compiler', 'runtime', 'cli', 'test', 'bench', 'scripts']],
  ['format', bin('prettier'), ['--check', '--cache', '--log-level', 'warn', '.']],
  ['layers', process.execPath, ['scripts/layers.mjs']],
];

const run = ([name, command, args]) =>
  new Promise((resolve) => {
    const started = Date.now();
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (d) => (output += d));
    child.stderr.on('data', (d) => (output += d));
    child.on('error', (e) => resolve({ name, code: 1, output: `${e.message}\n(run 'npm ci' first)`, seconds: 0 }));
    child.on('close', (code) => resolve({ name, code: code ?? 1, output, seconds: (Date.now() - started) / 1000 }));
  });

const results = await Promise.all(steps.map(run));
for (const r of results) {
  console.log(`${r.code === 0 ? 'ok    ' : 'FAILED'} ${r.name} (${r.seconds.toFixed(1)} s)`);
  if (r.code !== 0) console.log(r.output.trimEnd());
}
process.exit(results.every((r) => r.code === 0) ? 0 : 1);
