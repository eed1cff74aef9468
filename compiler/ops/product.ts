/** Products written out as graphs of two-factor products, so that their derivatives divide by nothing and are right at zeros. */
import { range, sizeOf } from './arrays.ts';
import { type Fold, keptAxes } from './reduction.ts';
import { Terms } from './terms.ts';
import type { DerivativeContext, Node, TensorType } from './types.ts';

/** One level of a product tree over the last axis: the two halves whose product is the next level. */
interface Level {
  readonly left: Node;
  readonly right: Node;
}

/**
 * The product over the reduced axes written as a tree of halvings, so that its derivative needs no division and is right where
 * factors are zero. Values are laid out as [kept, factors]; an odd level is filled up with ones.
 */
export class ProductTree {
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

/**
 * The running product as log2(n) doublings y ← y · (y moved by d), d = 1, 2, 4, …, ones coming in; differentiating these instead of
 * dividing by factors keeps the derivative right where factors are zero.
 */
export class ProductScan extends Terms {
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
