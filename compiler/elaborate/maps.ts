/**
 * `map X as e { … }` and `mean over X as e { … }`: the body is elaborated once, for an element that is a parameter, and then batched over all elements. So the
 * program does not grow with their number, and draws, derivatives, choices and loops inside are those of one element.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { closeRegions, makeCond, regionParameter } from '../ir/tensor/regions.ts';
import type { Node } from '../ops/types.ts';
import { axisNamed, mapOver, reduceAxis } from './axes.ts';
import { batched } from './batched.ts';
import { bindPattern } from './bindings.ts';
import type { Elaboration } from './context.ts';
import { leafNodes, plain, rebuild } from './convert.ts';
import { elementsOf, type Elements, rowParameters, sameLength } from './elements.ts';
import { elementFrame, withoutEffects } from './local-effects.ts';
import { reduceElements } from './over.ts';
import type { Frame } from './scope.ts';
import { type Value } from './values.ts';

/** Values of the body for all elements: each leaf with a leading axis. */
interface Mapped {
  readonly value: Value;
  readonly nodes: readonly Node[];
  readonly length: number;
  readonly count?: Node;
}

export function map(e: Elaboration, expr: ast.MapExpr, frame: Frame): Value {
  const axis = axisNamed(e, expr.heads, frame);
  if (axis) return mapOver(e, axis, expr, frame, 'value') as Value;
  const { value, nodes, count } = mapped(e, expr, frame, 'map');
  if (count)
    fail('OPT304', expr.span, 'a map over a batch of a run-time count has no length that is known', {
      hint: 'reduce it: mean over s as e { … }',
    });
  return rebuild(e, value, nodes, expr.span);
}

/** `map A { … }` as a statement: what it gives is not used. */
export function mapStatement(e: Elaboration, stmt: ast.MapStmt, frame: Frame): void {
  const axis = axisNamed(e, stmt.map.heads, frame);
  if (axis) mapOver(e, axis, stmt.map, frame, 'statement');
  else
    fail('OPT424', stmt.span, 'a map over rows changes nothing, and its value is not used', {
      hint: 'bind it: let y = map … ; only a map over an axis may stand alone, and writes cells over the axis',
    });
}

export function reduceOver(e: Elaboration, expr: ast.ReduceOver, frame: Frame): Value {
  const axis = axisNamed(e, expr.heads, frame);
  if (axis) return reduceAxis(e, axis, expr, frame);
  const { value, nodes, length, count } = mapped(e, expr, frame, `${expr.reducer.text} over`);
  const results = nodes.map((node) => reduceElements(e, expr, node, length, count));
  return rebuild(e, value, results, expr.span);
}

function mapped(e: Elaboration, expr: ast.MapExpr | ast.ReduceOver, frame: Frame, word: string): Mapped {
  const all = expr.heads.map((head) => elementsOf(e, head, frame, word));
  sameLength(e, all, expr.heads);
  const [{ length }] = all;
  const index = regionParameter(e.graph, 'i', { dtype: 'i32', shape: [] });
  const images = new Map<Node, Node>([[index, e.make('iota', [], { shape: [length], axis: 0, dtype: 'i32' })]]);
  const inner = elementFrame(frame, [...frame.indices, index]);
  let marker = 0;
  const hint = 'a map gives a value for each element: let y = map … and write y, or use repeat';
  const value = withoutEffects(e, frame, word, expr.span, hint, () => {
    expr.heads.forEach((head, k) => bindElement(e, head, all[k], index, images, inner));
    marker = e.graph.nextId;
    const result = e.do.body(e, expr.body, inner);
    if (result === undefined)
      fail('OPT304', expr.body.span, `the body of ${word} has no value`, { hint: 'end it with an expression' });
    return plain(e, result, expr.body.span);
  });
  const count = all.find((elements) => elements.count)?.count;
  const results = leafNodes(e, value, expr.body.span);
  const roots = count ? e.graph.at(expr.span, () => whereCounted(e, marker, results, index, count)) : results;
  return { value, nodes: batched(e, expr.span, roots, images, length), length, count };
}

/** Values of the body for an element that counts, else zeros: one that does not has no effect, as a branch that is not taken. */
function whereCounted(e: Elaboration, marker: number, results: readonly Node[], index: Node, count: Node): Node[] {
  const zeros = results.map(({ type }) => e.constant(0, type.dtype, type.shape));
  const { regions, consts } = closeRegions(e.graph, marker, [
    { params: [], results },
    { params: [], results: zeros },
  ]);
  const choice = makeCond(e.graph, e.make('lt', [index, count]), consts, [regions[0], regions[1]]);
  return results.map((_, k) => choice.result(k));
}

/** Binds the pattern of a head to the element, made of row parameters. */
function bindElement(
  e: Elaboration,
  head: ast.MapHead,
  elements: Elements,
  index: Node,
  images: Map<Node, Node>,
  inner: Frame,
): void {
  const rows = rowParameters(e, elements);
  rows.forEach((row, k) => images.set(row, elements.arrays[k]));
  if (head.over.kind === 'name') atHand(head.over.name, index, rows, inner);
  if (!head.as) return;
  bindPattern(head.as, elements.element(index, rows), head.over.span, (name, value) =>
    inner.scope.set(name.text, { kind: 'value', value, home: e.entry, span: name.span }),
  );
}

/** Inside of a map over the examples of an objective, the axis stands for the example at hand. */
function atHand(name: string, index: Node, rows: readonly Node[], inner: Frame): void {
  const binding = inner.scope.find(name);
  if (binding?.kind !== 'value' || binding.value.kind !== 'exampleAxis') return;
  inner.scope.set(name, { ...binding, value: { ...binding.value, at: { index, rows } } });
}
