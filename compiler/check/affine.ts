/** Whether a value is an affine function of some nodes, told by the form of its graph: every path to them goes through operations that are linear in what they meet. */
import { dependencies } from '../ops/region.ts';
import type { Node } from '../ops/types.ts';

/** Linear in all inputs together. */
const LINEAR = new Set([
  'add', 'sub', 'neg', 'name', 'stop', 'reshape', 'permute', 'broadcast', 'slice', 'concat', 'pad', 'flip', 'windows', 'overlap_add', 'reduce_sum', 'cumsum',
]); // prettier-ignore
/** Linear in each input while the others are constant. */
const BILINEAR = new Set(['mul', 'dot_general', 'conv']);
/** Linear in the first input; the others say where. */
const INDEXED = new Set(['gather', 'dynamic_slice', 'scatter_add']);

type Degree = 'constant' | 'affine' | 'other';

/** Whether `root` is affine in the nodes of `by`, as far as its form tells: `false` may also mean that it is not seen. */
export function isAffine(root: Node, by: ReadonlySet<Node>): boolean {
  const known = new Map<Node, Degree>();
  const stack: Node[] = [root];
  while (stack.length > 0) {
    const node = stack[stack.length - 1];
    const open =
      by.has(node) || known.has(node) || node.op === 'version' ? [] : dependencies(node).filter((n) => !known.has(n));
    if (open.length > 0) {
      stack.push(...open);
      continue;
    }
    stack.pop();
    if (!known.has(node)) known.set(node, degree(node, by, known));
  }
  return known.get(root) !== 'other';
}

function degree(node: Node, by: ReadonlySet<Node>, known: ReadonlyMap<Node, Degree>): Degree {
  if (by.has(node)) return 'affine';
  // Another cell, as it stands.
  if (node.op === 'version') return 'constant';
  const of = (n: Node): Degree => known.get(n) ?? 'constant';
  const inputs = dependencies(node).map(of);
  if (inputs.every((d) => d === 'constant')) return 'constant';
  if (inputs.includes('other')) return 'other';
  const varying = inputs.filter((d) => d === 'affine').length;
  if (LINEAR.has(node.op)) return 'affine';
  if (BILINEAR.has(node.op)) return varying === 1 ? 'affine' : 'other';
  if (node.op === 'div') return of(node.inputs[1]) === 'constant' ? 'affine' : 'other';
  if (node.op === 'select') return of(node.inputs[0]) === 'constant' ? 'affine' : 'other';
  if (INDEXED.has(node.op)) return node.inputs.slice(1).every((n) => of(n) === 'constant') ? 'affine' : 'other';
  return 'other';
}
