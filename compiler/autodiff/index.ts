/** Differentiation and batching of tensor graphs: graph → graph, using only the op table. */
export type { Tangents } from './forward.ts';
export type { Gradients } from './reverse.ts';
export { grad, jvp, vectorize, vjp } from './transforms.ts';
export { BatchError } from './vectorize.ts';
