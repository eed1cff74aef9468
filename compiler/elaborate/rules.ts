/**
 * Pipelines of rules: from a direction to new values of the cells it belongs to. A leaf rule runs once for each leaf, a tree rule once for all;
 * each stage rewrites g or writes p. A rule's `state` is a cell for each (statement, cell), and lives as long as the cell.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { bindParameters } from './arguments.ts';
import { seenFrom } from './blame.ts';
import { cellsFor, initialValue, overAxis } from './cells.ts';
import type { Elaboration } from './context.ts';
import { broadcastTo, leafNodes, rebuild, toFloat, toNode } from './convert.ts';
import { type Counter, ruleLoop } from './execution.ts';
import type { Lifetime } from './lifetime.ts';
import { record } from './outputs.ts';
import { type Binding, type Frame, type RuleSlot, Scope } from './scope.ts';
import { annotate, staticType, storageOf } from './types.ts';
import { type Axis, type CellRef, exact, kindText, tensor, type Template, type Value } from './values.ts';

/** One leaf that a pipeline moves: its value and its direction, which stages replace; and the cell that it is, but for pure calls. */
export interface Moving {
  /** As people name it. */
  readonly path: string;
  /** Unique among the leaves of the statement: the cell's id. */
  readonly id: string;
  readonly cell?: CellRef;
  /** Value that initial values of states see: that of the cell at the start of the entry which initialises them. */
  initial(): Node;
  p: Node;
  g: Node;
  written: boolean;
}

/** The statement that applies a pipeline. */
export interface Application {
  readonly frame: Frame;
  /** Site of the statement, the key of states and draws. */
  readonly path: readonly string[];
  readonly names: string;
  /** Structure of the targets: a tree, tensor or tuple of them. */
  readonly structure: Value;
  readonly span: Span;
  /** What the direction descends, for rules that look at it; absent where the direction is given. */
  readonly objective?: Node;
  /** Count of a pure call, instead of the statement's. */
  readonly k?: Value;
  /** Updates of the statement before this one; absent for a pure call. */
  readonly counter?: Counter;
  /** One for all leaves, so that they report together. */
  readonly application?: { readonly statement: Span };
  /** Axis of which the cells moved are an element's own parts. */
  readonly axis?: Axis;
  /** How long the states live; absent where they last as long as the run. */
  readonly lifetime?: Lifetime;
  /** Declares a state of a pure call, instead of a cell. */
  declare?(decl: ast.CellDecl, frame: Frame, leaf: Moving | undefined): void;
}

export function applyPipeline(
  e: Elaboration,
  stages: readonly Template[],
  moving: readonly Moving[],
  app: Application,
): void {
  stages.forEach((stage, index) => {
    const name = `${stage.decl.name.text}${index > 0 && stages.slice(0, index).some((s) => s.decl.name.text === stage.decl.name.text) ? `_${index}` : ''}`;
    seenFrom(app.span, stage.decl.name.text, () => {
      if ((stage.decl as ast.RuleDecl).tree) applyTree(e, stage, name, moving, app);
      else for (const leaf of moving) applyLeaf(e, stage, name, leaf, app);
    });
  });
}

function ruleFrame(e: Elaboration, app: Application, t: Template, name: string, leaf: string): Frame {
  return {
    scope: new Scope(t.frame.scope),
    body: 'rule',
    path: leaf === '' ? [...app.path, name] : [...app.path, name, leaf],
    indices: app.frame.indices,
    execution: ruleLoop(e, () => countBefore(e, app)),
    clock: app.frame.clock,
    chosen: app.frame.chosen,
    restart: app.frame.restart,
    depth: app.frame.depth + 1,
  };
}

/** Updates of the statement before this one; undefined where it is the first. */
function countBefore(e: Elaboration, { counter, k, span }: Application): Node | undefined {
  if (counter) return counter.before();
  if (!k || k.kind === 'exact') return k && k.value > 1 ? e.constant(k.value - 1, 'i32') : undefined;
  return e.make('sub', [toNode(e, k, span), e.constant(1, 'i32')]);
}

/** k: updates of this statement so far, from 1. */
function bindCount(e: Elaboration, frame: Frame, app: Application): void {
  const read = (): Value => {
    if (app.k) return app.k;
    const before = countBefore(e, app);
    return before ? tensor(e.make('add', [before, e.constant(1, 'i32')])) : exact(1, true);
  };
  frame.scope.set('k', { kind: 'slot', read, span: app.span });
}

function applyLeaf(e: Elaboration, t: Template, name: string, leaf: Moving, app: Application): void {
  const decl = t.decl as ast.RuleDecl;
  const home = e.entry;
  const base = ruleFrame(e, app, t, name, leaf.path);
  const frame: Frame = {
    ...base,
    ruleState: (state, inner) => {
      if (app.declare) return app.declare(state, inner, leaf);
      const group = `${app.path.join('/')}#${name}`;
      declareState(e, state, inner, `${leaf.id}#${name}`, group, `${leaf.path}#${name}`, app);
    },
    ruleReport: reportLargest(e, app),
    ruleSlots: slotsOf(leaf),
  };
  bindCount(e, frame, app);
  bindParameters(e, t, frame.scope, frame, app.span);
  fitsLeaf(e, decl, leaf, frame, app.span);
  frame.scope.set(
    decl.value.text,
    slot(
      e,
      home,
      decl.value.span,
      () => tensor(leaf.p),
      () => tensor(leaf.initial()),
      (value, span) => {
        leaf.p = fitLeaf(e, value, leaf.p, span);
        leaf.written = true;
      },
    ),
  );
  frame.scope.set(
    decl.gradient.text,
    slot(
      e,
      home,
      decl.gradient.span,
      () => tensor(leaf.g),
      undefined,
      (value, span) => {
        leaf.g = fitLeaf(e, value, leaf.g, span);
      },
    ),
  );
  e.do.body(e, decl.body, frame);
}

/** Binds the dims of `for (p: f32[m, n], g)`; OPT310 where the leaf has another type. */
function fitsLeaf(e: Elaboration, decl: ast.RuleDecl, leaf: Moving, frame: Frame, span: Span): void {
  if (!decl.valueType) return;
  annotate(e, tensor(leaf.p), decl.valueType, frame, span, {
    what: `the leaf ${leaf.path}, for the rule ${decl.name.text}`,
    declared: decl.valueType.span,
  });
}

/** Fails with OPT310 where a rule is for leaves of another shape. */
export function acceptLeaf(e: Elaboration, t: Template, leaf: Moving, app: Application): void {
  const decl = t.decl as ast.RuleDecl;
  if (decl.tree || !decl.valueType) return;
  const frame = ruleFrame(e, app, t, decl.name.text, leaf.path);
  bindParameters(e, t, frame.scope, frame, app.span);
  fitsLeaf(e, decl, leaf, frame, app.span);
}

function applyTree(e: Elaboration, t: Template, name: string, moving: readonly Moving[], app: Application): void {
  const decl = t.decl as ast.RuleDecl;
  const home = e.entry;
  const frame: Frame = {
    ...ruleFrame(e, app, t, name, ''),
    ruleState: (state, inner) => {
      if (app.declare) return app.declare(state, inner, undefined);
      const group = `${app.path.join('/')}#${name}`;
      declareState(e, state, inner, `${e.qualified(app.names)}#${name}`, group, `${app.names}#${name}`, app);
    },
    ruleReport: reportLargest(e, app),
    ruleSlots: moving.flatMap(slotsOf),
  };
  bindCount(e, frame, app);
  bindParameters(e, t, frame.scope, frame, app.span);
  const tree = (pick: (m: Moving) => Node) => rebuild(e, app.structure, moving.map(pick), app.span);
  const assign = (value: Value, span: Span, put: (m: Moving, node: Node) => void) => {
    const nodes = leafNodes(e, value, span, 'f32');
    if (nodes.length !== moving.length && nodes.length !== 1)
      fail('OPT313', span, `${kindText(value)} does not match the tree it is written to`, {
        hint: 'the value needs the same leaves',
      });
    moving.forEach((m, i) => put(m, nodes[nodes.length === 1 ? 0 : i]));
  };
  frame.scope.set(
    decl.value.text,
    slot(
      e,
      home,
      decl.value.span,
      () => tree((m) => m.p),
      () => tree((m) => m.initial()),
      (value, span) =>
        assign(value, span, (m, node) => {
          m.p = fitLeaf(e, tensor(node), m.p, span);
          m.written = true;
        }),
      moving,
    ),
  );
  frame.scope.set(
    decl.gradient.text,
    slot(
      e,
      home,
      decl.gradient.span,
      () => tree((m) => m.g),
      undefined,
      (value, span) =>
        assign(value, span, (m, node) => {
          m.g = fitLeaf(e, tensor(node), m.g, span);
        }),
    ),
  );
  if (decl.objective) frame.scope.set(decl.objective.text, objectiveSlot(e, home, decl, decl.objective, app));
  e.do.body(e, decl.body, frame);
}

/** L of `for tree (P, G; L)`: what the direction descends, at the point where the statement stands. `L at { P: v }` is it at another point. */
function objectiveSlot(
  e: Elaboration,
  home: Elaboration['entry'],
  decl: ast.RuleDecl,
  name: ast.Name,
  { objective, span }: Application,
): Binding {
  if (!objective)
    fail('OPT311', span, `the rule ${decl.name.text} looks at the objective, and here only a direction is given`, {
      labels: [{ span: name.span, text: 'the objective' }],
      hint: 'write minimizing e instead of along d',
    });
  return slot(e, home, name.span, () => tensor(objective), undefined, undefined);
}

/** p or g of a rule, and what an estimator or aggregator is given. In the initial value of a state, p is the cell's initial value, and g does not exist yet. */
export function slot(
  e: Elaboration,
  home: Elaboration['entry'],
  span: Span,
  now: () => Value,
  initial: (() => Value) | undefined,
  write: ((value: Value, span: Span) => void) | undefined,
  stands: readonly Moving[] = [],
): Binding {
  return {
    kind: 'slot',
    span,
    cells: stands.flatMap((m) => (m.cell ? [m.cell] : [])),
    ...(stands.length > 0 && { varied: 'rule' as const }),
    read: () => {
      if (e.entry === home && !e.beginning) return now();
      if (initial) return initial();
      fail(
        'OPT423',
        e.graph.span,
        'the initial value of a state cannot read the direction or the objective: it is computed before the first step',
        { hint: 'start from zeros_like(p)' },
      );
    },
    write,
  };
}

/** A written value in the shape of the leaf; single numbers are repeated. */
function fitLeaf(e: Elaboration, value: Value, like: Node, span: Span): Node {
  const node = toFloat(e, value, span);
  const wanted = like.type.shape;
  if (node.type.shape.length > 0 && node.type.shape.join() !== wanted.join()) {
    fail(
      'OPT302',
      span,
      `this has shape ${e.shapeText(node.type.shape)}, but the leaf it is written to has ${e.shapeText(wanted)}`,
      { hint: 'a rule keeps the shape of its leaf' },
    );
  }
  return broadcastTo(e, node, wanted);
}

export function declareState(
  e: Elaboration,
  decl: ast.CellDecl,
  frame: Frame,
  id: string,
  group: string,
  label: string,
  app: Pick<Application, 'frame' | 'path' | 'lifetime' | 'axis'>,
): void {
  const name = decl.name.text;
  const key = `${e.run.name}|${app.path.join('/')}|${id}.${name}`;
  const { lifetime, axis } = app;
  if (decl.over)
    fail('OPT422', decl.over.span, 'a state of a rule belongs to what the rule moves, and is over its axis by itself', {
      hint: 'leave over off',
    });
  const states = lifetime?.states ?? e.states;
  let cells = states.get(key);
  if (!cells) {
    const make = () => {
      const type = decl.type && staticType(e, decl.type, frame, true);
      // Draws of a state that begins anew at each entry of a loop are those of this entry.
      const indices = lifetime ? app.frame.indices : [];
      const value = overAxis(e, axis, { ...frame, indices }, decl.span, (inner, own) =>
        initialValue(e, decl, type, { ...inner, body: frame.body }, [...frame.path, name], [...indices, ...own]),
      );
      const place = {
        kind: 'state',
        id: lifetime ? `${id}.${name}@${e.nextLocal++}` : `${id}.${name}`,
        label: `${label}.${name}`,
        group: e.qualified(`${group}.${name}`),
        run: e.run.name,
        storage: lifetime ? undefined : storageOf(decl),
        persistent: !lifetime,
        livesWith: lifetime?.cell,
        over: axis,
        span: decl.name.span,
      } as const;
      return cellsFor(e, value, place, decl.span);
    };
    // The p of an element's text is none of the text of another.
    const first = axis ? () => e.begin(make) : make;
    cells = lifetime ? e.begin(make) : e.within(e.entry.init, first);
    states.set(key, cells);
  }
  frame.scope.set(name, { kind: 'value', value: cells, span: decl.name.span });
}

function slotsOf(leaf: Moving): RuleSlot[] {
  return [
    { get: () => leaf.p, set: (node) => void (leaf.p = node) },
    { get: () => leaf.g, set: (node) => void (leaf.g = node) },
  ];
}

/** `report` in a rule: over several leaves the maximum. */
export function reportLargest(
  e: Elaboration,
  app: Pick<Application, 'application' | 'span'>,
): (name: string, value: Node, span: Span) => void {
  const application = app.application ?? { statement: app.span };
  return (name, value, span) => {
    record(e, { name, kind: 'report', value, span, application });
    e.run.series.set(name, 'report');
  };
}
