/**
 * Evaluates tensor graphs in float64, straight from the op table: slow, obvious, and the oracle of every device test.
 * Iterative; every node is evaluated once, and its value is dropped after its last use.
 */
import { reachable } from '../../compiler/ir/tensor/graph.ts';
import { InternalError } from '../../compiler/diagnostics/diagnostic.ts';
import { IndexFault } from '../../compiler/ops/index.ts';
import { op } from '../../compiler/ops/table.ts';
import type { NdArray, Node, Region } from '../../compiler/ops/types.ts';
import type { Span } from '../../compiler/source/source.ts';

/** A run-time check failed while a node was evaluated: an index out of range, or values from which nothing can be drawn. */
export class FaultError extends Error {
  readonly node: Node;
  readonly span: Span | undefined;

  constructor(message: string, node: Node) {
    super(message);
    this.name = 'FaultError';
    this.node = node;
    this.span = node.span;
  }

  /** OPT708 for a mistake in the program, OPT709 for values that a run which may fail may have. */
  get code(): 'OPT708' | 'OPT709' {
    return this.node.op === 'fault_where' ? 'OPT709' : 'OPT708';
  }
}

/** Nodes that evaluating the roots needs where they stand (their regions are evaluated by their primitives), inputs before users. */
const needed = (roots: readonly Node[]): Node[] => reachable(roots, (node) => node.inputs);

/**
 * Values of the roots. `leaf` supplies the value of each `parameter` node, of the node's type; values are never written to, so they may be
 * shared with the caller. Throws FaultError, with the span of the node, for an index out of range.
 */
export function evaluate(roots: readonly Node[], leaf: (parameter: Node) => NdArray, seen?: Seen): NdArray[] {
  return evaluateIn(planOf(roots), leaf, seen);
}

/** Told of every value as it is computed, in loops at each turn. What it throws ends the evaluation. */
export type Seen = (node: Node, value: NdArray) => void;

/** What evaluating some roots takes; made once for a region, however many turns it has. */
interface Plan {
  readonly roots: readonly Node[];
  readonly order: readonly Node[];
  readonly uses: ReadonlyMap<Node, number>;
}

function planOf(roots: readonly Node[]): Plan {
  const order = needed(roots);
  const uses = new Map<Node, number>();
  const use = (node: Node) => uses.set(node, (uses.get(node) ?? 0) + 1);
  for (const node of order) node.inputs.forEach(use);
  roots.forEach(use);
  return { roots, order, uses };
}

const regionPlans = new WeakMap<Region, Plan>();

/** Values of a closed region's results for values of its params. */
export function evaluateRegion(region: Region, args: readonly NdArray[], seen?: Seen): NdArray[] {
  const plan = regionPlans.get(region) ?? planOf(region.results);
  regionPlans.set(region, plan);
  const values = new Map(region.params.map((param, k) => [param, args[k]]));
  return evaluateIn(
    plan,
    (param) => {
      const value = values.get(param);
      if (!value) throw new InternalError(`a region reads '${String(param.attrs.name)}', which is none of its params`);
      return value;
    },
    seen,
  );
}

function evaluateIn(plan: Plan, leaf: (parameter: Node) => NdArray, seen: Seen | undefined): NdArray[] {
  const { order, roots } = plan;
  const uses = new Map(plan.uses);
  const values = new Map<Node, NdArray>();
  for (const node of order) {
    const inputs = node.inputs.map((input) => values.get(input) as NdArray);
    const value = node.op === 'parameter' ? leaf(node) : evaluateNode(node, inputs, seen);
    seen?.(node, value);
    values.set(node, value);
    for (const input of node.inputs) {
      const left = (uses.get(input) as number) - 1;
      uses.set(input, left);
      if (left === 0) values.delete(input);
    }
  }
  return roots.map((root) => values.get(root) as NdArray);
}

function evaluateNode(node: Node, inputs: readonly NdArray[], seen: Seen | undefined): NdArray {
  const regions = seen
    ? (region: Region, args: readonly NdArray[]) => evaluateRegion(region, args, seen)
    : evaluateRegion;
  try {
    return op(node.op).reference(inputs, node.attrs, node.type, regions);
  } catch (cause) {
    if (cause instanceof IndexFault) throw new FaultError(cause.message, node);
    throw cause;
  }
}
