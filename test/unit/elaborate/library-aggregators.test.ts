/** Aggregators of stdlib/aggregators.opt against scipy and the published loops (test/oracles/aggregators.py), with directions that are known: the rows of a matrix. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runSpec } from './run-spec.ts';

interface Problem {
  readonly J: number[][];
  readonly mgda: number[];
  readonly cagrad: number[];
  readonly upgrad: number[];
  readonly and_mask: number[];
  readonly and_mask_half: number[];
  readonly pcgrad: number[][];
}
const oracle = JSON.parse(readFileSync(join(import.meta.dirname, '../../oracles/aggregators.json'), 'utf8')) as {
  readonly problems: Problem[];
  readonly gradnorm: { J: number[][]; losses: number[][]; directions: number[][] };
};

const list = (v: readonly number[]): string => `[${v.map((x) => x.toFixed(15)).join(', ')}]`;
const names =
  'summed, averaged_over, weighted, projected, orthogonal_by_leaf, pcgrad, and_mask, mgda, cagrad, upgrad, gradnorm';

/** The direction that an aggregator makes of the rows of J, as x moves from 0 by its negative. The rows are spread over a tree of two leaves. */
function aggregated(J: readonly number[][], by: string, seed = 0): number[] {
  const cut = Math.ceil(J[0].length / 2);
  const lets = J.map((g, i) => `let g${i} = ${list(g)}`).join('\n');
  const objectives = J.map((_, i) => `dot(g${i}[0..${cut}], x) + dot(g${i}[${cut}..${J[0].length}], y)`).join(', ');
  const text = `use aggregators { ${names} }
    rule plain() for (p, g) { p <- p - g }
    ${lets}
    var x: f32[${cut}] = 0
    var y: f32[${J[0].length - cut}] = 0
    train 1 { update x, y by plain() minimizing { ${objectives} } with ${by} }`;
  const m = runSpec(text, { seed });
  return [...m.values('x'), ...m.values('y')].map((v) => -v);
}

function close(found: readonly number[], wanted: readonly number[], digits: number): void {
  expect(found).toHaveLength(wanted.length);
  found.forEach((v, i) => expect(v).toBeCloseTo(wanted[i], digits));
}
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((s, v, i) => s + v * b[i], 0);

describe.each(oracle.problems.map((p, i) => [i, p] as const))('problem %i', (_, p) => {
  test('mgda', () => close(aggregated(p.J, 'mgda()'), p.mgda, 5));
  test('cagrad', () => close(aggregated(p.J, 'cagrad(0.4)'), p.cagrad, 5));
  test('upgrad', () => close(aggregated(p.J, 'upgrad()'), p.upgrad, 5));
  test('and_mask', () => {
    close(aggregated(p.J, 'and_mask()'), p.and_mask, 10);
    close(aggregated(p.J, 'and_mask(0.5)'), p.and_mask_half, 10);
  });
  test('sums', () => {
    const total = p.J[0].map((_g, k) => p.J.reduce((s, g) => s + g[k], 0));
    close(aggregated(p.J, 'summed()'), total, 10);
    close(
      aggregated(p.J, 'averaged_over()'),
      total.map((v) => v / p.J.length),
      10,
    );
    const weights = p.J.map((_g, i) => 0.3 + i);
    close(
      aggregated(p.J, `weighted(${list(weights)})`),
      p.J[0].map((_g, k) => p.J.reduce((s, g, i) => s + weights[i] * g[k], 0)),
      10,
    );
  });
});

test('no objective gets worse along mgda and upgrad', () => {
  for (const p of oracle.problems)
    for (const by of ['mgda()', 'upgrad()']) {
      const d = aggregated(p.J, by);
      for (const g of p.J) expect(dot(d, g)).toBeGreaterThan(-1e-5);
    }
});

test('pcgrad gives one of the results of its orders, and over seeds more than one', () => {
  for (const { J, pcgrad } of oracle.problems.filter((p) => p.pcgrad.length > 0)) {
    const met = new Set<number>();
    for (let seed = 0; seed < (pcgrad.length > 1 ? 8 : 1); seed++) {
      const found = aggregated(J, 'pcgrad()', seed);
      const at = pcgrad.findIndex((wanted) => wanted.every((v, i) => Math.abs(v - found[i]) < 1e-8));
      expect(at).toBeGreaterThanOrEqual(0);
      met.add(at);
    }
    if (pcgrad.length > 1) expect(met.size).toBeGreaterThan(1);
  }
});

test('the orders of pcgrad are paired: the same for one seed', () => {
  const { J } = oracle.problems.find((p) => p.pcgrad.length > 1) as Problem;
  close(aggregated(J, 'pcgrad()', 3), aggregated(J, 'pcgrad()', 3), 14);
});

test('projected: the first direction, and of the second what is orthogonal to it; whole or leaf by leaf', () => {
  const [f, b] = oracle.problems[0].J;
  const reject = (g: readonly number[], to: readonly number[]): number[] =>
    g.map((v, i) => v - (dot(g, to) / dot(to, to)) * to[i]);
  close(
    aggregated([f, b], 'projected()'),
    reject(b, f).map((v, i) => v + f[i]),
    9,
  );
  const halves = [0, 2].flatMap((k) => reject(b.slice(k, k + 2), f.slice(k, k + 2)));
  close(
    aggregated([f, b], 'projected(orthogonal_by_leaf)'),
    halves.map((v, i) => v + f[i]),
    9,
  );
});

test('gradnorm: weights follow the norms and the relative losses', () => {
  const { J, losses, directions } = oracle.gradnorm;
  const text = `use aggregators { gradnorm }
    rule plain() for (p, g) { p <- p - g }
    let a = ${list(losses.map((l) => l[0]))}
    let b = ${list(losses.map((l) => l[1]))}
    let g = ${list(J[0])}
    let h = ${list(J[1])}
    var x: f32[4] = 0
    train 4 { update x by plain() minimizing { dot(g, x), dot(h, x) } with gradnorm((a[step], b[step]), lr: 0.1) }`;
  const total = directions[0].map((_, i) => directions.reduce((s, d) => s + d[i], 0));
  close(
    runSpec(text)
      .values('x')
      .map((v) => -v),
    total,
    8,
  );
});
