/**
 * `update P by RULE minimizing L`: checks that L reads the current P and reaches it, differentiates, runs the pipeline of rules and writes. All
 * targets of one statement move at once. A moved cell is a leaf for later derivatives: what it was computed from is behind a stop.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { reachable } from '../ir/tensor/graph.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { refuseCollectives } from './axes.ts';
import { here } from './axis-elements.ts';
import type { Elaboration } from './context.ts';
import { broadcastTo, leafNodes, plain } from './convert.ts';
import { objectivesWritten, type WrittenObjective } from './derivatives.ts';
import { checkDrawRoutes } from './draw-routes.ts';
import type { At, Work } from './estimators.ts';
import { type Counter, counter } from './execution.ts';
import { explainCut, keptFrom, moved } from './gradient-path.ts';
import { lifetimeOf } from './lifetime.ts';
import { record } from './outputs.ts';
import { readsName } from '../check/reads.ts';
import { type Alternatives, alternativesOf, move, pipelineText } from './pipelines.ts';
import type { Moving } from './rules.ts';
import type { Frame } from './scope.ts';
import { gradients } from './stand-ins.ts';
import { siteName } from '../ast/sites.ts';
import { cellOf, target, type Target, visibleNodes } from './targets.ts';
import { type CellRef, kindText, type Value } from './values.ts';
import { directing, directionOf, objectivesOf } from './with.ts';

type Objective = WrittenObjective;

export function update(e: Elaboration, stmt: ast.UpdateStmt, frame: Frame): void {
  if (stmt.with && stmt.along)
    fail('OPT424', stmt.with.span, "'with' makes a direction of objectives, and along gives the direction itself", {
      hint: 'write along grad(L, P) with …, or minimizing L with …',
    });
  const listed = stmt.listed === true || stmt.objectives.length > 1;
  const objectives = objectivesWritten(e, stmt.objectives, listed, frame);
  const along = stmt.along && e.do.expression(e, stmt.along, frame);
  const targets = stmt.targets.map((t) => target(e, t, frame));
  const cells = targets.map((t) => t.leaves.map((leaf) => movable(e, t, leaf.cell)));
  const all = cells.flat();
  if (e.observing && all.some((cell) => cell.persistent))
    fail('OPT426', stmt.span, 'an eval moves nothing', { hint: 'put the update in a train body' });
  const repeated = all.find((c, i) => all.indexOf(c) !== i);
  if (repeated)
    fail('OPT422', stmt.span, `${repeated.label} is named twice as a target`, { hint: 'name each target once' });
  const alternatives = alternativesOf(e, stmt.by, frame);
  checkDirected(e, stmt, alternatives);
  const current = all.map((cell) => e.entry.read(cell));
  for (const objective of objectives) refuseStale(e, objective, all);

  const structure: Value =
    targets.length === 1 ? targets[0].value : { kind: 'tuple', items: targets.map((t) => t.value) };
  const path = [...frame.path, siteName(stmt)];
  const lifetime = lifetimeOf(e, frame, all);
  const axis = all.find((cell) => cell.elementOf)?.elementOf?.over;
  const names = targets.map((t) => t.text).join('+');
  const application = { statement: stmt.span };
  let updates: Counter | undefined;
  const count = (): Counter => (updates ??= counter(e, frame, path, lifetime, axis));
  const work: Work | undefined = stmt.with && {
    span: stmt.span,
    names,
    counter: count(),
    lifetime,
    axis,
    application,
  };
  const gradients =
    along !== undefined
      ? directions(e, along, stmt.along as ast.Expr, targets, current)
      : stmt.with && work
        ? estimated(e, stmt, stmt.with, objectives, targets, {
            frame,
            path,
            span: stmt.span,
            work,
            varied: { structure, nodes: current, cells: all },
          })
        : descent(e, stmt, objectives, targets, cells, current);
  const moving = all.map((cell, i): Moving => ({
    path: cell.label,
    id: (cell.elementOf ?? cell).id,
    cell,
    initial: () => e.entry.read(here(e, cell)),
    p: current[i],
    g: gradients[i],
    written: false,
  }));
  const name = `${siteName(stmt)}${frame.turn ?? ''}`;
  const alternating = readsMoved(e, objectives.length > 0 ? objectives.map((o) => o.node) : gradients, all);
  move(e, alternatives, moving, {
    frame,
    path,
    counter: count(),
    application,
    lifetime,
    axis,
    names,
    structure,
    span: stmt.span,
    objective: along === undefined ? descended(e, stmt, objectives) : undefined,
  });
  count().done();
  const idle = moving.find((m) => !m.written);
  if (idle) {
    fail('OPT413', stmt.by.span, `nothing in this pipeline writes ${idle.path}: its rules only change the direction`, {
      hint: 'end it with a rule that moves p, such as |> sgd(lr)',
    });
  }
  // Where an estimator compares values elsewhere, nothing needs the objective here, and it would be a pass of its own.
  const needed = work && !work.reached ? new Set(reachable(moving.map((m) => m.p))) : undefined;
  objectives.forEach((o, i) => {
    if (needed && !needed.has(o.node)) return;
    record(e, { name: objectives.length > 1 ? `${name}.${i}` : name, kind: 'objective', value: o.node, span: o.span });
  });
  all.forEach((cell, i) => {
    noteMove(e, cell, stmt.span, 'update', frame);
    e.entry.write(cell, moved(e, moving[i].p));
  });
  e.updates.push({
    run: e.run.name,
    entry: e.entry.id,
    span: stmt.span,
    targets: all.map((c) => (c.elementOf ?? c).id),
    // A leaf of a tree has no text of its own.
    written: targets.flatMap((t) => t.leaves.map(({ cell }) => (t.leaves.length > 1 && cell ? cell.label : t.text))),
    targetNames: targets.flatMap((t) => shown(e, t, frame)),
    sense: along === undefined ? (stmt.sense ?? 'minimizing') : 'along',
    objectives: along === undefined ? objectives.map(({ node, text, span }) => ({ node, text, span })) : [],
    wrt: current,
    by: pipelineText(e, stmt.by, alternatives),
    with: stmt.with ? e.options.text(stmt.with.span) : '',
    alternating,
  });
}

/** A target as it is told of: in a solver, whose names are those of its header, by the names of the models and variables. */
function shown(e: Elaboration, t: Target, frame: Frame): string[] {
  if (!frame.solving || t.leaves.length === 0) return [t.text];
  const models = e.models.filter((m) => m.run === e.run.name);
  const owner = (cell: CellRef): string | undefined => models.find((m) => [...m.params.values()].includes(cell))?.name;
  return [...new Set(t.leaves.map(({ cell }) => (cell ? (owner(cell) ?? cell.label) : t.text)))];
}

/** The cell of a target's leaf, if it may be moved here. */
function movable(e: Elaboration, t: Target, cell: CellRef | undefined): CellRef {
  if (!cell || cell.kind === 'let') {
    fail('OPT422', t.span, `${t.text} is a value, not a cell: it cannot be moved`, {
      hint: 'name a var, a model or a part of a model',
    });
  }
  if (cell.kind === 'frozen') {
    fail('OPT416', t.span, `${cell.label} is frozen and may never be moved`, {
      labels: cell.span ? [{ span: cell.span, text: 'declared frozen here' }] : [],
      hint: 'declare it as var or param',
    });
  }
  if (cell.run !== e.run.name) {
    fail('OPT422', t.span, `${t.text} belongs to the run ${cell.run || 'of the file'} and cannot be moved here`, {
      hint: 'copy it: model Mine = Theirs from run.Theirs',
    });
  }
  if (cell.type.dtype !== 'f32')
    fail('OPT422', t.span, `${cell.label} has type ${e.typeText(cell.type)}; updates move f32 cells`, {
      hint: 'write it with <-',
    });
  return cell;
}

/** An objective must read the current versions of what it moves, outside `stop`. */
function refuseStale(e: Elaboration, objective: Objective, cells: readonly CellRef[]): void {
  const byId = new Map(cells.map((c) => [c.id, c]));
  const nodes = visibleNodes([objective.node], true);
  const name = /^\w+$/.test(objective.text) ? objective.text : 'loss';
  for (const cell of cells) {
    const kept = keptFrom(e, nodes, [{ path: '', node: e.entry.read(cell), cell }]);
    if (!kept) continue;
    fail('OPT410', objective.span, `${objective.text} read ${cell.label} in ${kept.label}, before this phase`, {
      labels: kept.span ? [{ span: kept.span, text: `${kept.label} was computed here` }] : [],
      hint: `make ${kept.label} a fn, which reads the current value at each use; or stop(${kept.label}), if it counts as a constant`,
    });
  }
  for (const node of nodes) {
    const cell = byId.get(cellOf(e, node)?.id ?? '');
    if (!cell || node === e.entry.read(cell)) continue;
    const moved = e.entry.moved.get(cell.id);
    fail(
      'OPT410',
      objective.span,
      `${objective.text} read ${cell.label} before it was moved, so its gradient is that of an older point`,
      {
        labels: moved ? [{ span: moved.span, text: `${cell.label} was moved here` }] : [],
        hint: `make it a fn, which reads the current value at each use: fn ${name} = …`,
      },
    );
  }
}

function sumOf(e: Elaboration, stmt: ast.UpdateStmt, objectives: readonly Objective[]): Node {
  return e.graph.at(stmt.span, () => objectives.map((o) => o.node).reduce((a, b) => e.make('add', [a, b])));
}

/** What the direction descends: the sum of the objectives, or minus it where that is maximized. */
function descended(e: Elaboration, stmt: ast.UpdateStmt, objectives: readonly Objective[]): Node {
  const total = sumOf(e, stmt, objectives);
  return stmt.sense === 'maximizing' ? e.graph.at(stmt.span, () => e.make('neg', [total])) : total;
}

/** Gradients of the sum of the objectives, pointing uphill for `minimizing`; every target must be reached. */
function descent(
  e: Elaboration,
  stmt: ast.UpdateStmt,
  objectives: readonly Objective[],
  targets: readonly Target[],
  cells: readonly CellRef[][],
  wrt: readonly Node[],
): Node[] {
  if (objectives.length === 0)
    fail('OPT311', stmt.span, 'an update needs an objective or a direction', {
      hint: 'write minimizing e, or along d',
    });
  const total = sumOf(e, stmt, objectives);
  checkDrawRoutes([total], wrt, objectives[0].span);
  refuseCollectives(e, [total], wrt, objectives[0].span);
  const { values, reached } = gradients(e, total, wrt);
  let next = 0;
  targets.forEach((t, i) => {
    const flags = reached.slice(next, next + cells[i].length);
    const nodes = wrt.slice(next, next + cells[i].length);
    next += cells[i].length;
    if (!flags.some(Boolean))
      explainCut(e, total, nodes, t, objectives.map((o) => o.text).join(' + '), objectives[0].span);
  });
  return stmt.sense === 'maximizing' ? values.map((g) => e.graph.at(stmt.span, () => e.make('neg', [g]))) : [...values];
}

/** The direction that the pipeline after `with` makes of the objectives; every target must be one that it can move. */
function estimated(
  e: Elaboration,
  stmt: ast.UpdateStmt,
  pipeline: ast.Pipeline,
  objectives: readonly Objective[],
  targets: readonly Target[],
  at: At,
): Node[] {
  const by = directing(e, pipeline, at.frame);
  const total = sumOf(e, stmt, objectives);
  const text = objectives.map((o) => o.text).join(' + ');
  const { nodes } = at.varied;
  const seen = visibleNodes([total], true);
  const ofTarget = (i: number): readonly Node[] => {
    const from = targets.slice(0, i).reduce((n, t) => n + t.leaves.length, 0);
    return nodes.slice(from, from + targets[i].leaves.length);
  };
  const unmoved = (moves: (node: Node) => boolean): void =>
    targets.forEach((t, i) => {
      if (!ofTarget(i).some(moves)) explainCut(e, total, ofTarget(i), t, text, objectives[0].span);
    });
  unmoved((node) => seen.has(node));
  const descended = objectivesOf(e, objectives, at.frame, stmt.sense === 'maximizing');
  const whole: Target = { ...targets[0], text: targets.map((t) => t.text).join(', ') };
  const direction = directionOf(e, by, descended, targets.length > 1 ? whole : targets[0], at);
  const { reached } = at.work;
  if (reached) unmoved((node) => reached.has(node));
  return direction;
}

/** `along d`: directions to descend, shaped like the targets. */
function directions(
  e: Elaboration,
  value: Value,
  expr: ast.Expr,
  targets: readonly Target[],
  wrt: readonly Node[],
): Node[] {
  const nodes = leafNodes(e, value, expr.span, 'f32');
  if (nodes.length !== wrt.length) {
    fail(
      'OPT313',
      expr.span,
      `the direction is ${kindText(plain(e, value, expr.span))}, but the targets have ${wrt.length} leaves`,
      {
        labels: targets.map((t) => ({
          span: t.span,
          text: `${t.leaves.length} ${t.leaves.length === 1 ? 'leaf' : 'leaves'}`,
        })),
        hint: 'a direction has the leaves of what it moves: grad(L, P)',
      },
    );
  }
  return nodes.map((n, i) => {
    const wanted = wrt[i].type;
    if (n.type.dtype !== 'f32' || (n.type.shape.length > 0 && n.type.shape.join() !== wanted.shape.join())) {
      fail(
        'OPT302',
        expr.span,
        `a leaf of the direction has type ${e.typeText(n.type)}, but its target has ${e.typeText(wanted)}`,
        {
          labels: targets.map((t) => ({ span: t.span, text: 'the target' })),
          hint: 'a direction is shaped like what it moves',
        },
      );
    }
    return broadcastTo(e, n, wanted.shape);
  });
}

/** Whether a statement reads cells that an earlier statement of this step has moved. */
function readsMoved(e: Elaboration, roots: readonly Node[], own: readonly CellRef[]): boolean {
  const ids = new Set(own.map((c) => c.id));
  for (const node of visibleNodes(roots)) {
    if (
      node.op === 'version' &&
      (node.attrs.version as number) > 0 &&
      e.entry.moved.has(node.attrs.cell as string) &&
      !ids.has(node.attrs.cell as string)
    )
      return true;
  }
  return false;
}

/** Two statements of one step that move one cell are seldom meant, unless both are plain writes. */
export function noteMove(e: Elaboration, cell: CellRef, span: Span, by: 'update' | 'write', frame: Frame): void {
  if (cell.kind === 'state') return;
  const before = e.entry.moved.get(cell.id);
  const updates = before?.by === 'update' || by === 'update';
  // In a solver, loops and levels move variables as the method says.
  const training = frame.solving === undefined;
  if (
    training &&
    before &&
    before.span.start !== span.start &&
    updates &&
    e.entry.kind === 'train' &&
    cell.persistent
  ) {
    const both = before.by === 'update' && by === 'update';
    e.warn('OPT418', span, `${cell.label} is moved by two statements of one step`, {
      labels: [{ span: before.span, text: 'moved here first' }],
      hint: both
        ? 'minimize the sum of both objectives in one update, or write allow OPT418 on this line'
        : 'where that is meant (a projection after the update), write allow OPT418 on this line',
    });
  }
  e.entry.moved.set(cell.id, { span, by });
}

/** OPT437: a pipeline that changes the parameter and reads neither the direction nor the objective. One that does not read the parameter either sets it, as a schedule does. */
function checkDirected(e: Elaboration, stmt: ast.UpdateStmt, alternatives: Alternatives): void {
  const directed = alternatives.flat().some((t) => {
    const { body, value, gradient, objective } = t.decl as ast.RuleDecl;
    if (!readsName(body, value.text, true)) return true;
    return readsName(body, gradient.text) || (objective !== undefined && readsName(body, objective.text));
  });
  if (!directed)
    e.warn(
      'OPT437',
      stmt.by.span,
      'no rule of this pipeline reads the direction: whatever the objective is, it moves the same',
      {
        hint: 'add a rule that descends, such as |> sgd(lr); a change without an objective is written p <- …',
      },
    );
}
