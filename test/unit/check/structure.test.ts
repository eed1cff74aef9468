/** The list of mistakes of structure (test/cases/bad/README.md): every one has its file and its codes, and nothing of the kind is said of specs that are right. */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { compileSpec } from '../../../cli/compile.ts';
import { readCases } from '../../cases/sentences.ts';
import { describeData, openSpec } from '../../../cli/spec.ts';
import { SaddleError, type Diagnostic } from '../../../compiler/diagnostics/diagnostic.ts';

const root = path.join(import.meta.dirname, '../../..');
const folder = path.join(root, 'test/cases/bad');
const rows = [...readFileSync(path.join(folder, 'README.md'), 'utf8').matchAll(/^\| \[([\w/-]+)\]\((\S+)\) \| (.+) \| ([\w, ]+) \|$/gm)].map((m) => ({ name: m[1], file: m[2], says: m[3], codes: m[4].split(', ') })); // prettier-ignore
const optFiles = (dir: string) =>
  readdirSync(path.join(root, dir), { recursive: true, encoding: 'utf8' })
    .filter((f) => f.endsWith('.opt'))
    .map((f) => path.join(dir, f));

describe('the list', () => {
  it('has well over sixty mistakes, each once', () => {
    expect(rows.length).toBeGreaterThanOrEqual(130);
    expect(new Set(rows.map((r) => r.file)).size).toBe(rows.length);
    expect(new Set(rows.map((r) => r.says)).size).toBe(rows.length);
  });
  it('names every case of problems and structure', () => {
    const files = ['problems', 'structure'].flatMap((group) => readdirSync(path.join(folder, group)).map((f) => `${group}/${f}`)); // prettier-ignore
    const listed = new Set(rows.map((r) => r.file));
    expect(files.filter((f) => !listed.has(f))).toEqual([]);
  });
  // That each is found where its first lines say is tested with the other wrong specs (elaborate/bad.test.ts, bad.test.ts here).
  it('gives the codes that the cases expect', () => {
    for (const { file, codes } of rows) {
      const expected = [...readFileSync(path.join(folder, file), 'utf8').matchAll(/^\/\/ expect-\w+: (OPT\d+) @ \d+:\d+$/gm)]; // prettier-ignore
      expect([...new Set(expected.map((m) => m[1]))].toSorted(), file).toEqual(codes);
    }
  });
});

/** Codes of structure that are warnings, or that a right spec could be refused by. */
const structural = new Set(rows.filter((r) => !r.name.startsWith('axes')).flatMap((r) => r.codes));
const said = async (file: string): Promise<string[]> => {
  const counts = (d: Diagnostic) => d.severity === 'warning' || structural.has(d.code);
  const text = (list: readonly Diagnostic[]) => list.filter(counts).map((d) => `${d.code}: ${d.message}`);
  try {
    const spec = openSpec(path.join(root, file), new Map());
    const { infos } = await describeData(spec, new Map(), false);
    return text(compileSpec(spec, new Map(), { set: new Map(), infos, stage: 'check' }).diagnostics);
  } catch (cause) {
    if (cause instanceof SaddleError) return text(cause.diagnostics);
    throw cause;
  }
};

/** Warnings that are right: names that a sketch takes from a module and that need no use. */
const accounted: Readonly<Record<string, readonly string[]>> = {
  'test/corpus/sketches/fira.opt': ["OPT219: 'tanh' is part of the language and not of 'nn'"],
  'test/corpus/sketches/ts-ddr.opt': ["OPT219: 'cholesky' is part of the language and not of 'linalg'"],
};

// The problems of adasketch are alike but for their formulas: every eighth of them is enough.
const examples = optFiles('examples').filter((f, i) => !/^examples.adasketch.(cutest|rows)./.test(f) || i % 8 === 0);

describe('no false alarm', () => {
  test.each([...examples, ...optFiles('stdlib'), ...optFiles('test/corpus/sketches')])(
    '%s',
    async (file) => expect(await said(file)).toEqual(accounted[file] ?? []),
    60_000,
  );
  // Of the sentences some are refused, each by its code; those that are not have no warning either.
  const sentences = readCases().filter((c) => c.refused === undefined);
  test.each(sentences)('$name', async ({ file }) => expect(await said(path.relative(root, file))).toEqual([]));
});
