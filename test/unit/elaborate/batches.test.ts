/** Batches of a run-time count, with replacement, of several data sets; data with fields replaced. */
import { describe, expect, test } from 'vitest';
import { errorsOf, runSpec } from './run-spec.ts';

const data = 'data D = { v: f32(0..10) + 1, r: 1 / f32(0..10) }\n';

describe('a run-time count', () => {
  test('counts the first rows alone, and the walk goes on by those: every row once an epoch', () => {
    const run = runSpec(`${data}var n: i32 = 1
train 4 {
  batch s = D[n max 5]
  report total = sum over s as e { e.v }
  report mean = mean over s as e { e.v }
  report top = max over s as e { e.v }
  report low = min over s as e { e.v }
  report spread = variance over s as e { e.v }
  report rows = f32(count(s)), most = f32(len(s))
  n <- n + 1
}`); // prettier-ignore
    expect(run.all('rows')).toEqual([1, 2, 3, 4]);
    expect(run.all('most')).toEqual([5, 5, 5, 5]);
    // 1 + 2 + 3 + 4 rows are all ten, each once
    const totals = run.all('total');
    expect(totals.reduce((a, b) => a + b)).toBe(55);
    run.all('mean').forEach((m, k) => expect(m).toBeCloseTo(totals[k] / (k + 1), 5));
    run.all('top').forEach((m, k) => expect(m).toBeLessThanOrEqual(totals[k]));
    expect(run.all('low')[0]).toBe(totals[0]);
    expect(run.all('spread')[0]).toBe(0);
    expect(run.all('spread')[3]).toBeGreaterThan(0);
  });
  test('is capped at the most, and rows that do not count enter no value and no derivative', () => {
    const run = runSpec(`${data}var w = 2.0
train 20 {
  batch s = D[9 + 0 * i32(step) max 3]
  batch t = D[i32(step) mod 3 max 4]
  report rows = f32(count(s)), other = f32(count(t))
  report slope = grad(sum over t as e { if e.v > 1 { e.r * w } else { 0.0 } }, w)
}`); // prettier-ignore
    expect(new Set(run.all('rows'))).toEqual(new Set([3]));
    expect(run.all('other').slice(0, 4)).toEqual([0, 1, 2, 0]);
    expect(run.all('slope').every(Number.isFinite)).toBe(true);
  });
  test('may be read by element only', () => {
    const code = (text: string) =>
      errorsOf(`${data}var n: i32 = 2\ntrain 1 { batch s = D[n max 5]; ${text} }`).map((d) => d.code);
    for (const text of [
      'report a = sum(s.v)',
      'report a = f32(s.index[0])',
      'report a = norm(s)',
      'let y = map s as e { e.v }',
    ])
      expect(code(text), text).toEqual(['OPT304']);
    expect(errorsOf(`${data}var n = 2.5\ntrain 1 { batch s = D[n max 5] }`).map((d) => d.code)).toEqual(['OPT305']);
    expect(errorsOf('metric m = f32(count([1, 2]))').map((d) => d.code)).toEqual(['OPT304']);
  });
});

describe('rows', () => {
  test('with replacement repeat; several loaders of one set walk by themselves', () => {
    const run = runSpec(`${data}train 2 {
  batch a = D[5]
  batch b = D[5]
  batch c = D[40] replacement
  report a = sum(a.v), b = sum(b.v), most = max(c.v), c = sum(c.v)
  report same = f32(all(a.index == b.index))
}`); // prettier-ignore
    expect(run.all('a')[0] + run.all('a')[1]).toBe(55);
    expect(run.all('b')[0] + run.all('b')[1]).toBe(55);
    expect(run.all('same')).toEqual([0, 0]);
    expect(run.all('c')[0]).not.toBe(run.all('c')[1]);
  });
  test('per element of a map, drawn with replacement', () => {
    const run = runSpec(`${data}train 1 {
  let rows = map 0..6 as i { batch t = D[1] replacement; t.v[0] }
  report kinds = sum(rows), first = rows[0], last = rows[5]
}`); // prettier-ignore
    expect(run.last('kinds')).not.toBe(6 * run.last('first'));
  });
});

describe('with', () => {
  test('replaces and adds fields, declared or in place; the base stays', () => {
    const run = runSpec(`${data}data E = D with { v: 2 * D.v, z: D.r }
fn total(S: data) = sum(S.v)
metric plain = total(D)
metric twice = total(E)
metric added = E.z[1]
metric place = total(D with { v: 3 * D.v })`); // prettier-ignore
    expect([run.last('plain'), run.last('twice'), run.last('added'), run.last('place')]).toEqual([55, 110, 1, 165]);
  });
  test('refuses rows that do not fit', () => {
    expect(errorsOf(`${data}metric m = len(D with { v: zeros(3) })`).map((d) => d.code)).toEqual(['OPT316']);
    expect(errorsOf(`var w = 1.0\nmetric m = w with { v: zeros(3) }`).map((d) => d.code)).toEqual(['OPT316']);
  });
});

describe('weights', () => {
  const counts = (weights: string, rows: number, more = '') => {
    const run = runSpec(`data D = { v: f32(0..${rows}) }
${more}train 1 {
  batch s = D[8192] replacement weights ${weights}
  report ${Array.from({ length: rows }, (_, i) => `n${i} = sum(f32(s.index == ${i}))`).join(', ')}
}`); // prettier-ignore
    return Array.from({ length: rows }, (_, i) => run.all(`n${i}`)[0]);
  };
  /** Sum of (found - wanted)^2 / wanted over the rows that may be drawn. */
  const chiSquare = (found: readonly number[], weights: readonly number[]) => {
    const total = weights.reduce((a, b) => a + b);
    return found.reduce((sum, n, i) => {
      const wanted = (8192 * weights[i]) / total;
      if (wanted === 0) expect(n).toBe(0);
      return wanted === 0 ? sum : sum + (n - wanted) ** 2 / wanted;
    }, 0);
  };
  test('rows come in proportion to their weights, those of weight 0 never', () => {
    // Of chi square with 4, 2, 6 degrees of freedom, exceeded by chance once in a thousand: 18.5, 13.8, 22.5.
    expect(chiSquare(counts('[1, 0, 3, 4, 0.5, 1.5]', 6), [1, 0, 3, 4, 0.5, 1.5])).toBeLessThan(18.5);
    expect(chiSquare(counts('[0, 0, 2e-30, 1e-30, 0, 1e-30, 0, 0, 0]', 9), [0, 0, 2, 1, 0, 1, 0, 0, 0])).toBeLessThan(
      13.8,
    );
    expect(chiSquare(counts('[5, 5, 5, 5, 5, 5, 5]', 7), [1, 1, 1, 1, 1, 1, 1])).toBeLessThan(22.5);
    expect(counts('[3]', 1)).toEqual([8192]);
    expect(counts('[0, 7e37]', 2)).toEqual([0, 8192]);
  });
  test('may be of the run, and are read at each draw', () => {
    const run = runSpec(`data D = { v: f32(0..3) }
var w = [1.0, 0, 0]
train 2 {
  batch s = D[50] replacement weights w
  report total = sum(s.v)
  w <- [0.0, 0, 1]
}`); // prettier-ignore
    expect(run.all('total')).toEqual([0, 100]);
  });
  test.each(['[1.0, -1, 2]', '[0.0, 0, 0]', '[1.0, log(-1), 2]', '[1.0, 1 / zero, 2]'])(
    '%s end the run: no row can be drawn by them',
    (w) => {
      const text = `data D = { v: f32(0..3) }\nvar zero = 0.0\ntrain 1 { batch s = D[4] replacement weights ${w}\n report a = sum(s.v) }`;
      expect(() => runSpec(text)).toThrow(/the batch cannot be drawn/);
    },
  );
  test('are one for each row, and need replacement', () => {
    const code = (batch: string) =>
      errorsOf(`data D = { v: f32(0..3) }\ntrain 1 { batch s = ${batch}\n report a = sum(s.v) }`).map((d) => d.code);
    expect(code('D[4] replacement weights [1.0, 2]')).toEqual(['OPT305']);
    expect(code('D[4] replacement weights 1.0')).toEqual(['OPT305']);
    expect(code('D[2] weights [1.0, 2, 3]')).toEqual(['OPT316']);
  });
  test('a name may still be called weights', () => {
    const run = runSpec(
      'data D = { v: f32(0..3) }\nlet weights = [0.0, 0, 1]\ntrain 1 { batch s = D[2] replacement weights weights\n let weights = 2.0\n report a = weights * sum(s.v) }',
    );
    expect(run.all('a')).toEqual([8]);
  });
});
