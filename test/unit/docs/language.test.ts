/**
 * The examples of the language reference are run by the float64 interpreter, and come out as the page says: claims hold, results are those of the `output` block
 * under an example, `error` and `fault` ones are refused by their code, with a hint. The page names every builtin, and only codes that exist.
 */
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { builtinDistributions, builtinValues } from '../../../compiler/check/builtins.ts';
import { catalog } from '../../../compiler/diagnostics/catalog.ts';
import { SaddleError } from '../../../compiler/diagnostics/diagnostic.ts';
import { vocabulary } from '../../../grammar/tokens.ts';
import { perform } from '../../cases/perform.ts';
import { examplesOf, written, type Example } from './blocks.ts';

const docs = join(import.meta.dirname, '../../../docs');
const page = join(docs, 'language.md');
const text = readFileSync(page, 'utf8');
const { folder, examples } = examplesOf(page);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Codes of the errors that stop an example, and whether each tells what to do. */
async function refusal({ file }: Example): Promise<{ codes: string[]; hints: boolean }> {
  const stopped = await perform(file).catch((cause: unknown) => cause);
  if (!(stopped instanceof SaddleError)) throw stopped instanceof Error ? stopped : new Error('it runs');
  const errors = stopped.diagnostics.filter((d) => d.severity === 'error');
  return { codes: errors.map((d) => d.code), hints: errors.every((d) => d.hint !== undefined) };
}

describe('examples', () => {
  test('are many', () => expect(examples.length).toBeGreaterThan(100));

  test.each(examples.filter((x) => x.kind === 'run'))('$title', async ({ file, output }) => {
    const { claims, values, warnings } = await perform(file);
    expect(claims.filter((c) => !c.pass).map((c) => `${c.text}: ${c.value}`)).toEqual([]);
    expect(warnings.map((w) => `${w.code}: ${w.message}`)).toEqual([]);
    expect(claims.length > 0 || output !== undefined, 'an example states what comes of it').toBe(true);
    for (const line of output?.trim().split('\n') ?? []) {
      const [name, ...wanted] = line.trim().split(/\s+/);
      expect(values[name]?.map(written), name).toEqual(wanted);
    }
  });

  test.each(examples.filter((x) => x.kind !== 'run'))('refused: $title', async (example) => {
    const { codes, hints } = await refusal(example);
    expect(codes).toEqual([example.code]);
    expect(hints || example.kind === 'fault').toBe(true);
  });
});

describe('names', () => {
  /** Words of the page in code. */
  const words = new Set(
    [...text.matchAll(/`([^`\n]+)`|^```opt[^\n]*\n([\s\S]*?)^```/gm)].flatMap(
      (m) => (m[1] ?? m[2]).match(/\w+/g) ?? [],
    ),
  );
  test('every builtin is on the page', () => {
    const builtins = [...builtinValues.keys(), ...builtinDistributions.keys()];
    expect(builtins.filter((name) => !words.has(name))).toEqual([]);
  });
  test('every keyword is on the page', () => {
    const keywords = vocabulary
      .map((t) => t.name)
      .filter((name) => /^[A-Z]+$/.test(name))
      .map((n) => n.toLowerCase());
    expect(keywords.length).toBeGreaterThan(80);
    expect(keywords.filter((word) => !words.has(word))).toEqual([]);
  });
  test('every code on any page exists', () => {
    const codes = readdirSync(docs, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .flatMap((name) => readFileSync(join(docs, name), 'utf8').match(/OPT\d{3}\b/g) ?? []);
    expect(codes.length).toBeGreaterThan(20);
    expect([...new Set(codes)].filter((code) => !Object.hasOwn(catalog, code))).toEqual([]);
  });
});
