/**
 * Loop-invariant code: what every turn would compute anew from captured values alone is computed once before the loop. Only out of loops that are known to take
 * turns, only real work (what a kernel reads through costs nothing), never a check that may fail, and nothing that would take more memory than it is made of.
 * A loop of one turn is a checkpoint: it is there so that its body is computed again.
 */
import { type Graph, reachable } from '../ir/tensor/graph.ts';
import { checkedInputs, loopSpec } from '../ir/tensor/regions.ts';
import { rewrite } from '../ir/tensor/rewrite.ts';
import { sizeOf } from '../ops/arrays.ts';
import { op } from '../ops/table.ts';
import type { Node } from '../ops/types.ts';
import { type Inside, movedOut } from './invariant.ts';
import { definePass } from './pass.ts';

export const hoist = definePass({
  name: 'hoist',
  about: 'Computes what does not change from turn to turn before the loop.',
  run: (graph, roots) => rewrite(graph, roots, (node) => (takesTurns(node) ? hoisted(graph, node) : node)),
});

function takesTurns(node: Node): boolean {
  if (node.op !== 'loop') return false;
  const { count, cond, max } = loopSpec(node);
  return !count && !cond && max > 1;
}

const hoisted = (graph: Graph, node: Node): Node => movedOut(graph, node, (inside) => worthMoving(inside));

/** The last invariant nodes on every path into what varies, where they are worth it; else what is below them. */
function worthMoving({ nodes, results, invariant }: Inside): Node[] {
  const chosen = new Set<Node>();
  const seen = new Set<Node>();
  const stack = results.filter(invariant);
  for (const node of nodes) if (!invariant(node)) stack.push(...node.inputs.filter(invariant));
  while (stack.length > 0) {
    const node = stack.pop() as Node;
    if (seen.has(node)) continue;
    seen.add(node);
    if (isWork(node) && canMove(node)) chosen.add(node);
    else stack.push(...node.inputs);
  }
  return [...chosen];
}

/** Is it computed, rather than read through? */
function isWork({ op: name, type }: Node): boolean {
  const { family } = op(name).lower;
  return type.parts === undefined && !['source', 'index', 'alias', 'part', 'host'].includes(family);
}

/** Families whose result is worth its memory however large it is. */
const HEAVY = new Set(['contraction', 'gather', 'scatter', 'sort', 'scan', 'reduce', 'update', 'overlap']);
const isHeavy = (node: Node) => HEAVY.has(op(node.op).lower.family);

/** Nothing below is a check or a loop, and the result is hard to make or no larger than what it is made of. */
function canMove(root: Node): boolean {
  const below = everythingBelow(root, () => false);
  if (below.some((node) => node.type.parts !== undefined || checkedInputs(node).length > 0)) return false;
  if (isHeavy(root)) return true;
  const made = everythingBelow(root, isHeavy).filter((node) => node.op === 'parameter' || isHeavy(node));
  const size = made.reduce((sum, node) => sum + sizeOf(node.type.shape), 0);
  return sizeOf(root.type.shape) <= Math.max(1, size);
}

/** The node and what it is made of, down to nodes that `ends` names. */
function everythingBelow(root: Node, ends: (node: Node) => boolean): Node[] {
  return reachable([root], (node) => (ends(node) ? [] : node.inputs));
}
