/**
 * Derivatives of `loop`. Reverse mode runs the loop once more with the carries before each turn as further rows (a pass merges it with the loop itself),
 * then a loop in the other direction, which computes each turn again from its carries and pulls back: cotangents of the carries are its carries, those of
 * the sequences its rows, those of the constants add up in carries. What the body marks as kept is saved with the carries, and not computed again. Forward
 * mode is one loop with the tangents as further carries. Both are ordinary graphs, so they nest to any order.
 */
import {
  bodyParams,
  INDEX,
  type LoopAttrs,
  loopAttrs,
  loopLayout,
  type LoopParts,
  type LoopSpec,
  loopSpec,
  makeLoop,
  regionParameter,
  rowType,
} from './closed.ts';
import { batchLoop, loopVaries } from './loop-batch.ts';
import { type Kept, keptIn } from './kept.ts';
import { applyRegion, rebuild } from './region.ts';
import { Terms } from './terms.ts';
import type { Builder, DerivativeContext, Node, SeveralRules, Transforms } from './types.ts';

/** Which carries and results of the body carry derivatives, given which inputs do: the least fixed point over turns. */
interface Activity {
  readonly carries: readonly boolean[];
  readonly xs: readonly boolean[];
  readonly consts: readonly boolean[];
  /** Of every result of the body. */
  readonly results: readonly boolean[];
}

function activity(spec: LoopSpec, flags: readonly boolean[], attrs: LoopAttrs, transform: Transforms): Activity {
  const at = loopLayout(flags, attrs);
  const params = bodyParams(spec);
  let carries = at.carries;
  for (;;) {
    const leaves = [
      ...chosen(params.carries, carries),
      ...chosen(params.rows, at.xs),
      ...chosen(params.consts, at.consts),
    ];
    const results = transform.active(spec.body.results, leaves);
    const next = carries.map((flag, k) => flag || results[k]);
    if (next.every((flag, k) => flag === carries[k])) return { carries, xs: at.xs, consts: at.consts, results };
    carries = next;
  }
}

/** Elements whose flag is set. */
const chosen = <T>(list: readonly T[], flags: readonly boolean[]): T[] => list.filter((_, k) => flags[k]);
const parameters = (b: Builder, name: string, like: readonly Node[]): Node[] =>
  like.map(({ type }) => regionParameter(b, name, type));
const rowParameters = (b: Builder, name: string, like: readonly Node[]): Node[] =>
  like.map(({ type }) => regionParameter(b, name, rowType(type)));

/** Gives each flagged place the next of the values. */
function placed(flags: readonly boolean[], values: (k: number) => Node | undefined): (Node | undefined)[] {
  let next = 0;
  return flags.map((flag) => (flag ? values(next++) : undefined));
}

/** The loop with the carries before each turn, and then what is kept, as last rows; `saved(k)` are the rows number k of these. */
function savingLoop(b: Builder, spec: LoopSpec, kept: readonly Node[]): LoopParts & { saved(k: number): Node } {
  const { body } = spec;
  const results = [...body.results, ...bodyParams(spec).carries, ...kept];
  const loop = makeLoop(b, { ...spec, body: { params: body.params, results } });
  const ys = body.results.length - spec.carries.length;
  return { ...loop, saved: (k) => loop.ys(ys + k) };
}

/** One turn of the loop back: what its regions' params get from the cotangents that flow. */
interface TurnBack {
  /** Carries whose cotangents flow. */
  readonly live: readonly boolean[];
  /** Params of the turn: its index, carries, what was kept, rows and constants; cotangents of the live carries and of the rows of ys. */
  readonly i: Node;
  readonly saved: readonly Node[];
  readonly recalled: readonly Node[];
  readonly rows: readonly Node[];
  readonly shared: readonly Node[];
  readonly ofCarries: readonly Node[];
  readonly ofRows: readonly Node[];
  /** What flows to the carries, rows and constants that carry derivatives; undefined where nothing does. */
  readonly toCarries: readonly (Node | undefined)[];
  readonly toRows: readonly (Node | undefined)[];
  readonly toShared: readonly (Node | undefined)[];
}

/** The turn back, with as few carries as cotangents flow to, over any number of turns. */
function turnBack(
  { b, transform }: DerivativeContext,
  spec: LoopSpec,
  kept: Kept,
  active: Activity,
  start: readonly boolean[],
  flowing: readonly boolean[],
): TurnBack {
  const { carries, xs, consts, body } = spec;
  const i = regionParameter(b, 'i', INDEX);
  const [saved, rows, shared] = [parameters(b, 'h', carries), rowParameters(b, 'x', xs), parameters(b, 'k', consts)];
  const recalled = parameters(b, 'k', kept.values);
  const args = [i, ...saved, ...rows, ...shared];
  const names = kept.names.map(([name]) => name);
  const again = applyRegion(b, { params: body.params, results: [...body.results, ...names] }, args);
  const results = again.slice(0, body.results.length);
  const known = new Map(kept.names.map(([, value], k) => [again[body.results.length + k], recalled[value]]));
  const ofRows = parameters(b, 'g', chosen(body.results.slice(carries.length), flowing));
  const ofAll = parameters(b, 'd', carries);
  for (let live = start; ;) {
    const ofCarries = chosen(ofAll, live);
    const pulled = transform.vjp(
      [...chosen(results, live), ...chosen(results.slice(carries.length), flowing)],
      [...ofCarries, ...ofRows],
      [...chosen(saved, active.carries), ...chosen(rows, active.xs), ...chosen(shared, active.consts)],
    );
    let next = 0;
    const taken = (flags: readonly boolean[]) => flags.map((flag) => (flag ? pulled[next++] : undefined));
    const [toCarries, toRows, toShared] = [active.carries, active.xs, active.consts].map(taken);
    const reached = live.map((flag, k) => flag || toCarries[k] !== undefined);
    if (reached.every((flag, k) => flag === live[k])) {
      const [toC, toR, toS] = [toCarries, toRows, toShared].map((list) => withKnown(b, list, known));
      return { live, i, saved, recalled, rows, shared, ofCarries, ofRows, toCarries: toC, toRows: toR, toShared: toS };
    }
    live = reached;
  }
}

/** Derivatives that take from `known` what was kept. */
function withKnown(b: Builder, list: readonly (Node | undefined)[], known: ReadonlyMap<Node, Node>) {
  if (known.size === 0) return list;
  const defined = list.filter((node) => node !== undefined);
  const made = rebuild(defined, known, (node, inputs, attrs) =>
    b.at(node.span, () => b.make(node.op, inputs, attrs), node.path),
  );
  let next = 0;
  return list.map((node) => node && made[next++]);
}

function loopVjp(
  ctx: DerivativeContext,
  cotangents: readonly (Node | undefined)[],
  needed: readonly boolean[],
): readonly (Node | undefined)[] {
  const { b, node, transform } = ctx;
  const t = new Terms(b);
  const spec = loopSpec(node);
  const { carries, xs, consts, body } = spec;
  const n = carries.length;
  const active = activity(spec, needed, loopAttrs(node.attrs), transform);
  const [ofCarries, ofYs] = [cotangents.slice(1, 1 + n), cotangents.slice(1 + n)];
  const flowing = body.results.slice(n).map((_, k) => active.results[n + k] && ofYs[k] !== undefined);
  const start = carries.map((_, k) => active.carries[k] && ofCarries[k] !== undefined);
  const kept = keptIn(body);
  const turn = turnBack(ctx, spec, kept, active, start, flowing);
  const { live, toCarries, toRows, toShared } = turn;

  const isDefined = (d: Node | undefined) => d !== undefined;
  const [rowFlags, sharedFlags] = [toRows.map(isDefined), toShared.map(isDefined)];
  const sums = parameters(b, 'd', chosen(consts, sharedFlags));
  const sent = toShared.filter((d) => d !== undefined);
  const forward = savingLoop(b, spec, kept.values);
  const zeros = (like: Node) => t.zeros(like.type);
  const backward = makeLoop(b, {
    count: spec.cond ? forward.turns() : spec.count,
    carries: [
      ...chosen(
        carries.map((c, k) => ofCarries[k] ?? zeros(c)),
        live,
      ),
      ...chosen(consts, sharedFlags).map(zeros),
    ],
    xs: [...[...carries, ...kept.values].map((_, k) => forward.saved(k)), ...xs, ...(chosen(ofYs, flowing) as Node[])],
    consts,
    max: spec.max,
    reversed: spec.reversed !== true,
    body: {
      params: [
        turn.i,
        ...turn.ofCarries,
        ...sums,
        ...turn.saved,
        ...turn.recalled,
        ...turn.rows,
        ...turn.ofRows,
        ...turn.shared,
      ],
      results: [
        ...chosen(
          toCarries.map((d, k) => d ?? zeros(carries[k])),
          live,
        ),
        ...sent.map((d, k) => t.add(sums[k], d)),
        ...toRows.filter((d) => d !== undefined),
      ],
    },
  });
  // where there may be no turn, a carry is its own beginning
  const mayBeNone = spec.cond !== undefined || spec.count !== undefined || spec.max === 0;
  const first = placed(live, (k) => backward.carry(k));
  return [
    ...(spec.count ? [undefined] : []),
    ...first.map((d, k) => (mayBeNone || toCarries[k] ? d : undefined)),
    ...placed(rowFlags, (k) => backward.ys(k)),
    ...placed(sharedFlags, (k) => backward.carry(turn.ofCarries.length + k)),
  ];
}

function loopJvp(
  { b, node, transform }: DerivativeContext,
  tangents: readonly (Node | undefined)[],
): readonly (Node | undefined)[] {
  const t = new Terms(b);
  const spec = loopSpec(node);
  const { carries, xs, consts, body, cond } = spec;
  const attrs = loopAttrs(node.attrs);
  const active = activity(
    spec,
    tangents.map((d) => d !== undefined),
    attrs,
    transform,
  );
  const of = loopLayout(tangents, attrs);
  const defined = (list: readonly (Node | undefined)[], flags: readonly boolean[], like: readonly Node[]) =>
    chosen(
      list.map((d, k) => d ?? t.zeros(like[k].type)),
      flags,
    );

  const i = regionParameter(b, 'i', INDEX);
  const [c, dc] = [parameters(b, 'h', carries), parameters(b, 'd', chosen(carries, active.carries))];
  const [x, dx] = [rowParameters(b, 'x', xs), rowParameters(b, 'd', chosen(xs, active.xs))];
  const [k, dk] = [parameters(b, 'k', consts), parameters(b, 'd', chosen(consts, active.consts))];
  const results = applyRegion(b, body, [i, ...c, ...x, ...k]);
  // a carry that is active only by its tangent before the first turn keeps its place in the list
  const outputs = active.results.map((flag, r) => flag || (r < carries.length && active.carries[r]));
  const moved = transform.jvp(
    chosen(results, outputs),
    [...chosen(c, active.carries), ...chosen(x, active.xs), ...chosen(k, active.consts)],
    [...dc, ...dx, ...dk],
  );
  const loop = makeLoop(b, {
    ...spec,
    carries: [...carries, ...defined(of.carries, active.carries, carries)],
    xs: [...xs, ...defined(of.xs, active.xs, xs)],
    consts: [...consts, ...defined(of.consts, active.consts, consts)],
    body: {
      params: [i, ...c, ...dc, ...x, ...dx, ...k, ...dk],
      results: [
        ...results.slice(0, carries.length),
        ...moved.slice(0, dc.length),
        ...results.slice(carries.length),
        ...moved.slice(dc.length),
      ],
    },
    cond: cond && {
      params: [i, ...c, ...dc, ...k, ...dk],
      results: applyRegion(b, cond, [i, ...c, ...k]),
    },
  });
  const ys = outputs.slice(carries.length);
  return [
    undefined,
    ...placed(active.carries, (at) => loop.carry(carries.length + at)),
    ...placed(ys, (at) => loop.ys(ys.length + at)),
  ];
}

export const loopRules: SeveralRules = { vjp: loopVjp, jvp: loopJvp, batch: batchLoop, varies: loopVaries };
