/**
 * Values made of random bits: uniform, normal, Gumbel, gamma, orthonormal. Each is a function of the key alone, so that it is the same wherever and as often
 * as it is evaluated. Numbers that one key must give beside each other are rows of one array of bits.
 */
import { makeLoop, regionParameter } from '../ops/closed.ts';
import type { Node } from '../ops/types.ts';
import type { Elaboration } from './context.ts';
import { broadcastTo } from './convert.ts';

/** Bits modulo `width` (u32 of the shape), as i32. */
export function below(e: Elaboration, k: Node, shape: readonly number[], width: Node): Node {
  const bits = e.make('random_bits', [k], { shape, word: 0 });
  return e.make('bitcast', [e.make('floor_mod', [bits, width])], { dtype: 'i32' });
}

/** Uniform in [0, 1) with 23 bits: the bits become the fraction of a float in [1, 2). */
export function unit(e: Elaboration, k: Node, shape: readonly number[], word: 0 | 1): Node {
  const bits = e.make('random_bits', [k], { shape, word });
  const fraction = e.make('shift_right', [bits, e.constant(9, 'u32', shape)]);
  const float = e.make('bitcast', [e.make('or', [fraction, e.constant(0x3f800000, 'u32', shape)])], { dtype: 'f32' });
  return e.make('sub', [float, e.constant(1, 'f32', shape)]);
}

/** Uniform in (0, 1]. */
function positiveUnit(e: Elaboration, k: Node, shape: readonly number[], word: 0 | 1): Node {
  return e.make('sub', [e.constant(1, 'f32', shape), unit(e, k, shape, word)]);
}

/** Uniform in (0, 1): the middle of each of 2^23 intervals. */
export function openUnit(e: Elaboration, k: Node, shape: readonly number[]): Node {
  return e.make('add', [unit(e, k, shape, 0), e.constant(2 ** -24, 'f32', shape)]);
}

/** Box and Muller (1958): sqrt(-2 log u) cos(2 pi v). */
export function standardNormal(e: Elaboration, k: Node, shape: readonly number[]): Node {
  const radius = e.make('sqrt', [
    e.make('mul', [e.constant(-2, 'f32', shape), e.make('log', [positiveUnit(e, k, shape, 0)])]),
  ]);
  const angle = e.make('mul', [e.constant(2 * Math.PI, 'f32', shape), unit(e, k, shape, 1)]);
  return e.make('mul', [radius, e.make('cos', [angle])]);
}

/** -log(-log u), finite at every u. */
export function gumbel(e: Elaboration, k: Node, shape: readonly number[]): Node {
  const minusLog = (x: Node) => e.make('neg', [e.make('log', [x])]);
  return minusLog(minusLog(openUnit(e, k, shape)));
}

/** Rounds of rejection: each accepts with probability 0.9515 or more (at shape 1), so that all fail with probability below 1e-9. */
const ROUNDS = 7;

/**
 * Logarithm of a gamma variate of scale 1 for shapes `a` (f32, positive). Marsaglia and Tsang (2000): d (1 + c x)^3 with d = a - 1/3 and
 * c = 1/sqrt(9 d) for a normal x, accepted where log u < x^2 / 2 + d - d v + d log v. Shapes below 1 take that of a + 1 times u^(1/a). In logarithms since small
 * shapes give numbers far below the smallest float.
 */
export function logGamma(e: Elaboration, k: Node, a: Node): Node {
  const { shape } = a.type;
  const number = (x: number) => e.constant(x, 'f32', shape);
  const op = (name: string, ...inputs: Node[]) => e.make(name, inputs);
  const row = (all: Node, i: number): Node => {
    const whole = all.type.shape;
    const start = [i, ...shape.map(() => 0)];
    const slice = e.make('slice', [all], { start, limit: [i + 1, ...shape], stride: whole.map(() => 1) });
    return e.make('reshape', [slice], { shape });
  };
  const small = op('lt', a, number(1));
  const shifted = op('select', small, op('add', a, number(1)), a);
  const d = op('sub', shifted, number(1 / 3));
  const c = op('div', number(1 / 3), op('sqrt', d));
  // Rows 0 … R - 1 are normal, R … 2R - 1 decide, the last is for shapes below 1: no two share a counter.
  const rows = [2 * ROUNDS + 1, ...shape];
  const normals = standardNormal(e, k, rows);
  const units = openUnit(e, k, rows);
  let log = op('log', d);
  for (let round = ROUNDS - 1; round >= 0; round--) {
    const x = row(normals, round);
    const base = op('add', number(1), op('mul', c, x));
    const positive = op('gt', base, number(0));
    const logV = op('mul', number(3), op('log', op('select', positive, base, number(1))));
    const bound = op(
      'add',
      op('mul', number(0.5), op('mul', x, x)),
      op('mul', d, op('add', op('sub', number(1), op('exp', logV)), logV)),
    );
    const accepted = op('and', positive, op('lt', op('log', row(units, ROUNDS + round)), bound));
    log = op('select', accepted, op('add', op('log', d), logV), log);
  }
  const power = op('div', op('log', row(units, 2 * ROUNDS)), op('select', small, a, number(1)));
  // finite for the smallest of shapes too, since differences are taken of results
  return op('select', small, op('add', log, op('max', power, number(-1e38))), log);
}

/**
 * log Γ(x) for positive x, with derivatives: Stirling's series at x + 8 below 8 (Abramowitz and Stegun 6.1.41), less the logarithm of x (x + 1) … (x + 7).
 */
export function lgamma(e: Elaboration, x: Node): Node {
  const number = (v: number) => e.constant(v, 'f32', x.type.shape);
  const op = (name: string, ...inputs: Node[]) => e.make(name, inputs);
  const small = op('lt', x, number(8));
  const low = op('select', small, x, number(1));
  const product = Array.from({ length: 8 }, (_, i) => op('add', low, number(i))).reduce((p, f) => op('mul', p, f));
  const y = op('select', small, op('add', x, number(8)), x);
  const inverse = op('div', number(1), y);
  const square = op('mul', inverse, inverse);
  const series = op(
    'mul',
    inverse,
    op('add', number(1 / 12), op('mul', square, op('add', number(-1 / 360), op('mul', square, number(1 / 1260))))),
  );
  const main = op('sub', op('mul', op('sub', y, number(0.5)), op('log', y)), y);
  const stirling = op('add', op('add', main, number(0.5 * Math.log(2 * Math.PI))), series);
  return op('sub', stirling, op('select', small, op('log', product), number(0)));
}

/**
 * Orthonormal columns (rows where they are fewer) of a matrix of normal numbers: Haar-distributed, since Gram and Schmidt's diagonal is positive. Each
 * column is projected twice, which is enough for orthogonality to rounding (Giraud et al., 2005).
 */
export function orthonormal(e: Elaboration, k: Node, shape: readonly number[]): Node {
  const [m, n] = [Math.max(...shape), Math.min(...shape)];
  // Columns are rows of a sequence of n vectors of length m.
  const vectors = standardNormal(e, k, [n, m]);
  const i = regionParameter(e.graph, 'i', { dtype: 'i32', shape: [] });
  const found = regionParameter(e.graph, 'q', { dtype: 'f32', shape: [n, m] });
  const column = regionParameter(e.graph, 'v', { dtype: 'f32', shape: [m] });
  const dot = (a: Node, b: Node, lhs: number, rhs: number) =>
    e.make('dot_general', [a, b], { lhs_contract: [lhs], rhs_contract: [rhs], lhs_batch: [], rhs_batch: [] });
  const project = (v: Node) => e.make('sub', [v, dot(dot(found, v, 1, 0), found, 0, 0)]);
  const rest = project(project(column));
  const length = e.make('sqrt', [e.make('reduce_sum', [e.make('mul', [rest, rest])], { axes: [0] })]);
  const row = e.make('div', [rest, broadcastTo(e, length, [m])]);
  const start = [i, e.constant(0, 'i32')];
  const next = e.make('dynamic_update_slice', [found, e.make('reshape', [row], { shape: [1, m] }), ...start]);
  const loop = makeLoop(e.graph, {
    carries: [e.constant(0, 'f32', [n, m])],
    xs: [vectors],
    consts: [],
    max: n,
    body: { params: [i, found, column], results: [next] },
  });
  const q = loop.carry(0);
  return shape[0] === n && m !== n ? q : e.make('permute', [q], { axes: [1, 0] });
}
