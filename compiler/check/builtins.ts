/**
 * Names that need no `use`: functions on values and trees, derivatives, facts of claims, constants, distributions, sets and estimators.
 * One record each, with what a call may look like; the names pass checks calls against it and the elaborator looks names up in it.
 */
import { elementwiseFunctions } from '../ops/functions.ts';

export type BuiltinKind = 'fn' | 'constant' | 'distribution' | 'set' | 'estimator';

export interface Builtin {
  readonly name: string;
  readonly kind: BuiltinKind;
  /** Short signature, for hints and documentation. */
  readonly signature: string;
  /** Fewest and most unnamed arguments; named ones that stand for a position count as unnamed. */
  readonly min: number;
  readonly max: number;
  /** Names by position, for arguments that may be given by name; `named` lists further ones that are always named and optional. */
  readonly positions: readonly string[];
  readonly named: readonly string[];
  /** Named arguments that must be given. */
  readonly required: readonly string[];
}

const many = Number.POSITIVE_INFINITY;

/**
 * Reads a signature such as `sum(x, axis: optional)`: names before a colon are named arguments, `name = …` has a default, `…` repeats,
 * `name:` without `optional` is a named argument that must be given.
 */
function builtin(kind: BuiltinKind, signature: string): Builtin {
  const open = signature.indexOf('(');
  const name = open < 0 ? signature : signature.slice(0, open);
  const parts =
    open < 0
      ? []
      : signature
          .slice(open + 1, -1)
          .split(/,\s*/)
          .filter((part) => part !== '');
  const positions: string[] = [];
  const named: string[] = [];
  const required: string[] = [];
  let min = 0;
  let max = 0;
  for (const part of parts) {
    if (part === '…') max = many;
    else if (part.includes(':')) {
      const label = part.slice(0, part.indexOf(':'));
      named.push(label);
      if (!part.includes('optional')) required.push(label);
    } else {
      positions.push(part.split(' ')[0]);
      max++;
      if (!part.includes('=')) min = max;
    }
  }
  return { name, kind, signature, min, max, positions, named, required };
}

const functions = [
  // elementwise, beside those of the op table
  'clamp(x, lo, hi)', 'where(c, a, b)', 'f32(x)', 'i32(x)', 'u32(x)', 'bool(x)',
  // reductions, of everything or along an axis; max and min also of several values
  'sum(x, axis: optional, keep: optional)', 'mean(x, axis: optional, last: optional, keep: optional)', 'max(x, …, axis: optional, last: optional, keep: optional)', 'min(x, …, axis: optional, last: optional, keep: optional)',
  'prod(x, axis: optional, keep: optional)', 'all(x, axis: optional, keep: optional)', 'any(x, axis: optional, keep: optional)', 'variance(x, axis: optional, keep: optional)', 'std(x, axis: optional, keep: optional)', 'norm(x, axis: optional, keep: optional)', 'dot(a, b)',
  // along the last axis
  'argmax(x, axis: optional)', 'argmin(x, axis: optional)', 'sort(x, axis: optional, descending: optional)', 'argsort(x, axis: optional, descending: optional)',
  'softmax(x, axis: optional)', 'log_softmax(x, axis: optional)', 'logsumexp(x, axis: optional, keep: optional)', 'cumsum(x, axis: optional)', 'cumprod(x, axis: optional)',
  // arrays
  'zeros(n, …)', 'ones(n, …)', 'zeros_like(x)', 'ones_like(x)', 'onehot(i, n)', 'one_hot(i, n)', 'concat(a, …, axis: optional)', 'stack(a, …, axis: optional)',
  'reshape(x, shape, …)', 'transpose(x)', 'flip(x, axis: optional)', 'pairs(x)', 'logspace(a, b, n)', 'linspace(a, b, n)', 'segment_sum(v, by:, into:)',
  'len(x, axis: optional)', 'shape(x)', 'permute(x, axes)', 'einsum(spec, a, …)', 'top_k(x, k, axis: optional)', 'quantile(x, q, axis: optional)', 'size(x)', 'count(batch)', 'cholesky(A)', 'triangular_solve(A, b, lower: optional, transpose: optional)',
  // windows over the axes between examples and features
  'conv(x, w, stride: optional, padding: optional, dilation: optional, groups: optional)',
  'max_pool(x, size, stride: optional, padding: optional)', 'avg_pool(x, size, stride: optional, padding: optional)',
  // trees
  'flat(P)', 'unflat(v, like:)', 'leafwise(f, x, …)',
  // derivatives and paths of gradients
  'grad(L, P)', 'jvp(e, x, v)', 'vjp(e, x, u)', 'hvp(e, x, v)', 'jacobian(e, x)', 'hessian(e, x)', 'stop(x)', 'reverse(x, by: optional)',
  'straight_through(hard, soft)', 'logp(z)',
  // ends of the range of a variable of whole numbers
  'lo(c)', 'hi(c)',
  // axes
  'cut(x, A, dim)', 'join(x, A, dim)',
  // claims
  'median(x, axis: optional)', 'nondecreasing(m)', 'highest(s)', 'lowest(s)', 'best(s)', 'peak_bytes(phase)', 'bytes(state)', 'calls(phase, f)',
]; // prettier-ignore

const distributions = [
  'normal(mean = 0, std = 1)', 'uniform(lo = 0, hi = 1)', 'integers(lo, hi)', 'bernoulli(p)', 'rademacher', 'categorical(w = none, logits: optional)',
  'gumbel', 'gamma(shape, scale = 1)', 'beta(a, b)', 'dirichlet(a)', 'permutation(n)', 'subset(n = none, weights: optional)', 'orthogonal',
]; // prettier-ignore

const table: readonly Builtin[] = [
  ...elementwiseFunctions.map((f) => builtin('fn', `${f.op.name}(${f.arity === 1 ? 'x' : 'x, y'})`)),
  ...functions.map((s) => builtin('fn', s)),
  ...['pi', 'step', 'progress', 'k', 'none'].map((s) => builtin('constant', s)),
  ...distributions.map((s) => builtin('distribution', s)),
  // The one name of stdlib/estimators.opt that needs no `use`: the default that templates write.
  builtin('estimator', 'backprop()'),
];

const byKind = (kinds: readonly BuiltinKind[]): ReadonlyMap<string, Builtin> =>
  new Map(table.filter((b) => kinds.includes(b.kind)).map((b) => [b.name, b]));

/** Functions, constants and estimators: what a name in an expression may mean. */
export const builtinValues: ReadonlyMap<string, Builtin> = byKind(['fn', 'constant', 'estimator']);

/** What a name after `~` may mean. */
export const builtinDistributions: ReadonlyMap<string, Builtin> = byKind(['distribution']);

/** Modules of the standard library, present and planned, for hints. */
export const standardModules: readonly string[] = [
  'nn', 'losses', 'rules', 'inits', 'metrics', 'linalg', 'estimators', 'aggregators', 'solvers', 'sets', 'random', 'ode', 'graph', 'classes',
]; // prettier-ignore
