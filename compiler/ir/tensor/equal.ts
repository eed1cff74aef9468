/** Equality of code by structure: the same primitives on the same values, whatever the nodes are. */
import { isRegion } from '../../ops/region.ts';
import { sameType } from '../../ops/arrays.ts';
import type { AttrValue, Node } from '../../ops/types.ts';

/**
 * Do the pairs compute the same values? `params` says which region parameters on the left stand for which on the right; all others must be the same node.
 * Iterative; every pair of nodes is compared once.
 */
export function equalCode(pairs: readonly (readonly [Node, Node])[], params: ReadonlyMap<Node, Node>): boolean {
  const bound = new Map(params);
  const seen = new Set<string>();
  const stack = [...pairs];
  while (stack.length > 0) {
    const [a, b] = stack.pop() as readonly [Node, Node];
    if (bound.has(a)) {
      if (bound.get(a) !== b) return false;
      continue;
    }
    const key = `${a.id} ${b.id}`;
    if (seen.has(key)) continue;
    seen.add(key);
    if (a.op !== b.op || a.inputs.length !== b.inputs.length || !sameType(a.type, b.type)) return false;
    if (a.op === 'parameter') {
      if (a !== b) return false;
      continue;
    }
    if (!sameAttrs(a, b, bound, stack)) return false;
    a.inputs.forEach((input, k) => stack.push([input, b.inputs[k]]));
  }
  return true;
}

function sameAttrs(a: Node, b: Node, bound: Map<Node, Node>, stack: (readonly [Node, Node])[]): boolean {
  const names = (node: Node) => Object.keys(node.attrs).filter((name) => node.attrs[name] !== undefined);
  const own = names(a);
  if (own.length !== names(b).length) return false;
  return own.every((name) => {
    const [x, y] = [a.attrs[name], b.attrs[name]];
    if (!isRegion(x) || !isRegion(y)) return samePlain(x, y);
    if (x.params.length !== y.params.length || x.results.length !== y.results.length) return false;
    // a region that both share binds its params to themselves
    if (x.params.some((p, k) => (bound.get(p) ?? y.params[k]) !== y.params[k])) return false;
    x.params.forEach((p, k) => bound.set(p, y.params[k]));
    x.results.forEach((r, k) => stack.push([r, y.results[k]]));
    return true;
  });
}

function samePlain(x: AttrValue, y: AttrValue): boolean {
  if (!Array.isArray(x) || !Array.isArray(y)) return Object.is(x, y);
  return x.length === y.length && x.every((v, k) => Object.is(v, y[k]));
}
