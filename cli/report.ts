/** Gathers what `report.html` of a run folder shows. */
import type { Diagnostic } from '../compiler/diagnostics/diagnostic.ts';
import { bytesText } from '../runtime/report/numbers.ts';
import { reportHtml } from '../runtime/report/report.ts';
import type { Results } from '../runtime/session-results.ts';
import type { Call } from './call.ts';
import type { RunFolder } from './run-folder.ts';
import type { Spec } from './spec.ts';
import type { RunDocument } from './summary.ts';
import { version } from './version.ts';

export interface Reported {
  readonly title: string;
  readonly spec: Spec;
  readonly call: Call;
  readonly document: RunDocument;
  readonly results: ReadonlyMap<number, Results>;
  readonly failure?: Diagnostic;
}

export function writeReport(folder: RunFolder, run: Reported): void {
  const { document } = run;
  folder.report(
    reportHtml({
      title: run.title,
      status: document.status,
      spec: { file: document.file, text: run.spec.source.text },
      settings: settings(run.call),
      environment: environment(run),
      claims: document.expects ?? [],
      ledgers: document.solves ?? [],
      results: run.results,
      failure: run.failure && `${run.failure.code}: ${run.failure.message}`,
    }),
  );
}

type Pairs = (readonly [string, string])[];

function settings(call: Call): Pairs {
  const pairs: Pairs = [...call.set].map(([name, value]) => [name, String(value)] as const);
  if (call.steps !== undefined) pairs.push(['steps', String(call.steps)]);
  for (const [name, path] of call.data) pairs.push([`data ${name}`, path]);
  return pairs;
}

function environment({ document, results }: Reported): Pairs {
  const { device } = document;
  const pairs: Pairs = [
    [results.size > 1 ? 'seeds' : 'seed', [...results.keys()].join(', ')],
    ['device', device ? `${device.name} (${device.class})` : 'none'],
    ['driver', device?.driver || 'none'],
    ['versions', `saddle ${version()}, node ${process.version}, ${process.platform}-${process.arch}`],
  ];
  if (document.steps !== undefined)
    pairs.push(['steps taken', `${document.steps} in ${document.seconds} s, ${document.ms_per_step} ms a step`]);
  if (document.kernels)
    pairs.push(['kernels', `${document.kernels}; ${document.dispatches_per_step} dispatches a step`]);
  if (document.peak_bytes) pairs.push(['peak memory', bytesText(document.peak_bytes)]);
  return pairs;
}
