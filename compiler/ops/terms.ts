/**
 * Abbreviations for writing formulas as graph nodes, used by derivative and batching rules. Nothing here simplifies:
 * that is the work of `passes/`.
 */
import { range, sameShape, sizeOf, stridesOf } from './arrays.ts';
import type { Builder, Node, TensorType } from './types.ts';

export class Terms {
  readonly b: Builder;

  constructor(b: Builder) {
    this.b = b;
  }

  /** The number `value` at every element of a value like `like`. */
  number(value: number, like: Node): Node {
    return this.b.constant(value, like.type);
  }
  zeros(type: TensorType): Node {
    return this.b.constant(0, type);
  }
  unary(op: string, x: Node): Node {
    return this.b.make(op, [x]);
  }
  neg(x: Node): Node {
    return this.b.make('neg', [x]);
  }
  add(x: Node, y: Node): Node {
    return this.b.make('add', [x, y]);
  }
  sub(x: Node, y: Node): Node {
    return this.b.make('sub', [x, y]);
  }
  mul(x: Node, y: Node): Node {
    return this.b.make('mul', [x, y]);
  }
  div(x: Node, y: Node): Node {
    return this.b.make('div', [x, y]);
  }
  /** x times a number. */
  scale(x: Node, factor: number): Node {
    return this.mul(x, this.number(factor, x));
  }
  /** x plus a number. */
  plus(x: Node, value: number): Node {
    return this.add(x, this.number(value, x));
  }
  power(x: Node, exponent: number): Node {
    return this.b.make('integer_pow', [x], { exponent });
  }
  compare(op: 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge', x: Node, y: Node): Node {
    return this.b.make(op, [x, y]);
  }
  select(c: Node, a: Node, b: Node): Node {
    return this.b.make('select', [c, a, b]);
  }
  cast(x: Node, dtype: TensorType['dtype']): Node {
    return this.b.make('cast', [x], { dtype });
  }
  sum(x: Node, axes: readonly number[]): Node {
    return this.b.make('reduce_sum', [x], { axes });
  }
  reshape(x: Node, shape: readonly number[]): Node {
    return sameShape(x.type.shape, shape) ? x : this.b.make('reshape', [x], { shape });
  }
  permute(x: Node, axes: readonly number[]): Node {
    return axes.every((axis, i) => axis === i) ? x : this.b.make('permute', [x], { axes });
  }
  slice(x: Node, start: readonly number[], limit: readonly number[]): Node {
    return this.b.make('slice', [x], { start, limit, stride: start.map(() => 1) });
  }
  /** x[start:limit] along one axis. */
  sliceAxis(x: Node, axis: number, start: number, limit: number): Node {
    const { shape } = x.type;
    return this.slice(
      x,
      shape.map((_, a) => (a === axis ? start : 0)),
      shape.map((dim, a) => (a === axis ? limit : dim)),
    );
  }
  concat(parts: readonly Node[], axis: number): Node {
    return this.b.make('concat', parts, { axis });
  }
  iota(shape: readonly number[], axis: number, dtype: TensorType['dtype'] = 'i32'): Node {
    return this.b.make('iota', [], { shape, axis, dtype });
  }
  broadcast(x: Node, shape: readonly number[], axes: readonly number[]): Node {
    return this.b.make('broadcast', [x], { shape, axes });
  }
  /** x repeated along a new leading axis of length n. */
  lead(x: Node, n: number): Node {
    const { shape } = x.type;
    return this.broadcast(
      x,
      [n, ...shape],
      shape.map((_, a) => a + 1),
    );
  }
  /** A scalar repeated over a shape. */
  spread(x: Node, shape: readonly number[]): Node {
    return shape.length === 0 ? x : this.broadcast(x, shape, []);
  }
  /** Undoes a reduction over `axes` of a value of shape `shape`: repeats x along them. */
  expand(x: Node, shape: readonly number[], axes: readonly number[]): Node {
    const kept = range(shape.length).filter((a) => !axes.includes(a));
    return this.broadcast(x, shape, kept);
  }
  /** Elements of the flat values of `x` at flat i32 `indices`. */
  takeFlat(x: Node, indices: Node): Node {
    return this.b.make('gather', [this.reshape(x, [sizeOf(x.type.shape)]), indices], { axis: 0 });
  }
  /** i32 array of shape `shape` that holds, at every place, the flat row-major index of that place with the part of `axis` left out. */
  offsetsExcept(shape: readonly number[], axis: number): Node {
    const strides = stridesOf(shape);
    let total = this.zeros({ dtype: 'i32', shape });
    for (const a of range(shape.length)) {
      if (a !== axis) total = this.add(total, this.scale(this.iota(shape, a), strides[a]));
    }
    return total;
  }
}

/** The defined summands added up, or undefined where there is none. */
export function addDefined(t: Terms, summands: readonly (Node | undefined)[]): Node | undefined {
  let total: Node | undefined;
  for (const summand of summands) {
    if (summand) total = total ? t.add(total, summand) : summand;
  }
  return total;
}
