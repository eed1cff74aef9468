/** Claims over results made by hand. */
import { describe, expect, it } from 'vitest';
import type { Claim, ClaimExpr, SeriesRead } from '../../../compiler/bundle/format.ts';
import { decideClaims, seedsOf } from '../../../runtime/report/claims.ts';
import type { Results, RunStatus } from '../../../runtime/session-results.ts';
import { tinyBundle } from './tiny-bundle.ts';

type Spec = Record<string, { status?: RunStatus; steps?: number; series?: Record<string, [number, number][]> }>;

function results(seed: number, spec: Spec): Results {
  const runs = Object.entries(spec).map(([name, r]) => {
    const series = Object.entries(r.series ?? {}).map(
      ([key, points]) => [key, { steps: points.map((p) => p[0]), values: points.map((p) => p[1]) }] as const,
    );
    return [
      name,
      { status: r.status ?? { state: 'ok' as const }, steps: r.steps ?? 0, series: new Map(series) },
    ] as const;
  });
  return { seed, runs: new Map(runs) };
}

const n = (value: number): ClaimExpr => ({ kind: 'number', value });
const s = (name: string, read: SeriesRead = { kind: 'last' }, run = ''): ClaimExpr => ({
  kind: 'series',
  run,
  name,
  read,
});
const holds = (
  left: ClaimExpr,
  op: '<' | '>' | '>=' | '==' | '~=',
  right: ClaimExpr,
  more: Partial<Claim> = {},
): Claim => ({
  text: 'claim',
  body: { kind: 'holds', op, left, right, within: op === '~=' ? n(0.01) : undefined },
  ...more,
});

function decide(claim: Claim, ...all: Results[]) {
  const bundle = { ...tinyBundle({ runs: [{ name: 'a' }, { name: 'b' }] }), claims: [claim] };
  return decideClaims(bundle, new Map(all.map((r) => [r.seed, r])), all[0]?.seed ?? 1)[0];
}

const curve = results(1, {
  '': {
    steps: 30,
    series: {
      acc: [
        [0, 0.1],
        [10, 0.6],
        [20, 0.5],
        [30, 0.75],
      ],
    },
  },
});

describe('a claim about one run', () => {
  it('joined by or and and', () => {
    const part = (op: '<' | '>', right: number) => holds(s('acc'), op, n(right)).body;
    const joined = (kind: 'any' | 'all', ...of: Claim['body'][]) =>
      decide({ text: 'claim', body: { kind, of } }, curve);
    expect(joined('any', part('<', 0.5), part('>', 0.7))).toMatchObject({
      pass: true,
      value: '0.75 < 0.5 or 0.75 > 0.7',
    });
    expect(joined('any', part('<', 0.5), part('>', 0.8)).pass).toBe(false);
    expect(joined('all', part('<', 0.5), part('>', 0.7)).pass).toBe(false);
    expect(joined('all', part('<', 0.8), { kind: 'any', of: [part('>', 0.9), part('>', 0.1)] }).pass).toBe(true);
  });

  it('reads the last value, a step, and reductions over steps', () => {
    expect(decide(holds(s('acc'), '>', n(0.7)), curve)).toEqual({ text: 'claim', value: '0.75 > 0.7', pass: true });
    expect(decide(holds(s('acc', { kind: 'at', step: 10 }), '==', n(0.6)), curve).pass).toBe(true);
    expect(decide(holds(s('acc', { kind: 'max' }), '==', n(0.75)), curve).pass).toBe(true);
    expect(decide(holds(s('acc', { kind: 'min' }), '==', n(0.1)), curve).pass).toBe(true);
    expect(decide(holds(s('acc', { kind: 'mean', last: 2 }), '~=', n(0.62)), curve).pass).toBe(true);
    expect(decide(holds(s('acc', { kind: 'mean', last: 2 }), '~=', n(0.61)), curve).pass).toBe(false);
    expect(decide(holds(s('acc', { kind: 'mean' }), '==', n(0.4875)), curve).pass).toBe(true);
    expect(decide(holds(s('acc', { kind: 'nondecreasing' }), '==', n(1)), curve).pass).toBe(false);
    expect(decide(holds({ kind: 'steps', run: '' }, '==', n(30)), curve).pass).toBe(true);
  });

  it('computes with the op table', () => {
    const sum: ClaimExpr = { kind: 'op', op: 'add', args: [s('acc'), { kind: 'op', op: 'mul', args: [n(2), n(0.5)] }] };
    expect(decide(holds(sum, '==', n(1.75)), curve).value).toBe('1.75 == 1.75');
  });

  it('does not hold where the value is missing', () => {
    expect(decide(holds(s('loss'), '<', n(1)), curve)).toMatchObject({ value: "'loss' has no values", pass: false });
    expect(decide(holds(s('acc', { kind: 'at', step: 5 }), '<', n(1)), curve).value).toBe("'acc' has no value at 5");
    const pending = results(1, { '': { status: { state: 'pending' } } });
    expect(decide(holds(s('acc'), '<', n(1)), pending).pass).toBe(false);
  });
});

describe('a claim about failed runs', () => {
  const failed = results(1, {
    a: { status: { state: 'failed', reason: 'the system is singular' }, series: { acc: [[0, 1]] } },
    b: { series: { acc: [[0, 0.5]] } },
  });
  it('holds only if it says so', () => {
    expect(decide(holds(s('acc', undefined, 'a'), '>', n(0)), failed)).toMatchObject({
      pass: false,
      value: "run 'a' failed: the system is singular",
    });
    const fails = (run: string, reason?: string): Claim => ({ text: 'c', body: { kind: 'fails', run, reason } });
    expect(decide(fails('a'), failed).pass).toBe(true);
    expect(decide(fails('a', 'singular'), failed).pass).toBe(true);
    expect(decide(fails('a', 'not finite'), failed).pass).toBe(false);
    expect(decide(fails('b'), failed)).toMatchObject({ pass: false, value: "run 'b' did not fail" });
  });
  it('skips them in a sweep, if one member is left', () => {
    const best: ClaimExpr = {
      kind: 'members',
      reduce: 'highest',
      args: [s('acc', undefined, 'a'), s('acc', undefined, 'b')],
    };
    expect(decide(holds(best, '==', n(0.5)), failed).pass).toBe(true);
    const none: ClaimExpr = { kind: 'members', reduce: 'lowest', args: [s('acc', undefined, 'a')] };
    expect(decide(holds(none, '<', n(9)), failed).pass).toBe(false);
  });
});

describe('a claim over seeds', () => {
  const acc = (seed: number, a: number, b: number) =>
    results(seed, { a: { series: { acc: [[9, a]] } }, b: { series: { acc: [[9, b]] } } });
  const three = [acc(1, 0.5, 0.6), acc(2, 0.9, 0.6), acc(3, 0.4, 0.6)] as const;
  const seeds: Partial<Claim> = { seeds: [1, 3] };

  it('must hold for every one', () => {
    const claim = holds(s('acc', undefined, 'b'), '>', s('acc', undefined, 'a'), seeds);
    expect(decide(claim, ...three)).toMatchObject({
      pass: false,
      value: 'seed 1: 0.6 > 0.5; seed 2: 0.6 > 0.9; seed 3: 0.6 > 0.4',
    });
    expect(decide(holds(s('acc', undefined, 'b'), '>', n(0.5), seeds), ...three)).toMatchObject({
      pass: true,
      value: '0.6 > 0.5',
    });
  });

  it('may be about the median or the mean', () => {
    const over = (reduce: 'median' | 'mean', run: string): ClaimExpr => ({
      kind: 'overSeeds',
      reduce,
      arg: s('acc', undefined, run),
    });
    expect(decide(holds(over('median', 'b'), '>=', over('median', 'a'), seeds), ...three)).toMatchObject({
      pass: true,
      value: '0.6 >= 0.5',
    });
    expect(decide(holds(over('mean', 'a'), '~=', n(0.6), seeds), ...three).pass).toBe(true);
    const two: Partial<Claim> = { seeds: [1, 2] };
    expect(decide(holds(over('median', 'a'), '==', n(0.7), two), ...three).pass).toBe(true);
  });

  it('does not hold while a seed is missing', () => {
    const claim = holds(s('acc', undefined, 'b'), '>', n(0.5), seeds);
    expect(decide(claim, three[0], three[1])).toMatchObject({ pass: false });
  });

  it('asks for the seeds that are needed', () => {
    const plain = holds(n(1), '<', n(2));
    expect(seedsOf([], 7)).toEqual([7]);
    expect(seedsOf([plain], 7)).toEqual([7]);
    expect(seedsOf([{ ...plain, seeds: [1, 3] }], 7)).toEqual([1, 2, 3]);
    expect(seedsOf([plain, { ...plain, seeds: [1, 3] }], 2)).toEqual([2, 1, 3]);
    expect(seedsOf([plain, { ...plain, seeds: [1, 2] }], 7)).toEqual([7, 1, 2]);
  });
});

describe('a static fact', () => {
  it('is read from the memory plan: cells, and the largest temporaries of its entries', () => {
    const bundle = {
      ...tinyBundle({ runs: [{ name: 'a' }] }),
      memory: { total: 1, temps: { stepa: 100, measurea: 40 } },
    };
    const ids = bundle.cells.map((c) => c.id);
    const fact = (cells: readonly string[], entries: readonly string[], value: number) => {
      const claim = { kind: 'fact', fact: 'peak_bytes', of: 'a.step', cells, entries } as const;
      return decideClaims({ ...bundle, claims: [holds(claim, '==', n(value))] }, new Map([[1, curve]]), 1)[0];
    };
    expect(fact(ids, [], 12)).toMatchObject({ pass: true });
    expect(fact(ids.slice(0, 1), [], 8)).toMatchObject({ pass: true });
    expect(fact(ids, ['stepa', 'measurea'], 112)).toMatchObject({ pass: true });
    expect(fact(ids, ['measurea'], 52)).toMatchObject({ pass: true });
  });
});

describe('the status of a run', () => {
  const both = results(1, { a: { status: { state: 'failed', reason: 'singular' } }, b: {} });
  const status = (run: string, is: 'ok' | 'failed', equal = true) =>
    decide({ text: 'claim', body: { kind: 'status', run, is, equal } }, both);
  it('is ok or failed, and may be read of a failed run', () => {
    expect(status('a', 'failed')).toMatchObject({ pass: true, value: "run 'a' is failed" });
    expect(status('a', 'ok').pass).toBe(false);
    expect(status('a', 'ok', false).pass).toBe(true);
    expect(status('b', 'ok').pass).toBe(true);
    expect(status('b', 'ok', false).pass).toBe(false);
  });
});

describe('a part that reads several runs', () => {
  it('has no value where one of them failed', () => {
    const all = results(1, {
      '': { series: { 'claim.0': [[0, 1]] } },
      a: { status: { state: 'failed', reason: 'x' } },
      b: {},
    });
    const part = (reads: string[]): ClaimExpr => ({
      kind: 'series',
      run: '',
      name: 'claim.0',
      read: { kind: 'last' },
      reads,
    });
    expect(decide(holds(part(['b']), '==', n(1)), all).pass).toBe(true);
    expect(decide(holds(part(['b', 'a']), '==', n(1)), all)).toMatchObject({ pass: false, value: "run 'a' failed: x" });
  });
});
