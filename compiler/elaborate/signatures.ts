/**
 * Parameters of a model that is used as a whole before its first call. Where every argument of the layer has a type, the types alone say which
 * parameters there are: the body is evaluated once on arguments of these types, and only the parameters that this makes are kept. A dim that the
 * types leave free gets a size of its own; parameters that would depend on it are fixed by the first call alone.
 */
import type * as ast from '../ast/nodes.ts';
import { SaddleError } from '../diagnostics/diagnostic.ts';
import type { TensorType } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { openParameters } from './arguments.ts';
import type { Elaboration } from './context.ts';
import { toSize } from './convert.ts';
import { EntryBuilder } from './entry.ts';
import { type Frame, noLoop, Scope } from './scope.ts';
import { callLayerBody } from './templates.ts';
import { dtypeOf } from './types.ts';
import { exact, type ModelInstance, type Template, tensor } from './values.ts';

/** Makes the parameters of a model as far as its signature decides them; false, with nothing made, where it does not. */
export function parametersBySignature(e: Elaboration, instance: ModelInstance, span: Span): boolean {
  // A model of a body is born where it is first called: how often that is, its text alone says.
  if (instance.born) return false;
  const { template } = instance;
  const scope = new Scope(template.frame.scope);
  const frame: Frame = { scope, body: 'file', path: [], indices: [], execution: noLoop, depth: 0 };
  const free: number[] = [];
  try {
    const bound = new Map(template.bound);
    for (const param of openParameters(template)) {
      const type = param.type && argumentType(e, param.type, frame, free);
      if (!type) return false;
      bound.set(param.name.text, tensor(e.graph.parameter('input', `${instance.id}:${param.name.text}`, type)));
    }
    callAside(e, { ...template, bound }, instance, span, frame);
  } catch (error) {
    // What the body cannot do with these arguments it may do with those of the first call, which reports its errors.
    if (!(error instanceof SaddleError)) throw error;
    forget(e, instance);
    return false;
  }
  const decided = [...instance.params.values()].every((p) => !p.type.shape.some((d) => e.witnesses.involved(d, free)));
  if (!decided) forget(e, instance);
  return decided;
}

/** Type of an argument; names without a meaning become sizes of their own, added to `free`. Undefined where there are no more of those. */
function argumentType(e: Elaboration, type: ast.TypeExpr, frame: Frame, free: number[]): TensorType | undefined {
  const shape: number[] = [];
  for (const dim of type.dims ?? []) {
    if (dim.kind === 'star') return undefined;
    if (dim.kind === 'name' && frame.scope.find(dim.name) === undefined) {
      const size = e.witnesses.fresh(dim.name);
      if (size === undefined) return undefined;
      free.push(size);
      frame.scope.set(dim.name, { kind: 'value', value: exact(size, true), span: dim.span });
    }
    shape.push(toSize(e, e.do.expression(e, dim, frame), dim.span, 'the size of an argument'));
  }
  return { dtype: dtypeOf(e, type.dtype), shape };
}

/** The body in an entry that nobody runs: writes of state and reports of the layer have no effect; cells begin where they would. */
function callAside(e: Elaboration, t: Template, instance: ModelInstance, span: Span, frame: Frame): void {
  const aside = new EntryBuilder(
    e.graph,
    () => undefined,
    `${instance.id}:signature`,
    'once',
    e.run.name,
    e.entry.init,
  );
  const site = { name: instance.name, span };
  e.within(aside, () => callLayerBody(e, t, site, frame, { instance, prefix: '' }));
}

function forget(e: Elaboration, instance: ModelInstance): void {
  const made = [...instance.params.values(), ...instance.states.values()];
  e.entry.init.forget(made);
  for (const cell of made) {
    e.cells.delete(cell.id);
    e.allCells.delete(cell.id);
  }
  instance.params.clear();
  instance.states.clear();
  instance.dims.clear();
}
