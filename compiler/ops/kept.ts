/**
 * What a `checkpoint keep` saves: nodes of the body of its loop that are marked with its number. Reverse mode computes the body again from what goes into it,
 * but takes these values from what was saved.
 */
import { ownDependencies } from './region.ts';
import type { Node, Region } from './types.ts';

export interface Kept {
  /** Each value once. */
  readonly values: readonly Node[];
  /** The values and the marks on them, each with the number of its value. */
  readonly names: readonly (readonly [Node, number])[];
}

/** Is the node marked as the result of what a checkpoint keeps? */
export function isKept(node: Node): boolean {
  return node.op === 'name' && node.attrs.keep !== undefined;
}

/** What is marked in a body. Marks inside of its own loops and branches are not its own. */
export function keptIn(body: Region): Kept {
  const values = new Map<Node, number>();
  const names = new Map<Node, number>();
  const seen = new Set<Node>(body.params);
  const stack = [...body.results];
  while (stack.length > 0) {
    const node = stack.pop() as Node;
    if (seen.has(node)) continue;
    seen.add(node);
    stack.push(...ownDependencies(node));
    if (!isKept(node)) continue;
    const chain = [node];
    for (let value = behind(node); value; value = behind(value)) chain.push(value);
    const last = chain[chain.length - 1];
    // what goes into the body, or costs nothing, is there anyway
    if (last.op === 'parameter' || last.op === 'constant') continue;
    const number = values.get(last) ?? values.size;
    values.set(last, number);
    for (const name of chain) names.set(name, number);
  }
  return { values: [...values.keys()], names: [...names] };
}

/** What a node has the value of, where it is a name or concerns derivatives only. */
function behind(node: Node): Node | undefined {
  return node.op === 'name' || node.op === 'custom_gradient' || node.op === 'stop' ? node.inputs[0] : undefined;
}
