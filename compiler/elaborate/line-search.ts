/**
 * Rules and solvers that compare values of an objective at other points (`L at { P: v }`), as a line search does. What the objective reads behind a `stop` is a constant for the
 * derivative that gave the direction, and is moved along by `at`: the search is then on another function than the one that was differentiated.
 */
import type * as ast from '../ast/nodes.ts';
import type { Node } from '../ops/types.ts';
import type { Elaboration } from './context.ts';
import type { Binding, Frame } from './scope.ts';
import { stopsHeld, type Target, visibleNodes, writesSeenFrom } from './targets.ts';

const DERIVATIVES = new Set(['grad', 'jvp', 'vjp', 'hvp', 'jacobian', 'hessian']);

/**
 * OPT438 at each `stop` behind which values are moved with the targets. Nothing is said of derivatives at other points, whose constants are those of the other point, nor outside of
 * rules and solvers, where `at` says what it does. `moved`: what each read is replaced by.
 */
export function warnStopped(
  e: Elaboration,
  expr: ast.AtExpr,
  frame: Frame,
  targets: readonly Target[],
  roots: readonly Node[],
  moved: ReadonlyMap<Node, Node>,
): void {
  const { solving } = frame;
  const searched = (t: Target): boolean =>
    t.varied === 'rule' || (solving !== undefined && t.leaves.some(({ cell }) => cell && solving.moves(cell)));
  if (!targets.some(searched) || !isValue(expr.expr, frame)) return;
  const cells = targets.filter(searched).flatMap((t) => t.leaves.map((leaf) => leaf.cell?.label ?? t.text));
  const names = cells.length > 2 ? `${cells[0]}, …` : cells.join(', ');
  for (const { span } of stopsBehind(e, frame, roots, moved)) {
    const said = e.diagnostics.some((d) => d.code === 'OPT438' && d.span?.file === span?.file && d.span?.start === span?.start); // prettier-ignore
    if (said) continue;
    e.warn('OPT438', span, `derivatives take this for a constant, and here ${names} moves in it: values are compared of another function`, {
      labels: [{ span: expr.span, text: 'compared here' }],
      hint: 'keep what is to stay in a cell of its own, which is written when it changes; or take a method that compares no values',
    }); // prettier-ignore
  }
}

/** The stops of the text behind which there are values that are replaced. */
function stopsBehind(e: Elaboration, frame: Frame, roots: readonly Node[], moved: ReadonlyMap<Node, Node>): Node[] {
  const replaced = (node: Node): boolean => moved.has(node) && moved.get(node) !== node;
  return [...stopsHeld(roots, writesSeenFrom(e, frame))].filter((stop) => [...visibleNodes([stop])].some(replaced));
}

/** Whether an expression is a value in which no derivative is taken, as far as its text tells. */
function isValue(expr: ast.Expr, frame: Frame): boolean {
  if (expr.kind === 'name') return isValueOf(frame.scope.find(expr.name));
  if (expr.kind === 'call') {
    const { callee } = expr;
    // What a function of the file does is not looked at: nothing is said then.
    if (callee.kind !== 'name' || frame.scope.find(callee.name) || DERIVATIVES.has(callee.name)) return false;
    return expr.args.every((arg) => isValue(arg.value, frame));
  }
  if (expr.kind === 'binary') return isValue(expr.left, frame) && isValue(expr.right, frame);
  if (expr.kind === 'unary') return isValue(expr.operand, frame);
  return expr.kind === 'number';
}

function isValueOf(binding: Binding | undefined): boolean {
  switch (binding?.kind) {
    case 'slot':
      return true;
    case 'named':
      return (
        binding.decl.body.statements.length === 0 &&
        binding.decl.body.value !== undefined &&
        isValue(binding.decl.body.value, binding.frame)
      );
    case 'value':
      if (binding.value.kind === 'thunk') return isValue(binding.value.expr, binding.value.frame);
      return binding.value.kind !== 'tensor';
    default:
      return false;
  }
}
