/**
 * Draws. The key of a draw is the run's seed, a hash of the named path of call sites, and the indices of the loops around its text; values are
 * made from counter-based random bits, so evaluating again, differentiating and substituting never redraw.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { didYouMean } from '../diagnostics/suggest.ts';

import type { DType, Node, TensorType } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { cast } from './arithmetic.ts';
import type { Elaboration } from './context.ts';
import { broadcastTo, leaves, mapLeaves, rebuild, toDim, toFloat, toNode } from './convert.ts';
import type { Frame } from './scope.ts';
import { staticType } from './types.ts';
import { tensor, type Value } from './values.ts';

/** Two 32-bit words naming a site: MurmurHash3 (x86, 32 bit) of its text under two seeds. */
export function siteWords(path: string): [number, number] {
  return [murmur(path, 0x5add1e), murmur(path, 0x0b7)];
}

function murmur(text: string, seed: number): number {
  let h = seed;
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    bytes.push(c & 0xff, c >> 8);
  }
  while (bytes.length % 4 !== 0) bytes.push(0);
  for (let i = 0; i < bytes.length; i += 4) {
    let k = bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    k = Math.imul(k, 0xcc9e2d51);
    k = (k << 15) | (k >>> 17);
    h ^= Math.imul(k, 0x1b873593);
    h = (h << 13) | (h >>> 19);
    h = (Math.imul(h, 5) + 0xe6546b64) | 0;
  }
  h ^= text.length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Key of a site under the run's seed and loop indices. */
export function key(e: Elaboration, path: readonly string[], indices: readonly Node[], seed?: Node): Node {
  return e.make('random_key', [seed ?? e.scalar('seed'), ...indices], { site: siteWords(path.join('/')) });
}

/** Value of `~ DIST(args) TYPE`. `type` is that of the declaration where the draw has none of its own. */
export function draw(
  e: Elaboration,
  d: ast.Draw,
  type: TensorType | undefined,
  path: readonly string[],
  frame: Frame,
): Value {
  return e.graph.at(d.span, () => {
    const seed = d.seed
      ? e.constant(toDim(e, e.do.expression(e, d.seed, frame), d.seed.span, 'a seed'), 'u32')
      : frame.initializer?.seed;
    const value = (own: TensorType | undefined, where: readonly string[]): Node =>
      e.do.initial(e, d, own, where, frame, seed) ?? distribution(e, d, own, key(e, where, frame.indices, seed), frame);
    const site = d.stream ? [`stream ${d.stream.text}`] : path;
    if (d.like) {
      const like = e.do.expression(e, d.like, frame);
      const parts = leaves(e, like, d.like.span);
      const nodes = parts.map((l) => {
        const own = toNode(e, l.value, d.span).type;
        const where = l.path === '' ? site : [...site, l.path];
        return value(own, where);
      });
      return parts.length === 1 && parts[0].path === '' ? tensor(nodes[0]) : rebuild(e, like, nodes, d.span);
    }
    const own = d.type ? staticType(e, d.type, frame) : type;
    return tensor(value(own, site));
  });
}

/** Arguments of a distribution by position or name, broadcast to the result. */
class Args {
  private readonly e: Elaboration;
  private readonly d: ast.Draw;
  private readonly frame: Frame;
  private readonly names: readonly string[];

  constructor(e: Elaboration, d: ast.Draw, frame: Frame, names: readonly string[]) {
    this.e = e;
    this.d = d;
    this.frame = frame;
    this.names = names;
    let position = 0;
    for (const arg of d.args) {
      const name = arg.name?.text ?? names[position++];
      if (name === undefined || !names.includes(name)) {
        fail('OPT321', arg.span, `${d.dist.text} takes ${names.length === 0 ? 'no arguments' : names.join(', ')}`, {
          hint: 'remove this argument',
        });
      }
    }
  }

  find(name: string): ast.Arg | undefined {
    const index = this.names.indexOf(name);
    return this.d.args.find((a) => a.name?.text === name) ?? this.d.args.filter((a) => !a.name)[index];
  }

  value(name: string): { value: Value; span: Span } | undefined {
    const arg = this.find(name);
    return arg && { value: this.e.do.expression(this.e, arg.value, this.frame), span: arg.span };
  }

  /** f32 values of the result's shape; undefined where the argument is left off. */
  float(name: string, shape: readonly number[]): Node | undefined {
    const given = this.value(name);
    if (!given) return undefined;
    const node = toFloat(this.e, given.value, given.span);
    const own = node.type.shape;
    const offset = shape.length - own.length;
    if (offset < 0 || own.some((d, i) => d !== 1 && d !== shape[i + offset])) {
      fail(
        'OPT302',
        given.span,
        `${name} of shape ${this.e.shapeText(own)} does not stretch to a draw of shape ${this.e.shapeText(shape)}`,
        {
          labels: [{ span: this.d.span, text: 'this draw' }],
          hint: 'arguments of a distribution are broadcast to the type of the draw',
        },
      );
    }
    return broadcastTo(this.e, node, shape);
  }

  /** Numbers that are known now, of an argument. */
  known(name: string): readonly number[] {
    const value = this.value(name)?.value;
    return value?.kind === 'exact' ? [value.value] : value?.kind === 'exactArray' ? value.values : [];
  }

  /** Refuses an argument that is known now and makes no sense. */
  requireThat(name: string, holds: (x: number) => boolean, wanted: string): void {
    const wrong = this.known(name).find((x) => !holds(x));
    if (wrong === undefined) return;
    fail('OPT321', this.find(name)?.span, `${name} of ${this.d.dist.text} is ${wrong}, but must be ${wanted}`, {
      labels: [{ span: this.d.span, text: 'this draw' }],
      hint: `give ${name} ${wanted}`,
    });
  }
}

/** Checks that a draw without parameters has no arguments. */
function refuseArguments(e: Elaboration, d: ast.Draw, frame: Frame): void {
  readArguments(e, d, frame, []);
}

function readArguments(e: Elaboration, d: ast.Draw, frame: Frame, names: readonly string[]): Args {
  return new Args(e, d, frame, names);
}

export const distributionNames = [
  'normal',
  'uniform',
  'integers',
  'bernoulli',
  'rademacher',
  'gumbel',
  'categorical',
  'permutation',
];
/** Those that this version does not draw. */
const LATER = ['gamma', 'beta', 'dirichlet', 'subset', 'orthogonal'];

/** Whether a name after `~` is a built-in distribution, of this version or a later one. */
export function isDistribution(name: string): boolean {
  return distributionNames.includes(name) || LATER.includes(name);
}

function distribution(e: Elaboration, d: ast.Draw, type: TensorType | undefined, k: Node, frame: Frame): Node {
  const name = d.dist.text;
  if (LATER.includes(name)) e.notYet(`the distribution ${name}`, d.dist.span);
  if (name === 'permutation') {
    const args = readArguments(e, d, frame, ['n']);
    const n = args.value('n');
    const size = n ? toDim(e, n.value, n.span) : type?.shape[0];
    if (size === undefined) fail('OPT321', d.span, 'permutation needs its length', { hint: 'write ~ permutation(n)' });
    return e.make('permutation', [k], { n: size });
  }
  if (name === 'categorical') return categorical(e, d, type, k, frame);
  if (!type) fail('OPT321', d.span, 'a draw needs a type', { hint: `write ~ ${name} f32[n], or ~ ${name} like x` });
  const { shape } = type;
  const dtype = (allowed: readonly DType[]) => {
    if (!allowed.includes(type.dtype)) {
      fail('OPT321', d.span, `${name} draws ${allowed.join(' or ')}, not ${type.dtype}`, {
        hint: `declare the draw ${allowed[0]}`,
      });
    }
  };
  switch (name) {
    case 'normal': {
      dtype(['f32']);
      const args = readArguments(e, d, frame, ['mean', 'std']);
      args.requireThat('std', (x) => x >= 0, 'at least 0');
      return affine(e, standardNormal(e, k, shape), args.float('mean', shape), args.float('std', shape));
    }
    case 'uniform': {
      dtype(['f32']);
      const args = readArguments(e, d, frame, ['lo', 'hi']);
      const least = Math.max(...args.known('lo'), args.find('lo') ? Number.NEGATIVE_INFINITY : 0);
      args.requireThat('hi', (x) => x >= least, `at least ${least}`);
      const lo = args.float('lo', shape);
      const hi = args.float('hi', shape) ?? e.constant(1, 'f32', shape);
      const u = unit(e, k, shape, 0);
      return lo ? e.make('add', [lo, e.make('mul', [e.make('sub', [hi, lo]), u])]) : e.make('mul', [hi, u]);
    }
    case 'bernoulli': {
      dtype(['f32', 'bool', 'i32']);
      const args = readArguments(e, d, frame, ['p']);
      args.requireThat('p', (x) => x >= 0 && x <= 1, 'in 0..1');
      const p = args.float('p', shape) ?? e.constant(0.5, 'f32', shape);
      return cast(e, e.make('lt', [unit(e, k, shape, 0), p]), type.dtype);
    }
    case 'rademacher': {
      dtype(['f32', 'i32']);
      refuseArguments(e, d, frame);
      const up = e.make('lt', [unit(e, k, shape, 0), e.constant(0.5, 'f32', shape)]);
      return e.make('select', [up, e.constant(1, type.dtype, shape), e.constant(-1, type.dtype, shape)]);
    }
    case 'gumbel': {
      dtype(['f32']);
      refuseArguments(e, d, frame);
      return gumbel(e, k, shape);
    }
    case 'integers':
      dtype(['i32']);
      return integers(e, readArguments(e, d, frame, ['lo', 'hi']), d, k, shape);
    default:
      fail('OPT321', d.dist.span, `no distribution is called '${name}'`, {
        hint: didYouMean(name, [...distributionNames, ...LATER]) ?? `known are ${distributionNames.join(', ')}`,
      });
  }
}

function affine(e: Elaboration, z: Node, mean: Node | undefined, std: Node | undefined): Node {
  const scaled = std ? e.make('mul', [std, z]) : z;
  return mean ? e.make('add', [mean, scaled]) : scaled;
}

/** Whole numbers in [lo, hi): bits modulo the width (bias below width / 2^32). */
function integers(e: Elaboration, args: Args, d: ast.Draw, k: Node, shape: readonly number[]): Node {
  const hi = args.value('hi');
  const lo = args.value('lo');
  if (!lo || !hi) fail('OPT321', d.span, 'integers needs its bounds', { hint: 'write ~ integers(0, n)' });
  const low = toNode(e, lo.value, lo.span, 'i32');
  const high = toNode(e, hi.value, hi.span, 'i32');
  if (
    low.type.shape.length > 0 ||
    high.type.shape.length > 0 ||
    low.type.dtype !== 'i32' ||
    high.type.dtype !== 'i32'
  ) {
    fail('OPT321', d.span, 'the bounds of integers are i32 scalars', { hint: 'write ~ integers(0, n)' });
  }
  if (lo.value.kind === 'exact' && hi.value.kind === 'exact' && hi.value.value <= lo.value.value) {
    fail('OPT321', d.span, `integers(${lo.value.value}, ${hi.value.value}) is empty`, {
      hint: 'the upper bound is left out, so it must be greater',
    });
  }
  const width = e.make('bitcast', [e.make('sub', [high, low])], { dtype: 'u32' });
  return e.make('add', [broadcastTo(e, low, shape), below(e, k, shape, broadcastTo(e, width, shape))]);
}

/** Bits modulo `width` (u32 of the shape), as i32. */
export function below(e: Elaboration, k: Node, shape: readonly number[], width: Node): Node {
  const bits = e.make('random_bits', [k], { shape, word: 0 });
  return e.make('bitcast', [e.make('floor_mod', [bits, width])], { dtype: 'i32' });
}

/** Uniform in [0, 1) with 23 bits: the bits become the fraction of a float in [1, 2). */
function unit(e: Elaboration, k: Node, shape: readonly number[], word: 0 | 1): Node {
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
function openUnit(e: Elaboration, k: Node, shape: readonly number[]): Node {
  return e.make('add', [unit(e, k, shape, 0), e.constant(2 ** -24, 'f32', shape)]);
}

/** -log(-log u), finite at every u. */
function gumbel(e: Elaboration, k: Node, shape: readonly number[]): Node {
  const minusLog = (x: Node) => e.make('neg', [e.make('log', [x])]);
  return minusLog(minusLog(openUnit(e, k, shape)));
}

/**
 * An index along the last axis of the weights, by the largest of log w + gumbel (Gumbel, 1954). Weights that are negative, not a number or all 0 give -1,
 * which no index takes.
 */
function categorical(e: Elaboration, d: ast.Draw, type: TensorType | undefined, k: Node, frame: Frame): Node {
  const args = readArguments(e, d, frame, ['w', 'logits']);
  const name = args.find('logits') ? 'logits' : 'w';
  const given = args.value(name);
  if (!given || (args.find('w') && args.find('logits')))
    fail('OPT321', d.span, 'categorical takes weights or logits', {
      hint: 'write ~ categorical(w), or ~ categorical(logits: z)',
    });
  const own = toFloat(e, given.value, given.span).type.shape;
  const classes = own[own.length - 1];
  if (!classes)
    fail('OPT321', given.span, `the classes lie along the last axis, but this has shape ${e.shapeText(own)}`, {
      hint: 'give one weight for each class',
    });
  const wanted = type ?? { dtype: 'i32', shape: own.slice(0, -1) };
  if (wanted.dtype !== 'i32')
    fail('OPT321', d.span, `categorical draws i32, not ${wanted.dtype}`, { hint: 'declare the draw i32' });
  const shape = [...wanted.shape, classes];
  const axis = shape.length - 1;
  const values = args.float(name, shape) as Node;
  const scores = (z: Node) => e.make('argmax', [e.make('add', [z, gumbel(e, k, shape)])], { axis });
  if (name === 'logits') return scores(values);
  const zero = e.constant(0, 'f32', wanted.shape);
  const allowed = e.make('ge', [e.make('reduce_min', [values], { axes: [axis] }), zero]);
  const some = e.make('gt', [e.make('reduce_max', [values], { axes: [axis] }), zero]);
  const index = scores(e.make('log', [values]));
  return e.make('select', [e.make('and', [allowed, some]), index, e.constant(-1, 'i32', wanted.shape)]);
}

/** Box and Muller (1958): sqrt(-2 log u) cos(2 pi v). */
function standardNormal(e: Elaboration, k: Node, shape: readonly number[]): Node {
  const radius = e.make('sqrt', [
    e.make('mul', [e.constant(-2, 'f32', shape), e.make('log', [positiveUnit(e, k, shape, 0)])]),
  ]);
  const angle = e.make('mul', [e.constant(2 * Math.PI, 'f32', shape), unit(e, k, shape, 1)]);
  return e.make('mul', [radius, e.make('cos', [angle])]);
}

/** Values of a draw are leaves for `at`: names them. */
export function nameDraw(e: Elaboration, name: string, value: Value, span: Span): Value {
  return mapLeaves(e, value, span, (leaf) => tensor(e.make('name', [toNode(e, leaf, span)], { name })));
}
