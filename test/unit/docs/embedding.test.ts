/** Runs the programs of docs/embedding.md as their reader would: from the built package, in a folder of their own. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../../..');
const text = readFileSync(path.join(root, 'docs/embedding.md'), 'utf8');
const blocks = (language: string) =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))].map((m) => m[1]);
let folder: string;

beforeAll(async () => {
  await promisify(execFile)(process.execPath, ['scripts/build.mjs'], { cwd: root });
  folder = mkdtempSync(path.join(tmpdir(), 'saddle-docs-'));
  mkdirSync(path.join(folder, 'node_modules'));
  symlinkSync(root, path.join(folder, 'node_modules', 'saddle-lang'), 'dir');
  writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(path.join(folder, 'iris.opt'), blocks('opt')[0]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(program: string): Promise<string> {
  writeFileSync(path.join(folder, 'app.js'), program);
  const { stdout } = await promisify(execFile)(process.execPath, ['app.js'], { cwd: folder, timeout: 100_000 });
  return stdout;
}

it('trains and predicts', { timeout: 120_000 }, async () => {
  const out = await run(blocks('js')[0]);
  const losses = [...out.matchAll(/^\d+ ([\d.]+)$/gm)].map((m) => Number(m[1]));
  expect(losses).toHaveLength(3);
  expect(losses[2]).toBeLessThan(0.2);
  const probabilities = [...(/\[\s*([^\]]*)\]/.exec(out)?.[1] ?? '').matchAll(/[\d.]+(?:e-?\d+)?/g)].map(Number);
  expect(probabilities[0]).toBeGreaterThan(0.9); // the example is the first row of the set, a setosa
});

it('stops, keeps and goes on', { timeout: 120_000 }, async () => {
  expect((await run(blocks('js')[1])).trim()).toBe('true');
});
