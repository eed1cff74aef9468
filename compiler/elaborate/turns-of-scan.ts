/** The turns of a scan on its closed body: written out, as one loop, or as a loop of loops that keeps the state of every k-th turn. */
import { applyRegion, makeLoop, regionParameter, rowType, stackedType } from '../ir/tensor/regions.ts';
import type { Node, Region } from '../ops/types.ts';
import type { Elaboration } from './context.ts';

export interface ScanTurns {
  /** i32 scalar: turns to take, at most `max`; absent where all are. */
  readonly count?: Node;
  readonly carries: readonly Node[];
  readonly xs: readonly Node[];
  readonly consts: readonly Node[];
  readonly max: number;
  /** Params: i, carries, rows of xs, consts. Results: carries, rows of ys. */
  readonly body: Region;
  /** Params: i, carries, consts. Whether there is another turn; only where there are no xs and ys. */
  readonly cond?: Region;
  /** Turns between states that reverse mode keeps. */
  readonly every: number;
  readonly unroll: boolean;
}

interface Outcome {
  readonly carries: readonly Node[];
  readonly ys: readonly Node[];
}

export function runTurns(e: Elaboration, scan: ScanTurns): Outcome {
  if (scan.unroll) return unrolled(e, scan);
  if (scan.cond) return whileLoop(e, scan, scan.cond);
  const chunks = Math.floor(scan.max / scan.every);
  if (scan.every === 1 || scan.count || chunks === 0) return oneLoop(e, scan);
  const first = nestedLoops(e, scan, chunks);
  const done = chunks * scan.every;
  if (done === scan.max) return first;
  const rest = oneLoop(e, {
    ...scan,
    carries: first.carries,
    xs: scan.xs.map((x) => rowsOf(e, x, done, scan.max)),
    max: scan.max - done,
    body: shifted(e, scan, e.constant(done, 'i32')),
  });
  return { carries: rest.carries, ys: first.ys.map((y, k) => e.make('concat', [y, rest.ys[k]], { axis: 0 })) };
}

function oneLoop(e: Elaboration, { count, carries, xs, consts, max, body }: ScanTurns): Outcome {
  const loop = makeLoop(e.graph, { count, carries, xs, consts, max, body });
  const ys = body.results.slice(carries.length);
  return { carries: carries.map((_, k) => loop.carry(k)), ys: ys.map((_, k) => loop.ys(k)) };
}

/**
 * Turns while a condition holds. With `checkpoint k` they are a loop of loops of k turns, which carries the number of the turn: so where the inner one has ended,
 * the outer one asks the same question and ends as well.
 */
function whileLoop(e: Elaboration, scan: ScanTurns, cond: Region): Outcome {
  const { carries, consts, max, body, every } = scan;
  if (every === 1 || every >= max) {
    const loop = makeLoop(e.graph, { carries, xs: [], consts, max, body, cond });
    return { carries: carries.map((_, k) => loop.carry(k)), ys: [] };
  }
  const fresh = (): { params: Node[]; own: Node[] } => {
    const parameter = (node: Node) => regionParameter(e.graph, 'h', node.type);
    const own = [regionParameter(e.graph, 't', COUNT), ...carries.map(parameter), ...consts.map(parameter)];
    return { params: [regionParameter(e.graph, 'i', COUNT), ...own], own };
  };
  const goesOn = (): Region => {
    const { params, own } = fresh();
    const left = e.make('lt', [own[0], e.constant(max, 'i32')]);
    return { params, results: [e.make('and', [left, ...applyRegion(e.graph, cond, own)])] };
  };
  const turns = (from: readonly Node[], own: readonly Node[], inner: Region, most: number): Node[] => {
    const spec = { carries: from, xs: [], consts: own, max: most, body: inner, cond: goesOn() };
    const loop = makeLoop(e.graph, spec);
    return from.map((_, k) => loop.carry(k));
  };
  const turn = fresh();
  const next = e.make('add', [turn.own[0], e.constant(1, 'i32')]);
  const one: Region = { params: turn.params, results: [next, ...applyRegion(e.graph, body, turn.own)] };
  const some = fresh();
  const n = 1 + carries.length;
  const several: Region = { params: some.params, results: turns(some.own.slice(0, n), some.own.slice(n), one, every) };
  const start = [e.constant(0, 'i32'), ...carries];
  return { carries: turns(start, consts, several, Math.ceil(max / every)).slice(1), ys: [] };
}

const COUNT = { dtype: 'i32', shape: [] } as const;

function unrolled(e: Elaboration, { carries: initial, xs, consts, max, body }: ScanTurns): Outcome {
  let carries = initial;
  const rows: Node[][] = [];
  for (let i = 0; i < max; i++) {
    const own = xs.map((x) => row(e, x, i));
    const results = applyRegion(e.graph, body, [e.constant(i, 'i32'), ...carries, ...own, ...consts]);
    carries = results.slice(0, initial.length);
    rows.push(results.slice(initial.length));
  }
  const emitted = body.results.slice(initial.length);
  const ys = emitted.map(({ type }, k) => {
    const { dtype, shape } = stackedType(type, max);
    if (max === 0) return e.constant(0, dtype, shape);
    const parts = rows.map((r) => e.make('reshape', [r[k]], { shape: [1, ...type.shape] }));
    return parts.length === 1 ? parts[0] : e.make('concat', parts, { axis: 0 });
  });
  return { carries, ys };
}

/** Reverse mode keeps the states of the outer loop and, for one of its turns at a time, those of the inner one. */
function nestedLoops(e: Elaboration, scan: ScanTurns, chunks: number): Outcome {
  const { every, carries, consts, body } = scan;
  const parameter = (node: Node) => regionParameter(e.graph, 'h', node.type);
  const folded = scan.xs.map((x) => {
    const used = rowsOf(e, x, 0, chunks * every);
    return e.make('reshape', [used], { shape: [chunks, every, ...x.type.shape.slice(1)] });
  });
  const chunk = regionParameter(e.graph, 'i', { dtype: 'i32', shape: [] });
  const [h, xs, k] = [
    carries.map(parameter),
    folded.map((x) => regionParameter(e.graph, 'x', rowType(x.type))),
    consts.map(parameter),
  ];
  const start = e.make('mul', [chunk, e.constant(every, 'i32')]);
  const offset = regionParameter(e.graph, 'from', start.type);
  const turn = shifted(e, scan, offset);
  const inner = oneLoop(e, {
    ...scan,
    carries: h,
    xs,
    consts: [...k, start],
    max: every,
    body: { params: [...turn.params, offset], results: turn.results },
  });
  const outer = oneLoop(e, {
    ...scan,
    xs: folded,
    max: chunks,
    body: { params: [chunk, ...h, ...xs, ...k], results: [...inner.carries, ...inner.ys] },
  });
  const emitted = body.results.slice(carries.length);
  const shapes = emitted.map(({ type }) => [chunks * every, ...type.shape]);
  return { carries: outer.carries, ys: outer.ys.map((y, at) => e.make('reshape', [y], { shape: shapes[at] })) };
}

/** The body with `from` added to the number of its turn. */
function shifted(e: Elaboration, { body }: ScanTurns, from: Node): Region {
  const params = body.params.map(({ type, attrs }) => regionParameter(e.graph, String(attrs.name), type));
  const i = e.make('add', [params[0], from]);
  return { params, results: applyRegion(e.graph, body, [i, ...params.slice(1)]) };
}

function rowsOf(e: Elaboration, x: Node, from: number, to: number): Node {
  const { shape } = x.type;
  if (from === 0 && to === shape[0]) return x;
  const start = [from, ...shape.slice(1).map(() => 0)];
  return e.make('slice', [x], { start, limit: [to, ...shape.slice(1)], stride: shape.map(() => 1) });
}

function row(e: Elaboration, x: Node, i: number): Node {
  return e.make('reshape', [rowsOf(e, x, i, i + 1)], { shape: x.type.shape.slice(1) });
}
