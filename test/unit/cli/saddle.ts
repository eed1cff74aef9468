/** Starts the command as a user does: built, in a process of its own, whose output is no terminal. */
import { spawn, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { buildSync } from 'esbuild';

const root = path.join(import.meta.dirname, '..', '..', '..');

/** Built once per test file, below the root, so that the command finds its packages, its stdlib and its data. */
const built = path.join(root, 'node_modules', '.cache', `saddle-cli-${process.pid}`);
buildSync({
  entryPoints: [path.join(root, 'cli', 'main.ts')],
  outdir: built,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  outExtension: { '.js': '.mjs' },
});
process.on('exit', () => rmSync(built, { recursive: true, force: true }));

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  /** Standard output and error so far. */
  text(): string;
}

export function start(args: readonly string[], cwd: string = root, env: NodeJS.ProcessEnv = {}): Started {
  const child = spawn(process.execPath, [path.join(built, 'main.mjs'), ...args], {
    cwd,
    env: { ...process.env, NO_COLOR: undefined, FORCE_COLOR: undefined, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (d: Buffer) => (stdout += d.toString()));
  child.stderr.on('data', (d: Buffer) => (stderr += d.toString()));
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { child, finished, text: () => stdout + stderr };
}

export function saddle(args: readonly string[], cwd?: string, env?: NodeJS.ProcessEnv): Promise<Finished> {
  return start(args, cwd, env).finished;
}
