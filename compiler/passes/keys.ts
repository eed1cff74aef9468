/**
 * Keys of draws where the host does not know all indices: by turn of a loop, by element of a batch, by a computed index. What the host knows at the beginning of
 * a key stays one key of the host, computed before the loop; the rest is mixed in on the device by the same integers.
 */
import type { Graph } from '../ir/tensor/graph.ts';
import { rewrite } from '../ir/tensor/rewrite.ts';
import { firstKey, keyOfWords, nextKey, wordsOf } from '../ops/random-words.ts';
import { ownDependencies } from '../ops/region.ts';
import type { Node } from '../ops/types.ts';
import { hostRole } from './host.ts';
import { movedOut, withResults } from './invariant.ts';
import { definePass } from './pass.ts';

export const keys = definePass({
  name: 'keys',
  about: 'Splits keys of draws into what the host knows and what is mixed in on the device.',
  run: (graph, roots) => {
    const outside = rewrite(graph, roots, (node) => (node.type.parts ? keysMovedOut(graph, node) : node));
    const host = new Set<Node>();
    return rewrite(graph, outside, (node) => {
      if (node.op === 'random_key' && !node.inputs.every((input) => host.has(input)))
        return split(graph, node, (input) => host.has(input));
      if (hostRole(node, (input) => host.has(input)) !== 'none') host.add(node);
      return node;
    });
  },
});

/** A key as one of the inputs that are known (the longest beginning) and the rest mixed in by `threefry`; itself where all are known. */
function split(graph: Graph, node: Node, known: (input: Node) => boolean): Node {
  const [seed, ...indices] = node.inputs;
  const first = node.inputs.findIndex((input) => !known(input));
  if (first < 0) return node;
  let key =
    first === 0
      ? firstKey(graph, seed, node.attrs.site as readonly number[])
      : wordsOf(graph, graph.make('random_key', node.inputs.slice(0, first), node.attrs));
  indices.forEach((index, position) => {
    if (position + 1 >= first) key = nextKey(graph, key, index, position);
  });
  return keyOfWords(graph, key);
}

/** The loop or choice with its keys split, and those of captured values alone made before it. */
function keysMovedOut(graph: Graph, node: Node): Node {
  const divided = withResults(graph, node, (results, captures) => {
    const known = new Set(captures);
    return rewrite(graph, results, (inner) => {
      if (inner.op === 'random_key') return split(graph, inner, (input) => known.has(input));
      if (inner.op !== 'parameter' && ownDependencies(inner).every((d) => known.has(d))) known.add(inner);
      return inner;
    });
  });
  return movedOut(graph, divided, ({ nodes, invariant }) =>
    nodes.filter((inner) => inner.op === 'random_key' && invariant(inner)),
  );
}
