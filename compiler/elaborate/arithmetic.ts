/**
 * Operators: exact arithmetic on numbers known now, tensor arithmetic with the language's broadcasting, leaf-wise arithmetic on trees.
 * Broadcasting: a scalar meets anything; equal ranks stretch 1s; otherwise the shorter shape is aligned at the trailing dims, and
 * refused where it could be meant at another place too.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { op as opOf } from '../ops/table.ts';
import type { DType, Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { broadcastTo, literal, mapLeaves, plain, toNode, zipLeaves } from './convert.ts';
import { exact, type Exact, type ExactArray, tensor, truth, type Value } from './values.ts';

/** An operand with the place it was written at. */
export interface Operand {
  readonly value: Value;
  readonly span: Span;
}

const OPS: Partial<Record<ast.BinaryOp, string>> = {
  '+': 'add',
  '-': 'sub',
  '*': 'mul',
  '/': 'div',
  div: 'floor_div',
  mod: 'floor_mod',
  '^': 'pow',
  '==': 'eq',
  '!=': 'ne',
  '<': 'lt',
  '<=': 'le',
  '>': 'gt',
  '>=': 'ge',
  and: 'and',
  or: 'or',
};
const COMPARISONS = new Set(['eq', 'ne', 'lt', 'le', 'gt', 'ge']);

export function binary(e: Elaboration, op: ast.BinaryOp, a: Operand, b: Operand, span: Span): Value {
  if (op === '@')
    return tensor(
      matmul(e, toNode(e, a.value, a.span, 'f32'), toNode(e, b.value, b.span, 'f32'), a.span, b.span, span),
    );
  const name = OPS[op];
  if (name === undefined)
    fail('OPT304', span, `'${op}' compares claims of an expect and is no value`, { hint: 'write abs(a - b) <= t' });
  return zipLeaves(e, [a.value, b.value], [a.span, b.span], ([x, y]) =>
    e.graph.at(span, () => leaf(e, name, { value: x, span: a.span }, { value: y, span: b.span }, span)),
  );
}

function leaf(e: Elaboration, name: string, a: Operand, b: Operand, span: Span): Value {
  if (a.value.kind === 'exact' && b.value.kind === 'exact') return exactBinary(name, a.value, b.value, b.span);
  if (a.value.kind === 'truth' && b.value.kind === 'truth')
    return truthBinary(name, a.value.value, b.value.value, span);
  const folded = exactArrayBinary(name, a.value, b.value);
  if (folded) return folded;
  if (name === 'pow') return tensor(power(e, a, b));
  return tensor(tensorBinary(e, name, a, b, span));
}

function exactBinary(name: string, a: Exact, b: Exact, at: Span): Value {
  const x = a.value;
  const y = b.value;
  if (COMPARISONS.has(name)) return truth(compare(name, x, y));
  if ((name === 'div' || name === 'floor_div' || name === 'floor_mod') && y === 0)
    fail('OPT315', at, 'division by zero', { hint: 'this number is 0' });
  const integral = a.integral && b.integral;
  switch (name) {
    case 'add':
      return exact(x + y, integral);
    case 'sub':
      return exact(x - y, integral);
    case 'mul':
      return exact(x * y, integral);
    case 'div':
      return exact(x / y, false);
    case 'floor_div':
      return exact(Math.floor(x / y), integral);
    case 'floor_mod':
      return exact(x - y * Math.floor(x / y), integral);
    case 'pow':
      return exact(x ** y, integral && y >= 0);
    default:
      fail('OPT301', at, 'and, or take conditions, not numbers', { hint: 'compare the numbers first' });
  }
}

function compare(name: string, x: number, y: number): boolean {
  switch (name) {
    case 'eq':
      return x === y;
    case 'ne':
      return x !== y;
    case 'lt':
      return x < y;
    case 'le':
      return x <= y;
    case 'gt':
      return x > y;
    default:
      return x >= y;
  }
}

function truthBinary(name: string, x: boolean, y: boolean, span: Span): Value {
  if (name === 'and') return truth(x && y);
  if (name === 'or') return truth(x || y);
  if (name === 'eq') return truth(x === y);
  if (name === 'ne') return truth(x !== y);
  fail('OPT301', span, 'arithmetic on conditions', { hint: 'f32(c) is 1 where c holds and 0 elsewhere' });
}

/** A literal array with a number or another one of its shape stays exact for + - * /. */
function exactArrayBinary(name: string, a: Value, b: Value): Value | undefined {
  const isExact = (v: Value): v is Exact | ExactArray => v.kind === 'exact' || v.kind === 'exactArray';
  if (!isExact(a) || !isExact(b) || !['add', 'sub', 'mul', 'div'].includes(name)) return undefined;
  const shape = a.kind === 'exactArray' ? a.shape : (b as ExactArray).shape;
  if (a.kind === 'exactArray' && b.kind === 'exactArray' && a.shape.join() !== b.shape.join()) return undefined;
  const at = (v: Exact | ExactArray, i: number) => (v.kind === 'exact' ? v.value : v.values[i]);
  const n = shape.reduce((x, y) => x * y, 1);
  const f = {
    add: (x: number, y: number) => x + y,
    sub: (x: number, y: number) => x - y,
    mul: (x: number, y: number) => x * y,
    div: (x: number, y: number) => x / y,
  }[name as 'add' | 'sub' | 'mul' | 'div'];
  const values = Array.from({ length: n }, (_, i) => f(at(a, i), at(b, i)));
  return { kind: 'exactArray', values, shape, integral: a.integral && b.integral && name !== 'div' };
}

/** Both operands as nodes of one dtype and shape. */
function meet(e: Elaboration, a: Operand, b: Operand, span: Span): [Node, Node] {
  const [x, y] = unify(e, a, b);
  if (x.type.dtype !== y.type.dtype) {
    fail('OPT301', span, `${x.type.dtype} meets ${y.type.dtype}`, {
      labels: [
        { span: a.span, text: `this has type ${e.typeText(x.type)}` },
        { span: b.span, text: `this has type ${e.typeText(y.type)}` },
      ],
      hint: 'convert one side: f32(x) or i32(x)',
    });
  }
  const shape = broadcastShape(e, [x, y], [a.span, b.span], span);
  return [broadcastTo(e, x, shape), broadcastTo(e, y, shape)];
}

/** Exact operands take the dtype of the other, and a single number its shape. */
function unify(e: Elaboration, a: Operand, b: Operand): [Node, Node] {
  const isExact = (v: Value): v is Exact | ExactArray => v.kind === 'exact' || v.kind === 'exactArray';
  if (isExact(a.value) && !isExact(b.value)) {
    const y = toNode(e, b.value, b.span);
    return [literal(e, a.value, y.type.dtype, a.span, y.type.shape), y];
  }
  if (isExact(b.value) && !isExact(a.value)) {
    const x = toNode(e, a.value, a.span);
    return [x, literal(e, b.value, x.type.dtype, b.span, x.type.shape)];
  }
  const both = isExact(a.value) && isExact(b.value);
  const integral = both && (a.value as Exact).integral && (b.value as Exact).integral;
  const dtype: DType | undefined = both ? (integral ? 'i32' : 'f32') : undefined;
  return [toNode(e, a.value, a.span, dtype), toNode(e, b.value, b.span, dtype)];
}

/** An integer value over (or under) a number that is f32 (written so, or a parameter without type) can only be meant as a fraction. */
function fraction(e: Elaboration, o: Operand, other: Operand): Operand {
  if (other.value.kind !== 'exact' || other.value.integral || o.value.kind !== 'tensor') return o;
  const { node } = o.value;
  return node.type.dtype === 'i32' ? { value: tensor(cast(e, node, 'f32')), span: o.span } : o;
}

function tensorBinary(e: Elaboration, name: string, a: Operand, b: Operand, span: Span): Node {
  const [x, y] = name === 'div' ? meet(e, fraction(e, a, b), fraction(e, b, a), span) : meet(e, a, b, span);
  const dtype = x.type.dtype;
  if (name === 'div' && dtype !== 'f32') {
    const whole = (o: Operand): string =>
      o.value.kind === 'exact' ? e.options.text(o.span) : `f32(${e.options.text(o.span)})`;
    fail('OPT309', span, `'/' on ${dtype} values`, {
      labels: [a, b].flatMap((o) =>
        o.value.kind === 'tensor' ? [{ span: o.span, text: `this has type ${dtype}` }] : [],
      ),
      hint: `use div for whole division, or convert: ${whole(a)} / ${whole(b)}`,
    });
  }
  if (dtype === 'bool' && !['and', 'or', 'eq', 'ne'].includes(name)) {
    fail('OPT301', span, `conditions (bool) have no '${symbol(name)}'`, {
      hint: 'convert: f32(c) is 1 where c holds and 0 elsewhere',
    });
  }
  if ((name === 'and' || name === 'or') && dtype !== 'bool') {
    fail('OPT301', span, `'${name}' takes conditions (bool), not ${dtype}`, { hint: 'compare first: x != 0' });
  }
  return e.make(name, [x, y]);
}

function symbol(name: string): string {
  return Object.entries(OPS).find(([, v]) => v === name)?.[0] ?? name;
}

/** x^n by multiplication for whole n; otherwise pow on f32 (integers on either side become f32). */
function power(e: Elaboration, a: Operand, b: Operand): Node {
  if (b.value.kind === 'exact' && Number.isInteger(b.value.value) && Math.abs(b.value.value) <= 64) {
    const base = toNode(e, a.value, a.span);
    const exponent = b.value.value;
    if (base.type.dtype !== 'f32' && exponent < 0) {
      fail('OPT309', b.span, `a negative power of ${base.type.dtype} values`, { hint: 'convert first: f32(x)^-1' });
    }
    if (base.type.dtype === 'bool') fail('OPT301', a.span, 'a power of a condition', { hint: 'convert it: f32(c)' });
    return e.make('integer_pow', [base], { exponent });
  }
  const float = (o: Operand): Operand => {
    const node = toNode(e, o.value, o.span, 'f32');
    return { value: tensor(node.type.dtype === 'f32' ? node : cast(e, node, 'f32')), span: o.span };
  };
  const [x, y] = meet(e, float(a), float(b), a.span);
  return e.make('pow', [x, y]);
}

export function cast(e: Elaboration, node: Node, dtype: DType): Node {
  return node.type.dtype === dtype ? node : e.make('cast', [node], { dtype });
}

/** Common shape of operands under the language's broadcasting; errors name both places. */
export function broadcastShape(
  e: Elaboration,
  nodes: readonly Node[],
  spans: readonly Span[],
  span: Span,
): readonly number[] {
  return nodes.slice(1).reduce<readonly number[]>((shape, node, k) => {
    const labels = () => [
      { span: spans[0], text: `this has shape ${e.shapeText(nodes[0].type.shape)}` },
      { span: spans[k + 1], text: `this has shape ${e.shapeText(node.type.shape)}` },
    ];
    const other = node.type.shape;
    if (shape.length === 0 || other.length === 0) return shape.length === 0 ? other : shape;
    const [long, short] = shape.length >= other.length ? [shape, other] : [other, shape];
    const offset = long.length - short.length;
    const fits = (at: number) => short.every((d, i) => d === long[at + i] || d === 1 || long[at + i] === 1);
    if (!fits(offset)) {
      const clash = short.findIndex((d, i) => d !== long[offset + i] && d !== 1 && long[offset + i] !== 1);
      fail(
        'OPT302',
        span,
        `shapes ${e.shapeText(shape)} and ${e.shapeText(other)} do not fit: ${e.dim(long[offset + clash])} meets ${e.dim(short[clash])}`,
        {
          labels: labels(),
          hint:
            offset > 0 && fits(0)
              ? `add an axis to the shorter one: x[${':, '.repeat(short.length)}new]`
              : 'shapes are aligned at their last axes; sizes must be equal or 1',
        },
      );
    }
    if (offset > 0 && !isParameter(e, short === other ? node : nodes[0])) {
      for (let at = 0; at < offset; at++) {
        if (short.every((d, i) => d === long[at + i]) && short.some((d) => d !== 1)) {
          fail('OPT303', span, `${e.shapeText(short)} could be meant at more than one place in ${e.shapeText(long)}`, {
            labels: labels(),
            hint: 'say where it stands: w[:, new] or w[new, :]',
          });
        }
      }
    }
    return long.map((d, i) => (i < offset ? d : d === 1 ? short[i - offset] : d));
  }, nodes[0].type.shape);
}

/** A parameter of a model: its declared dims say where it stands (`x @ W + b`), also where sizes happen to be equal. */
function isParameter(e: Elaboration, node: Node): boolean {
  let n = node;
  while (n.op === 'name' || n.op === 'stop') n = n.inputs[0];
  const id = n.op === 'version' ? n.attrs.cell : n.op === 'parameter' ? n.attrs.name : undefined;
  const kind = e.cells.get(id as string)?.kind;
  return kind === 'param' || kind === 'frozen' || kind === 'state';
}

/** Contracts the last axis of a with the last but one of b (the only one of a vector); leading axes batch. */
export function matmul(e: Elaboration, a: Node, b: Node, aSpan: Span, bSpan: Span, span: Span): Node {
  const as = a.type.shape;
  const bs = b.type.shape;
  const labels = [
    { span: aSpan, text: `this has type ${e.typeText(a.type)}` },
    { span: bSpan, text: `this has type ${e.typeText(b.type)}` },
  ];
  if (a.type.dtype !== 'f32' || b.type.dtype !== 'f32') {
    fail('OPT301', span, `'@' multiplies f32 matrices`, { labels, hint: 'convert first: f32(x)' });
  }
  if (as.length === 0 || bs.length === 0)
    fail('OPT306', span, `'@' needs vectors or matrices, not scalars`, { labels, hint: 'use * with scalars' });
  const ac = as.length - 1;
  const bc = Math.max(0, bs.length - 2);
  if (as[ac] !== bs[bc]) {
    fail(
      'OPT302',
      span,
      `'@' contracts ${e.dim(as[ac])} with ${e.dim(bs[bc])}: shapes ${e.shapeText(as)} and ${e.shapeText(bs)} do not fit`,
      {
        labels,
        hint:
          bs.length >= 2 && as[ac] === bs[bs.length - 1]
            ? 'transpose the right side: a @ transpose(b)'
            : 'the last axis on the left must equal the last but one on the right',
      },
    );
  }
  const batch = Math.max(0, bs.length - 2);
  const lead = Math.max(0, as.length - 2);
  const shared = Math.min(batch, lead);
  if (batch === 0 || lead === 0) {
    const axes = { lhs_contract: [ac], rhs_contract: [bc], lhs_batch: [], rhs_batch: [] };
    const out = e.make('dot_general', [a, b], axes);
    if (batch === 0) return out;
    // A matrix times a stack: the stack's leading axes come first.
    const rank = out.type.shape.length;
    const free = as.length - 1;
    const perm = [...range(free, free + batch), ...range(0, free), ...range(free + batch, rank)];
    return e.make('permute', [out], { axes: perm });
  }
  if (batch !== lead || range(0, shared).some((i) => as[i] !== bs[i])) {
    fail('OPT302', span, `'@' on stacks needs equal leading axes: ${e.shapeText(as)} and ${e.shapeText(bs)}`, {
      labels,
      hint: 'reshape or slice one of them',
    });
  }
  return e.make('dot_general', [a, b], {
    lhs_contract: [ac],
    rhs_contract: [bc],
    lhs_batch: range(0, shared),
    rhs_batch: range(0, shared),
  });
}

export function range(lo: number, hi: number): number[] {
  return Array.from({ length: Math.max(0, hi - lo) }, (_, i) => lo + i);
}

/** `-x` and `not c`, leaf by leaf. */
export function unary(e: Elaboration, op: '-' | 'not', value: Value, span: Span): Value {
  return mapLeaves(e, plain(e, value, span), span, (v) => {
    if (op === '-') {
      if (v.kind === 'exact') return exact(-v.value, v.integral);
      if (v.kind === 'exactArray') return { ...v, values: v.values.map((x) => -x) };
    } else if (v.kind === 'truth') return truth(!v.value);
    const node = toNode(e, v, span);
    if (op === 'not' && node.type.dtype !== 'bool')
      fail('OPT301', span, `'not' takes a condition (bool), not ${node.type.dtype}`, { hint: 'compare first: x == 0' });
    if (op === '-' && (node.type.dtype === 'bool' || node.type.dtype === 'u32'))
      fail('OPT301', span, `'-' of ${node.type.dtype} values`, { hint: 'convert first: f32(x)' });
    return tensor(e.make(op === '-' ? 'neg' : 'not', [node]));
  });
}

/** A primitive of one float argument on an exact number. */
export function exactUnary(name: string, v: Exact): Exact {
  const def = opOf(name);
  const value = def.scalar ? def.scalar([v.value], {}, { inputs: ['f32'], output: 'f32' }) : Number.NaN;
  return exact(
    value,
    (name === 'abs' || name === 'sign' || name === 'floor' || name === 'ceil' || name === 'round') && v.integral,
  );
}

/** 0 where the condition holds, else minus infinity. */
export function indicator(e: Elaboration, holds: Node): Node {
  return e.make('log', [cast(e, holds, 'f32')]);
}
