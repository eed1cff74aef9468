/**
 * Elementwise primitives of two inputs, and `select`. Inputs have equal shapes: broadcasts are explicit in the graph.
 */
import { need, wrap } from './arrays.ts';
import {
  type Element,
  elementwise,
  equatable,
  float,
  integer,
  logical,
  named,
  numeric,
  ordered,
  type TypeRule,
} from './elementwise.ts';
import type { DType, Node, Rng } from './types.ts';
import * as wgsl from './wgsl-functions.ts';

const positive = (rng: Rng) => 0.3 + 2 * rng.uniform();
/** Away from 0, either sign. */
const nonZero = (rng: Rng, dtype: DType) => {
  const size = dtype === 'f32' ? 0.4 + 2 * rng.uniform() : rng.integer(1, 6);
  return dtype !== 'u32' && rng.uniform() < 0.5 ? -size : size;
};
const divisorOnly = (rng: Rng, dtype: DType, input: number) =>
  input === 1
    ? nonZero(rng, dtype)
    : dtype === 'f32'
      ? 1.5 * rng.normal()
      : dtype === 'i32'
        ? rng.integer(-9, 10)
        : rng.integer(0, 10);
const difference = ([x, y]: readonly number[]) => Math.abs(x - y);
const quotientToInteger = ([x, y]: readonly number[]) => Math.abs(x / y - Math.round(x / y));

/** The part of t that flows to `mine` where the result is the larger (or smaller) of mine and other: all, half at a tie (as JAX), none. */
function winner(c: Element, t: Node, op: 'gt' | 'lt', mine: Node, other: Node): Node {
  const tie = c.select(c.compare('eq', mine, other), c.scale(t, 0.5), c.zeros(t.type));
  return c.select(c.compare(op, mine, other), t, tie);
}

/** NaN-keeping maximum or minimum: WGSL's return the other operand. */
function keepNan(builtin: string): (args: readonly string[], dtypes: { readonly output: DType }) => string {
  return ([a, b], d) =>
    d.output === 'f32'
      ? `select(${builtin}(${a}, ${b}), ${a} + ${b}, !(${a} == ${a}) | !(${b} == ${b}))`
      : `${builtin}(${a}, ${b})`;
}

/** Integer division as WGSL defines it for a zero divisor: x / 0 is x, and x mod 0 is 0. */
function floorDiv(x: number, y: number, dtype: DType): number {
  if (dtype === 'f32') return Math.floor(x / y);
  return y === 0 ? x : wrap(dtype, Math.floor(x / y));
}
function floorMod(x: number, y: number, dtype: DType): number {
  if (dtype !== 'f32' && y === 0) return 0;
  const rest = x % y;
  return rest !== 0 && rest < 0 !== y < 0 ? rest + y : rest + 0;
}

const product = (x: number, y: number, dtype: DType) => (dtype === 'f32' ? x * y : wrap(dtype, Math.imul(x, y)));

const comparison = (about: string, sign: string, holds: (x: number, y: number) => boolean, types: TypeRule) =>
  elementwise(2, {
    about,
    types,
    scalar: ([x, y]) => (holds(x, y) ? 1 : 0),
    // x != y of one NaN is folded to false by some drivers; !(x == y) is not
    wgsl: ([x, y]) => (sign === '!=' ? `!(${x} == ${y})` : `(${x} ${sign} ${y})`),
    vector: true,
    draw: (rng, dtype) => (dtype === 'bool' ? rng.integer(0, 2) : rng.integer(dtype === 'u32' ? 0 : -3, 4)),
  });

const bits = (about: string, sign: string, logicalSign: string, combine: (x: number, y: number) => number) =>
  elementwise(2, {
    about,
    types: logical,
    scalar: ([x, y], _, d) => wrap(d.output, combine(x, y)),
    wgsl: ([x, y], d) => (d.output === 'bool' ? `(${x} ${logicalSign} ${y})` : `(${x} ${sign} ${y})`),
    vector: true,
  });

const shift = (about: string, sign: string, combine: (x: number, y: number, dtype: DType) => number) =>
  elementwise(2, {
    about,
    types: integer,
    scalar: ([x, y], _, d) => wrap(d.output, combine(x, y & 31, d.output)),
    wgsl: ([x, y]) => `(${x} ${sign} (u32(${y}) & 31u))`,
    draw: (rng, dtype, input) => (input === 1 ? rng.integer(0, 32) : rng.integer(dtype === 'i32' ? -1000 : 0, 1000)),
  });

const selectTypes: TypeRule = {
  result: ([c, a, b]) => {
    need(c === 'bool' && a === b, () => `takes a bool and two values of one dtype, but got ${c}, ${a} and ${b}`);
    return a;
  },
  draw: (rng) => {
    const dtype = equatable.draw(rng, 1, {})[0];
    return ['bool', dtype, dtype];
  },
};

export const binaryOps = named({
  add: elementwise(2, {
    about: 'x + y; integers wrap.',
    types: numeric,
    scalar: ([x, y], _, d) => wrap(d.output, x + y),
    wgsl: ([x, y]) => `(${x} + ${y})`,
    vector: true,
    d: [(_, t) => t, (_, t) => t],
    tolerance: { relative: 5e-7, absolute: 1e-6 },
  }),
  sub: elementwise(2, {
    about: 'x - y; integers wrap.',
    types: numeric,
    scalar: ([x, y], _, d) => wrap(d.output, x - y),
    wgsl: ([x, y]) => `(${x} - ${y})`,
    vector: true,
    d: [(_, t) => t, (c, t) => c.neg(t)],
    tolerance: { relative: 5e-7, absolute: 1e-6 },
  }),
  mul: elementwise(2, {
    about: 'x y; integers wrap.',
    types: numeric,
    scalar: ([x, y], _, d) => product(x, y, d.output),
    wgsl: ([x, y]) => `(${x} * ${y})`,
    vector: true,
    d: [(c, t) => c.mul(t, c.y), (c, t) => c.mul(t, c.x)],
  }),
  div: elementwise(2, {
    about: 'x / y.',
    types: float,
    scalar: ([x, y]) => x / y,
    wgsl: ([x, y]) => `(${x} / ${y})`,
    vector: true,
    // d(x/y) by y: -(x/y) / y
    d: [(c, t) => c.div(t, c.y), (c, t) => c.neg(c.div(c.mul(t, c.out), c.y))],
    draw: divisorOnly,
    tolerance: { relative: 1e-6, absolute: 1e-30 },
  }),
  pow: elementwise(2, {
    about:
      'x to the power y, as in C: 1 where y is 0; negative x has integer powers only; zeros have no sign. Derivatives at x = 0 follow JAX.',
    types: float,
    scalar: ([x, y]) => (x + 0) ** y,
    wgsl: ([x, y]) => `sd_pow(${x}, ${y})`,
    functions: wgsl.pow,
    d: [
      // y x^(y-1), and 0 where y is 0 (x may be 0 too)
      (c, t) => {
        const zero = c.number(0, c.y);
        const slope = c.mul(c.y, c.b.make('pow', [c.x, c.plus(c.y, -1)]));
        return c.mul(t, c.select(c.compare('eq', c.y, zero), zero, slope));
      },
      // x^y log x, with log 0 read as 0
      (c, t) => {
        const base = c.select(c.compare('eq', c.x, c.number(0, c.x)), c.number(1, c.x), c.x);
        return c.mul(t, c.mul(c.out, c.unary('log', base)));
      },
    ],
    draw: (rng, _, input) => (input === 0 ? positive(rng) : 1.5 * rng.normal()),
    tolerance: { relative: 1e-5, absolute: 1e-30 },
  }),
  max: elementwise(2, {
    about: 'The larger of x and y; NaN if either is NaN. At a tie each gets half of the derivative.',
    types: numeric,
    scalar: ([x, y]) => Math.max(x, y),
    wgsl: keepNan('max'),
    vector: true,
    d: [(c, t) => winner(c, t, 'gt', c.x, c.y), (c, t) => winner(c, t, 'gt', c.y, c.x)],
    kink: difference,
  }),
  min: elementwise(2, {
    about: 'The smaller of x and y; NaN if either is NaN. At a tie each gets half of the derivative.',
    types: numeric,
    scalar: ([x, y]) => Math.min(x, y),
    wgsl: keepNan('min'),
    vector: true,
    d: [(c, t) => winner(c, t, 'lt', c.x, c.y), (c, t) => winner(c, t, 'lt', c.y, c.x)],
    kink: difference,
  }),
  atan2: elementwise(2, {
    about: 'Angle of the point (y, x) where the first input is the ordinate y; 0 at the origin; zeros have no sign.',
    types: float,
    scalar: ([y, x]) => Math.atan2(y + 0, x + 0),
    wgsl: ([y, x]) => `sd_atan2(${y}, ${x})`,
    functions: wgsl.atan2,
    // (x dy - y dx) / (x^2 + y^2); c.x is the ordinate here
    d: [
      (c, t) => c.div(c.mul(t, c.y), c.add(c.power(c.x, 2), c.power(c.y, 2))),
      (c, t) => c.neg(c.div(c.mul(t, c.x), c.add(c.power(c.x, 2), c.power(c.y, 2)))),
    ],
    draw: nonZero,
    tolerance: { relative: 1e-6, absolute: 1e-30 },
  }),
  floor_div: elementwise(2, {
    about: 'floor(x / y); for integers x where y is 0. Its derivative is zero.',
    types: numeric,
    scalar: ([x, y], _, d) => floorDiv(x, y, d.output),
    wgsl: ([x, y], d) => `sd_floor_div_${d.output}(${x}, ${y})`,
    functions: [wgsl.floorDivF32, wgsl.floorDivI32, wgsl.floorDivU32],
    draw: divisorOnly,
    kink: quotientToInteger,
  }),
  floor_mod: elementwise(2, {
    about: 'x - y floor(x / y), which has the sign of y, for finite y; for integers 0 where y is 0.',
    types: numeric,
    scalar: ([x, y], _, d) => floorMod(x, y, d.output),
    wgsl: ([x, y], d) => `sd_floor_mod_${d.output}(${x}, ${y})`,
    functions: [wgsl.floorModF32, wgsl.floorModI32, wgsl.floorModU32],
    d: [(_, t) => t, (c, t) => c.neg(c.mul(t, c.b.make('floor_div', [c.x, c.y])))],
    draw: divisorOnly,
    kink: quotientToInteger,
    tolerance: { relative: 1e-5, absolute: 1e-5 },
  }),
  eq: comparison('x equals y.', '==', (x, y) => x === y, equatable),
  ne: comparison('x differs from y (true if either is NaN).', '!=', (x, y) => x !== y, equatable),
  lt: comparison('x is less than y.', '<', (x, y) => x < y, ordered),
  le: comparison('x is at most y.', '<=', (x, y) => x <= y, ordered),
  gt: comparison('x is greater than y.', '>', (x, y) => x > y, ordered),
  ge: comparison('x is at least y.', '>=', (x, y) => x >= y, ordered),
  and: bits('Logical and of bools, bitwise and of integers.', '&', '&', (x, y) => x & y),
  or: bits('Logical or of bools, bitwise or of integers.', '|', '|', (x, y) => x | y),
  xor: bits('Exclusive or of bools, bitwise of integers.', '^', '!=', (x, y) => x ^ y),
  shift_left: shift('x shifted left by y modulo 32 bits.', '<<', (x, y) => x << y),
  shift_right: shift(
    'x shifted right by y modulo 32 bits: zeros come in for u32, the sign for i32.',
    '>>',
    (x, y, dtype) => (dtype === 'u32' ? x >>> y : x >> y),
  ),
  select: elementwise(3, {
    about: 'a where the condition holds, b elsewhere: select(c, a, b).',
    types: selectTypes,
    scalar: ([c, a, b]) => (c ? a : b),
    wgsl: ([c, a, b]) => `select(${b}, ${a}, ${c})`,
    vector: true,
    d: [() => undefined, (c, t) => c.select(c.x, t, c.zeros(t.type)), (c, t) => c.select(c.x, c.zeros(t.type), t)],
  }),
});
