/** Names of values: nodes that `at`, derivatives and messages tell apart from the value itself. */
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { mapLeaves, toNode } from './convert.ts';
import { tensor, type Value } from './values.ts';

/**
 * A value that later reads, `at` and messages know by name. An `argument` is the value that it was given where nothing in question reads it by its own name
 * (`aside` in targets.ts).
 */
export function named(e: Elaboration, name: string, value: Value, span: Span, argument = false): Value {
  if (!['tensor', 'tuple', 'record', 'tree'].includes(value.kind)) return value;
  const attrs = argument ? { name, argument } : { name };
  return mapLeaves(e, value, span, (leaf) =>
    leaf.kind === 'tensor' ? tensor(e.make('name', [toNode(e, leaf, span)], attrs)) : leaf,
  );
}
