/**
 * `scan (h, c) = (h0, c0) for e in xs { …; emit y; next (h', c') }`: a loop whose state is a value, so that derivatives pass it; `scan h = h0 while C max N { … }`,
 * which goes on while C of the state holds; and `checkpoint { e }`, which computes e again where a derivative needs what is inside. Reverse mode keeps the state of
 * every turn (of every k-th where `checkpoint k` says so).
 */
import type * as ast from '../ast/nodes.ts';
import { fail, InternalError, SaddleError } from '../diagnostics/diagnostic.ts';
import { reachable } from '../ir/tensor/graph.ts';
import { applyRegion, closeRegion, closeRegions, makeLoop, regionParameter } from '../ir/tensor/regions.ts';
import type { DType, Node, Region } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { bindPattern } from './bindings.ts';
import { decide } from './choices.ts';
import type { Elaboration } from './context.ts';
import { leafNodes, leaves, leavesOver, plain, rebuild, sameType, toDim, toNode } from './convert.ts';
import { type Elements, elementsOf, rowParameters } from './elements.ts';
import { keeping, refuseInside } from './keeping.ts';
import { elementFrame, withoutEffects } from './local-effects.ts';
import { checkMost } from './loops.ts';
import type { Frame } from './scope.ts';
import { runTurns } from './turns-of-scan.ts';
import { kindText, tensor, type Value } from './values.ts';

/** Shorter scans of small bodies are written out: their turns then share kernels. */
const UNROLLED = { turns: 8, nodes: 160 };

/** The state: the value before the first turn, and the nodes of its leaves. */
interface State {
  readonly value: Value;
  readonly nodes: readonly Node[];
}

interface Turn {
  readonly next: Value;
  readonly emits: Value | undefined;
}

export function scan(e: Elaboration, expr: ast.ScanExpr, frame: Frame): Value {
  const elements = rangeOf(e, expr, frame);
  const value = plain(e, e.do.expression(e, expr.init, frame), expr.init.span);
  const marker = e.graph.nextId;
  const i = regionParameter(e.graph, 'i', { dtype: 'i32', shape: [] });
  const rows = rowParameters(e, elements);
  const inner = elementFrame(frame, [...frame.indices, i]);
  if (expr.element && expr.over) bind(e, expr.element, elements.element(i, rows), expr.over.span, inner);
  const hint = 'a scan carries its state in next: name the value in its pattern';
  const turnOf = (state: Value): Turn =>
    withoutEffects(e, frame, 'scan', expr.span, hint, () => {
      const turn = { ...inner, scope: elementFrame(inner, inner.indices).scope };
      bind(e, expr.pattern, state, expr.init.span, turn);
      return body(e, expr, turn);
    });
  const { state, params, turn, next } = settle(e, expr, value, turnOf);
  const emitted = turn.emits ? leafNodes(e, turn.emits, expr.body.span) : [];
  const asked = expr.condition && conditionOf(e, expr, expr.condition, state, frame);
  const { regions, consts } = closeRegions(e.graph, marker, [
    { params: [i, ...params, ...rows], results: [...next, ...emitted] },
    ...(asked ? [asked] : []),
  ]);
  const [region, cond] = regions;
  const n = elements.length;
  const small =
    !elements.count && !cond && n <= UNROLLED.turns && n * reachable(region.results).length <= UNROLLED.nodes;
  const { carries, ys } = e.graph.at(expr.span, () =>
    runTurns(e, {
      count: elements.count,
      carries: state.nodes,
      xs: elements.arrays,
      consts,
      max: n,
      body: region,
      cond,
      every: expr.checkpoint ? period(e, expr.checkpoint, frame) : 1,
      unroll: small && !expr.checkpoint,
    }),
  );
  const last = rebuild(e, value, carries, expr.span);
  return turn.emits ? { kind: 'tuple', items: [last, rebuild(e, turn.emits, ys, expr.span)] } : last;
}

/** The turns: elements, or as many as `max` says, which have none. */
function rangeOf(e: Elaboration, expr: ast.ScanExpr, frame: Frame): Elements {
  const { over, max } = expr;
  if (over) return elementsOf(e, { over }, frame, 'scan');
  if (!max) throw new InternalError('a scan over nothing');
  const length = toDim(e, e.do.expression(e, max, frame), max.span, 'the most turns of a scan');
  checkMost(length, max.span);
  if (length < 0)
    fail('OPT305', max.span, `the number of turns cannot be negative: ${length}`, { hint: 'max 0 is the least' });
  return { length, arrays: [], element: tensor };
}

/** Whether there is another turn, of parameters of its own. */
function conditionOf(e: Elaboration, expr: ast.ScanExpr, condition: ast.Expr, state: State, frame: Frame): Region {
  const i = regionParameter(e.graph, 'i', { dtype: 'i32', shape: [] });
  const params = state.nodes.map((node) => regionParameter(e.graph, 'h', node.type));
  const inner = elementFrame(frame, [...frame.indices, i]);
  bind(e, expr.pattern, rebuild(e, state.value, params, expr.init.span), expr.init.span, inner);
  const held = e.observe(() => decide(e, condition, inner, 'while'));
  return { params: [i, ...params], results: [typeof held === 'boolean' ? e.constant(held ? 1 : 0, 'bool') : held] };
}

function bind(e: Elaboration, pattern: ast.Pattern, value: Value, span: Span, frame: Frame): void {
  bindPattern(pattern, value, span, (name, part) =>
    frame.scope.set(name.text, { kind: 'value', value: part, home: e.entry, span: name.span }),
  );
}

function period(e: Elaboration, expr: ast.Expr, frame: Frame): number {
  const every = toDim(e, e.do.expression(e, expr, frame), expr.span, 'the turns between checkpoints');
  if (every < 1)
    fail('OPT305', expr.span, `a state is kept every ${every} turns, which is no period`, {
      hint: 'write checkpoint 1',
    });
  return every;
}

/** Statements of a turn, its `emit` and its `next`. */
function body(e: Elaboration, expr: ast.ScanExpr, frame: Frame): Turn {
  const { statements, span } = expr.body;
  let emits: Value | undefined;
  let next = undefined as Value | undefined;
  for (const stmt of statements) {
    if (stmt.kind !== 'emit' && stmt.kind !== 'next') {
      e.do.body(e, { statements: [stmt], span: stmt.span }, frame);
      continue;
    }
    if (stmt.kind === 'emit' && !expr.over)
      fail('OPT424', stmt.span, 'the run decides how many turns this scan takes, so nothing can be emitted', {
        hint: 'carry it in the state, or go over a range: scan … for i in 0..n { … }',
      });
    if ((stmt.kind === 'emit' && emits) || next)
      fail('OPT424', stmt.span, `a turn has one ${next ? 'next, which ends it' : 'emit'}`, {
        hint: 'emit a record or tuple of several values: emit { a, b }',
      });
    const given = plain(e, e.do.expression(e, stmt.value, frame), stmt.value.span);
    if (stmt.kind === 'emit') emits = given;
    else next = given;
  }
  if (!next)
    fail('OPT424', span, 'this scan never says its next state', {
      hint: 'end the body with it: scan h = h0 for e in xs { …; next f(h, e) }; of several states: next (f(h, c), g(h, c))',
    });
  return { next, emits };
}

interface Settled {
  readonly state: State;
  readonly params: readonly Node[];
  readonly turn: Turn;
  readonly next: readonly Node[];
}

/**
 * Elaborates a turn on parameters. Whole numbers that are only written (`(0, 0)`) are i32 or f32, as the turn needs them: what fits first is taken, and where
 * nothing does, the error is that of i32.
 */
function settle(e: Elaboration, expr: ast.ScanExpr, value: Value, turnOf: (state: Value) => Turn): Settled {
  const parts = leaves(e, value, expr.init.span);
  const open = parts.flatMap(({ value: leaf }, k) =>
    (leaf.kind === 'exact' || leaf.kind === 'exactArray') && leaf.integral ? [k] : [],
  );
  const choices = 2 ** Math.min(open.length, 5);
  let first: SaddleError | undefined;
  for (let choice = 0; choice < choices; choice++) {
    const floats = new Set(open.filter((_, bit) => choice & (1 << bit)));
    const dtypes = parts.map((_, k): DType | undefined => (floats.has(k) ? 'f32' : undefined));
    const kept = { errors: e.errors.length, diagnostics: e.diagnostics.length };
    try {
      const settled = elaborateTurn(e, expr, value, dtypes, turnOf);
      if (e.errors.length === kept.errors || choice === choices - 1) return settled;
    } catch (error) {
      if (!(error instanceof SaddleError) || !error.diagnostics.some((d) => NUMBER_TYPES.has(d.code)))
        throw first ?? error;
      first ??= error;
    }
    if (choice < choices - 1) {
      e.errors.length = kept.errors;
      e.diagnostics.length = kept.diagnostics;
    }
  }
  throw first as SaddleError;
}

/** Errors that another number type of the state may mend. */
const NUMBER_TYPES = new Set(['OPT301', 'OPT302', 'OPT310', 'OPT315']);

function elaborateTurn(
  e: Elaboration,
  expr: ast.ScanExpr,
  value: Value,
  dtypes: readonly (DType | undefined)[],
  turnOf: (state: Value) => Turn,
): Settled {
  const nodes = leaves(e, value, expr.init.span).map((leaf, k) => toNode(e, leaf.value, expr.init.span, dtypes[k]));
  const params = nodes.map((node) => regionParameter(e.graph, 'h', node.type));
  const turn = turnOf(rebuild(e, value, params, expr.init.span));
  const after = leaves(e, turn.next, expr.body.span);
  if (after.length !== nodes.length)
    fail('OPT313', expr.body.span, `the next state is ${kindText(turn.next)}, but it began as ${kindText(value)}`, {
      labels: [{ span: expr.init.span, text: 'the first state' }],
      hint: 'give as many values as the state has',
    });
  const next = after.map((leaf, k) => toNode(e, leaf.value, expr.body.span, nodes[k].type.dtype));
  const other = next.findIndex((node, k) => !sameType(node.type, nodes[k].type));
  if (other >= 0)
    fail(
      'OPT302',
      expr.body.span,
      `the state began with type ${e.typeText(nodes[other].type)}, but its next value has type ${e.typeText(next[other].type)}`,
      {
        labels: [{ span: expr.init.span, text: 'the first state' }],
        hint: 'a state keeps its type: begin with zeros(…) of the shape',
      },
    );
  return { state: { value, nodes }, params, turn, next };
}

/** `checkpoint keep f { e }`: a loop of one turn, whose inside reverse mode computes again, but for the results of f. */
export function checkpoint(e: Elaboration, expr: ast.CheckpointExpr, frame: Frame): Value {
  const marker = e.graph.nextId;
  const id = e.nextKeep;
  const i = regionParameter(e.graph, 'i', { dtype: 'i32', shape: [] });
  const hint = 'write it outside of the checkpoint';
  const value = withoutEffects(e, frame, 'checkpoint', expr.span, hint, () => {
    const inner = elementFrame(frame, frame.indices);
    const result = keeping(e, expr.keep, frame, () => e.do.body(e, expr.body, inner));
    if (result === undefined)
      fail('OPT304', expr.body.span, 'the body of checkpoint has no value', { hint: 'end it with an expression' });
    return plain(e, result, expr.body.span);
  });
  const { region, consts } = closeRegion(e.graph, marker, {
    params: [i],
    results: leavesOver(e, value, expr.body.span),
  });
  refuseInside(e, region, id);
  const { ys } = e.graph.at(expr.span, () => onceAgain(e, region, consts));
  return rebuild(e, value, ys, expr.span);
}

function onceAgain(e: Elaboration, region: Region, consts: readonly Node[]): { ys: Node[] } {
  // Nothing is saved where nothing is computed inside.
  if (region.results.every((node) => node.op === 'parameter'))
    return { ys: applyRegion(e.graph, region, [e.constant(0, 'i32'), ...consts]) };
  const loop = makeLoop(e.graph, { carries: [], xs: [], consts, max: 1, body: region });
  const ys = region.results.map((node, k) => e.make('reshape', [loop.ys(k)], { shape: node.type.shape }));
  return { ys };
}
