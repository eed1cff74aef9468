/**
 * Reductions over a set of axes, which disappear from the result, and cumulative sums and products along one axis.
 * Reducing no axes is the identity; an empty sum is 0, an empty product 1, and an empty maximum a ShapeError.
 */
import {
  axesAttr,
  axisAttr,
  drawArray,
  drawAxes,
  drawShape,
  need,
  permuted,
  range,
  shapeText,
  sizeOf,
  stridesOf,
  wrap,
} from './arrays.ts';
import { float, logical, named, numeric, signed, type TypeRule } from './elementwise.ts';
import { Terms } from './terms.ts';
import type { DerivativeContext, DType, Lowering, NdArray, Node, OpDef, OpSample, Rng, TensorType } from './types.ts';

type Combine = Extract<Lowering, { family: 'reduce' }>['combine'];

interface Reduction {
  readonly about: string;
  readonly types: TypeRule;
  readonly combine: Combine;
  /** Value of an empty reduction; undefined where there is none. */
  readonly start: ((dtype: DType) => number) | undefined;
  readonly step: (total: number, x: number, dtype: DType) => number;
  /** Cotangent of the input. */
  readonly pull?: (c: Fold, g: Node) => Node;
  /** Tangent of the result. */
  readonly push?: (c: Fold, t: Node) => Node;
  readonly kink?: OpDef['kink'];
  readonly draw?: (rng: Rng, dtype: DType) => number;
}

/** Where a derivative of a reduction is written. */
class Fold extends Terms {
  readonly x: Node;
  readonly out: Node;
  readonly axes: readonly number[];

  constructor({ b, node, inputs }: DerivativeContext) {
    super(b);
    this.x = inputs[0];
    this.out = node;
    this.axes = node.attrs.axes as readonly number[];
  }

  /** A value of the result's shape, repeated over the reduced axes. */
  back(g: Node): Node {
    return this.expand(g, this.x.type.shape, this.axes);
  }
}

const keptAxes = (rank: number, axes: readonly number[]) => range(rank).filter((a) => !axes.includes(a));

/** Rows of the input, each holding what one result element is made of, with the row length. */
function rows(x: NdArray, axes: readonly number[]): { data: Float64Array; length: number } {
  const { shape } = x.type;
  return {
    data: permuted(x, [...keptAxes(shape.length, axes), ...axes]),
    length: sizeOf(axes.map((a) => shape[a])),
  };
}

function sampleReduction(rng: Rng, r: Pick<Reduction, 'types' | 'start' | 'draw'>): OpSample {
  const shape = drawShape(rng, 0, 3, r.start !== undefined);
  const [dtype] = r.types.draw(rng, 1, {});
  return { inputs: [drawArray(rng, { dtype, shape }, r.draw)], attrs: { axes: drawAxes(rng, shape.length) } };
}

function reduction(r: Reduction): Omit<OpDef, 'name'> {
  const { pull, push } = r;
  return {
    about: r.about,
    arity: 1,
    infer: ([x], attrs) => {
      const axes = axesAttr(attrs, 'axes', x.shape.length);
      need(
        r.start !== undefined || axes.every((a) => x.shape[a] > 0),
        () => `there is no such value over an empty axis of ${shapeText(x.shape)}`,
      );
      return { dtype: r.types.result([x.dtype], attrs), shape: keptAxes(x.shape.length, axes).map((a) => x.shape[a]) };
    },
    reference: ([x], attrs, type) => {
      const { data, length } = rows(x, attrs.axes as readonly number[]);
      const out = new Float64Array(sizeOf(type.shape));
      for (let row = 0; row < out.length; row++) {
        let k = row * length;
        let total = length > 0 || !r.start ? data[k++] : r.start(type.dtype);
        for (const end = (row + 1) * length; k < end; k++) total = r.step(total, data[k], type.dtype);
        out[row] = total;
      }
      return { type, data: out };
    },
    vjp: pull ? (ctx, g) => [pull(new Fold(ctx), g)] : 'none',
    jvp: push ? (ctx, [t]) => t && push(new Fold(ctx), t) : 'none',
    batch: ({ b, node }, [x]) =>
      b.make(node.op, [x], { ...node.attrs, axes: (node.attrs.axes as readonly number[]).map((a) => a + 1) }),
    lower: { family: 'reduce', combine: r.combine },
    sample: (rng) => sampleReduction(rng, r),
    tolerance: { relative: 1e-5, absolute: 1e-5 },
    kink: r.kink,
  };
}

// ---------------------------------------------------------------- extremes

/** 1 at the elements that attain the extreme, divided by their number: ties share the derivative evenly (as JAX). */
function tieShares(c: Fold): Node {
  const mask = c.cast(c.compare('eq', c.x, c.back(c.out)), 'f32');
  return c.div(mask, c.back(c.sum(mask, c.axes)));
}

const extreme = {
  start: undefined,
  types: numeric,
  pull: (c: Fold, g: Node) => c.mul(c.back(g), tieShares(c)),
  push: (c: Fold, t: Node) => c.sum(c.mul(t, tieShares(c)), c.axes),
  // any two close elements are kept apart, which is more than enough
  kink: ([x]: readonly NdArray[]) => leastGap(x.data),
};

/** Smallest distance between two elements. */
export function leastGap(data: Float64Array): number {
  const sorted = Float64Array.from(data).sort();
  let least = Infinity;
  for (let i = 1; i < sorted.length; i++) least = Math.min(least, sorted[i] - sorted[i - 1]);
  return least;
}

// ---------------------------------------------------------------- products

/** One level of a product tree over the last axis: the two halves whose product is the next level. */
interface Level {
  readonly left: Node;
  readonly right: Node;
}

/**
 * The product over the reduced axes written as a tree of halvings, so that its derivative needs no division and is right where
 * factors are zero. Values are laid out as [kept, factors]; an odd level is filled up with ones.
 */
class ProductTree {
  private readonly c: Fold;
  private readonly order: readonly number[];
  private readonly count: number;
  private readonly kept: number;
  private readonly levels: Level[] = [];

  constructor(c: Fold) {
    this.c = c;
    const { shape } = c.x.type;
    this.order = [...keptAxes(shape.length, c.axes), ...c.axes];
    this.count = sizeOf(c.axes.map((a) => shape[a]));
    this.kept = sizeOf(c.out.type.shape);
    let level = this.flatten(c.x);
    while (level.type.shape[1] > 1) {
      const split = this.split(level, 1);
      this.levels.push(split);
      level = c.mul(split.left, split.right);
    }
  }

  /** [kept, factors] */
  private flatten(x: Node): Node {
    return this.c.reshape(this.c.permute(x, this.order), [this.kept, this.count]);
  }

  /** Halves of a level; an odd one is filled up with `fill`. */
  private split(level: Node, fill: number): Level {
    const { c } = this;
    const length = level.type.shape[1];
    const half = (length + 1) >> 1;
    const right = c.sliceAxis(level, 1, half, length);
    const filler = c.b.constant(fill, { dtype: 'f32', shape: [this.kept, 1] });
    return {
      left: c.sliceAxis(level, 1, 0, half),
      right: length % 2 === 0 ? right : c.concat([right, filler], 1),
    };
  }

  push(tangent: Node): Node {
    const { c } = this;
    let t = this.flatten(tangent);
    for (const { left, right } of this.levels) {
      const parts = this.split(t, 0);
      t = c.add(c.mul(parts.left, right), c.mul(left, parts.right));
    }
    return c.reshape(this.count === 0 ? c.zeros({ dtype: 'f32', shape: [this.kept, 1] }) : t, c.out.type.shape);
  }

  pull(cotangent: Node): Node {
    const { c } = this;
    const { shape } = c.x.type;
    if (this.count === 0) return c.zeros(c.x.type);
    let g = c.reshape(cotangent, [this.kept, 1]);
    for (const [i, { left, right }] of [...this.levels.entries()].reverse()) {
      const below = i === 0 ? this.count : this.levels[i - 1].left.type.shape[1];
      g = c.sliceAxis(c.concat([c.mul(g, right), c.mul(g, left)], 1), 1, 0, below);
    }
    const inverse = range(shape.length).map((a) => this.order.indexOf(a));
    return c.permute(
      c.reshape(
        g,
        this.order.map((a) => shape[a]),
      ),
      inverse,
    );
  }
}

// ---------------------------------------------------------------- argmax, argmin

function extremeIndex(
  about: string,
  combine: Combine,
  better: (x: number, best: number) => boolean,
): Omit<OpDef, 'name'> {
  return {
    about,
    arity: 1,
    infer: ([x], attrs) => {
      numeric.result([x.dtype], attrs);
      const axis = axisAttr(attrs, 'axis', x.shape.length);
      need(x.shape[axis] > 0, () => `there is no index on the empty axis ${axis} of ${shapeText(x.shape)}`);
      return { dtype: 'i32', shape: x.shape.filter((_, a) => a !== axis) };
    },
    reference: ([x], attrs, type) => {
      const { data, length } = rows(x, [attrs.axis as number]);
      const out = new Float64Array(sizeOf(type.shape));
      for (let row = 0; row < out.length; row++) {
        const start = row * length;
        let best = 0;
        for (let k = 1; k < length; k++) if (better(data[start + k], data[start + best])) best = k;
        out[row] = best;
      }
      return { type, data: out };
    },
    vjp: 'none',
    jvp: 'none',
    batch: ({ b, node }, [x]) => b.make(node.op, [x], { axis: (node.attrs.axis as number) + 1 }),
    lower: { family: 'reduce', combine },
    sample: (rng) => {
      const shape = drawShape(rng, 1, 3, false);
      const [dtype] = numeric.draw(rng, 1, {});
      return { inputs: [drawArray(rng, { dtype, shape })], attrs: { axis: rng.integer(0, shape.length) } };
    },
    tolerance: { relative: 0, absolute: 0 },
  };
}

const isLarger = (x: number, best: number) => x > best || (Number.isNaN(x) && !Number.isNaN(best));
const isSmaller = (x: number, best: number) => x < best || (Number.isNaN(x) && !Number.isNaN(best));

// ---------------------------------------------------------------- cumulative

function cumulative(
  r: Pick<Reduction, 'about' | 'types'> & {
    readonly step: (total: number, x: number, dtype: DType) => number;
    readonly start: number;
    readonly reversible: boolean;
    readonly vjp: Exclude<OpDef['vjp'], 'none'>;
    readonly jvp: Exclude<OpDef['jvp'], 'none'>;
    readonly tolerance: OpDef['tolerance'];
  },
): Omit<OpDef, 'name'> {
  return {
    about: r.about,
    arity: 1,
    infer: ([x], attrs) => {
      axisAttr(attrs, 'axis', x.shape.length);
      return { dtype: r.types.result([x.dtype], attrs), shape: x.shape };
    },
    reference: ([x], attrs, type) => {
      const stride = stridesOf(type.shape)[attrs.axis as number];
      const length = type.shape[attrs.axis as number];
      const data = new Float64Array(x.data.length);
      for (let k = 0; k < data.length; k++) {
        // the first element of each line along the axis starts a running total
        if (Math.floor(k / stride) % length !== 0) continue;
        let total = r.start;
        for (let j = 0; j < length; j++) {
          const at = k + (attrs.reverse ? length - 1 - j : j) * stride;
          total = r.step(total, x.data[at], type.dtype);
          data[at] = total;
        }
      }
      return { type, data };
    },
    vjp: r.vjp,
    jvp: r.jvp,
    batch: ({ b, node }, [x]) => b.make(node.op, [x], { ...node.attrs, axis: (node.attrs.axis as number) + 1 }),
    lower: { family: 'scan' },
    sample: (rng) => {
      const shape = drawShape(rng, 1, 3);
      const [dtype] = r.types.draw(rng, 1, {});
      const axis = rng.integer(0, shape.length);
      return {
        inputs: [drawArray(rng, { dtype, shape })],
        attrs: r.reversible ? { axis, reverse: rng.uniform() < 0.5 } : { axis },
      };
    },
    tolerance: r.tolerance,
  };
}

/**
 * The running product as log2(n) doublings y ← y · (y moved by d), d = 1, 2, 4, …, ones coming in; differentiating these instead of
 * dividing by factors keeps the derivative right where factors are zero.
 */
class ProductScan extends Terms {
  readonly axis: number;
  readonly length: number;
  readonly type: TensorType;
  readonly levels: { readonly y: Node; readonly moved: Node; readonly by: number }[] = [];

  constructor({ b, node, inputs }: DerivativeContext) {
    super(b);
    this.axis = node.attrs.axis as number;
    this.type = node.type;
    this.length = this.type.shape[this.axis];
    let y = inputs[0];
    for (let by = 1; by < this.length; by *= 2) {
      const moved = this.moved(y, by, 1);
      this.levels.push({ y, moved, by });
      y = this.mul(y, moved);
    }
  }

  /** x moved towards higher indices by `by` places, `fill` coming in. */
  moved(x: Node, by: number, fill: number): Node {
    return this.concat([this.filler(by, fill), this.sliceAxis(x, this.axis, 0, this.length - by)], this.axis);
  }
  /** The transpose of `moved` with fill 0. */
  movedBack(x: Node, by: number): Node {
    return this.concat([this.sliceAxis(x, this.axis, by, this.length), this.filler(by, 0)], this.axis);
  }
  private filler(length: number, value: number): Node {
    const shape = this.type.shape.map((dim, a) => (a === this.axis ? length : dim));
    return this.b.constant(value, { dtype: 'f32', shape });
  }
}

export const reduceOps = named({
  reduce_sum: reduction({
    about: 'Sum over {axes}; integers wrap.',
    types: numeric,
    combine: 'add',
    start: () => 0,
    step: (total, x, dtype) => (dtype === 'f32' ? total + x : wrap(dtype, total + x)),
    pull: (c, g) => c.back(g),
    push: (c, t) => c.sum(t, c.axes),
  }),
  reduce_prod: reduction({
    about: 'Product over {axes}; its derivative is right where factors are zero.',
    types: numeric,
    combine: 'mul',
    start: () => 1,
    step: (total, x, dtype) => (dtype === 'f32' ? total * x : wrap(dtype, Math.imul(total, x))),
    pull: (c, g) => new ProductTree(c).pull(g),
    push: (c, t) => new ProductTree(c).push(t),
  }),
  reduce_max: reduction({
    ...extreme,
    about: 'Largest element over {axes}; NaN if one is NaN. Ties share the derivative evenly.',
    combine: 'max',
    step: (total, x) => Math.max(total, x),
  }),
  reduce_min: reduction({
    ...extreme,
    about: 'Smallest element over {axes}; NaN if one is NaN. Ties share the derivative evenly.',
    combine: 'min',
    step: (total, x) => Math.min(total, x),
  }),
  reduce_and: reduction({
    about: 'Logical (or bitwise) and over {axes}.',
    types: logical,
    combine: 'and',
    start: (dtype) => wrap(dtype, -1),
    step: (total, x, dtype) => wrap(dtype, total & x),
  }),
  reduce_or: reduction({
    about: 'Logical (or bitwise) or over {axes}.',
    types: logical,
    combine: 'or',
    start: () => 0,
    step: (total, x, dtype) => wrap(dtype, total | x),
  }),
  argmax: extremeIndex(
    'Index of the largest element along {axis}: the first of ties, the first NaN if there is one.',
    'argmax',
    isLarger,
  ),
  argmin: extremeIndex(
    'Index of the smallest element along {axis}: the first of ties, the first NaN if there is one.',
    'argmin',
    isSmaller,
  ),
  cumsum: cumulative({
    about: 'Running sum along {axis}, from the end where {reverse} is true.',
    types: signed,
    start: 0,
    step: (total, x, dtype) => (dtype === 'f32' ? total + x : wrap(dtype, total + x)),
    reversible: true,
    vjp: ({ b, node: { attrs } }, g) => [b.make('cumsum', [g], { axis: attrs.axis, reverse: !attrs.reverse })],
    jvp: ({ b, node }, [t]) => t && b.make('cumsum', [t], node.attrs),
    tolerance: { relative: 1e-5, absolute: 1e-5 },
  }),
  cumprod: cumulative({
    about: 'Running product along {axis}; its derivative is right where factors are zero.',
    types: float,
    start: 1,
    step: (total, x) => total * x,
    reversible: false,
    vjp: (ctx, g) => {
      const c = new ProductScan(ctx);
      let back = g;
      for (const { y, moved, by } of c.levels.reverse()) {
        back = c.add(c.mul(back, moved), c.movedBack(c.mul(back, y), by));
      }
      return [back];
    },
    jvp: (ctx, [tangent]) => {
      if (!tangent) return undefined;
      const c = new ProductScan(ctx);
      let t = tangent;
      for (const { y, moved, by } of c.levels) {
        t = c.add(c.mul(t, moved), c.mul(y, c.moved(t, by, 0)));
      }
      return t;
    },
    tolerance: { relative: 1e-5, absolute: 1e-5 },
  }),
});
