/**
 * Rebuilding of graphs: the one place where a graph is copied with some nodes replaced. Iterative, each node at most once, and a node
 * that reaches no replaced node stays itself, so that what does not change is shared.
 */
import type { Attrs, AttrValue, Builder, Node, Region } from './types.ts';

export function isRegion(value: AttrValue): value is Region {
  return typeof value === 'object' && value !== null && 'results' in value;
}

const NONE: readonly Region[] = [];

/** Regions among the attributes of a node. */
export function regionsOf(node: Node): readonly Region[] {
  // asked of every node of every walk, and nearly none has one
  let found: Region[] | undefined;
  for (const name in node.attrs) {
    const value = node.attrs[name];
    if (isRegion(value)) (found ??= []).push(value);
  }
  return found ?? NONE;
}

/** What a node reads: its inputs, and what its regions read from outside and inside. */
export function dependencies(node: Node): readonly Node[] {
  const regions = regionsOf(node);
  return regions.length === 0 ? node.inputs : [...node.inputs, ...regions.flatMap((r) => r.results)];
}

/** What a node reads where it stands: its inputs, and what an open region reads. Closed regions are functions of their params. */
export function ownDependencies(node: Node): readonly Node[] {
  return node.type.parts ? node.inputs : dependencies(node);
}

/**
 * What a node and its open regions read that is there without the regions: of a rule, the values around it, but none that depends on its params.
 * Closed regions read nothing of the kind.
 */
export function outerDependencies(node: Node): readonly Node[] {
  const regions = node.type.parts ? [] : regionsOf(node);
  if (regions.length === 0) return node.inputs;
  const seen = new Set<Node>();
  const inside = new Set<Node>();
  const stack = regions.flatMap((region) => [...region.results]);
  regions.forEach((region) => region.params.forEach((param) => inside.add(param)));
  // what is older than every param depends on none
  const oldest = Math.min(...[...inside].map((param) => param.id));
  while (stack.length > 0) {
    const next = stack.pop() as Node;
    if (seen.has(next)) continue;
    seen.add(next);
    if (!next.type.parts) regionsOf(next).forEach((region) => region.params.forEach((param) => inside.add(param)));
    if (next.id > oldest) stack.push(...ownDependencies(next));
  }
  const order = [...seen].sort((a, b) => a.id - b.id);
  for (const next of order) if (ownDependencies(next).some((d) => inside.has(d))) inside.add(next);
  const read = [...regions.flatMap((region) => region.results), ...[...inside].flatMap(ownDependencies)];
  return [...new Set([...node.inputs, ...read.filter((d) => !inside.has(d))])];
}

/** Builds the copy of a node whose dependencies changed. */
export type Remake = (node: Node, inputs: readonly Node[], attrs: Attrs) => Node;

/**
 * The roots with every node of `map` replaced, inside open regions too. Closed regions are functions of their params and read none of what is replaced, unless a
 * node of theirs is: `reads: dependencies` then looks inside of them. A replacement stands as it is: it is not searched for further replacements.
 */
export function rebuild(
  roots: readonly Node[],
  map: ReadonlyMap<Node, Node>,
  make: Remake,
  reads: (node: Node) => readonly Node[] = ownDependencies,
): Node[] {
  const done = new Map<Node, Node>(map);
  // what is older than all that is replaced reaches none of it, and is not walked
  let oldest = Infinity;
  for (const replaced of map.keys()) oldest = Math.min(oldest, replaced.id);
  const stack = [...roots];
  while (stack.length > 0) {
    const node = stack[stack.length - 1];
    if (done.has(node)) {
      stack.pop();
      continue;
    }
    if (node.id < oldest) {
      done.set(node, node);
      stack.pop();
      continue;
    }
    const below = reads(node);
    const waiting = stack.length;
    let same = true;
    for (const dependency of below) {
      const image = done.get(dependency);
      if (image === undefined) stack.push(dependency);
      else same &&= image === dependency;
    }
    if (stack.length > waiting) continue;
    stack.pop();
    done.set(node, same ? node : copy(node, done, make));
  }
  return roots.map((root) => done.get(root) as Node);
}

function copy(node: Node, done: ReadonlyMap<Node, Node>, make: Remake): Node {
  const inputs = node.inputs.map((i) => done.get(i) as Node);
  // what was not looked at in a closed region is as it was
  return make(
    node,
    inputs,
    withRegions(node.attrs, (r) => done.get(r) ?? r),
  );
}

/** Attributes with the images of what their regions give. */
export function withRegions(attrs: Attrs, image: (node: Node) => Node): Attrs {
  if (!Object.values(attrs).some(isRegion)) return attrs;
  return Object.fromEntries(
    Object.entries(attrs).map(([name, value]) => [
      name,
      isRegion(value) ? { params: value.params, results: value.results.map(image) } : value,
    ]),
  );
}

/** A region's results with `args` in place of its parameters. */
export function applyRegion(b: Builder, region: Region, args: readonly Node[]): Node[] {
  const map = new Map(region.params.map((param, i) => [param, args[i]]));
  return rebuild(region.results, map, (node, inputs, attrs) =>
    b.at(node.span, () => b.make(node.op, inputs, attrs), node.path),
  );
}
