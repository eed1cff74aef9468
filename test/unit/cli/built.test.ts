/** The built command: compiled code and parsed library modules that it keeps make it faster and never change what it says. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from '../../../compiler/ast/parse.ts';
import { Source } from '../../../compiler/source/source.ts';
import { build } from '../../../scripts/build.mjs';

const root = path.join(import.meta.dirname, '..', '..', '..');
const dist = path.join(root, 'node_modules', '.cache', `saddle-built-${process.pid}`);
const scratch = mkdtempSync(path.join(tmpdir(), 'saddle-built-'));
const spec = path.join(scratch, 'spec.opt');
const text = 'use losses { mse }\nvar x: f32 = 3\nfn f() = mse(x, 1)\ntrain 5 { x <- x - 0.1 * grad(f(), x) }\n'; // prettier-ignore

beforeAll(async () => {
  await build({ dist });
  writeFileSync(spec, text);
});
afterAll(() => {
  for (const folder of [dist, scratch]) rmSync(folder, { recursive: true, force: true });
});

function check(cache: string) {
  const env = { ...process.env, SADDLE_CACHE: cache, NO_COLOR: '1' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(dist, 'cli.js'), 'check', spec], { env, encoding: 'utf8' }); // prettier-ignore
  return { status, stdout, stderr };
}
const good = { status: 0, stdout: `${spec}: ok\n`, stderr: '' };

describe('compiled code', () => {
  it('is kept at the first check and used by the next', () => {
    const cache = path.join(scratch, 'cache');
    expect(check(cache)).toEqual(good);
    const [file] = readdirSync(path.join(cache, 'code'));
    const kept = readFileSync(path.join(cache, 'code', file));
    expect(kept.length).toBeGreaterThan(100_000);
    expect(check(cache)).toEqual(good);
    // Used, not made again: what a check makes differs from call to call in no place that matters, but the file would be a new one.
    expect(readdirSync(path.join(cache, 'code'))).toEqual([file]);
    expect(readFileSync(path.join(cache, 'code', file)).equals(kept)).toBe(true);
  });
  it('that is damaged, or cannot be kept, changes nothing', () => {
    const cache = path.join(scratch, 'damaged');
    expect(check(cache)).toEqual(good);
    const [name] = readdirSync(path.join(cache, 'code'));
    const file = path.join(cache, 'code', name);
    writeFileSync(file, readFileSync(file).subarray(0, 5000));
    expect(check(cache)).toEqual(good);
    writeFileSync(file, 'no code');
    expect(check(cache)).toEqual(good);
    expect(check(spec)).toEqual(good); // a file where the folder should be
  });
});

describe('trees of the library', () => {
  it('are those that its texts have', () => {
    const folder = path.join(dist, 'stdlib');
    const names = readdirSync(folder).filter((name) => name.endsWith('.opt'));
    expect(names.length).toBeGreaterThan(4);
    for (const name of names) {
      const source = new Source(`stdlib/${name}`, readFileSync(path.join(folder, name), 'utf8'));
      const parsed = parse(source);
      const kept: unknown = JSON.parse(readFileSync(path.join(folder, name.replace(/opt$/, 'tree.json')), 'utf8'));
      expect(kept).toStrictEqual({ text: source.text, tree: parsed.ok && parsed.value });
    }
  });
  it('do not outlive a change of the text', () => {
    const file = path.join(dist, 'stdlib', 'losses.opt');
    const before = readFileSync(file, 'utf8');
    writeFileSync(file, before.replaceAll('mse', 'esm'));
    const { status, stderr } = check(path.join(scratch, 'cache'));
    writeFileSync(file, before);
    expect(status).toBe(1);
    expect(stderr).toContain("'mse'");
    writeFileSync(file.replace(/opt$/, 'tree.json'), '{"text": "');
    expect(check(path.join(scratch, 'cache'))).toEqual(good);
  });
});
