/** Hostile spec files given to the command: nothing steers the terminal, nothing crashes, each is refused with a code. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { inFolder } from '../unit/data/refused.ts';
import { saddle } from '../unit/cli/saddle.ts';

// eslint-disable-next-line no-control-regex
const steering = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

const specs: [string, string | Uint8Array][] = [
  ['escape codes in a source', 'data d from "\u001b[2J\u001b]0;owned\u0007x.npz" { x: f32[*, 2] }\n'],
  ['escape codes in the quoted line', 'let a = \u001b[31m nothing\n'],
  ['bidirectional marks', 'let a = "\u202e\u2066nothing" + b\n'],
  ['escape codes in a column', 'data d from "iris.csv" { x: f32[*] = "\u001b[2J" }\n'],
  ['random bytes', Uint8Array.from({ length: 4096 }, (_, i) => (i * 7919 + (i >> 3) * 31) & 255)],
  ['zero bytes', new Uint8Array(1024)],
  ['deep brackets', `let a = ${'('.repeat(20_000)}1${')'.repeat(20_000)}\n`],
  ['deep operators', `let a = ${'-'.repeat(20_000)}1\n`],
  ['a line without end', `let a = ${'1 + '.repeat(200_000)}1\n`],
  ['too much text', '// nothing\n'.repeat(120_000)],
  ['far too much text', '// nothing\n'.repeat(500_000)],
  ['an import outside', 'use "../../../../etc/passwd" { root }\n'],
  ['an import of itself', 'use "./spec.opt" { a }\nlet a = 1\n'],
];

it.each(specs)('%s', (_name, text) =>
  inFolder(async (folder) => {
    writeFileSync(path.join(folder, 'spec.opt'), text);
    writeFileSync(path.join(folder, 'iris.csv'), 'a,b\n1,2\n');
    const { code, stdout, stderr } = await saddle(['check', 'spec.opt'], folder);
    expect([1, 2, 3]).toContain(code);
    expect(stderr).toMatch(/error\[OPT\d{3}\]/);
    expect(stdout + stderr).not.toMatch(steering);
    expect(stderr).not.toMatch(/\n\s+at /);
    // The terminal is not flooded with the file's own text.
    expect(stderr.length).toBeLessThan(20_000);
  }),
);

it('file names that would steer the terminal', () =>
  inFolder(async (folder) => {
    mkdirSync(path.join(folder, 'a\u001b[2J'));
    writeFileSync(path.join(folder, 'a\u001b[2J', 'b.opt'), 'var x = 2\n');
    writeFileSync(path.join(folder, 'c\u001b[31m.opt'), 'let a = = 1\n');
    for (const args of [
      ['check', '.'],
      ['fmt', '--check', '.'],
      ['test', '.', '--device', 'reference'],
    ]) {
      const { code, stdout, stderr } = await saddle(args, folder);
      expect(code).toBe(1);
      expect(stdout + stderr).not.toMatch(steering);
    }
  }));

// A table indexed by a user's name without Object.hasOwn finds what every object inherits: this once crashed.
it('names that every object has are only names', () =>
  inFolder(async (folder) => {
    writeFileSync(path.join(folder, 'spec.opt'), 'let a = toString + constructor\n');
    const { code, stderr } = await saddle(['check', 'spec.opt'], folder);
    expect(code).toBe(1);
    expect(stderr).toContain("unknown name 'toString'");
  }));
