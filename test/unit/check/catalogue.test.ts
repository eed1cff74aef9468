/**
 * The catalogue of diagnostics as a whole: each code is explained, is given by some source of the project, and has a case in `test/cases/bad` or,
 * where no text of a spec alone can cause it, a test that names it. The suites of the groups check the cases themselves.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { catalog, type CatalogEntry } from '../../../compiler/diagnostics/catalog.ts';
import { readSource, root, specs } from './sources.ts';

const entries = Object.entries(catalog as Record<string, CatalogEntry>);
const codes = entries.map(([code]) => code);

/** Codes of settings, import chains, data, checkpoints, devices and calls: which test shows them. */
const elsewhere: Readonly<Record<string, string>> = {
  OPT218: 'test/unit/check/names.test.ts',
  OPT323: 'test/unit/elaborate/bad.test.ts',
  OPT510: 'test/unit/kernels/large.test.ts',
  OPT511: 'test/unit/kernels/large.test.ts',
  OPT512: 'test/unit/kernels/large.test.ts',
  OPT601: 'test/unit/cli/run.test.ts',
  OPT602: 'test/unit/cli/run.test.ts',
  OPT603: 'test/unit/data/load.test.ts',
  OPT604: 'test/unit/data/load.test.ts',
  OPT605: 'test/unit/data/formats.test.ts',
  OPT606: 'test/unit/data/formats.test.ts',
  OPT607: 'test/attacks/corrupt-data.test.ts',
  OPT608: 'test/unit/data/load.test.ts',
  OPT609: 'test/unit/data/load.test.ts',
  OPT610: 'test/unit/data/load.test.ts',
  OPT611: 'test/unit/data/load.test.ts',
  OPT612: 'test/unit/data/load.test.ts',
  OPT613: 'test/attacks/data-paths.test.ts',
  OPT614: 'test/unit/data/formats.test.ts',
  OPT615: 'test/attacks/data-paths.test.ts',
  OPT650: 'test/faults/checkpoint.test.ts',
  OPT651: 'test/unit/runtime/checkpoint.test.ts',
  OPT652: 'test/unit/runtime/checkpoint.test.ts',
  OPT653: 'test/faults/checkpoint.test.ts',
  OPT654: 'test/unit/runtime/checkpoint.test.ts',
  OPT655: 'test/unit/data/weights.test.ts',
  OPT701: 'test/faults/driver.test.ts',
  OPT702: 'test/faults/driver.test.ts',
  OPT703: 'test/unit/runtime/session.test.ts',
  OPT704: 'test/faults/device.test.ts',
  OPT705: 'test/faults/device.test.ts',
  OPT706: 'test/unit/runtime/session.test.ts',
  OPT707: 'test/unit/runtime/buffers.test.ts',
  OPT708: 'test/unit/runtime/session.test.ts',
  OPT709: 'test/unit/cli/run.test.ts',
  OPT710: 'test/faults/device.test.ts',
  OPT711: 'test/unit/runtime/session.test.ts',
  OPT712: 'test/unit/runtime/session.test.ts',
  OPT713: 'test/unit/cli/verify.test.ts',
  OPT714: 'test/unit/cli/verify.test.ts',
  OPT715: 'test/unit/cli/verify.test.ts',
  OPT801: 'test/unit/cli/main.test.ts',
  OPT802: 'test/unit/cli/options.test.ts',
  OPT803: 'test/unit/cli/options.test.ts',
  OPT804: 'test/unit/cli/main.test.ts',
  OPT805: 'test/unit/cli/options.test.ts',
  OPT806: 'test/unit/cli/main.test.ts',
  OPT807: 'test/unit/cli/run.test.ts',
  OPT808: 'test/unit/cli/execute.test.ts',
  OPT809: 'test/unit/cli/execute.test.ts',
  OPT810: 'test/unit/cli/runs.test.ts',
  OPT850: 'test/unit/runtime/session.test.ts',
  OPT851: 'test/unit/runtime/session.test.ts',
  OPT852: 'test/unit/runtime/session.test.ts',
  OPT900: 'test/unit/cli/main.test.ts',
};

/** Codes that the first lines of the wrong specs expect. */
const cases = new Set(
  specs('test/cases/bad').flatMap((path) =>
    [...readSource(path).text.matchAll(/^\/\/ expect-(?:error|warning): (OPT\d+) @/gm)].map((match) => match[1]),
  ),
);

/** Text of all sources but the catalogue's. */
const sources = ['grammar', 'compiler', 'runtime', 'cli']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  )
  .filter((path) => path.endsWith('.ts') && !path.includes(join('diagnostics', 'catalog')))
  .map((path) => readFileSync(join(root, path), 'utf8'))
  .join('\n');

test('every code has a case, or a test that names it, and no more than one of both', () => {
  const known = new Set([...cases, ...Object.keys(elsewhere)]);
  expect(codes.filter((code) => !known.has(code))).toEqual([]);
  expect([...known].filter((code) => !codes.includes(code))).toEqual([]);
  expect(Object.keys(elsewhere).filter((code) => cases.has(code))).toEqual([]);
});

test('no two groups have an entry of one code', () => {
  const folder = join(root, 'compiler/diagnostics/catalog');
  const given = readdirSync(folder).flatMap((file) =>
    [...readFileSync(join(folder, file), 'utf8').matchAll(/^ {2}(OPT\d{3}): \{$/gm)].map((match) => match[1]),
  );
  expect(given.toSorted()).toEqual([...new Set(given)].toSorted());
  expect(given.toSorted()).toEqual(codes.toSorted());
});

test.each(Object.entries(elsewhere))('%s is shown by %s', (code, file) => {
  expect(existsSync(join(root, file))).toBe(true);
  expect(readFileSync(join(root, file), 'utf8')).toContain(code);
});

test('every code is given by some source, and none that is given is unknown', () => {
  const given = new Set([...sources.matchAll(/['"[](OPT\d{3})['"\]]/g)].map((match) => match[1]));
  expect(codes.filter((code) => !given.has(code))).toEqual([]);
  expect([...given].filter((code) => !codes.includes(code))).toEqual([]);
});

describe('entries', () => {
  test('have a code of their group, a title in a few words and a paragraph', () => {
    for (const [code, { title, about }] of entries) {
      expect(code).toMatch(/^OPT[1-9]\d\d$/);
      expect(title.length, code).toBeLessThan(80);
      expect(title, code).not.toMatch(/[.]$/);
      expect(about, code).toMatch(/[.)]$/);
      expect(about.length, code).toBeGreaterThan(40);
    }
  });

  test('titles are different', () => {
    const titles = entries.map(([, { title }]) => title);
    expect(titles.filter((title, i) => titles.indexOf(title) !== i)).toEqual([]);
  });
});
