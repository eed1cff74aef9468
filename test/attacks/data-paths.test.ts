/** Paths that a hostile spec might name. Each is refused without the file behind it being read, whatever exists on the machine. */
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeSource } from '../../runtime/data/load.ts';
import { nodeDataHost } from '../../runtime/data/node-files.ts';
import { writeNpy } from '../../runtime/data/npy.ts';
import { inFolder, refusalOf } from '../unit/data/refused.ts';

const array = writeNpy(Float32Array.of(1, 2, 3), [3]);

/** A project with a spec folder, a working folder beside it, and a secret outside of both. */
async function withProject<T>(use: (root: string, host: ReturnType<typeof nodeDataHost>) => Promise<T>): Promise<T> {
  return inFolder(async (root) => {
    for (const folder of ['spec', 'spec/sub', 'work', 'outside', 'spec-evil']) mkdirSync(path.join(root, folder));
    for (const file of ['spec/a.npy', 'spec/sub/b.npy', 'work/c.npy', 'outside/secret.npy', 'spec-evil/secret.npy'])
      writeFileSync(path.join(root, file), array);
    return use(root, nodeDataHost({ specFolder: path.join(root, 'spec'), workingFolder: path.join(root, 'work') }));
  });
}

describe('legal paths', () => {
  it.each([
    'a.npy',
    './a.npy',
    'sub/b.npy',
    'sub/../a.npy',
    './/sub///b.npy',
    '../work/c.npy',
    'sub/../../work/c.npy',
    '../spec/a.npy',
  ])('%s', (source) =>
    withProject(async (_root, host) => {
      expect((await describeSource(source, host)).rows).toBe(3);
    }),
  );
  it('a link that stays inside', () =>
    withProject(async (root, host) => {
      symlinkSync('a.npy', path.join(root, 'spec/link.npy'));
      expect((await describeSource('link.npy', host)).rows).toBe(3);
    }));
  it('what the user names is read from anywhere', () =>
    withProject(async (root, host) => {
      const secret = path.join(root, 'outside/secret.npy');
      expect((await describeSource('a.npy', host, [], { override: secret })).rows).toBe(3);
      expect((await describeSource('a.npy', host, [], { override: '../outside/secret.npy' })).rows).toBe(3);
      expect((await describeSource('a.npy', host, [], { override: 'iris' })).rows).toBe(150);
    }));
});

const refused: readonly string[] = [
  '../outside/secret.npy',
  './../outside/secret.npy',
  'sub/../../outside/secret.npy',
  'sub/../sub/../../outside/secret.npy',
  '../spec-evil/secret.npy',
  '../spec/../outside/secret.npy',
  '../work/../outside/secret.npy',
  '..',
  '../',
  '../..',
  '.',
  './',
  'sub/..',
  '../../../../../../../../etc/passwd',
  '/etc/passwd',
  '//etc/passwd',
  '///etc/passwd',
  '//server/share/a.npy',
  '\\\\server\\share\\a.npy',
  '..\\outside\\secret.npy',
  'sub\\..\\..\\outside\\secret.npy',
  'C:\\data\\a.npy',
  'C:/data/a.npy',
  'c:a.npy',
  'file:///etc/passwd',
  'file:a.npy',
  'FILE:///etc/passwd',
  'http://example.org/a.npy',
  'https://example.org/a.npy',
  'ftp://example.org/a.npy',
  'data:text/csv,1,2',
  'a.npy:stream',
  'a.npy::$DATA',
  'a.npy\u0000.csv',
  '\u0000',
  '../outside/secret.npy\u0000a.npy',
  'a.npy\n',
  'a\u202eyp n.npy',
  'a.npy\u007f',
  '',
  ' ',
  '~/a.npy',
  '~root/a.npy',
  'nul',
  'NUL.npy',
  'sub/con.csv',
  'com1.npy',
  'aux',
  'a.npy.',
  'a.npy ',
  'sub./b.npy',
  `${'a/'.repeat(3000)}a.npy`,
  '/proc/self/environ',
  '/dev/zero',
];

describe('refused paths', () => {
  it('are many', () => expect(refused.length).toBeGreaterThanOrEqual(40));
  it.each(refused)('%j', (source) =>
    withProject(async (root, host) => {
      const d = await refusalOf(describeSource(source, host));
      expect(d.code).toBe('OPT602');
      expect(d.hint).toContain('--data');
      // Nothing of the machine's own paths is told.
      expect(JSON.stringify(d)).not.toContain(root);
      // eslint-disable-next-line no-control-regex
      expect(d.message).not.toMatch(/[\u0000-\u001f\u007f]/);
    }),
  );
  it.each([
    '%2e%2e/outside/secret.npy',
    '..%2foutside/secret.npy',
    '．．/outside/secret.npy',
    'sub/....//a.npy',
    '$HOME/a.npy',
  ])('not decoded, hence not found: %s', (source) =>
    withProject(async (_root, host) => {
      expect((await refusalOf(describeSource(source, host))).code).toMatch(/OPT60[12]/);
    }),
  );
});

describe('links and special files', () => {
  it.each([
    [
      'to a file outside',
      'link.npy',
      (root: string) => symlinkSync(path.join(root, 'outside/secret.npy'), path.join(root, 'spec/link.npy')),
    ],
    [
      'relative, to a file outside',
      'link.npy',
      (root: string) => symlinkSync('../outside/secret.npy', path.join(root, 'spec/link.npy')),
    ],
    ['of a folder', 'dir/secret.npy', (root: string) => symlinkSync('../outside', path.join(root, 'spec/dir'))],
    [
      'of links',
      'two.npy',
      (root: string) => {
        symlinkSync('../outside/secret.npy', path.join(root, 'spec/one.npy'));
        symlinkSync('one.npy', path.join(root, 'spec/two.npy'));
      },
    ],
    [
      'in the working folder',
      '../work/link.npy',
      (root: string) => symlinkSync('../outside/secret.npy', path.join(root, 'work/link.npy')),
    ],
    ['to the root', 'all/etc/passwd', (root: string) => symlinkSync('/', path.join(root, 'spec/all'))],
    ['to a device', 'zero.npy', (root: string) => symlinkSync('/dev/zero', path.join(root, 'spec/zero.npy'))],
    [
      'to the environment',
      'env.csv',
      (root: string) => symlinkSync('/proc/self/environ', path.join(root, 'spec/env.csv')),
    ],
  ])('a link %s', (_name, source, prepare) =>
    withProject(async (root, host) => {
      prepare(root);
      expect((await refusalOf(describeSource(source, host))).code).toBe('OPT602');
    }),
  );
  it('a link in a circle is explained', () =>
    withProject(async (root, host) => {
      symlinkSync('b.npy', path.join(root, 'spec/c.npy'));
      symlinkSync('c.npy', path.join(root, 'spec/b.npy'));
      expect(await refusalOf(describeSource('b.npy', host))).toMatchObject({
        code: 'OPT615',
        message: expect.stringContaining('circle'),
      });
    }));
  it('a dangling link tells nothing of its target', () =>
    withProject(async (root, host) => {
      symlinkSync('/nowhere/at/all', path.join(root, 'spec/dangling.npy'));
      const d = await refusalOf(describeSource('dangling.npy', host));
      expect(d.code).toBe('OPT601');
      expect(JSON.stringify(d)).not.toContain('nowhere');
    }));
  it('a pipe is refused at once, not waited for', () =>
    withProject(async (root, host) => {
      execFileSync('mkfifo', [path.join(root, 'spec/pipe.npy')]);
      expect((await refusalOf(describeSource('pipe.npy', host))).message).toContain('not a regular file');
    }));
  it('a hard link is a file like any other', () =>
    withProject(async (root, host) => {
      linkSync(path.join(root, 'spec/a.npy'), path.join(root, 'spec/hard.npy'));
      expect((await describeSource('hard.npy', host)).rows).toBe(3);
    }));
  it('a missing file outside is refused like one that exists', () =>
    withProject(async (_root, host) => {
      const there = await refusalOf(describeSource('../outside/secret.npy', host));
      const absent = await refusalOf(describeSource('../outside/absent.npy', host));
      expect(absent.code).toBe(there.code);
    }));
  it('a missing file, a folder in the way, an unknown format', () =>
    withProject(async (root, host) => {
      expect((await refusalOf(describeSource('absent.npy', host))).code).toBe('OPT601');
      expect((await refusalOf(describeSource('a.npy/b.npy', host))).code).toBe('OPT601');
      writeFileSync(path.join(root, 'spec/a.xyz'), 'what is this');
      expect((await refusalOf(describeSource('a.xyz', host))).code).toBe('OPT613');
    }));
});
