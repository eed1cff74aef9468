/** Where Saddle keeps what it can make again. A file of its own: the start of the command line reads it before anything else is loaded. */
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

/** The folder that SADDLE_CACHE names, else that of the user's caches. It need not exist. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.SADDLE_CACHE) return env.SADDLE_CACHE;
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, 'saddle');
  if (process.platform === 'win32' && env.LOCALAPPDATA) return join(env.LOCALAPPDATA, 'saddle', 'cache');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'saddle');
  const home = homedir();
  return home ? join(home, '.cache', 'saddle') : join(tmpdir(), 'saddle-cache');
}
