/**
 * Time of whole `saddle check` processes over the examples, beside that of Node alone: `node bench/check.mjs [FOLDER] [--rounds N] [--assert]`. Rounds are
 * interleaved; medians. With --assert it fails where an example takes more than 300 ms.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const LIMIT_MS = 300;
const cli = join(root, 'dist', 'cli.js');
if (!existsSync(cli)) {
  console.error('there is no build: run `npm run build` first');
  process.exit(1);
}
const given = process.argv.indexOf('--rounds');
const rounds = given > 0 ? Number(process.argv[given + 1]) : 9;

const folder = process.argv[2]?.startsWith('--') === false ? process.argv[2] : 'examples';
const specs = readdirSync(join(root, folder), { recursive: true })
  .map((file) => `${folder}/${file}`)
  .filter((file) => file.endsWith('.opt'))
  .sort();
const commands = [
  { name: 'node alone', args: ['-e', '0'] },
  ...specs.map((file) => ({ name: `check ${file}`, args: [cli, 'check', file] })),
];
const times = new Map(commands.map((c) => [c.name, []]));
for (let round = 0; round < rounds; round++) {
  for (const { name, args } of commands) {
    const start = performance.now();
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
    times.get(name).push(performance.now() - start);
    if (status !== 0) {
      console.error(stderr);
      process.exit(1);
    }
  }
}
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const alone = median(times.get('node alone'));
let late = false;
for (const [name, list] of times) {
  const ms = median(list);
  late ||= name !== 'node alone' && ms > LIMIT_MS;
  console.log(`${name.padEnd(34)} ${ms.toFixed(0).padStart(5)} ms  ${(ms / alone).toFixed(1)}x`);
}
if (process.argv.includes('--assert') && late) process.exit(1);
