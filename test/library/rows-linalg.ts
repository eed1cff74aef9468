/** Rows of linalg, graph and ode. */
import type { Module } from './rows.ts';

/** A square matrix far from singular, and a symmetric positive definite one, of an input x. */
const regular = '(x + 4 * eye(N))';
const definite = '(x @ transpose(x) + 2 * eye(N))';
const use = { linalg: 'eye' };
const square = 'x: N N';
const sizes = [
  [1, 1],
  [7, 5],
  [17, 3],
] as const;
const why = 'elimination and rotations take a launch for each of their turns';

export const linalg: Module = {
  eye: { call: 'eye(N)', example: 'eye(2)' },
  diag: { call: 'diag(x)', inputs: 'x: N', example: 'diag([1.0, 2.0])' },
  cosine: { call: 'cosine(x, y)', inputs: 'x: N C; y: N C', example: 'cosine([1.0, 0.0], [1.0, 1.0])' },
  orthogonal_part: {
    call: 'orthogonal_part(x, y)',
    inputs: 'x: N C; y: N C',
    example: 'orthogonal_part([3.0, 4.0], [2.0, 0.0])',
  },
  squared_distances: {
    call: 'squared_distances(x, y)',
    inputs: 'x: N C; y: 3 C',
    example: 'squared_distances([[0.0, 0.0], [1.0, 1.0]], [[3.0, 4.0]])',
  },
  squared_norm: { call: 'squared_norm(x)', inputs: 'x: N C', example: 'squared_norm([3.0, -4.0])' },
  diagonal: { call: 'diagonal(x)', inputs: square, example: 'diagonal([[1.0, 2.0], [3.0, 4.0]])' },
  trace: { call: 'trace(x)', inputs: square, example: 'trace([[1.0, 2.0], [3.0, 4.0]])' },
  tril: { call: 'tril(x, 1)', inputs: 'x: N C', example: 'tril([[1.0, 2.0], [3.0, 4.0]])' },
  triu: { call: 'triu(x, -1)', inputs: 'x: N C', example: 'triu([[1.0, 2.0], [3.0, 4.0]], 1)' },
  causal_mask: {
    call: 'softmax(x + causal_mask(N))',
    inputs: square,
    example: 'softmax(zeros(3, 3) + causal_mask(3))',
  },
  outer: { call: 'outer(x, y)', inputs: 'x: N; y: C', example: 'outer([1.0, 2.0], [3.0, 4.0])' },
  kron: { call: 'kron(x, y)', inputs: 'x: N C; y: 2 3', example: 'kron([[1.0, 2.0]], [[1.0, 0.0], [0.0, 1.0]])' },
  cholesky_solve: {
    call: `cholesky_solve(cholesky${definite}, y)`,
    use,
    inputs: `${square}; y: N C`,
    tolerance: 1e-3,
    why: 'the condition of x x^T',
    sizes,
    example: 'cholesky_solve(cholesky([[4.0, 2.0], [2.0, 3.0]]), [2.0, 5.0])',
  },
  solve_spd: {
    call: `solve_spd(${definite}, y)`,
    use,
    inputs: `${square}; y: N`,
    tolerance: 1e-3,
    why: 'the condition of x x^T',
    sizes,
    example: 'solve_spd([[4.0, 2.0], [2.0, 3.0]], [2.0, 5.0])',
  },
  logdet_spd: {
    call: `logdet_spd(${definite})`,
    use,
    inputs: square,
    sizes,
    why,
    example: 'logdet_spd([[4.0, 2.0], [2.0, 3.0]])',
  },
  solve_linear: {
    call: `solve_linear(${regular}, y)`,
    use,
    inputs: `${square}; y: N C`,
    tolerance: 1e-3,
    why: 'the condition of x',
    sizes,
    example: 'solve_linear([[0.0, 2.0], [1.0, 3.0]], [2.0, 5.0])',
  },
  inverse: {
    call: `inverse(${regular})`,
    use,
    inputs: square,
    tolerance: 1e-3,
    why: 'the condition of x',
    sizes,
    example: 'inverse([[0.0, 2.0], [1.0, 3.0]])',
  },
  det: {
    call: `det(${regular} / 4)`,
    use,
    inputs: square,
    tolerance: 1e-3,
    why: 'the condition of x',
    sizes,
    example: 'det([[0.0, 2.0], [1.0, 3.0]])',
  },
  logabsdet: {
    call: `logabsdet(${regular})`,
    use,
    inputs: square,
    tolerance: 1e-3,
    why: 'the condition of x',
    sizes,
    example: 'logabsdet([[0.0, 2.0], [1.0, 3.0]])',
  },
  qr: {
    call: 'qr(x)',
    inputs: 'x: (N + C) C',
    tolerance: 1e-3,
    why: 'the condition of x',
    sizes,
    example: 'qr([[3.0, 1.0], [4.0, 2.0]])[1]',
  },
  orthonormal: {
    call: 'orthonormal(x)',
    inputs: 'x: (N + C) C',
    tolerance: 1e-3,
    why: 'the condition of x',
    sizes,
    example: 'orthonormal([[3.0], [4.0]])',
  },
  lstsq: {
    call: 'lstsq(x, y)',
    inputs: 'x: (N + C) C; y: (N + C)',
    tolerance: 1e-3,
    why: 'the condition of x',
    sizes,
    example: 'lstsq([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], [1.0, 3.0, 5.0])',
  },
  eigh: {
    call: '{ w: eigh(x)[0], v: eigh(x)[1]^2 }',
    inputs: square,
    tolerance: 2e-2,
    why: 'vectors of near eigenvalues',
    sizes: [
      [1, 1],
      [7, 5],
    ],
    example: 'eigh([[2.0, 1.0], [1.0, 2.0]])[0]',
  },
  eigmin: {
    call: 'eigmin(x)',
    inputs: square,
    tolerance: 1e-3,
    why: 'vectors of near eigenvalues',
    sizes: [
      [1, 1],
      [7, 5],
    ],
    example: 'eigmin([[2.0, 1.0], [1.0, 2.0]])',
  },
  eigmax: {
    call: 'eigmax(x)',
    inputs: square,
    tolerance: 1e-3,
    why: 'vectors of near eigenvalues',
    sizes: [
      [1, 1],
      [7, 5],
    ],
    example: 'eigmax([[2.0, 1.0], [1.0, 2.0]])',
  },
  svd: {
    call: '{ u: svd(x)[0]^2, s: svd(x)[1], v: svd(x)[2]^2 }',
    inputs: 'x: (N + C) C',
    tolerance: 2e-2,
    why: 'vectors of near singular values',
    sizes: [
      [1, 1],
      [7, 5],
    ],
    example: 'svd([[3.0, 0.0], [4.0, 0.0], [0.0, 2.0]])[1]',
  },
  conjugate_gradients: {
    setup: 'fn field(x, v) = transpose(x) @ (x @ v) + v',
    call: 'conjugate_gradients(field(x), y)',
    inputs: 'x: N N; y: N',
    order: 0,
    tolerance: 1e-3,
    why: 'the condition of A',
    sizes,
    example: 'fn A(v) = [[2.0, 1.0], [1.0, 3.0]] @ v\nconjugate_gradients(A, [3.0, 5.0])',
  },
  gmres: {
    setup: 'fn field(x, v) = x @ v + 5 * v',
    call: 'gmres(field(x), y)',
    inputs: 'x: N N; y: N',
    order: 0,
    tolerance: 1e-3,
    why: 'the condition of A',
    sizes,
    example: 'fn A(v) = [[0.0, 1.0], [-1.0, 0.0]] @ v\ngmres(A, [3.0, 5.0])',
  },
  neumann_series: {
    setup: 'fn field(x, v) = v + 0.2 * tanh(x) @ v / f32(N)',
    call: 'neumann_series(field(x), y)',
    inputs: 'x: N N; y: N',
    order: 0,
    sizes,
    example: 'fn A(v) = [[1.0, 0.5], [0.0, 1.0]] @ v\nneumann_series(A, [3.0, 4.0])',
  },
  power_iteration: {
    call: `power_iteration(x @ transpose(x) + diag(10 * f32(0..N)^2), ones(N), turns: 300)[0]`,
    use: { linalg: 'diag' },
    inputs: square,
    order: 1,
    noMap: 'a loop of writes',
    why: 'the vector is held fixed',
    sizes,
    example: 'power_iteration([[2.0, 1.0], [1.0, 2.0]], [1.0, 0.5])[0]',
  },
};

const adjacency = '((x + transpose(x)) * (1 - eye(N)))';

export const graph: Module = {
  degrees: { call: 'degrees(x)', inputs: 'x: N N', example: 'degrees([[0.0, 2.0], [2.0, 0.0]])' },
  normalized_adjacency: {
    call: `normalized_adjacency(${adjacency})`,
    use,
    inputs: 'x: N N in 0..1',
    example: 'normalized_adjacency([[0.0, 1.0], [1.0, 0.0]])',
  },
  mean_adjacency: {
    call: `mean_adjacency(${adjacency})`,
    use,
    inputs: 'x: N N in 0.1..1',
    example: 'mean_adjacency([[0.0, 1.0, 3.0], [1.0, 0.0, 0.0], [3.0, 0.0, 0.0]])',
  },
  laplacian: {
    call: `laplacian(${adjacency})`,
    use,
    inputs: 'x: N N in 0..1',
    example: 'laplacian([[0.0, 2.0], [2.0, 0.0]])',
  },
  graph_conv: {
    setup: 'model M(x, s) { graph_conv(x, s, 3) }',
    call: 'M(y, x)',
    inputs: 'x: N N; y: N C',
    example:
      'use graph { normalized_adjacency }\nlet S = normalized_adjacency([[0.0, 1.0], [1.0, 0.0]])\nmodel Net(x, S) { graph_conv(x, S, 3) }\nshape(Net(ones(2, 4), S))',
  },
};

const field = 'fn field(y, t) = -y * (0.5 + t) + sin(y)';
const of = 'fn field(y, t, m) = -y * (0.5 + t) + sin(m * y)';
const decay = 'fn decay(y, t) = -y\n';
const step = (name: string): Module[string] => ({
  setup: field,
  call: `${name}(field, x, 0.2, 0.5)`,
  inputs: 'x: N C',
  example: `${decay}${name}(decay, 1.0, 0, 0.5)`,
});

export const ode: Module = {
  euler: step('euler'),
  midpoint: step('midpoint'),
  heun: step('heun'),
  rk4: step('rk4'),
  dopri5: step('dopri5'),
  dormand_prince: { ...step('dormand_prince'), example: `${decay}dormand_prince(decay, 1.0, 0, 0.5)[1]` },
  integrate: {
    setup: field,
    call: 'integrate(field, x, linspace(0, 1, 11))',
    inputs: 'x: N C',
    example: `${decay}integrate(decay, 1.0, linspace(0, 1, 11))`,
  },
  integrate_checkpointed: {
    setup: field,
    call: 'integrate_checkpointed(field, x, linspace(0, 1, 12), 4)',
    inputs: 'x: N C',
    example: `${decay}integrate_checkpointed(decay, 1.0, linspace(0, 1, 101), 10)`,
  },
  trajectory: {
    setup: field,
    call: 'trajectory(field, x, linspace(0, 1, 6))',
    inputs: 'x: N C',
    example: `${decay}trajectory(decay, 1.0, linspace(0, 1, 3))`,
  },
  adjoint: {
    setup: of,
    call: 'adjoint(field, x, m, linspace(0, 1, 81))',
    inputs: 'x: N C; m: N C',
    example: 'fn field(y, t, m) = -m * y\nvar m = 2.0\ngrad(adjoint(field, 1.0, m, linspace(0, 1, 21)), m)',
  },
  adaptive: {
    setup: field,
    call: 'adaptive(field, x, 0, 1, rtol: 1e-6, most: 60).y',
    inputs: 'x: N C',
    tolerance: 1e-3,
    why: 'other roundings, other steps',
    order: 1,
    example: `${decay}adaptive(decay, 1.0, 0, 1)`,
  },
};
