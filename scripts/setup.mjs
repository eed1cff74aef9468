/**
 * Makes a fresh clone ready: `npm start` and `npm test` run it first. It needs Node alone. It installs the packages when they are missing or older than
 * the lockfile, builds `dist/` when a source has changed, and, as root on Debian or Ubuntu without a usable Vulkan driver, installs Mesa's lavapipe
 * (which is faster than SwiftShader, the driver that comes with the packages and serves everywhere else; SADDLE_NO_APT=1 keeps apt out of it).
 * When nothing is to be done it takes a few milliseconds. It writes to standard error only, and explains what fails with the way to mend it.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installDriver } from './driver.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const cache = join(root, 'node_modules', '.cache');
const say = (text) => process.stderr.write(`${text}\n`);

class SetupError extends Error {}

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 11)) return;
  throw new SetupError(
    `Saddle needs Node 20.11 or newer; this is ${process.version}.\nInstall a newer one from https://nodejs.org and try again.`,
  );
}

/** A stamp is a file that holds what was last made from something: equal content means nothing to do. */
const stamp = (name) => join(cache, `saddle-${name}`);
const stamped = (name) => (existsSync(stamp(name)) ? readFileSync(stamp(name), 'utf8') : undefined);
function setStamp(name, content) {
  mkdirSync(cache, { recursive: true });
  writeFileSync(stamp(name), content);
}

function installPackages() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (stamped('packages') === lock) return;
  if (isInstalledByHand()) return setStamp('packages', lock);
  say('installing packages (npm ci) ...');
  // Under `npm start`, npm says where it is; otherwise it is on the path.
  const npm = process.env.npm_execpath;
  const [command, first] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
  const args = [...first, 'ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'];
  const result = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32' && command === 'npm',
  });
  if (result.status !== 0) throw new SetupError(explainNpm(result));
  setStamp('packages', lock);
}

/** `npm ci` or `npm install` has been run since the lockfile changed: npm then writes its own copy of it. */
function isInstalledByHand() {
  const own = join(root, 'node_modules', '.package-lock.json');
  return existsSync(own) && statSync(own).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs;
}

function explainNpm({ error, stdout, stderr }) {
  const text = `${stderr ?? ''}${stdout ?? ''}`;
  if (error?.code === 'ENOENT') return 'npm was not found. It comes with Node: reinstall Node, or put npm on the PATH.';
  const said = text
    .trim()
    .split('\n')
    .slice(-8)
    .map((line) => `  ${line}`)
    .join('\n');
  const causes = [
    [
      /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ECONNRESET|ENETUNREACH/,
      'The package registry cannot be reached. Check the network (or `npm config get registry`) and try again.',
    ],
    [/ENOSPC/, 'The disk is full: the packages need about 500 MB.'],
    [/EACCES|EPERM|EROFS/, `The folder ${root} cannot be written. Clone into a folder of your own and try again.`],
    [/EBADENGINE|Unsupported engine/, 'A package needs another version of Node: use Node 20.11 or newer.'],
    [/EUSAGE|can only install packages when/, 'package.json and package-lock.json do not fit: run `npm install` once.'],
  ];
  const cause = causes.find(([pattern]) => pattern.test(text))?.[1] ?? 'Run `npm ci` by hand to see all of its output.';
  return `npm ci failed.\n${cause}\nIt said:\n${said}`;
}

const sourceFolders = ['grammar', 'compiler', 'runtime', 'cli', 'stdlib'];
const sourceFiles = ['index.ts', 'node.ts', 'package.json', 'package-lock.json', 'scripts/build.mjs'];

/** Names, sizes and times of all sources. */
function sourceState() {
  const hash = createHash('sha256');
  const add = (path) => {
    const { size, mtimeMs } = statSync(path);
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  };
  const walk = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (/\.(ts|opt)$/.test(entry.name)) add(path);
    }
  };
  for (const folder of sourceFolders) walk(join(root, folder));
  for (const file of sourceFiles) if (existsSync(join(root, file))) add(join(root, file));
  return hash.digest('hex');
}

async function buildDist() {
  const state = sourceState();
  if (stamped('dist') === state && existsSync(join(root, 'dist', 'cli.js'))) return;
  const { build, describeFailure } = await import('./build.mjs');
  try {
    await build();
  } catch (reason) {
    throw new SetupError(describeFailure(reason));
  }
  setStamp('dist', state);
}

try {
  requireNode();
  installPackages();
  await buildDist();
  installDriver({ root, say, stamped, setStamp });
} catch (reason) {
  if (!(reason instanceof SetupError)) throw reason;
  say(reason.message);
  process.exit(1);
}
