/** Ranges `a..b`, `a..=b` as values: their length is known when compiling, also where their ends are not. */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import type { Elaboration } from './context.ts';
import { toDim, toNode } from './convert.ts';
import type { Frame } from './scope.ts';
import { exact, tensor, type Value } from './values.ts';

/** The range; run-time ends need a static `b - a`, as in `a..a + 4` or `a - 4..a`. */
export function rangeValue(e: Elaboration, expr: ast.RangeExpr, frame: Frame): Value {
  const lo = e.do.expression(e, expr.lo, frame);
  if (lo.kind === 'exact') {
    const hi = e.do.expression(e, expr.hi, frame);
    const from = toDim(e, lo, expr.lo.span, 'the start of a range');
    const to = toDim(e, hi, expr.hi.span, 'the end of a range') + (expr.closed ? 1 : 0);
    return { kind: 'range', lo: exact(from, true), length: lengthOf(expr, to - from) };
  }
  const start = toNode(e, lo, expr.lo.span, 'i32');
  if (start.type.dtype !== 'i32' || start.type.shape.length > 0)
    fail('OPT305', expr.lo.span, `a range starts at an i32 scalar, not ${e.typeText(start.type)}`, {
      hint: 'convert it: i32(x)',
    });
  const length = writtenLength(e, expr, frame) ?? computedLength(e, expr, start, frame);
  if (length === undefined)
    fail('OPT305', expr.span, 'a range with run-time ends needs a static length', {
      hint: `write its end as the start plus a number: ${e.options.text(expr.lo.span)}..${e.options.text(expr.lo.span)} + n`,
    });
  return { kind: 'range', lo: tensor(start), length: lengthOf(expr, length + (expr.closed ? 1 : 0)) };
}

function lengthOf(expr: ast.RangeExpr, length: number): number {
  if (length < 0)
    fail('OPT307', expr.span, `this range runs backwards: its end is ${-length} below its start`, {
      hint: 'the end must not be below the start',
    });
  return length;
}

/** n in `a..a + n`, where both texts of a are the same: a is then evaluated once, whatever it is. */
function writtenLength(e: Elaboration, expr: ast.RangeExpr, frame: Frame): number | undefined {
  const { lo, hi } = expr;
  if (hi.kind !== 'binary' || hi.op !== '+') return undefined;
  const text = e.options.text(lo.span).trim();
  const [same, other] = e.options.text(hi.left.span).trim() === text ? [hi.left, hi.right] : [hi.right, hi.left];
  if (e.options.text(same.span).trim() !== text) return undefined;
  return toDim(e, e.do.expression(e, other, frame), other.span, 'the length of a range');
}

/** b - a, where both are the same sum of multiples of values but for a number. */
function computedLength(e: Elaboration, expr: ast.RangeExpr, start: Node, frame: Frame): number | undefined {
  const hi = e.do.expression(e, expr.hi, frame);
  if (hi.kind !== 'tensor') return undefined;
  const known = new Map<Node, Linear>();
  const [a, b] = [linear(start, known), linear(hi.node, known)];
  const nodes = new Set([...a.terms.keys(), ...b.terms.keys()]);
  const same = [...nodes].every((node) => (a.terms.get(node) ?? 0) === (b.terms.get(node) ?? 0));
  return same ? b.number - a.number : undefined;
}

/** An integer as a number and multiples of values that are not taken apart further. */
interface Linear {
  readonly number: number;
  readonly terms: ReadonlyMap<Node, number>;
}

const nothing: Linear = { number: 0, terms: new Map() };

/** A node as a sum; `known` holds those of nodes seen before, so that shared ones are taken apart once. */
function linear(node: Node, known: Map<Node, Linear>): Linear {
  const found = known.get(node) ?? apart(node, (input) => linear(input, known));
  known.set(node, found);
  return found;
}

function apart(node: Node, of: (input: Node) => Linear): Linear {
  const [x, y] = node.inputs;
  switch (node.op) {
    case 'constant':
      if (typeof node.attrs.value === 'number') return { ...nothing, number: node.attrs.value };
      break;
    case 'name':
      return of(x);
    case 'neg':
      return combined(nothing, of(x), -1);
    case 'add':
      return combined(of(x), of(y), 1);
    case 'sub':
      return combined(of(x), of(y), -1);
    case 'mul': {
      const [a, b] = [of(x), of(y)];
      if (a.terms.size === 0) return combined(nothing, b, a.number);
      if (b.terms.size === 0) return combined(nothing, a, b.number);
      break;
    }
    default:
  }
  return { number: 0, terms: new Map([[node, 1]]) };
}

/** a + factor b. */
function combined(a: Linear, b: Linear, factor: number): Linear {
  const terms = new Map(a.terms);
  for (const [node, n] of b.terms) terms.set(node, (terms.get(node) ?? 0) + factor * n);
  return { number: a.number + factor * b.number, terms };
}
