/** Elementwise functions: one record of the op table each, leaf by leaf on trees, exact on numbers known now; and where, clamp, conversions. */
import { fail } from '../diagnostics/diagnostic.ts';
import { type ElementwiseFunction, elementwiseFunctions } from '../ops/functions.ts';
import { op as opOf } from '../ops/table.ts';
import type { DType, Node } from '../ops/types.ts';
import { broadcastShape, cast, exactUnary } from './arithmetic.ts';
import type { BuiltinCall, BuiltinFn } from './builtins.ts';
import { broadcastTo, checkWhole, mapLeaves, toNode, zipLeaves } from './convert.ts';
import { exact, tensor, truth, type Value } from './values.ts';

/** A primitive of one argument. */
function unary({ op, accepts, result }: ElementwiseFunction): BuiltinFn {
  const integers = accepts.length > 1;
  return (c) => {
    c.expect(1, 1);
    return mapLeaves(c.e, c.value(0), c.at(0), (v) => {
      if (v.kind === 'exact') {
        const value = exactUnary(op.name, v);
        return result === 'bool' ? truth(value.value !== 0) : value;
      }
      const node = toNode(c.e, v, c.at(0), integers ? undefined : 'f32');
      if (!accepts.includes(node.type.dtype)) {
        fail(
          'OPT301',
          c.at(0),
          `${c.name} takes ${accepts.join(' or ')}, but this has type ${c.e.typeText(node.type)}`,
          {
            hint: 'convert it: f32(x)',
          },
        );
      }
      return tensor(c.e.make(op.name, [node]));
    });
  };
}

/** A primitive of two arguments. */
function paired({ op, accepts }: ElementwiseFunction): BuiltinFn {
  return (c) => {
    c.expect(2, 2);
    const integers = accepts.length > 1;
    return pairwise(c, op.name, 0, 1, integers ? undefined : 'f32');
  };
}

/** Elementwise two-argument primitive with broadcasting. */
export function pairwise(c: BuiltinCall, op: string, i: number, j: number, only?: DType): Value {
  return zipLeaves(c.e, [c.value(i), c.value(j)], [c.at(i), c.at(j)], ([a, b]) => {
    if (a.kind === 'exact' && b.kind === 'exact') {
      const value = opOf(op).scalar?.([a.value, b.value], {}, { inputs: ['f32', 'f32'], output: 'f32' }) ?? Number.NaN;
      return exact(value, a.integral && b.integral && only === undefined);
    }
    const nodes = meet(c, [a, b], [i, j], only);
    return tensor(c.e.make(op, nodes));
  });
}

/** Operands as nodes of one dtype and shape; exact ones take the dtype of the others. */
function meet(c: BuiltinCall, values: readonly Value[], at: readonly number[], only?: DType): Node[] {
  const fixed = values.find((v) => v.kind !== 'exact' && v.kind !== 'exactArray');
  let dtype: DType;
  if (only) dtype = only;
  else if (fixed) dtype = toNode(c.e, fixed, c.span).type.dtype;
  else dtype = values.every((v) => (v.kind === 'exact' || v.kind === 'exactArray') && v.integral) ? 'i32' : 'f32';
  const spans = at.map((i) => c.at(i));
  const nodes = values.map((v, k) => toNode(c.e, v, spans[k], dtype));
  nodes.forEach((node) => {
    if (node.type.dtype !== dtype) {
      fail('OPT301', c.span, `${c.name} of ${dtype} and ${node.type.dtype}`, {
        labels: nodes.map((n, m) => ({ span: spans[m], text: `this has type ${c.e.typeText(n.type)}` })),
        hint: 'convert one side: f32(x) or i32(x)',
      });
    }
  });
  const shape = broadcastShape(c.e, nodes, spans, c.span);
  return nodes.map((n) => broadcastTo(c.e, n, shape));
}

/** Two values as trees of one structure, leaf by leaf of one type, for a choice between them. */
export function alike(
  c: BuiltinCall,
  i: number,
  j: number,
): readonly { readonly a: Node; readonly b: Node }[] & { readonly like: Value } {
  const pairs: { a: Node; b: Node }[] = [];
  const like = zipLeaves(c.e, [c.value(i), c.value(j)], [c.at(i), c.at(j)], (leaf) => {
    const [a, b] = meet(c, leaf, [i, j]);
    pairs.push({ a, b });
    return tensor(a);
  });
  return Object.assign(pairs, { like });
}

/** where(c, a, b): a where c holds, else b; leaf by leaf. */
export const where: BuiltinFn = (c) => {
  c.expect(3, 3);
  const args = [0, 1, 2].map((i) => c.value(i));
  return zipLeaves(c.e, args, [c.at(0), c.at(1), c.at(2)], ([condition, a, b]) => {
    if (condition.kind === 'truth') return condition.value ? a : b;
    const test = toNode(c.e, condition, c.at(0));
    if (test.type.dtype !== 'bool')
      fail('OPT301', c.at(0), `where takes a condition (bool) first, not ${c.e.typeText(test.type)}`, {
        hint: 'compare: where(x > 0, a, b)',
      });
    const [x, y] = meet(c, [a, b], [1, 2]);
    const shape = broadcastShape(c.e, [x, test], [c.at(1), c.at(0)], c.span);
    return tensor(
      c.e.make('select', [broadcastTo(c.e, test, shape), broadcastTo(c.e, x, shape), broadcastTo(c.e, y, shape)]),
    );
  });
};

/** clamp(x, lo, hi) = min(max(x, lo), hi). */
const clamp: BuiltinFn = (c) => {
  c.expect(3, 3);
  return zipLeaves(c.e, [c.value(0), c.value(1), c.value(2)], [c.at(0), c.at(1), c.at(2)], ([x, lo, hi]) => {
    if (x.kind === 'exact' && lo.kind === 'exact' && hi.kind === 'exact')
      return exact(Math.min(Math.max(x.value, lo.value), hi.value), x.integral && lo.integral && hi.integral);
    const [a, b, d] = meet(c, [x, lo, hi], [0, 1, 2]);
    return tensor(c.e.make('min', [c.e.make('max', [a, b]), d]));
  });
};

/** f32(x), i32(x) (towards zero), u32(x): conversions, leaf by leaf. OPT315 where a number that is known does not fit. */
function convert(dtype: 'f32' | 'i32' | 'u32'): BuiltinFn {
  return (c) => {
    c.expect(1, 1);
    const whole = (values: readonly number[]): number[] => {
      const found = values.map(Math.trunc);
      if (dtype !== 'f32') checkWhole(found, dtype, c.at(0));
      return found;
    };
    return mapLeaves(c.e, c.value(0), c.at(0), (v) => {
      if (v.kind === 'exact') return dtype === 'f32' ? exact(v.value, false) : exact(whole([v.value])[0], true);
      if (v.kind === 'truth') return exact(v.value ? 1 : 0, dtype !== 'f32');
      if (v.kind === 'exactArray')
        return dtype === 'f32' ? { ...v, integral: false } : { ...v, values: whole(v.values), integral: true };
      return tensor(cast(c.e, toNode(c.e, v, c.at(0)), dtype));
    });
  };
}

export const elementwiseBuiltins: Record<string, BuiltinFn> = {
  ...Object.fromEntries(elementwiseFunctions.map((f) => [f.op.name, f.arity === 1 ? unary(f) : paired(f)])),
  where,
  clamp,
  f32: convert('f32'),
  i32: convert('i32'),
  u32: convert('u32'),
  bool: (c) => {
    c.expect(1, 1);
    return mapLeaves(c.e, c.value(0), c.at(0), (v) =>
      v.kind === 'exact' ? truth(v.value !== 0) : tensor(cast(c.e, toNode(c.e, v, c.at(0)), 'bool')),
    );
  },
};
