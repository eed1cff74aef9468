/**
 * What an execution records: reports and objectives. Text that is reached several times in one execution (turns of a loop) records what it gave last, where it
 * was taken; the leaves of one application of a rule give the largest of their numbers.
 */
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import type { Output } from './entry.ts';

/** Records a report or objective of the current entry, together with what was recorded under this name before. */
export function record(e: Elaboration, output: Output): void {
  const { outputs } = e.entry;
  const at = outputs.findIndex((o) => o.name === output.name && o.kind === output.kind);
  if (at < 0) outputs.push(output);
  else outputs[at] = combine(e, outputs[at], output);
}

function combine(e: Elaboration, before: Output, now: Output): Output {
  const when = before.when && now.when && e.make('or', [before.when, now.when]);
  return { ...now, value: (largest(before, now) ? maximum : latest)(e, before, now), when };
}

/** Leaves of one application, and statements that apply a rule side by side, report together; turns of one statement one after the other. */
function largest(before: Output, now: Output): boolean {
  if (!before.application || !now.application) return false;
  const [a, b] = [before.application, now.application];
  return a === b || a.statement.start !== b.statement.start;
}

function latest(e: Elaboration, before: Output, now: Output): Node {
  return now.when ? e.make('select', [now.when, now.value, before.value]) : now.value;
}

function maximum(e: Elaboration, before: Output, now: Output): Node {
  let value = e.make('max', [before.value, now.value]);
  if (before.when) value = e.make('select', [before.when, value, now.value]);
  return now.when ? e.make('select', [now.when, value, before.value]) : value;
}

/** Registers a recorded name. OPT312 where another statement of the run records under it. */
export function series(e: Elaboration, name: string, kind: 'report' | 'metric', span: Span): void {
  const { recorded } = e.run;
  const first = recorded.get(name);
  if (first?.entry === e.entry.id && first.span.start === span.start && first.span.file === span.file) return;
  if (e.run.series.has(name)) {
    fail('OPT312', span, `'${name}' is already recorded in this run`, {
      labels: first ? [{ span: first.span, text: 'recorded here first' }] : [],
      hint: 'metrics and reports of one run have distinct names',
    });
  }
  recorded.set(name, { entry: e.entry.id, span });
  e.run.series.set(name, kind);
}
