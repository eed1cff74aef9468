/**
 * What loops and branches need not carry around: results that nobody reads, with all that only they need; carries that never change; constants, which move
 * into the region, as broadcasts do, so that no copy of a value is made to be read. Derivative rules write such things freely and leave it to this pass.
 */
import type { Graph } from '../ir/tensor/graph.ts';
import { reachable } from '../ir/tensor/graph.ts';
import {
  bodyParams,
  condSpec,
  type LoopSpec,
  loopSpec,
  makeCond,
  makeLoop,
  regionParameter,
  rowType,
} from '../ir/tensor/regions.ts';
import { rewriteParts, remake } from '../ir/tensor/rewrite.ts';
import { INDEX } from '../ops/closed.ts';
import { applyRegion, rebuild } from '../ops/region.ts';
import { Terms } from '../ops/terms.ts';
import type { Node, Region } from '../ops/types.ts';
import { definePass } from './pass.ts';

/** A node becomes smaller with every sweep; the bound catches a mistake. */
const MOST_SWEEPS = 16;

type Parts = (Node | undefined)[];

export const regions = definePass({
  name: 'regions',
  about: 'Drops results, carries and captures of loops and branches that nobody reads, and moves constants into them.',
  run: (graph, roots) => {
    let current = [...roots];
    for (let sweep = 0; sweep < MOST_SWEEPS; sweep++) {
      const next = swept(graph, current);
      if (next.every((root, i) => root === current[i])) break;
      current = next;
    }
    return current;
  },
});

function swept(graph: Graph, roots: readonly Node[]): Node[] {
  const used = usedParts(roots);
  if (used.size === 0) return [...roots];
  return rewriteParts(graph, roots, (node, inputs, attrs) => {
    const read = used.get(node) ?? new Set<number>();
    const smaller =
      node.op === 'loop'
        ? prunedLoop(graph, loopSpec({ inputs, attrs }), read)
        : node.op === 'cond'
          ? prunedCond(graph, { inputs, attrs }, read)
          : undefined;
    return smaller ?? remake(graph, node, inputs, attrs);
  });
}

/** Indices of the parts that somebody reads. */
function usedParts(roots: readonly Node[]): Map<Node, Set<number>> {
  const used = new Map<Node, Set<number>>();
  for (const node of reachable(roots)) {
    if (node.op !== 'part') continue;
    const set = used.get(node.inputs[0]) ?? new Set();
    used.set(node.inputs[0], set.add(node.attrs.index as number));
  }
  return used;
}

/** Everything that the results of a region read. */
function readBy(results: readonly Node[]): ReadonlySet<Node> {
  return new Set(reachable(results));
}

// ---------------------------------------------------------------- captures

/** A param of a region and the value that it stands for. */
interface Capture {
  readonly value: Node;
  /** The param in each of the regions that share the capture (body and condition, both branches); undefined where one has no such param. */
  readonly params: readonly (Node | undefined)[];
}

interface Captures {
  readonly kept: readonly Capture[];
  /** For each region, params that something inside takes the place of. */
  readonly replaced: readonly ReadonlyMap<Node, Node>[];
}

/** Captures without those that nobody reads, that are there twice, or that are better made inside. */
function prunedCaptures(graph: Graph, captures: readonly Capture[], read: readonly ReadonlySet<Node>[]): Captures {
  const kept: Capture[] = [];
  const replaced = read.map(() => new Map<Node, Node>());
  const replace = (capture: Capture, by: (region: number) => Node) =>
    capture.params.forEach((param, r) => param && replaced[r].set(param, by(r)));
  for (const capture of captures) {
    const { value, params } = capture;
    if (!params.some((param, r) => param && read[r].has(param))) continue;
    const twin = kept.find((k) => k.value === value && k.params.every((p, r) => (p === undefined) === !params[r]));
    if (twin) replace(capture, (r) => twin.params[r] as Node);
    else if (value.op === 'constant') replace(capture, () => value);
    else if (value.op === 'broadcast') {
      const [source] = value.inputs;
      const inner = params.map((param) => param && regionParameter(graph, 'k', source.type));
      kept.push({ value: source, params: inner });
      replace(capture, (r) => graph.make('broadcast', [inner[r] as Node], value.attrs));
    } else kept.push(capture);
  }
  return { kept, replaced };
}

const unchanged = (before: readonly Capture[], { kept }: Captures) =>
  kept.length === before.length && kept.every((capture, k) => capture === before[k]);

function replacedIn(graph: Graph, results: readonly Node[], map: ReadonlyMap<Node, Node>): Node[] {
  return rebuild(results, map, (node, inputs, attrs) =>
    graph.at(node.span, () => graph.make(node.op, inputs, attrs), node.path),
  );
}

// ---------------------------------------------------------------- loop

/** Which carries the parts that are read need, over all turns. */
function neededCarries(spec: LoopSpec, read: ReadonlySet<number>): { carries: boolean[]; reads: ReadonlySet<Node> } {
  const { carries, body, cond } = spec;
  const n = carries.length;
  const params = bodyParams(spec).carries;
  const inCondition = readBy(cond?.results ?? []);
  let needed = carries.map((_, k) => read.has(1 + k) || inCondition.has(cond?.params[1 + k] as Node));
  for (;;) {
    const reads = readBy(body.results.filter((_, k) => (k < n ? needed[k] : read.has(1 + k))));
    const next = needed.map((flag, k) => flag || reads.has(params[k]));
    if (next.every((flag, k) => flag === needed[k])) return { carries: needed, reads };
    needed = next;
  }
}

function prunedLoop(graph: Graph, spec: LoopSpec, read: ReadonlySet<number>): Parts | undefined {
  const { carries, xs, consts, body, cond } = spec;
  const n = carries.length;
  if (spec.max === 0) return withoutTurns(graph, spec);
  const params = bodyParams(spec);
  const needed = neededCarries(spec, read);
  const fixed = params.carries.map((param, k) => body.results[k] === param);
  const carried = carries.map((_, k) => k).filter((k) => needed.carries[k] && !fixed[k]);
  const ys = body.results.map((_, k) => k).filter((k) => k >= n && read.has(1 + k));
  const ownConsts = consts.map((value, k): Capture => ({
    value,
    params: [params.consts[k], cond?.params[1 + n + k]],
  }));
  const fixedCarries = carries.flatMap((value, k): Capture[] =>
    fixed[k] ? [{ value, params: [params.carries[k], cond?.params[1 + k]] }] : [],
  );
  const captures = prunedCaptures(graph, [...fixedCarries, ...ownConsts], [needed.reads, readBy(cond?.results ?? [])]);
  const rows = prunedRows(graph, xs, params.rows, needed.reads);
  const turns = read.has(0) ? turnsOf(graph, spec) : undefined;
  const same =
    carried.length === n &&
    ys.length === body.results.length - n &&
    unchanged(ownConsts, captures) &&
    rows.kept.length === xs.length &&
    rows.replaced.size === 0 &&
    (turns === undefined || cond !== undefined);
  if (same) return undefined;

  const inBody = new Map([...captures.replaced[0], ...rows.replaced]);
  const kept = captures.kept;
  const loop = makeLoop(graph, {
    ...spec,
    carries: carried.map((k) => carries[k]),
    xs: rows.kept.map((k) => xs[k]),
    consts: [...kept.map((c) => c.value), ...rows.consts.map((c) => c.value)],
    body: {
      params: [
        params.i,
        ...carried.map((k) => params.carries[k]),
        ...rows.kept.map((k) => params.rows[k]),
        ...kept.map((c) => c.params[0] as Node),
        ...rows.consts.map((c) => c.params[0] as Node),
      ],
      results: replacedIn(
        graph,
        [...carried, ...ys].map((k) => body.results[k]),
        inBody,
      ),
    },
    cond: cond && {
      params: [
        cond.params[0],
        ...carried.map((k) => cond.params[1 + k]),
        ...kept.map((c) => c.params[1] as Node),
        ...rows.consts.map((c) => regionParameter(graph, 'k', c.value.type)),
      ],
      results: replacedIn(graph, cond.results, captures.replaced[1]),
    },
  });
  const parts: Parts = [turns ?? (read.has(0) ? loop.turns() : undefined)];
  carries.forEach((value, k) => {
    const at = carried.indexOf(k);
    parts.push(fixed[k] ? value : at < 0 ? undefined : loop.carry(at));
  });
  for (let k = n; k < body.results.length; k++) {
    const at = ys.indexOf(k);
    parts.push(at < 0 ? undefined : loop.ys(at));
  }
  return parts;
}

/** Turns done, where no condition decides it. */
function turnsOf(graph: Graph, { count, max, cond }: LoopSpec): Node | undefined {
  if (cond) return undefined;
  const most = graph.constant(max, INDEX);
  if (!count) return most;
  return graph.make('min', [graph.make('max', [count, graph.constant(0, INDEX)]), most]);
}

function withoutTurns(graph: Graph, { carries, body }: LoopSpec): Parts {
  const rows = body.results.slice(carries.length);
  return [
    graph.constant(0, INDEX),
    ...carries,
    ...rows.map(({ type }) => graph.constant(0, { dtype: type.dtype, shape: [0, ...type.shape] })),
  ];
}

interface Rows {
  /** Indices of the sequences that stay. */
  readonly kept: readonly number[];
  /** Sequences whose rows are all the same. */
  readonly consts: readonly Capture[];
  readonly replaced: ReadonlyMap<Node, Node>;
}

/** Sequences without those that nobody reads, and with those whose rows are all the same as constants. */
function prunedRows(graph: Graph, xs: readonly Node[], params: readonly Node[], read: ReadonlySet<Node>): Rows {
  const kept: number[] = [];
  const consts: Capture[] = [];
  const replaced = new Map<Node, Node>();
  xs.forEach((x, k) => {
    const param = params[k];
    if (!read.has(param)) return;
    const twin = kept.find((j) => xs[j] === x);
    const axes = x.attrs.axes as readonly number[];
    if (twin !== undefined) replaced.set(param, params[twin]);
    else if (x.op === 'constant' && x.attrs.value !== undefined) {
      replaced.set(param, graph.constant(x.attrs.value as number, rowType(x.type)));
    } else if (x.op === 'broadcast' && !axes.includes(0)) {
      const [source] = x.inputs;
      const inner = regionParameter(graph, 'k', source.type);
      consts.push({ value: source, params: [inner] });
      const attrs = { shape: param.type.shape, axes: axes.map((a) => a - 1) };
      replaced.set(param, graph.make('broadcast', [inner], attrs));
    } else kept.push(k);
  });
  return { kept, consts, replaced };
}

// ---------------------------------------------------------------- cond

function prunedCond(graph: Graph, node: Pick<Node, 'inputs' | 'attrs'>, read: ReadonlySet<number>): Parts | undefined {
  const { predicate, consts, branches } = condSpec(node);
  const decided =
    predicate.op === 'constant' ? (predicate.attrs.value ?? (predicate.attrs.values as number[])[0]) : undefined;
  if (decided !== undefined) {
    return [graph.constant(Number(decided), INDEX), ...applyRegion(graph, branches[decided === 0 ? 1 : 0], consts)];
  }
  const same = branches[0].results.map((result, k) => sameForBoth(branches, result, branches[1].results[k], consts));
  const results = branches[0].results.map((_, k) => k).filter((k) => read.has(1 + k) && !same[k]);
  const captured = consts.map((value, k): Capture => ({ value, params: branches.map((b) => b.params[k]) }));
  const reads = branches.map((branch) => readBy(results.map((k) => branch.results[k])));
  const captures = prunedCaptures(graph, captured, reads);
  const total = branches[0].results.length;
  if (results.length === total && unchanged(captured, captures) && !read.has(0)) return undefined;
  const taken = read.has(0) ? new Terms(graph).cast(predicate, 'i32') : undefined;
  const [first, second] = branches.map((branch, r): Region => ({
    params: captures.kept.map((c) => c.params[r] as Node),
    results: replacedIn(
      graph,
      results.map((k) => branch.results[k]),
      captures.replaced[r],
    ),
  }));
  const cond = makeCond(
    graph,
    predicate,
    captures.kept.map((c) => c.value),
    [first, second],
  );
  return [
    taken,
    ...same.map((value, k) => value ?? (results.includes(k) ? cond.result(results.indexOf(k)) : undefined)),
  ];
}

/** The value outside that both branches give, if they do. */
function sameForBoth([a, b]: readonly Region[], x: Node, y: Node, consts: readonly Node[]): Node | undefined {
  const [j, k] = [a.params.indexOf(x), b.params.indexOf(y)];
  if (j >= 0 && k >= 0 && consts[j] === consts[k]) return consts[j];
  return x === y && x.op === 'constant' ? x : undefined;
}
