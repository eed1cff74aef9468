/** The maker of reductions: one associative step over a set of axes, which disappear from the result. */
import { axesAttr, drawArray, drawAxes, drawShape, need, permuted, range, shapeText, sizeOf } from './arrays.ts';
import type { TypeRule } from './elementwise.ts';
import { Terms } from './terms.ts';
import type { DerivativeContext, DType, Lowering, NdArray, Node, OpDef, OpSample, Rng } from './types.ts';

export type Combine = Extract<Lowering, { family: 'reduce' }>['combine'];

export interface Reduction {
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
export class Fold extends Terms {
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

export const keptAxes = (rank: number, axes: readonly number[]) => range(rank).filter((a) => !axes.includes(a));

/** Rows of the input, each holding what one result element is made of, with the row length. */
export function rows(x: NdArray, axes: readonly number[]): { data: Float64Array; length: number } {
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

/** Makes a record (but for its name) of a reduction. */
export function reduction(r: Reduction): Omit<OpDef, 'name'> {
  const { pull, push } = r;
  return {
    about: r.about,
    arity: 1,
    infer: ([x], attrs) => {
      const axes = axesAttr(attrs, 'axes', x.shape.length);
      need(
        r.start !== undefined || axes.every((a) => x.shape[a] > 0),
        () => `there is no ${r.combine} of no numbers: ${shapeText(x.shape)} has an axis without elements`,
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
