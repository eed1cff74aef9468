/**
 * What a legal tensor graph is, as a check: run after every pass in tests and under `--verify`. A problem is a bug of whatever made
 * the graph, never of a user.
 */
import { sameType } from '../../ops/arrays.ts';
import { dependencies, ownDependencies, regionsOf } from '../../ops/region.ts';
import { isOp, op } from '../../ops/table.ts';
import { type Node, ShapeError, type TensorType } from '../../ops/types.ts';
import { typeText } from './graph.ts';

/** Problems of the graph, none if it is legal. With `leaves`, only those parameters (besides regions' own) may be read. */
export function verify(roots: readonly Node[], leaves?: ReadonlySet<Node>): string[] {
  const problems: string[] = [];
  const byId = new Map<number, Node>();
  const nodes = discover(roots);
  for (const node of nodes) {
    const report = (problem: string) => problems.push(`%${node.id} ${node.op}: ${problem}`);
    const twin = byId.get(node.id);
    if (twin) report(`has the id of another node (${twin.op})`);
    byId.set(node.id, node);
    for (const dependency of dependencies(node)) {
      if (dependency.id >= node.id) report(`reads %${dependency.id}, which is not older`);
    }
    for (const problem of ownProblems(node, leaves)) report(problem);
  }
  for (const node of unbound(nodes, roots))
    problems.push(`%${node.id}: a region's parameter is read outside of its region`);
  return problems;
}

/** All nodes, without trusting their ids. */
function discover(roots: readonly Node[]): Node[] {
  const seen = new Set<Node>();
  const stack = [...roots];
  while (stack.length > 0) {
    const node = stack.pop() as Node;
    if (seen.has(node)) continue;
    seen.add(node);
    stack.push(...dependencies(node), ...regionsOf(node).flatMap((r) => r.params));
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

function ownProblems(node: Node, leaves: ReadonlySet<Node> | undefined): string[] {
  if (!isOp(node.op)) return ['is no primitive'];
  const problems: string[] = [];
  const def = op(node.op);
  if (def.arity !== 'variadic' && node.inputs.length !== def.arity) {
    return [`has ${node.inputs.length} inputs instead of ${def.arity}`];
  }
  const inferred = inferredType(node);
  if (typeof inferred === 'string') problems.push(inferred);
  else if (!sameType(inferred, node.type)) {
    problems.push(`has type ${typeText(node.type)}, but its inputs make ${typeText(inferred)}`);
  }
  for (const region of regionsOf(node)) {
    for (const param of region.params) {
      if (param.op !== 'parameter' || param.attrs.source !== 'region') {
        problems.push(`%${param.id} is listed as a region's parameter but is none`);
      }
    }
  }
  if (node.type.parts) problems.push(...openReads(node));
  const outer = node.op === 'parameter' && node.attrs.source !== 'region';
  if (outer && leaves && !leaves.has(node)) problems.push(`'${String(node.attrs.name)}' is no known leaf`);
  return problems;
}

/** Leaves that the regions of a loop or choice read beside their own params: they are closed, so there must be none. */
function openReads(node: Node): string[] {
  const problems: string[] = [];
  for (const { params, results } of regionsOf(node)) {
    const bound = new Set(params);
    const seen = new Set<Node>();
    const stack = [...results];
    while (stack.length > 0) {
      const inner = stack.pop() as Node;
      if (seen.has(inner)) continue;
      seen.add(inner);
      // inner loops and choices are closed themselves; the params of a rule are its own
      if (!inner.type.parts) regionsOf(inner).forEach((region) => region.params.forEach((param) => bound.add(param)));
      stack.push(...ownDependencies(inner));
    }
    for (const leaf of seen) {
      if (leaf.op === 'parameter' && !bound.has(leaf)) problems.push(`a closed region reads %${leaf.id} from outside`);
    }
  }
  return problems;
}

/** The type by the op's record, or what it objects to. */
function inferredType(node: Node): TensorType | string {
  try {
    return op(node.op).infer(
      node.inputs.map((i) => i.type),
      node.attrs,
    );
  } catch (cause) {
    if (cause instanceof ShapeError) return cause.message;
    throw cause;
  }
}

/** Region parameters that a root depends on without passing the node that owns their region. */
function unbound(nodes: readonly Node[], roots: readonly Node[]): Node[] {
  const free = new Map<Node, ReadonlySet<Node>>();
  const none: ReadonlySet<Node> = new Set();
  for (const node of nodes) {
    const mine = new Set<Node>();
    if (node.op === 'parameter' && node.attrs.source === 'region') mine.add(node);
    for (const input of node.inputs) (free.get(input) ?? none).forEach((p) => mine.add(p));
    for (const region of regionsOf(node)) {
      for (const result of region.results) {
        (free.get(result) ?? none).forEach((p) => {
          if (!region.params.includes(p)) mine.add(p);
        });
      }
    }
    free.set(node, mine.size > 0 ? mine : none);
  }
  return [...new Set(roots.flatMap((root) => [...(free.get(root) ?? none)]))];
}
