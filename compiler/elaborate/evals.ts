/**
 * Evals: metrics of the moment, in an entry that writes nothing. One with times belongs to the train phase it stands in or directly after; one over a
 * data set has an entry to itself, which may later be split into chunks of rows (`chunks.ts`).
 */
import type * as ast from '../ast/nodes.ts';
import type { EvalTimes } from '../bundle/format.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Examples } from './chunks.ts';
import type { Elaboration } from './context.ts';
import { toDim, toNode } from './convert.ts';
import type { EntryBuilder } from './entry.ts';
import { type Frame, nested, noLoop } from './scope.ts';
import { type Dataset, kindText, tensor, type Value } from './values.ts';

export function evaluation(e: Elaboration, stmt: ast.EvalStmt, frame: Frame): void {
  const inner: Frame = {
    ...nested(frame),
    body: 'eval',
    path: [...frame.path, 'eval'],
    indices: [],
    execution: noLoop,
  };
  const body = (): void => {
    if (stmt.over) bindOver(e, stmt, stmt.over, inner);
    e.do.body(e, stmt.body, inner);
  };
  if (stmt.chunks && !(stmt.over && stmt.as))
    fail('OPT428', stmt.chunks.span, 'an eval in chunks goes over the rows of a data set', {
      hint: 'write eval over test as e in chunks of 1000 { … }',
    });
  if (stmt.at.length > 0 || stmt.every !== undefined) return timed(e, stmt, frame, body);
  if (frame.body === 'train')
    fail('OPT424', stmt.span, 'an eval inside a train body needs its times', {
      hint: 'write eval every 100 { … } or eval at 0, end { … }',
    });
  const alone = (frame.body === 'file' || frame.body === 'trial') && frame.chosen === undefined;
  if (stmt.as && alone) return e.within(ownEntry(e), () => observed(e, body));
  if (stmt.chunks)
    fail('OPT428', stmt.chunks.span, 'an eval in chunks stands outside of conditions', {
      hint: 'move it out of the if',
    });
  e.observe(body);
}

/** An entry behind the one that is open between phases, which has the initial values that it needs. */
function ownEntry(e: Elaboration): EntryBuilder {
  const entry = e.newEntry('once', 'eval', e.once());
  e.schedule.push({ kind: 'once', name: 'once', run: e.run.name, entry: entry.id });
  e.run.once = undefined;
  return entry;
}

/** Evaluates the body of an eval. Values over its examples may be large: it can be taken in chunks. */
function observed(e: Elaboration, body: () => void): void {
  const before = e.examples;
  try {
    e.observe(body);
  } finally {
    e.examples = before;
  }
}

function timed(e: Elaboration, stmt: ast.EvalStmt, frame: Frame, body: () => void): void {
  const train = e.run.lastTrain;
  if (!train)
    fail('OPT424', stmt.span, 'an eval with times belongs to the train phase it stands in or directly after', {
      hint: 'put it after the train body, or leave the times off',
    });
  const entry = e.newEntry('eval', `${train.phase.name}.eval`, train.entry.init);
  e.within(entry, () => observed(e, body));
  train.evals.push({ entry: entry.id, times: timesOf(e, stmt, frame) });
}

function timesOf(e: Elaboration, stmt: ast.EvalStmt, frame: Frame): EvalTimes {
  const number = (expr: ast.Expr, what: string): number => toDim(e, e.do.expression(e, expr, frame), expr.span, what);
  const every = stmt.every && number(stmt.every, 'the period of an eval');
  if (every !== undefined && every < 1)
    fail('OPT305', stmt.every?.span, `the period of an eval is at least 1, not ${every}`, {
      hint: 'write eval every 100',
    });
  return {
    at: stmt.at.flatMap((t) => (t.kind === 'end' ? [] : [number(t, 'the time of an eval')])),
    every,
    end: stmt.at.some((t) => t.kind === 'end'),
  };
}

function bindOver(e: Elaboration, stmt: ast.EvalStmt, over: ast.Expr, frame: Frame): void {
  const set = e.do.expression(e, over, frame);
  if (set.kind !== 'dataset')
    fail('OPT304', over.span, `an eval goes over a data set, not over ${kindText(set)}`, {
      hint: 'name a data declaration',
    });
  if (!stmt.as) return;
  const examples: Examples = { rows: set.rows, sources: new Set(), chunk: chunkOf(e, stmt, frame) };
  e.entry.examples = examples;
  e.examples = examples;
  frame.scope.set(stmt.as.text, { kind: 'value', value: named(e, set, stmt.as, examples), span: stmt.as.span });
}

function chunkOf(e: Elaboration, { chunks }: ast.EvalStmt, frame: Frame): Examples['chunk'] {
  if (!chunks) return undefined;
  const rows = toDim(e, e.do.expression(e, chunks, frame), chunks.span, 'the rows of a chunk');
  if (rows < 1) fail('OPT305', chunks.span, `a chunk has at least one row, not ${rows}`, { hint: 'in chunks of 1000' });
  return { rows, span: chunks.span };
}

/** The set whose fields are named where this eval reads them: what depends on these names is over its examples. */
function named(e: Elaboration, set: Dataset, as: ast.Name, { sources }: Examples): Dataset {
  const known = new Map<string, Value>();
  const read = (name: string, field: () => Value): Value => {
    const value = toNode(e, field(), as.span);
    const node = e.graph.at(as.span, () => e.make('name', [value], { name: `${as.text}.${name}` }));
    sources.add(node);
    known.set(name, tensor(node));
    return tensor(node);
  };
  const fields = [...set.fields].map(([name, field]) => [name, () => known.get(name) ?? read(name, field)] as const);
  return { ...set, fields: new Map(fields) };
}
