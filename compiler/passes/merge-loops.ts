/**
 * Loops that take the same turns and compute the same become one: a loop and the one that reverse mode runs again to keep its carries, a loop and the one
 * that carries its tangents along, the loops of two derivatives. What only one of them computes, the merged one computes beside.
 */
import { type Graph, reachable } from '../ir/tensor/graph.ts';
import { equalCode } from '../ir/tensor/equal.ts';
import { bodyParams, type LoopSpec, loopSpec, makeLoop } from '../ir/tensor/regions.ts';
import { remake, rewrite } from '../ir/tensor/rewrite.ts';
import { isRegion, ownDependencies, rebuild } from '../ops/region.ts';
import type { Node } from '../ops/types.ts';
import { definePass } from './pass.ts';

export const mergeLoops = definePass({
  name: 'merge-loops',
  about: 'Merges loops that take the same turns and share what they carry.',
  run: (graph, roots) => {
    const inside = rewrite(graph, roots, (node) => (node.type.parts ? withRegionsMerged(graph, node) : node));
    return mergedLevel(graph, inside);
  },
});

function withRegionsMerged(graph: Graph, node: Node): Node {
  let changed = false;
  const attrs = Object.fromEntries(
    Object.entries(node.attrs).map(([name, value]) => {
      if (!isRegion(value)) return [name, value];
      const results = mergedLevel(graph, value.results);
      changed ||= results.some((r, k) => r !== value.results[k]);
      return [name, { params: value.params, results }];
    }),
  );
  return changed ? remake(graph, node, node.inputs, attrs) : node;
}

/** Merges among the loops that stand beside each other, one pair after another. */
function mergedLevel(graph: Graph, roots: readonly Node[]): Node[] {
  let current = [...roots];
  const refused = new Set<string>();
  for (;;) {
    const loops = loopsBeside(current);
    const replaced = firstMerge(graph, loops, refused);
    if (!replaced) return current;
    current = rebuild(current, replaced, (node, inputs, attrs) =>
      graph.at(node.span, () => graph.make(node.op, inputs, attrs), node.path),
    );
  }
}

interface Level {
  readonly loops: readonly Node[];
  /** Parts of each loop that somebody reads. */
  readonly parts: ReadonlyMap<Node, readonly Node[]>;
}

/** Loops that the roots reach without entering regions. */
function loopsBeside(roots: readonly Node[]): Level {
  const seen = new Set<Node>();
  const stack = [...roots];
  const parts = new Map<Node, Node[]>();
  while (stack.length > 0) {
    const node = stack.pop() as Node;
    if (seen.has(node)) continue;
    seen.add(node);
    if (node.op === 'part' && node.inputs[0].op === 'loop')
      parts.set(node.inputs[0], [...(parts.get(node.inputs[0]) ?? []), node]);
    stack.push(...ownDependencies(node));
  }
  return { loops: [...parts.keys()].sort((a, b) => a.id - b.id), parts };
}

/** Replacements for the parts of the first pair that can be merged. */
function firstMerge(graph: Graph, { loops, parts }: Level, refused: Set<string>): Map<Node, Node> | undefined {
  for (const [at, a] of loops.entries()) {
    for (const b of loops.slice(at + 1)) {
      const key = `${a.id} ${b.id}`;
      if (refused.has(key) || !sameTurns(a, b)) continue;
      const merged = merge(graph, a, b);
      if (!merged) {
        refused.add(key);
        continue;
      }
      const map = new Map<Node, Node>();
      for (const [side, node] of [a, b].entries()) {
        for (const part of parts.get(node) ?? []) {
          map.set(part, graph.make('part', [merged.node], { index: merged.index[side](part.attrs.index as number) }));
        }
      }
      return map;
    }
  }
  return undefined;
}

function sameTurns(a: Node, b: Node): boolean {
  const same = ['max', 'counted', 'reversed'].every((name) => a.attrs[name] === b.attrs[name]);
  const counts = a.attrs.counted !== true || a.inputs[0] === b.inputs[0];
  return same && counts && (a.attrs.cond === undefined) === (b.attrs.cond === undefined);
}

/** Does the node read the other, directly or not? */
function dependsOn(node: Node, other: Node): boolean {
  const seen = new Set<Node>();
  const stack = [...node.inputs];
  while (stack.length > 0) {
    const next = stack.pop() as Node;
    if (next === other) return true;
    if (next.id < other.id || seen.has(next)) continue;
    seen.add(next);
    stack.push(...ownDependencies(next));
  }
  return false;
}

interface Merged {
  readonly node: Node;
  /** New index of a part, for the first and the second loop. */
  readonly index: readonly ((part: number) => number)[];
}

function merge(graph: Graph, a: Node, b: Node): Merged | undefined {
  const [first, second] = [loopSpec(a), loopSpec(b)];
  const shared = sharedCarries(first, second);
  if (!worthMerging(first, second, shared) || dependsOn(b, a) || dependsOn(a, b)) return undefined;
  return joined(graph, first, second, shared);
}

/**
 * A counter in common is no reason to run two computations in one loop: a float carry is, or all of one loop's carries. Of two that carry nothing (checkpoints),
 * one must compute all rows of the other.
 */
function worthMerging(first: LoopSpec, second: LoopSpec, shared: readonly (number | undefined)[]): boolean {
  if (first.carries.length + second.carries.length === 0) return covers(first, second) || covers(second, first);
  const same = shared.filter((k) => k !== undefined);
  const all = same.length === first.carries.length || same.length === second.carries.length;
  return same.length > 0 && (all || same.some((k) => second.carries[k].type.dtype === 'f32'));
}

/** Is every row of the other loop computed in the body of this one? */
function covers(own: LoopSpec, other: LoopSpec): boolean {
  const { body } = standsFor(own, other, []);
  const nodes = reachable(own.body.results, ownDependencies);
  return other.body.results.every((result) =>
    nodes.some((node) => node.op === result.op && equalCode([[node, result]], body)),
  );
}

/** For each carry of the first loop, the one of the second that holds the same value before every turn. */
function sharedCarries(first: LoopSpec, second: LoopSpec): (number | undefined)[] {
  // in order, since derivative rules keep the carries of a loop in order
  let from = 0;
  let shared = first.carries.map((value): number | undefined => {
    const at = second.carries.findIndex((other, j) => j >= from && other === value);
    if (at < 0) return undefined;
    from = at + 1;
    return at;
  });
  for (;;) {
    const params = standsFor(first, second, shared);
    const next = shared.map((j, k) =>
      j !== undefined && equalCode([[first.body.results[k], second.body.results[j]]], params.body) ? j : undefined,
    );
    if (next.every((j, k) => j === shared[k])) break;
    shared = next;
  }
  const { cond } = standsFor(first, second, shared);
  const same = !first.cond || !second.cond || equalCode([[first.cond.results[0], second.cond.results[0]]], cond);
  return same ? shared : shared.map(() => undefined);
}

/** Which params of the second loop's regions stand for those of the first. A carry that is not shared stands for itself, which equals nothing. */
function standsFor(first: LoopSpec, second: LoopSpec, shared: readonly (number | undefined)[]) {
  const [p, q] = [bodyParams(first), bodyParams(second)];
  const body = new Map<Node, Node>([[p.i, q.i]]);
  const cond = new Map<Node, Node>(first.cond && second.cond ? [[first.cond.params[0], second.cond.params[0]]] : []);
  const own = (param: Node, other: Node | undefined) => body.set(param, other ?? param);
  const ownCond = (at: number, other: number | undefined) => {
    const param = first.cond?.params[at];
    if (param) cond.set(param, (other === undefined ? undefined : second.cond?.params[other]) ?? param);
  };
  p.carries.forEach((param, k) => {
    const j = shared[k];
    own(param, j === undefined ? undefined : q.carries[j]);
    ownCond(1 + k, j === undefined ? undefined : 1 + j);
  });
  first.xs.forEach((x, k) => own(p.rows[k], q.rows[second.xs.indexOf(x)]));
  first.consts.forEach((value, k) => {
    const j = second.consts.indexOf(value);
    own(p.consts[k], q.consts[j]);
    ownCond(1 + first.carries.length + k, j < 0 ? undefined : 1 + second.carries.length + j);
  });
  return { body, cond };
}

/** The second loop with what only the first has beside its own: carries, sequences, constants and rows. */
function joined(graph: Graph, first: LoopSpec, second: LoopSpec, shared: readonly (number | undefined)[]): Merged {
  const [p, q] = [bodyParams(first), bodyParams(second)];
  const { body } = standsFor(first, second, shared);
  const results = rebuild(first.body.results, body, (node, inputs, attrs) =>
    graph.at(node.span, () => graph.make(node.op, inputs, attrs), node.path),
  );
  const [n, m] = [first.carries.length, second.carries.length];
  const places = (count: number) => Array.from({ length: count }, (_, k) => k);
  const carries = places(n).filter((k) => shared[k] === undefined);
  const xs = places(first.xs.length).filter((k) => !second.xs.includes(first.xs[k]));
  const consts = places(first.consts.length).filter((k) => !second.consts.includes(first.consts[k]));
  const ys = [results.slice(n), second.body.results.slice(m)];
  const all = second.cond?.params ?? [];
  const fresh = (nodes: readonly Node[]) => nodes.map(({ type }) => graph.parameter('region', 'k', type));
  const loop = makeLoop(graph, {
    ...second,
    carries: [...second.carries, ...carries.map((k) => first.carries[k])],
    xs: [...second.xs, ...xs.map((k) => first.xs[k])],
    consts: [...second.consts, ...consts.map((k) => first.consts[k])],
    body: {
      params: [
        q.i,
        ...q.carries,
        ...carries.map((k) => p.carries[k]),
        ...q.rows,
        ...xs.map((k) => p.rows[k]),
        ...q.consts,
        ...consts.map((k) => p.consts[k]),
      ],
      results: [...second.body.results.slice(0, m), ...carries.map((k) => results[k]), ...ys[1], ...ys[0]],
    },
    cond: second.cond && {
      params: [
        ...all.slice(0, 1 + m),
        ...fresh(carries.map((k) => first.carries[k])),
        ...all.slice(1 + m),
        ...fresh(consts.map((k) => first.consts[k])),
      ],
      results: second.cond.results,
    },
  });
  const size = m + carries.length;
  return {
    node: loop.node,
    index: [
      (part) => {
        if (part === 0) return 0;
        if (part > n) return 1 + size + ys[1].length + (part - 1 - n);
        return 1 + (shared[part - 1] ?? m + carries.indexOf(part - 1));
      },
      (part) => (part <= m ? part : part + carries.length),
    ],
  };
}
