/**
 * The sentences of the language that may not be weakened, each by small specs in `test/cases/sentences/` that come out otherwise under the reading that it
 * excludes. All are run by the float64 interpreter; test/device/sentences.test.ts runs them on the device.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { perform, refusals } from '../../cases/perform.ts';
import { claimsOf, folder, readCases } from '../../cases/sentences.ts';

const cases = readCases();
const readme = readFileSync(join(folder, 'README.md'), 'utf8');

describe('sentences', () => {
  test.each(cases)('$name', async ({ file, text, refused, fault }) => {
    const stops = await refusals(file);
    if (refused ?? fault) return expect(stops).toEqual([refused ?? fault]);
    expect(stops).toEqual([]);
    const { claims } = await perform(file);
    expect(claims.map((c) => `${c.pass}: ${c.text} (${c.value})`)).toEqual(
      claimsOf(text).map((wanted, i) => `${wanted}: ${claims[i].text} (${claims[i].value})`),
    );
    expect(claims.length).toBeGreaterThan(0);
  });
});

describe('the list of the sentences', () => {
  const listed = [...readme.matchAll(/`(\d+[a-z]-[\w-]+)`/g)].map((match) => match[1]);
  test('names every case once, and no other', () => {
    expect(listed.toSorted()).toEqual(cases.map((c) => c.name).toSorted());
  });
  test('has a case for each sentence, in its place', () => {
    const sections = readme.split(/^## /m).slice(1);
    expect(sections.length).toBeGreaterThanOrEqual(16);
    for (const section of sections) {
      const [key] = section.split('.');
      const own = [...section.matchAll(/`(\d+[a-z]-[\w-]+)`/g)].map((match) => match[1]);
      expect(own.length, section).toBeGreaterThan(0);
      expect(own.filter((name) => !name.startsWith(`${key}-`))).toEqual([]);
    }
  });
});
