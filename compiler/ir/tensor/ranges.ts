/**
 * What is known of an integer value at compile time: enough to leave out the run-time check of indices that are made to fit (shuffles, argmax, iota),
 * and to refuse classes that cannot fit.
 */
import type { Node } from '../../ops/types.ts';

export type Range = readonly [number, number];

/** Both ends included; undefined where nothing is known. `leaf` tells what is known of a parameter (the declared range of a field). */
export function knownRange(node: Node, leaf: (node: Node) => Range | undefined = () => undefined): Range | undefined {
  const upTo = (n: number): Range => [0, Math.max(0, n - 1)];
  switch (node.op) {
    case 'parameter':
      return leaf(node);
    case 'shuffle_index':
      return upTo(node.attrs.rows as number);
    case 'permutation':
      return upTo(node.attrs.n as number);
    case 'argmax':
    case 'argmin':
      return upTo(node.inputs[0].type.shape[node.attrs.axis as number]);
    case 'argsort':
    case 'iota':
      return upTo(node.type.shape[node.attrs.axis as number]);
    case 'constant': {
      const { value, values } = node.attrs;
      if (values === undefined) return [value as number, value as number];
      const list = values as readonly number[];
      return list.reduce<Range>(([lo, hi], v) => [Math.min(lo, v), Math.max(hi, v)], [Infinity, -Infinity]);
    }
    case 'reshape':
    case 'broadcast':
    case 'permute':
    case 'slice':
    case 'flip':
    case 'name':
    case 'stop':
    case 'fault_where':
    case 'gather':
      return knownRange(node.inputs[0], leaf);
    case 'concat':
      return union(node.inputs.map((input) => knownRange(input, leaf)));
    default:
      return undefined;
  }
}

function union(ranges: readonly (Range | undefined)[]): Range | undefined {
  let result: Range | undefined;
  for (const r of ranges) {
    if (!r) return undefined;
    result = result ? [Math.min(result[0], r[0]), Math.max(result[1], r[1])] : r;
  }
  return result;
}

/** True where every element of `node` is an index of an axis of this size. */
export function fits(node: Node, size: number, leaf?: (node: Node) => Range | undefined): boolean {
  const range = knownRange(node, leaf);
  return range !== undefined && range[0] >= 0 && range[1] < size;
}
