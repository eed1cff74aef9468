/** Signs of values, told by the form of their graphs. */
import type { Node } from '../ops/types.ts';

/** Whether a value is never negative, by its form: squares, absolute values, exponentials, and sums and means of them. */
export function isNonNegative(node: Node): boolean {
  const [a, b] = node.inputs;
  switch (node.op) {
    case 'constant':
      return typeof node.attrs.value === 'number' && node.attrs.value >= 0;
    case 'abs':
    case 'exp':
    case 'sqrt':
      return true;
    case 'integer_pow':
      return (node.attrs.exponent as number) % 2 === 0 || isNonNegative(a);
    case 'mul':
      return bare(a) === bare(b) || (isNonNegative(a) && isNonNegative(b));
    case 'add':
    case 'div':
      return isNonNegative(a) && isNonNegative(b);
    case 'max':
      return isNonNegative(a) || isNonNegative(b);
    case 'name':
    case 'stop':
    case 'fault_where':
    case 'reshape':
    case 'broadcast':
    case 'permute':
    case 'reduce_sum':
    case 'reduce_max':
      return isNonNegative(a);
    default:
      return false;
  }
}

/** Whether a value is never positive and not 0 throughout, by its form: the negative of one that is never negative, or a product of it with a negative constant. */
export function isNonPositive(node: Node): boolean {
  const [a, b] = node.inputs;
  const negative = (n: Node): boolean =>
    bare(n).op === 'constant' && typeof bare(n).attrs.value === 'number' && (bare(n).attrs.value as number) < 0;
  if (node.op === 'name' || node.op === 'stop' || node.op === 'version') return isNonPositive(a);
  if (node.op === 'neg') return bare(a).op !== 'constant' && isNonNegative(a);
  if (node.op === 'mul') return (negative(a) && isNonNegative(b)) || (negative(b) && isNonNegative(a));
  return false;
}

const bare = (node: Node): Node => (node.op === 'name' ? bare(node.inputs[0]) : node);
