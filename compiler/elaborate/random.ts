/**
 * Draws. The key of a draw is the run's seed, a hash of the named path of call sites, and the indices of the loops around its text; values are
 * made from counter-based random bits, so evaluating again, differentiating and substituting never redraw.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { didYouMean } from '../diagnostics/suggest.ts';

import type { Node, TensorType } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { leaves, mapLeaves, rebuild, toDim, toNode } from './convert.ts';
import { distributions } from './distributions.ts';
import { DrawArguments } from './draw-arguments.ts';
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

/** Draws by the node of their value: what `logp` reads. */
const records = new WeakMap<Node, DrawRecord>();

export interface DrawRecord {
  readonly name: ast.Name;
  readonly density?: (z: Node) => Node;
}

/** The draw that a value is, under whatever names it was given. */
export function drawOf(node: Node): DrawRecord | undefined {
  let at = node;
  while (!records.has(at) && at.op === 'name') [at] = at.inputs;
  return records.get(at);
}

/** Whether a name after `~` is a built-in distribution. */
export function isDistribution(name: string): boolean {
  return Object.hasOwn(distributions, name);
}

/** Value of one draw; a type comes from the draw, its declaration, or for some from the arguments. */
function distribution(e: Elaboration, d: ast.Draw, given: TensorType | undefined, k: Node, frame: Frame): Node {
  const name = d.dist.text;
  const found = isDistribution(name) ? distributions[name] : undefined;
  if (!found) {
    const names = Object.keys(distributions);
    fail('OPT321', d.dist.span, `no distribution is called '${name}'`, {
      hint: didYouMean(name, names) ?? `known are ${names.join(', ')}`,
    });
  }
  const at = { e, d, args: new DrawArguments(e, d, frame, found.parameters), key: k };
  const type = given ?? found.type?.(at);
  if (!type) fail('OPT321', d.span, 'a draw needs a type', { hint: `write ~ ${name} f32[n], or ~ ${name} like x` });
  if (!found.dtypes.includes(type.dtype))
    fail('OPT321', d.span, `${name} draws ${found.dtypes.join(' or ')}, not ${type.dtype}`, {
      hint: `declare the draw ${found.dtypes[0]}`,
    });
  const { node, density } = found.draw(at, type);
  records.set(node, { name: d.dist, density });
  return node;
}

/** Values of a draw are leaves for `at`: names them. */
export function nameDraw(e: Elaboration, name: string, value: Value, span: Span): Value {
  return mapLeaves(e, value, span, (leaf) => tensor(e.make('name', [toNode(e, leaf, span)], { name })));
}
