/**
 * Rewriting rules: pattern → result, each exact for every input, NaN, infinities and zeros of either sign included (the sign of a NaN
 * and, of powers, the last digits and the sign of a zero base aside).
 * What is not here on purpose: 0 · x → 0 (NaN would vanish), x + 0 → x (-0 + 0 is 0; only x + -0 and x - 0 are exact),
 * pow(x, 1/2) → sqrt(x) (they differ at -inf), x / x → 1, sums of broadcasts → products (other roundings).
 */
import type { Graph } from '../ir/tensor/graph.ts';
import { sameShape } from '../ops/arrays.ts';
import { MAX_INTEGER_POWER } from '../ops/elementwise-unary.ts';
import { ops } from '../ops/table.ts';
import type { Node } from '../ops/types.ts';

export interface Rule {
  /** `x * 1 → x`: left the pattern, right the result. */
  readonly name: string;
  /** Ops at the root of the pattern. */
  readonly ops: readonly string[];
  /** The simpler node, of the same type, or undefined where the pattern does not fit. */
  readonly apply: (node: Node, graph: Graph) => Node | undefined;
}

/** The value that a constant has everywhere, or undefined. */
function splat(node: Node): number | undefined {
  return node.op === 'constant' ? (node.attrs.value as number | undefined) : undefined;
}
const isSplat = (node: Node, value: number) => Object.is(splat(node), value);
const list = (node: Node, name: string) => node.attrs[name] as readonly number[];
const isFloat = (node: Node) => node.type.dtype === 'f32';

/** Rule for an operation that is the identity: its first input where the condition holds. */
const identity = (name: string, op: string, holds: (node: Node) => boolean): Rule => ({
  name,
  ops: [op],
  apply: (node) => (holds(node) ? node.inputs[0] : undefined),
});

/** f(f(x)) → x */
const involution = (name: string, op: string): Rule => ({
  name,
  ops: [op],
  apply: ({ inputs: [x] }) => (x.op === op ? x.inputs[0] : undefined),
});

const isIdentityOrder = (axes: readonly number[]) => axes.every((axis, i) => axis === i);
const takesAll = (node: Node) =>
  sameShape(node.type.shape, node.inputs[0].type.shape) && list(node, 'stride').every((s) => s === 1);

/** Primitives of one result that are computed from others. */
const computed = ops
  .filter((def) => def.several === undefined && def.lower.family !== 'source')
  .map(({ name }) => name);

export const simplifyRules: readonly Rule[] = [
  {
    // What has no elements depends on nothing: kernels need not know of it.
    name: 'a value without elements → a constant',
    ops: computed,
    apply: ({ type }, graph) => (type.shape.includes(0) && !type.parts ? graph.constant(0, type) : undefined),
  },
  involution('-(-x) → x', 'neg'),
  involution('not not x → x', 'not'),
  {
    name: 'x * 1 → x, 1 * x → x',
    ops: ['mul'],
    apply: ({ inputs: [x, y] }) => (isSplat(y, 1) ? x : isSplat(x, 1) ? y : undefined),
  },
  identity('x / 1 → x', 'div', ({ inputs: [, y] }) => isSplat(y, 1)),
  {
    name: 'x * -1 → -x, -1 * x → -x',
    ops: ['mul'],
    apply: ({ inputs: [x, y] }, graph) => {
      const other = isSplat(y, -1) ? x : isSplat(x, -1) ? y : undefined;
      return other && graph.make('neg', [other]);
    },
  },
  {
    // f32: -0 + 0 is 0, so only -0 is neutral; integers have one zero
    name: 'x + -0 → x, -0 + x → x (integers: 0)',
    ops: ['add'],
    apply: (node) => {
      const [x, y] = node.inputs;
      const neutral = isFloat(node) ? -0 : 0;
      return isSplat(y, neutral) ? x : isSplat(x, neutral) ? y : undefined;
    },
  },
  identity('x - 0 → x', 'sub', ({ inputs: [, y] }) => isSplat(y, 0)),
  {
    name: 'x + -y → x - y',
    ops: ['add'],
    apply: ({ inputs: [x, y] }, graph) => (y.op === 'neg' ? graph.make('sub', [x, y.inputs[0]]) : undefined),
  },
  {
    name: 'x - -y → x + y',
    ops: ['sub'],
    apply: ({ inputs: [x, y] }, graph) => (y.op === 'neg' ? graph.make('add', [x, y.inputs[0]]) : undefined),
  },
  {
    name: 'select(constant, a, b) → a or b',
    ops: ['select'],
    apply: ({ inputs: [c, a, b] }) => {
      const condition = splat(c);
      return condition === undefined ? undefined : condition !== 0 ? a : b;
    },
  },
  identity('fault_where(x, false) → x', 'fault_where', ({ inputs: [, wrong] }) => splat(wrong) === 0),
  {
    name: 'select(c, a, a) → a',
    ops: ['select'],
    apply: ({ inputs: [, a, b] }) => (a === b ? a : undefined),
  },
  identity('cast to the same dtype → x', 'cast', ({ inputs: [x], type }) => x.type.dtype === type.dtype),
  identity('bitcast to the same dtype → x', 'bitcast', ({ inputs: [x], type }) => x.type.dtype === type.dtype),
  identity('x^1 → x', 'integer_pow', (node) => node.attrs.exponent === 1),
  {
    name: 'pow(x, n) → integer_pow',
    ops: ['pow'],
    apply: ({ inputs: [x, y] }, graph) => {
      const exponent = splat(y);
      const fits = exponent !== undefined && Number.isInteger(exponent) && Math.abs(exponent) <= MAX_INTEGER_POWER;
      return fits ? graph.make('integer_pow', [x], { exponent: exponent + 0 }) : undefined;
    },
  },
  ...['reduce_sum', 'reduce_prod', 'reduce_max', 'reduce_min', 'reduce_and', 'reduce_or'].map((op) =>
    identity(`${op} over no axes → x`, op, (node) => list(node, 'axes').length === 0),
  ),
  identity(
    'broadcast to the same shape → x',
    'broadcast',
    (node) => sameShape(node.type.shape, node.inputs[0].type.shape) && isIdentityOrder(list(node, 'axes')),
  ),
  {
    name: 'broadcast(broadcast(x)) → broadcast(x)',
    ops: ['broadcast'],
    apply: (node, graph) => {
      const [x] = node.inputs;
      if (x.op !== 'broadcast') return undefined;
      const outer = list(node, 'axes');
      const axes = list(x, 'axes').map((a) => outer[a]);
      return graph.make('broadcast', [x.inputs[0]], { shape: node.type.shape, axes });
    },
  },
  identity('reshape to the same shape → x', 'reshape', (node) => sameShape(node.type.shape, node.inputs[0].type.shape)),
  {
    name: 'reshape(reshape(x)) → reshape(x)',
    ops: ['reshape'],
    apply: (node, graph) => {
      const [x] = node.inputs;
      return x.op === 'reshape' ? graph.make('reshape', [x.inputs[0]], node.attrs) : undefined;
    },
  },
  identity('permute in order → x', 'permute', (node) => isIdentityOrder(list(node, 'axes'))),
  {
    name: 'permute(permute(x)) → permute(x)',
    ops: ['permute'],
    apply: (node, graph) => {
      const [x] = node.inputs;
      if (x.op !== 'permute') return undefined;
      const inner = list(x, 'axes');
      return graph.make('permute', [x.inputs[0]], { axes: list(node, 'axes').map((a) => inner[a]) });
    },
  },
  identity('slice of everything → x', 'slice', takesAll),
  identity('pad by nothing → x', 'pad', (node) => sameShape(node.type.shape, node.inputs[0].type.shape)),
  identity('concat of one → x', 'concat', (node) => node.inputs.length === 1),
  {
    name: 'flip(flip(x)) → x',
    ops: ['flip'],
    apply: (node) => {
      const [x] = node.inputs;
      if (x.op !== 'flip') return undefined;
      const [outer, inner] = [list(node, 'axes'), list(x, 'axes')];
      return outer.length === inner.length && outer.every((a) => inner.includes(a)) ? x.inputs[0] : undefined;
    },
  },
];
