/** Equal operations on equal values are one node. Random draws are functions of their keys, so they merge like all others. */
import { attrText } from '../ir/tensor/print.ts';
import { rewrite } from '../ir/tensor/rewrite.ts';
import type { Node } from '../ops/types.ts';
import { definePass } from './pass.ts';

/** Nodes with equal text compute the same value. */
function keyOf(node: Node): string {
  const attrs = Object.entries(node.attrs)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}:${attrText(value, (n) => `%${n.id}`)}`)
    .sort();
  return `${node.op}(${node.inputs.map((i) => i.id).join()}){${attrs.join()}}`;
}

export const cse = definePass({
  name: 'cse',
  about: 'Merges nodes that apply the same primitive to the same inputs.',
  run: (graph, roots) => {
    const first = new Map<string, Node>();
    return rewrite(graph, roots, (node) => {
      const key = keyOf(node);
      const twin = first.get(key);
      if (!twin) first.set(key, node);
      return twin ?? node;
    });
  },
});
