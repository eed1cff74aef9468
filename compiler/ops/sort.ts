/** Stable sorting along one axis, of values or of their indices. */
import { axisAttr, drawArray, drawShape, leastGap, range, sizeOf, stridesOf } from './arrays.ts';
import { named, numeric } from './elementwise.ts';
import { Terms } from './terms.ts';
import type { Attrs, DType, Node, OpDef } from './types.ts';

/** Stable order of one line: ascending, or descending with ties still in order; NaN last. */
function lineOrder(data: Float64Array, base: number, stride: number, length: number, descending: boolean): number[] {
  const sign = descending ? -1 : 1;
  const value = (i: number) => data[base + i * stride];
  return range(length).sort((i, j) => {
    const [x, y] = [value(i), value(j)];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
    return sign * (x - y) || i - j;
  });
}

function sorter(
  about: string,
  indices: boolean,
  derivatives: Pick<OpDef, 'vjp' | 'jvp' | 'kink'>,
): Omit<OpDef, 'name'> {
  return {
    about,
    arity: 1,
    infer: ([x], attrs) => {
      axisAttr(attrs, 'axis', x.shape.length);
      const dtype: DType = numeric.result([x.dtype], attrs);
      return { dtype: indices ? 'i32' : dtype, shape: x.shape };
    },
    reference: ([x], attrs, type) => {
      const axis = attrs.axis as number;
      const stride = stridesOf(type.shape)[axis];
      const length = type.shape[axis];
      const data = new Float64Array(x.data.length);
      for (let base = 0; base < data.length; base++) {
        if (Math.floor(base / stride) % length !== 0) continue;
        const order = lineOrder(x.data, base, stride, length, attrs.descending === true);
        order.forEach((from, to) => (data[base + to * stride] = indices ? from : x.data[base + from * stride]));
      }
      return { type, data };
    },
    ...derivatives,
    batch: ({ b, node }, [x]) => b.make(node.op, [x], { ...node.attrs, axis: (node.attrs.axis as number) + 1 }),
    lower: { family: 'sort' },
    sample: (rng) => {
      const shape = drawShape(rng, 1, 3);
      const [dtype] = numeric.draw(rng, 1, {});
      return {
        inputs: [drawArray(rng, { dtype, shape })],
        attrs: { axis: rng.integer(0, shape.length), descending: rng.uniform() < 0.5 },
      };
    },
    tolerance: { relative: 0, absolute: 0 },
  };
}

/** Flat index into x of every sorted element: its place with the sorted axis replaced by argsort's index. */
function sortedFlatIndices(t: Terms, x: Node, attrs: Attrs): Node {
  const axis = attrs.axis as number;
  const order = t.b.make('argsort', [x], attrs);
  return t.add(t.offsetsExcept(x.type.shape, axis), t.scale(order, stridesOf(x.type.shape)[axis]));
}

export const sortOps = named({
  sort: sorter('Elements along {axis} in ascending order, or {descending}; stable, NaN last.', false, {
    vjp: ({ b, node, inputs: [x] }, g) => {
      const t = new Terms(b);
      const size = sizeOf(x.type.shape);
      const flat = t.reshape(sortedFlatIndices(t, x, node.attrs), [size]);
      return [t.reshape(b.make('scatter_add', [flat, t.reshape(g, [size])], { axis: 0, size }), x.type.shape)];
    },
    jvp: ({ b, node, inputs: [x] }, [tangent]) => {
      const t = new Terms(b);
      return tangent && t.takeFlat(tangent, sortedFlatIndices(t, x, node.attrs));
    },
    // close elements of different lines count too, which is more than enough
    kink: ([x]) => leastGap(x.data),
  }),
  argsort: sorter('Indices (i32) that sort x along {axis}, as `sort` does; stable.', true, {
    vjp: 'none',
    jvp: 'none',
  }),
});
