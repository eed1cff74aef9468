/**
 * Calls of templates: the body of a fn, layer or model is evaluated at the call site with its arguments bound. A call is a site of the
 * path that names parameters and draws. Where all typed arguments lack one leading free dim, the call is made for one row and the row taken out.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node, TensorType } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { bindParameters, parametersOf } from './arguments.ts';
import { counted } from './call-counts.ts';
import type { Elaboration } from './context.ts';
import { mapLeaves, toNode } from './convert.ts';
import { seenFrom } from './blame.ts';
import { blackBox, customGradient } from './gradient-clause.ts';
import { keeps, kept } from './keeping.ts';
import { type Frame, Scope } from './scope.ts';
import { annotate, bindResult } from './types.ts';
import { kindText, type ModelInstance, type Template, tensor, type Value } from './values.ts';

export interface CallSite {
  readonly name: string;
  readonly span: Span;
}

type Callable = ast.FnDecl | ast.LayerDecl | ast.ModelDecl;

/** Value of a call of a fn. */
export function callFn(e: Elaboration, t: Template, site: CallSite, caller: Frame): Value {
  return callBody(e, t, site, caller, (scope) => fnFrame(e, t, site, caller, scope));
}

function fnFrame(e: Elaboration, t: Template, site: CallSite, caller: Frame, scope: Scope): Frame {
  return {
    scope,
    body: 'fn',
    path: [...caller.path, site.name],
    indices: caller.indices,
    execution: caller.execution,
    clock: caller.clock,
    solving: caller.solving,
    keepsLets: t.decl.kind === 'fn' && t.decl.gradient !== undefined && keeps(e, t.decl),
    depth: caller.depth + 1,
  };
}

/** The frame of the body of a fn with its arguments bound, for text that looks into it: draws in it are those of the call. */
export function insideOf(e: Elaboration, t: Template, site: CallSite, caller: Frame): Frame {
  const frame = fnFrame(e, t, site, caller, new Scope(t.frame.scope));
  bindParameters(e, t, frame.scope, frame, site.span);
  return frame;
}

/** Value of a call of a layer or model body whose parameters belong to `owner`. */
export function callLayerBody(
  e: Elaboration,
  t: Template,
  site: CallSite,
  caller: Frame,
  owner: { readonly instance: ModelInstance; readonly prefix: string },
): Value {
  return callBody(e, t, site, caller, (scope) => ({
    scope,
    body: t.decl.kind === 'layer' ? 'layer' : 'model',
    path: [...caller.path, site.name],
    indices: caller.indices,
    execution: caller.execution,
    clock: caller.clock,
    owner,
    depth: caller.depth + 1,
  }));
}

/** What an initializer starts: the path that keys its first draw, the type it must have, and a seed given with it. */
interface Initialized {
  readonly span: Span;
  readonly path: readonly string[];
  readonly type: TensorType | undefined;
  readonly seed: Node | undefined;
}

/** Value of a fn named after `~`; the free dims of its result type are those of what it starts. */
export function callInitializer(e: Elaboration, t: Template, to: Initialized, caller: Frame): Value {
  const { name, result } = t.decl as ast.FnDecl;
  const frameOf = (scope: Scope): Frame => ({
    scope,
    body: 'fn',
    path: to.path,
    indices: caller.indices,
    execution: caller.execution,
    depth: caller.depth + 1,
    initializer: { seed: to.seed, drawn: false },
  });
  return callBody(e, t, { name: name.text, span: to.span }, caller, frameOf, (frame) => {
    if (result && to.type) bindResult(e, result, to.type, frame, to.span, name);
  });
}

function callBody(
  e: Elaboration,
  given: Template,
  site: CallSite,
  caller: Frame,
  frameOf: (scope: Scope) => Frame,
  bindMore: (frame: Frame) => void = () => undefined,
): Value {
  const decl = given.decl as Callable;
  if (caller.depth > e.limits.depth) {
    fail('OPT505', site.span, `${decl.name.text} is called inside itself without end`, {
      hint: 'templates cannot be recursive: use repeat or scan',
    });
  }
  const lifted = liftRow(e, given, site.span);
  const t = lifted ?? given;
  const frame = frameOf(new Scope(t.frame.scope));
  const own = (): Value => {
    bindParameters(e, t, frame.scope, frame, site.span);
    bindMore(frame);
    const marker = e.graph.nextId;
    let value = e.do.body(e, decl.body, frame);
    if (value === undefined)
      fail('OPT304', site.span, `${decl.name.text} has no value`, {
        labels: [{ span: decl.name.span, text: 'its body ends without an expression' }],
        hint: 'end the body with an expression',
      });
    if (decl.result) value = resultType(e, value, decl, decl.result, frame, site.span);
    if (decl.kind === 'fn' && decl.opaque) value = blackBox(e, decl, value, site.span);
    if (decl.kind === 'fn' && decl.gradient) value = customGradient(e, decl, t, value, frame, site.span, marker);
    return value;
  };
  const build = (): Value => {
    let value = frame.initializer ? own() : e.knownCalls.value(e, t, frame, site.span, own);
    if (decl.kind === 'fn') value = counted(e, decl, value, site.span);
    value = kept(e, decl, value);
    return lifted ? dropRow(e, value, decl, site.span) : value;
  };
  return e.graph.at(site.span, () => seenFrom(site.span, decl.name.text, build), frame.path.join('/'));
}

function resultType(e: Elaboration, value: Value, decl: Callable, type: ast.TypeExpr, frame: Frame, span: Span): Value {
  if (value.kind === 'tuple' || value.kind === 'record') {
    fail(
      'OPT310',
      type.span,
      `${decl.name.text} is declared to give one tensor, but its body gives ${kindText(value)}`,
      { hint: 'leave the result type off' },
    );
  }
  return annotate(
    e,
    value,
    type,
    frame,
    decl.body.value?.span ?? span,
    { what: `the result of ${decl.name.text}`, declared: type.span },
    true,
  );
}

/** Arguments with a leading axis of 1 added, if every typed argument lacks exactly the one free dim that all begin with. */
function liftRow(e: Elaboration, t: Template, span: Span): Template | undefined {
  let lead: string | undefined;
  const rows: { name: string; node: Node }[] = [];
  for (const param of parametersOf(t)) {
    const first = param.type?.dims?.[0];
    if (!param.type || param.type.dims === undefined || param.type.dims.length === 0) continue;
    if (first === undefined || first.kind !== 'name' || t.frame.scope.find(first.name) !== undefined) continue;
    const value = t.bound.get(param.name.text);
    if (value === undefined) return undefined;
    if (lead !== undefined && lead !== first.name) continue;
    lead = first.name;
    const dtype = param.type.dtype.text === 'i32' ? 'i32' : 'f32';
    if (
      value.kind === 'dataset' ||
      value.kind === 'batch' ||
      value.kind === 'record' ||
      value.kind === 'tuple' ||
      value.kind === 'template'
    )
      return undefined;
    const node = toNode(e, value, span, dtype);
    if (node.type.shape.length !== param.type.dims.length - 1) return undefined;
    rows.push({ name: param.name.text, node });
  }
  if (rows.length === 0) return undefined;
  const bound = new Map(t.bound);
  for (const { name, node } of rows)
    bound.set(name, tensor(e.make('reshape', [node], { shape: [1, ...node.type.shape] })));
  return { ...t, bound };
}

function dropRow(e: Elaboration, value: Value, decl: Callable, span: Span): Value {
  return mapLeaves(e, value, span, (leaf) => {
    const node = toNode(e, leaf, span);
    if (node.type.shape[0] !== 1) {
      fail(
        'OPT310',
        span,
        `${decl.name.text} was given one row without its leading axis, but its result ${e.typeText(node.type)} does not begin with that axis`,
        {
          labels: [{ span: decl.name.span, text: 'declared here' }],
          hint: 'give the argument with its leading axis: x[new, :]',
        },
      );
    }
    return tensor(e.make('reshape', [node], { shape: node.type.shape.slice(1) }));
  });
}
