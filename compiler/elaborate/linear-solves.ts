/**
 * Linear systems A x = b whose matrix nobody makes, solved by a fn of the language that is given A as a fn: `fixed … by gmres`. The derivative of a solution is that of
 * the equation: the same fn solves the transposed system.
 */
import type * as ast from '../ast/nodes.ts';
import { vjp } from '../autodiff/index.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { regionParameter } from '../ir/tensor/regions.ts';
import { substitute } from '../ir/tensor/rewrite.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { openParameters } from './arguments.ts';
import type { Elaboration } from './context.ts';
import { toNode } from './convert.ts';
import { elementFrame, withoutEffects } from './local-effects.ts';
import type { Frame } from './scope.ts';
import { callFn } from './templates.ts';
import { kindText, type LinearMap, type Template, tensor } from './values.ts';

/** A fn of (A: fn, b) whose value is x with A x = b. */
export interface LinearSolver {
  readonly template: Template;
  readonly frame: Frame;
  readonly span: Span;
}

/** A system: A, its transpose, and the values that A is made of. */
interface System {
  apply(v: Node): Node;
  transposed(v: Node): Node;
  readonly reads: readonly Node[];
}

const THIRD = 'the solution of a linear system has derivatives of the first and second order';

/** What stands behind `by`. OPT311 where it is no fn of a fn and a vector. */
export function linearSolver(e: Elaboration, expr: ast.Expr, frame: Frame): LinearSolver {
  const value = e.do.expression(e, expr, frame);
  const [A, b, ...more] = value.kind === 'template' && value.decl.kind === 'fn' ? openParameters(value) : [];
  if (value.kind !== 'template' || A?.paramKind !== 'fn' || b?.paramKind !== 'value' || more.length > 0)
    fail('OPT311', expr.span, `${kindText(value)} cannot solve the linear system of a derivative`, {
      hint: 'a fn of (A: fn, b) is needed here, whose value is x with A(x) = b: use linalg { gmres }',
    });
  return { template: value, frame, span: expr.span };
}

/** x with A x = b, and its derivatives by b and by what A is made of. */
export function linearSolve(e: Elaboration, by: LinearSolver, system: System, b: Node): Node {
  const { apply, transposed, reads } = system;
  const raw = e.make('stop', [solution(e, by, apply, b)]);
  const h = regionParameter(e.graph, 'h', b.type);
  const w = once(e, by, system, solution(e, by, transposed, h), h, apply);
  // d<h, x> = <w, db - dA x>, in which x is held
  const held = regionParameter(e.graph, 'x', b.type);
  const back = vjp(e.graph, [apply(held)], [e.make('neg', [w])], reads).values;
  const x = once(e, by, system, raw, b, transposed);
  const results = [w, ...substitute(e.graph, back, new Map([[held, x]]))];
  return e.make('custom_gradient', [raw, b, ...reads], { rule: { params: [h], results } });
}

/** A solution that may be differentiated by its right side; by what the matrix is made of it is refused. `back`: the transposed map. */
function once(e: Elaboration, by: LinearSolver, { reads }: System, x: Node, b: Node, back: (v: Node) => Node): Node {
  const h = regionParameter(e.graph, 'h', b.type);
  const zeros = reads.map(({ type }) => e.constant(0, 'f32', type.shape));
  const refused = reads.map((node) => e.make('no_derivative', [node], { why: THIRD }));
  const rule = { params: [h], results: [e.make('stop', [solution(e, by, back, h)]), ...zeros] };
  return e.make('custom_gradient', [e.make('stop', [x]), b, ...refused], { rule });
}

/** The value of the fn for one system. */
function solution(e: Elaboration, by: LinearSolver, apply: (v: Node) => Node, b: Node): Node {
  const { template, span } = by;
  const frame = elementFrame(by.frame, by.frame.indices);
  const [A, right] = openParameters(template);
  const map: LinearMap = { kind: 'linearMap', size: b.type.shape[0], apply };
  const given = { ...template, bound: new Map([...template.bound, [A.name.text, map] as const, [right.name.text, tensor(b)] as const]) }; // prettier-ignore
  const hint = 'a linear solver is a value';
  const name = template.decl.name.text;
  const value = withoutEffects(e, frame, name, span, hint, () => callFn(e, given, { name, span }, frame));
  const x = toNode(e, value, span, 'f32');
  if (x.type.dtype !== 'f32' || x.type.shape.join() !== b.type.shape.join())
    fail('OPT302', span, `${name} gives ${e.typeText(x.type)}, not x with A x = b, of type ${e.typeText(b.type)}`, {
      hint: 'the solution has the type of b',
    });
  return x;
}
