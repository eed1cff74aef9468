/**
 * Every name that the standard library exports, each with a call of it on small inputs (what the suites of this folder check) and an example (what docs/stdlib.md
 * shows, with its value). A name without a row fails the suites; so does a row without a name.
 */

export interface Row {
  /** An expression of the inputs, of the dims N and C, and of the names of `setup`; absent for rules that are no function of their own. */
  readonly call?: string;
  /** A pipeline, for rules: trained for some steps on the device and on the reference. */
  readonly by?: string;
  /** `x: N C` uniform in -2..2, `p: N C in 0.1..2`, `y: N int C` classes, `s: N sign` -1 or 1; separated by `;`. */
  readonly inputs?: string;
  /** Statements before the call; a model is called M. */
  readonly setup?: string;
  /** Derivatives that are compared with differences: 2 unless said otherwise; with the reason for less. */
  readonly order?: 0 | 1;
  /** Why `map` of it is not a loop of it, or cannot be asked for. */
  readonly noMap?: string;
  /** Largest difference of the device, relative to the size of the result; with the reason where it is more than 1e-4. */
  readonly tolerance?: number;
  readonly why?: string;
  /** Elementwise in its first input: compared on the device at edge values as well. */
  readonly edge?: boolean;
  /** Sizes [N, C] of the device suite, where not all fit. */
  readonly sizes?: readonly (readonly [number, number])[];
  /** Other names of the library that the row uses, by module. */
  readonly use?: Readonly<Record<string, string>>;
  /** A closed expression, shown with its value; lines before the last are statements. */
  readonly example: string;
}

/** Names that have no value over nothing (N = 0): means, largest elements, windows, squares of no rows, factors of no inputs. */
export const needSome: ReadonlySet<string> = new Set(
  (
    'he he_uniform he_conv lecun lecun_uniform causal_mask eigh eigmin eigmax mse mae info_nce clip_loss accuracy binary_accuracy rmse r2 ' +
    'conv1d conv2d global_avg_pool global_max_pool attention masked_attention multi_head_attention transformer_block muon'
  ).split(' '),
);

export type Module = Readonly<Record<string, Row>>;

/** Steps of other names, each with the exported name that runs through it. */
export const inner: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  graph: {},
  inits: { central_erfinv: 'truncated_normal' },
  linalg: {
    solve_columns: 'solve_linear',
    solve_again: 'solve_linear',
    solve_and_invert: 'solve_linear',
    eliminate: 'solve_linear',
    pivots: 'det',
    cholesky_qr: 'qr',
    eigh_packed: 'eigh',
    eigh_pull: 'eigh',
    gaps: 'eigh',
    jacobi: 'eigh',
    jacobi_tangent: 'eigh',
    widened: 'eigh',
    rotate_columns: 'eigh',
    seats: 'eigh',
    svd_packed: 'svd',
    svd_pull: 'svd',
    one_sided_jacobi: 'svd',
    own_scale: 'eigh',
  },
  losses: { at_class: 'cross_entropy' },
  metrics: {},
  nn: { causal_scores: 'attention', split_heads: 'multi_head_attention', toward: 'spectral_norm' },
  ode: { adjoint_backward: 'adjoint' },
  rules: { newton_schulz: 'muon', quintic_steps: 'muon', two_loops: 'lbfgs' },
  schedules: {},
  sets: {
    is_orthonormal: 'orthogonal_matrices',
    onto_simplex: 'simplex',
    onto_l1: 'l1_ball',
    polar: 'orthogonal_matrices',
  },
};
