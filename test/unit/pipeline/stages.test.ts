/**
 * Every stage of the compiler on small specs, as `saddle explain --stage` prints it, against golden files; and the folder of goldens holds
 * nothing that no suite compares with. `npm run test:update` accepts what has changed.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compile, type Stage } from '../../../compiler/pipeline.ts';
import { Source } from '../../../compiler/source/source.ts';
import { root } from '../check/sources.ts';

const specs: Record<string, string> = {
  line: `use rules { sgd }
let x: f32[4] = [0, 1, 2, 3]
var w = 0.0
var b = 0.0
train 20 {
  let loss = mean((w * x + b - (2 * x + 1))^2)
  update w, b by sgd(0.1, momentum: 0.9) minimizing loss
  report loss
}
expect loss < 1
`,
  reversal: `use nn { linear }
use rules { sgd }
hyper lambda = progress
data D = { x: ones(4, 2), d: [1.0, 1.0, 0.0, 0.0] }
model F(x: f32[n, 2]) { linear(x, 3) }
model C(z: f32[n, 3]) { linear(z, 1)[:, 0] }
train 2 {
  batch b = D[2]
  let side = mean(softplus(C(reverse(F(b.x), by: lambda))) * b.d)
  update F, C by sgd(0.1) minimizing side
}
eval every 1 over D as e { metric out = mean(C(F(e.x))) }
export fn score(x: f32[1, 2]) = C(F(x))
`,
  // Kept large: little work would be one kernel.
  loops: `var W: f32[256, 256] = 0.01
train 3 {
  let x = ones(256, 256)
  repeat 12 { W <- tanh(W @ x) }
  while sum(W) > 1 max 40 { W <- W @ W }
  every 2 { W <- W @ x }
  if sum(W) > 5 { W <- x @ W }
  report s = sum(W)
}
`,
};
const stages: readonly Stage[] = ['ast', 'updates', 'program', 'graph', 'optimized', 'kernels', 'wgsl', 'plan', 'cost'];

const library = (name: string): Source =>
  new Source(`${name}.opt`, readFileSync(join(root, 'stdlib', `${name}.opt`), 'utf8'));

function compiled(name: string) {
  const result = compile(new Source(`${name}.opt`, specs[name]), {
    readImport: library,
    dataInfo: () => undefined,
    set: new Map(),
    profile: { class: 'software', subgroups: 8 },
  });
  if (!result.ok) throw new Error(result.diagnostics.map((d) => d.message).join('\n'));
  return result.value;
}

describe.each(Object.keys(specs))('%s', (name) => {
  const { texts, bundle } = compiled(name);

  test.each(stages)('%s', async (stage) => {
    const text = texts(stage).replace(/ \/\/ ".*$/gm, ''); // excerpts of library files are no part of the stage
    expect(text.length).toBeGreaterThan(20);
    await expect(text).toMatchFileSnapshot(`../../golden/stages/${name}.${stage}.txt`);
  });

  test('the bundle is the same, byte for byte, when it is made again', () => {
    expect(JSON.stringify(compiled(name).bundle)).toBe(JSON.stringify(bundle));
  });
});

/** Folders of goldens, and the suite that compares with each. */
const suites: Readonly<Record<string, string>> = {
  ast: 'test/unit/grammar/format.test.ts',
  kernels: 'test/unit/kernels/golden.test.ts',
  math: 'test/unit/cli/math.test.ts',
  program: 'test/unit/elaborate/golden.test.ts',
  stages: 'test/unit/pipeline/stages.test.ts',
};

describe('goldens', () => {
  const golden = join(root, 'test/golden');

  test('each folder has a suite', () => {
    const folders = readdirSync(golden, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.map((entry) => entry.name).sort()).toEqual(Object.keys(suites));
  });

  test.each(Object.entries(suites))('each of %s is compared with', (folder, suite) => {
    const text = readFileSync(join(root, suite), 'utf8');
    const stem = (file: string): string => file.split('.')[0];
    const unused = readdirSync(join(golden, folder)).filter(
      (file) => !new RegExp(`['\\s{]${stem(file)}['\\s:]`).test(text),
    );
    expect(unused).toEqual([]);
  });

  test('those of the stages are exactly the specs times the stages', () => {
    const expected = Object.keys(specs).flatMap((name) => stages.map((stage) => `${name}.${stage}.txt`));
    expect(readdirSync(join(golden, 'stages')).sort()).toEqual(expected.sort());
  });
});
