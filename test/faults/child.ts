/** Runs a TypeScript program in a child process of its own, as a user's process would be: crashes, exits and output are what is tested. */
import { type SpawnOptions, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(fileURLToPath(import.meta.url), '..', '..', '..');

export interface Outcome {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ChildOptions {
  readonly args?: readonly string[];
  readonly node?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Killed (SIGKILL) after this long. */
  readonly timeout?: number;
  /** Sees standard output as it comes, and may kill the process. */
  readonly onOutput?: (text: string, kill: (signal: NodeJS.Signals) => void) => void;
}

/** Runs `test/faults/programs/NAME.ts`. */
export function run(name: string, options: ChildOptions = {}): Promise<Outcome> {
  const script = join(root, 'test', 'faults', 'programs', `${name}.ts`);
  const spawned: SpawnOptions = {
    cwd: root,
    env: { ...process.env, ...options.env } as NodeJS.ProcessEnv,
    stdio: ['ignore', 'pipe', 'pipe'],
  };
  const child = spawn(
    process.execPath,
    [...(options.node ?? []), '--import', 'tsx', script, ...(options.args ?? [])],
    spawned,
  );
  let stdout = '';
  let stderr = '';
  const kill = (signal: NodeJS.Signals) => void child.kill(signal);
  child.stdout?.on('data', (text: Buffer) => {
    stdout += text.toString();
    options.onOutput?.(stdout, kill);
  });
  child.stderr?.on('data', (text: Buffer) => (stderr += text.toString()));
  const timer = setTimeout(() => kill('SIGKILL'), options.timeout ?? 30000);
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stdout, stderr });
    });
  });
}
