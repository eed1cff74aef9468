/** The command line's contract where no program runs: help, wrong calls, explain, fmt, doctor, bugs. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { main } from '../../../cli/main.ts';
import { reportCrash } from '../../../cli/crash.ts';
import { inFolder } from '../data/refused.ts';
import { saddle } from './saddle.ts';

// eslint-disable-next-line no-control-regex
const control = /[\u0000-\u0009\u000b-\u001f]/;

describe('wrong calls exit with 2, a located message on standard error and nothing on standard output', () => {
  it.each([
    [['rnu', 'x.opt'], 'OPT801', 'run'],
    [['run', 'x.opt', '--step', '3'], 'OPT801', '--steps'],
    [['run'], 'OPT801', 'saddle --help'],
    [['run', 'x.opt', 'y.opt'], 'OPT801', 'saddle --help'],
    [['run', 'x.opt', '--steps'], 'OPT801', 'saddle --help'],
    [['run', 'absent.opt'], 'OPT804', ''],
    [['run', 'absent.opt', '--steps', 'many'], 'OPT803', ''],
    [['run', 'absent.opt', '--seed', '-1'], 'OPT803', ''],
    [['run', 'absent.opt', '--set', 'B'], 'OPT803', '--set B=64'],
    [['run', 'absent.opt', '--resume'], 'OPT808', '--resume DIR'],
    [['check', 'absent.opt'], 'OPT804', ''],
    [['explain', 'OPT000'], 'OPT806', ''],
    [['explain', 'x.opt', '--stage', 'kernel'], 'OPT806', "'kernels'"],
    [['fmt', 'absent.opt'], 'OPT804', ''],
  ])('%j', async (args, code, help) => {
    const { code: exit, stdout, stderr } = await saddle(args);
    expect(exit).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(`error[${code}]`);
    expect(stderr).toContain(help);
    expect(stderr).not.toMatch(control);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
  it('with --json also one document', async () => {
    const { code, stdout } = await saddle(['run', 'absent.opt', '--json']);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ status: 'failed', error: { code: 'OPT804' } });
  });
  it('an unknown device is refused like a wrong value', async () => {
    const { code, stderr } = await saddle(['run', 'absent.opt', '--device', 'lavapip']);
    expect(code).toBe(2);
    expect(stderr).toContain("'lavapipe'");
  });
});

it('help and version go to standard output', async () => {
  const help = await saddle(['--help']);
  expect(help).toMatchObject({ code: 0, stderr: '' });
  for (const command of [
    'run',
    'check',
    'test',
    'runs',
    'verify',
    'profile',
    'build',
    'graph',
    'explain',
    'fmt',
    'doctor',
  ])
    expect(help.stdout).toContain(command);
  const { version } = JSON.parse(readFileSync(path.join(import.meta.dirname, '../../../package.json'), 'utf8')) as {
    version: string;
  };
  expect((await saddle(['--version'])).stdout.trim()).toBe(version);
  expect((await saddle([])).code).toBe(0);
});

describe('explain CODE', () => {
  it('prints title, text and example; colours only when asked for', async () => {
    const { code, stdout } = await saddle(['explain', 'opt608']);
    expect(code).toBe(0);
    expect(stdout).toContain('OPT608: field or column not in the data');
    expect(stdout).toContain('right\n');
    expect(stdout).not.toMatch(control);
    expect((await saddle(['explain', 'OPT608'], undefined, { FORCE_COLOR: '1' })).stdout).toContain('\x1b[');
    expect((await saddle(['explain', 'OPT608'], undefined, { FORCE_COLOR: '1', NO_COLOR: '1' })).stdout).not.toMatch(
      control,
    );
    expect(JSON.parse((await saddle(['explain', 'OPT608', '--json'])).stdout)).toMatchObject({ code: 'OPT608' });
  });
});

describe('fmt', () => {
  it('rewrites, then has nothing to do; --check and --stdout do not write', () =>
    inFolder(async (folder) => {
      const file = path.join(folder, 'a.opt');
      const before = 'dim   B=4\nhyper  lr =  0.1\n';
      writeFileSync(file, before);
      expect((await saddle(['fmt', '--check', folder])).code).toBe(1);
      const printed = await saddle(['fmt', '--stdout', file]);
      expect(printed).toMatchObject({ code: 0, stdout: 'dim B = 4\nhyper lr = 0.1\n' });
      expect(readFileSync(file, 'utf8')).toBe(before);
      expect((await saddle(['fmt', file])).code).toBe(0);
      expect(readFileSync(file, 'utf8')).toBe(printed.stdout);
      expect(await saddle(['fmt', '--check', file])).toMatchObject({ code: 0, stdout: '', stderr: '' });
    }));
  it('leaves a file with syntax errors alone', () =>
    inFolder(async (folder) => {
      const file = path.join(folder, 'a.opt');
      writeFileSync(file, 'dim B = = 4\n');
      const { code, stderr } = await saddle(['fmt', file]);
      expect(code).toBe(1);
      expect(stderr).toMatch(/error\[OPT1\d\d\]/);
      expect(readFileSync(file, 'utf8')).toBe('dim B = = 4\n');
    }));
});

it('explain --stage ast prints the tree', () =>
  inFolder(async (folder) => {
    const file = path.join(folder, 'a.opt');
    writeFileSync(file, 'dim B = 4\n');
    const { code, stdout } = await saddle(['explain', file, '--stage', 'ast']);
    expect(code).toBe(0);
    expect(stdout).toContain('dim');
  }));

it('doctor proves the device and speaks JSON', async () => {
  const { code, stdout } = await saddle(['doctor', '--json']);
  const report = JSON.parse(stdout) as { ok: boolean; node: string };
  expect(report.node).toBe(process.version);
  expect(code).toBe(report.ok ? 0 : 3);
  expect((await saddle(['doctor'])).stdout).toContain('device');
});

describe('a bug of ours', () => {
  it('exits with 70 and leaves a report; the stack is not shown', () => {
    const before = process.env.SADDLE_DEBUG;
    delete process.env.SADDLE_DEBUG;
    let shown = '';
    const exit = reportCrash(new Error('the graph ate itself'), ['run', 'x.opt'], (line) => (shown += `${line}\n`));
    expect(exit).toBe(70);
    expect(shown).toContain('OPT900');
    expect(shown).not.toMatch(/\n\s+at /);
    const file = /written to (\S+)/.exec(shown)![1];
    expect(existsSync(file)).toBe(true);
    expect(readFileSync(file, 'utf8')).toMatch(/the graph ate itself\n\s+at /);
    if (before !== undefined) process.env.SADDLE_DEBUG = before;
  });
  it('main itself never throws', async () => {
    expect(await main(['explain', 'OPT608', '--json'])).toBe(0);
    expect(await main(['nonsense'])).toBe(2);
  });
});
