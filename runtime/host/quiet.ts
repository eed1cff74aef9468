/**
 * What native code writes to standard error while adapters are looked for: Dawn's two warnings about "maxDynamic…BuffersPerPipelineLayout", which it
 * prints on every start, and the Vulkan loader's complaints, which explain a failure and are of no interest after a success. Native code cannot be asked
 * to be silent, so descriptor 2 leads to a file meanwhile, or is taken back in the file that it is; the caller decides what of it people should see.
 */
import { closeSync, constants, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { placeInFile, takeBack } from './rewind.ts';

const noise = [
  /^Warning: maxDynamic\w+BuffersPerPipelineLayout artificially reduced .*\n?/gm,
  /^WARNING: lavapipe is not a conformant vulkan implementation.*\n?/gm,
];

/** Runs `body`; `text` is what was written to descriptor 2 meanwhile, or undefined where it could not be diverted (and so was shown). */
export async function listen<T>(
  body: () => Promise<T>,
): Promise<{ readonly value: T; readonly text: string | undefined }> {
  const diverted = divert() ?? rewound();
  let value: T;
  let text: string | undefined;
  try {
    value = await body();
  } finally {
    text = diverted?.restore();
  }
  return { value, text };
}

/** The text without lines that mean nothing. */
export function withoutNoise(text: string): string {
  return noise.reduce((rest, pattern) => rest.replace(pattern, ''), text);
}

interface Diverted {
  /** Puts descriptor 2 back and returns what was written meanwhile; undefined where it is still there. */
  restore(): string | undefined;
}

/** Where descriptor 2 is a plain file, which cannot be led elsewhere: what was written is taken back. */
function rewound(): Diverted | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    const place = placeInFile();
    return place === undefined ? undefined : { restore: () => takeBack(place) };
  } catch {
    return undefined;
  }
}

function divert(): Diverted | undefined {
  if (process.platform !== 'linux') return undefined;
  let folder: string | undefined;
  let original = -1;
  try {
    if (!canReopen()) return undefined;
    folder = mkdtempSync(join(tmpdir(), 'saddle-'));
    const file = join(folder, 'stderr');
    original = openSync('/proc/self/fd/2', 'a');
    closeSync(openSync(file, 'a', 0o600));
    const moved = moveTo2(file);
    const [place, back] = [folder, original];
    return {
      restore: () => {
        if (moved) moveTo2(`/proc/self/fd/${back}`);
        closeSync(back);
        const text = readFileSync(file, 'utf8');
        rmSync(place, { recursive: true, force: true });
        return text;
      },
    };
  } catch {
    if (original >= 0) closeSync(original);
    if (folder) rmSync(folder, { recursive: true, force: true });
    return undefined;
  }
}

/** Pipes, terminals and files opened for appending can be opened a second time without changing where writing goes on; sockets not at all. */
function canReopen(): boolean {
  const kind = fstatSync(2);
  if (kind.isFIFO() || kind.isCharacterDevice()) return true;
  const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync('/proc/self/fdinfo/2', 'utf8'))?.[1] ?? '0';
  return kind.isFile() && (parseInt(flags, 8) & constants.O_APPEND) !== 0;
}

/**
 * Makes descriptor 2 lead to `path`: descriptors are given out lowest first, and 0 and 1 are taken. Both calls are synchronous; should another thread
 * have opened a file between them, descriptor 2 is its, and is left alone.
 */
function moveTo2(path: string): boolean {
  closeSync(2);
  const got = openSync(path, 'a');
  if (got !== 2) closeSync(got);
  return got === 2;
}
