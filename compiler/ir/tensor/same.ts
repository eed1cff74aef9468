/** Whether two values are the same by the form of their graphs, whatever they are called. */
import type { Node } from '../../ops/types.ts';

/** True where both are computed alike from the same leaves. Loops and branches are the same only where they are one. */
export function sameValue(a: Node, b: Node): boolean {
  const seen = new Map<Node, Node>();
  const stack: [Node, Node][] = [[a, b]];
  for (let pair = stack.pop(); pair; pair = stack.pop()) {
    const [x, y] = pair.map(unnamed) as [Node, Node];
    if (x === y || seen.get(x) === y) continue;
    if (x.op !== y.op || x.inputs.length !== y.inputs.length || !sameAttrs(x, y)) return false;
    seen.set(x, y);
    x.inputs.forEach((input, i) => stack.push([input, y.inputs[i]]));
  }
  return true;
}

const unnamed = (node: Node): Node => (node.op === 'name' ? unnamed(node.inputs[0]) : node);

function sameAttrs(x: Node, y: Node): boolean {
  const keys = Object.keys(x.attrs);
  if (keys.length !== Object.keys(y.attrs).length || x.type.dtype !== y.type.dtype) return false;
  return keys.every((key) => {
    const [p, q] = [x.attrs[key], y.attrs[key]];
    return p === q || (Array.isArray(p) && Array.isArray(q) && p.every(isPlain) && JSON.stringify(p) === JSON.stringify(q)); // prettier-ignore
  });
}

const isPlain = (value: unknown): boolean => typeof value !== 'object' || value === null;
