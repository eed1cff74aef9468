/**
 * `--gradients`: in float64 on the reference, the derivative of every objective of an `update` along random directions of what it moves, against central
 * differences. What is meant not to be a derivative is honoured: a `stop` keeps its value, a reversed value x goes to x0 - factor (x - x0), and the value of a
 * fn with a gradient clause goes along the line that the clause says, so that the differences are those of the function whose derivative the update follows.
 */
import type { Place } from '../../compiler/bundle/format.ts';
import type { Scalars } from '../../compiler/bundle/host-program.ts';
import { grad, jvp } from '../../compiler/autodiff/transforms.ts';
import { error, type Diagnostic } from '../../compiler/diagnostics/diagnostic.ts';
import { Graph, reachable } from '../../compiler/ir/tensor/graph.ts';
import { dependencies } from '../../compiler/ops/region.ts';
import { remake, rewriteParts } from '../../compiler/ir/tensor/rewrite.ts';
import type { Entry, Program, UpdateRecord } from '../../compiler/ir/program.ts';
import { Terms } from '../../compiler/ops/terms.ts';
import type { NdArray, Node } from '../../compiler/ops/types.ts';
import type { Span } from '../../compiler/source/source.ts';
import type { Backend } from '../../runtime/backend.ts';
import { createReferenceBackend } from '../../runtime/reference/backend.ts';
import { evaluate } from '../../runtime/reference/interpreter.ts';
import type { Session } from '../../runtime/session.ts';
import type { Check } from './checks.ts';

export interface GradientsOptions {
  readonly program: Program;
  readonly start: (backend: Backend) => Promise<Session>;
  readonly locate: (span: Span) => Place | undefined;
  readonly directions: number;
}

/** Accepted relative difference. Central differences in float64 reach 1e-9 where the function is smooth. */
const TOLERANCE = 1e-5;
/** Step sizes, relative to the direction: the best counts, because a kink (relu, max) spoils those that reach it, and rounding the least. */
const STEPS = [1e-3, 1e-4, 1e-5, 1e-6, 1e-7];

type Leaf = (parameter: Node) => NdArray;

/** One objective of one update at one step. */
interface Finding {
  readonly update: UpdateRecord;
  readonly text: string;
  readonly span: Span;
  readonly step: number;
  /** The largest relative difference over the directions; absent where there is nothing to compare. */
  readonly difference?: number;
  readonly derivative?: number;
  readonly differences?: number;
  readonly skipped?: string;
}

export async function verifyGradients(options: GradientsOptions): Promise<Check> {
  const findings: Finding[] = [];
  const random = mulberry(1);
  const watcher = (entry: Entry, scalars: Scalars, leaf: Leaf): void => {
    for (const update of options.program.updates)
      if (update.entry === entry.id) findings.push(...examine(update, scalars.step, leaf, options.directions, random));
  };
  const session = await options.start(createReferenceBackend(options.program, watcher));
  for await (const report of session.train()) void report;
  await session.dispose();
  const worst = worstOf(findings);
  const wrong = worst.filter((f) => !passes(f));
  return {
    ok: wrong.length === 0,
    nothing: worst.every((f) => f.skipped !== undefined),
    lines: worst.length === 0 ? ['no update minimizes an objective: there is nothing to compare'] : worst.filter(passes).map((f) => lineOf(f, options)),
    details: { ok: wrong.length === 0, compared: worst.filter((f) => f.skipped === undefined).length, tolerance: TOLERANCE, objectives: worst.map((f) => detailsOf(f, options)) },
    diagnostics: wrong.map(diagnosticOf),
  }; // prettier-ignore
}

const passes = (f: Finding) => f.skipped !== undefined || (f.difference ?? Infinity) <= TOLERANCE;

/** Of each objective the step at which it is worst. */
function worstOf(findings: readonly Finding[]): Finding[] {
  const found = new Map<string, Finding>();
  for (const f of findings) {
    const key = `${f.update.run} ${f.update.entry} ${f.update.span.start} ${f.span.start} ${f.text} ${f.update.targets.join()}`;
    const before = found.get(key);
    if (!before || (f.difference ?? -1) > (before.difference ?? -1)) found.set(key, f);
  }
  return [...found.values()];
}

function examine(update: UpdateRecord, step: number, leaf: Leaf, count: number, random: () => number): Finding[] {
  return update.objectives.map(({ node, text, span }) => {
    const base = { update, text, span, step };
    const skipped = obstacle(node, update.wrt);
    if (skipped !== undefined) return { ...base, skipped };
    const along = directional(node, update.wrt, leaf);
    let worst: Finding = { ...base, difference: -1 };
    for (let k = 0; k < count; k++) {
      const one = along(random);
      if (one.difference > (worst.difference ?? -1)) worst = { ...base, ...one };
    }
    return worst;
  });
}

/** Why an objective cannot be compared, if so. */
function obstacle(objective: Node, wrt: readonly Node[]): string | undefined {
  const top = topLevel([objective]);
  const all = reachable([objective]);
  // Region parameters outside of any region: the update stands in a loop, whose values are not those of the step.
  if ([...top].some((n) => n.op === 'parameter' && n.attrs.source === 'region') || wrt.some((n) => n.attrs.source === 'region'))
    return 'it stands in a loop within the step'; // prettier-ignore
  const inner = all.filter((n) => !top.has(n));
  const closed = reachable([objective], (n) => (n.type.parts ? dependencies(n) : n.inputs)).filter((n) => !top.has(n));
  if (closed.some((n) => n.op === 'custom_gradient')) return 'it has a gradient clause within a loop or a choice';
  if (inner.some((n) => n.op === 'custom_gradient'))
    return 'its gradient clause is written by fns that have clauses of their own';
  if (inner.some((n) => n.op === 'stop' || n.op === 'gradient_reversal')) return 'it stops or reverses within a loop';
  return undefined;
}

const topLevel = (roots: readonly Node[]): Set<Node> => new Set(reachable(roots, (node) => node.inputs));

interface Compared {
  readonly difference: number;
  readonly derivative: number;
  readonly differences: number;
}

/** Compares along a random direction, as often as it is called. */
function directional(objective: Node, wrt: readonly Node[], leaf: Leaf): (random: () => number) => Compared {
  const graph = new Graph(1 + Math.max(objective.id, ...wrt.map((n) => n.id)));
  const { values: gradients } = grad(graph, objective, wrt);
  const [start, ...found] = evaluate([objective, ...wrt, ...gradients], leaf);
  const at = found.slice(0, wrt.length);
  const slopes = found.slice(wrt.length);
  const { root, pins } = meant(objective, wrt);
  const pinned = new Map<string, NdArray>();
  evaluate(pins.map((p) => p.value), leaf).forEach((value, i) => pinned.set(pins[i].name, value)); // prettier-ignore
  const valueAt = (direction: readonly Float64Array[], h: number): number => {
    const moved = new Map(at.map((x, k) => [`wrt${k}`, shifted(x, direction[k], h)]));
    return evaluate([root], (parameter) => {
      const name = String(parameter.attrs.name);
      const own = parameter.attrs.source === 'input' ? (moved.get(name) ?? pinned.get(name)) : undefined;
      return own ?? leaf(parameter);
    })[0].data[0];
  };
  return (random) => {
    const direction = at.map((x) => directionFor(x, random));
    const derivative = direction.reduce((sum, d, k) => sum + dot(d, slopes[k].data), 0);
    const length = Math.sqrt(direction.reduce((s, d) => s + dot(d, d), 0));
    const steepness = Math.sqrt(slopes.reduce((s, g) => s + dot(g.data, g.data), 0)) * length;
    // Along a direction that is nearly level only rounding is left to compare.
    const floor = 1e-4 * steepness + 1e-9 * Math.abs(start.data[0]) + 1e-12;
    let best: Compared = { difference: Infinity, derivative, differences: NaN };
    for (const h of STEPS) {
      const differences = (valueAt(direction, h) - valueAt(direction, -h)) / (2 * h);
      const difference = Math.abs(differences - derivative) / Math.max(Math.abs(derivative), floor);
      if (difference < best.difference) best = { difference, derivative, differences };
      if (best.difference <= TOLERANCE / 100) break;
    }
    return best;
  };
}

interface Pin {
  readonly name: string;
  readonly value: Node;
}

/** The function whose derivative is meant: of `wrt0 …` as inputs, with stopped values pinned, reversed ones mirrored, and gradient clauses in place of slopes. */
function meant(objective: Node, wrt: readonly Node[]): { readonly root: Node; readonly pins: readonly Pin[] } {
  const graph = new Graph(1 + Math.max(objective.id, ...wrt.map((n) => n.id)));
  const t = new Terms(graph);
  const pins: Pin[] = [];
  const pin = (value: Node): Node => {
    const name = `pin${pins.length}`;
    pins.push({ name, value });
    return graph.parameter('input', name, value.type);
  };
  const [root] = rewriteParts(graph, [objective], (node, inputs, attrs) => {
    const k = wrt.indexOf(node);
    if (k >= 0) return graph.parameter('input', `wrt${k}`, node.type);
    if (node.op === 'stop') return pin(node);
    if (node.op === 'gradient_reversal') {
      const [x, factor] = [inputs[0], t.spread(inputs[1], node.type.shape)];
      const x0 = pin(node.inputs[0]);
      return t.sub(x0, t.mul(factor, t.sub(x, x0)));
    }
    if (node.op === 'custom_gradient') {
      // The nodes as they were are those at the point: y0, and the clause there, which says how y moves with what goes in.
      const given = node.inputs.slice(1);
      const [moved] = jvp(
        graph,
        [node],
        given,
        given.map((x, i) => t.sub(inputs[1 + i], x)),
      ).values;
      return moved ? t.add(node, moved) : node;
    }
    return remake(graph, node, inputs, attrs);
  });
  return { root, pins };
}

/** Normal numbers of the size of the values (of size one where those are zero). */
function directionFor(x: NdArray, random: () => number): Float64Array {
  const size = Math.sqrt(dot(x.data, x.data) / Math.max(1, x.data.length)) || 1;
  return Float64Array.from(x.data, () => {
    const [u, v] = [1 - random(), random()];
    return size * Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
  });
}

function shifted(x: NdArray, direction: Float64Array, h: number): NdArray {
  return { type: x.type, data: Float64Array.from(x.data, (v, i) => v + h * direction[i]) };
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** Uniform numbers from a seed (mulberry32): the same directions at every call. */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const nameOf = (f: Finding) =>
  `${f.update.run === '' ? '' : `${f.update.run}: `}d ${f.text.replace(/\s+/g, ' ')} by ${f.update.targetNames.join(', ')}`;

function lineOf(f: Finding, { locate }: GradientsOptions): string {
  const place = locate(f.span);
  const where = place ? ` (${place.file}:${place.line})` : '';
  if (f.skipped !== undefined) return `${nameOf(f)}${where}: not compared, ${f.skipped}`;
  return `${nameOf(f)}${where}: agrees within ${(f.difference ?? 0).toExponential(1)}`;
}

function detailsOf(f: Finding, { locate }: GradientsOptions): Record<string, unknown> {
  const place = locate(f.span);
  return {
    objective: f.text,
    targets: f.update.targetNames,
    run: f.update.run,
    line: place?.line,
    difference: f.difference,
    derivative: f.derivative,
    finite_differences: f.differences,
    skipped: f.skipped,
    ok: passes(f),
  };
}

function diagnosticOf(f: Finding): Diagnostic {
  const [a, b] = [f.derivative ?? NaN, f.differences ?? NaN].map((v) => v.toPrecision(8));
  return error('OPT715', f.span, `along a random direction of ${f.update.targetNames.join(', ')} the derivative of this objective is ${a}, but central differences say ${b} (step ${f.step})`, {
    hint: 'an objective that jumps or bends at the very point may do this; else it is a bug of Saddle: please report it with the spec',
  }); // prettier-ignore
}
