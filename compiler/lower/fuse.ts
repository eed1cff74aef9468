/**
 * Decides which nodes are stored in memory and which are computed where they are used. Contractions, reductions, scatters, sorts and results are
 * always stored (or handed on inside a kernel); for elementwise and index nodes the cost of computing them again at every use
 * is weighed against a store, the loads, and possibly a launch. Costs count lane operations; a load or store is worth `MEMORY` of them.
 */
import { op as opOf } from '../ops/table.ts';
import type { Node } from '../ops/types.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import { isTiled } from './contraction.ts';
import { contractionOf } from './dims.ts';

const MEMORY = 4;
/** What a launch of its own would cost; most stored nodes find room in another kernel. */
const LAUNCH = 60_000;
/** Buffers that a kernel may need beside those of data: cells and temporaries (numbers and words), parameters, reports, faults. */
const OTHER_BUFFERS = 4;
/** How much dearer it must be to compute a value again than to store it, since what is stored also takes memory. */
const WORTH = 1.5;
/** How often a draw is made again rather than stored: its key is all that need be kept, so that noise over a whole tree of parameters takes no memory. */
const REMADE = 4;
/** Nodes of one inlined region beyond which it is cut. */
const MAX_REGION = 120;

const expensive: Readonly<Record<string, number>> = {
  // The same load at another index.
  reshape: 0,
  slice: 0,
  exp: 3,
  log: 6,
  log1p: 6,
  expm1: 6,
  sqrt: 2,
  rsqrt: 2,
  sin: 4,
  cos: 4,
  tan: 6,
  sinh: 8,
  cosh: 8,
  tanh: 8,
  asin: 8,
  acos: 8,
  atan: 8,
  atan2: 10,
  erf: 12,
  sigmoid: 5,
  softplus: 10,
  pow: 8,
  div: 1,
  random_bits: 40,
  shuffle_index: 80,
  permutation: 80,
  floor_mod: 3,
  floor_div: 3,
};

export const size = (node: Node): number => sizeOf(node.type.shape);

export function isAnchor(node: Node): boolean {
  const { family } = opOf(node.op).lower;
  return (
    family === 'contraction' ||
    family === 'reduce' ||
    family === 'scatter' ||
    family === 'overlap' ||
    family === 'scan' ||
    family === 'sort' ||
    family === 'factor'
  );
}

export interface Uses {
  /** Users of every node within the entry. */
  readonly users: ReadonlyMap<Node, readonly Node[]>;
}

export function usersOf(nodes: readonly Node[]): Map<Node, Node[]> {
  const users = new Map<Node, Node[]>();
  for (const node of nodes) {
    for (const input of new Set(node.inputs)) {
      const list = users.get(input);
      if (list) list.push(node);
      else users.set(input, [node]);
    }
  }
  return users;
}

/**
 * The nodes to be stored (or kept within a kernel), in topological order. `nodes` are all nodes of the entry in that order; `isLeaf` says which are in
 * memory or on the host already; `results` must be stored; `resolve` gives the outer node of a region's constant.
 */
export function chooseStored(
  nodes: readonly Node[],
  isLeaf: (n: Node) => boolean,
  results: ReadonlySet<Node>,
  maxBuffers: number,
  resolve: (n: Node) => Node = (n) => n,
): Set<Node> {
  const users = usersOf(nodes);
  const stored = new Set<Node>([...results].filter((n) => !isLeaf(n)));
  for (const node of nodes) {
    if (isLeaf(node) || !isAnchor(node)) continue;
    stored.add(node);
    stored.add(absorbed(node, users, results));
  }
  cutLongRegions(nodes, isLeaf, stored);
  cutWideRegions(nodes, isLeaf, stored, maxBuffers - OTHER_BUFFERS, resolve);
  const cost = inlineCosts(nodes, isLeaf, stored);
  const drawn = drawnFrom(nodes, isLeaf, stored);
  // Evaluations of each node by place: key → count. Uses at the same index of the same kernel share one evaluation.
  const demands = new Map<Node, Map<string, number>>();
  const demand = (node: Node, key: string, count: number): void => {
    const own = demands.get(node) ?? new Map<string, number>();
    own.set(key, Math.max(own.get(key) ?? 0, count));
    demands.set(node, own);
  };
  for (const node of [...nodes].reverse()) {
    if (isLeaf(node)) continue;
    const own = demands.get(node) ?? new Map<string, number>();
    if (!stored.has(node) && own.size > 0) {
      const evaluations = [...own.values()].reduce((a, b) => a + b, 0);
      const each = cost.get(node) as Cost;
      const again = evaluations * each.total;
      const once = size(node) * (each.total + MEMORY) + evaluations * MEMORY + LAUNCH;
      if (again > WORTH * once && !(drawn.has(node) && evaluations <= REMADE * size(node))) stored.add(node);
    }
    const places = stored.has(node) ? new Map([[`n${node.id}`, size(node)]]) : own;
    if (places.size > 0) passOn(node, places, demand);
  }
  return new Set(nodes.filter((n) => stored.has(n)));
}

/** The last of a chain of elementwise nodes that only serve to finish an anchor (bias, scale, activation): it is stored in the anchor's stead. */
function absorbed(anchor: Node, users: ReadonlyMap<Node, readonly Node[]>, results: ReadonlySet<Node>): Node {
  let node = anchor;
  for (;;) {
    const next = users.get(node);
    if (results.has(node) || !next || next.length !== 1) return node;
    const [user] = next;
    const { family } = opOf(user.op).lower;
    if ((family !== 'elementwise' && user.op !== 'reshape') || size(user) !== size(node)) return node;
    node = user;
  }
}

/** Stores a node wherever more than MAX_REGION nodes would be computed for one value: long programs become several kernels of bounded size. */
function cutLongRegions(nodes: readonly Node[], isLeaf: (n: Node) => boolean, stored: Set<Node>): void {
  const isEdge = (n: Node): boolean => isLeaf(n) || stored.has(n);
  // Counted as a tree first, which is quick, and exactly only where that is too many.
  const count = new Map<Node, number>();
  for (const node of nodes) {
    if (isEdge(node)) {
      count.set(node, 1);
      continue;
    }
    let own = 1;
    for (const input of new Set(node.inputs)) own += count.get(input) as number;
    if (own > MAX_REGION) own = regionSize(node, isEdge);
    if (own > MAX_REGION) {
      stored.add(node);
      own = 1;
    }
    count.set(node, own);
  }
}

/** Stores parts of a value that is computed from more data fields, each a buffer of its own, than a kernel can bind beside the others. */
function cutWideRegions(
  nodes: readonly Node[],
  isLeaf: (n: Node) => boolean,
  stored: Set<Node>,
  maxFields: number,
  resolve: (n: Node) => Node,
): void {
  const none: ReadonlySet<string> = new Set();
  const fields = new Map<Node, ReadonlySet<string>>();
  const of = (n: Node): ReadonlySet<string> => (stored.has(n) ? none : (fields.get(n) ?? none));
  for (const node of nodes) {
    if (isLeaf(node)) {
      const { op, attrs } = resolve(node);
      if (op === 'parameter' && attrs.source === 'data') fields.set(node, new Set([String(attrs.name)]));
      continue;
    }
    let own = new Set(node.inputs.flatMap((n) => [...of(n)]));
    while (own.size > maxFields) {
      const parts = node.inputs.filter((n) => !isLeaf(n) && !stored.has(n) && of(n).size > 0);
      if (parts.length === 0) break;
      stored.add(parts.reduce((a, b) => (of(b).size > of(a).size ? b : a)));
      own = new Set(node.inputs.flatMap((n) => [...of(n)]));
    }
    if (own.size > 0) fields.set(node, own);
  }
}

/** Distinct nodes computed for a value, counted up to a little over MAX_REGION. */
function regionSize(node: Node, isEdge: (n: Node) => boolean): number {
  const seen = new Set<Node>([node]);
  const stack = [...node.inputs];
  while (stack.length > 0 && seen.size <= MAX_REGION) {
    const n = stack.pop() as Node;
    if (seen.has(n)) continue;
    seen.add(n);
    if (!isEdge(n)) stack.push(...n.inputs);
  }
  return seen.size;
}

/** Nodes that are made of a draw's bits, constants and single numbers alone, element by element. */
function drawnFrom(nodes: readonly Node[], isLeaf: (n: Node) => boolean, stored: ReadonlySet<Node>): Set<Node> {
  const drawn = new Set<Node>();
  for (const node of nodes) {
    if (isLeaf(node) || stored.has(node)) continue;
    const { family } = opOf(node.op).lower;
    const own = (input: Node): boolean => drawn.has(input) || input.op === 'constant' || size(input) === 1;
    const made = family === 'elementwise' && node.inputs.some((i) => drawn.has(i)) && node.inputs.every(own);
    if (node.op === 'random_bits' || made) drawn.add(node);
  }
  return drawn;
}

interface Cost {
  /** Operations and weighted loads of one evaluation. */
  readonly total: number;
}

function inlineCosts(nodes: readonly Node[], isLeaf: (n: Node) => boolean, stored: ReadonlySet<Node>): Map<Node, Cost> {
  const cost = new Map<Node, Cost>();
  for (const node of nodes) {
    const { family } = opOf(node.op).lower;
    if (node.op === 'constant' && node.attrs.value !== undefined) cost.set(node, { total: 0 });
    else if (isLeaf(node) || stored.has(node)) cost.set(node, { total: size(node) === 1 ? 0.5 : MEMORY });
    else {
      const own = expensive[node.op] ?? (family === 'index' ? 0.25 : family === 'alias' ? 0 : 0.5);
      let total = own + (family === 'gather' ? 2 : 0);
      node.inputs.forEach((input, k) => {
        if (node.inputs.indexOf(input) !== k) return;
        const c = cost.get(input) as Cost;
        // The indices of a gather are computed once for all elements of a slice.
        total += family === 'gather' && k > 0 ? (c.total * size(input)) / Math.max(1, size(node)) : c.total;
      });
      cost.set(node, { total: Math.min(total, 1e6) });
    }
  }
  return cost;
}

/** Hands the demands of a node on to its inputs. */
function passOn(
  node: Node,
  places: ReadonlyMap<string, number>,
  demand: (n: Node, key: string, count: number) => void,
): void {
  const { family } = opOf(node.op).lower;
  const all = (input: Node, mark: string, factor = 1, cap = Infinity): void => {
    for (const [key, count] of places) demand(input, mark ? `${key}/${mark}` : key, Math.min(cap, count * factor));
  };
  if (family === 'contraction') {
    const c = contractionOf(node);
    const tiled = isTiled(node);
    // Each operand is read once per tile of the other's free axis.
    const reuse = (n: number, tile: number): number => (tiled ? Math.ceil(n / tile) : n);
    demand(node.inputs[0], `n${node.id}a`, c.batch * c.m * c.k * reuse(c.n, 32));
    demand(node.inputs[1], `n${node.id}b`, c.batch * c.n * c.k * reuse(c.m, 16));
    return;
  }
  if (family === 'reduce' || family === 'overlap' || family === 'scan' || family === 'sort' || family === 'factor') {
    for (const input of node.inputs) demand(input, `n${node.id}`, size(input) * (family === 'sort' ? 16 : 1));
    return;
  }
  if (family === 'scatter') {
    const [indices, updates] = node.inputs;
    demand(indices, `n${node.id}i`, size(node) * size(indices));
    demand(updates, `n${node.id}u`, size(node) * size(indices));
    return;
  }
  if (family === 'gather' || family === 'update') {
    node.inputs.forEach((input, k) => {
      // Indices are the same along the sliced axes: computed once per row.
      if (family === 'gather' && k > 0) all(input, `${node.id}.${k}`, 1, 4 * size(input));
      else all(input, `${node.id}.${k}`);
    });
    return;
  }
  if (family === 'indexed') {
    for (const input of node.inputs) all(input, '', 1, 256);
    return;
  }
  for (const input of node.inputs) {
    const sameIndex = family === 'elementwise' || family === 'alias' || node.op === 'reshape';
    // A scalar is computed once per invocation, however large what it is spread over.
    if (size(input) === 1) all(input, '', 1, 256);
    else all(input, sameIndex ? '' : String(node.id));
  }
}
