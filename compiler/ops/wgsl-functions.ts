/**
 * WGSL helper functions of the elementwise primitives: built-ins of WGSL are free to be wrong where they matter (relative error
 * next to a zero, NaN lost by max, tanh of 100 not a number on some drivers), so these replace them. Each is complete text; an
 * expression that calls one lists it, dependencies first, in its record's `functions`. Constants are within f32's range, NaN and
 * infinity come from bits in a variable (a constant expression that overflows is rejected), and no formula relies on
 * (x + c) - c being computed as written: drivers fold it.
 */

export const isNan = `fn sd_is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }`;

export const isFinite = `fn sd_is_finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }`;

export const infinity = `fn sd_infinity() -> f32 { var bits = 0x7f800000u; return bitcast<f32>(bits); }`;

export const nan = `fn sd_nan() -> f32 { var bits = 0x7fc00000u; return bitcast<f32>(bits); }`;

/**
 * Bits of the nearest binary16, ties to even. By integers: WGSL leaves the direction of rounding of its own conversions open. Below 2^-14 the significand is
 * shifted to units of 2^-24; elsewhere the exponent is rebiased and what overflows the significand goes into it, up to infinity.
 */
export const halfBits = `fn sd_half_bits(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let sign = (bits >> 16u) & 0x8000u;
  let size = bits & 0x7fffffffu;
  if (size >= 0x47800000u) { return select(sign | 0x7c00u, 0x7e00u, size > 0x7f800000u); }
  if (size < 0x33000000u) { return sign; }
  if (size < 0x38800000u) {
    let shift = 126u - (size >> 23u);
    let significand = (size & 0x7fffffu) | 0x800000u;
    let whole = significand >> shift;
    let rest = significand & ((1u << shift) - 1u);
    let half = 1u << (shift - 1u);
    return sign | (whole + select(0u, 1u, rest > half || (rest == half && (whole & 1u) == 1u)));
  }
  let rebiased = size - 0x38000000u;
  return sign | ((rebiased + 0xfffu + ((rebiased >> 13u) & 1u)) >> 13u);
}`;

/** The number whose binary16 is the lower half of a word. */
export const halfValue = `fn sd_half_value(word: u32) -> f32 {
  let sign = (word & 0x8000u) << 16u;
  let exponent = (word >> 10u) & 31u;
  let fraction = word & 0x3ffu;
  if (exponent == 0u) { return bitcast<f32>(sign | bitcast<u32>(f32(fraction) * 5.9604644775390625e-8)); }
  return bitcast<f32>(sign | (select(exponent + 112u, 255u, exponent == 31u) << 23u) | (fraction << 13u));
}`;

/** e^x that keeps NaN: one driver's built-in makes infinity of it. */
const expText = `fn sd_exp(x: f32) -> f32 { return select(exp(x), x, !(x == x)); }`;

/** log(1 + f) for 1 + f in [sqrt(1/2), sqrt(2)): with s = f / (2 + f), 2 atanh(s) as fdlibm's logf sums it. */
const logNearOne = `fn sd_log_near_one(f: f32) -> f32 {
  let s = f / (2.0 + f);
  let z = s * s;
  let w = z * z;
  let r = z * (0.66666662693 + w * 0.28498786688) + w * (0.40000972152 + w * 0.24279078841);
  let h = 0.5 * f * f;
  return f - (h - s * (h + r));
}`;

/**
 * Natural logarithm within 1 ulp, next to 1 too: x = m 2^e with m in [sqrt(1/2), sqrt(2)). Of zero, infinity, NaN and negative numbers it is made from
 * bits: one driver's built-in gives finite numbers there. Only denormals are left to the built-in.
 */
const logText = `fn sd_log(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  if (bits - 0x00800000u >= 0x7f000000u) {
    if ((bits & 0x7fffffffu) == 0u) { return bitcast<f32>(bits | 0xff800000u); }
    if (x < 0.0) { return bitcast<f32>(bits | 0x7fc00000u); }
    if (bits >= 0x7f800000u) { return x; }
    return log(x);
  }
  let shifted = bits - 0x3f3504f3u;
  let e = f32(bitcast<i32>(shifted) >> 23u);
  let f = bitcast<f32>((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0;
  return e * 0.693138123 + (sd_log_near_one(f) + e * 9.05800061e-6);
}`;

const log1pText = `fn sd_log1p(x: f32) -> f32 {
  if (x > -0.29 && x < 0.41) { return sd_log_near_one(x); }
  return sd_log(1.0 + x);
}`;

/** Taylor polynomial of degree 9 below 1/2 (next term 3e-10 relative), e^x - 1 above. */
const expm1Text = `fn sd_expm1(x: f32) -> f32 {
  if (abs(x) >= 0.5) { return exp(x) - 1.0; }
  let p = 1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0 + x * (1.0 / 720.0 + x * (1.0 / 5040.0 + x * (1.0 / 40320.0 + x / 362880.0)))));
  return x + x * x * (0.5 + x * p);
}`;

/** Odd polynomial (Cephes) below 0.625; above, 1 - 2 / (e^2|x| + 1) with |x| capped where the result is 1 anyway. */
const tanhText = `fn sd_tanh(x: f32) -> f32 {
  let a = abs(x);
  if (a < 0.625) {
    let z = x * x;
    return x + x * z * ((((-5.70498872745e-3 * z + 2.06390887954e-2) * z - 5.37397155531e-2) * z + 1.33314422036e-1) * z - 3.33332819422e-1);
  }
  if (sd_is_nan(x)) { return x; }
  let r = 1.0 - 2.0 / (exp(2.0 * min(a, 20.0)) + 1.0);
  return select(r, -r, x < 0.0);
}`;

/** Through expm1, so that no digits cancel near 0; above 20, e^|x| / 2 in two factors that do not overflow early. */
const sinhText = `fn sd_sinh(x: f32) -> f32 {
  let a = abs(x);
  var r: f32;
  if (a > 20.0) { let h = exp(0.5 * a); r = (0.5 * h) * h; }
  else { let e = sd_expm1(a); r = 0.5 * (e + e / (e + 1.0)); }
  return select(r, -r, x < 0.0);
}`;

const coshText = `fn sd_cosh(x: f32) -> f32 {
  let h = sd_exp(0.5 * abs(x));
  let l = 1.0 / h;
  return (0.5 * h) * h + (0.5 * l) * l;
}`;

const sigmoidText = `fn sd_sigmoid(x: f32) -> f32 {
  let e = sd_exp(-abs(x));
  return select(e, 1.0, x >= 0.0) / (1.0 + e);
}`;

const softplusText = `fn sd_softplus(x: f32) -> f32 { return max(x, 0.0) + sd_log1p(sd_exp(-abs(x))); }`;

/** Taylor below 0.7 (relative accuracy near 0); above, 1 - erfc by the Chebyshev fit of Press et al., relative error 1.2e-7 of erfc. */
const erfText = `fn sd_erf(x: f32) -> f32 {
  let a = abs(x);
  if (a < 0.7) {
    let z = x * x;
    return 1.128379167 * (x + x * z * (-1.0 / 3.0 + z * (1.0 / 10.0 + z * (-1.0 / 42.0 + z * (1.0 / 216.0 + z * (-1.0 / 1320.0 + z * (1.0 / 9360.0 - z / 75600.0)))))));
  }
  let t = 1.0 / (1.0 + 0.5 * a);
  let p = -1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806 + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))));
  let r = 1.0 - t * sd_exp(p - a * a);
  return select(r, -r, x < 0.0);
}`;

/**
 * Sine of x + turn * pi/2 within 2 ulp of 1 (one driver's built-ins are wrong in the fourth digit): x less a multiple of pi/2, which is taken off in three
 * parts, each exact, then Cephes' polynomials on [-pi/4, pi/4]. Beyond 2e4 the parts do not suffice, and the built-ins serve. Of NaN and infinity it is NaN.
 */
const sinTurnText = `fn sd_sin_turn(x: f32, turn: i32) -> f32 {
  if (!sd_is_finite(x)) { return sd_nan(); }
  if (abs(x) > 2e4) { if (turn == 0) { return sin(x); } return cos(x); }
  let n = round(x * 0.636619772);
  let r = ((x - n * 1.5703125) - n * 4.837512969970703125e-4) - n * 7.54978995489188e-8;
  let q = i32(n) + turn;
  let z = r * r;
  let s = r + r * z * (-1.6666654611e-1 + z * (8.3321608736e-3 - z * 1.9515295891e-4));
  let c = 1.0 - 0.5 * z + z * z * (4.166664568298827e-2 + z * (-1.388731625493765e-3 + z * 2.443315711809948e-5));
  let v = select(s, c, (q & 1) == 1);
  return select(v, -v, (q & 2) == 2);
}`;

const tanText = `fn sd_tan(x: f32) -> f32 { return sd_sin_turn(x, 0) / sd_sin_turn(x, 1); }`;

/** Cephes atanf: reduction by pi/8 and 3 pi/8, odd polynomial. */
const atanText = `fn sd_atan(x: f32) -> f32 {
  let a = abs(x);
  var base = 0.0;
  var u = a;
  if (a > 2.414213562) { base = 1.570796327; u = -1.0 / a; }
  else if (a > 0.4142135624) { base = 0.7853981634; u = (a - 1.0) / (a + 1.0); }
  let z = u * u;
  let r = base + (u + u * z * (((8.05374449538e-2 * z - 1.38776856032e-1) * z + 1.99777106478e-1) * z - 3.33329491539e-1));
  return select(r, -r, x < 0.0);
}`;

const atan2Text = `fn sd_atan2(y: f32, x: f32) -> f32 {
  if (sd_is_nan(y)) { return y; }
  if (x == 0.0) { return 1.570796327 * sign(y); }
  let r = sd_atan(y / x);
  if (x > 0.0) { return r; }
  return r + select(3.141592654, -3.141592654, y < 0.0);
}`;

/** Cephes asinf's polynomial on [0, 1/2]. */
const asinCore = `fn sd_asin_core(u: f32, z: f32) -> f32 {
  return u + u * z * ((((4.2163199048e-2 * z + 2.4181311049e-2) * z + 4.5470025998e-2) * z + 7.4953002686e-2) * z + 1.6666752422e-1);
}`;

const asinText = `fn sd_asin(x: f32) -> f32 {
  let a = abs(x);
  var r = sd_asin_core(a, a * a);
  if (a > 0.5) { let z = 0.5 * (1.0 - a); r = 1.570796327 - 2.0 * sd_asin_core(sqrt(z), z); }
  return select(r, -r, x < 0.0);
}`;

const acosText = `fn sd_acos(x: f32) -> f32 {
  let a = abs(x);
  if (a <= 0.5) { return 1.570796327 - sd_asin_core(x, x * x); }
  let z = 0.5 * (1.0 - a);
  let r = 2.0 * sd_asin_core(sqrt(z), z);
  return select(r, 3.141592654 - r, x < 0.0);
}`;

/** x^y with the meaning of C's pow: x^0 is 1, 0^y is 0 or infinity, negative bases have integer powers only. */
const powText = `fn sd_pow(x: f32, y: f32) -> f32 {
  if (y == 0.0) { return 1.0; }
  if (sd_is_nan(y)) { return y; }
  if (sd_is_nan(x)) { return x; }
  let a = abs(x);
  let r = round(y);
  let odd = y == r && abs(r - 2.0 * floor(0.5 * r)) == 1.0;
  var m: f32;
  if (a == 0.0) { m = select(0.0, sd_infinity(), y < 0.0); }
  else { m = exp(y * sd_log(a)); }
  if (x < 0.0) { return select(select(sd_nan(), m, y == r || a > 3.4e38), -m, odd); }
  return m;
}`;

export const floorDivF32 = `fn sd_floor_div_f32(x: f32, y: f32) -> f32 { return floor(x / y); }`;
export const floorDivI32 = `fn sd_floor_div_i32(x: i32, y: i32) -> i32 {
  let r = x % y;
  return x / y - select(0, 1, r != 0 && (r < 0) != (y < 0));
}`;
export const floorDivU32 = `fn sd_floor_div_u32(x: u32, y: u32) -> u32 { return x / y; }`;
export const floorModF32 = `fn sd_floor_mod_f32(x: f32, y: f32) -> f32 {
  let r = x % y;
  return select(r, r + y, r != 0.0 && (r < 0.0) != (y < 0.0));
}`;
export const floorModI32 = `fn sd_floor_mod_i32(x: i32, y: i32) -> i32 {
  let r = x % y;
  return select(r, r + y, r != 0 && (r < 0) != (y < 0));
}`;
export const floorModU32 = `fn sd_floor_mod_u32(x: u32, y: u32) -> u32 { return x % y; }`;

export const log = [logNearOne, logText];
export const log1p = [...log, log1pText];
export const expm1 = [expm1Text];
export const tanh = [isNan, tanhText];
export const sinh = [expm1Text, sinhText];
export const cosh = [expText, coshText];
export const sigmoid = [expText, sigmoidText];
export const softplus = [...log1p, expText, softplusText];
export const erf = [expText, erfText];
export const sinTurn = [isFinite, nan, sinTurnText];
export const tan = [...sinTurn, tanText];
export const atan = [atanText];
export const atan2 = [isNan, ...atan, atan2Text];
export const asin = [asinCore, asinText];
export const acos = [asinCore, acosText];
export const pow = [isNan, ...log, infinity, nan, powText];

// ---------------------------------------------------------------- random bits

const threefryText = `fn sd_threefry_round(v: vec2<u32>, r: u32) -> vec2<u32> {
  let a = v.x + v.y;
  return vec2<u32>(a, ((v.y << r) | (v.y >> (32u - r))) ^ a);
}
fn sd_threefry_rounds_a(v: vec2<u32>) -> vec2<u32> {
  return sd_threefry_round(sd_threefry_round(sd_threefry_round(sd_threefry_round(v, 13u), 15u), 26u), 6u);
}
fn sd_threefry_rounds_b(v: vec2<u32>) -> vec2<u32> {
  return sd_threefry_round(sd_threefry_round(sd_threefry_round(sd_threefry_round(v, 17u), 29u), 16u), 24u);
}
fn sd_threefry(k0: u32, k1: u32, c0: u32, c1: u32) -> vec2<u32> {
  let k2 = 0x1bd11bdau ^ k0 ^ k1;
  var v = sd_threefry_rounds_a(vec2<u32>(c0 + k0, c1 + k1)) + vec2<u32>(k1, k2 + 1u);
  v = sd_threefry_rounds_b(v) + vec2<u32>(k2, k0 + 2u);
  v = sd_threefry_rounds_a(v) + vec2<u32>(k0, k1 + 3u);
  v = sd_threefry_rounds_b(v) + vec2<u32>(k1, k2 + 4u);
  return sd_threefry_rounds_a(v) + vec2<u32>(k2, k0 + 5u);
}`;

/** The image of x under the keyed bijection of [0, rows): see `shuffle.ts`, which is the same arithmetic in TypeScript. */
const shuffleText = `fn sd_mix(value: u32) -> u32 {
  var h = value;
  h = (h ^ (h >> 16u)) * 0x85ebca6bu;
  h = (h ^ (h >> 13u)) * 0xc2b2ae35u;
  return h ^ (h >> 16u);
}
fn sd_shuffle(x: u32, k0: u32, k1: u32, epoch: u32, rows: u32, side: u32) -> u32 {
  let k = sd_threefry(k0, k1, epoch, 0u);
  var v = x;
  let most = side * side - rows + 1u;
  for (var walk = 0u; walk < most; walk++) {
    var left = v / side;
    var right = v % side;
    for (var round = 0u; round < 8u; round++) {
      let next = (left + sd_mix(sd_mix((right ^ k.x) + round * 0x9e3779b9u) ^ k.y) % side) % side;
      left = right;
      right = next;
    }
    v = left * side + right;
    if (v < rows) { break; }
  }
  return v;
}`;

export const threefry = [threefryText];
export const shuffle = [threefryText, shuffleText];
