/**
 * Counts evaluations of fns for `calls(a.train, f)`. The results of a fn that some claim counts are marked in the graph, so that copies (`at`, other
 * arguments) and batching (one node for many evaluations) are counted for what they are, and equal calls, which are computed once, once.
 */
import type * as ast from '../ast/nodes.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import { regionsOf } from '../ops/region.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { mapNodes } from './convert.ts';
import type { Value } from './values.ts';

/** Identity of a declaration, as it stands in marks. */
export function countedId(decl: { readonly span: Span }): string {
  return `${decl.span.file}:${decl.span.start}`;
}

/** Names in the second place of `calls(…, f)` in the claims of a file; only these fns are marked. */
export function countedNames(statements: readonly ast.Stmt[]): Set<string> {
  const names = new Set<string>();
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (typeof node !== 'object' || node === null) return;
    const call = node as Partial<ast.Call>;
    if (call.kind === 'call' && call.callee?.kind === 'name' && call.callee.name === 'calls') {
      const fn = call.args?.[1]?.value;
      if (fn?.kind === 'name') names.add(fn.name);
    }
    Object.values(node).forEach(visit);
  };
  for (const stmt of statements) if (stmt.kind === 'expect' || stmt.kind === 'for') visit(stmt);
  return names;
}

/** Fns declared in a file and in its trials, by name. */
export function declaredFns(statements: readonly ast.Stmt[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const collect = (list: readonly ast.Stmt[]): void => {
    for (const s of list) {
      if (s.kind === 'fn') found.set(s.name.text, [...(found.get(s.name.text) ?? []), countedId(s)]);
      if (s.kind === 'trial' && s.body) collect(s.body.statements);
    }
  };
  collect(statements);
  return found;
}

/** Marks the value of a call of `decl`, if a claim counts it. */
export function counted(e: Elaboration, decl: ast.FnDecl, value: Value, span: Span): Value {
  if (!e.countedNames.has(decl.name.text)) return value;
  let leaf = 0;
  return mapNodes(e, value, span, (node) =>
    e.make('name', [node], {
      name: decl.name.text,
      fn: countedId(decl),
      leaf: leaf++,
      elements: sizeOf(node.type.shape),
    }),
  );
}

/** How often something is evaluated depends on the run. */
export class UnknownCount extends Error {
  readonly node: Node;
  constructor(node: Node) {
    super('the number of evaluations is known only when it runs');
    this.node = node;
  }
}

/** Evaluations of the marked fns that the roots need. Throws UnknownCount where one is under a condition or in a loop that the run ends. */
export function callsOf(roots: readonly Node[], fns: ReadonlySet<string>): number {
  const numbers = new Map<Node, number>();
  const known = new Map<string, number>();
  /** Times by value, for each leaf of a result. */
  const times = new Map<unknown, Map<number, number>>();
  let inRegions = 0;
  for (const node of evaluated(roots)) {
    const value = numberOf(node, numbers, known);
    numbers.set(node, value);
    inRegions += callsInside(node, fns);
    const { fn, leaf, elements } = node.attrs;
    if (node.op !== 'name' || typeof fn !== 'string' || !fns.has(fn)) continue;
    const each = sizeOf(node.type.shape) / Math.max(1, elements as number);
    const one = times.get(leaf) ?? new Map<number, number>();
    times.set(leaf, one.set(value, Math.max(1, each)));
  }
  const sums = [...times.values()].map((one) => [...one.values()].reduce((a, b) => a + b, 0));
  return Math.max(0, ...sums) + inRegions;
}

/** What the roots reach by inputs, in topological order: bodies of loops and branches are counted by their own rule. */
function evaluated(roots: readonly Node[]): Node[] {
  const seen = new Set<Node>();
  const stack = [...roots];
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    stack.push(...node.inputs);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

/** Evaluations in the regions of a loop, at all of its turns. */
function callsInside(node: Node, fns: ReadonlySet<string>): number {
  if (node.op !== 'loop' && node.op !== 'cond') return 0;
  const inside = regionsOf(node).reduce((sum, region) => sum + callsOf(region.results, fns), 0);
  if (inside === 0) return 0;
  if (node.op === 'cond' || node.attrs.cond !== undefined || node.attrs.counted === true) throw new UnknownCount(node);
  return inside * (node.attrs.max as number);
}

/** Value numbering: nodes of equal operands, operation and attributes have one value. Names change none. */
function numberOf(node: Node, numbers: ReadonlyMap<Node, number>, known: Map<string, number>): number {
  const inputs = node.inputs.map((i) => numbers.get(i));
  if (node.op === 'name' && node.attrs.fn === undefined) return inputs[0] as number;
  const regions = Object.values(node.attrs).some((v) => typeof v === 'object' && !Array.isArray(v));
  const key = regions ? `region ${node.id}` : JSON.stringify([node.op, inputs, node.attrs, node.type]);
  const found = known.get(key) ?? known.size;
  known.set(key, found);
  return found;
}
