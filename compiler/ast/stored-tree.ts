/**
 * The tree of a module as text, from which a check takes what it needs: statements are there at once, their large parts (bodies, above all) are read when somebody
 * asks for them. A spec that uses two solvers of the library need not wait for the trees of all.
 */
import type { Module } from './nodes.ts';

/** JSON of this many characters is read on demand. */
const LARGE = 200;

/** First line of a stored tree. */
interface Head {
  /** The text that the tree belongs to. */
  readonly text: string;
  /** The module, with null in place of the large parts of its statements. */
  readonly tree: Module;
  /** By statement, where behind the first line each of its large parts begins and ends. */
  readonly parts: readonly Readonly<Record<string, readonly [number, number]>>[];
  /** Characters behind the first line. */
  readonly length: number;
}

/** The tree of `text` as text. */
export function storeTree(text: string, tree: Module): string {
  let rest = '';
  const parts: Record<string, [number, number]>[] = [];
  const statements = tree.statements.map((statement) => {
    const own: Record<string, [number, number]> = {};
    parts.push(own);
    const small = Object.entries(statement).map(([key, value]): [string, unknown] => {
      const json = JSON.stringify(value) as string | undefined;
      if (json === undefined || json.length < LARGE) return [key, value];
      own[key] = [rest.length, rest.length + json.length];
      rest += json;
      return [key, null];
    });
    return Object.fromEntries(small);
  });
  return `${JSON.stringify({ text, tree: { ...tree, statements }, parts, length: rest.length })}\n${rest}`;
}

/** The tree that was stored for `text`; undefined where what was stored is not whole, or belongs to another text. */
export function storedTree(stored: string, text: string): Module | undefined {
  const line = stored.indexOf('\n');
  const { text: known, tree, parts, length } = JSON.parse(stored.slice(0, Math.max(line, 0))) as Head;
  const rest = line + 1;
  if (known !== text || stored.length - rest !== length) return undefined;
  tree.statements.forEach((statement, i) => {
    for (const [key, [from, to]] of Object.entries(parts[i])) onDemand(statement, key, () => stored.slice(rest + from, rest + to)); // prettier-ignore
  });
  return tree;
}

/** Makes a field that reads its JSON when it is first asked for. */
function onDemand(node: object, key: string, json: () => string): void {
  const field = { enumerable: true, configurable: true };
  const get = (): unknown => {
    const value: unknown = JSON.parse(json());
    Object.defineProperty(node, key, { ...field, value });
    return value;
  };
  Object.defineProperty(node, key, { ...field, get });
}
