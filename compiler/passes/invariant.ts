/** Moving code out of regions: what depends only on captured values is computed before the loop or choice and captured instead. */
import { type Graph, reachable } from '../ir/tensor/graph.ts';
import { condSpec, loopSpec, makeCond, makeLoop, regionParameter } from '../ir/tensor/regions.ts';
import { ownDependencies, rebuild } from '../ops/region.ts';
import type { Node, Region } from '../ops/types.ts';

/** What stands in a region, and what of it depends on captured values alone. */
export interface Inside {
  /** Nodes of the region, inputs first. */
  readonly nodes: readonly Node[];
  readonly results: readonly Node[];
  invariant(node: Node): boolean;
}

/** A node's regions with the params that stand for captured values, which begin at `captures[r]` in region r, and those values. */
interface Holder {
  readonly regions: readonly Region[];
  readonly captures: readonly number[];
  readonly values: readonly Node[];
  /** The node with other regions (params for all values) and other captured values. */
  remade(regions: readonly Region[], values: readonly Node[]): Node;
}

function holderOf(graph: Graph, node: Node): Holder {
  if (node.op === 'cond') {
    const { predicate, consts, branches } = condSpec(node);
    return {
      regions: branches,
      captures: [0, 0],
      values: consts,
      remade: ([a, b], values) => makeCond(graph, predicate, values, [a, b]).node,
    };
  }
  const spec = loopSpec(node);
  const own = spec.carries.length;
  return {
    regions: spec.cond ? [spec.body, spec.cond] : [spec.body],
    captures: [1 + own + spec.xs.length, 1 + own],
    values: spec.consts,
    remade: ([body, cond], values) => makeLoop(graph, { ...spec, body, cond, consts: values }).node,
  };
}

function insideOf(region: Region, captures: number): Inside {
  const nodes = reachable(region.results, ownDependencies);
  const invariant = new Set<Node>(region.params.slice(captures));
  for (const node of nodes) {
    if (node.op !== 'parameter' && ownDependencies(node).every((d) => invariant.has(d))) invariant.add(node);
  }
  return { nodes, results: region.results, invariant: (node) => invariant.has(node) };
}

/** The loop or choice with other code in its regions: `rewrite` gets the results of each and the params that stand for captured values. */
export function withResults(
  graph: Graph,
  node: Node,
  rewrite: (results: readonly Node[], captures: readonly Node[]) => readonly Node[],
): Node {
  const { regions, captures, values, remade } = holderOf(graph, node);
  const results = regions.map((region, r) => rewrite(region.results, region.params.slice(captures[r])));
  if (results.every((list, r) => list.every((result, k) => result === regions[r].results[k]))) return node;
  return remade(
    regions.map(({ params }, r) => ({ params, results: results[r] })),
    values,
  );
}

/** The loop or choice with the nodes that `choose` names (invariant ones) computed before it; itself where it names none. */
export function movedOut(graph: Graph, node: Node, choose: (inside: Inside) => readonly Node[]): Node {
  const holder = holderOf(graph, node);
  const moved = holder.regions.map((region, r) => {
    const chosen = [...new Set(choose(insideOf(region, holder.captures[r])))];
    const outer = new Map(region.params.slice(holder.captures[r]).map((param, k) => [param, holder.values[k]]));
    return { chosen, values: copies(graph, chosen, outer) };
  });
  const values = moved.flatMap((m) => m.values);
  if (values.length === 0) return node;
  const regions = holder.regions.map((region, r): Region => {
    const params = values.map((value) => regionParameter(graph, 'k', value.type));
    const first = moved.slice(0, r).reduce((sum, m) => sum + m.values.length, 0);
    const map = new Map(moved[r].chosen.map((inner, k) => [inner, params[first + k]]));
    return { params: [...region.params, ...params], results: copies(graph, region.results, map) };
  });
  return holder.remade(regions, [...holder.values, ...values]);
}

function copies(graph: Graph, roots: readonly Node[], map: ReadonlyMap<Node, Node>): Node[] {
  return rebuild(roots, map, (node, inputs, attrs) =>
    graph.at(node.span, () => graph.make(node.op, inputs, attrs), node.path),
  );
}
