/**
 * Which paths a `.opt` file may name, judged by their text alone (the host checks real paths afterwards). A spec may come from anywhere; what it can
 * open must lie below its own folder or the working directory. The rules are the same on every system, so that a spec is portable.
 */
import { fail } from '../../compiler/diagnostics/diagnostic.ts';
import { quote } from './refusals.ts';

const MAX_PATH = 4096;
/** Names that Windows takes for devices, in any folder and with any ending. */
const DEVICE = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/i;

/** Why a path is refused, or undefined. `..` is judged later, by where it leads. */
export function refusal(path: string): string | undefined {
  if (path.trim() === '') return 'it is empty';
  if (path.length > MAX_PATH) return `it is longer than ${MAX_PATH} characters`;
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/.test(path))
    return 'it contains control characters';
  if (/^[a-z][a-z0-9+.-]+:/i.test(path)) return 'it is a URL; nothing is read over the network';
  if (path.includes('\\')) return 'it has a backslash; separate folders by /';
  if (path.startsWith('/') || /^[a-z]:/i.test(path)) return 'it is absolute';
  if (path.includes(':')) return 'it has a colon, which names a data set or a stream of a file';
  if (path.startsWith('~')) return 'it starts with ~, which is not expanded here';
  if (path.split('/').some((part) => DEVICE.test(part))) return 'it names a device';
  if (path.split('/').some((part) => /[ .]$/.test(part) && part !== '.' && part !== '..'))
    return 'one of its parts ends with a dot or a space';
  return undefined;
}

/** Throws OPT602 for a path refused for `reason`. */
export function refuse(path: string, reason: string): never {
  // eslint-disable-next-line no-control-regex
  const shown = path.replace(/[\u0000-\u001f\u007f-\u009f]/g, '·');
  return fail('OPT602', undefined, `the path ${quote(shown)} is refused: ${reason}`, {
    hint: 'name a file below the folder of the spec or the working directory; to read any other file, give it yourself: --data NAME=PATH',
  });
}
