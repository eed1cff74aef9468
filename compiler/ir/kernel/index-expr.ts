/**
 * Integer index expressions of kernels, in a normal form: a constant plus coefficients times atoms. An atom is a loop variable, a quotient or
 * remainder by a constant, a clamped expression, or a run-time value of known range. Every expression knows the interval in which it lies, which
 * is how the verifier proves accesses in bounds, and the normal form undoes flattening: (i div 10) * 10 + i mod 10 is i again.
 */

/** 0 <= variable < extent. `lane` marks the component (0..3) of a vector of four. */
export interface IndexVar {
  readonly kind: 'var';
  readonly id: number;
  readonly extent: number;
  readonly lane: boolean;
}

export type IndexAtom =
  | IndexVar
  | { readonly kind: 'div'; readonly of: IndexExpr; readonly by: number }
  | { readonly kind: 'mod'; readonly of: IndexExpr; readonly by: number }
  | { readonly kind: 'clamp'; readonly of: IndexExpr; readonly lo: number; readonly hi: number }
  /** A 32-bit integer computed by the kernel (`value` is its id), known to lie in lo..hi. */
  | { readonly kind: 'value'; readonly value: number; readonly lo: number; readonly hi: number };

export interface IndexTerm {
  readonly atom: IndexAtom;
  readonly coef: number;
  readonly key: string;
}

export interface IndexExpr {
  readonly constant: number;
  /** Sorted by key, no zero coefficients, no atom twice. */
  readonly terms: readonly IndexTerm[];
  /** Equal keys mean equal expressions. */
  readonly key: string;
  /** The value lies in lo..hi, both included. */
  readonly lo: number;
  readonly hi: number;
}

function atomKey(atom: IndexAtom): string {
  switch (atom.kind) {
    case 'var':
      return `i${atom.id}`;
    case 'div':
      return `(${atom.of.key})/${atom.by}`;
    case 'mod':
      return `(${atom.of.key})%${atom.by}`;
    case 'clamp':
      return `clamp(${atom.of.key},${atom.lo},${atom.hi})`;
    case 'value':
      return `v${atom.value}`;
  }
}

function atomRange(atom: IndexAtom): [number, number] {
  switch (atom.kind) {
    case 'var':
      return [0, Math.max(0, atom.extent - 1)];
    case 'div':
      return [Math.floor(atom.of.lo / atom.by), Math.floor(atom.of.hi / atom.by)];
    case 'mod':
      return [0, Math.min(atom.by - 1, atom.of.lo >= 0 ? atom.of.hi : atom.by - 1)];
    case 'clamp':
      return [Math.max(atom.lo, Math.min(atom.hi, atom.of.lo)), Math.min(atom.hi, Math.max(atom.lo, atom.of.hi))];
    case 'value':
      return [atom.lo, atom.hi];
  }
}

function build(constant: number, terms: IndexTerm[]): IndexExpr {
  let lo = constant;
  let hi = constant;
  for (const { atom, coef } of terms) {
    const [a, b] = atomRange(atom);
    lo += coef > 0 ? coef * a : coef * b;
    hi += coef > 0 ? coef * b : coef * a;
  }
  const parts = terms.map((t) => (t.coef === 1 ? t.key : `${t.key}*${t.coef}`));
  if (constant !== 0 || parts.length === 0) parts.push(String(constant));
  return { constant, terms, key: parts.join('+'), lo, hi };
}

export const ix = (value: number): IndexExpr => build(value, []);

const ZERO = ix(0);

export function ofAtom(atom: IndexAtom): IndexExpr {
  const [lo, hi] = atomRange(atom);
  if (lo === hi) return ix(lo);
  return build(0, [{ atom, coef: 1, key: atomKey(atom) }]);
}

/** A variable as an expression that stays one even where it can only be 0: code that depends on it stays in its loop. */
export function ofVariable(v: IndexVar): IndexExpr {
  return build(0, [{ atom: v, coef: 1, key: atomKey(v) }]);
}

/** Sum of expressions, in normal form. */
export function addIndex(...exprs: readonly IndexExpr[]): IndexExpr {
  let constant = 0;
  const sums = new Map<string, IndexTerm>();
  for (const e of exprs) {
    constant += e.constant;
    for (const t of e.terms) {
      const had = sums.get(t.key);
      sums.set(t.key, had ? { ...t, coef: had.coef + t.coef } : t);
    }
  }
  const terms = [...sums.values()].filter((t) => t.coef !== 0);
  const merged = unsplit(terms);
  if (merged) return addIndex(ix(constant), ...merged);
  return build(
    constant,
    terms.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)),
  );
}

/** Finds k*c*(e div c) + k*(e mod c) and returns the terms with k*e in their place; undefined if there is none. */
function unsplit(terms: readonly IndexTerm[]): IndexExpr[] | undefined {
  for (const m of terms) {
    if (m.atom.kind !== 'mod') continue;
    const { of, by } = m.atom;
    const quotient = divIndex(of, by);
    // The quotient may itself be a sum; all its terms must be there, scaled.
    if (quotient.terms.length === 0) continue;
    const wanted = new Map(quotient.terms.map((t) => [t.key, t.coef * by * m.coef]));
    let found = 0;
    for (const t of terms) if (wanted.get(t.key) === t.coef) found++;
    if (found !== wanted.size) continue;
    const rest = terms.filter((t) => t !== m && !wanted.has(t.key)).map((t) => build(0, [t]));
    return [...rest, scaleIndex(addIndex(of, ix(-quotient.constant * by)), m.coef)];
  }
  return undefined;
}

export function scaleIndex(e: IndexExpr, factor: number): IndexExpr {
  if (factor === 1) return e;
  if (factor === 0) return ix(0);
  return build(
    e.constant * factor,
    e.terms.map((t) => ({ ...t, coef: t.coef * factor })),
  );
}

const gcd = (a: number, b: number): number => (b === 0 ? Math.abs(a) : gcd(b, a % b));

/** Parts of e that are multiples of `by`, and the rest, which is never negative. */
function splitMultiples(e: IndexExpr, by: number): { whole: IndexExpr; rest: IndexExpr } {
  const large = e.terms.filter((t) => t.coef % by === 0);
  const small = e.terms.filter((t) => t.coef % by !== 0);
  const least = build(e.constant, small).lo;
  const wholeConstant = Math.floor(Math.min(e.constant, least) / by) * by;
  return { whole: build(wholeConstant, large), rest: build(e.constant - wholeConstant, small) };
}

const divided = (e: IndexExpr, by: number): IndexExpr =>
  build(
    e.constant / by,
    e.terms.map((t) => ({ ...t, coef: t.coef / by })),
  );

/** Floor quotient by a positive constant. */
export function divIndex(e: IndexExpr, by: number): IndexExpr {
  if (by === 1) return e;
  if (Math.floor(e.lo / by) === Math.floor(e.hi / by)) return ix(Math.floor(e.lo / by));
  const { whole, rest } = splitMultiples(e, by);
  if (rest.lo >= 0 && rest.hi < by) return divided(whole, by);
  // A common factor g of `by` and all large terms: what is left over lies in 0..g-1 and cannot carry.
  for (const g of factorsOf(rest, by)) {
    const parts = splitMultiples(rest, g);
    if (parts.rest.lo >= 0 && parts.rest.hi < g) {
      return addIndex(divided(whole, by), divIndex(divided(parts.whole, g), by / g));
    }
  }
  const only = rest.terms.length === 1 && rest.constant === 0 && rest.terms[0].coef === 1 ? rest.terms[0].atom : null;
  if (only?.kind === 'div') return addIndex(divided(whole, by), divIndex(only.of, only.by * by));
  return addIndex(divided(whole, by), ofAtom({ kind: 'div', of: rest, by }));
}

/** Remainder (never negative) by a positive constant. */
export function modIndex(e: IndexExpr, by: number): IndexExpr {
  if (by === 1) return ix(0);
  const { rest } = splitMultiples(e, by);
  if (rest.lo >= 0 && rest.hi < by) return rest;
  for (const g of factorsOf(rest, by)) {
    const parts = splitMultiples(rest, g);
    if (parts.rest.lo >= 0 && parts.rest.hi < g) {
      return addIndex(scaleIndex(modIndex(divided(parts.whole, g), by / g), g), parts.rest);
    }
  }
  const only = rest.terms.length === 1 && rest.constant === 0 && rest.terms[0].coef === 1 ? rest.terms[0].atom : null;
  if (only?.kind === 'mod' && only.by % by === 0) return modIndex(only.of, by);
  return ofAtom({ kind: 'mod', of: rest, by });
}

/** Common factors (> 1) of `by` with single coefficients, greatest first. */
function factorsOf(e: IndexExpr, by: number): number[] {
  const found = new Set<number>();
  for (const t of e.terms) {
    const g = gcd(t.coef, by);
    if (g > 1 && g < by) found.add(g);
  }
  return [...found].sort((a, b) => b - a);
}

/** The nearest value in lo..hi; the expression itself where it cannot leave that range. */
export function clampIndex(e: IndexExpr, lo: number, hi: number): IndexExpr {
  if (e.lo >= lo && e.hi <= hi) return e;
  if (e.hi <= lo) return ix(lo);
  if (e.lo >= hi) return ix(hi);
  return ofAtom({ kind: 'clamp', of: e, lo, hi });
}

/** Row-major offset of an index in a shape. */
export function flatten(index: readonly IndexExpr[], shape: readonly number[]): IndexExpr {
  let stride = 1;
  const parts: IndexExpr[] = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    parts.push(scaleIndex(index[axis], stride));
    stride *= shape[axis];
  }
  return addIndex(...parts);
}

/** Index in a shape of a row-major offset. */
export function unflatten(offset: IndexExpr, shape: readonly number[]): IndexExpr[] {
  const index: IndexExpr[] = shape.map(() => ZERO);
  let rest = offset;
  for (let axis = shape.length - 1; axis > 0; axis--) {
    const dim = Math.max(1, shape[axis]);
    index[axis] = modIndex(rest, dim);
    rest = divIndex(rest, dim);
  }
  if (shape.length > 0) index[0] = rest;
  return index;
}

/** Visits every variable and run-time value that an expression depends on. */
export function visitAtoms(e: IndexExpr, visit: (atom: IndexAtom) => void): void {
  for (const { atom } of e.terms) {
    if (atom.kind === 'var' || atom.kind === 'value') visit(atom);
    else visitAtoms(atom.of, visit);
  }
}

/** The lane variable in an expression, if any. */
export function laneOf(e: IndexExpr): IndexVar | undefined {
  let lane: IndexVar | undefined;
  visitAtoms(e, (a) => {
    if (a.kind === 'var' && a.lane) lane = a;
  });
  return lane;
}

/** Replaces variables by expressions, renormalizing. */
export function substituteIndex(e: IndexExpr, map: (v: IndexVar) => IndexExpr | undefined): IndexExpr {
  const parts = e.terms.map(({ atom, coef }) => {
    let value: IndexExpr;
    if (atom.kind === 'var') value = map(atom) ?? ofAtom(atom);
    else if (atom.kind === 'value') value = ofAtom(atom);
    else if (atom.kind === 'div') value = divIndex(substituteIndex(atom.of, map), atom.by);
    else if (atom.kind === 'mod') value = modIndex(substituteIndex(atom.of, map), atom.by);
    else value = clampIndex(substituteIndex(atom.of, map), atom.lo, atom.hi);
    return scaleIndex(value, coef);
  });
  return addIndex(ix(e.constant), ...parts);
}

/** The expression with its lane fixed. */
export function atLane(e: IndexExpr, k: number): IndexExpr {
  return laneOf(e) ? substituteIndex(e, (v) => (v.lane ? ix(k) : undefined)) : e;
}

/** Value of an expression; `variable` and `value` give its atoms. */
export function evaluateIndex(e: IndexExpr, variable: (v: IndexVar) => number, value: (id: number) => number): number {
  let sum = e.constant;
  for (const { atom, coef } of e.terms) {
    let x: number;
    if (atom.kind === 'var') x = variable(atom);
    else if (atom.kind === 'value') x = value(atom.value);
    else {
      const of = evaluateIndex(atom.of, variable, value);
      if (atom.kind === 'div') x = Math.floor(of / atom.by);
      else if (atom.kind === 'mod') x = of - Math.floor(of / atom.by) * atom.by;
      else x = Math.min(atom.hi, Math.max(atom.lo, of));
    }
    sum += coef * x;
  }
  return sum;
}

/** How an access varies with the lane: not at all, one element per lane from an aligned start, or otherwise. */
export function lanePattern(e: IndexExpr): { kind: 'same' } | { kind: 'vector'; base: IndexExpr } | { kind: 'gather' } {
  const lane = laneOf(e);
  if (!lane) return { kind: 'same' };
  const own = e.terms.find((t) => t.atom === lane || (t.atom.kind === 'var' && t.atom.id === lane.id));
  if (!own || own.coef !== 1) return { kind: 'gather' };
  const base = addIndex(e, scaleIndex(ofAtom(own.atom), -1));
  if (laneOf(base) || base.constant % 4 !== 0 || base.terms.some((t) => t.coef % 4 !== 0)) return { kind: 'gather' };
  return { kind: 'vector', base };
}
