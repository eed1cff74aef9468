/** Elementwise primitives of one input. The derivative formula stands above each odd case. */
import { dtypeAttr, int, need, wrap } from './arrays.ts';
import { elementwise, float, logical, named, predicate, signed, type TypeRule, uniform } from './elementwise.ts';
import { halfBits, halfValue, roundHalf } from './half.ts';
import { erf, roundHalfEven } from './special.ts';
import type { DType, Rng } from './types.ts';
import * as wgsl from './wgsl-functions.ts';

/** Numbers with more digits than 16 bits hold, exact ties among them, of all sizes down to those below the normal ones. */
const drawHalf = (rng: Rng) => rng.integer(-(2 ** 14), 2 ** 14) * 2 ** rng.integer(-30, 3);
const positive = (rng: Rng) => 0.1 + 3 * rng.uniform();
const insideOne = (rng: Rng) => 1.9 * rng.uniform() - 0.95;
const distanceToInteger = ([x]: readonly number[]) => Math.abs(x - Math.round(x));
const distanceToHalf = ([x]: readonly number[]) => Math.abs(x - Math.floor(x) - 0.5);
const distanceToZero = ([x]: readonly number[]) => Math.abs(x);

/** Largest |exponent| of integer_pow: beyond it `pow` is both shorter and as exact. */
export const MAX_INTEGER_POWER = 64;

/** x^n for n >= 1 as nested squarings: the text repeats x, the compiler of the device shares the squares. */
function powerText(x: string, n: number): string {
  if (n === 1) return x;
  const half = powerText(x, n >> 1);
  return n % 2 === 0 ? `(${half} * ${half})` : `(${half} * ${half} * ${x})`;
}

/** x^n for n >= 0 by repeated squaring, with the given product. */
function powerBySquaring(x: number, n: number, times: (a: number, b: number) => number): number {
  let result = 1;
  for (let square = x, rest = n; rest > 0; rest >>= 1, square = times(square, square)) {
    if (rest & 1) result = times(result, square);
  }
  return result;
}

/**
 * Every dtype converts to every other: f32 → integer truncates and saturates (NaN becomes 0), → bool asks for non-zero, and
 * integers wrap into each other.
 */
function castScalar(value: number, from: DType, to: DType): number {
  if (from !== 'f32' || (to !== 'i32' && to !== 'u32')) return wrap(to, value);
  const [low, high] = to === 'i32' ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
  return Number.isNaN(value) ? 0 : Math.min(Math.max(Math.trunc(value), low), high) + 0;
}

const anyDtypes: readonly DType[] = ['f32', 'i32', 'u32', 'bool'];
const wordDtypes: readonly DType[] = ['f32', 'i32', 'u32'];
const castTypes: TypeRule = {
  result: (_, attrs) => dtypeAttr(attrs),
  draw: (rng) => [anyDtypes[rng.integer(0, 4)]],
};
const bitcastTypes: TypeRule = {
  result: ([from], attrs) => {
    const to = dtypeAttr(attrs);
    need(from !== 'bool' && to !== 'bool', () => `bitcast is between f32, i32 and u32, not ${from} to ${to}`);
    return to;
  },
  draw: (rng) => [wordDtypes[rng.integer(0, 3)]],
};

const words = new DataView(new ArrayBuffer(4));

/** The 32 bits of a value read as another dtype; f32 values are rounded to f32 first. */
function reinterpret(value: number, from: DType, to: DType): number {
  if (from === 'f32') words.setFloat32(0, value);
  else if (from === 'i32') words.setInt32(0, value);
  else words.setUint32(0, value);
  if (to === 'f32') return words.getFloat32(0);
  return to === 'i32' ? words.getInt32(0) : words.getUint32(0);
}

/** e^-|x| never overflows. */
function sigmoid(x: number): number {
  const e = Math.exp(-Math.abs(x));
  return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

export const unaryOps = named({
  neg: elementwise(1, {
    about: 'Minus x.',
    types: signed,
    scalar: ([x], _, d) => wrap(d.output, -x),
    wgsl: ([x]) => `(-${x})`,
    vector: true,
    d: [(c, t) => c.neg(t)],
  }),
  abs: elementwise(1, {
    about: 'Absolute value; derivative sign(x), so 0 at 0.',
    types: signed,
    scalar: ([x], _, d) => wrap(d.output, Math.abs(x)),
    wgsl: ([x]) => `abs(${x})`,
    vector: true,
    d: [(c, t) => c.mul(t, c.unary('sign', c.x))],
    kink: distanceToZero,
  }),
  sign: elementwise(1, {
    about: '-1, 0 or 1, and NaN for NaN; its derivative is zero.',
    types: signed,
    scalar: ([x]) => Math.sign(x),
    wgsl: ([x], d) => (d.output === 'f32' ? `select(sign(${x}), ${x}, !(${x} == ${x}))` : `sign(${x})`),
    vector: true,
    kink: distanceToZero,
  }),
  floor: elementwise(1, {
    about: 'Largest integer not above x; its derivative is zero.',
    types: float,
    scalar: ([x]) => Math.floor(x),
    wgsl: ([x]) => `floor(${x})`,
    vector: true,
    kink: distanceToInteger,
  }),
  ceil: elementwise(1, {
    about: 'Smallest integer not below x; its derivative is zero.',
    types: float,
    scalar: ([x]) => Math.ceil(x),
    wgsl: ([x]) => `ceil(${x})`,
    vector: true,
    kink: distanceToInteger,
  }),
  round: elementwise(1, {
    about: 'Nearest integer, halves to the even one; its derivative is zero.',
    types: float,
    scalar: ([x]) => roundHalfEven(x),
    wgsl: ([x]) => `round(${x})`,
    vector: true,
    kink: distanceToHalf,
  }),
  exp: elementwise(1, {
    about: 'e to the power x.',
    types: float,
    scalar: ([x]) => Math.exp(x),
    // One driver's exp(NaN) is infinite.
    wgsl: ([x]) => `select(exp(${x}), ${x}, !(${x} == ${x}))`,
    vector: true,
    d: [(c, t) => c.mul(t, c.out)],
    tolerance: { relative: 5e-6, absolute: 1e-37 },
  }),
  log: elementwise(1, {
    about: 'Natural logarithm.',
    types: float,
    scalar: ([x]) => Math.log(x),
    wgsl: ([x]) => `sd_log(${x})`,
    functions: wgsl.log,
    d: [(c, t) => c.div(t, c.x)],
    draw: positive,
    tolerance: { relative: 5e-7, absolute: 1e-7 },
  }),
  log1p: elementwise(1, {
    about: 'log(1 + x), accurate near 0.',
    types: float,
    scalar: ([x]) => Math.log1p(x),
    wgsl: ([x]) => `sd_log1p(${x})`,
    functions: wgsl.log1p,
    d: [(c, t) => c.div(t, c.plus(c.x, 1))],
    draw: (rng) => 3 * rng.uniform() - 0.9,
    tolerance: { relative: 1e-6, absolute: 1e-30 },
  }),
  expm1: elementwise(1, {
    about: 'e to the power x, minus 1, accurate near 0.',
    types: float,
    scalar: ([x]) => Math.expm1(x),
    wgsl: ([x]) => `sd_expm1(${x})`,
    functions: wgsl.expm1,
    d: [(c, t) => c.mul(t, c.plus(c.out, 1))],
    tolerance: { relative: 5e-6, absolute: 1e-30 },
  }),
  sqrt: elementwise(1, {
    about: 'Square root.',
    types: float,
    scalar: ([x]) => Math.sqrt(x),
    wgsl: ([x]) => `sqrt(${x})`,
    vector: true,
    d: [(c, t) => c.div(c.scale(t, 0.5), c.out)],
    draw: positive,
  }),
  rsqrt: elementwise(1, {
    about: '1 / sqrt(x).',
    types: float,
    scalar: ([x]) => 1 / Math.sqrt(x),
    wgsl: ([x]) => `inverseSqrt(${x})`,
    vector: true,
    // d x^(-1/2) = -1/2 x^(-3/2)
    d: [(c, t) => c.mul(c.scale(t, -0.5), c.power(c.out, 3))],
    draw: positive,
    tolerance: { relative: 1e-6, absolute: 1e-30 },
  }),
  sin: elementwise(1, {
    about: 'Sine of x in radians.',
    types: float,
    scalar: ([x]) => Math.sin(x),
    wgsl: ([x]) => `sd_sin_turn(${x}, 0)`,
    functions: wgsl.sinTurn,
    d: [(c, t) => c.mul(t, c.unary('cos', c.x))],
    tolerance: { relative: 1e-6, absolute: 5e-7 },
  }),
  cos: elementwise(1, {
    about: 'Cosine of x in radians.',
    types: float,
    scalar: ([x]) => Math.cos(x),
    wgsl: ([x]) => `sd_sin_turn(${x}, 1)`,
    functions: wgsl.sinTurn,
    d: [(c, t) => c.neg(c.mul(t, c.unary('sin', c.x)))],
    tolerance: { relative: 1e-6, absolute: 5e-7 },
  }),
  tan: elementwise(1, {
    about: 'Tangent of x in radians.',
    types: float,
    scalar: ([x]) => Math.tan(x),
    wgsl: ([x]) => `sd_tan(${x})`,
    functions: wgsl.tan,
    d: [(c, t) => c.mul(t, c.plus(c.power(c.out, 2), 1))],
    draw: (rng) => 2.4 * rng.uniform() - 1.2,
    tolerance: { relative: 1e-5, absolute: 1e-6 },
  }),
  sinh: elementwise(1, {
    about: 'Hyperbolic sine.',
    types: float,
    scalar: ([x]) => Math.sinh(x),
    wgsl: ([x]) => `sd_sinh(${x})`,
    functions: wgsl.sinh,
    d: [(c, t) => c.mul(t, c.unary('cosh', c.x))],
    tolerance: { relative: 5e-6, absolute: 1e-30 },
  }),
  cosh: elementwise(1, {
    about: 'Hyperbolic cosine.',
    types: float,
    scalar: ([x]) => Math.cosh(x),
    wgsl: ([x]) => `sd_cosh(${x})`,
    functions: wgsl.cosh,
    d: [(c, t) => c.mul(t, c.unary('sinh', c.x))],
    tolerance: { relative: 5e-6, absolute: 1e-30 },
  }),
  tanh: elementwise(1, {
    about: 'Hyperbolic tangent.',
    types: float,
    scalar: ([x]) => Math.tanh(x),
    wgsl: ([x]) => `sd_tanh(${x})`,
    functions: wgsl.tanh,
    d: [(c, t) => c.mul(t, c.sub(c.number(1, c.out), c.power(c.out, 2)))],
    tolerance: { relative: 1e-6, absolute: 1e-30 },
  }),
  asin: elementwise(1, {
    about: 'Inverse sine, in [-pi/2, pi/2]; NaN outside [-1, 1].',
    types: float,
    scalar: ([x]) => Math.asin(x),
    wgsl: ([x]) => `sd_asin(${x})`,
    functions: wgsl.asin,
    d: [(c, t) => c.mul(t, c.unary('rsqrt', c.sub(c.number(1, c.x), c.power(c.x, 2))))],
    draw: insideOne,
    tolerance: { relative: 1e-6, absolute: 1e-30 },
  }),
  acos: elementwise(1, {
    about: 'Inverse cosine, in [0, pi]; NaN outside [-1, 1].',
    types: float,
    scalar: ([x]) => Math.acos(x),
    wgsl: ([x]) => `sd_acos(${x})`,
    functions: wgsl.acos,
    d: [(c, t) => c.neg(c.mul(t, c.unary('rsqrt', c.sub(c.number(1, c.x), c.power(c.x, 2)))))],
    draw: insideOne,
    tolerance: { relative: 1e-6, absolute: 5e-7 },
  }),
  atan: elementwise(1, {
    about: 'Inverse tangent, in (-pi/2, pi/2).',
    types: float,
    scalar: ([x]) => Math.atan(x),
    wgsl: ([x]) => `sd_atan(${x})`,
    functions: wgsl.atan,
    d: [(c, t) => c.div(t, c.plus(c.power(c.x, 2), 1))],
    tolerance: { relative: 1e-6, absolute: 1e-30 },
  }),
  sigmoid: elementwise(1, {
    about: '1 / (1 + e^-x), without overflow.',
    types: float,
    scalar: ([x]) => sigmoid(x),
    wgsl: ([x]) => `sd_sigmoid(${x})`,
    functions: wgsl.sigmoid,
    d: [(c, t) => c.mul(t, c.mul(c.out, c.sub(c.number(1, c.out), c.out)))],
    tolerance: { relative: 5e-6, absolute: 1e-37 },
  }),
  erf: elementwise(1, {
    about: 'Error function.',
    types: float,
    scalar: ([x]) => erf(x),
    wgsl: ([x]) => `sd_erf(${x})`,
    functions: wgsl.erf,
    // 2 / sqrt(pi) e^(-x^2)
    d: [(c, t) => c.mul(c.scale(t, 2 / Math.sqrt(Math.PI)), c.unary('exp', c.neg(c.power(c.x, 2))))],
    tolerance: { relative: 1e-6, absolute: 1e-30 },
  }),
  softplus: elementwise(1, {
    about: 'log(1 + e^x), without overflow.',
    types: float,
    scalar: ([x]) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
    wgsl: ([x]) => `sd_softplus(${x})`,
    functions: wgsl.softplus,
    d: [(c, t) => c.mul(t, c.unary('sigmoid', c.x))],
    tolerance: { relative: 5e-6, absolute: 1e-37 },
  }),
  is_finite: elementwise(1, {
    about: 'True unless x is NaN or infinite.',
    types: predicate,
    scalar: ([x]) => (Number.isFinite(x) ? 1 : 0),
    wgsl: ([x]) => `sd_is_finite(${x})`,
    functions: [wgsl.isFinite],
  }),
  is_nan: elementwise(1, {
    about: 'True where x is NaN.',
    types: predicate,
    scalar: ([x]) => (Number.isNaN(x) ? 1 : 0),
    wgsl: ([x]) => `sd_is_nan(${x})`,
    functions: [wgsl.isNan],
  }),
  not: elementwise(1, {
    about: 'Logical not of bool, bitwise not of integers.',
    types: logical,
    scalar: ([x], _, d) => (d.output === 'bool' ? 1 - x : wrap(d.output, ~x)),
    wgsl: ([x], d) => (d.output === 'bool' ? `!${x}` : `~${x}`),
    vector: true,
  }),
  cast: elementwise(1, {
    about: 'Converts to {dtype}: f32 → i32 truncates (and saturates), bool ↔ numbers by 0 and 1.',
    types: castTypes,
    scalar: ([x], _, d) => castScalar(x, d.inputs[0], d.output),
    // what a device makes of NaN as an integer differs; 0 here
    wgsl: ([x], d) =>
      d.inputs[0] === 'f32' && (d.output === 'i32' || d.output === 'u32')
        ? `select(${d.output}(${x}), ${d.output}(0), sd_is_nan(${x}))`
        : `${d.output}(${x})`,
    functions: [wgsl.isNan],
    d: [(c, t) => (c.out.type.dtype === 'f32' ? t : undefined)],
    attrs: (rng) => ({ dtype: anyDtypes[rng.integer(0, 4)] }),
    draw: (rng, dtype) => (dtype === 'f32' ? 5 * rng.uniform() : rng.integer(0, 2)),
  }),
  bitcast: elementwise(1, {
    about: 'The same 32 bits read as {dtype}; f32 values are rounded to f32 first.',
    types: bitcastTypes,
    scalar: ([x], _, d) => reinterpret(x, d.inputs[0], d.output),
    wgsl: ([x], d) => `bitcast<${d.output}>(${x})`,
    attrs: (rng) => ({ dtype: wordDtypes[rng.integer(0, 3)] }),
    draw: (rng, dtype) => (dtype === 'f32' ? 3 * rng.uniform() : rng.integer(0x3f000000, 0x40800000)),
  }),
  round_half: elementwise(1, {
    about: 'The nearest number of 16 bits (ties to even, infinity from 65520 on): what a cell stored as f16 keeps.',
    types: float,
    scalar: ([x]) => roundHalf(x),
    wgsl: ([x]) => `sd_half_value(sd_half_bits(${x}))`,
    functions: [wgsl.halfBits, wgsl.halfValue],
    draw: drawHalf,
  }),
  half_bits: elementwise(1, {
    about: 'The 16 bits of the nearest number of 16 bits.',
    types: uniform(['f32'], 'u32'),
    scalar: ([x]) => halfBits(x),
    wgsl: ([x]) => `sd_half_bits(${x})`,
    functions: [wgsl.halfBits],
    draw: drawHalf,
  }),
  half_value: elementwise(1, {
    about: 'The number of 16 bits that the lower 16 bits of a word are.',
    types: uniform(['u32'], 'f32'),
    scalar: ([x]) => halfValue(x),
    wgsl: ([x]) => `sd_half_value(${x})`,
    functions: [wgsl.halfValue],
    // the upper half is another number; exponents below that of infinity
    draw: (rng) => rng.integer(0, 0x7c00) + 0x8000 * rng.integer(0, 2) + 0x10000 * rng.integer(0, 0x10000),
  }),
  integer_pow: elementwise(1, {
    about: `x to the integer {exponent} (at most ${MAX_INTEGER_POWER} in size; not negative for integers) by multiplications: exact where they are, and fine for x <= 0.`,
    types: {
      result: (dtypes, attrs) => {
        const n = int(attrs, 'exponent');
        need(Math.abs(n) <= MAX_INTEGER_POWER, () => `exponent ${n} of integer_pow is beyond ${MAX_INTEGER_POWER}`);
        need(n >= 0 || dtypes[0] === 'f32', () => `a negative power of ${dtypes[0]} is no ${dtypes[0]}`);
        return signed.result(dtypes, attrs);
      },
      draw: (rng, arity, attrs) => ((attrs.exponent as number) < 0 ? ['f32'] : signed.draw(rng, arity, attrs)),
    },
    scalar: ([x], attrs, d) => {
      const n = attrs.exponent as number;
      if (d.output === 'i32') return powerBySquaring(x, n, Math.imul);
      const power = powerBySquaring(x, Math.abs(n), (a, b) => a * b);
      return n < 0 ? 1 / power : power;
    },
    wgsl: ([x], d, attrs) => {
      const n = attrs.exponent as number;
      if (n === 0) return d.output === 'i32' ? '1' : '1.0';
      return n < 0 ? `(1.0 / ${powerText(x, -n)})` : powerText(x, n);
    },
    // n x^(n-1)
    d: [
      (c, t) => {
        const n = c.out.attrs.exponent as number;
        if (n === 0) return undefined;
        return n === 1 ? t : c.mul(t, c.scale(c.power(c.x, n - 1), n));
      },
    ],
    attrs: (rng) => ({ exponent: rng.integer(-3, 6) }),
    draw: (rng, dtype) =>
      dtype === 'i32' ? rng.integer(-4, 5) : (0.3 + rng.uniform()) * (rng.uniform() < 0.5 ? -1 : 1),
    tolerance: { relative: 2e-6, absolute: 1e-30 },
  }),
});
