/**
 * Decides the claims (`expect`) of a program from the results of one or several seeds. A claim must hold for every seed of its range, unless `median(e)`
 * or `mean(e)` reduces over them. A claim that reads a failed run, or a series that is not there, does not hold; it is never an error.
 */
import {
  CLAIM_PART,
  type Bundle,
  type Claim,
  type ClaimBody,
  type ClaimExpr,
  type SeriesRead,
} from '../../compiler/bundle/format.ts';
import { evaluateHost } from '../../compiler/bundle/host-program.ts';
import type { Results, RunResult, Series } from '../session-results.ts';
import { factBytes } from './facts.ts';

export interface ClaimResult {
  /** As written. */
  readonly text: string;
  /** Both sides as found: `0.7312 > 0.7`; with several seeds that differ, one part for each. */
  readonly value: string;
  readonly pass: boolean;
}

/** Why an expression has no value; ends the evaluation of its claim. */
class NoValue extends Error {}

/** Results by seed. */
export type ResultsBySeed = ReadonlyMap<number, Results>;

/** Seeds that a program must be run with: the given one, and the ranges of its claims. In ascending order, the given one first. */
export function seedsOf(claims: readonly Claim[], seed: number): number[] {
  const needed = new Set<number>();
  for (const { seeds } of claims) if (seeds) for (let s = seeds[0]; s <= seeds[1]; s++) needed.add(s);
  // A program whose every claim is over seeds needs no run beside them.
  if (needed.size === 0 || claims.some((c) => !c.seeds)) needed.add(seed);
  return [...needed].sort((a, b) => Number(b === seed) - Number(a === seed) || a - b);
}

/** Decides all claims. `seed` is the one of claims without `over seeds`. */
export function decideClaims(bundle: Bundle, results: ResultsBySeed, seed: number): ClaimResult[] {
  return bundle.claims.map((claim) => decide(bundle, claim, results, seed));
}

function decide(bundle: Bundle, claim: Claim, results: ResultsBySeed, seed: number): ClaimResult {
  const seeds = claim.seeds ? range(claim.seeds[0], claim.seeds[1]) : [seed];
  const parts = seeds.map((s) => {
    try {
      return { seed: s, ...decideFor(new Reader(bundle, results, seeds, s), claim.body) };
    } catch (reason) {
      if (reason instanceof NoValue) return { seed: s, value: reason.message, pass: false };
      throw reason;
    }
  });
  const same = parts.every((p) => p.value === parts[0].value);
  const value = same ? parts[0].value : parts.map((p) => `seed ${p.seed}: ${p.value}`).join('; ');
  return { text: claim.text, value, pass: parts.every((p) => p.pass) };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
}

function decideFor(reader: Reader, body: ClaimBody): { value: string; pass: boolean } {
  if ('of' in body) {
    const parts = body.of.map((part) => decideFor(reader, part));
    const any = body.kind === 'any';
    return {
      value: parts.map((p) => p.value).join(any ? ' or ' : ' and '),
      pass: any ? parts.some((p) => p.pass) : parts.every((p) => p.pass),
    };
  }
  if (body.kind === 'fails') {
    const { status } = reader.run(body.run);
    if (status.state !== 'failed') return { value: `${nameOf(body.run)} did not fail`, pass: false };
    return { value: `failed: ${status.reason}`, pass: status.reason.includes(body.reason ?? '') };
  }
  if (body.kind === 'status') {
    const { state } = reader.run(body.run).status;
    return { value: `${nameOf(body.run)} is ${state}`, pass: (state === body.is) === body.equal };
  }
  const left = reader.value(body.left);
  const right = reader.value(body.right);
  const sides = `${show(left)} ${body.op} ${show(right)}`;
  if (body.op !== '~=') return { value: sides, pass: compare(body.op, left, right) };
  const within = body.within ? reader.value(body.within) : 0;
  return { value: `${sides} within ${show(within)}`, pass: Math.abs(left - right) <= within };
}

function compare(op: '==' | '!=' | '<' | '<=' | '>' | '>=', a: number, b: number): boolean {
  switch (op) {
    case '==':
      return a === b;
    case '!=':
      return a !== b;
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    case '>=':
      return a >= b;
  }
}

/** Evaluates expressions for one seed. */
class Reader {
  private readonly bundle: Bundle;
  private readonly results: ResultsBySeed;
  private readonly seeds: readonly number[];
  private readonly seed: number;

  constructor(bundle: Bundle, results: ResultsBySeed, seeds: readonly number[], seed: number) {
    this.bundle = bundle;
    this.results = results;
    this.seeds = seeds;
    this.seed = seed;
  }

  /** A run's result; throws NoValue where the seed or the run has none. */
  run(name: string): RunResult {
    const run = this.results.get(this.seed)?.runs.get(name);
    if (!run || run.status.state === 'pending') throw new NoValue(`${nameOf(name)} was not run with seed ${this.seed}`);
    return run;
  }

  /** A run that has not failed. */
  private sound(name: string): RunResult {
    const run = this.run(name);
    if (run.status.state === 'failed') throw new NoValue(`${nameOf(name)} failed: ${run.status.reason}`);
    return run;
  }

  value(e: ClaimExpr): number {
    switch (e.kind) {
      case 'number':
        return e.value;
      case 'steps':
        return this.sound(e.run).steps;
      case 'series': {
        for (const run of e.reads ?? []) this.sound(run);
        const series = this.sound(e.run).series.get(e.name);
        if (!series || series.values.length === 0)
          throw new NoValue(
            e.name.startsWith(CLAIM_PART) ? 'a part of the claim is not finite' : `'${e.name}' has no values`,
          );
        return read(series, e.read, e.name);
      }
      case 'op':
        return apply(
          e.op,
          e.args.map((a) => this.value(a)),
        );
      case 'overSeeds': {
        const values = this.seeds.map((s) => new Reader(this.bundle, this.results, this.seeds, s).value(e.arg));
        return e.reduce === 'median' ? median(values) : mean(values);
      }
      case 'members':
        return this.members(e.reduce, e.args);
      case 'fact':
        return factBytes(this.bundle, e);
    }
  }

  /** The best of a sweep; members that have failed are skipped. */
  private members(reduce: 'highest' | 'lowest', args: readonly ClaimExpr[]): number {
    const values: number[] = [];
    let reason = 'the sweep has no members';
    for (const arg of args) {
      try {
        values.push(this.value(arg));
      } catch (caught) {
        if (!(caught instanceof NoValue)) throw caught;
        reason = caught.message;
      }
    }
    if (values.length === 0) throw new NoValue(reason);
    return reduce === 'highest' ? Math.max(...values) : Math.min(...values);
  }
}

function read(series: Series, how: SeriesRead, name: string): number {
  const { steps, values } = series;
  switch (how.kind) {
    case 'last':
      return values[values.length - 1];
    case 'at': {
      const index = steps.indexOf(how.step);
      if (index < 0) throw new NoValue(`'${name}' has no value at ${how.step}`);
      return values[index];
    }
    case 'max':
      return last(values, how.last).reduce((a, b) => Math.max(a, b));
    case 'min':
      return last(values, how.last).reduce((a, b) => Math.min(a, b));
    case 'nondecreasing':
      return values.every((v, i) => i === 0 || v >= values[i - 1]) ? 1 : 0;
    case 'mean':
      return mean(last(values, how.last));
  }
}

/** The last n values, n from 1; all where n is not given. */
function last(values: readonly number[], n: number | undefined): readonly number[] {
  return n === undefined ? values : values.slice(Math.max(0, values.length - n));
}

/** Applies an elementwise primitive, by the op table. */
function apply(op: string, args: readonly number[]): number {
  const constants = args.map((value) => ({
    op: 'constant',
    inputs: [],
    attrs: { value },
    dtype: 'f32' as const,
    inputDtypes: [],
  }));
  const last = {
    op,
    inputs: args.map((_, i) => i),
    attrs: {},
    dtype: 'f32' as const,
    inputDtypes: args.map(() => 'f32' as const),
  };
  const scalars = { seed: 0, step: 0, steps: 0, hyper: () => NaN };
  return evaluateHost({ instructions: [...constants, last] }, scalars)[args.length][0];
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function nameOf(run: string): string {
  return run === '' ? 'the run' : `run '${run}'`;
}

/** Six digits are enough to see why a claim does not hold. */
function show(value: number): string {
  return String(Number(value.toPrecision(6)));
}
