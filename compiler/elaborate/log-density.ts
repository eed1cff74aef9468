/**
 * `logp(z)`: the logarithm of the density of a draw, one number for all its elements. z is held fixed, so that derivatives go to the arguments of its
 * distribution alone; `logp(z) at { z: v }` is the density at v. The held z is a `stop` that `at` knows (`held`).
 */
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { leaves } from './convert.ts';
import { positional, type SpecialForm } from './derivatives.ts';
import { drawOf } from './random.ts';
import { kindText, tensor, type Value } from './values.ts';

export const logp: SpecialForm = (e, call, frame) => {
  const [z] = positional(call, 'logp', ['z']);
  const value = e.do.expression(e, z, frame);
  const parts = leaves(e, value, z.span).map((leaf) => density(e, leaf.value, z.span));
  return tensor(parts.length === 0 ? e.constant(0) : parts.reduce((a, b) => e.make('add', [a, b])));
};

function density(e: Elaboration, leaf: Value, span: Span): Node {
  const node = leaf.kind === 'tensor' ? leaf.node : undefined;
  const record = node && drawOf(node);
  if (!node || !record)
    fail('OPT415', span, `logp takes a draw, and this is ${kindText(leaf)}`, {
      hint: 'name what a sample statement of the same step has drawn: sample z ~ normal(m, s) f32[n]; logp(z)',
    });
  if (!record.density)
    fail('OPT415', span, `${record.name.text} has no density by the lengths of its elements`, {
      labels: [{ span: record.name.span, text: 'drawn here' }],
      hint: 'take the density of what it is made from',
    });
  const each = record.density(e.make('stop', [node], { held: true }));
  return e.make('reduce_sum', [each], { axes: each.type.shape.map((_, axis) => axis) });
}
