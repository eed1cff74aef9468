/** Differentiation of tensor graphs: graph → graph, using only the op table. */
export { type Tangents, jvp } from './forward.ts';
export { type Gradients, grad, vjp } from './reverse.ts';
