/** Rows of losses, metrics, schedules and sets. */
import type { Module } from './rows.ts';

const classes = 'z: N C; y: N int C';
const two = 'p: N C; t: N C';
const logits = 'z: N C; u: N C';

export const losses: Module = {
  cross_entropy: { call: 'cross_entropy(z, y)', inputs: classes, example: 'cross_entropy([1.0, 2.0, 0.5], 1)' },
  soft_cross_entropy: {
    call: 'soft_cross_entropy(z, softmax(u))',
    inputs: logits,
    example: 'soft_cross_entropy([1.0, 2.0, 0.5], [0.2, 0.7, 0.1])',
  },
  binary_cross_entropy: {
    call: 'binary_cross_entropy(z, y)',
    inputs: 'z: N C; y: N C in 0..1',
    edge: true,
    example: 'binary_cross_entropy([2.0, -1.0], [1.0, 1.0])',
  },
  nll: { call: 'nll(log_softmax(z), y)', inputs: classes, example: 'nll(log_softmax([1.0, 2.0, 0.5]), 1)' },
  squared_error: {
    call: 'squared_error(p, t)',
    inputs: two,
    example: 'squared_error([[1.0, 2.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 3.0]])',
  },
  mse: { call: 'mse(p, t)', inputs: two, example: 'mse([1.0, 2.0], [0.0, 4.0])' },
  mae: { call: 'mae(p, t)', inputs: two, example: 'mae([1.0, 2.0], [0.0, 4.0])' },
  huber: { call: 'huber(p, t, delta: 0.7)', inputs: two, edge: true, example: 'huber([1.0, 2.0], [0.5, 5.0])' },
  hinge: { call: 'hinge(p, y)', inputs: 'p: N C; y: N C sign', edge: true, example: 'hinge([0.3, 2.0], [-1.0, 1.0])' },
  kl: { call: 'kl(z, u)', inputs: logits, example: 'kl([1.0, 2.0, 0.5], [0.0, 0.0, 0.0])' },
  smooth_cross_entropy: {
    call: 'smooth_cross_entropy(z, y, 0.2)',
    inputs: classes,
    example: 'smooth_cross_entropy([1.0, 2.0, 0.5], 1)',
  },
  focal: {
    call: 'focal(z, y, gamma: 1.5)',
    inputs: classes,
    sizes: [
      [7, 5],
      [67, 17],
    ],
    why: 'one class has loss 0^1.5 of 0, which has no second derivative',
    example: 'focal([1.0, 2.0, 0.5], 1)',
  },
  multi_hinge: { call: 'multi_hinge(z, y, 0.6)', inputs: classes, example: 'multi_hinge([1.0, 2.0, 0.5], 0)' },
  squared_hinge: {
    call: 'squared_hinge(p, y)',
    inputs: 'p: N C; y: N C sign',
    edge: true,
    example: 'squared_hinge([0.3, 2.0], [-1.0, 1.0])',
  },
  log_cosh: { call: 'log_cosh(p, t)', inputs: two, edge: true, example: 'log_cosh([1.0, 100.0], [0.0, 0.0])' },
  pinball: { call: 'pinball(p, t, 0.3)', inputs: two, edge: true, example: 'pinball([1.0, 1.0], [2.0, 0.0], 0.9)' },
  poisson: {
    call: 'poisson(p, t)',
    inputs: 'p: N C; t: N C in 0..3',
    edge: true,
    example: 'poisson([0.0, 1.0], [2.0, 3.0])',
  },
  gaussian_nll: {
    call: 'gaussian_nll(p, u, t)',
    inputs: 'p: N C; u: N C; t: N C',
    example: 'gaussian_nll(0.0, 0.0, [0.0, 1.0])',
  },
  gaussian_kl: { call: 'gaussian_kl(p, t)', inputs: two, example: 'gaussian_kl([1.0, 0.0], [0.0, 0.0])' },
  f_divergence: {
    setup: 'fn chi2(t) = (t - 1)^2',
    call: 'f_divergence(chi2, softmax(z), softmax(u))',
    inputs: logits,
    example: 'fn chi2(t) = (t - 1)^2\nf_divergence(chi2, [0.5, 0.5], [0.25, 0.75])',
  },
  forward_kl: {
    call: 'forward_kl(softmax(z), softmax(u))',
    inputs: logits,
    example: 'forward_kl([0.5, 0.5], [0.25, 0.75])',
  },
  reverse_kl: {
    call: 'reverse_kl(softmax(z), softmax(u))',
    inputs: logits,
    example: 'reverse_kl([0.5, 0.5], [0.25, 0.75])',
  },
  pearson: { call: 'pearson(softmax(z), softmax(u))', inputs: logits, example: 'pearson([0.5, 0.5], [0.25, 0.75])' },
  hellinger: {
    call: 'hellinger(softmax(z), softmax(u))',
    inputs: logits,
    example: 'hellinger([0.5, 0.5], [0.25, 0.75])',
  },
  total_variation: {
    call: 'total_variation(softmax(z), softmax(u))',
    inputs: logits,
    example: 'total_variation([0.5, 0.5], [0.25, 0.75])',
  },
  jensen_shannon: {
    call: 'jensen_shannon(softmax(z), softmax(u))',
    inputs: logits,
    example: 'jensen_shannon([0.5, 0.5], [0.25, 0.75])',
  },
  unit_rows: { call: 'unit_rows(p)', inputs: 'p: N C', example: 'unit_rows([[3.0, 4.0], [0.0, 2.0]])' },
  info_nce: {
    call: 'info_nce(p, t, 0.5)',
    inputs: two,
    example: 'info_nce([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.1], [0.0, 1.0]])',
  },
  clip_loss: {
    call: 'clip_loss(p, t, 0.5)',
    inputs: two,
    example: 'clip_loss([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.1], [0.0, 1.0]])',
  },
  triplet: {
    call: 'triplet(a, p, q, 0.3)',
    inputs: 'a: N C; p: N C; q: N C',
    example: 'triplet([1.0, 0.0], [1.0, 0.5], [0.5, 0.0])',
  },
  cosine_distance: { call: 'cosine_distance(p, t)', inputs: two, example: 'cosine_distance([1.0, 0.0], [1.0, 1.0])' },
  pair_contrast: {
    call: 'pair_contrast(p, t, s, margin: 2)',
    inputs: `${two}; s: N in 0..1`,
    example: 'pair_contrast([[3.0, 0.0], [0.3, 0.0]], [[0.0, 4.0], [0.0, 0.4]], [1.0, 0.0])',
  },
};

export const metrics: Module = {
  accuracy: {
    call: 'accuracy(z, y)',
    inputs: classes,
    order: 0,
    example: 'accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])',
  },
  binary_accuracy: {
    call: 'binary_accuracy(z, y)',
    inputs: 'z: N; y: N in 0..1',
    order: 0,
    example: 'binary_accuracy([2.0, -1.0, 0.5], [1.0, 0.0, 0.0])',
  },
  rmse: { call: 'rmse(p, t)', inputs: two, example: 'rmse([1.0, 2.0], [0.0, 4.0])' },
  r2: {
    call: 'r2(p, t)',
    inputs: 'p: N; t: N',
    sizes: [
      [7, 5],
      [67, 17],
    ],
    why: 'one value has no spread',
    example: 'r2([1.0, 2.0, 4.0], [1.0, 3.0, 3.0])',
  },
};

const share = 'p: N in 0.02..0.98';
const steps = 's: N in 0.2..250';

export const schedules: Module = {
  cosine: { call: 'cosine(p, 0.1)', inputs: share, edge: true, example: 'cosine([0.0, 0.5, 1.0])' },
  linear_decay: {
    call: 'linear_decay(p, 0.1)',
    inputs: share,
    edge: true,
    example: 'linear_decay([0.0, 0.5, 1.0], 0.2)',
  },
  polynomial: { call: 'polynomial(p, 3, 0.1)', inputs: share, edge: true, example: 'polynomial([0.0, 0.5, 1.0])' },
  exponential: { call: 'exponential(p, 0.05)', inputs: share, example: 'exponential([0.0, 0.5, 1.0])' },
  step_decay: {
    call: 'step_decay(s, 30) + step_decay(s, 30, stairs: 0)',
    inputs: steps,
    example: 'step_decay([0.0, 99.0, 100.0, 250.0])',
  },
  inverse_sqrt: { call: 'inverse_sqrt(s, 20)', inputs: steps, example: 'inverse_sqrt([0.0, 3.0, 8.0])' },
  warmup: { call: 'warmup(s, 300)', inputs: steps, example: 'warmup([0.0, 49.0, 200.0], 100)' },
  noam: { call: 'noam(s, 100)', inputs: steps, example: 'noam([0.0, 99.0, 399.0], 100)' },
  one_cycle: { call: 'one_cycle(p)', inputs: share, example: 'one_cycle([0.0, 0.3, 1.0])' },
  restarts: { call: 'restarts(p, 3, 0.1)', inputs: share, example: 'restarts([0.0, 0.25, 0.49, 0.5], 2)' },
  triangle: { call: 'triangle(s, 40)', inputs: steps, example: 'triangle([0.0, 50.0, 100.0, 150.0])' },
};

export const sets: Module = {
  box: {
    call: 'box(-0.5, 0.8).project(x)',
    inputs: 'x: N C',
    edge: true,
    example: 'box(-1, 1).project([0.5, 3.0, -2.0])',
  },
  nonneg: { call: 'nonneg().project(x)', inputs: 'x: N C', edge: true, example: 'nonneg().project([0.5, -2.0])' },
  positive: {
    call: 'positive(0.1).project(x)',
    inputs: 'x: N C',
    edge: true,
    example: 'positive(0.1).project([0.5, -2.0])',
  },
  ball: { call: 'ball(0.9).project(x)', inputs: 'x: N C', example: 'ball(1).project([3.0, 4.0])' },
  sphere: { call: 'sphere(2).project(x)', inputs: 'x: N C', example: 'sphere(1).project([0.3, 0.4])' },
  simplex: { call: 'simplex(1.5).project(x)', inputs: 'x: N C', example: 'simplex().project([0.5, 1.5, -1.0])' },
  l1_ball: { call: 'l1_ball(0.8).project(x)', inputs: 'x: N C', example: 'l1_ball(1).project([0.5, 1.5, -1.0])' },
  orthogonal_matrices: {
    call: 'orthogonal_matrices().project(x)',
    inputs: 'x: N C',
    example: 'orthogonal_matrices().project([[2.0, 0.0], [0.0, -3.0], [0.0, 0.0]])',
  },
};
