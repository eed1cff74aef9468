/**
 * What `grad`, `at` and `update` may name: cells, models, parts, record fields, `let`s, arguments and draws. A target is evaluated like any
 * expression; its leaves are then the nodes to differentiate by or to replace, and those that read a cell stand for the cell.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { cellRead } from '../ir/tensor/graph.ts';
import { bodyParams, condSpec, loopSpec } from '../ir/tensor/regions.ts';
import { dependencies } from '../ops/region.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { leaves, plain, withAxesInFront } from './convert.ts';
import type { Binding, Frame } from './scope.ts';
import { kindText, type CellRef, type Value } from './values.ts';

export interface TargetLeaf {
  readonly path: string;
  readonly node: Node;
  /** Present where the leaf is the value of a cell. */
  readonly cell?: CellRef;
}

export interface Target {
  readonly value: Value;
  readonly leaves: readonly TargetLeaf[];
  readonly span: Span;
  readonly text: string;
  /** P of an estimator (reads of it behind a `stop` are constants, as they are for derivatives) or of a rule; also where it was passed on by name. */
  readonly varied?: 'estimator' | 'rule';
}

/**
 * The leaves that an expression names, to differentiate by, to replace or to move. `unfit`: refuses what is known at compile time, where another word than
 * that of derivatives is due.
 */
export function target(e: Elaboration, expr: ast.Expr, frame: Frame, unfit?: () => never): Target {
  const value = plain(e, e.do.expression(e, expr, frame), expr.span);
  const binding = expr.kind === 'name' ? frame.scope.find(expr.name) : undefined;
  const own = binding?.kind === 'slot' ? binding.cells : undefined;
  const parts = leaves(e, withAxesInFront(e, value, expr.span), expr.span).map(
    ({ path, value: leaf }, i): TargetLeaf => {
      if (leaf.kind !== 'tensor') {
        unfit?.();
        fail(
          'OPT415',
          expr.span,
          `${kindText(leaf)} is known at compile time and has nothing to differentiate by or to replace`,
          {
            hint: typedHint(expr, leaf),
          },
        );
      }
      return { path, node: leaf.node, cell: own?.[i] ?? cellOf(e, leaf.node) };
    },
  );
  const named = givenBy(binding);
  const varied = named?.kind === 'slot' ? named.varied : undefined;
  return { value, leaves: parts, span: expr.span, text: e.options.text(expr.span), varied };
}

/** What an argument by name was given, where that is a name too. */
function givenBy(binding: Binding | undefined): Binding | undefined {
  if (binding?.kind !== 'value' || binding.value.kind !== 'thunk') return binding;
  const { expr, frame } = binding.value;
  return expr.kind === 'name' ? givenBy(frame.scope.find(expr.name)) : undefined;
}

/** How a list of numbers becomes a value of the run. */
function typedHint(expr: ast.Expr, leaf: Value): string {
  return expr.kind === 'name' && leaf.kind === 'exactArray'
    ? `with a type it is a value of the run: let ${expr.name}: f32[${leaf.shape.join(', ')}] = …; so is a var`
    : 'declare it as a var, a hyper or a let of a computed value';
}

/** A target of `grad`, `at` and their kin, which must exist apart from being written there: nothing else can have read what is computed in its place. */
export function namedTarget(e: Elaboration, expr: ast.Expr, frame: Frame): Target {
  const first = e.graph.nextId;
  const t = target(e, expr, frame);
  const isNew = (node: Node): boolean => node.id >= first && node.op !== 'parameter';
  if (t.leaves.some((leaf) => !leaf.cell && isNew(leaf.node)))
    fail('OPT415', t.span, `${t.text} is computed where it is written here, so nothing else reads this value`, {
      hint: `name it: let v = ${t.text}, and write v here and in the expression`,
    });
  return t;
}

/** The cell that a node reads, or undefined. */
export function cellOf(e: Elaboration, node: Node): CellRef | undefined {
  const id = cellRead(node);
  return id === undefined ? e.entry.locals.get(node) : e.allCells.get(id);
}

/**
 * Nodes that the roots depend on without looking behind a write of a cell, nor (if `stops`) behind `stop`. Into loops and choices it looks by what their
 * regions read, so that what is read behind a `stop` in a branch is not seen.
 */
export function visibleNodes(
  roots: readonly Node[],
  stops = false,
  ends: (node: Node) => boolean = isWrite,
): Set<Node> {
  return visible(roots, stops, ends).nodes;
}

const isWrite = (node: Node): boolean => node.op === 'version';

/**
 * For text that looks at the graph of an expression (`at`, `fresh`): whether a node is a write that it does not look behind. Those of cells are, and those of local
 * variables of a body that the text stands in or is called from; those of a body that has ended, as a fn's, are steps of a value, which no one but the body could name.
 */
export function writesSeenFrom(e: Elaboration, frame: Frame): (node: Node) => boolean {
  return (node) => {
    if (!isWrite(node)) return false;
    const id = node.attrs.cell as string;
    const cell = e.allCells.get(id);
    const birth = cell && !cell.persistent ? e.births.get(cell.livesWith ?? id) : undefined;
    return birth === undefined || frame.scope.isWithin(birth) || e.isOpen(birth);
  };
}

/**
 * The `stop`s of the text whose values an estimator takes as constants, as derivatives do. Not those in the value of a fn with a gradient clause, whose derivative is the
 * clause; nor those that the compiler makes for itself.
 */
export function stopsHeld(roots: readonly Node[], ends: (node: Node) => boolean): Set<Node> {
  const written = (node: Node): boolean => node.op === 'stop' && node.attrs.written === true;
  const met = visibleNodes(roots, false, (n) => ends(n) || written(n) || n.op === 'custom_gradient');
  return new Set([...met].filter(written));
}

/** What the parameters of regions stand for outside; several where loops that were copied with other inputs share a region. */
type Outside = Map<Node, Node[]>;

/** The visible nodes, and what the regions' parameters among them stand for outside. */
export function visible(
  roots: readonly Node[],
  stops = false,
  ends: (node: Node) => boolean = isWrite,
): { readonly nodes: Set<Node>; readonly outside: ReadonlyMap<Node, readonly Node[]> } {
  const seen = new Set<Node>();
  const stack = [...roots];
  const outside: Outside = new Map();
  const stand = (params: readonly Node[], given: readonly Node[]): void =>
    params.forEach((param, k) => {
      const known = outside.get(param);
      if (known) known.push(given[k]);
      else outside.set(param, [given[k]]);
      if (seen.has(param)) stack.push(given[k]);
    });
  while (stack.length > 0) {
    const node = stack.pop() as Node;
    if (seen.has(node)) continue;
    seen.add(node);
    if (ends(node) || (stops && node.op === 'stop')) continue;
    if (node.type.parts) stack.push(...enter(node, stand));
    else stack.push(...dependencies(node));
    stack.push(...(outside.get(node) ?? []));
  }
  return { nodes: seen, outside };
}

/** Results of the regions of a node, and what it reads itself; tells what the regions' parameters stand for. */
function enter(node: Node, stand: (params: readonly Node[], given: readonly Node[]) => void): Node[] {
  if (node.op === 'cond') {
    const { predicate, consts, branches } = condSpec(node);
    for (const { params } of branches) stand(params, consts);
    return [predicate, ...branches.flatMap((b) => b.results)];
  }
  const spec = loopSpec(node);
  const params = bodyParams(spec);
  stand(params.carries, spec.carries);
  stand(params.rows, spec.xs);
  stand(params.consts, spec.consts);
  const { cond, count } = spec;
  if (cond) stand(cond.params.slice(1), [...spec.carries, ...spec.consts]);
  // a loop that takes no turn gives what it began with
  return [...spec.carries, ...(count ? [count] : []), ...spec.body.results, ...(cond ? cond.results : [])];
}

/** Of each cell, by its id, the distinct nodes among these by which it is read; in the order of the nodes. */
export function readsByCell(e: Elaboration, nodes: Iterable<Node>): ReadonlyMap<string, readonly Node[]> {
  const reads = new Map<string, Node[]>();
  const add = (id: string, node: Node): void => {
    const found = reads.get(id);
    if (found) found.push(node);
    else reads.set(id, [node]);
  };
  for (const node of nodes) {
    const own = cellRead(node);
    const local = e.entry.locals.get(node)?.id;
    if (own !== undefined) add(own, node);
    if (local !== undefined && local !== own) add(local, node);
  }
  return reads;
}

/** What a leaf stands for among these nodes: an argument that they do not read by its own name is what it was given, so that a cell may be passed on. */
export function aside(e: Elaboration, leaf: TargetLeaf, nodes: ReadonlySet<Node>): TargetLeaf {
  let { node } = leaf;
  while (node.attrs.argument === true && !nodes.has(node)) [node] = node.inputs;
  return node === leaf.node ? leaf : { path: leaf.path, node, cell: cellOf(e, node) };
}

/** Nodes to differentiate `roots` by: for a cell the version that they read, which must be one. */
export function derivativeNodes(e: Elaboration, t: Target, roots: readonly Node[]): Node[] {
  const visible = visibleNodes(roots, true);
  const reads = readsByCell(e, visible);
  return t.leaves.map((own) => {
    const leaf = aside(e, own, visible);
    if (!leaf.cell) return leaf.node;
    const versions = reads.get(leaf.cell.id) ?? [];
    if (versions.length > 1) {
      fail(
        'OPT425',
        t.span,
        `this expression reads ${leaf.cell.label} before and after it was moved, so its derivative by it has no one place`,
        {
          labels: versions.flatMap((v) => (v.span ? [{ span: v.span, text: 'read here' }] : [])),
          hint: 'make the parts fns, which read the current value at each use, or stop one of them',
        },
      );
    }
    return versions[0] ?? leaf.node;
  });
}

/** The draw that a density (`logp`) holds fixed, if the node does. */
export function heldDraw(node: Node): Node | undefined {
  return node.op === 'stop' && node.attrs.held === true ? node.inputs[0] : undefined;
}
