/**
 * Files for data in Node. A path of a spec is resolved against the spec's folder, its real path (all symbolic links followed) must lie below the real path of
 * that folder or of the working directory, and only regular files are opened. What the user names on the command line is opened as it is.
 */
import { constants, type BigIntStats } from 'node:fs';
import { access, mkdir, open, readdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { fail } from '../../compiler/diagnostics/diagnostic.ts';
import type { ByteSource, DataHost, FolderFile, Photograph } from './files.ts';
import { refusal, refuse } from './paths.ts';
import { quote, tooLarge } from './refusals.ts';

export interface NodeDataOptions {
  /** Folder of the spec; data paths are relative to it. */
  readonly specFolder: string;
  /** Default: the process's working directory. */
  readonly workingFolder?: string;
  /** Folder for generated sets. Default: `SADDLE_CACHE`, else the user's cache folder. */
  readonly cacheFolder?: string;
}

/** The host of data for one spec. */
export function nodeDataHost(options: NodeDataOptions): DataHost {
  const workingFolder = options.workingFolder ?? process.cwd();
  const roots = [options.specFolder, workingFolder];
  const cacheFolder = options.cacheFolder ?? process.env.SADDLE_CACHE ?? defaultCache();
  return {
    open: async (name, trusted) => {
      if (trusted) return openFile(name, path.resolve(workingFolder, name), true);
      const reason = refusal(name);
      if (reason) refuse(name, reason);
      return openFile(name, await confine(name, path.resolve(options.specFolder, name), roots));
    },
    list: async (name, trusted, most) => {
      if (trusted) return listFolder(name, path.resolve(workingFolder, name), undefined, most);
      const reason = refusal(name);
      if (reason) refuse(name, reason);
      const target = path.resolve(options.specFolder, name);
      // A path that leads nowhere is no folder; what is to be said about it, `open` says.
      if (!existsSync(target)) return undefined;
      return listFolder(name, await confine(name, target, roots), roots, most);
    },
    openPackaged: async (packageName, file) => {
      const folder = packageFolder(packageName, workingFolder);
      return folder === undefined ? undefined : openIfPresent(`${packageName}/${file}`, path.join(folder, file));
    },
    openOwn: async (file) => openIfPresent(file, path.join(projectFolder(), 'examples', 'data', file)),
    decodeJpeg,
    openCached: async (name) => openIfPresent(name, path.join(cacheFolder, name)).catch(() => undefined),
    writeCached: (name, bytes) => writeAtomically(cacheFolder, name, bytes),
  };
}

/** The real path of `target`, if it lies below one of `roots`. A path outside is refused before anyone learns whether it exists. */
async function confine(name: string, target: string, roots: readonly string[]): Promise<string> {
  const outside = () => refuse(name, 'it leads out of the folder of the spec and the working directory');
  if (!roots.some((root) => isBelow(target, path.resolve(root)))) return outside();
  const real = await realpath(target).catch((cause: unknown) => unreadable(name, cause));
  const realRoots = await Promise.all(roots.map((root) => realpath(root).catch(() => path.resolve(root))));
  return realRoots.some((root) => isBelow(real, root)) ? real : outside();
}

function isBelow(target: string, root: string): boolean {
  const relative = path.relative(root, target);
  return relative !== '' && !path.isAbsolute(relative) && relative.split(path.sep)[0] !== '..';
}

/** Opens a regular file; a pipe or a device is refused without blocking on it. `trusted`: the path is the user's, not the spec's. */
async function openFile(name: string, real: string, trusted = false): Promise<ByteSource> {
  const folder = path.dirname(real);
  const handle = await open(real, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch((cause: unknown) =>
    unreadable(name, cause, trusted),
  );
  let stat: BigIntStats;
  try {
    stat = await handle.stat({ bigint: true });
    if (stat.isDirectory()) return refuse(name, 'it is a folder');
    if (!stat.isFile()) return refuse(name, 'it is not a regular file');
  } catch (cause) {
    await handle.close();
    throw cause;
  }
  return {
    name,
    size: Number(stat.size),
    read: async (offset, length) => {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, Number(stat.size) - offset)));
      let filled = 0;
      while (filled < bytes.length) {
        const { bytesRead } = await handle
          .read(bytes, filled, Math.min(bytes.length - filled, 2 ** 30), offset + filled)
          .catch((cause: unknown) => unreadable(name, cause));
        if (bytesRead === 0) return bytes.subarray(0, filled);
        filled += bytesRead;
      }
      return bytes;
    },
    close: () => handle.close(),
    sibling: async (inner) => {
      const reason = refusal(inner);
      if (reason) refuse(inner, reason);
      // A file names others only below its own folder, wherever that is.
      return openFile(inner, await confine(inner, path.resolve(folder, inner), [folder]));
    },
  };
}

/** Files of a folder and of its subfolders, sorted. With `roots`, each must lie below one of them with all links followed. */
async function listFolder(
  name: string,
  real: string,
  roots: readonly string[] | undefined,
  most: number,
): Promise<FolderFile[] | undefined> {
  if (!(await isFolder(real))) return undefined;
  const found: FolderFile[] = [];
  const walk = async (below: string, deeper: boolean): Promise<void> => {
    const entries = await readdir(path.join(real, below), { withFileTypes: true }).catch((cause: unknown) =>
      unreadable(name, cause),
    );
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      const inner = below === '' ? entry.name : `${below}/${entry.name}`;
      const target = path.join(real, inner);
      const folder = entry.isDirectory() || (entry.isSymbolicLink() && (await isFolder(target)));
      if (folder && deeper) await walk(inner, false);
      if (folder) continue;
      const shown = `${name.replace(/\/$/, '')}/${inner}`;
      found.push({
        path: inner,
        open: async () => openFile(shown, roots ? await confine(shown, target, roots) : target),
      });
      if (found.length > most) tooLarge(name, `it holds more than ${most} files`, 'split the folder');
    }
  };
  await walk('', true);
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function isFolder(real: string): Promise<boolean> {
  return stat(real).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

async function openIfPresent(name: string, real: string): Promise<ByteSource | undefined> {
  const present = await access(real).then(
    () => true,
    () => false,
  );
  return present ? openFile(name, real) : undefined;
}

/** Turns an error of the operating system into OPT601 or OPT615. */
function unreadable(name: string, cause: unknown, trusted = false): never {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return fail('OPT601', undefined, `there is no ${trusted ? '' : 'data '}file ${quote(name)}`, {
      hint: trusted
        ? 'paths that are given to a command are relative to the folder in which it runs'
        : 'data paths are relative to the folder of the .opt file; --data NAME=PATH takes a file from elsewhere',
    });
  const reason =
    {
      EACCES: 'permission denied',
      EPERM: 'permission denied',
      ELOOP: 'symbolic links in a circle',
      EMFILE: 'too many open files',
      EIO: 'the disk reports an error',
      ENAMETOOLONG: 'the name is too long',
      ENXIO: 'it is not a regular file',
    }[code] ?? code;
  return fail('OPT615', undefined, `the data file ${quote(name)} cannot be read: ${reason}`, {
    hint: 'check that the file exists and that you may read it',
  });
}

/** The folder of the project itself: the nearest one above this module whose package is ours (the module may have been bundled into `dist/`). */
let project: string | undefined;
function projectFolder(): string {
  if (project !== undefined) return project;
  let folder = path.dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const manifest = path.join(folder, 'package.json');
    if (existsSync(manifest) && /"name":\s*"saddle-lang"/.test(readFileSync(manifest, 'utf8'))) break;
    const above = path.dirname(folder);
    if (above === folder) break;
    folder = above;
  }
  project = folder;
  return folder;
}

/** Folder of an installed package, seen from the project or from the working directory. */
function packageFolder(name: string, workingFolder: string): string | undefined {
  for (const from of [projectFolder(), workingFolder]) {
    const folders = createRequire(path.join(from, 'package.json')).resolve.paths(name) ?? [];
    const found = folders
      .map((folder) => path.join(folder, name))
      .find((folder) => existsSync(path.join(folder, 'package.json')));
    if (found !== undefined) return found;
  }
  return undefined;
}

async function decodeJpeg(bytes: Uint8Array): Promise<Photograph | undefined> {
  const jpeg = await import('jpeg-js').catch(() => undefined);
  if (!jpeg) return undefined;
  const { width, height, data } = (jpeg.default ?? jpeg).decode(bytes, {
    useTArray: true,
    formatAsRGBA: true,
    tolerantDecoding: false,
  });
  return { width, height, rgba: data };
}

function defaultCache(): string {
  return path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'saddle');
}

let written = 0;

/** Writes beside the target and renames: another process sees the whole file or none. The cache is a convenience: failures are ignored. */
async function writeAtomically(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  const temporary = path.join(folder, `${name}.${process.pid}.${++written}.tmp`);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(temporary, bytes, { flush: true });
    await rename(temporary, path.join(folder, name));
  } catch {
    await rm(temporary, { force: true }).catch(() => {});
  }
}
