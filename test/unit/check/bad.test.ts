/** Every wrong spec whose codes are of syntax or names is refused where and as its first lines say, with a hint. */
import { describe, expect, test } from 'vitest';
import { syntaxCodes } from '../../../compiler/diagnostics/catalog/syntax.ts';
import { namesCodes } from '../../../compiler/diagnostics/catalog/names.ts';
import { Source } from '../../../compiler/source/source.ts';
import { diagnose, importFiles, readSource, specs } from './sources.ts';

const expectation = /^\/\/ expect-(error|warning): (OPT\d+) @ (\d+):(\d+)$/;

const cases = specs('test/cases/bad')
  .map((path) => {
    const source = readSource(path);
    const lines = source.text.split('\n');
    const expected = lines
      .slice(
        0,
        lines.findIndex((line) => !expectation.test(line)),
      )
      .map((line) => line.slice(3));
    return { path, source, expected };
  })
  .filter(({ expected }) => expected.some((line) => /OPT[12]/.test(line)));

describe('wrong specs', () => {
  test.each(cases)('$path', ({ source, expected }) => {
    const found = diagnose(source, importFiles);
    const lines = found.map((d) => {
      const { line, column } = source.position(d.span?.start ?? -1);
      return `expect-${d.severity}: ${d.code} @ ${line}:${column}`;
    });
    expect(lines).toEqual(expected);
    for (const d of found) {
      expect(d.hint, `${d.code} has a hint`).toBeTruthy();
      expect(d.span?.end).toBeLessThanOrEqual(source.text.length);
    }
  });

  test('every code has a case', () => {
    const covered = new Set(cases.flatMap(({ expected }) => expected.map((line) => line.split(' ')[1])));
    // a chain of 33 files, which names.test.ts builds in memory
    const without = ['OPT218'];
    expect(Object.keys({ ...syntaxCodes, ...namesCodes }).filter((code) => !covered.has(code))).toEqual(without);
  });
});

describe('catalogue', () => {
  const entries = Object.entries({ ...syntaxCodes, ...namesCodes } as Record<
    string,
    { about: string; example?: { wrong: string; right: string } }
  >);
  test.each(entries.filter(([, entry]) => entry.example))('the example of %s', (code, entry) => {
    const example = entry.example as { wrong: string; right: string };
    const codes = (text: string) => diagnose(new Source('example.opt', text), importFiles).map((d) => d.code);
    expect(codes(example.wrong)).toContain(code);
    expect(codes(example.right)).not.toContain(code);
  });
});
