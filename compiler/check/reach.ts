/**
 * Numbers of gradient reversals on the paths of derivatives from a value to what it is computed from, through loops and branches too: what arrives at a
 * result of a loop is followed from turn to turn until nothing new arrives.
 */
import { reachable } from '../ir/tensor/graph.ts';
import { bodyParams, condSpec, loopSpec } from '../ir/tensor/regions.ts';
import { op } from '../ops/table.ts';
import type { Node } from '../ops/types.ts';

export interface Reach {
  /** Numbers of reversals on the paths (3 stands for three and more), ascending; empty where no derivative arrives. */
  readonly reversals: readonly number[];
  /** Reversals on those paths. */
  readonly nodes: readonly Node[];
}

/** Bit k: a path with k reversals arrives. */
type Mask = number;
const MOST = 0b1000;
const reversed = (mask: Mask): Mask => ((mask << 1) & 0b1111) | (mask & MOST);

/** Paths of derivatives from `root` to any of the leaves. */
export function reach(root: Node, leaves: ReadonlySet<Node>): Reach {
  const found = new Set<Node>();
  const masks = flow([[root, 1]], leaves, found);
  const mask = [...leaves].reduce((sum, leaf) => sum | (masks.get(leaf) ?? 0), 0);
  return { reversals: [0, 1, 2, 3].filter((k) => mask & (1 << k)), nodes: mask === 0 ? [] : [...found] };
}

/** Adds a mask to what has arrived at a node. */
function arrive(masks: Map<Node, Mask>, node: Node, mask: Mask): void {
  if (mask !== 0) masks.set(node, (masks.get(node) ?? 0) | mask);
}

/** What arrives at the leaves (and above) for what starts at given nodes; notes the reversals passed. */
function flow(
  starts: readonly (readonly [Node, Mask])[],
  leaves: ReadonlySet<Node>,
  found: Set<Node>,
): ReadonlyMap<Node, Mask> {
  const masks = new Map<Node, Mask>();
  for (const [node, mask] of starts) arrive(masks, node, mask);
  const below = activeBelow([...masks.keys()], leaves);
  const parts = new Map<Node, Mask[]>();
  for (const node of [...below].sort((a, b) => b.id - a.id)) {
    const arriving = masks.get(node) ?? 0;
    if (leaves.has(node)) continue;
    if (node.type.parts) {
      for (const [input, mask] of throughRegions(node, parts.get(node) ?? [], below, found)) arrive(masks, input, mask);
    } else if (node.op === 'part') {
      const list = parts.get(node.inputs[0]) ?? [];
      const at = node.attrs.index as number;
      list[at] = (list[at] ?? 0) | arriving;
      parts.set(node.inputs[0], list);
    } else if (arriving !== 0) {
      const reversal = node.op === 'gradient_reversal';
      if (reversal) found.add(node);
      const passed = reversal ? reversed(arriving) : arriving;
      for (const input of differentiableInputs(node)) if (below.has(input)) arrive(masks, input, passed);
    }
  }
  return masks;
}

/** What arrives at the inputs of a loop or choice for what arrives at its parts. */
function throughRegions(
  node: Node,
  parts: readonly Mask[],
  below: ReadonlySet<Node>,
  found: Set<Node>,
): (readonly [Node, Mask])[] {
  if (node.op === 'cond') {
    const { consts, branches } = condSpec(node);
    return branches.flatMap(({ params, results }) => {
      const leaves = new Set(params.filter((_, k) => below.has(consts[k])));
      const starts = results.map((result, k) => [result, parts[1 + k] ?? 0] as const);
      const masks = flow(starts, leaves, found);
      return consts.map((value, k) => [value, masks.get(params[k]) ?? 0] as const);
    });
  }
  return throughLoop(node, parts, below, found);
}

function throughLoop(
  node: Node,
  parts: readonly Mask[],
  below: ReadonlySet<Node>,
  found: Set<Node>,
): (readonly [Node, Mask])[] {
  const spec = loopSpec(node);
  const { carries, xs, consts, body } = spec;
  const params = bodyParams(spec);
  const reached = (list: readonly Node[], values: readonly Node[]) => list.filter((_, k) => below.has(values[k]));
  const leaves = new Set([...params.carries, ...reached(params.rows, xs), ...reached(params.consts, consts)]);
  const arriving = body.results.map((_, k) => parts[1 + k] ?? 0);
  for (;;) {
    const masks = flow(
      body.results.map((result, k) => [result, arriving[k]] as const),
      leaves,
      found,
    );
    const at = (param: Node) => masks.get(param) ?? 0;
    const next = params.carries.map((param, k) => arriving[k] | at(param));
    if (next.every((mask, k) => mask === arriving[k])) {
      // where there may be no turn, a carry is its own beginning
      const none = spec.cond || spec.count ? parts : [];
      return [
        ...carries.map((value, k) => [value, at(params.carries[k]) | (none[1 + k] ?? 0)] as const),
        ...xs.map((value, k) => [value, at(params.rows[k])] as const),
        ...consts.map((value, k) => [value, at(params.consts[k])] as const),
      ];
    }
    next.forEach((mask, k) => (arriving[k] = mask));
  }
}

/** Inputs through which derivatives flow. */
function differentiableInputs(node: Node): readonly Node[] {
  if (node.op === 'part') return node.inputs;
  if (node.op === 'version' || (op(node.op).vjp === 'none' && !node.type.parts)) return [];
  const inputs =
    node.op === 'custom_gradient'
      ? node.inputs.slice(1)
      : node.op === 'gradient_reversal'
        ? node.inputs.slice(0, 1)
        : node.inputs;
  return inputs.filter((i) => i.type.dtype === 'f32');
}

/** Nodes on a path of derivatives from the roots to a leaf; of a loop or choice, any input counts for any result. */
function activeBelow(roots: readonly Node[], leaves: ReadonlySet<Node>): ReadonlySet<Node> {
  const seen = reachable(roots, (node) => (leaves.has(node) ? [] : differentiableInputs(node)));
  const active = new Set<Node>();
  for (const node of seen) {
    if (leaves.has(node) || differentiableInputs(node).some((i) => active.has(i))) active.add(node);
  }
  return active;
}
