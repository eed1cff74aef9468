/**
 * `fresh e`: e with draws of its own. Every key in e's graph is replaced by one that also names this place and the loops around it; so are the rows of
 * batches, which are then a keyed draw that moves no cursor. What earlier steps or entries drew stays as it is.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { substitute } from '../ir/tensor/rewrite.ts';
import { regionParameter } from '../ir/tensor/regions.ts';
import { dependencies, isRegion, rebuild as rebuildGraph } from '../ops/region.ts';
import type { Attrs, Node, Region } from '../ops/types.ts';
import type { Elaboration } from './context.ts';
import { leaves, plain, rebuild, toNode } from './convert.ts';
import { siteWords } from './random.ts';
import type { Frame } from './scope.ts';
import { siteName } from '../ast/sites.ts';
import { visibleNodes, writesSeenFrom } from './targets.ts';
import { tensor, type Value } from './values.ts';

export function fresh(e: Elaboration, expr: ast.FreshExpr, frame: Frame): Value {
  const value = plain(e, e.do.expression(e, expr.expr, frame), expr.expr.span);
  const parts = leaves(e, value, expr.expr.span);
  const nodes = parts.flatMap((l) => (l.value.kind === 'tensor' ? [l.value.node] : []));
  const path = [...frame.path, siteName(expr)].join('/');
  const map = new Map<Node, Node>();
  const ends = writesSeenFrom(e, frame);
  const visible = visibleNodes(nodes, false, ends);
  for (const node of visible) {
    // What a cell was written from belongs to the statement that wrote it.
    if (ends(node)) map.set(node, node);
    if (node.op !== 'random_key') continue;
    const site = siteWords(`${(node.attrs.site as readonly number[]).join('.')}/${path}`);
    map.set(node, e.make('random_key', [...node.inputs, ...frame.indices], { site }));
  }
  if (![...visible].some((n) => n.op === 'random_key')) {
    // A solver does not know whether the fields of its problem draw.
    if (frame.solving) return value;
    fail('OPT414', expr.span, 'nothing in this expression is drawn, so there is nothing to draw anew', {
      labels: [{ span: expr.expr.span, text: 'this expression' }],
      hint: 'leave fresh off; draws of earlier phases are values and stay as they are',
    });
  }
  // keys stand inside of closed regions as well
  const drawn = rebuildGraph(
    nodes,
    map,
    (node, inputs, attrs) => e.graph.at(node.span, () => remake(e, node.op, inputs, attrs, frame.indices), node.path),
    dependencies,
  );
  if (parts.length === 1 && parts[0].path === '') return tensor(drawn[0]);
  let next = 0;
  return rebuild(
    e,
    value,
    parts.map((l) => (l.value.kind === 'tensor' ? drawn[next++] : toNode(e, l.value, expr.span))),
    expr.span,
  );
}

/** A node of a rebuilt graph. Draws in its regions now read the indices of loops around the place of `fresh`, which closed regions get as constants. */
function remake(e: Elaboration, op: string, inputs: readonly Node[], attrs: Attrs, indices: readonly Node[]): Node {
  const regions = Object.entries(attrs).filter((entry): entry is [string, Region] => isRegion(entry[1]));
  const free = indices.filter((i) => i.op !== 'constant');
  if (op === 'custom_gradient' || regions.length === 0 || free.length === 0) return e.make(op, inputs, attrs);
  const closed = regions.map(([name, { params, results }]): [string, Region] => {
    const own = free.map((i) => regionParameter(e.graph, 'k', i.type));
    return [
      name,
      { params: [...params, ...own], results: substitute(e.graph, results, new Map(free.map((i, k) => [i, own[k]]))) },
    ];
  });
  return e.make(op, [...inputs, ...free], { ...attrs, ...Object.fromEntries(closed) });
}
