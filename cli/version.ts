/** Version of the installed package. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** From the package.json above this module (which may have been bundled into `dist/`). */
export function version(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  for (let up = 0; up < 4; up++, folder = path.dirname(folder)) {
    const manifest = path.join(folder, 'package.json');
    if (!existsSync(manifest)) continue;
    const value: unknown = JSON.parse(readFileSync(manifest, 'utf8'));
    if (typeof value === 'object' && value !== null && 'version' in value) return String(value.version);
  }
  return 'unknown';
}
