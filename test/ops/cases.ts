/** What the table-driven suites share: a sampled case as a graph with one parameter per input, and evaluation of such graphs. */
import { Graph } from '../../compiler/ir/tensor/graph.ts';
import { sizeOf } from '../../compiler/ops/arrays.ts';
import type { NdArray, Node, OpDef, OpSample, Rng, TensorType } from '../../compiler/ops/types.ts';
import { evaluate } from '../../runtime/reference/interpreter.ts';

export interface Case {
  readonly graph: Graph;
  readonly params: readonly Node[];
  readonly node: Node;
}

/** The sampled primitive applied to parameters x0, x1, …. Of one with several results, all of them one after another, as f32. */
export function caseOf(def: OpDef, sample: OpSample): Case {
  const graph = new Graph();
  const params = sample.inputs.map((input, i) => graph.parameter('input', `x${i}`, input.type));
  const node = graph.make(def.name, params, sample.attrs);
  return { graph, params, node: def.several ? joined(graph, node) : node };
}

function joined(graph: Graph, node: Node): Node {
  const flat = (node.type.parts ?? []).map(({ shape }, index) => {
    const part = graph.make('cast', [graph.make('part', [node], { index })], { dtype: 'f32' });
    return graph.make('reshape', [part], { shape: [sizeOf(shape)] });
  });
  return graph.make('concat', flat, { axis: 0 });
}

/** Values of the roots with the parameters at `values`. */
export function run(roots: readonly Node[], params: readonly Node[], values: readonly NdArray[]): NdArray[] {
  const byParam = new Map(params.map((param, i) => [param, values[i]]));
  return evaluate(roots, (param) => byParam.get(param) as NdArray);
}

/** Normal numbers of a type's shape. */
export function normals(rng: Rng, type: TensorType): NdArray {
  return { type, data: Float64Array.from({ length: sizeOf(type.shape) }, () => rng.normal()) };
}

/** x + step · direction where a direction is given. */
export function moved(x: NdArray, direction: NdArray | undefined, step: number): NdArray {
  return direction ? { type: x.type, data: x.data.map((v, i) => v + step * direction.data[i]) } : x;
}

/** Sum of products with weights of the same shape, as a scalar. */
export function weighted(graph: Graph, x: Node, weights: NdArray): Node {
  const product = graph.make('mul', [x, graph.dense([...weights.data], x.type)]);
  return graph.make('reduce_sum', [product], { axes: x.type.shape.map((_, a) => a) });
}

/** Samples of float cases that a derivative check can use: some float input, and no kink within `distance`. */
export function smoothSamples(def: OpDef, rng: Rng, count: number, distance: number): OpSample[] {
  const samples: OpSample[] = [];
  for (let tries = 0; samples.length < count && tries < 100 * count; tries++) {
    const sample = def.sample(rng);
    const type = def.infer(
      sample.inputs.map((i) => i.type),
      sample.attrs,
    );
    const floats = sample.inputs.some((i) => i.type.dtype === 'f32' && i.data.length > 0);
    const kink = def.kink?.(sample.inputs) ?? Infinity;
    const differentiable = def.several !== undefined || type.dtype === 'f32';
    if (floats && differentiable && sizeOf(type.shape) > 0 && kink > distance) samples.push(sample);
  }
  return samples;
}
