/**
 * Derivatives as the elaborator takes them. Text that is only looked at, to see what it changes, needs what they read and no more: there a value of the right type that
 * reads the same stands in for each, which costs a node instead of a graph.
 */
import {
  grad as reverseMode,
  type Gradients,
  jvp as forwardMode,
  type Tangents,
  vjp as pullBack,
} from '../autodiff/index.ts';
import type { Node } from '../ops/types.ts';
import type { Elaboration } from './context.ts';
import { broadcastTo } from './convert.ts';

/** As `grad` of autodiff. */
export function gradients(e: Elaboration, output: Node, wrt: readonly Node[]): Gradients {
  if (!e.glancing) return reverseMode(e.graph, output, wrt);
  return { values: standIns(e, [output, ...wrt], wrt), reached: wrt.map(() => true) };
}

/** As `jvp` of autodiff. */
export function tangents(
  e: Elaboration,
  outputs: readonly Node[],
  wrt: readonly Node[],
  along: readonly Node[],
): Tangents {
  if (!e.glancing) return forwardMode(e.graph, outputs, wrt, along);
  return { values: standIns(e, [...outputs, ...wrt, ...along], outputs), reached: outputs.map(() => true) };
}

/** As `vjp` of autodiff. */
export function cotangents(
  e: Elaboration,
  outputs: readonly Node[],
  along: readonly Node[],
  wrt: readonly Node[],
): Gradients {
  if (!e.glancing) return pullBack(e.graph, outputs, along, wrt);
  return { values: standIns(e, [...outputs, ...along, ...wrt], wrt), reached: wrt.map(() => true) };
}

function standIns(e: Elaboration, read: readonly Node[], like: readonly Node[]): Node[] {
  const sum = readingAll(e, read);
  return like.map((node) => broadcastTo(e, sum, node.type.shape));
}

/** A value of the shape that reads all of `read` (f32). */
export function standIn(e: Elaboration, read: readonly Node[], shape: readonly number[]): Node {
  return broadcastTo(e, readingAll(e, read), shape);
}

function readingAll(e: Elaboration, read: readonly Node[]): Node {
  const sums = read.map((node) =>
    node.type.shape.length === 0
      ? node
      : e.make('reduce_sum', [node], { axes: node.type.shape.map((_, axis) => axis) }),
  );
  return sums.reduce((a, b) => e.make('add', [a, b]));
}
