/**
 * Layers and models. A layer is a template: each call site inside a model owns parameters, named by the path of sites. A model is one
 * instance: its first call fixes the dims of its parameters, every call shares them. In a file with runs each run has its own.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { TensorType } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { giveArguments } from './arguments.ts';
import { initialValue } from './cells.ts';
import type { Elaboration } from './context.ts';
import { sameType, toDim, toNode } from './convert.ts';
import type { EntryBuilder } from './entry.ts';
import type { Frame } from './scope.ts';
import { staticType, storageOf } from './types.ts';
import { type CallSite, callLayerBody } from './templates.ts';
import { loadedValue } from './weights.ts';
import {
  type CellRef,
  type CellValue,
  kindText,
  type ModelInstance,
  type ModelValue,
  type Template,
  tensor,
  type Value,
} from './values.ts';

/** The run's instance of a declared model. */
export function declaredModel(e: Elaboration, decl: ast.ModelDecl | ast.ModelInstance, frame: Frame): ModelValue {
  const name = `${decl.name.text}${frame.turn ?? ''}`;
  return decl.kind === 'model' ? modelOf(e, decl, frame, name) : instanceOf(e, decl, frame, name);
}

/** A model inside a body: an instance of its own at each execution, as a local variable is. */
export function localModel(
  e: Elaboration,
  decl: ast.ModelDecl | ast.ModelInstance,
  frame: Frame,
  name: string,
): ModelValue {
  return decl.kind === 'model' ? modelOf(e, decl, frame, name, frame) : instanceOf(e, decl, frame, name, frame);
}

function modelOf(e: Elaboration, decl: ast.ModelDecl, frame: Frame, name: string, born?: Frame): ModelValue {
  const template: Template = { kind: 'template', decl, frame, bound: new Map() };
  return newModel(e, name, template, decl.name.span, { allowed: allowsUnmoved(decl), born });
}

/** `model Q = Critic`, `model C = Conv(o: 32)`, `model E = Net from Net`, and members `model W[l] = Hidden`. */
export function instanceOf(
  e: Elaboration,
  decl: ast.ModelInstance,
  frame: Frame,
  name: string,
  born?: Frame,
): ModelValue {
  const value = layerTemplate(e, decl.layer, frame);
  const from = decl.from && e.do.expression(e, decl.from, frame);
  if (from && from.kind !== 'model') {
    fail('OPT304', decl.from?.span, `a model is copied from a model, not from ${kindText(from)}`, {
      hint: 'name a model after from',
    });
  }
  const source = from?.instance;
  const template = value.kind === 'model' ? value.instance.template : value;
  const model = newModel(e, name, template, decl.name.span, { from: source, allowed: allowsUnmoved(decl), born });
  if (source) copyModel(e, source, model.instance);
  return model;
}

/** A copy of now: parameters that exist are copied; later ones start where the source's start. */
export function copyModel(e: Elaboration, source: ModelInstance, copy: ModelInstance): void {
  copy.substituted = true;
  e.within(birthplace(e, copy), () => {
    for (const [path, cell] of source.params) copyParameter(e, copy, path, cell);
    for (const [key, dim] of source.dims) copy.dims.set(key, dim);
  });
}

/** A layer, or a layer with some arguments given, which outside of bodies is a partial application and no call. */
function layerTemplate(e: Elaboration, expr: ast.Expr, frame: Frame): Template | ModelValue {
  const value = expr.kind === 'call' ? e.do.expression(e, expr.callee, frame) : e.do.expression(e, expr, frame);
  if (value.kind === 'model') return value;
  if (value.kind !== 'template' || (value.decl.kind !== 'layer' && value.decl.kind !== 'model')) {
    fail('OPT304', expr.span, `a model is an instance of a layer, not of ${kindText(value)}`, { hint: 'name a layer' });
  }
  return expr.kind === 'call' ? giveArguments(e, value, expr.args, frame) : value;
}

function allowsUnmoved(decl: ast.Stmt): boolean {
  return decl.allow?.some((code) => code.text === 'OPT417') ?? false;
}

export function newModel(
  e: Elaboration,
  name: string,
  template: Template,
  span: Span,
  how: { readonly from?: ModelInstance; readonly allowed?: boolean; readonly born?: Frame } = {},
): ModelValue {
  const { from, allowed = false, born } = how;
  const instance: ModelInstance = {
    name,
    id: e.qualified(born ? `${[...born.path, name].join('.')}@${e.nextLocal++}` : name),
    run: e.run.name,
    template,
    span,
    dims: new Map(),
    params: new Map(),
    states: new Map(),
    from,
    unmovedAllowed: allowed,
    substituted: false,
    born,
  };
  if (!born) e.models.push(instance);
  return { kind: 'model', instance };
}

/** Value of `Net(x)`. */
export function callModel(
  e: Elaboration,
  instance: ModelInstance,
  args: readonly ast.Arg[],
  site: CallSite,
  frame: Frame,
): Value {
  const template = giveArguments(e, instance.template, args, frame);
  const before = e.modelCall;
  e.modelCall = site.span;
  try {
    return callLayerBody(e, template, site, frame, { instance, prefix: '' });
  } finally {
    e.modelCall = before;
  }
}

/** Value of `linear(x, 10)` inside a layer or model body. */
export function callLayer(e: Elaboration, t: Template, args: readonly ast.Arg[], site: CallSite, frame: Frame): Value {
  if (!frame.owner) {
    fail(
      'OPT424',
      site.span,
      `the layer ${t.decl.name.text} can only be called inside a layer or model, which owns its parameters`,
      {
        labels: [{ span: t.decl.name.span, text: 'a layer is a template' }],
        hint: `declare an instance: model M = ${t.decl.name.text}, and call M(…)`,
      },
    );
  }
  const template = giveArguments(e, t, args, frame);
  const own = `${site.name}${frame.turn ?? ''}`;
  const prefix = frame.owner.prefix === '' ? own : `${frame.owner.prefix}.${own}`;
  return callLayerBody(e, template, site, frame, { instance: frame.owner.instance, prefix });
}

/** `param W: T = init`, `state m = init` and `frozen` in a layer's body: made by the instance's first call, found again by later ones. */
export function layerCell(e: Elaboration, decl: ast.CellDecl, frame: Frame): CellValue {
  const owner = frame.owner as NonNullable<Frame['owner']>;
  const { instance } = owner;
  const own = `${decl.name.text}${frame.turn ?? ''}`;
  const path = owner.prefix === '' ? own : `${owner.prefix}.${own}`;
  const cells = decl.word === 'param' ? instance.params : instance.states;
  const known = cells.get(path);
  const type = decl.type && parameterType(e, decl.type, frame, instance, owner.prefix);
  if (known) {
    if (type && !sameType(type, known.type)) changedType(e, decl, instance, known, type);
    return asValue(e, known);
  }
  if (decl.word === 'param' && instance.closed) {
    fail(
      'OPT317',
      decl.span,
      `${instance.name} gets the new parameter ${path} after all its parameters were used together`,
      {
        labels: [{ span: instance.closed, text: 'used as a whole here' }],
        hint: `call ${instance.name} in full before this use`,
      },
    );
  }
  if (instance.born) checkBirth(e, instance, instance.born, frame);
  const cell = e.within(birthplace(e, instance), () => {
    // What the model that it is a copy of had not got when it was copied starts where it starts there.
    const { name, born } = origin(instance);
    const { path: outer = [], indices = [] } = born ?? {};
    const value = initialValue(e, decl, type, frame, [...outer, name, path], indices);
    const written = toNode(e, value, decl.span, type?.dtype ?? 'f32');
    const kind = decl.word === 'state' ? 'state' : 'parameter';
    const node = loadedValue(e, name, path, written.type, kind, decl.name.span) ?? written;
    const made = newParameter(
      e,
      instance,
      path,
      node.type,
      decl.word === 'param' ? 'param' : decl.word === 'frozen' ? 'frozen' : 'state',
      decl.name.span,
      storageOf(decl),
    );
    e.entry.initialise(made, node);
    return made;
  });
  cells.set(path, cell);
  return asValue(e, cell);
}

/** The model that a model is a copy of, of a copy, and so on. */
function origin(instance: ModelInstance): ModelInstance {
  return instance.from ? origin(instance.from) : instance;
}

/** The entry that gives the model's cells their first values. */
function birthplace(e: Elaboration, { born }: ModelInstance): EntryBuilder {
  return born ? e.entry : e.entry.init;
}

/** The first call of a model of a body, which makes its cells, stands in no other loop or branch than its declaration: it would be born anew there. */
function checkBirth(e: Elaboration, instance: ModelInstance, born: Frame, frame: Frame): void {
  if (frame.branch === born.branch && frame.indices.length === born.indices.length) return;
  fail(
    'OPT317',
    e.modelCall,
    `the first call of ${instance.name} stands in a loop or branch inside of the body that declares it`,
    {
      labels: [{ span: instance.span, text: 'declared here, with shapes that come from its first call' }],
      hint: `call ${instance.name} once before the loop or branch`,
    },
  );
}

function asValue(e: Elaboration, cell: CellRef): CellValue {
  return { kind: 'cell', cells: [cell], like: tensor(e.entry.read(cell)) };
}

function newParameter(
  e: Elaboration,
  instance: ModelInstance,
  path: string,
  type: TensorType,
  kind: 'param' | 'state' | 'frozen',
  span: Span,
  storage: 'f16' | undefined,
): CellRef {
  const cell = e.newCell({
    id: `${instance.id}.${path}`,
    label: `${instance.name}.${path}`,
    type,
    storage,
    kind,
    group: instance.id,
    run: instance.run,
    span,
    persistent: instance.born === undefined,
  });
  if (instance.born) e.births.set(cell.id, instance.born.scope);
  return cell;
}

function copyParameter(e: Elaboration, instance: ModelInstance, path: string, source: CellRef): CellRef {
  const made = newParameter(e, instance, path, source.type, 'param', source.span ?? instance.span, source.storage);
  e.entry.initialise(made, e.entry.read(source));
  instance.params.set(path, made);
  return made;
}

/** Type of a parameter; dims that only it mentions are bound by the instance's first call. */
function parameterType(
  e: Elaboration,
  type: ast.TypeExpr,
  frame: Frame,
  instance: ModelInstance,
  prefix: string,
): TensorType {
  for (const dim of type.dims ?? []) {
    if (dim.kind !== 'name') continue;
    const key = `${prefix}:${dim.name}`;
    const bound = frame.scope.find(dim.name);
    const fixed = instance.dims.get(key);
    if (bound === undefined && fixed)
      frame.scope.set(dim.name, {
        kind: 'value',
        value: { kind: 'exact', value: fixed.value, integral: true },
        span: fixed.span,
      });
    if (bound !== undefined && !fixed && bound.kind === 'value' && bound.value.kind === 'exact') {
      instance.dims.set(key, { value: toDim(e, bound.value, dim.span), span: bound.span });
    }
  }
  return staticType(e, type, frame, true);
}

function changedType(
  e: Elaboration,
  decl: ast.CellDecl,
  instance: ModelInstance,
  known: CellRef,
  type: TensorType,
): never {
  const axis = type.shape.findIndex((d, i) => d !== known.type.shape[i]);
  const dim = decl.type?.dims?.[axis];
  const first =
    dim?.kind === 'name' ? [...instance.dims].find(([key]) => key.endsWith(`:${dim.name}`))?.[1] : undefined;
  fail(
    'OPT314',
    e.modelCall,
    `${instance.name} was first called with ${known.label} of type ${e.typeText(known.type)}; this call needs ${e.typeText(type)}`,
    {
      labels: [
        {
          span: decl.type?.span ?? decl.span,
          text: 'the dims of a parameter are fixed by the first call of its model',
        },
        ...(first ? [{ span: first.span, text: `fixed to ${e.dim(first.value)} by the first call` }] : []),
      ],
      hint: 'every call of a model shares its parameters: give inputs of the same width, or make a second instance',
    },
  );
}
