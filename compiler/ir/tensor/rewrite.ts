/** Rebuilding graphs with changes: `substitute` replaces given nodes, `rewrite` visits every node. Both keep spans and paths. */
import { isRegion, rebuild } from '../../ops/region.ts';
import type { Attrs, Node } from '../../ops/types.ts';
import { type Graph, reachable } from './graph.ts';

/**
 * The roots with every node of `map` replaced by its partner, inside regions too; what does not depend on a replaced node is shared.
 * Partners are taken as they are (not searched), so x ↦ x + 1 is fine.
 */
export function substitute(graph: Graph, roots: readonly Node[], map: ReadonlyMap<Node, Node>): Node[] {
  return rebuild(roots, map, (node, inputs, attrs) =>
    graph.at(node.span, () => graph.make(node.op, inputs, attrs), node.path),
  );
}

/** A node as its op and rewritten inputs and attributes would make it; itself where nothing changed. */
export function remake(graph: Graph, node: Node, inputs: readonly Node[], attrs: Attrs): Node {
  const same = attrs === node.attrs && inputs.every((input, i) => input === node.inputs[i]);
  return same ? node : graph.make(node.op, inputs, attrs);
}

/**
 * Rebuilds everything the roots reach, inputs first. `visit` gets a node that stands on rewritten inputs and returns what replaces it (the
 * node itself to keep it). Region parameters are kept as they are.
 */
export function rewrite(graph: Graph, roots: readonly Node[], visit: (node: Node) => Node): Node[] {
  return rewriteParts(graph, roots, (node, inputs, attrs) => visit(remake(graph, node, inputs, attrs)));
}

/**
 * The same for passes that change nodes with several results: `visit` gets a node as it was and its rewritten inputs and attributes. For one with
 * several results it may return what replaces each of its parts (undefined for parts that nobody reads).
 */
export function rewriteParts(
  graph: Graph,
  roots: readonly Node[],
  visit: (node: Node, inputs: readonly Node[], attrs: Attrs) => Node | readonly (Node | undefined)[],
): Node[] {
  const done = new Map<Node, Node>();
  const parts = new Map<Node, readonly (Node | undefined)[]>();
  for (const node of reachable(roots)) {
    const replacement = graph.at(
      node.span,
      () => {
        if (node.op === 'parameter' && node.attrs.source === 'region') return node;
        const replaced = node.op === 'part' ? parts.get(node.inputs[0])?.[node.attrs.index as number] : undefined;
        if (replaced) return replaced;
        const inputs = node.inputs.map((input) => done.get(input) as Node);
        return visit(node, inputs, rewrittenAttrs(node.attrs, done));
      },
      node.path,
    );
    if ('op' in replacement) done.set(node, replacement);
    else {
      parts.set(node, replacement);
      done.set(node, node);
    }
  }
  return roots.map((root) => done.get(root) as Node);
}

function rewrittenAttrs(attrs: Attrs, done: ReadonlyMap<Node, Node>): Attrs {
  const regions = Object.values(attrs).filter(isRegion);
  if (regions.every((region) => region.results.every((r) => done.get(r) === r))) return attrs;
  return Object.fromEntries(
    Object.entries(attrs).map(([name, value]) => [
      name,
      isRegion(value) ? { params: value.params, results: value.results.map((r) => done.get(r) as Node) } : value,
    ]),
  );
}
