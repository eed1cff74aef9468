/** Running sums and products along one axis. */
import { axisAttr, drawArray, drawShape, stridesOf, wrap } from './arrays.ts';
import { float, named, signed, type TypeRule } from './elementwise.ts';
import { ProductScan } from './product.ts';
import type { DType, OpDef } from './types.ts';

interface Cumulative {
  readonly about: string;
  readonly types: TypeRule;
  readonly step: (total: number, x: number, dtype: DType) => number;
  readonly start: number;
  readonly reversible: boolean;
  readonly vjp: Exclude<OpDef['vjp'], 'none'>;
  readonly jvp: Exclude<OpDef['jvp'], 'none'>;
  readonly tolerance: OpDef['tolerance'];
}

function cumulative(r: Cumulative): Omit<OpDef, 'name'> {
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

export const cumulativeOps = named({
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
