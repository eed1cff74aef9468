/**
 * Splits off the part of a graph that the host evaluates once per step: scalars computed from hypers, step and seed, and random keys.
 * What is left reads them as parameter words.
 */
import { reachable } from '../ir/tensor/graph.ts';
import type { HostInstruction, HostProgram } from '../bundle/host-program.ts';
import { op } from '../ops/table.ts';
import type { Node } from '../ops/types.ts';

export interface HostPart {
  readonly program: HostProgram;
  /**
   * Host nodes that the rest of the graph reads or that are roots, with the index of their value in the program. Constants are in it only
   * as roots: a kernel writes them into its text.
   */
  readonly index: ReadonlyMap<Node, number>;
}

/** What a node is to the host: a value of its own, another name for its input, or nothing. */
export function hostRole(node: Node, isHost: (input: Node) => boolean): 'value' | 'alias' | 'none' {
  const { scalar, lower, checked } = op(node.op);
  if (node.op === 'parameter') return node.attrs.source === 'scalar' ? 'value' : 'none';
  if (lower.family === 'host') return node.inputs.every(isHost) ? 'value' : 'none';
  if (node.type.shape.length > 0) return 'none';
  if (node.op === 'constant') return 'value';
  if (lower.family === 'alias') return isHost(node.inputs[0]) ? 'alias' : 'none';
  // a fault is recorded by a kernel, which knows its place
  return scalar !== undefined && checked === undefined && node.inputs.every(isHost) ? 'value' : 'none';
}

/** Program and index for everything the roots reach by inputs. (Regions are closed: what they read of the host they get as constants.) */
export function extractHost(roots: readonly Node[]): HostPart {
  const nodes = reachable(roots, (node) => node.inputs);
  /** Host nodes, each with the node that stands for its value (itself, or below aliases). */
  const host = new Map<Node, Node>();
  for (const node of nodes) {
    const kind = hostRole(node, (input) => host.has(input));
    if (kind === 'value') host.set(node, node);
    if (kind === 'alias') host.set(node, host.get(node.inputs[0]) as Node);
  }
  const isConstant = (node: Node) => host.get(node)?.op === 'constant';
  const border = new Set<Node>(roots.filter((root) => host.has(root)));
  for (const node of nodes) {
    if (host.has(node)) continue;
    for (const input of node.inputs) if (host.has(input) && !isConstant(input)) border.add(input);
  }

  const valueNodes = reachable([...border], (node) => node.inputs).filter((node) => host.get(node) === node);
  const place = new Map(valueNodes.map((node, i) => [node, i]));
  const at = (node: Node) => place.get(host.get(node) as Node) as number;
  return {
    program: { instructions: valueNodes.map((node) => instruction(node, at)) },
    index: new Map([...border].map((node) => [node, at(node)])),
  };
}

function instruction(node: Node, at: (input: Node) => number): HostInstruction {
  const common = { dtype: node.type.dtype, inputDtypes: node.inputs.map((i) => i.type.dtype) };
  if (node.op === 'parameter') return { op: 'scalar', inputs: [], attrs: { name: node.attrs.name }, ...common };
  if (node.op === 'constant') {
    const { value, values } = node.attrs;
    return { op: 'constant', inputs: [], attrs: { value: value ?? (values as readonly number[])[0] }, ...common };
  }
  return { op: node.op, inputs: node.inputs.map(at), attrs: node.attrs, ...common };
}
