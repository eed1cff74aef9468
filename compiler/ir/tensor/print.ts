/**
 * Text form of a tensor graph. One node per line, inputs first, numbered from 0 in that order:
 *
 *     %7: f32[64, 10] = dot_general(%3, %5) {lhs_contract: [1], rhs_contract: [0]} // "main.opt" 120..134 "Features/linear.0"
 *
 * A region is written `(%8) -> (%9, %10)`: its parameters and its results. Its nodes are lines like any other (they may be shared
 * with the outside); those that depend on a parameter of a region are indented. The last line names the roots: `return %7, %9`.
 * `parse.ts` reads exactly this: print → parse → print gives the same text.
 */
import { isRegion, regionsOf } from '../../ops/region.ts';
import type { Attrs, AttrValue, Node } from '../../ops/types.ts';
import { reachable, typeText } from './graph.ts';

/** A number that reads back to the same float64: also -0, inf and nan. */
export function numberText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  return Object.is(value, -0) ? '-0' : String(value);
}

/** Text of an attribute; `nameOf` names the nodes of regions. */
export function attrText(value: AttrValue, nameOf: (node: Node) => string): string {
  if (typeof value === 'number') return numberText(value);
  if (typeof value === 'string' || typeof value === 'boolean') return JSON.stringify(value);
  if (value === undefined) return 'none';
  if (isRegion(value)) {
    const list = (nodes: readonly Node[]) => nodes.map(nameOf).join(', ');
    return `(${list(value.params)}) -> (${list(value.results)})`;
  }
  return `[${(value as readonly (number | string)[]).map((v) => attrText(v, nameOf)).join(', ')}]`;
}

/** `{axis: 1}`, or nothing without attributes. */
export function attrsText(attrs: Attrs, nameOf: (node: Node) => string): string {
  const entries = Object.entries(attrs).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? '' : `{${entries.map(([k, v]) => `${k}: ${attrText(v, nameOf)}`).join(', ')}}`;
}

function origin(node: Node): string {
  const parts: string[] = [];
  if (node.span) parts.push(`${JSON.stringify(node.span.file)} ${node.span.start}..${node.span.end}`);
  if (node.path !== undefined) parts.push(`@${JSON.stringify(node.path)}`);
  return parts.length > 0 ? ` // ${parts.join(' ')}` : '';
}

/** Options of `print`: `origins: false` leaves spans and paths out. */
export interface PrintOptions {
  readonly origins?: boolean;
}

export function print(roots: readonly Node[], options: PrintOptions = {}): string {
  const nodes = allNodes(roots);
  const numbers = new Map(nodes.map((node, i) => [node, i]));
  const nameOf = (node: Node) => `%${numbers.get(node)}`;
  const inner = new Set<Node>();
  const lines = nodes.map((node) => {
    const isParam = node.op === 'parameter' && node.attrs.source === 'region';
    if (isParam || node.inputs.some((i) => inner.has(i))) inner.add(node);
    const attrs = attrsText(node.attrs, nameOf);
    const call = `${node.op}(${node.inputs.map(nameOf).join(', ')})${attrs && ` ${attrs}`}`;
    const end = options.origins === false ? '' : origin(node);
    return `${inner.has(node) ? '  ' : ''}${nameOf(node)}: ${typeText(node.type)} = ${call}${end}`;
  });
  return [...lines, `return ${roots.map(nameOf).join(', ')}`].join('\n');
}

/** Everything the roots reach, and region parameters that their regions do not use. */
function allNodes(roots: readonly Node[]): Node[] {
  const used = reachable(roots);
  const nodes = new Set([...used, ...used.flatMap((node) => regionsOf(node).flatMap((region) => region.params))]);
  return [...nodes].sort((a, b) => a.id - b.id);
}
