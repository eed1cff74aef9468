/** Finds the operation that made a value which is not finite, by evaluating its graph once more and looking at every value. */
import { dependencies } from '../../compiler/ops/region.ts';
import type { NdArray, Node } from '../../compiler/ops/types.ts';
import type { Origin } from '../backend.ts';
import { evaluate } from './interpreter.ts';

const usual = 'a smaller step size, or a guard before a logarithm, a division or an exponential, is the usual mend';

/** Is a number of a float value not finite? */
export function spoiled({ type, data, parts }: NdArray): boolean {
  if (parts) return parts.some(spoiled);
  if (type.dtype !== 'f32') return false;
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) return true;
  return false;
}

/** What spoiled a root: an operation, or a cell that was so before. */
export type Found =
  { readonly kind: 'operation'; readonly origin: Origin } | { readonly kind: 'cell'; readonly cell: string };

/**
 * The first operation, in the order of computation, on the paths to `root` that made something not finite of finite values; in loops at the first turn that did.
 * Undefined where the values were so from the start, as a constant of the text is.
 */
export function originOf(root: Node, leaf: (parameter: Node) => NdArray): Found | undefined {
  const values = new Map<Node, NdArray>();
  /** Values that were not finite at some time, and of those that began it, what they are. */
  const spoilt = new Set<Node>();
  const began = new Map<Node, Origin>();
  const now = new Set<Node>();
  evaluate([root], leaf, (node, value) => {
    values.set(node, value);
    if (!spoiled(value)) return void now.delete(node);
    now.add(node);
    const first = !spoilt.has(node);
    spoilt.add(node);
    const holds = dependencies(node).length > node.inputs.length;
    if (!first || node.op === 'parameter' || node.op === 'constant' || holds) return;
    if (!node.inputs.some((input) => now.has(input)))
      began.set(node, describe(node, value, node.inputs.map((input) => values.get(input)))); // prettier-ignore
  });
  return firstOf(root, spoilt, began);
}

/** The oldest beginning that the root reaches by way of values that were not finite. */
function firstOf(root: Node, spoilt: ReadonlySet<Node>, began: ReadonlyMap<Node, Origin>): Found | undefined {
  const seen = new Set<Node>();
  const stack = [root];
  const found: Node[] = [];
  let cell: string | undefined;
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node) || !spoilt.has(node)) continue;
    seen.add(node);
    if (began.has(node)) found.push(node);
    else if (node.op === 'parameter' && node.attrs.source === 'cell') cell ??= String(node.attrs.name);
    else stack.push(...dependencies(node));
  }
  if (cell !== undefined) return { kind: 'cell', cell };
  const [first] = found.sort((a, b) => a.id - b.id);
  const origin = first && began.get(first);
  return origin && { kind: 'operation', origin };
}

interface Meaning {
  readonly what: string;
  readonly hint: string;
}

function describe(node: Node, value: NdArray, inputs: readonly (NdArray | undefined)[]): Origin {
  const nan = value.data.some(Number.isNaN);
  const { what, hint } = meanings[node.op]?.(nan, inputs) ?? {
    what: nan ? 'this has no number for a value' : 'this is beyond the range of floats',
    hint: nan ? usual : 'the values have grown without bound: a smaller step size is the usual mend',
  };
  return { what, hint, span: node.span };
}

const zeroIn = (x: NdArray | undefined): boolean => x?.data.some((v) => v === 0) ?? false;
const logarithm: Meaning['hint'] = 'keep what a logarithm is of above 0: log(max(x, 1e-6)); of probabilities, log_softmax(z) is log(softmax(z))'; // prettier-ignore
const root = 'keep what a root is of at or above 0: sqrt(max(x, 0)); its derivative is not finite at 0';

/** What primitives mean where they have no finite value; others have overflowed. */
const meanings: Record<string, (nan: boolean, inputs: readonly (NdArray | undefined)[]) => Meaning> = {
  log: (nan) => ({ what: nan ? 'this is the logarithm of a number below 0' : 'this is the logarithm of 0', hint: logarithm }), // prettier-ignore
  log1p: (nan) => ({ what: `this is the logarithm of ${nan ? 'a number below 0' : '0'}`, hint: logarithm }),
  sqrt: () => ({ what: 'this is the root of a number below 0', hint: root }),
  rsqrt: (nan) => ({ what: nan ? 'this is the root of a number below 0' : 'this divides by the root of 0', hint: root }), // prettier-ignore
  div: (nan, [, b]) => ({
    what: nan ? 'this is 0 / 0' : zeroIn(b) ? 'this divides by 0' : 'this quotient is beyond the range of floats',
    hint: 'keep what is divided by away from 0: a / max(b, 1e-6), or where(b == 0, 0, a / where(b == 0, 1, b))',
  }),
  pow: (nan) => ({
    what: nan ? 'this is a power of a number below 0 that is no whole one' : 'this power is beyond the range of floats',
    hint: 'keep the base above 0, or the exponent small',
  }),
  exp: () => ({
    what: 'this exponential is beyond the range of floats',
    hint: 'take the largest exponent off first, as softmax and logsumexp do, or cap it: exp(min(x, 80))',
  }),
  expm1: (nan, inputs) => meanings.exp(nan, inputs),
  cholesky: () => ({
    what: 'this is the factor of a matrix that is not positive definite',
    hint: 'cholesky is of symmetric matrices with eigenvalues above 0: add a multiple of the identity, A + 1e-4 * eye(n). Where the matrix is A^T A, as in a QR factorization, the columns of A depend on each other (A has not full rank)',
  }),
  triangular_solve: () => ({
    what: 'this system is singular: its triangular matrix has 0 on the diagonal',
    hint: 'add a multiple of the identity to the matrix, or solve in the sense of least squares',
  }),
};
