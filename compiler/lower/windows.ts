/**
 * Windows, overlap-adds and convolutions. A window is an index map, so a convolution is a contraction that reads its left operand through one
 * (implicit im2col: nothing of that size is ever stored) in the tiles of `contraction.ts`, and its derivative by the kernel is another.
 */
import type { Node } from '../ops/types.ts';
import { geometryAttrs, geometryOf } from '../ops/window-geometry.ts';
import { type ConvShape, convShape } from '../ops/windows.ts';
import { range, sizeOf } from '../ops/arrays.ts';
import type { Value } from '../ir/kernel/builder.ts';
import {
  addIndex,
  clampIndex,
  divIndex,
  ix,
  laneOf,
  modIndex,
  ofAtom,
  scaleIndex,
  unflatten,
  type IndexExpr,
} from '../ir/kernel/index-expr.ts';
import type { ElementWriter } from './storage.ts';

/** Gathers tests of which all must hold. */
class Tests {
  private readonly p: ElementWriter;
  value: Value | undefined;
  /** True once a test is known to fail. */
  never = false;

  constructor(p: ElementWriter) {
    this.p = p;
  }

  /** `e`, kept in lo..hi by a test that it lies there. */
  within(e: IndexExpr, lo: number, hi: number): IndexExpr {
    const { b } = this.p;
    if (e.lo >= lo && e.hi <= hi) return e;
    const test = b.inside(e, lo, hi);
    if (b.constantOf(test) === 0) this.never = true;
    this.value = this.value ? b.op('and', [this.value, test], 'bool') : test;
    return clampIndex(e, lo, hi);
  }

  /** e / by, tested to leave no remainder. `e` is not negative. */
  exactly(e: IndexExpr, by: number): IndexExpr {
    if (by > 1) this.within(modIndex(e, by), 0, 0);
    return divIndex(e, by);
  }
}

function chosen(p: ElementWriter, tests: Tests, value: () => Value, otherwise: Value): Value {
  if (tests.never) return otherwise;
  const inside = value();
  return tests.value ? p.b.op('select', [tests.value, inside, otherwise], inside.dtype) : inside;
}

/** One element of a `windows` node. */
export function windowsAt(p: ElementWriter, node: Node, index: readonly IndexExpr[]): Value {
  const [x] = node.inputs;
  const axis = node.attrs.axis as number;
  const g = geometryOf(node.attrs, node.attrs.size as readonly number[]);
  const rank = g.size.length;
  const fill = p.b.constant(node.attrs.fill as number, node.type.dtype);
  if (sizeOf(x.type.shape) === 0) return fill;
  const tests = new Tests(p);
  const at = range(rank).map((a) => {
    const place = addIndex(
      scaleIndex(index[axis + a], g.stride[a]),
      scaleIndex(index[axis + rank + a], g.dilation[a]),
      ix(-g.low[a]),
    );
    const last = (x.type.shape[axis + a] - 1) * g.spread[a];
    return tests.exactly(tests.within(place, 0, last), g.spread[a]);
  });
  const from = [...index.slice(0, axis), ...at, ...index.slice(axis + 2 * rank)];
  return chosen(p, tests, () => p.pull(x, from), fill);
}

/** One element of an `overlap_add` node: a loop over the windows that might reach it. */
export function overlapAddAt(p: ElementWriter, node: Node, index: readonly IndexExpr[]): Value {
  const { b } = p;
  const [y] = node.inputs;
  const axis = node.attrs.axis as number;
  const g = geometryOf(node.attrs, node.attrs.size as readonly number[]);
  const rank = g.size.length;
  const dtype = node.type.dtype;
  const counts = y.type.shape.slice(axis, axis + rank);
  const zero = b.constant(0, dtype);
  if (sizeOf(y.type.shape) === 0) return zero;
  const dense = range(rank).map((a) => g.dilation[a] === 1 && g.spread[a] === 1);
  // Neighbouring taps with a stride: every stride-th one reaches this element, so there are fewer to look at.
  const turns = range(rank).map((a) => (dense[a] ? Math.ceil(g.size[a] / g.stride[a]) : g.size[a]));
  return b.atDepth(p.depthOf(index), () => {
    const init = index.some((e) => laneOf(e)) ? b.vector([zero, zero, zero, zero]) : zero;
    const [total] = b.loop(sizeOf(turns), ix(0), 1, [init], (j, [sum]) => {
      const turn = unflatten(ofAtom(j), turns);
      const tests = new Tests(p);
      const places = range(rank).map((a) => {
        const from = addIndex(scaleIndex(index[axis + a], g.spread[a]), ix(g.low[a]));
        const last = counts[a] - 1;
        if (dense[a]) {
          const tap = addIndex(modIndex(from, g.stride[a]), scaleIndex(turn[a], g.stride[a]));
          const window = addIndex(divIndex(from, g.stride[a]), scaleIndex(turn[a], -1));
          return { window: tests.within(window, 0, last), tap: tests.within(tap, 0, g.size[a] - 1) };
        }
        const start = tests.within(addIndex(from, scaleIndex(turn[a], -g.dilation[a])), 0, last * g.stride[a]);
        return { window: tests.exactly(start, g.stride[a]), tap: turn[a] };
      });
      const at = [
        ...index.slice(0, axis),
        ...places.map((q) => q.window),
        ...places.map((q) => q.tap),
        ...index.slice(axis + rank),
      ];
      return [b.op('add', [sum, chosen(p, tests, () => p.pull(y, at), zero)], dtype)];
    });
    return total;
  });
}

// ---------------------------------------------------------------- convolution

/** Makes nodes with ids between those of a node's inputs and its own. */
class Between {
  private readonly node: Node;
  private id: number;

  constructor(node: Node) {
    this.node = node;
    this.id = node.id - 0.9;
  }

  make(op: string, inputs: readonly Node[], shape: readonly number[], attrs: Node['attrs']): Node {
    this.id += 0.05;
    const { span, path } = this.node;
    return { id: this.id, op, inputs, attrs, type: { dtype: 'f32', shape }, span, path };
  }

  reshape(x: Node, shape: readonly number[]): Node {
    return this.make('reshape', [x], shape, { shape });
  }
}

/** A convolution as a contraction of windows; where every feature has a kernel of its own, as sums of products along the features. */
export function convAsProduct(node: Node): Node {
  const [x, w] = node.inputs;
  const c = convShape(x.type.shape, w.type.shape, node.attrs);
  const m = new Between(node);
  const { geometry: g, groups } = c;
  const shape = [c.n, ...c.counts, ...g.size, groups * c.depth];
  const taps = m.make('windows', [x], shape, { axis: 1, size: g.size, ...geometryAttrs(g), fill: 0 });
  if (groups > 1) return c.depth === 1 && c.width === 1 ? depthwise(node, m, taps, c) : grouped(node, m, taps, c);
  const rank = g.size.length;
  const attrs = {
    lhs_contract: range(rank + 1).map((a) => rank + 1 + a),
    rhs_contract: range(rank + 1),
    lhs_batch: [],
    rhs_batch: [],
  };
  return { ...node, op: 'dot_general', inputs: [taps, w], attrs };
}

function depthwise(node: Node, m: Between, taps: Node, c: ConvShape): Node {
  const rank = c.dims.length;
  const { size } = c.geometry;
  const kernel = m.reshape(node.inputs[1], [...size, c.groups]);
  const wide = m.make('broadcast', [kernel], taps.type.shape, {
    shape: taps.type.shape,
    axes: range(rank + 1).map((a) => rank + 1 + a),
  });
  const product = m.make('mul', [taps, wide], taps.type.shape, {});
  return { ...node, op: 'reduce_sum', inputs: [product], attrs: { axes: range(rank).map((a) => rank + 1 + a) } };
}

function grouped(node: Node, m: Between, taps: Node, c: ConvShape): Node {
  const rank = c.dims.length;
  const { size } = c.geometry;
  const left = m.reshape(taps, [c.n, ...c.counts, ...size, c.groups, c.depth]);
  const right = m.reshape(node.inputs[1], [...size, c.depth, c.groups, c.width]);
  const product = m.make('dot_general', [left, right], [c.groups, c.n, ...c.counts, c.width], {
    lhs_contract: [...range(rank).map((a) => rank + 1 + a), 2 * rank + 2],
    rhs_contract: range(rank + 1),
    lhs_batch: [2 * rank + 1],
    rhs_batch: [rank + 1],
  });
  const axes = [...range(rank + 1).map((a) => a + 1), 0, rank + 2];
  const moved = m.make('permute', [product], [c.n, ...c.counts, c.groups, c.width], { axes });
  return { ...node, op: 'reshape', inputs: [moved], attrs: { shape: node.type.shape } };
}
