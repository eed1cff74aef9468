/**
 * Estimators and aggregators at work. An estimator `for (L, P)` turns an objective into a direction shaped like P, an aggregator `for (Gs, P)` several directions
 * into one. L is the graph of the objective where the statement stands: `at` and derivatives act on it and nothing is drawn again, while the estimator's own
 * draws are keyed by the statement, so that a perturbation named twice is one and the same and need never be stored.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { bindParameters } from './arguments.ts';
import { seenFrom } from './blame.ts';
import type { Elaboration } from './context.ts';
import { rebuild } from './convert.ts';
import { shapedLike } from './derivatives.ts';
import { type Counter, ruleLoop } from './execution.ts';
import type { Lifetime } from './lifetime.ts';
import type { Opened } from './opened.ts';
import { declareState, reportLargest, slot } from './rules.ts';
import { type Binding, type Frame, Scope } from './scope.ts';
import { type Axis, type CellRef, exact, type Template, tensor, type Value } from './values.ts';

/** The statement or expression for which estimators and aggregators work. */
export interface Work {
  readonly span: Span;
  /** Names of the targets, for states. */
  readonly names: string;
  /** Updates of the statement before this one; absent in an expression that may be evaluated any number of times: there nothing is counted or kept. */
  readonly counter?: Counter;
  readonly lifetime?: Lifetime;
  /** Axis of which the cells moved are an element's own parts. */
  readonly axis?: Axis;
  /** One for all objectives, so that they report together. */
  readonly application: { readonly statement: Span };
  /** Leaves that derivatives taken by an estimator reach; undefined while none was taken. */
  reached?: Set<Node>;
}

/** What is to be moved: the tree P. */
export interface Varied {
  readonly structure: Value;
  readonly nodes: readonly Node[];
  /** Leaf by leaf: the cell that it is. */
  readonly cells: readonly (CellRef | undefined)[];
}

/** Where a template is applied. */
export interface At {
  readonly frame: Frame;
  /** Site of the statement or expression, under which the template's draws are keyed. */
  readonly path: readonly string[];
  readonly span: Span;
  readonly work: Work;
  readonly varied: Varied;
  /** The estimator is applied to several objectives, each of which reports under its own number. */
  readonly several?: boolean;
}

/** An objective to be descended. */
export interface Objective {
  /** f32 scalar. */
  readonly node: Node;
  readonly text: string;
  readonly span: Span;
  readonly opened?: Opened;
  /** One of a tuple of objectives, whose number the text does not say. */
  readonly part?: boolean;
}

/** The direction that an estimator gives for one objective, number `which` of the statement: f32 nodes of the types of the leaves of P. */
export function estimate(e: Elaboration, t: Template, objective: Objective, which: number, at: At): Node[] {
  const decl = t.decl as ast.EstimatorDecl;
  return apply(e, t, which, at, (frame, home) => {
    if (decl.over) frame.scope.set(decl.over.text, examples(decl, objective));
    const value = slot(e, home, decl.objective.span, () => tensor(objective.node), undefined, undefined);
    frame.scope.set(decl.objective.text, { ...value, ...(objective.opened ? { opened: objective.opened } : {}) });
  });
}

/** The direction that an aggregator makes of one direction for each objective. */
export function aggregate(e: Elaboration, t: Template, directions: readonly (readonly Node[])[], at: At): Node[] {
  const decl = t.decl as ast.AggregatorDecl;
  const { structure } = at.varied;
  return apply(e, t, 0, at, (frame, home) => {
    const list = (): Value => ({
      kind: 'tuple',
      items: directions.map((d) => rebuild(e, structure, d, at.span)),
    });
    frame.scope.set(decl.directions.text, slot(e, home, decl.directions.span, list, undefined, undefined));
  });
}

function examples(decl: ast.EstimatorDecl, { opened, span }: Objective): Binding {
  if (!opened)
    fail('OPT431', span, `${decl.name.text} takes the objective example by example, and here it is one closed number`, {
      labels: [{ span: decl.over?.span ?? decl.span, text: 'the axis of the examples' }],
      hint: 'write minimizing mean over b as e { … }, or name a fn so written',
    });
  const value: Value = { kind: 'exampleAxis', elements: opened.elements };
  return { kind: 'value', value, span: decl.over?.span ?? decl.span };
}

/** Evaluates the body of an estimator or aggregator; `bind` binds what is its own beside P. */
function apply(
  e: Elaboration,
  t: Template,
  which: number,
  at: At,
  bind: (frame: Frame, home: Elaboration['entry']) => void,
): Node[] {
  const decl = t.decl as ast.EstimatorDecl | ast.AggregatorDecl;
  const name = decl.name.text;
  const { frame: around, span, varied } = at;
  if (around.depth > e.limits.depth)
    fail('OPT505', span, `${name} is applied inside itself without end`, { hint: 'an estimator cannot be recursive' });
  const home = e.entry;
  const frame = bodyFrame(e, t, which, at);
  const build = (): Node[] => {
    bindCount(e, decl, frame, at);
    bindParameters(e, t, frame.scope, frame, span);
    bind(frame, home);
    const now = () => rebuild(e, varied.structure, varied.nodes, span);
    const p = slot(e, home, decl.cells.span, now, () => initialTree(e, at), undefined);
    frame.scope.set(decl.cells.text, { ...p, cells: varied.cells, varied: 'estimator' } as Binding);
    const value = e.do.body(e, decl.body, frame);
    if (value === undefined)
      fail('OPT304', span, `${name} has no value`, {
        labels: [{ span: decl.name.span, text: 'its body ends without an expression' }],
        hint: 'end the body with the direction',
      });
    return shapedLike(e, value, varied.structure, varied.nodes, decl.body.value?.span ?? decl.span);
  };
  return e.graph.at(span, () => seenFrom(span, name, build), frame.path.join('/'));
}

function bodyFrame(e: Elaboration, t: Template, which: number, { frame, path, span, work, several }: At): Frame {
  const decl = t.decl as ast.EstimatorDecl | ast.AggregatorDecl;
  const name = decl.name.text;
  const own = [...path, name];
  return {
    scope: new Scope(t.frame.scope),
    body: decl.kind,
    path: own,
    indices: frame.indices,
    execution: ruleLoop(e, () => before(decl, work, span)),
    clock: frame.clock,
    chosen: frame.chosen,
    restart: frame.restart,
    depth: frame.depth + 1,
    work,
    ruleState: (state, inner) => {
      before(decl, work, state.span);
      // One state for each objective: what an estimator remembers of one says nothing of another.
      const place = which > 0 ? [...own, String(which)] : own;
      const app = { frame, path: place, lifetime: work.lifetime, axis: work.axis };
      declareState(
        e,
        state,
        inner,
        `${e.qualified(work.names)}#${name}`,
        place.join('/'),
        `${work.names}#${name}`,
        app,
      );
    },
    ruleReport: e.observing ? () => {} : numbered(reportLargest(e, work), several ? which + 1 : undefined),
  };
}

function numbered(report: NonNullable<Frame['ruleReport']>, number: number | undefined): typeof report {
  return number === undefined ? report : (name, value, span) => report(`${name}_${number}`, value, span);
}

/** Updates of the statement before this one. OPT424 where an expression may be evaluated any number of times. */
function before(decl: ast.EstimatorDecl | ast.AggregatorDecl, work: Work, span: Span): Node | undefined {
  if (work.counter) return work.counter.before();
  fail(
    'OPT424',
    work.span,
    `${decl.name.text} counts its uses or keeps a state, and this text may be evaluated any number of times`,
    {
      labels: [{ span, text: 'counted or kept here' }],
      hint: 'write it in the train body itself, best as update P by sgd(lr) minimizing L with …',
    },
  );
}

/** k: updates of the statement so far, from 1. */
function bindCount(
  e: Elaboration,
  decl: ast.EstimatorDecl | ast.AggregatorDecl,
  frame: Frame,
  { work, span }: At,
): void {
  const read = (): Value => {
    const n = before(decl, work, e.graph.span ?? span);
    return n ? tensor(e.make('add', [n, e.constant(1, 'i32')])) : exact(1, true);
  };
  frame.scope.set('k', { kind: 'slot', read, span });
}

/** P as it is when the states begin. */
function initialTree(e: Elaboration, { varied, span, work }: At): Value {
  const nodes = varied.cells.map((cell) => {
    if (cell) return e.entry.read(cell);
    fail('OPT423', span, `the initial value of a state reads ${work.names}, which is no cell`, {
      hint: 'start the state from numbers',
    });
  });
  return rebuild(e, varied.structure, nodes, span);
}
