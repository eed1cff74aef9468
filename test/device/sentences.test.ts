/**
 * The sentences of the language that the generated code has a part in, on the device: lifetimes, draws, indices out of range, lanes that have no effect. The
 * others are decided by the compiler alone (test/unit/cases/sentences.test.ts).
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SaddleError } from '../../compiler/diagnostics/diagnostic.ts';
import { perform } from '../cases/perform.ts';
import { claimsOf, readCases } from '../cases/sentences.ts';
import { closeDevice, openDevice } from './device.ts';

let device: Awaited<ReturnType<typeof openDevice>>['owner'];
beforeAll(async () => {
  device = (await openDevice()).owner;
});
afterAll(closeDevice);

const cases = readCases().filter((c) => /^(2e|3a|5b|5c)-/.test(c.name) && !c.refused);

describe('on the device', () => {
  test('there are cases', () => expect(cases.length).toBeGreaterThan(25));
  test.each(cases)('$name', async ({ file, text, fault }) => {
    if (fault) {
      const stopped = await perform(file, device).catch((cause: unknown) => cause);
      if (!(stopped instanceof SaddleError)) throw stopped;
      const [{ code, place }] = stopped.diagnostics;
      return expect(`${code} @ ${place?.line}:${place?.column}`).toBe(fault);
    }
    const { claims } = await perform(file, device);
    expect(claims.map((c) => `${c.pass}: ${c.text} (${c.value})`)).toEqual(
      claimsOf(text).map((wanted, i) => `${wanted}: ${claims[i].text} (${claims[i].value})`),
    );
  });
});
