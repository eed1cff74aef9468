/**
 * Objectives that an estimator `for (L over e, P)` opens: those written `mean over b as e { … }`, directly or as a fn. Their examples are an axis
 * of the estimator, and `L[e]` is the objective of the example at hand, its text evaluated again for that example: with the same draws, as it was written.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { giveArguments, openParameters } from './arguments.ts';
import { bindPattern } from './bindings.ts';
import type { Elaboration } from './context.ts';
import { elementsOf, type Elements, sameLength } from './elements.ts';
import { elementFrame } from './local-effects.ts';
import { type Frame, nested } from './scope.ts';
import { siteName } from '../ast/sites.ts';
import { insideOf } from './templates.ts';
import { type ExampleAt, tensor, type Value } from './values.ts';

export interface Opened {
  /** The examples, those of several heads taken together. */
  readonly elements: Elements;
  /** The objective of one example. */
  element(at: ExampleAt): Value;
}

/** The examples of an objective; undefined where it is not written as a mean over some. */
export function openObjective(e: Elaboration, expr: ast.Expr, frame: Frame): Opened | undefined {
  if (expr.kind === 'reduceOver') return expr.reducer.text === 'mean' ? open(e, expr, frame) : undefined;
  if (expr.kind === 'call') return openCall(e, expr, frame);
  if (expr.kind !== 'name') return undefined;
  const binding = frame.scope.find(expr.name);
  if (binding?.kind === 'slot') return binding.opened;
  if (binding?.kind === 'value' && binding.value.kind === 'thunk')
    return openObjective(e, binding.value.expr, binding.value.frame);
  if (binding?.kind !== 'named') return undefined;
  const { decl, frame: around } = binding;
  return openBody(e, decl.body, { ...nested(around), body: around.owner ? around.body : 'fn' });
}

/** A call of a fn that is so written: its arguments are bound as in the call. */
function openCall(e: Elaboration, expr: ast.Call, frame: Frame): Opened | undefined {
  if (expr.callee.kind !== 'name' || !frame.scope.find(expr.callee.name)) return undefined;
  const fn = e.do.expression(e, expr.callee, frame);
  if (fn.kind !== 'template' || fn.decl.kind !== 'fn' || fn.decl.opaque || fn.decl.gradient) return undefined;
  if (!mayOpen(fn.decl.body) || frame.depth > e.limits.depth) return undefined;
  const given = giveArguments(e, fn, expr.args, frame);
  if (openParameters(given).length > 0) return undefined;
  return openBody(e, fn.decl.body, insideOf(e, given, { name: siteName(expr), span: expr.span }, frame));
}

/** Statements that only name values. */
const NAMES = new Set<ast.Stmt['kind']>(['let', 'sample', 'fn', 'dim']);

/** Whether a body ends in what may be opened, and names values before it at most. */
const mayOpen = ({ statements, value }: ast.Body): boolean =>
  value !== undefined &&
  ((value.kind === 'reduceOver' && value.reducer.text === 'mean') || value.kind === 'name' || value.kind === 'call') &&
  statements.every((stmt) => NAMES.has(stmt.kind));

function openBody(e: Elaboration, body: ast.Body, frame: Frame): Opened | undefined {
  if (!mayOpen(body)) return undefined;
  e.do.body(e, { ...body, value: undefined }, frame);
  return openObjective(e, body.value as ast.Expr, frame);
}

function open(e: Elaboration, expr: ast.ReduceOver, frame: Frame): Opened {
  const heads = expr.heads.map((head) => elementsOf(e, head, frame, 'mean over'));
  sameLength(e, heads, expr.heads);
  const arrays = heads.flatMap((h) => h.arrays);
  const elements: Elements = {
    length: heads[0].length,
    count: heads.find((h) => h.count)?.count,
    arrays,
    element: (index) => tensor(index),
  };
  const element = ({ index, rows }: ExampleAt): Value => {
    const inner = elementFrame(frame, [...frame.indices, index]);
    let next = 0;
    expr.heads.forEach((head, k) => {
      const own = rows.slice(next, (next += heads[k].arrays.length));
      if (!head.as) return;
      bindPattern(head.as, heads[k].element(index, own), head.over.span, (name, value) =>
        inner.scope.set(name.text, { kind: 'value', value, home: e.entry, span: name.span }),
      );
    });
    const value = e.do.body(e, expr.body, inner);
    if (value === undefined)
      fail('OPT304', expr.body.span, 'the body of mean over has no value', { hint: 'end it with an expression' });
    return value;
  };
  return { elements, element };
}

/** `L[e]` in an estimator that opens L; undefined where the object is no such objective. */
export function exampleObjective(e: Elaboration, expr: ast.Index, frame: Frame): Value | undefined {
  if (expr.object.kind !== 'name') return undefined;
  const binding = frame.scope.find(expr.object.name);
  if (binding?.kind !== 'slot' || !binding.opened) return undefined;
  const [item] = expr.items;
  const axis = item.kind === 'at' && expr.items.length === 1 ? e.do.expression(e, item.expr, frame) : undefined;
  if (axis?.kind !== 'exampleAxis')
    fail('OPT304', expr.span, `${expr.object.name} is opened by its examples: it is indexed by their axis`, {
      hint: `write mean over e { … ${expr.object.name}[e] … } with the e of the estimator's header`,
    });
  if (!axis.at)
    fail('OPT304', expr.span, `${expr.object.name}[…] is the objective of one example, and here none is at hand`, {
      hint: 'write it inside of mean over e { … } or map e { … }',
    });
  return binding.opened.element(axis.at);
}
