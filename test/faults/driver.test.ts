/** The search for a driver, on machines that lack this or that: simulated by the environment of a child process. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { explainImport, explainStderr } from '../../runtime/host/failures.ts';
import { swiftshaderArchive } from '../../runtime/host/swiftshader.ts';
import { tinyReference } from '../unit/runtime/tiny-bundle.ts';
import { root, run } from './child.ts';

interface Found {
  code?: string;
  message?: string;
  hint?: string;
  notes?: string[];
  info?: { driver: string; class: string };
  attempts?: { way: string; outcome: string }[];
}

let cache: string;
beforeAll(() => {
  cache = mkdtempSync(join(tmpdir(), 'saddle-test-'));
});
afterAll(() => rmSync(cache, { recursive: true, force: true }));

async function search(choice: string, env: Record<string, string> = {}): Promise<Found> {
  const outcome = await run('driver', { args: [choice], env: { SADDLE_CACHE: cache, ...env } });
  expect(outcome).toMatchObject({ code: 0, signal: null });
  // One JSON document and nothing else: no word of Dawn's on standard output.
  return JSON.parse(outcome.stdout) as Found;
}

const onLinux = describe.runIf(
  process.platform === 'linux' && process.arch === 'x64' && swiftshaderArchive() !== undefined,
);

onLinux('with SwiftShader among the packages', { timeout: 40000 }, () => {
  it('takes it where the system has no driver', async () => {
    const found = await search('auto', { VK_DRIVER_FILES: '/nonexistent/icd.json' });
    expect(found.info).toMatchObject({ driver: expect.stringContaining('SwiftShader'), class: 'software' });
    expect(found.attempts?.map((a) => a.way)).toEqual(['system', 'swiftshader']);
  });

  it('takes it when told to', async () => {
    expect((await search('swiftshader')).info?.driver).toContain('SwiftShader');
  });

  it('trains on it as on any other', async () => {
    const outcome = await run('train', { args: ['swiftshader'], env: { SADDLE_CACHE: cache } });
    const { driver, w, live } = JSON.parse(outcome.stdout) as { driver: string; w: number[]; live: number };
    expect(driver).toContain('SwiftShader');
    tinyReference(100, 1).w.forEach((v, i) => expect(Math.abs(w[i] - v)).toBeLessThan(1e-5));
    expect(live).toBe(0);
  });

  it('says what is missing where it cannot be unpacked either', async () => {
    const file = join(cache, 'file');
    writeFileSync(file, '');
    const found = await search('auto', { VK_DRIVER_FILES: '/nonexistent/icd.json', SADDLE_CACHE: join(file, 'x') });
    expect(found.code).toBe('OPT701');
    // Only a loader reads that variable: a machine without one is told of the loader first.
    if (/no Vulkan loader is installed/.test(found.message ?? '')) expect(found.hint).toContain('vulkan');
    else {
      expect(found.message).toContain("VK_DRIVER_FILES is set to '/nonexistent/icd.json'");
      expect(found.hint).toContain('unset VK_DRIVER_FILES');
    }
    expect(found.notes?.join()).toContain('SADDLE_CACHE');
  });
});

describe('a driver of one kind', { timeout: 40000 }, () => {
  it.runIf(process.platform === 'linux')('is refused where there is none of it', async () => {
    const found = await search('lavapipe', { VK_DRIVER_FILES: '/nonexistent/icd.json' });
    expect(found.code).toBe('OPT701');
    expect(found.message).toContain("no device for 'lavapipe'");
  });

  it('is refused where the kind is unknown', async () => {
    expect(await search('lavapip')).toMatchObject({ code: 'OPT702', hint: "did you mean 'lavapipe'?" });
    expect((await search('reference')).code).toBe('OPT702');
  });
});

describe("Dawn's null backend", { timeout: 40000 }, () => {
  it('accepts everything and computes nothing, so it is refused', async () => {
    const { stdout } = await run('null-backend', { env: { SADDLE_CACHE: cache } });
    const found = JSON.parse(stdout) as { dawn: boolean; search: boolean; real: boolean };
    expect(found).toMatchObject({ dawn: true, search: false });
  });
});

describe('what the driver search writes', () => {
  it.runIf(process.platform === 'linux')(
    'is not shown after a success, in a pipe as in a terminal',
    { timeout: 40000 },
    () => {
      // A shell's pipe, not one of Node's, which are sockets and cannot be opened a second time.
      const program = join(root, 'test', 'faults', 'programs', 'driver.ts');
      const command = `"${process.execPath}" --import tsx "${program}" auto 2>&1 >/dev/null | cat`;
      expect(execFileSync('sh', ['-c', command], { cwd: root, encoding: 'utf8' })).toBe('');
    },
  );

  it.runIf(process.platform === 'linux')(
    'is taken back in a plain file, which others write before and after',
    { timeout: 40000 },
    () => {
      const program = join(root, 'test', 'faults', 'programs', 'driver.ts');
      const file = join(cache, 'stderr.txt');
      const command = `{ echo before >&2; "${process.execPath}" --import tsx "${program}" auto >/dev/null; echo after >&2; } 2> "${file}"`;
      execFileSync('sh', ['-c', command], { cwd: root });
      expect(readFileSync(file, 'utf8')).toBe('before\nafter\n');
    },
  );

  it('is explained in each situation', () => {
    const cases: [string, RegExp][] = [
      [
        "Warning: Couldn't load Vulkan: libvulkan.so.1: cannot open shared object file: No such file",
        /no Vulkan loader/,
      ],
      [
        'Warning: vkCreateInstance: Found no drivers!\nVK_ERROR_INCOMPATIBLE_DRIVER',
        /loader is installed, but no driver/,
      ],
      ['loader_get_json: Failed to open JSON file /x.json', /names a file that does not exist/],
      [
        'libLLVM-15.so.1: cannot open shared object file\nloader_icd_scan: Failed loading library',
        /dependency libLLVM-15.so.1 is missing/,
      ],
      ['Warning: Vulkan shaderUniformBufferArrayDynamicIndexing required.\n - While initializing adapter', /too old/],
      ['', /no adapter was offered/],
    ];
    for (const [text, expected] of cases) expect(explainStderr(text, 'install it').found).toMatch(expected);
    expect(explainImport("/lib/libc.so.6: version `GLIBC_2.34' not found").found).toContain('GLIBC_2.34');
    expect(explainImport("Cannot find package 'webgpu' imported from x").fix).toContain('npm ci');
  });
});
