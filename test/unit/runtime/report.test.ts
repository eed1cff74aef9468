/** `report.html`: complete, small for long runs, and safe whatever the names and texts are. */
import { describe, expect, it } from 'vitest';
import { chart, evenTicks } from '../../../runtime/report/chart.ts';
import { bytesText, spread } from '../../../runtime/report/numbers.ts';
import { reportHtml, type RunReport } from '../../../runtime/report/report.ts';
import type { Results, RunStatus } from '../../../runtime/session-results.ts';

const series = (values: number[]) => ({ steps: values.map((_, i) => i), values });
const results = (seed: number, values: Record<string, number[]>, status: RunStatus = { state: 'ok' }): Results => ({
  seed,
  runs: new Map([['a', { status, steps: 3, series: new Map(Object.entries(values).map(([n, v]) => [n, series(v)])) }]]),
});
const report = (more: Partial<RunReport> = {}): RunReport => ({
  title: 'fit',
  status: 'ok',
  spec: { file: 'fit.opt', text: 'var x: f32 = 0\n' },
  settings: [['lr', '0.1']],
  environment: [['device', 'some adapter']],
  claims: [{ text: 'loss < 1', value: '0.5 < 1', pass: true }],
  results: new Map([
    [1, results(1, { loss: [4, 2, 0.5] })],
    [2, results(2, { loss: [4, 3, 1.5] })],
  ]),
  ...more,
});
const hostile = `<script>alert("1")</script><img src=x onerror='a()'>&\u202e\u0007`;

describe('the page', () => {
  it('shows curves, last values with their spread, claims, settings, environment and spec', () => {
    const html = reportHtml(report());
    expect(html.match(/<polyline/g)).toHaveLength(2);
    expect(html).toContain('<td>loss</td><td class="n">0.5</td><td class="n">1.5</td><td class="n">1 ± 0.70711</td>');
    for (const text of ['Claims: 1 of 1 hold', 'loss &lt; 1', 'some adapter', 'var x: f32 = 0', 'a, seed 2: 1.5'])
      expect(html).toContain(text);
    expect(html).toBe(reportHtml(report()));
  });
  it('escapes all that comes from outside, and may load nothing', () => {
    const html = reportHtml(
      report({
        title: hostile,
        spec: { file: hostile, text: hostile },
        settings: [[hostile, hostile]],
        environment: [[hostile, hostile]],
        claims: [{ text: hostile, value: hostile, pass: false }],
        failure: hostile,
        results: new Map([[1, results(1, { [hostile]: [1, 2] }, { state: 'failed', reason: hostile })]]),
      }),
    );
    // Every tag is one of the page's own; no attribute was opened by what came from outside.
    const tags = new Set([...html.matchAll(/<\/?([a-z!]\w*)/gi)].map((m) => m[1]));
    expect([...tags].filter((t) => ['script', 'img', 'link', 'iframe'].includes(t))).toEqual([]);
    const inQuotes = html.replace(/="[^"<>]*"/g, '=""');
    expect(inQuotes.match(/<[^>]*\sonerror/)).toBeNull();
    expect(html).not.toMatch(/[\u0007\u202e]/);
    expect(html).toContain(`default-src 'none'`);
    expect(html).not.toMatch(/https?:\/\//);
  });
  it('tells why a run failed, and leaves out what claims compute for themselves', () => {
    const failed = results(1, { loss: [1], 'claim.0': [7] }, { state: 'failed', reason: "'loss' is NaN at step 1" });
    const html = reportHtml(report({ results: new Map([[1, failed]]) }));
    expect(html).toContain('&#39;loss&#39; is NaN at step 1');
    expect(html).not.toContain('claim.0');
  });
});

describe('charts', () => {
  it('of long curves are small and keep a spike of one step', () => {
    const y = Array.from({ length: 200_000 }, (_, i) => (i === 77_777 ? 50 : 1 + (i % 7) / 10));
    const svg = chart('loss', [{ label: 'loss', colour: 0, x: y.map((_, i) => i), y }]);
    expect(svg.length).toBeLessThan(40_000);
    const band = /<polygon points="([^"]+)"/
      .exec(svg)![1]
      .split(' ')
      .map((p) => Number(p.split(',')[1]));
    expect(Math.min(...band)).toBe(10); // the upper end of the axis
  });
  it('are logarithmic over more than two decades, also where 0 is reached', () => {
    const at = (y: number[]) => chart('loss', [{ label: '', colour: 0, x: y.map((_, i) => i), y }]);
    expect(at([1000, 1, 0.01, 0])).toContain('logarithmic');
    expect(at([1000, 1, 0.01, 0])).not.toContain('NaN');
    expect(at([-1, 1000])).not.toContain('logarithmic');
    expect(at([3, 3, 3])).not.toMatch(/NaN|Infinity/);
  });
  it('have round ticks', () => {
    expect(evenTicks(0, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(evenTicks(-3, 41)).toEqual([0, 10, 20, 30, 40]);
    expect(evenTicks(0.12, 0.31)).toEqual([0.15, 0.2, 0.25, 0.3]);
  });
});

it('numbers for people', () => {
  expect([512, 4_600_000, 77_640_000_000].map(bytesText)).toEqual(['512 B', '4.6 MB', '77.6 GB']);
  expect(spread([1, 2, 3, 4])).toEqual({ mean: 2.5, std: Math.sqrt(5 / 3) });
  expect(spread([7])).toEqual({ mean: 7, std: 0 });
});
