/**
 * What `map`, reductions over X and `scan` go over: a batch, a data set, a range, an array, or a record, tuple or tree of arrays of one length. An element
 * has the structure of the whole, each leaf without its leading axis.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { regionParameter, rowType } from '../ir/tensor/regions.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { leaves, rebuild, toNode } from './convert.ts';
import type { Frame } from './scope.ts';
import { kindText, tensor, type Value } from './values.ts';

/** The rows of one head. */
export interface Elements {
  readonly length: number;
  /** i32 scalar: how many of the rows count, the first ones; absent where all do. */
  readonly count?: Node;
  /** Arrays whose rows an element is made of; empty for a range. */
  readonly arrays: readonly Node[];
  /** The element of number i (i32 scalar), given its row of each array. */
  element(i: Node, rows: readonly Node[]): Value;
}

/** Reads a head: `b`, `0..n`, `{ x, y }`. */
export function elementsOf(e: Elaboration, head: { readonly over: ast.Expr }, frame: Frame, word: string): Elements {
  const { span } = head.over;
  const value = e.do.expression(e, head.over, frame);
  if (value.kind === 'exampleAxis') return value.elements;
  if (value.kind === 'range') {
    const { lo, length } = value;
    const from = lo.kind === 'exact' && lo.value === 0 ? undefined : toNode(e, lo, span, 'i32');
    return {
      length,
      arrays: [],
      element: (i) => tensor(from ? e.graph.at(span, () => e.make('add', [i, from])) : i),
    };
  }
  if (
    ['template', 'builtin', 'text', 'truth', 'pipeline', 'run', 'family', 'model', 'part', 'exact'].includes(value.kind)
  )
    fail('OPT304', span, `${word} goes over arrays, not over ${kindText(value)}`, {
      hint: 'name a batch, a data set, a range or an array',
    });
  // Rows that do not count are left out by whoever reduces.
  const rows = value.kind === 'batch' ? { ...value, capped: undefined } : value;
  const arrays = leaves(e, rows, span).map((leaf) => toNode(e, leaf.value, span));
  const length = commonLength(e, arrays, span, word);
  const count = value.kind === 'batch' ? value.capped : undefined;
  return { length, count, arrays, element: (_, row) => rebuild(e, value, row, span) };
}

function commonLength(e: Elaboration, arrays: readonly Node[], span: Span, word: string): number {
  const lengths = arrays.map((node) => node.type.shape[0]);
  const [length] = lengths;
  const scalar = arrays.find((node) => node.type.shape.length === 0);
  if (length === undefined || scalar)
    fail('OPT304', span, `${word} goes over arrays, but this is a scalar${scalar ? ` (${scalar.type.dtype})` : ''}`, {
      hint: 'name a batch, a data set, a range or an array',
    });
  const other = lengths.find((n) => n !== length);
  if (other !== undefined)
    fail('OPT302', span, `the arrays have ${e.dim(length)} and ${e.dim(other)} rows`, {
      hint: 'elements are taken from all of them together: their first axes must be equal',
    });
  return length;
}

/** Region parameters that stand for one row of each array. */
export function rowParameters(e: Elaboration, elements: Elements): Node[] {
  return elements.arrays.map((array) => regionParameter(e.graph, 'row', rowType(array.type)));
}

/** Arrays of several heads must have one length. */
export function sameLength(e: Elaboration, all: readonly Elements[], heads: readonly ast.MapHead[]): void {
  all.forEach(({ length }, k) => {
    if (length !== all[0].length)
      fail('OPT302', heads[k].over.span, `${e.dim(length)} elements meet ${e.dim(all[0].length)}`, {
        labels: [{ span: heads[0].over.span, text: `this has ${e.dim(all[0].length)}` }],
        hint: 'elements are taken together: both need the same number',
      });
  });
}
