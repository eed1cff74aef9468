/**
 * Constant folding: a node whose inputs are all constants becomes one, evaluated in float64 by its record. Only small results, and
 * only finite ones that f32 can hold: what overflows is left to the device, so that a NaN still shows where it arises.
 */
import type { Graph } from '../ir/tensor/graph.ts';
import { rewrite } from '../ir/tensor/rewrite.ts';
import { sizeOf } from '../ops/arrays.ts';
import { IndexFault } from '../ops/index.ts';
import { op } from '../ops/table.ts';
import type { NdArray, Node } from '../ops/types.ts';
import { definePass } from './pass.ts';

/** Most elements of a folded constant that is not the same everywhere. */
const MOST = 64;
const LARGEST_F32 = 3.4028234663852886e38;

/** Families whose result is the same everywhere if every input is. */
const isUniform = (node: Node) =>
  op(node.op).lower.family === 'elementwise' || ['broadcast', 'reshape', 'permute', 'slice', 'flip'].includes(node.op);

const valueOf = (constant: Node): NdArray => op('constant').reference([], constant.attrs, constant.type);

export const fold = definePass({
  name: 'fold',
  about: 'Evaluates operations on constants.',
  run: (graph, roots) => rewrite(graph, roots, (node) => folded(graph, node) ?? node),
});

function folded(graph: Graph, node: Node): Node | undefined {
  const { family } = op(node.op).lower;
  if (
    node.inputs.length === 0 ||
    family === 'alias' ||
    family === 'region' ||
    family === 'part' ||
    node.inputs.some((i) => i.op !== 'constant')
  )
    return undefined;
  const size = sizeOf(node.type.shape);
  if (
    isUniform(node) &&
    op(node.op).checked === undefined &&
    size > 0 &&
    node.inputs.every((i) => i.attrs.value !== undefined)
  ) {
    const value = uniformValue(node);
    return representable(value) ? graph.constant(value, node.type) : undefined;
  }
  if (size > MOST || node.inputs.some((i) => sizeOf(i.type.shape) > MOST)) return undefined;
  const result = evaluated(node);
  if (!result || !result.data.every(representable)) return undefined;
  const [first] = result.data;
  const splat = size > 0 && result.data.every((v) => Object.is(v, first));
  return splat ? graph.constant(first, node.type) : graph.dense([...result.data], node.type);
}

/** The value everywhere of a node whose inputs are the same everywhere. */
function uniformValue(node: Node): number {
  const def = op(node.op);
  const args = node.inputs.map((i) => i.attrs.value as number);
  if (!def.scalar) return args[0];
  return def.scalar(args, node.attrs, { inputs: node.inputs.map((i) => i.type.dtype), output: node.type.dtype });
}

/** The value of the node, or undefined where it faults: the fault belongs to the run. */
function evaluated(node: Node): NdArray | undefined {
  try {
    return op(node.op).reference(node.inputs.map(valueOf), node.attrs, node.type);
  } catch (cause) {
    if (cause instanceof IndexFault) return undefined;
    throw cause;
  }
}

const representable = (value: number) => Number.isFinite(value) && Math.abs(value) <= LARGEST_F32;
