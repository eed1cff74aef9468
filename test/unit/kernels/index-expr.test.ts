/** The normal form of index expressions: it keeps values, its intervals hold, and it undoes flattening. */
import { describe, expect, it } from 'vitest';
import {
  addIndex,
  atLane,
  clampIndex,
  divIndex,
  evaluateIndex,
  flatten,
  type IndexExpr,
  type IndexVar,
  ix,
  lanePattern,
  modIndex,
  ofAtom,
  scaleIndex,
  unflatten,
} from '../../../compiler/ir/kernel/index-expr.ts';
import { seededRng } from '../../fuzz/rng.ts';

const variable = (id: number, extent: number, lane = false): IndexVar => ({ kind: 'var', id, extent, lane });

describe('index expressions', () => {
  it('have the value of the arithmetic they were made by, within their interval', () => {
    const rng = seededRng(1);
    for (let round = 0; round < 400; round++) {
      const vars = [variable(0, rng.integer(1, 9)), variable(1, rng.integer(1, 40)), variable(2, 4, true)];
      const values = vars.map((v) => rng.integer(0, v.extent));
      let e: IndexExpr = ix(rng.integer(0, 5));
      let value = e.constant;
      for (let k = 0; k < 7; k++) {
        const pick = rng.integer(0, 6);
        const n = rng.integer(1, 13);
        const which = rng.integer(0, 3);
        if (pick === 0) [e, value] = [addIndex(e, scaleIndex(ofAtom(vars[which]), n)), value + n * values[which]];
        if (pick === 1) [e, value] = [divIndex(e, n), Math.floor(value / n)];
        if (pick === 2) [e, value] = [modIndex(e, n), value % n];
        if (pick === 3) [e, value] = [scaleIndex(e, n), value * n];
        // Backwards from the end, as a flip counts.
        if (pick === 5) [e, value] = [addIndex(ix(e.hi), scaleIndex(e, -1)), e.hi - value];
        if (pick === 4) [e, value] = [clampIndex(addIndex(e, ix(-n)), 0, 30), Math.min(30, Math.max(0, value - n))];
      }
      expect(
        evaluateIndex(
          e,
          (v) => values[v.id],
          () => 0,
        ),
      ).toBe(value);
      expect(value).toBeGreaterThanOrEqual(e.lo);
      expect(value).toBeLessThanOrEqual(e.hi);
      const fixed = atLane(e, values[2]);
      expect(
        evaluateIndex(
          fixed,
          (v) => values[v.id],
          () => 0,
        ),
      ).toBe(value);
    }
  });

  it('come back from a shape unchanged', () => {
    const i = ofAtom(variable(0, 4 * 7 * 10 * 3));
    for (const shape of [[28, 30], [4, 7, 10, 3], [840], [2, 2, 210], [1, 840, 1]]) {
      expect(flatten(unflatten(i, shape), shape).key).toBe(i.key);
    }
    const four = addIndex(scaleIndex(ofAtom(variable(0, 210)), 4), ofAtom(variable(1, 4, true)));
    for (const shape of [
      [28, 30],
      [4, 7, 10, 3],
      [7, 120],
    ]) {
      expect(flatten(unflatten(four, shape), shape).key).toBe(four.key);
    }
  });

  it('tell accesses of four neighbours from scattered ones', () => {
    const lane = ofAtom(variable(1, 4, true));
    const four = addIndex(scaleIndex(ofAtom(variable(0, 100)), 4), lane);
    expect(lanePattern(four).kind).toBe('vector');
    expect(lanePattern(addIndex(four, ix(1))).kind).toBe('gather');
    expect(lanePattern(scaleIndex(four, 2)).kind).toBe('gather');
    expect(lanePattern(modIndex(four, 8)).kind).toBe('vector');
    expect(lanePattern(modIndex(four, 10)).kind).toBe('gather');
    expect(lanePattern(divIndex(four, 4)).kind).toBe('same');
  });
});
