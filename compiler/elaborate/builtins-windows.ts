/**
 * Convolution and pooling: x[n, …, c] with examples first and features last, kernels w[taps…, c / groups, o]. Options are one number for all spatial
 * axes or a list with one for each; padding is "valid" (none, the default), "same" (as many windows as elements over the stride), a number for
 * both ends, or a list of [before, after] for each axis.
 */
import { fail } from '../diagnostics/diagnostic.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import type { Node } from '../ops/types.ts';
import { type Geometry, geometryAttrs } from '../ops/window-geometry.ts';
import { range } from './arithmetic.ts';
import type { BuiltinCall, BuiltinFn } from './builtins.ts';
import { toSize } from './convert.ts';
import { exact, kindText, tensor, type Value } from './values.ts';

/** Whole numbers of a list, or one number for all of `rank` axes. */
function perAxis(c: BuiltinCall, value: Value, span: BuiltinCall['span'], what: string, rank: number): number[] {
  if (value.kind !== 'exactArray' && value.kind !== 'tuple') {
    const size = toSize(c.e, value, span, what);
    return range(0, rank).map(() => size);
  }
  const items: Value[] = value.kind === 'tuple' ? [...value.items] : value.values.map((v) => exact(v, value.integral));
  if (items.length !== rank || (value.kind === 'exactArray' && value.shape.length !== 1)) {
    fail('OPT311', span, `${what} has ${items.length} numbers, but ${c.name} slides over ${rank}`, {
      hint: `give one number, or a list of ${rank}`,
    });
  }
  return items.map((item) => toSize(c.e, item, span, what));
}

/** A named option of at least 1 for each axis. */
function option(c: BuiltinCall, name: string, rank: number, fallback: readonly number[]): readonly number[] {
  const arg = c.named.get(name);
  if (!arg) return fallback;
  const values = perAxis(c, arg.value, arg.span, name, rank);
  if (values.some((v) => v < 1))
    fail('OPT311', arg.span, `${name} is at least 1, not ${Math.min(...values)}`, { hint: `leave ${name}: off for 1` });
  return values;
}

type Ends = Pick<Geometry, 'low' | 'high'>;

/** Padding of each axis of `dims`. */
function padding(c: BuiltinCall, dims: readonly number[], g: Omit<Geometry, 'low' | 'high'>): Ends {
  const arg = c.named.get('padding');
  const zeros = dims.map(() => 0);
  if (!arg) return { low: zeros, high: zeros };
  const { value, span } = arg;
  if (value.kind === 'text') {
    if (value.value === 'valid') return { low: zeros, high: zeros };
    if (value.value === 'same') return samePadding(dims, g);
    fail('OPT311', span, `there is no padding '${value.value}'`, { hint: 'write "same", "valid" or a number' });
  }
  if (value.kind === 'exactArray' && value.shape.length === 2) {
    if (value.shape[0] !== dims.length || value.shape[1] !== 2) {
      fail('OPT311', span, `padding needs [before, after] for each of ${dims.length} axes`, {
        hint: 'write [[1, 1], [1, 1]] for two axes',
      });
    }
    const all = value.values.map((v) => toSize(c.e, exact(v, value.integral), span, 'padding'));
    return { low: dims.map((_, a) => all[2 * a]), high: dims.map((_, a) => all[2 * a + 1]) };
  }
  if (value.kind !== 'exact' && value.kind !== 'exactArray' && value.kind !== 'tuple')
    fail('OPT311', span, `padding is "same", "valid" or a number, not ${kindText(value)}`, {
      hint: 'padding must be known at compile time',
    });
  const both = perAxis(c, value, span, 'padding', dims.length);
  return { low: both, high: both };
}

/** ceil(dim / stride) windows; an odd element of padding goes to the end, as in TensorFlow and JAX. */
function samePadding(dims: readonly number[], g: Omit<Geometry, 'low' | 'high'>): Ends {
  const total = dims.map((dim, a) => {
    const reach = (g.size[a] - 1) * g.dilation[a] + 1;
    return Math.max(0, (Math.ceil(dim / g.stride[a]) - 1) * g.stride[a] + reach - dim);
  });
  return { low: total.map((t) => Math.floor(t / 2)), high: total.map((t) => Math.ceil(t / 2)) };
}

function checkFit(c: BuiltinCall, x: Node, dims: readonly number[], g: Geometry): void {
  dims.forEach((dim, a) => {
    const reach = (g.size[a] - 1) * g.dilation[a] + 1;
    const room = dim + g.low[a] + g.high[a];
    if (reach <= room) return;
    fail('OPT302', c.span, `a window that reaches over ${reach} does not fit into ${c.e.dim(room)} elements`, {
      labels: [{ span: c.at(0), text: `this has type ${c.e.typeText(x.type)}` }],
      hint: 'use a smaller window, or padding: "same"',
    });
  });
}

/** conv(x, w): cross-correlation, what is called convolution in neural networks. */
const conv: BuiltinFn = (c) => {
  c.expect(2, 2, ['stride', 'padding', 'dilation', 'groups']);
  const w = c.float(1);
  const rank = w.type.shape.length - 2;
  if (rank < 1)
    fail('OPT306', c.at(1), `a kernel has taps, input and output features, but this has type ${c.e.typeText(w.type)}`, {
      hint: 'f32[3, 3, 8, 16]: 3 x 3 taps from 8 to 16 features',
    });
  const x = examples(c, rank);
  const [depth, outputs] = w.type.shape.slice(rank);
  const features = x.node.type.shape[rank + 1];
  const groups = c.dim('groups') ?? 1;
  if (groups < 1 || features !== groups * depth || outputs % groups !== 0) {
    fail(
      'OPT302',
      c.span,
      `a kernel from ${c.e.dim(depth)} to ${c.e.dim(outputs)} features${groups === 1 ? '' : ` in ${groups} groups`} meets ${c.e.dim(features)} features`,
      {
        labels: [
          { span: c.at(0), text: `this has type ${c.e.typeText(x.given)}` },
          { span: c.at(1), text: `this has type ${c.e.typeText(w.type)}` },
        ],
        hint: 'the last axis but one of the kernel is that of the features, divided by groups:',
      },
    );
  }
  const ones = range(0, rank).map(() => 1);
  const windows = {
    size: w.type.shape.slice(0, rank),
    stride: option(c, 'stride', rank, ones),
    dilation: option(c, 'dilation', rank, ones),
    spread: ones,
  };
  const dims = x.node.type.shape.slice(1, -1);
  const g = { ...windows, ...padding(c, dims, windows) };
  checkFit(c, x.node, dims, g);
  return tensor(x.back(c.e.make('conv', [x.node, w], { ...geometryAttrs(g), groups })));
};

/** x with an axis of examples, and how to take it off the result where x lacks it. */
function examples(c: BuiltinCall, rank: number) {
  const x = c.float(0);
  const { shape } = x.type;
  const given = x.type;
  if (shape.length === rank + 2) return { node: x, given, back: (y: Node) => y };
  if (shape.length === rank + 1) {
    const node = c.e.make('reshape', [x], { shape: [1, ...shape] });
    return { node, given, back: (y: Node) => c.e.make('reshape', [y], { shape: y.type.shape.slice(1) }) };
  }
  return fail('OPT306', c.at(0), `${c.name} slides over ${rank} axes, but this has type ${c.e.typeText(x.type)}`, {
    hint: 'examples come first, features last: f32[n, 28, 28, 1]',
  });
}

/** Windows for pooling: the size says over how many axes they slide; without a list over all between the first and the last. */
function pooled(c: BuiltinCall, fill: number): { windows: Node; axes: number[]; back: (y: Node) => Node } {
  c.expect(2, 2, ['stride', 'padding']);
  const size = c.value(1);
  const listed =
    size.kind === 'exactArray' ? size.values.length : size.kind === 'tuple' ? size.items.length : undefined;
  const rank = listed ?? Math.max(1, c.float(0).type.shape.length - 2);
  const x = examples(c, rank);
  const sizes = perAxis(c, size, c.at(1), 'the size', rank);
  if (sizes.some((s) => s < 1))
    fail('OPT311', c.at(1), 'a window has at least one element', { hint: 'give 2 or more' });
  const ones = range(0, rank).map(() => 1);
  const shape = { size: sizes, stride: option(c, 'stride', rank, sizes), dilation: ones, spread: ones };
  const dims = x.node.type.shape.slice(1, -1);
  const g = { ...shape, ...padding(c, dims, shape) };
  checkFit(c, x.node, dims, g);
  const windows = c.e.make('windows', [x.node], { axis: 1, size: sizes, ...geometryAttrs(g), fill });
  return { windows, axes: range(rank + 1, 2 * rank + 1), back: x.back };
}

/** max_pool(x, size): the largest element of each window; padding is never the largest. */
const maxPool: BuiltinFn = (c) => {
  const { windows, axes, back } = pooled(c, Number.NEGATIVE_INFINITY);
  return tensor(back(c.e.make('reduce_max', [windows], { axes })));
};

/** avg_pool(x, size): the mean of each window over the elements of x in it, padding not counted. */
const avgPool: BuiltinFn = (c) => {
  const { windows, axes, back } = pooled(c, 0);
  const total = c.e.make('reduce_sum', [windows], { axes });
  const { low, high } = windows.attrs as { readonly low: readonly number[]; readonly high: readonly number[] };
  const taps = sizeOf(windows.attrs.size as readonly number[]);
  if ([...low, ...high].every((v) => v === 0))
    return tensor(back(c.e.make('mul', [total, c.e.constant(1 / taps, 'f32', total.type.shape)])));
  const ones = c.e.graph.constant(1, windows.inputs[0].type);
  const counts = c.e.make('reduce_sum', [c.e.make('windows', [ones], windows.attrs)], { axes });
  return tensor(back(c.e.make('div', [total, counts])));
};

export const windowBuiltins: Record<string, BuiltinFn> = { conv, max_pool: maxPool, avg_pool: avgPool };
