/** Which nodes carry derivatives: those that depend on a leaf through float values and records that differentiate. */
import { op } from '../ops/table.ts';
import type { Node } from '../ops/types.ts';

/** Active nodes among those that the outputs reach, in ascending id order; below a leaf nothing is looked at. */
export function activeNodes(
  outputs: readonly Node[],
  leaves: ReadonlySet<Node>,
  mode: 'vjp' | 'jvp',
): ReadonlySet<Node> {
  const seen = new Set<Node>();
  const stack = [...outputs];
  while (stack.length > 0) {
    const node = stack.pop() as Node;
    if (seen.has(node)) continue;
    seen.add(node);
    // What lies behind a stop carries nothing, even where it could not be differentiated.
    if (!leaves.has(node) && differentiates(node, mode)) stack.push(...node.inputs);
  }
  const active = new Set<Node>();
  for (const node of [...seen].sort((a, b) => a.id - b.id)) {
    if (leaves.has(node) || passes(node, active, mode)) active.add(node);
  }
  return active;
}

/** Do derivatives pass from an active input to the node? A node of several results passes on what flows to any of them. */
function passes(node: Node, active: ReadonlySet<Node>, mode: 'vjp' | 'jvp'): boolean {
  return differentiates(node, mode) && node.inputs.some((input) => active.has(input));
}

function differentiates(node: Node, mode: 'vjp' | 'jvp'): boolean {
  const { several, lower, [mode]: rule } = op(node.op);
  if (several) return true;
  return node.type.dtype === 'f32' && (lower.family === 'part' || rule !== 'none');
}
