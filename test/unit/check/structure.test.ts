/** The list of mistakes of structure (test/cases/bad/README.md): every one has its file and its codes, and nothing of the kind is said of specs that are right. */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { compileSpec } from '../../../cli/compile.ts';
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
  const text = (list: readonly Diagnostic[]) => list.filter((d) => structural.has(d.code)).map((d) => `${d.code}: ${d.message}`); // prettier-ignore
  try {
    const spec = openSpec(path.join(root, file), new Map());
    const { infos } = await describeData(spec, new Map(), false);
    return text(compileSpec(spec, new Map(), { set: new Map(), infos, stage: 'check' }).diagnostics);
  } catch (cause) {
    if (cause instanceof SaddleError) return text(cause.diagnostics);
    throw cause;
  }
};

// Problems of the catalogue are all alike in structure: every fourth of them is enough.
const examples = optFiles('examples').filter((f, i) => !f.startsWith('examples/reference') || i % 4 === 0);

describe('no false alarm', () => {
  test.each([...examples, ...optFiles('stdlib'), ...optFiles('test/corpus/sketches')])(
    '%s',
    async (file) => expect(await said(file)).toEqual([]),
    60_000,
  );
});
