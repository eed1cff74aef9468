/** The built command: compiled code and parsed library modules that it keeps make it faster and never change what it says. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from '../../../compiler/ast/parse.ts';
import { storedTree } from '../../../compiler/ast/stored-tree.ts';
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
    // Used, and after a few calls not made again: what a check makes differs from call to call in no place that matters, but the file would be a new one.
    for (let call = 0; call < 3; call++) expect(check(cache)).toEqual(good);
    const [last] = readdirSync(path.join(cache, 'code'));
    const settled = readFileSync(path.join(cache, 'code', last));
    expect(check(cache)).toEqual(good);
    expect(readdirSync(path.join(cache, 'code'))).toEqual([last]);
    expect(readFileSync(path.join(cache, 'code', last)).equals(settled)).toBe(true);
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
      const kept = storedTree(readFileSync(path.join(folder, name.replace(/opt$/, 'tree')), 'utf8'), source.text);
      expect(kept).toStrictEqual(parsed.ok && parsed.value);
      expect(JSON.stringify(kept)).toBe(JSON.stringify(parsed.ok && parsed.value)); // the order of fields too
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
    const tree = file.replace(/opt$/, 'tree');
    const whole = readFileSync(tree, 'utf8');
    for (const part of ['', '{"text": "', whole.slice(0, -1)]) {
      writeFileSync(tree, part);
      expect(check(path.join(scratch, 'cache'))).toEqual(good);
    }
    writeFileSync(tree, whole);
  });
});

describe('saddle build', () => {
  const program = `use rules { sgd }
var w: f32[2] = 0
train 60 {
  sample x ~ normal f32[8, 2]
  update w by sgd(0.1) minimizing mean((x @ w - x @ [2, -1])^2)
}
export fn predict(x: f32[3, 2]) = x @ w
`;
  const cli = (...args: string[]) =>
    spawnSync(process.execPath, [path.join(dist, 'cli.js'), ...args], { cwd: scratch, encoding: 'utf8' });
  it('makes a module that computes in Node what the run has learned, with no word of Node in it', () => {
    writeFileSync(path.join(scratch, 'fit.opt'), program);
    expect(cli('run', 'fit.opt', '--device', 'reference', '--quiet', '--out', 'run').status).toBe(0);
    const made = cli('build', 'fit.opt', '-o', 'module', '--from', 'run', '--json');
    expect(made.status).toBe(0);
    const { files } = JSON.parse(made.stdout) as { files: Record<string, number> };
    expect(Object.keys(files).map((f) => path.basename(f)).sort()).toEqual(['fit.bundle.json', 'fit.d.ts', 'fit.js', 'saddle-runtime.js']); // prettier-ignore
    for (const file of Object.keys(files).filter((f) => f.endsWith('.js'))) {
      const text = readFileSync(path.join(scratch, file), 'utf8');
      expect(text).not.toMatch(
        /^(import|export)\b.*\bfrom ?["'](?!\.\/)|\bimport\(|\brequire\(|\bprocess\.(env|argv|platform|exit)/m,
      );
    }
    writeFileSync(path.join(scratch, 'module', 'package.json'), '{"type": "module"}');
    const use = `
      import { openDevice } from ${JSON.stringify(path.join(dist, 'node.js'))};
      import { start } from ${JSON.stringify(path.join(scratch, 'module', 'fit.js'))};
      const device = await openDevice();
      const session = await start({ device });
      const { result } = await session.call('predict', { x: [1, 0, 0, 1, 1, 1] });
      console.log(JSON.stringify([...result]));
      await session.dispose();
      device.close();
      process.exit(0);`;
    const used = spawnSync(process.execPath, ['--input-type=module', '-e', use], { encoding: 'utf8' });
    const [a, b, c] = JSON.parse(used.stdout) as number[];
    expect([a, b, c].map((v) => Math.round(100 * v) / 100)).toEqual([2, -1, 1]);
  });
  it('declares what it offers', () => {
    const typed = `import { start, openPageDevice } from './module/fit.js';
      const session = await start({ device: await openPageDevice(undefined) });
      const { result } = await session.call('predict', { x: [1, 2] });
      const first: number = result[0];
      // @ts-expect-error there is no such function
      await session.call('predicts', { x: [first] });`;
    writeFileSync(path.join(scratch, 'use.ts'), typed);
    const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const options = ['--noEmit', '--strict', '--module', 'esnext', '--moduleResolution', 'bundler', '--target', 'es2022', '--typeRoots',
      'none',
      '--lib', 'es2022,dom']; // prettier-ignore
    const checked = spawnSync(process.execPath, [tsc, ...options, 'use.ts'], {
      cwd: scratch,
      encoding: 'utf8',
    });
    expect(checked.stdout).toBe('');
  });
  it('refuses what it cannot make', () => {
    const none = program.replace(/export.*\n/, '');
    writeFileSync(path.join(scratch, 'none.opt'), none);
    expect(cli('build', 'none.opt').status).toBe(2);
    const refused = cli('build', 'none.opt', '-o', 'other', '--from', 'run');
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain('exports none');
    expect(cli('build', 'fit.opt', '-o', 'other', '--from', 'absent').stderr).toContain('OPT808');
    expect(cli('build', 'fit.opt', '-o', 'fit.opt/x').stderr).toContain('OPT804');
  });
});
