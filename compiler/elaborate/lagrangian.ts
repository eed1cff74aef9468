/** The Lagrangian of a problem: its objective plus the products of published multipliers and residuals. */
import type { Node } from '../ops/types.ts';
import type { Matched } from './classes.ts';
import type { Elaboration } from './context.ts';
import { leafNodes, leaves, toNode } from './convert.ts';
import { objective } from './problem-fields.ts';
import type { Frame } from './scope.ts';

/**
 * f + ⟨λ, g⟩ at the cells as they are, in the sense of the problem (f - ⟨λ, g⟩ where it is maximized), with the residuals of the solver's class. Undefined without
 * exactly one objective, or where multipliers are missing.
 */
export function lagrangianOf(e: Elaboration, { problem, parts }: Matched, view: Frame): Node | undefined {
  const { objectives } = problem.level.text;
  const { span } = problem.template.decl.name;
  if (objectives.length !== 1) return undefined;
  let [total] = leafNodes(e, objective(e, objectives[0], view), span, 'f32');
  const maximize = objectives[0].sense === 'maximize';
  for (const part of parts.values()) {
    if (part.kind !== 'constraints') continue;
    const cells = part.all.flatMap(({ name }) => problem.multipliers.get(name)?.cells ?? []);
    const residuals = leaves(e, part.read(view), span).map((l) => toNode(e, l.value, span, 'f32'));
    if (cells.length !== residuals.length) return undefined;
    residuals.forEach((residual, i) => {
      const product = e.make('mul', [residual, e.entry.read(cells[i])]);
      const axes = residual.type.shape.map((_, axis) => axis);
      const sum = axes.length > 0 ? e.make('reduce_sum', [product], { axes }) : product;
      total = e.make((part.sense === 1) !== maximize ? 'add' : 'sub', [total, sum]);
    });
  }
  return total;
}
