/**
 * Reductions. Reducing no axes is the identity; an empty sum is 0, an empty product 1, and an empty maximum a ShapeError.
 */
import { axisAttr, drawArray, drawShape, leastGap, need, shapeText, sizeOf, wrap } from './arrays.ts';
import { logical, named, numeric } from './elementwise.ts';
import { ProductTree } from './product.ts';
import { type Combine, type Fold, reduction, rows } from './reduction.ts';
import type { NdArray, Node, OpDef } from './types.ts';

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
});
