/** Every wrong spec of types, flow, problems, structure and limits is refused (or warned about) where and as its first lines say, with a hint. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { flowCodes } from '../../../compiler/diagnostics/catalog/flow.ts';
import { limitsCodes } from '../../../compiler/diagnostics/catalog/limits.ts';
import { problemCodes } from '../../../compiler/diagnostics/catalog/problems.ts';
import { typesCodes } from '../../../compiler/diagnostics/catalog/types.ts';
import { Source } from '../../../compiler/source/source.ts';
import { compileSpec, errorsOf, tryCompile } from './run-spec.ts';

const folder = join(import.meta.dirname, '../../cases/bad');
const expectation = /^\/\/ expect-(error|warning): (OPT\d+) @ (\d+):(\d+)$/;

const cases = ['types', 'flow', 'problems', 'structure', 'limits'].flatMap((group) =>
  readdirSync(join(folder, group))
    .filter((file) => file.endsWith('.opt'))
    .map((file) => {
      const text = readFileSync(join(folder, group, file), 'utf8');
      const lines = text.split('\n');
      const expected = lines.slice(
        0,
        lines.findIndex((line) => !expectation.test(line)),
      );
      return { path: `${group}/${file}`, text, expected };
    }),
);

describe('wrong specs', () => {
  test.each(cases)('$path', ({ text, expected }) => {
    expect(expected.length).toBeGreaterThan(0);
    const source = new Source('spec.opt', text);
    const found = tryCompile(text).diagnostics;
    expect(
      found.map((d) => {
        const { line, column } = source.position(d.span?.start ?? -1);
        return `// expect-${d.severity}: ${d.code} @ ${line}:${column}`;
      }),
    ).toEqual(expected);
    for (const d of found) {
      expect(d.span?.file, 'shown in the text of the user').toBe('spec.opt');
      expect(d.hint, `${d.code} has a hint`).toBeTruthy();
    }
  });

  test('every code has a case', () => {
    const covered = new Set(cases.flatMap(({ expected }) => expected.map((line) => line.split(' ')[2])));
    // Codes of the device and bundle stages, tested there; settings and import chains, tested below.
    const elsewhere = new Set(['OPT323', 'OPT510', 'OPT511', 'OPT512']);
    const codes = Object.keys({ ...typesCodes, ...flowCodes, ...problemCodes, ...limitsCodes });
    expect(codes.filter((code) => !covered.has(code) && !elsewhere.has(code))).toEqual([]);
  });

  test('an unknown setting is refused with the nearest name', () => {
    const [d] = errorsOf('dim width = 3\nmetric m = sum(ones(width))', { set: { widht: 4 } });
    expect([d.code, d.hint]).toEqual(['OPT323', "did you mean 'width'?"]);
  });

  test('a spec with a warning still compiles', () => {
    const text = cases.find((c) => c.path === 'flow/moved-twice.opt')?.text ?? '';
    expect(compileSpec(text).program.updates.length).toBe(2);
  });
});
