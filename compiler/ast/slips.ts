/**
 * The likely slips: forms of other languages and small omissions, each recognized from what the parser found, what it expected and the
 * tokens around. A slip is data: a test, and the message and hint it gives. The first that fits is used.
 */
import { Look } from './slip.ts';
import type { Mistake, Slip } from './slip.ts';
import { operatorSlips } from './slips-operators.ts';
import { wordSlips } from './slips-words.ts';

/** The first slip that fits, or undefined. */
export function findSlip(mistake: Mistake): Slip | undefined {
  const look = new Look(mistake);
  for (const test of [...operatorSlips, ...wordSlips]) {
    const slip = test(look);
    if (slip) return slip;
  }
  return undefined;
}
