/** What the lowering of a block sets out from: its nodes, and the loops and choices in it with what of them is used. */
import type { Node } from '../ops/types.ts';
import { bodyParams, condSpec, loopSpec } from '../ops/closed.ts';
import { regionsOf } from '../ops/region.ts';
import { reachable } from '../ir/tensor/graph.ts';

/** A loop or choice, with the numbers of its results that are read. */
export interface RegionNode {
  readonly node: Node;
  readonly used: ReadonlySet<number>;
  /** Outer values that it needs in memory. */
  readonly needs: readonly Node[];
  /** Values that a loop begins with: their kernels write them into its own memory. */
  readonly starts: readonly Node[];
}

export interface Collected {
  readonly nodes: readonly Node[];
  readonly regions: readonly RegionNode[];
  /** Number of loops and choices, one after another, that a node waits for. */
  readonly stages: ReadonlyMap<Node, number>;
}

/** All nodes between the roots and the leaves, leaves included, in topological order, and the loops and choices on the way. */
export function collect(roots: readonly Node[], isLeaf: (n: Node) => boolean): Collected {
  const seen = new Set<Node>();
  const used = new Map<Node, Set<number>>();
  const inUse = new Map<Node, Node[]>();
  const stack = [...roots];
  while (stack.length > 0) {
    const node = stack.pop() as Node;
    if (seen.has(node)) continue;
    seen.add(node);
    if (node.op === 'part') {
      const [region] = node.inputs;
      if (!used.has(region)) {
        used.set(region, new Set());
        inUse.set(region, inputsInUse(region));
        stack.push(...(inUse.get(region) as Node[]));
      }
      used.get(region)?.add(node.attrs.index as number);
    } else if (!isLeaf(node)) stack.push(...node.inputs);
  }
  const byId = (a: Node, b: Node): number => a.id - b.id;
  const nodes = [...seen].sort(byId);
  return {
    nodes,
    stages: stagesOf(nodes, isLeaf, inUse),
    regions: [...used.keys()].sort(byId).map((node) => ({
      node,
      used: used.get(node) as Set<number>,
      ...sorted(node, inUse.get(node) as Node[]),
    })),
  };
}

function stagesOf(
  nodes: readonly Node[],
  isLeaf: (n: Node) => boolean,
  inUse: ReadonlyMap<Node, readonly Node[]>,
): Map<Node, number> {
  const stages = new Map<Node, number>();
  for (const node of nodes) {
    const inputs = node.op === 'part' ? (inUse.get(node.inputs[0]) as Node[]) : isLeaf(node) ? [] : node.inputs;
    const before = Math.max(0, ...inputs.map((n) => stages.get(n) ?? 0));
    stages.set(node, before + (node.op === 'part' ? 1 : 0));
  }
  return stages;
}

/** Inputs whose values the regions of a node read. */
function inputsInUse(node: Node): Node[] {
  const own = reachable(regionsOf(node).flatMap((r) => r.results));
  const read = new Set(own);
  if (node.op === 'cond') {
    const { predicate, consts, branches } = condSpec(node);
    return [predicate, ...consts.filter((_, k) => read.has(branches[0].params[k]) || read.has(branches[1].params[k]))];
  }
  const spec = loopSpec(node);
  const params = bodyParams(spec);
  const condConsts = spec.cond?.params.slice(1 + spec.carries.length) ?? [];
  return [
    ...(spec.count ? [spec.count] : []),
    ...spec.carries,
    ...spec.xs.filter((_, k) => read.has(params.rows[k])),
    ...spec.consts.filter((_, k) => read.has(params.consts[k]) || (condConsts[k] && read.has(condConsts[k]))),
  ];
}

/** Inputs in use by what they must be. */
function sorted(node: Node, inUse: readonly Node[]): Pick<RegionNode, 'needs' | 'starts'> {
  if (node.op === 'cond') return { needs: inUse, starts: [] };
  const { count, carries } = loopSpec(node);
  const first = count ? 1 : 0;
  const last = first + carries.length;
  return { needs: inUse.filter((_, k) => k < first || k >= last), starts: inUse.slice(first, last) };
}
