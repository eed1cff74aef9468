/**
 * Differentiation and batching of tensor graphs, tied together: a rule of a primitive with regions asks for transformations of its regions, which are these
 * same functions, without the word on who asked. Each is graph → graph, so they nest in any order.
 */
import { InternalError } from '../diagnostics/diagnostic.ts';
import { type Graph, typeText } from '../ir/tensor/graph.ts';
import { inlineMasked } from '../ir/tensor/masked.ts';
import { Terms } from '../ops/terms.ts';
import type { Node, Transforms } from '../ops/types.ts';
import { activeNodes } from './active.ts';
import { askedAt } from './asked.ts';
import { pushForward, type Tangents } from './forward.ts';
import { type Contexts, type Gradients, pullBack } from './reverse.ts';
import { batchImages, varyingOutputs } from './vectorize.ts';

/**
 * Derivatives of an f32 scalar. `wrt` nodes are leaves: what flows into one is collected there and goes no further, so a node and
 * one that it was computed from may both be named. Throws OPT401 where a derivative would have to pass a write.
 */
export function grad(graph: Graph, output: Node, wrt: readonly Node[]): Gradients {
  if (output.type.dtype !== 'f32' || output.type.shape.length > 0) {
    throw new InternalError(`the gradient of ${typeText(output.type)} was asked; it must be an f32 scalar`);
  }
  return vjp(graph, [output], [graph.constant(1, output.type)], wrt);
}

/** Sum over the outputs of the transposed derivative applied to their cotangents (each of the type of its output). */
export function vjp(
  graph: Graph,
  outputs: readonly Node[],
  cotangents: readonly Node[],
  wrt: readonly Node[],
): Gradients {
  return askedAt(graph.span, () => pullBack(graph, contextsOf(graph), outputs, cotangents, wrt));
}

/**
 * Derivatives of the outputs along `tangents` (each of the type of its `wrt` node). `wrt` nodes are leaves: their tangents are the
 * given ones, whatever they were computed from. Throws OPT401 where a derivative would have to pass a write.
 */
export function jvp(graph: Graph, outputs: readonly Node[], wrt: readonly Node[], tangents: readonly Node[]): Tangents {
  return askedAt(graph.span, () => pushForward(graph, contextsOf(graph), outputs, wrt, tangents));
}

/**
 * The outputs for n elements at once: `mapped` gives, for nodes they are computed from, one with a leading axis of length n. Every result has that axis.
 * What depends on no mapped node is computed once. Throws `BatchError` at a primitive that refuses.
 */
export function vectorize(graph: Graph, outputs: readonly Node[], mapped: ReadonlyMap<Node, Node>, n: number): Node[] {
  const t = new Terms(graph);
  const images = new Map([...mapped].map(([node, image]) => [node, { node: image, mapped: true }]));
  return transformsOf(graph)
    .vectorize(outputs, images, n)
    .map((image) => (image.mapped ? image.node : t.lead(image.node, n)));
}

function transformsOf(graph: Graph): Transforms {
  const self: Transforms = {
    active: (outputs, leaves) => {
      const active = activeNodes(outputs, new Set(leaves), 'vjp');
      return outputs.map((output) => active.has(output));
    },
    vjp: (outputs, cotangents, wrt) => {
      const { values, reached } = pullBack(graph, contextsOf(graph), outputs, cotangents, wrt);
      return values.map((value, k) => (reached[k] ? value : undefined));
    },
    jvp: (outputs, wrt, tangents) => pushForward(graph, contextsOf(graph), outputs, wrt, tangents).values,
    vectorize: (outputs, images, n) => batchImages(graph, self, outputs, images, n),
    varies: (outputs, given) => varyingOutputs(self, outputs, given),
    masked: (region, args, p) => inlineMasked(graph, region, args, p),
  };
  return self;
}

function contextsOf(graph: Graph): Contexts {
  const transform = transformsOf(graph);
  const pull = (output: Node, wrt: readonly Node[]) => {
    const one = graph.constant(1, output.type);
    return [...pullBack(graph, contextsOf(graph), [output], [one], wrt).values];
  };
  return (node) => ({ b: graph, node, inputs: node.inputs, pull, transform });
}
