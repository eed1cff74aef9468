/**
 * The objective as a signed sum of terms. Signs are read off where the objective is put together (its own statements), not inside the losses it calls.
 * How a term reaches what it moves is told by `reach.ts`.
 */
import { reachable } from '../ir/tensor/graph.ts';
import { op } from '../ops/table.ts';
import type { Node } from '../ops/types.ts';

export interface Term {
  readonly node: Node;
  /** -1 where the term is subtracted. */
  readonly sign: 1 | -1;
  /** Factors that are host scalars or constants, outermost first. */
  readonly factors: readonly Node[];
}

/** The objective as a sum of terms, as far as its own statements say. */
export function termsOf(objective: Node): Term[] {
  const terms: Term[] = [];
  const home = objective.path;
  const visit = (node: Node, sign: 1 | -1, factors: readonly Node[], named: boolean): void => {
    const inside = node.path === home && node.type.shape.length === 0;
    const flip = (s: 1 | -1): 1 | -1 => (s === 1 ? -1 : 1);
    if (inside) {
      if (node.op === 'add') return node.inputs.forEach((i) => visit(i, sign, factors, false));
      if (node.op === 'sub') {
        visit(node.inputs[0], sign, factors, false);
        return visit(node.inputs[1], flip(sign), factors, false);
      }
      if (node.op === 'neg') return visit(node.inputs[0], flip(sign), factors, false);
      if (node.op === 'mul' || node.op === 'div') {
        const [a, b] = node.inputs;
        const scalar = isHostScalar(b) ? b : node.op === 'mul' && isHostScalar(a) ? a : undefined;
        const other = scalar === b ? a : b;
        // mean(x) is made of a sum and a factor: one function is one term.
        if (scalar && !isHostScalar(other) && !sameSpan(node, other)) {
          const negative = isNegative(scalar);
          return visit(other, negative ? flip(sign) : sign, [...factors, scalar], false);
        }
      }
      // A let is looked through where it only puts terms together; else it is the term, under its name.
      if (node.op === 'name' && !named) {
        const [inner] = node.inputs;
        if (inner.path === home && (['add', 'sub', 'neg'].includes(inner.op) || isScaledName(inner)))
          return visit(inner, sign, factors, true);
      }
    }
    terms.push({ node, sign, factors });
  };
  visit(objective, 1, [], false);
  return terms;
}

/** `0.5 * side`, where side is a let. */
function isScaledName(node: Node): boolean {
  const [a, b] = node.inputs;
  return (
    (node.op === 'mul' && a.op === 'name' && isHostScalar(b)) ||
    (node.op === 'mul' && b.op === 'name' && isHostScalar(a))
  );
}

function sameSpan(a: Node, b: Node): boolean {
  return a.span?.file === b.span?.file && a.span?.start === b.span?.start && a.span?.end === b.span?.end;
}

function isHostScalar(node: Node): boolean {
  if (node.type.shape.length > 0) return false;
  return reachable([node]).every(
    (n) =>
      n.op === 'constant' ||
      (n.op === 'parameter' && n.attrs.source === 'scalar') ||
      op(n.op).lower.family === 'elementwise' ||
      op(n.op).lower.family === 'alias',
  );
}

/** Whether a scalar is negative by its form: a negative constant, the negative of something not negative. */
export function isNegative(node: Node): boolean {
  if (node.op === 'name' || node.op === 'stop') return isNegative(node.inputs[0]);
  if (node.op === 'constant') return typeof node.attrs.value === 'number' && node.attrs.value < 0;
  if (node.op === 'neg')
    return !isNegative(node.inputs[0]) && node.inputs[0].op !== 'constant' ? true : constantOf(node.inputs[0]) > 0;
  if (node.op === 'mul') return isNegative(node.inputs[0]) !== isNegative(node.inputs[1]);
  return false;
}

function constantOf(node: Node): number {
  return node.op === 'constant' && typeof node.attrs.value === 'number' ? node.attrs.value : 0;
}
