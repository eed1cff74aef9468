/**
 * Rows drawn in proportion to weights. Shares are whole numbers, whose running sums are exact on every device, so that a row of weight 0 is never drawn, one of a
 * positive weight can be, and all others have their probability to within 2^-30.
 */
import type { Node } from '../ops/types.ts';
import { cast } from './arithmetic.ts';
import type { Elaboration } from './context.ts';
import { broadcastTo } from './convert.ts';
import { faultWhere, impossible, impossibleMessage, type Scores } from './draw-checks.ts';

/** What all shares add up to, nearly. At most as many rows more may have been raised to 1. */
const WHOLE = 2 ** 30;

/**
 * Indices (i32 of the shape) of weights f32[n], drawn independently with replacement: the first whose running sum of shares is beyond a uniform number (inversion).
 * Weights that are negative, not finite or all 0 are refused if they are `known`, else a fault of the run.
 */
export function drawWeighted(
  e: Elaboration,
  key: Node,
  shape: readonly number[],
  weights: Pick<Scores, 'node' | 'known' | 'span'>,
): Node {
  const op = (name: string, ...inputs: Node[]) => e.make(name, inputs);
  const [n] = weights.node.type.shape;
  const given = { ...weights, count: 1, what: 'the batch' };
  const wrong = impossible(e, given);
  const shares = sharesOf(e, weights.node);
  const sums = e.make('cumsum', [shares], { axis: 0 });
  const total = e.make('reduce_sum', [shares], { axes: [0] });
  const bits = e.make('random_bits', [key], { shape, word: 0 });
  const place = productHigh(e, bits, broadcastTo(e, e.make('bitcast', [total], { dtype: 'u32' }), shape));
  const aim = e.make('bitcast', [place], { dtype: 'i32' });
  const one = e.constant(1, 'i32', shape);
  const last = e.constant(n - 1, 'i32', shape);
  let index = e.constant(0, 'i32', shape);
  // index is the largest number, as far as its bits are known, of rows whose running sums are at most the aim.
  for (let step = 2 ** Math.floor(Math.log2(Math.max(1, n - 1))); step >= 1; step /= 2) {
    const next = op('add', index, e.constant(step, 'i32', shape));
    const inside = op('le', next, last);
    const sum = e.make('gather', [sums, op('sub', op('min', next, last), op('min', one, last))], { axis: 0 });
    index = op('select', op('and', inside, op('le', sum, aim)), next, index);
  }
  const found = wrong ? faultWhere(e, index, wrong, impossibleMessage(given)) : index;
  return e.make('name', [found], { name: 'rows', draw: 'replacement' });
}

/** Whole shares (i32) of `WHOLE`, at least 1 where the weight is positive. */
function sharesOf(e: Elaboration, weights: Node): Node {
  const { shape } = weights.type;
  const op = (name: string, ...inputs: Node[]) => e.make(name, inputs);
  const largest = e.make('reduce_max', [weights], { axes: [0] });
  const relative = op('div', weights, broadcastTo(e, largest, shape));
  const sum = e.make('reduce_sum', [relative], { axes: [0] });
  const exact = op('mul', relative, broadcastTo(e, op('div', e.constant(WHOLE, 'f32'), sum), shape));
  const raised = op('max', cast(e, exact, 'i32'), e.constant(1, 'i32', shape));
  const positive = op('gt', weights, e.constant(0, 'f32', shape));
  return op('select', positive, raised, e.constant(0, 'i32', shape));
}

/** The upper 32 bits of the product of two u32: for random bits a and a width b, a number below b. By halves, which WGSL has no wider type for. */
function productHigh(e: Elaboration, a: Node, b: Node): Node {
  const { shape } = a.type;
  const op = (name: string, ...inputs: Node[]) => e.make(name, inputs);
  const low = (x: Node) => op('and', x, e.constant(0xffff, 'u32', shape));
  const high = (x: Node) => op('shift_right', x, e.constant(16, 'u32', shape));
  const [al, ah, bl, bh] = [low(a), high(a), low(b), high(b)];
  const first = op('add', op('mul', ah, bl), high(op('mul', al, bl)));
  const second = op('add', op('mul', al, bh), low(first));
  return op('add', op('add', op('mul', ah, bh), high(first)), high(second));
}
