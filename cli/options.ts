/** Reads the values of options. Every mistake is an OPT80x that says what is taken instead. */
import { fail } from '../compiler/diagnostics/diagnostic.ts';
import { didYouMean } from '../compiler/diagnostics/suggest.ts';

/** A whole number from `least`. Throws OPT803. */
export function wholeNumber(option: string, text: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const value = Number(text);
  if (/^\d+$/.test(text.trim()) && value >= least && value <= most) return value;
  return fail(
    'OPT803',
    undefined,
    `${option} takes a whole number from ${least}${most < 2 ** 53 - 1 ? ` to ${most}` : ''}, not '${text}'`,
  );
}

/** The parts of NAME=VALUE. Throws OPT803. */
export function nameAndValue(option: string, text: string): [string, string] {
  const at = text.indexOf('=');
  if (at > 0 && at < text.length - 1) return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  return fail('OPT803', undefined, `${option} takes NAME=VALUE, not '${text}'`, {
    hint: `for instance ${option} ${option === '--data' ? 'train=digits.npz' : option === '--sweep' ? 'lr=1e-3,1e-2' : 'B=64'}`,
  });
}

/** A decimal number. Throws OPT803. */
export function decimal(option: string, name: string, text: string): number {
  if (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text.trim()) && Number.isFinite(Number(text))) return Number(text);
  return fail('OPT803', undefined, `${option} ${name} takes a number, not '${text}'`, {
    hint: 'decimal numbers such as 64, 0.05 or 1e-3; expressions belong into the spec',
  });
}

/** Most seeds of one call: more are a mistake of typing. */
const MOST_SEEDS = 10_000;

/** Seeds: `1..=3` (1, 2, 3), `1..3` (1, 2: half open, as in the language), `1,5,7`. Throws OPT803. */
export function seedList(option: string, text: string): number[] {
  const range = /^(\d+)\.\.(=?)(\d+)$/.exec(text.trim());
  if (!range) {
    const seeds = text.split(',').map((seed) => wholeNumber(option, seed, 0, 2 ** 32 - 1));
    return [...new Set(seeds)];
  }
  const from = wholeNumber(option, range[1], 0, 2 ** 32 - 1);
  const to = wholeNumber(option, range[3], 0, 2 ** 32 - 1) + (range[2] === '=' ? 1 : 0);
  if (to <= from || to - from > MOST_SEEDS)
    fail('OPT803', undefined, `${option} ${text} holds ${to <= from ? 'no seed' : `${to - from} seeds`}`, {
      hint: `1..=3 are the seeds 1, 2 and 3; 1..3 are 1 and 2; at most ${MOST_SEEDS} seeds are run`,
    });
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/** Values of `--set`, as numbers. Throws OPT803 for texts that are none and for a name set twice. */
export function settings(texts: readonly string[]): Map<string, number> {
  const set = new Map<string, number>();
  for (const text of texts) {
    const [name, value] = nameAndValue('--set', text);
    if (set.has(name)) fail('OPT803', undefined, `--set gives '${name}' twice`);
    set.set(name, decimal('--set', name, value));
  }
  return set;
}

/** Values of `--data`: paths by the name of the declaration. Throws OPT803. */
export function dataPaths(texts: readonly string[]): Map<string, string> {
  const paths = new Map<string, string>();
  for (const text of texts) {
    const [name, path] = nameAndValue('--data', text);
    if (paths.has(name)) fail('OPT803', undefined, `--data gives '${name}' twice`);
    paths.set(name, path);
  }
  return paths;
}

/** Values of `--load`: paths by the name of the model. Throws OPT803. */
export function loadPaths(texts: readonly string[] = []): Map<string, string> {
  const paths = new Map<string, string>();
  for (const text of texts) {
    const [name, path] = nameAndValue('--load', text);
    if (paths.has(name)) fail('OPT803', undefined, `--load gives '${name}' twice`);
    paths.set(name, path);
  }
  return paths;
}

/** Names that a spec lets the command line replace. */
export interface Settable {
  readonly dims: ReadonlySet<string>;
  readonly hypers: ReadonlySet<string>;
  readonly data: ReadonlySet<string>;
}

/** Checks `--set` and `--data` against the spec. Throws OPT802, OPT803, OPT807. */
export function checkNames(
  set: ReadonlyMap<string, number>,
  data: ReadonlyMap<string, string>,
  spec: Settable,
  option = '--set',
): void {
  const known = [...spec.dims, ...spec.hypers];
  for (const [name, value] of set) {
    if (!spec.dims.has(name) && !spec.hypers.has(name))
      unknown('OPT802', `${option}: the spec has no dim or hyper '${name}'`, name, known);
    if (spec.dims.has(name) && (!Number.isInteger(value) || value < 1))
      fail('OPT803', undefined, `${option} ${name} takes a whole number from 1 (it is a dim), not ${value}`);
  }
  for (const name of data.keys())
    if (!spec.data.has(name)) unknown('OPT807', `--data: the spec loads no data '${name}'`, name, [...spec.data]);
}

function unknown(code: 'OPT802' | 'OPT807', message: string, name: string, known: readonly string[]): never {
  return fail(code, undefined, message, {
    hint: didYouMean(name, known) ?? (known.length > 0 ? `it has ${known.join(', ')}` : 'it has none that can be set'),
  });
}
