/**
 * `--watch`: the command again whenever a file of the spec changes. Each time it is a process of its own, so that a crash of a driver does not end the
 * watching, and a run that is overtaken by a change is stopped as Ctrl-C would, with its checkpoint saved.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import type { Module } from '../compiler/ast/nodes.ts';
import { parse } from '../compiler/ast/parse.ts';
import { fail } from '../compiler/diagnostics/diagnostic.ts';
import { Source } from '../compiler/source/source.ts';
import { exitCodes, type ExitCode } from './outcome.ts';
import { note, shown } from './terminal.ts';

const POLL_MS = 200;
const RESCAN = 25;
/** A stop in order may take as long as a submission and a checkpoint; then the process is ended at once. */
const PATIENCE_MS = 15_000;

export interface WatchOptions {
  readonly json?: boolean;
  readonly out?: string;
}

/** Runs the command line `args` (which holds --watch) for ever; resolves at an interrupt, to 130. `files` are the specs or folders it names. */
export async function watch(
  files: () => readonly string[],
  args: readonly string[],
  options: WatchOptions,
): Promise<ExitCode> {
  if (options.json)
    fail('OPT803', undefined, '--watch and --json exclude each other: a call prints one document, and this one never ends'); // prettier-ignore
  const again = args.filter((arg) => arg !== '--watch');
  let child: ChildProcess | undefined;
  const stopped = new AbortController();
  const interrupt = () => {
    stopped.abort();
    child?.kill('SIGINT');
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  try {
    for (let round = 1; !stopped.signal.aborted; round++) {
      const known = stamps(files());
      child = start(withFolder(again, options.out, round));
      const ended = new Promise<void>((done) => child?.once('close', () => done()));
      let running = true;
      void ended.then(() => (running = false));
      let changed: string | undefined;
      for (let polls = 1; !stopped.signal.aborted && changed === undefined; polls++) {
        await after(POLL_MS);
        changed = changedFile(known);
        // New files of a folder: seldom, and looking for them reads all of them.
        if (polls % RESCAN === 0) changed ??= files().find((file) => !known.has(file));
      }
      if (running) await stop(child, ended, stopped.signal.aborted);
      if (changed !== undefined) note(`\n${shown(changed)} has changed`);
    }
    return exitCodes.interrupted;
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

/** In a process group of its own: a Ctrl-C of the terminal reaches it once, from here. */
function start(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [...process.execArgv, process.argv[1], ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  });
}

/** Asks the run to stop in order, and ends it where it does not. A person who interrupts has asked already. */
async function stop(child: ChildProcess, ended: Promise<void>, asked: boolean): Promise<void> {
  if (!asked) child.kill('SIGINT');
  const patience = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  await ended;
  clearTimeout(patience);
}

/** A folder holds one run: later rounds of `--out DIR` write DIR-2, DIR-3, … */
export function withFolder(args: readonly string[], out: string | undefined, round: number): string[] {
  if (out === undefined || round === 1) return [...args];
  return args.map((arg, i) =>
    args[i - 1] === '--out' ? `${out}-${round}` : arg.startsWith('--out=') ? `--out=${out}-${round}` : arg,
  );
}

/** What tells one version of each file from the next; '' where there is none. */
function stamps(files: readonly string[]): Map<string, string> {
  return new Map(files.map((file) => [file, stamp(file)]));
}

function stamp(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false });
  return found ? `${found.mtimeMs} ${found.size} ${found.ino}` : '';
}

/** A file that has changed, come or gone. Editors replace files: one that is away for a moment has not changed until it is back. */
function changedFile(known: ReadonlyMap<string, string>): string | undefined {
  for (const [file, before] of known) {
    const now = stamp(file);
    if (now !== before && now !== '') return file;
  }
  return undefined;
}

/** A spec and all that it is made of on disk: the files that it imports by path, and its data files. */
export function filesOf(spec: string): string[] {
  const found = new Set<string>();
  const visit = (file: string): void => {
    if (found.has(file) || !existsSync(file) || !statSync(file).isFile()) return;
    found.add(file);
    if (!file.endsWith('.opt')) return;
    const parsed = parse(new Source(file, readFileSync(file, 'utf8')));
    if (!parsed.ok) return; // its imports are those of the next version that parses
    for (const named of pathsIn(parsed.value)) visit(path.join(path.dirname(file), named));
  };
  visit(spec);
  return [...found];
}

function pathsIn(module: Module): string[] {
  return module.statements.flatMap((s) => {
    if (s.kind === 'use') {
      const named = 'kind' in s.module ? s.module.value : undefined;
      return named === undefined ? [] : [named.endsWith('.opt') ? named : `${named}.opt`];
    }
    return s.kind === 'data' && s.from && !/^[\w-]+:/.test(s.from.value) ? [s.from.value] : [];
  });
}
