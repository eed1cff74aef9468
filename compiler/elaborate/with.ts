/**
 * `with`: the pipeline from objectives to a direction. An estimator makes a direction of each objective (backpropagation where none is written), an aggregator
 * one of all of them (their sum where none is written). In `update … with …`, and as the expression `grad(L, P) with …`.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import { sameValue } from '../ir/tensor/same.ts';
import type { Node } from '../ops/types.ts';
import type { Elaboration } from './context.ts';
import { rebuild } from './convert.ts';
import { objectiveNode, objectivesWritten, positional, takenBy, type WrittenObjective } from './derivatives.ts';
import { checkDrawRoutes } from './draw-routes.ts';
import { aggregate, type At, estimate, type Objective, type Work } from './estimators.ts';
import { counter } from './execution.ts';
import { noteReach } from './gradient-path.ts';
import { lifetimeOf } from './lifetime.ts';
import { openObjective } from './opened.ts';
import type { Frame } from './scope.ts';
import { gradients } from './stand-ins.ts';
import { siteName } from '../ast/sites.ts';
import type { Target } from './targets.ts';
import { kindText, type Template, tensor, type Value } from './values.ts';

export interface Directing {
  readonly estimator?: Template;
  readonly aggregator?: Template;
}

/** The stages after `with`: at most an estimator, then at most an aggregator. */
export function directing(e: Elaboration, pipeline: ast.Pipeline, frame: Frame): Directing {
  let found: Directing = {};
  for (const { template, expr } of stagesOf(e, pipeline, frame)) {
    const name = template.decl.name.text;
    if (template.decl.kind === 'estimator') {
      const first = found.estimator ?? found.aggregator;
      if (first)
        fail(
          'OPT424',
          expr.span,
          `the estimator ${name} comes after ${first.decl.name.text}, which gives a direction`,
          {
            hint: 'one estimator begins the pipeline; estimators are composed by their parameters: averaged(8, of: spsa())',
          },
        );
      found = { ...found, estimator: template };
    } else {
      if (found.aggregator)
        fail(
          'OPT424',
          expr.span,
          `${found.aggregator.decl.name.text} has made one direction, and ${name} makes one of several`,
          {
            hint: 'keep one aggregator; what rewrites a direction is a rule, after by',
          },
        );
      found = { ...found, aggregator: template };
    }
  }
  return found;
}

function stagesOf(e: Elaboration, pipeline: ast.Pipeline, frame: Frame): { template: Template; expr: ast.Expr }[] {
  if (pipeline.otherwise)
    fail(
      'OPT424',
      pipeline.otherwise.span,
      "'else' serves the leaves that a rule refuses; estimators take the whole tree",
      {
        hint: 'leave it off',
      },
    );
  return pipeline.stages.flatMap((expr) => {
    const value = stageValue(e, expr, frame);
    const templates = value.kind === 'pipeline' ? value.alternatives.flat() : [value];
    return templates.map((template) => {
      if (template.kind === 'template' && (template.decl.kind === 'estimator' || template.decl.kind === 'aggregator'))
        return { template, expr };
      fail('OPT304', expr.span, `an estimator or aggregator is needed here, not ${kindText(value)}`, {
        hint: 'they come from: use estimators { spsa }, use aggregators { pcgrad }',
      });
    });
  });
}

/** Estimators of the library need no `use`, as what stands after `~` does not. */
function stageValue(e: Elaboration, expr: ast.Expr, frame: Frame): Value {
  const value = e.do.expression(e, expr, frame);
  return (value.kind === 'builtin' && e.do.libraryEstimator(e, value.name, expr.span)) || value;
}

/** An estimator, an aggregator, or both, given as a value. */
export function directingValue(e: Elaboration, pipeline: ast.Pipeline, frame: Frame): Value {
  return { kind: 'pipeline', alternatives: [stagesOf(e, pipeline, frame).map((s) => s.template)] };
}

/** The objectives of a statement or expression, as they are descended. */
export function objectivesOf(
  e: Elaboration,
  written: readonly WrittenObjective[],
  frame: Frame,
  maximizing: boolean,
): Objective[] {
  const descended = (node: Node): Node => (maximizing ? e.graph.at(node.span, () => e.make('neg', [node])) : node);
  return written.map(({ node, text, span, expr }): Objective => {
    const opened = expr && openObjective(e, expr, frame);
    return {
      node: descended(node),
      text,
      span,
      part: expr === undefined,
      opened: opened && {
        elements: opened.elements,
        element: (at) => tensor(descended(objectiveNode(e, opened.element(at), span))),
      },
    };
  });
}

/** The direction to descend: one f32 node for each leaf, of its type. Without an aggregator the objectives are summed first. */
export function directionOf(
  e: Elaboration,
  by: Directing,
  objectives: readonly Objective[],
  t: Target,
  at: At,
): Node[] {
  checkCombined(e, by, objectives, at);
  const parts = by.aggregator ? objectives : [summed(e, objectives, at)];
  const several = parts.length > 1;
  const directions = parts.map((objective, i) =>
    by.estimator ? estimate(e, by.estimator, objective, i, { ...at, several }) : backward(e, objective, t, at),
  );
  return by.aggregator ? aggregate(e, by.aggregator, directions, at) : directions[0];
}

/** OPT434: an aggregator sees the objectives that are written, not the terms of one; and one that is written twice counts twice. */
function checkCombined(e: Elaboration, { aggregator }: Directing, objectives: readonly Objective[], at: At): void {
  objectives.forEach(({ node, span, text }, i) => {
    const first = objectives.slice(0, i).find((o) => sameValue(o.node, node));
    if (first)
      e.warn('OPT434', span, `${text} is the same objective as the one before it: it counts twice`, {
        labels: [{ span: first.span, text: 'the same' }],
        hint: 'give the other objective, or a factor',
      });
  });
  // Of a class with any number of objectives, the problem has as many as it has.
  if (!aggregator || objectives.length !== 1 || objectives[0].part) return;
  const [only] = objectives;
  e.warn(
    'OPT434',
    only.span,
    `${aggregator.decl.name.text} combines the directions of several objectives, and here is one`,
    {
      labels: [{ span: at.span, text: 'in this statement' }],
      hint: 'write each objective on its own: minimizing { L1, L2 } with …; a sum has one direction',
    },
  );
}

function summed(e: Elaboration, objectives: readonly Objective[], { span }: At): Objective {
  const [first, ...more] = objectives;
  if (more.length === 0) return first;
  const node = e.graph.at(span, () => objectives.map((o) => o.node).reduce((a, b) => e.make('add', [a, b])));
  return { node, text: objectives.map((o) => o.text).join(' + '), span: first.span };
}

/** Backpropagation of one objective, where no estimator is written. */
function backward(e: Elaboration, { node, span, text }: Objective, t: Target, { varied, work }: At): Node[] {
  checkDrawRoutes([node], varied.nodes, span);
  const { values, reached } = gradients(e, node, varied.nodes);
  noteReach(e, work, { output: node, wrt: varied.nodes, reached, t, text, span });
  return [...values];
}

/** Bodies whose text is executed once where it stands; a fn is evaluated wherever it is named. */
const KEEPS = new Set<Frame['body']>(['file', 'trial', 'train', 'solver']);

/**
 * `grad(L, P) with spsa()`: the direction as a value. In the text of a phase an estimator may count and have states, which belong to this place; elsewhere, where
 * an expression may be evaluated any number of times, that is an error.
 */
export function withExpression(e: Elaboration, expr: ast.WithExpr, frame: Frame): Value {
  const call = expr.expr;
  if (call.kind !== 'call' || call.callee.kind !== 'name' || call.callee.name !== 'grad' || frame.scope.find('grad'))
    fail('OPT424', expr.span, "'with' belongs to grad(L, P), to an update and to a data set", {
      hint: 'write grad(L, P) with spsa()',
    });
  const [objective, by] = positional(call, 'grad', ['objective', 'by']);
  const listed = objective.kind === 'bracelist';
  const written = objectivesWritten(e, listed ? objective.items : [objective], listed, frame);
  const nodes = written.map((o) => o.node);
  const { t, wrt } = takenBy(e, by, nodes, call.span, frame, false);
  const path = [...frame.path, siteName(expr)];
  const cells = t.leaves.map((l) => l.cell);
  const work = frame.work ?? workOf(e, expr, t, path, frame);
  const varied = { structure: t.value, nodes: wrt, cells };
  const at: At = { frame, path, span: expr.span, work, varied };
  const found = directionOf(e, directing(e, expr.pipeline, frame), objectivesOf(e, written, frame, false), t, at);
  if (!frame.work) work.counter?.done();
  return rebuild(e, t.value, found, expr.span);
}

function workOf(e: Elaboration, expr: ast.Expr, t: Target, path: readonly string[], frame: Frame): Work {
  const { span } = expr;
  const application = { statement: span };
  if (!KEEPS.has(frame.body) || e.observing) return { span, names: t.text, application };
  const lifetime = lifetimeOf(
    e,
    frame,
    t.leaves.flatMap((l) => l.cell ?? []),
  );
  return { span, names: t.text, application, lifetime, counter: counter(e, frame, path, lifetime) };
}
