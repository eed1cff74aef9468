/** Rows of nn, rules and inits. */
import type { Module, Row } from './rows.ts';

const activation = (name: string, rest = ''): Row => ({
  call: `${name}(x${rest})`,
  inputs: 'x: N C',
  edge: true,
  example: `${name}([-1.0, 0.0, 2.0])`,
});

/** A layer of the inputs x (and others), with the parameters of its model. */
const layer = (call: string, inputs: string, example: string, more: Partial<Row> = {}): Row => {
  const names = inputs.split(';').map((input) => input.split(':')[0].trim());
  return {
    setup: `model M(${names.join(', ')}) { ${call} }`,
    call: `M(${names.join(', ')})`,
    inputs,
    example,
    ...more,
  };
};
const shaped = (call: string, input: string): string => `model Net(x) { ${call} }\nshape(Net(${input}))`;

export const nn: Module = {
  linear: layer('linear(x, 3)', 'x: N C', shaped('linear(x, 10)', 'ones(2, 4)')),
  relu: activation('relu'),
  leaky_relu: activation('leaky_relu', ', 0.1'),
  silu: activation('silu'),
  gelu: activation('gelu'),
  elu: activation('elu', ', 0.7'),
  dropout: {
    call: 'dropout(x, 0.3)',
    inputs: 'x: N C',
    noMap: 'each element draws its own',
    example: 'shape(dropout(ones(8), 0.25))',
  },
  gelu_exact: activation('gelu_exact'),
  selu: activation('selu'),
  mish: activation('mish'),
  softsign: activation('softsign'),
  hard_sigmoid: activation('hard_sigmoid'),
  hard_silu: activation('hard_silu'),
  conv1d: layer(
    'conv1d(x, 3, size: 2, padding: [[1, 0]])',
    'x: 2 N C',
    shaped('conv1d(x, 16, size: 5, stride: 2)', 'ones(2, 20, 4)'),
  ),
  conv2d: layer('conv2d(x, 2, size: 3)', 'x: 2 N 3 C', shaped('conv2d(x, 16, stride: 2)', 'ones(2, 28, 28, 1)')),
  global_avg_pool: { call: 'global_avg_pool(x)', inputs: 'x: 2 N 3 C', example: 'global_avg_pool(ones(1, 4, 4, 2))' },
  global_max_pool: { call: 'global_max_pool(x)', inputs: 'x: 2 N 3 C', example: 'global_max_pool(ones(1, 4, 4, 2))' },
  upsample: { call: 'upsample(x)', inputs: 'x: 2 N 3 C', example: 'shape(upsample(ones(1, 4, 4, 2)))' },
  flatten: { call: 'flatten(x)', inputs: 'x: 2 N 3 C', example: 'shape(flatten(ones(2, 4, 4, 3)))' },
  standardize: { call: 'standardize(x)', inputs: 'x: N (C + 2)', example: 'standardize([1.0, 2.0, 3.0])' },
  layer_norm: layer(
    'layer_norm(x)',
    'x: N (C + 2)',
    shaped('layer_norm(x)', '[[1.0, 2.0, 3.0]]').replace('shape(Net([[1.0, 2.0, 3.0]]))', 'Net([[1.0, 2.0, 3.0]])'),
  ),
  rms_norm: layer('rms_norm(x)', 'x: N C', 'model Net(x) { rms_norm(x) }\nNet([[3.0, 4.0]])'),
  group_norm: layer(
    'group_norm(x, groups: 2)',
    'x: 2 N 3 (2 * C)',
    shaped('group_norm(x, groups: 4)', 'ones(2, 5, 5, 8)'),
  ),
  instance_norm: layer('instance_norm(x)', 'x: 2 N 3 C', shaped('instance_norm(x)', 'ones(2, 5, 5, 8)')),
  spectral_norm: layer(
    'spectral_norm(w)',
    'w: N C',
    'model Net(W) { spectral_norm(W, turns: 20) }\nNet([[3.0, 0.0], [0.0, 1.0]])',
    {
      order: 0,
      why: 'its derivative holds the vectors fixed, which nn.test.ts compares',
      noMap: 'it writes its state',
    },
  ),
  spectral_linear: layer('spectral_linear(x, 3)', 'x: N C', shaped('spectral_linear(x, 10)', 'ones(2, 4)'), {
    order: 0,
    why: 'its derivative holds the vectors fixed, which nn.test.ts compares',
    noMap: 'it writes its state',
  }),
  batch_norm: layer('batch_norm(x)', 'x: (N + 2) C', shaped('batch_norm(x)', 'ones(16, 4)'), {
    noMap: 'it writes its state',
  }),
  embedding: layer('embedding(x, 5, C)', 'x: N int 5', shaped('embedding(x, 100, 8)', '[3, 99]')),
  sinusoids: { call: 'sinusoids(N, 6)', example: 'sinusoids(2, 4)' },
  attention: {
    call: 'attention(q, k, v, causal: true)',
    inputs: 'q: N C; k: N C; v: N 3',
    example: 'attention([[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], [[1.0], [2.0]])',
  },
  masked_attention: {
    call: 'masked_attention(q, k, v, (0..N)[:, new] >= (0..N)[new, :])',
    inputs: 'q: N C; k: N C; v: N 3',
    example: 'masked_attention([[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], [[1.0], [2.0]], [[1.0, 0.0]])',
  },
  multi_head_attention: layer(
    'multi_head_attention(x, heads: 2, causal: true)',
    'x: 2 N (2 * C)',
    shaped('multi_head_attention(x, heads: 2, causal: true)', 'ones(2, 5, 8)'),
  ),
  cross_attention: layer(
    'cross_attention(x, c, heads: 2)',
    'x: 2 N (2 * C); c: 2 3 C',
    'model Net(x, c) { cross_attention(x, c, heads: 2) }\nshape(Net(ones(2, 5, 8), ones(2, 3, 6)))',
  ),
  heads: { call: 'heads(x, 2)', inputs: 'x: 2 N (2 * C)', example: 'shape(heads(ones(2, 5, 8), 4))' },
  merge_heads: { call: 'merge_heads(x)', inputs: 'x: 2 3 N C', example: 'shape(merge_heads(ones(2, 4, 5, 2)))' },
  transformer_block: layer(
    'transformer_block(x, heads: 2, ratio: 2, causal: true)',
    'x: 1 N (2 * C)',
    shaped('transformer_block(x, heads: 4, causal: true)', 'ones(2, 5, 8)'),
    {
      sizes: [
        [7, 5],
        [13, 3],
      ],
      why: 'of one feature a norm has no second derivative worth comparing in float32',
    },
  ),
  rnn_cell: layer(
    'rnn_cell(x, h)',
    'x: N C; h: N 3',
    'model Net(x, h) { rnn_cell(x, h) }\nshape(Net(ones(2, 4), zeros(2, 8)))',
  ),
  gru_cell: layer(
    'gru_cell(x, h)',
    'x: N C; h: N 3',
    'model Net(x, h) { gru_cell(x, h) }\nshape(Net(ones(2, 4), zeros(2, 8)))',
  ),
  lstm_cell: layer(
    'lstm_cell(x, h, c)',
    'x: N C; h: N 3; c: N 3',
    'model Net(x, h, c) { lstm_cell(x, h, c) }\nshape(Net(ones(2, 4), zeros(2, 8), zeros(2, 8))[1])',
  ),
  low_rank: layer('low_rank(x, 3, rank: 2)', 'x: N C', shaped('low_rank(x, 10, rank: 2)', 'ones(2, 4)')),
};

/** One pure step from no state: the new p, a function of p and g. */
const rule = (call: string, more: Partial<Row> = {}): Row => ({
  by: call,
  call: `${call}.step(p, g)[0]`,
  inputs: 'p: N C; g: N C',
  example: `${call}.step([1.0, -2.0], [0.5, 0.1])[0]`,
  ...more,
});
/** A stage that rewrites the direction or needs the objective: trained, and no function of its own. */
const stage = (by: string, example: string): Row => ({
  by,
  use: by.includes('sgd') ? { rules: 'sgd' } : undefined,
  example: `${by.includes('sgd') ? 'use rules { sgd }\n' : ''}${example}`,
});
const once = (call: string, start = '[3.0, 4.0]'): Row =>
  stage(
    `${call} |> sgd(0.1)`,
    `var x = ${start}\ntrain 1 { update x by ${call} |> sgd(1) minimizing 0.5 * sum(x^2) }\nx`,
  );
const matrix = '[[3.0, 0.0], [4.0, 1.0]]';
const trained = (by: string, objective: string, start: string): string =>
  `var x = ${start}\ntrain 3 { update x by ${by} minimizing ${objective} }\nx`;

export const rules: Module = {
  sgd: rule('sgd(0.1, momentum: 0.9)'),
  momentum: rule('momentum(0.1)'),
  nesterov: rule('nesterov(0.1)'),
  adam: rule('adam(0.1)'),
  adamw: rule('adamw(0.1)'),
  rmsprop: rule('rmsprop(0.1)'),
  adagrad: rule('adagrad(0.1)'),
  amsgrad: rule('amsgrad(0.1)'),
  adadelta: rule('adadelta()'),
  diffgrad: rule('diffgrad(0.1)'),
  lion: rule('lion(0.1, decay: 0.01)'),
  lamb: rule('lamb(0.1, decay: 0.01)'),
  muon: rule('muon(0.1)', {
    example: `muon(0.1).step(${matrix}, ${matrix})[0]`,
    tolerance: 1e-3,
    why: 'five steps that enlarge small singular values',
  }),
  shrink: rule('shrink(0.1)', {
    call: 'shrink(0.1).step(p, zeros_like(p))[0]',
    inputs: 'p: N C',
    example: 'shrink(0.1).step([1.0, -2.0], [0.0, 0.0])[0]',
  }),
  project: rule('project(box(-1, 1))', {
    call: 'project(box(-1, 1)).step(p, zeros_like(p))[0]',
    inputs: 'p: N C',
    use: { sets: 'box' },
    example: 'use sets { box }\nproject(box(-1, 1)).step([1.5, -2.0], [0.0, 0.0])[0]',
  }),
  sam: stage('sam(0.1) |> sgd(0.1)', trained('sam(0.1) |> sgd(0.1)', 'sum(x^4)', '[1.0, -2.0]')),
  ema: once('ema(0.9)'),
  lookahead: stage('sgd(0.1) |> lookahead(2)', trained('sgd(0.1) |> lookahead(2)', 'sum(x^2)', '[1.0, -2.0]')),
  centralize: once('centralize()', matrix),
  agc: once('agc(0.1)', matrix),
  clip_leaf: once('clip_leaf(1)'),
  clip: once('clip(1)'),
  clip_value: once('clip_value(3.5)'),
  decay: once('decay(0.1)'),
  lbfgs: stage(
    'lbfgs()',
    'var x = [-1.2, 1.0]\ntrain 40 { update x by lbfgs() minimizing (1 - x[0])^2 + 100 * (x[1] - x[0]^2)^2 }\nx',
  ),
};

const matrixOf = (name: string): Row => ({
  setup: `frozen W: f32[N, C] ~ ${name}`,
  call: 'W',
  order: 0,
  example: `frozen W: f32[200, 300] ~ ${name}\nvariance(W)`,
});
const kernelOf = (name: string): Row => ({
  ...matrixOf(name),
  setup: `frozen W: f32[3, 2, N, C] ~ ${name}`,
  example: `frozen W: f32[3, 3, 40, 80] ~ ${name}\nvariance(W)`,
});

export const inits: Module = {
  glorot: matrixOf('glorot'),
  glorot_normal: matrixOf('glorot_normal'),
  glorot_conv: kernelOf('glorot_conv'),
  he: matrixOf('he'),
  he_uniform: matrixOf('he_uniform'),
  he_conv: kernelOf('he_conv'),
  lecun: matrixOf('lecun'),
  lecun_uniform: matrixOf('lecun_uniform'),
  truncated_normal: { ...matrixOf('truncated_normal(0.02)') },
};
