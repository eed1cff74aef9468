/**
 * The built command, `dist/cli.js`: runs `cli-main.cjs`, one script that holds the whole command line, with V8's compiled code of an earlier call. Compiling
 * costs more than checking a spec does, and a check is a new process each time. Only the build uses this file; `cli/main.ts` runs as it is under tsx.
 *
 * The code lies in the user's cache folder, under a name made of the script's content and of everything that V8 wants unchanged, so that it is never stale;
 * V8 refuses what does not fit all the same. A cache that cannot be read or written changes nothing but the time taken.
 *
 * V8 keeps the code of functions that were called. A first call that uses little of the compiler leaves the rest to be compiled at each call, so a call that
 * worked for longer keeps the code anew, a few times.
 */
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';
import { cacheFolder } from '../runtime/host/cache-folder.ts';

/** SHA-256 of the script, put in by the build. */
declare const SCRIPT_HASH: string;

const script = join(dirname(fileURLToPath(import.meta.url)), 'cli-main.cjs');
const folder = join(cacheFolder(), 'code');
/** How often code is kept, and after how much work it is kept again. */
const GENERATIONS = 3;
const MUCH_MS = 300;
// V8 takes code only under the flags that it was made under.
const brief = process.argv[2] === 'check' && process.versions.v8.startsWith('11.');
const fileOf = (generation: number): string =>
  join(
    folder,
    `${SCRIPT_HASH.slice(0, 24)}-${process.version}-${process.platform}-${process.arch}-${brief ? 'check-' : ''}${generation}.bin`,
  );
/** Commands after which the code is worth keeping: they use all of the front end. */
const COMPLETE = new Set(['check', 'run', 'test']);
const OLD_MS = 30 * 24 * 3600 * 1000;

const attempt = <T>(act: () => T): T | undefined => {
  try {
    return act();
  } catch {
    return undefined;
  }
};

// A check is over before code that V8 optimizes beside it has paid, and on few cores waits for it: it optimizes what ran four times as long. Known for the V8 of Node 20 alone.
if (brief) attempt(() => setFlagsFromString('--interrupt-budget=540672'));
let generation = GENERATIONS;
let cachedData: Buffer | undefined;
while (cachedData === undefined && generation > 0) {
  generation--;
  cachedData = attempt(() => readFileSync(fileOf(generation)));
}
// The bundler writes ASCII, for which this is the fast reading.
const compiled = new Script(readFileSync(script, 'latin1'), {
  filename: script,
  cachedData,
});
const known = cachedData !== undefined && !compiled.cachedDataRejected;
if (COMPLETE.has(process.argv[2]))
  process.once('exit', (code) => {
    const { user } = process.cpuUsage();
    // in a long run V8 drops code that it has not called for a while
    const much = process.argv[2] === 'check' && generation < GENERATIONS - 1 && user > MUCH_MS * 1000;
    if (code === 0 && (!known || much)) attempt(() => keep(fileOf(known ? generation + 1 : 0)));
  });
type Import = (specifier: string) => Promise<unknown>;
const run = compiled.runInThisContext() as (require: NodeJS.Require, url: string, load: Import) => void;
run(createRequire(script), pathToFileURL(script).href, (specifier) => import(specifier));

/** Written beside and renamed: another call reads all of it or nothing. Code of builds that nobody has used for a month goes. */
function keep(file: string): void {
  mkdirSync(folder, { recursive: true });
  const fresh = `${file}.${process.pid}`;
  writeFileSync(fresh, compiled.createCachedData(), { mode: 0o600 });
  renameSync(fresh, file);
  for (let other = 0; other < GENERATIONS; other++) if (fileOf(other) !== file) rmSync(fileOf(other), { force: true });
  for (const name of readdirSync(folder)) {
    const other = join(folder, name);
    if (other !== file && Date.now() - statSync(other).atimeMs > OLD_MS) rmSync(other, { force: true });
  }
}
