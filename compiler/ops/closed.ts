/**
 * Nodes with closed regions (`loop`, `cond`), and the one reading of their layouts: what the inputs mean, what the parts mean. Builders for
 * derivative and batching rules, passes and the elaborator.
 */
import type { Attrs, BatchContext, Builder, Image, Node, Region, TensorType } from './types.ts';

/** A region parameter of the type. */
export function regionParameter(b: Builder, name: string, { dtype, shape }: TensorType): Node {
  return b.make('parameter', [], { source: 'region', name, dtype, shape });
}

/** Result number `index` of a node that has several. */
export function part(b: Builder, node: Node, index: number): Node {
  return b.make('part', [node], { index });
}

/** Types of a value without its leading axis. */
export const rowType = ({ dtype, shape }: TensorType): TensorType => ({ dtype, shape: shape.slice(1) });
/** Types of `n` values stacked along a new leading axis. */
export const stackedType = ({ dtype, shape }: TensorType, n: number): TensorType => ({ dtype, shape: [n, ...shape] });

export const INDEX: TensorType = { dtype: 'i32', shape: [] };
export const FLAG: TensorType = { dtype: 'bool', shape: [] };

/** Everything that a loop is made of. */
export interface LoopSpec {
  /** Number of turns (i32 scalar), at most `max`; absent where it is `max`. */
  readonly count?: Node;
  /** Values before the first turn. */
  readonly carries: readonly Node[];
  /** Values whose row i (of `max`) a turn reads. */
  readonly xs: readonly Node[];
  /** Values that every turn reads. */
  readonly consts: readonly Node[];
  readonly max: number;
  /** Turns go from the last to the first. */
  readonly reversed?: boolean;
  /** Params: i, carries, rows of xs, consts. Results: carries, rows of ys. */
  readonly body: Region;
  /** Params: i, carries, consts. Result: go on? (bool scalar) */
  readonly cond?: Region;
}

/** Names for the parts of a loop node; each is made when asked for. */
export interface LoopParts {
  readonly node: Node;
  /** Turns done (i32 scalar). */
  turns(): Node;
  /** Carry number k after the last turn. */
  carry(k: number): Node;
  /** Rows number k of all turns, [max, …]; zeros for turns not done. */
  ys(k: number): Node;
}

/** Makes a loop. */
export function makeLoop(b: Builder, spec: LoopSpec): LoopParts {
  const { count, carries, xs, consts, max, reversed = false, body, cond } = spec;
  const node = b.make('loop', [...(count ? [count] : []), ...carries, ...xs, ...consts], {
    carries: carries.length,
    xs: xs.length,
    max,
    counted: count !== undefined,
    reversed,
    body,
    ...(cond ? { cond } : {}),
  });
  return {
    node,
    turns: () => part(b, node, 0),
    carry: (k) => part(b, node, 1 + k),
    ys: (k) => part(b, node, 1 + carries.length + k),
  };
}

/** What a loop node was made of. */
export function loopSpec({ inputs, attrs }: Pick<Node, 'inputs' | 'attrs'>): LoopSpec {
  const own = loopAttrs(attrs);
  const { max, reversed, body, cond } = own;
  return { ...loopLayout(inputs, own), max, reversed, body, cond };
}

/** The attributes of a loop node, which `infer` has accepted. */
export function loopAttrs(attrs: Attrs): LoopAttrs {
  return attrs as unknown as LoopAttrs;
}

/** The attributes of a loop, once `infer` has accepted them. */
export interface LoopAttrs {
  readonly carries: number;
  readonly xs: number;
  readonly max: number;
  readonly counted: boolean;
  readonly reversed: boolean;
  readonly body: Region;
  readonly cond?: Region;
}

/** Inputs (nodes, types or values) of a loop by their meaning. */
export function loopLayout<T>(
  inputs: readonly T[],
  attrs: Pick<LoopAttrs, 'carries' | 'xs' | 'counted'>,
): { readonly count?: T; readonly carries: readonly T[]; readonly xs: readonly T[]; readonly consts: readonly T[] } {
  const first = attrs.counted ? 1 : 0;
  const [xs, consts] = [first + attrs.carries, first + attrs.carries + attrs.xs];
  return {
    count: attrs.counted ? inputs[0] : undefined,
    carries: inputs.slice(first, xs),
    xs: inputs.slice(xs, consts),
    consts: inputs.slice(consts),
  };
}

/** Params of a loop's body by their meaning. */
export function bodyParams({ body, carries, xs }: LoopSpec): {
  readonly i: Node;
  readonly carries: readonly Node[];
  readonly rows: readonly Node[];
  readonly consts: readonly Node[];
} {
  const [i, ...rest] = body.params;
  const [rows, consts] = [carries.length, carries.length + xs.length];
  return { i, carries: rest.slice(0, rows), rows: rest.slice(rows, consts), consts: rest.slice(consts) };
}

/** Names for the parts of a cond node. */
export interface CondParts {
  readonly node: Node;
  /** 1 where the first branch was taken, else 0. */
  taken(): Node;
  result(k: number): Node;
}

/** Branches of a choice: where the predicate is true, and where it is not. */
export type Branches = readonly [Region, Region];

/** Makes a choice between two regions, whose params stand for `consts`. */
export function makeCond(b: Builder, predicate: Node, consts: readonly Node[], branches: Branches): CondParts {
  const node = b.make('cond', [predicate, ...consts], branchAttrs(branches));
  return { node, taken: () => part(b, node, 0), result: (k) => part(b, node, 1 + k) };
}

/** The attributes `then` and `else`. */
export function branchAttrs(branches: Branches): Attrs {
  return Object.fromEntries(['then', 'else'].map((name, k) => [name, branches[k]]));
}

/** What a cond node was made of. */
export function condSpec({ inputs: [predicate, ...consts], attrs }: Pick<Node, 'inputs' | 'attrs'>): {
  readonly predicate: Node;
  readonly consts: readonly Node[];
  readonly branches: Branches;
} {
  return { predicate, consts, branches: [attrs.then as Region, attrs.else as Region] };
}

/** The region for n elements at once: new params, with a leading axis where flagged, and the images of its results. */
export function batchedRegion(
  { b, n, transform }: Pick<BatchContext, 'b' | 'n' | 'transform'>,
  region: Region,
  mapped: readonly boolean[],
): { readonly params: readonly Node[]; readonly images: readonly Image[] } {
  const params = region.params.map(({ type, attrs }, k) =>
    regionParameter(b, String(attrs.name), mapped[k] ? stackedType(type, n) : type),
  );
  const images = new Map(region.params.map((param, k) => [param, { node: params[k], mapped: mapped[k] }]));
  return { params, images: transform.vectorize(region.results, images, n) };
}
