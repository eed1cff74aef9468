/**
 * `report.html` of a run folder: one file that opens anywhere, offline. Curves of every report and metric, last values, claims, the spec, and what it ran
 * on. All text from outside is escaped, and a content security policy forbids the page to load or run anything, should something slip through.
 */
import { isPart } from '../../compiler/bundle/format.ts';
import type { Results } from '../session-results.ts';
import { chart, palette, type Curve } from './chart.ts';
import type { ClaimResult } from './claims.ts';
import { escapeHtml as e } from './escape.ts';
import { type Ledger, ledgerLines } from './ledger.ts';
import { show, spread } from './numbers.ts';

export interface RunReport {
  /** Name of the spec. */
  readonly title: string;
  readonly status: 'ok' | 'failed' | 'interrupted';
  /** Text of the spec and the path it was read from. */
  readonly spec: { readonly file: string; readonly text: string };
  /** Name and value, as they are to be shown: what was set, and what it ran on. */
  readonly settings: readonly (readonly [string, string])[];
  readonly environment: readonly (readonly [string, string])[];
  readonly claims: readonly ClaimResult[];
  readonly ledgers?: readonly Ledger[];
  readonly results: ReadonlyMap<number, Results>;
  /** What ended the run, if something did. */
  readonly failure?: string;
}

/** The page. The same report gives the same text. */
export function reportHtml(report: RunReport): string {
  const title = `${report.title}: ${report.status}`;
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    `<title>${e(title)}</title>`,
    `<style>${style}</style>`,
    '</head>',
    '<body>',
    `<h1>${e(report.title)} <span class="${report.status}">${report.status}</span></h1>`,
    ...(report.failure === undefined ? [] : [`<p class="failure">${e(report.failure)}</p>`]),
    ...claimsSection(report.claims),
    ...ledgerSection(report.ledgers ?? []),
    ...curvesSection(report.results),
    ...valuesSection(report.results),
    ...pairsSection('Settings', report.settings),
    ...pairsSection('Environment', report.environment),
    `<h2>Spec</h2><p class="file">${e(report.spec.file)}</p>`,
    `<pre>${e(report.spec.text)}</pre>`,
    '</body>',
    '</html>',
    '',
  ].join('\n');
}

function claimsSection(claims: readonly ClaimResult[]): string[] {
  if (claims.length === 0) return [];
  const rows = claims.map(
    (c) =>
      `<tr><td class="${c.pass ? 'ok' : 'failed'}">${c.pass ? 'holds' : 'fails'}</td><td><code>${e(c.text)}</code></td><td>${e(c.value)}</td></tr>`,
  );
  const held = claims.filter((c) => c.pass).length;
  return [`<h2>Claims: ${held} of ${claims.length} hold</h2>`, '<table>', ...rows, '</table>'];
}

function ledgerSection(ledgers: readonly Ledger[]): string[] {
  if (ledgers.length === 0) return [];
  return ['<h2>Solves</h2>', ...ledgers.map((l) => `<pre>${e(ledgerLines(l).join('\n'))}</pre>`)];
}

/** Series of all runs and seeds by name, in the order in which they first come; what claims compute for themselves is left out. */
function seriesNames(results: ReadonlyMap<number, Results>): string[] {
  const names = new Set<string>();
  for (const { runs } of results.values())
    for (const { series } of runs.values()) for (const name of series.keys()) if (!isPart(name)) names.add(name);
  return [...names];
}

/** Runs that have recorded something. */
function runNames(results: ReadonlyMap<number, Results>): string[] {
  const names = new Set<string>();
  for (const { runs } of results.values()) for (const [name, run] of runs) if (run.series.size > 0) names.add(name);
  return [...names];
}

function curvesSection(results: ReadonlyMap<number, Results>): string[] {
  const runs = runNames(results);
  const charts = seriesNames(results).flatMap((name) => {
    const curves = curvesOf(name, results, runs);
    if (curves.every((c) => c.x.length < 2)) return [];
    return [`<figure><figcaption>${e(name)}</figcaption>`, chart(name, curves), '</figure>'];
  });
  if (charts.length === 0) return [];
  const legend = runs.map(
    (run, i) => `<span style="color:${palette[i % palette.length]}">&#9644;</span> ${e(run === '' ? 'the file' : run)}`,
  );
  const shown = runs.length > 1 ? [`<p class="legend">${legend.join(' &nbsp; ')}</p>`] : [];
  return ['<h2>Curves</h2>', ...shown, '<div class="charts">', ...charts, '</div>'];
}

function curvesOf(name: string, results: ReadonlyMap<number, Results>, runs: readonly string[]): Curve[] {
  const several = results.size > 1;
  return [...results].flatMap(([seed, { runs: found }]) =>
    [...found].flatMap(([run, { series }]) => {
      const one = series.get(name);
      if (!one) return [];
      const label = [run, several ? `seed ${seed}` : ''].filter((part) => part !== '').join(', ') || name;
      return [{ label, colour: runs.indexOf(run), x: one.steps, y: one.values }];
    }),
  );
}

/** One row for each series of each run: its last value, for each seed, and over them. */
function valuesSection(results: ReadonlyMap<number, Results>): string[] {
  const seeds = [...results.keys()];
  const runs = runNames(results);
  const named = runs.some((r) => r !== '');
  const rows = runs.flatMap((run) =>
    seriesNames(results).flatMap((name) => {
      const last = seeds.map((seed) => results.get(seed)?.runs.get(run)?.series.get(name)?.values.at(-1));
      const there = last.filter((v) => v !== undefined);
      if (there.length === 0) return [];
      const cells = last.map((v) => `<td class="n">${v === undefined ? '' : show(v)}</td>`).join('');
      const over = seeds.length > 1 ? `<td class="n">${meanText(there)}</td>` : '';
      return [`<tr>${named ? `<td>${e(run)}</td>` : ''}<td>${e(name)}</td>${cells}${over}</tr>`];
    }),
  );
  const failures = [...results].flatMap(([seed, { runs: found }]) =>
    [...found].flatMap(([run, { status }]) =>
      status.state === 'failed'
        ? [`<p class="failure">${e(run === '' ? 'the run' : run)}, seed ${seed}, failed: ${e(status.reason)}</p>`]
        : [],
    ),
  );
  if (rows.length === 0) return failures;
  const heads = [...(named ? ['run'] : []), 'name', ...seeds.map((s) => `seed ${s}`)];
  if (seeds.length > 1) heads.push('mean ± std');
  const head = `<tr>${heads.map((h) => `<th>${e(h)}</th>`).join('')}</tr>`;
  return ['<h2>Last values</h2>', ...failures, '<table>', head, ...rows, '</table>'];
}

function meanText(values: readonly number[]): string {
  const { mean, std } = spread(values);
  return `${show(mean)} ± ${show(std)}`;
}

function pairsSection(title: string, pairs: readonly (readonly [string, string])[]): string[] {
  if (pairs.length === 0) return [];
  const rows = pairs.map(([name, value]) => `<tr><td>${e(name)}</td><td>${e(value)}</td></tr>`);
  return [`<h2>${title}</h2>`, '<table>', ...rows, '</table>'];
}

const style = `
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:2em auto;padding:0 1em}
h1 span{font-size:60%;padding:.15em .6em;border-radius:.3em;color:#fff;background:#777;vertical-align:middle}
h1 span.ok{background:#2a7d3f}h1 span.failed{background:#b3261e}h1 span.interrupted{background:#8a6d00}
h2{font-size:1.15em;margin:1.6em 0 .4em}
table{border-collapse:collapse}td,th{padding:.2em .9em .2em 0;text-align:left;vertical-align:top;border-bottom:1px solid #8884}
td.n{font-variant-numeric:tabular-nums;white-space:nowrap}
td.ok{color:#2a7d3f;font-weight:600}td.failed,p.failure{color:#c5372c;font-weight:600}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(420px,1fr));gap:1em}
figure{margin:0}figcaption{font-weight:600}
svg{width:100%;height:auto}svg text{font-size:11px;fill:currentColor;opacity:.75}
text.y{text-anchor:end}text.x{text-anchor:middle}
polyline{fill:none;stroke-width:1.4;opacity:.85;stroke-linejoin:round}.grid{stroke:#8883;fill:none}.axis{stroke:#888;fill:none}
pre{overflow:auto;padding:1em;border:1px solid #8884;border-radius:.4em;font-size:13px;line-height:1.4}
.file,.legend{opacity:.8}
`;
