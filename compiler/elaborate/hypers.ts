/** Hypers: scalars that the host evaluates before each execution, from `step`, `steps`, `progress` and other hypers; changing one never recompiles. */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Elaboration, RunContext } from './context.ts';
import { toFloat } from './convert.ts';
import { reads } from './entry.ts';
import type { Frame } from './scope.ts';
import { tensor, type Value } from './values.ts';

/** Declares a hyper for `owner` and gives the scalar that stands for it. */
export function hyper(e: Elaboration, decl: ast.HyperDecl, frame: Frame, owner: RunContext): Value {
  const name = e.qualifiedBy(owner.name, `${decl.name.text}${frame.turn ?? ''}`);
  const given = decl.span.file === e.mainFile ? e.options.set.get(decl.name.text) : undefined;
  const value =
    given !== undefined
      ? e.constant(given)
      : toFloat(e, e.do.expression(e, decl.value, { ...frame, onHost: true }), decl.value.span);
  if (value.type.shape.length > 0) {
    fail('OPT308', decl.value.span, `a hyper is one number, but this has type ${e.typeText(value.type)}`, {
      hint: 'use let for arrays',
    });
  }
  const used = reads([value]);
  if (used.cells.size > 0 || used.data || used.draws) {
    fail('OPT308', decl.value.span, 'a hyper depends on the host alone: step, steps, progress and other hypers', {
      hint: 'write let (or fn) for a value computed on the device',
    });
  }
  e.hypers.push({ name, value, span: decl.span });
  return tensor(e.scalar(`hyper:${name}`));
}
