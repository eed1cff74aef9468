/**
 * Type annotations: `f32[n, 64]` is compared with a value's type; dims that are names without a meaning yet are bound by the first
 * value they meet, for the rest of the call (or, in the type of a parameter of a model, for the instance).
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { DType, Node, TensorType } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { broadcastTo, checkWhole, toDim, toNode, toSize } from './convert.ts';
import type { Frame, Scope } from './scope.ts';
import { exact, kindText, tensor, type Value } from './values.ts';

/** The number type of a name. `stored`: of a cell that persists, which may be kept as f16. */
export function dtypeOf(e: Elaboration, name: ast.Name, stored = false): DType {
  switch (name.text) {
    case 'f32':
    case 'i32':
    case 'u32':
    case 'bool':
      return name.text;
    case 'f16':
      if (stored) return 'f32';
      fail('OPT310', name.span, 'f16 is how a cell is stored: values are f32', {
        hint: 'write f32 here; var, param, state and frozen that last beyond a step may be f16',
      });
    // falls through: fail never returns
    default:
      fail('OPT310', name.span, `'${name.text}' is no number type`, {
        hint: 'the number types are f32, i32, u32 and bool',
      });
  }
}

/** How the cell of a declaration is stored, where that is not as its values are. */
export function storageOf(decl: { readonly type?: ast.TypeExpr }): 'f16' | undefined {
  return decl.type?.dtype.text === 'f16' ? 'f16' : undefined;
}

/** A type all of whose dims are known. `stored`: of a cell that persists. */
export function staticType(e: Elaboration, type: ast.TypeExpr, frame: Frame, stored = false): TensorType {
  const dtype = dtypeOf(e, type.dtype, stored);
  const shape = (type.dims ?? []).map((d) => {
    if (d.kind === 'star')
      fail('OPT310', d.span, "'*' stands for the rows of a data set and means nothing here", { hint: 'give the size' });
    return toSize(e, e.do.expression(e, d, frame), d.span, 'a dim');
  });
  return { dtype, shape };
}

/** A dim that is only a name, not bound to anything yet. */
function freeDim(dim: ast.Expr | { readonly kind: 'star'; readonly span: Span }, scope: Scope): string | undefined {
  return dim.kind === 'name' && scope.find(dim.name) === undefined ? dim.name : undefined;
}

/** What a parameter's annotation belongs to, for messages: "parameter x of Features". */
export interface Annotated {
  readonly what: string;
  readonly declared: Span;
}

/**
 * Checks a value against an annotation and binds its free dims in `frame.scope`. Exact numbers become nodes of the annotated type
 * where it has a rank, and stay exact where it is scalar. Scalars are repeated to a static shape when `stretch` is set.
 */
export function annotate(
  e: Elaboration,
  value: Value,
  type: ast.TypeExpr,
  frame: Frame,
  span: Span,
  at: Annotated,
  stretch = false,
): Value {
  const dtype = dtypeOf(e, type.dtype);
  const dims = type.dims ?? [];
  if (dims.length === 0 && value.kind === 'exact') {
    if (dtype === 'f32') return exact(value.value, false);
    if (dtype !== 'bool' && Number.isInteger(value.value)) {
      checkWhole([value.value], dtype, span);
      return exact(value.value, true);
    }
  }
  const node = toNode(e, value, span, dtype);
  if (node.type.dtype !== dtype) {
    fail('OPT301', span, `${at.what} has type ${dtype}, but ${kindText(value)} is given`, {
      labels: [{ span: at.declared, text: `${dtype} is asked for here` }],
      hint:
        dtype === 'f32' ? 'convert it: f32(x)' : dtype === 'i32' ? 'convert it: i32(x)' : 'the number types must agree',
    });
  }
  if (
    stretch &&
    node.type.shape.length === 0 &&
    dims.length > 0 &&
    dims.every((d) => d.kind !== 'star' && freeDim(d, frame.scope) === undefined)
  ) {
    return tensor(broadcastTo(e, node, staticType(e, type, frame).shape));
  }
  if (dims.length !== node.type.shape.length) {
    fail(
      'OPT310',
      span,
      `${at.what} has ${dims.length} ${dims.length === 1 ? 'axis' : 'axes'}, but ${e.typeText(node.type)} is given`,
      {
        labels: [{ span: at.declared, text: 'declared here' }],
        hint: dims.length > node.type.shape.length ? 'add an axis with [new]' : 'index or reduce one axis first',
      },
    );
  }
  dims.forEach((dim, axis) => bindDim(e, dim, node, axis, frame, span, at));
  return tensor(node);
}

/** Binds the free dims of a result type by the type that is asked for, before the body that computes it is evaluated. */
export function bindResult(
  e: Elaboration,
  result: ast.TypeExpr,
  wanted: TensorType,
  frame: Frame,
  span: Span,
  name: ast.Name,
): void {
  const dims = result.dims ?? [];
  if (dims.length !== wanted.shape.length || dtypeOf(e, result.dtype) !== wanted.dtype) {
    fail('OPT321', span, `${name.text} gives ${e.options.text(result.span)}, but ${e.typeText(wanted)} is needed`, {
      labels: [{ span: result.span, text: 'its result' }],
      hint: dims.length === wanted.shape.length ? 'the number types must agree' : 'use an initializer for this rank',
    });
  }
  dims.forEach((dim, axis) => {
    const free = freeDim(dim, frame.scope);
    if (free !== undefined)
      frame.scope.set(free, { kind: 'value', value: exact(wanted.shape[axis], true), span: dim.span });
  });
}

function bindDim(
  e: Elaboration,
  dim: ast.Expr | { readonly kind: 'star'; readonly span: Span },
  node: Node,
  axis: number,
  frame: Frame,
  span: Span,
  at: Annotated,
): void {
  const size = node.type.shape[axis];
  if (dim.kind === 'star') return;
  const name = freeDim(dim, frame.scope);
  if (name !== undefined) {
    frame.scope.set(name, { kind: 'value', value: exact(size), span });
    return;
  }
  const wanted = toDim(e, e.do.expression(e, dim, frame), dim.span, 'a dim of a type');
  if (wanted === size) return;
  const bound = dim.kind === 'name' ? frame.scope.find(dim.name) : undefined;
  fail(
    'OPT310',
    span,
    `${at.what}: axis ${axis} must be ${e.dim(wanted)}${dim.kind === 'name' ? ` (${dim.name})` : ''}, but is ${e.dim(size)} in ${e.typeText(node.type)}`,
    {
      labels: [
        { span: dim.span, text: `${e.dim(wanted)} is asked for here` },
        ...(bound && bound.span !== span
          ? [{ span: bound.span, text: `${dim.kind === 'name' ? dim.name : 'it'} was fixed to ${e.dim(wanted)} here` }]
          : []),
      ],
      hint: 'dims of one name must be equal within a call',
    },
  );
}
