/**
 * What arguments a draw can be made from. What is known while compiling is refused there; the rest is a fault of the run, found where the draw is made. NaN
 * passes through draws of reals, where it shows; no class or row is NaN, so that there it is a fault.
 */
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { broadcastTo } from './convert.ts';
import type { Value } from './values.ts';

/** Numbers that an argument may be. */
export interface Domain {
  holds(x: number): boolean;
  /** The elements (bool of the shape of x) that are outside. */
  outside(e: Elaboration, x: Node): Node;
  /** After "must be". */
  readonly wanted: string;
}

const compare = (e: Elaboration, name: string, x: Node, y: number) =>
  e.make(name, [x, e.constant(y, 'f32', x.type.shape)]);
const both = (e: Elaboration, x: Node, y: Node) => e.make('and', [x, y]);
const not = (e: Elaboration, x: Node) => e.make('not', [x]);

export const positive: Domain = {
  holds: (x) => x > 0,
  outside: (e, x) => compare(e, 'le', x, 0),
  wanted: 'greater than 0',
};

export const notNegative: Domain = {
  holds: (x) => x >= 0,
  outside: (e, x) => compare(e, 'lt', x, 0),
  wanted: 'at least 0',
};

/** NaN is outside: a coin has no such side. */
export const share: Domain = {
  holds: (x) => x >= 0 && x <= 1,
  outside: (e, x) => not(e, both(e, compare(e, 'ge', x, 0), compare(e, 'le', x, 1))),
  wanted: 'in 0..1',
};

/** x, where `wrong` (bool, stretched to the shape of x) does not hold; where it does, the run ends and says `message`. */
export function faultWhere(e: Elaboration, x: Node, wrong: Node, message: string): Node {
  return e.make('fault_where', [x, broadcastTo(e, wrong, x.type.shape)], { message });
}

/** The numbers of a value, where they are known now: row-major, or one that all are. */
export function numbersOf(value: Value): readonly number[] | undefined {
  if (value.kind === 'exact') return [value.value];
  if (value.kind === 'exactArray') return value.values;
  return value.kind === 'tensor' ? constants(value.node) : undefined;
}

function constants(node: Node): readonly number[] | undefined {
  const { op, inputs, attrs } = node;
  if (op === 'constant')
    return attrs.value === undefined ? (attrs.values as readonly number[]) : [attrs.value as number];
  if (op === 'name' || op === 'reshape') return constants(inputs[0]);
  const repeated = op === 'broadcast' ? constants(inputs[0]) : undefined;
  return repeated?.length === 1 ? repeated : undefined;
}

/** Weights or logits of classes along the last axis, of which at least `count` must be possible. */
export interface Scores {
  readonly node: Node;
  readonly known: readonly number[] | undefined;
  readonly span: Span;
  readonly logits?: boolean;
  readonly count: number;
  /** What is drawn: "categorical", "subset", "the batch". */
  readonly what: string;
}

const LARGEST = 3.4028234663852886e38;

/**
 * Rows (bool, the shape of the scores without its last axis) from which nothing can be drawn; undefined where it is known that there are none. Throws OPT321 where
 * it is known that there are.
 */
export function impossible(e: Elaboration, s: Scores): Node | undefined {
  const classes = s.node.type.shape[s.node.type.shape.length - 1];
  if (s.known) {
    for (const row of rowsOf(s.known, classes)) {
      const why = reason(row, classes, s);
      if (why)
        fail('OPT321', s.span, `${s.what} cannot be drawn: ${why}`, {
          hint: s.logits ? 'give finite logits' : 'give weights of 0 or more, of which enough are positive',
        });
    }
    return undefined;
  }
  return s.logits ? impossibleLogits(e, s.node) : impossibleWeights(e, s.node, s.count);
}

/** What a fault says of rows that are impossible. */
export function impossibleMessage({ what, logits, count }: Pick<Scores, 'what' | 'logits' | 'count'>): string {
  if (logits) return `${what} cannot be drawn: a logit is not a number or infinite, or all are -infinity`;
  const few = count === 1 ? 'all are 0' : `fewer than ${count} are positive`;
  return `${what} cannot be drawn: a weight is negative or not finite, or ${few}`;
}

function rowsOf(known: readonly number[], classes: number): (readonly number[])[] {
  if (known.length < classes) return [known];
  return Array.from({ length: known.length / classes }, (_, i) => known.slice(i * classes, (i + 1) * classes));
}

/** Why a row of known numbers (one where all `classes` are the same) is impossible. */
function reason(row: readonly number[], classes: number, { logits, count }: Scores): string | undefined {
  const wrong = row.find((x) => (logits ? !(x < Infinity) : !(x >= 0 && x < Infinity)));
  if (wrong !== undefined) return `${logits ? 'a logit' : 'a weight'} is ${wrong}`;
  const some = row.filter((x) => (logits ? x > -Infinity : x > 0)).length * (row.length < classes ? classes : 1);
  if (some >= count) return undefined;
  if (logits) return 'all logits are -infinity';
  return some === 0
    ? 'all weights are 0'
    : `${some} of the weights ${some === 1 ? 'is' : 'are'} positive, ${count} are needed`;
}

function impossibleWeights(e: Elaboration, w: Node, count: number): Node {
  const { all, any, last } = along(e, w);
  const fit = all(both(e, compare(e, 'ge', w, 0), e.make('is_finite', [w])));
  const positives = compare(e, 'gt', w, 0);
  if (count === 1) return not(e, both(e, fit, any(positives)));
  const one = e.make('cast', [positives], { dtype: 'i32' });
  const number = e.make('reduce_sum', [one], { axes: [last] });
  const enough = e.make('ge', [number, e.constant(count, 'i32', number.type.shape)]);
  return not(e, both(e, fit, enough));
}

function impossibleLogits(e: Elaboration, z: Node): Node {
  const { all, any } = along(e, z);
  const fit = both(e, compare(e, 'le', z, LARGEST), not(e, e.make('is_nan', [z])));
  return not(e, both(e, all(fit), any(compare(e, 'ge', z, -LARGEST))));
}

function along(e: Elaboration, x: Node) {
  const last = x.type.shape.length - 1;
  const reduce = (name: string) => (y: Node) => e.make(name, [y], { axes: [last] });
  return { all: reduce('reduce_and'), any: reduce('reduce_or'), last };
}
