/** Paths of derivatives: why a gradient is zero everywhere (no path at all, or one that is cut), and expressions whose derivative would have to pass an update. */
import { fail } from '../diagnostics/diagnostic.ts';
import { cellRead, reachable } from '../ir/tensor/graph.ts';
import { dependencies } from '../ops/region.ts';
import { op as opOf } from '../ops/table.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import type { Work } from './estimators.ts';
import { type Frame, speaksForUpdate } from './scope.ts';
import { type Target, type TargetLeaf, visible, visibleNodes } from './targets.ts';
import type { CellRef } from './values.ts';

/** Fails with the reason why `output` has no derivative by any of `wrt`. */
export function explainCut(
  e: Elaboration,
  output: Node,
  wrt: readonly Node[],
  t: Target,
  text: string,
  at: Span,
): never {
  const leaves = new Set(wrt);
  const visible = visibleNodes([output]);
  if (![...leaves].some((n) => visible.has(n))) {
    const behind = writtenFrom(output, leaves);
    fail('OPT411', t.span, `${text} does not depend on ${t.text}, so it cannot move it`, {
      labels: [
        { span: at, text: 'the objective' },
        ...(behind?.span
          ? [
              {
                span: behind.span,
                text: `${t.text} enters ${cellRead(behind) ?? 'a cell'} only through this write, which no gradient passes`,
              },
            ]
          : []),
      ],
      hint: behind
        ? 'derivatives end at writes of cells: compute the value without a cell, or use scan'
        : `remove ${t.text} from the targets, or use it in the objective`,
    });
  }
  const cut = findCut(output, leaves);
  fail('OPT412', t.span, `the gradient of ${text} by ${t.text} is zero everywhere`, {
    labels: [{ span: at, text: 'the objective' }, ...(cut?.span ? [{ span: cut.span, text: cutText(cut) }] : [])],
    hint:
      cut?.op === 'stop'
        ? 'every path goes through a stop: remove it where the gradient is meant'
        : 'give the cut place a derivative: straight_through(hard, soft), or a gradient clause of a fn',
  });
}

/** A derivative taken for an estimator. */
export interface Taken {
  readonly output: Node;
  readonly wrt: readonly Node[];
  /** For each of `wrt`: does a derivative flow to it? */
  readonly reached: readonly boolean[];
  readonly t: Target;
  readonly text: string;
  readonly span: Span;
}

/** Notes which leaves a derivative reaches for whom it is taken. An identically zero one is an error: OPT411, OPT412. */
export function noteReach(e: Elaboration, work: Work, { output, wrt, reached, t, text, span }: Taken): void {
  if (!reached.some(Boolean)) explainCut(e, output, wrt, t, text, span);
  work.reached ??= new Set();
  for (const [i, node] of wrt.entries()) if (reached[i]) work.reached.add(node);
}

/** A write, among those the output reads, whose value depends on one of the leaves. */
function writtenFrom(output: Node, leaves: ReadonlySet<Node>): Node | undefined {
  for (const node of visibleNodes([output])) {
    if (node.op === 'version' && reachable([node]).some((n) => leaves.has(n))) return node;
  }
  return undefined;
}

/** A node through which values flow from the leaves to the output, but no derivative. */
function findCut(output: Node, leaves: ReadonlySet<Node>): Node | undefined {
  const { nodes, outside } = visible([output]);
  const order = [...nodes].sort((a, b) => a.id - b.id);
  const depends = new Set<Node>();
  const differentiable = new Set<Node>();
  for (const node of order) {
    if (leaves.has(node)) {
      depends.add(node);
      differentiable.add(node);
      continue;
    }
    const inputs = outside.get(node) ?? (node.type.parts ? [...node.inputs, ...dependencies(node)] : node.inputs);
    if (node.op === 'version' || !inputs.some((i) => depends.has(i))) continue;
    depends.add(node);
    const float = inputs.some((i) => differentiable.has(i));
    const several = node.type.parts !== undefined || node.op === 'part';
    const cuts = several ? false : opOf(node.op).vjp === 'none' || node.type.dtype !== 'f32' || FLAT.has(node.op);
    if (float && cuts) return node;
    if (float) differentiable.add(node);
  }
  return undefined;
}

/** Primitives of float values whose derivative is zero wherever it exists. */
const FLAT = new Set(['sign', 'floor', 'ceil', 'round']);

function cutText(node: Node): string {
  if (node.op === 'stop') return 'stop cuts the path here';
  return `${node.op} has no derivative: the path is cut here`;
}

/** The value that an update leaves in a cell: a leaf for later derivatives, known by its mark from what the text stops itself. */
export function moved(e: Elaboration, value: Node): Node {
  return e.make('stop', [value], { moved: true });
}

/**
 * Refuses a derivative written as an expression whose outputs read a cell that an update moved by way of what it is taken by: the path through the update
 * would be dropped without a word. An update statement is not asked: alternating players and levels take each other as they stand. Nor is a solver, which
 * schedules them, or a rule or an estimator, which speaks for its statement.
 */
export function refuseMoved(
  e: Elaboration,
  outputs: readonly Node[],
  wrt: readonly Node[],
  span: Span,
  frame: Frame,
): void {
  if (speaksForUpdate(frame) || frame.solving) return;
  const leaves = new Set(wrt);
  for (const node of visibleNodes(outputs, true)) {
    if (leaves.has(node) || !isMoved(node) || !dependsOn(node, leaves)) continue;
    const cell = cellRead(node) as string;
    const label = e.allCells.get(cell)?.label ?? cell;
    fail('OPT401', span, `this derivative would have to pass an update of ${label}`, {
      labels: node.span
        ? [{ span: node.span, text: `${label} was moved here, by way of what the derivative is taken by` }]
        : [],
      hint: `to differentiate through it, call the rule purely (rule.step) or write the loop as scan; to take ${label} as it stands, write … at { ${label}: stop(${label}) }`,
    });
  }
}

const isMoved = (node: Node): boolean => node.op === 'version' && node.inputs[0].attrs.moved === true;

/** Does a value depend on one of the leaves through floats, behind updates too but not behind a stop of the text? */
function dependsOn(root: Node, leaves: ReadonlySet<Node>): boolean {
  const stopped = (node: Node): boolean => node.op === 'stop' && node.attrs.moved !== true;
  const flows = (node: Node): boolean => node.type.dtype === 'f32' || node.type.parts !== undefined;
  const below = reachable([root], (node) =>
    leaves.has(node) || stopped(node) || !flows(node) ? [] : dependencies(node),
  );
  return below.some((node) => leaves.has(node));
}

/**
 * A `let` outside of phases that a later one reads is kept as a value (bindings.ts): derivatives and replacements act on the graph that it was defined by, which
 * is not there any more. Gives the kept cell among `nodes` that was computed from a leaf, by way of other kept ones too.
 */
export function keptFrom(e: Elaboration, nodes: Iterable<Node>, leaves: readonly TargetLeaf[]): CellRef | undefined {
  const isLeaf = (node: Node): boolean =>
    leaves.some(({ cell, node: own }) =>
      cell ? cellRead(node) === cell.id || node === e.definitions.get(cell.id) : node === own,
    );
  const known = new Map<string, boolean>();
  const dependsOnLeaf = (id: string): boolean => {
    const definition = e.definitions.get(id);
    if (!definition) return false;
    const found = known.get(id);
    if (found !== undefined) return found;
    known.set(id, false);
    const below = [...visibleNodes([definition], true)];
    const result = below.some((node) => isLeaf(node) || dependsOnLeaf(cellRead(node) ?? ''));
    known.set(id, result);
    return result;
  };
  for (const node of nodes) {
    const id = cellRead(node);
    if (id === undefined || leaves.some((leaf) => leaf.cell?.id === id)) continue;
    if (dependsOnLeaf(id)) return e.allCells.get(id);
  }
  return undefined;
}

/** Refuses what would take a value of an earlier phase for a constant without a word: `what` is a derivative, or a replacement. */
export function refuseKept(
  e: Elaboration,
  nodes: Iterable<Node>,
  t: Target,
  span: Span,
  what: 'derivative' | 'replacement',
): void {
  const kept = keptFrom(e, nodes, t.leaves);
  if (!kept) return;
  fail(
    'OPT470',
    span,
    `${kept.label} was computed from ${t.text} before this phase, and is kept as a value: no ${what} reaches ${t.text} in it`,
    {
      labels: kept.span ? [{ span: kept.span, text: 'computed here' }] : [],
      hint: `make it a fn, which is evaluated where it is used: fn ${kept.label} = …; or say that it counts as a constant: stop(${kept.label})`,
    },
  );
}
