/** Which nodes carry derivatives: those that depend on a leaf through float values and records that differentiate. */
import { reachable } from '../ir/tensor/graph.ts';
import { bodyParams, condSpec, loopSpec } from '../ops/closed.ts';
import { op } from '../ops/table.ts';
import type { Node, Region } from '../ops/types.ts';

/** Active nodes among those that the outputs reach, in ascending id order; below a leaf nothing is looked at. */
export function activeNodes(
  outputs: readonly Node[],
  leaves: ReadonlySet<Node>,
  mode: 'vjp' | 'jvp',
): ReadonlySet<Node> {
  // what is older than every leaf depends on none
  let oldest = Infinity;
  for (const leaf of leaves) oldest = Math.min(oldest, leaf.id);
  // What lies behind a stop carries nothing, even where it could not be differentiated.
  const seen = reachable(outputs, (node) =>
    node.id > oldest && !leaves.has(node) && differentiates(node, mode) ? node.inputs : [],
  );
  const active = new Set<Node>();
  /** Which parts of loops and choices are active. */
  const parts = new Map<Node, readonly boolean[]>();
  for (const node of seen) {
    if (leaves.has(node)) active.add(node);
    else if (node.op === 'part') {
      if (parts.get(node.inputs[0])?.[node.attrs.index as number]) active.add(node);
    } else if (differentiates(node, mode) && node.inputs.some((input) => active.has(input))) {
      if (node.type.parts)
        parts.set(
          node,
          activeParts(node, (input) => active.has(input), mode),
        );
      active.add(node);
    }
  }
  return active;
}

function differentiates(node: Node, mode: 'vjp' | 'jvp'): boolean {
  const { several, lower, [mode]: rule } = op(node.op);
  if (several) return true;
  return node.type.dtype === 'f32' && (lower.family === 'part' || rule !== 'none');
}

/** Of every part of a loop or choice: do derivatives flow to it from the inputs that are active, over any number of turns? */
function activeParts(node: Node, isActive: (input: Node) => boolean, mode: 'vjp' | 'jvp'): readonly boolean[] {
  const reached = ({ results }: Region, params: readonly Node[]) => {
    const active = activeNodes(results, new Set(params), mode);
    return results.map((result) => active.has(result));
  };
  if (node.op === 'cond') {
    const { consts, branches } = condSpec(node);
    const [a, b] = branches.map((branch) =>
      reached(
        branch,
        branch.params.filter((_, k) => isActive(consts[k])),
      ),
    );
    return [false, ...a.map((flag, k) => flag || b[k])];
  }
  const spec = loopSpec(node);
  const params = bodyParams(spec);
  const fixed = [
    ...params.rows.filter((_, k) => isActive(spec.xs[k])),
    ...params.consts.filter((_, k) => isActive(spec.consts[k])),
  ];
  for (let carries = spec.carries.map(isActive); ;) {
    const results = reached(spec.body, [...fixed, ...params.carries.filter((_, k) => carries[k])]);
    const next = carries.map((flag, k) => flag || results[k]);
    if (next.every((flag, k) => flag === carries[k])) return [false, ...next, ...results.slice(next.length)];
    carries = next;
  }
}
