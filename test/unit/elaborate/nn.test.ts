/** Layers and activations of stdlib/nn.opt against flax and JAX (test/oracles/nn.py). */
import { expect, test } from 'vitest';
import { compare, oracle, tide, wave } from './oracle.ts';
import { errorsOf, runSpec } from './run-spec.ts';

const values = oracle('nn');

/** Cells out_NAME with the values of expressions, after statements that set parameters. */
function layers(text: string, cases: Record<string, string>, digits = 7): void {
  const names = Object.keys(cases);
  const cells = names.map((n) => `var out_${n} = zeros(${values[n].length})`).join('\n');
  const writes = names.map((n) => `out_${n} <- flat(${cases[n]})`).join('\n');
  const machine = runSpec(`${text.replace('WRITES', writes)}\n`.replace('CELLS', cells));
  for (const n of names)
    machine.values(`out_${n}`).forEach((got, i) => expect(got, `${n}[${i}]`).toBeCloseTo(values[n][i], digits));
}

test('activations', () => {
  const names = 'gelu_exact gelu selu mish softsign hard_sigmoid hard_silu silu elu leaky_relu'.split(' ');
  const cases = Object.fromEntries(names.map((n) => [n, `${n}(linspace(-3, 3, 7) + 0 * wide)`]));
  compare(values, cases, `use nn { ${names.join(', ')} }\nlet wide = zeros(7)`);
});

test('normalizations', () => {
  layers(
    `use nn { layer_norm, rms_norm, group_norm, batch_norm }
let x = ${wave(2, 3, 4)}
let image = ${wave(2, 3, 2, 6)}
CELLS
model LN(x) { layer_norm(x) as norm }
model RN(x) { rms_norm(x) as norm }
model GN(x) { group_norm(x, groups: 3) as norm }
model BN(x, train) { batch_norm(x, train: train) as norm }
let made = sum(LN(x)) + sum(RN(x)) + sum(GN(image)) + sum(BN(image, false))
LN.norm.scale <- ${tide(4)}
LN.norm.shift <- ${wave(4)}
RN.norm.scale <- ${tide(4)}
GN.norm.scale <- ${tide(6)}
GN.norm.shift <- ${wave(6)}
BN.norm.scale <- ${tide(6)}
BN.norm.shift <- ${wave(6)}
WRITES`,
    {
      layer_norm: 'LN(x)',
      rms_norm: 'RN(x)',
      group_norm: 'GN(image)',
      batch_norm: 'BN(image, true)',
      batch_eval: 'BN(image, false)',
    },
  );
});

test('convolution layers and upsampling', () => {
  layers(
    `use nn { conv1d, conv2d, upsample }
let image = ${wave(2, 3, 2, 6)}
let line = ${wave(2, 6, 4)}
CELLS
model A(x) { conv2d(x, 4, stride: 2, groups: 2) as own }
model B(x) { conv1d(x, 5, padding: [[2, 0]]) as own }
let made = sum(A(image)) + sum(B(line))
A.own.W <- ${tide(3, 3, 3, 4)}
A.own.b <- ${wave(4)}
B.own.W <- ${tide(3, 4, 5)}
B.own.b <- ${wave(5)}
WRITES`,
    { conv2d: 'A(image)', conv1d: 'B(line)', upsample: 'upsample(image)' },
  );
});

test('attention: plain, causal, masked', () => {
  const [q, k, v] = [wave(2, 2, 4, 3), tide(2, 2, 4, 3), wave(2, 2, 4, 3)];
  compare(
    values,
    {
      attention: `attention(${q}, ${tide(2, 2, 5, 3)}, ${wave(2, 2, 5, 3)})`,
      causal: `attention(${q}, ${k}, ${v}, causal: true)`,
      masked: `masked_attention(${q}, ${k}, ${v}, (1 - onehot(0..4, 4))[new, new])`,
    },
    'use nn { attention, masked_attention }',
    6, // JAX takes softmax in float32 there
  );
});

const sets = (at: string): string =>
  ['query', 'key', 'value', 'out']
    .map((n, i) => `${at}.${n}.W <- ${[1, 0.7, -0.5, 0.3][i]} * ${tide(6, 6)}\n${at}.${n}.b <- 0.${i + 1} * ${wave(6)}`)
    .join('\n');

test('several heads, to itself and to another sequence; a block of a transformer; embeddings', () => {
  layers(
    `use nn { multi_head_attention, cross_attention, transformer_block, embedding }
let x = ${wave(2, 4, 6)}
let other = ${wave(2, 3, 6)}
CELLS
model A(x) { multi_head_attention(x, 3, causal: true) as own }
model C(x, c) { cross_attention(x, c, heads: 3) as own }
model T(x) { transformer_block(x, heads: 3, ratio: 2, causal: true) as own }
model E(i) { embedding(i, 5, 3) as own }
let made = sum(A(x)) + sum(C(x, other)) + sum(T(x)) + sum(E([[4, 0], [1, 1]]))
${sets('A.own')}
${sets('C.own')}
${sets('T.own.attention')}
T.own.before_attention.scale <- 1 + 0.1 * ${tide(6)}
T.own.before_attention.shift <- 0.1 * ${wave(6)}
T.own.before_mlp.scale <- 1 + 0.1 * ${tide(6)}
T.own.before_mlp.shift <- 0.2 * ${wave(6)}
T.own.wide.W <- 0.4 * ${tide(6, 12)}
T.own.wide.b <- 0.1 * ${wave(12)}
T.own.narrow.W <- 0.3 * ${wave(12, 6)}
T.own.narrow.b <- 0.1 * ${tide(6)}
E.own.E <- ${tide(5, 3)}
WRITES`,
    { heads: 'A(x)', cross: 'C(x, other)', block: 'T(x)', embedding: 'E([[4, 0], [1, 1]])' },
  );
});

test('recurrent cells', () => {
  const cell = (at: string, n: number): string => `${at}.input.W <- ${tide(3, n)}
${at}.recurrent.W <- 0.5 * ${wave(4, n)}
${at}.input.b <- 0.1 * ${wave(n)}
${at}.recurrent.b <- 0.2 * ${tide(n)}`;
  layers(
    `use nn { gru_cell, lstm_cell }
let x = ${wave(2, 3)}
let h = ${tide(2, 4)}
let m = ${wave(2, 4)}
CELLS
model G(x, h) { gru_cell(x, h) as own }
model L(x, h, c) { lstm_cell(x, h, c) as own }
let made = sum(G(x, h)) + sum(L(x, h, m)[0])
${cell('G.own', 12)}
${cell('L.own', 16)}
WRITES`,
    { gru: 'G(x, h)', lstm_h: 'L(x, h, m)[0]', lstm_c: 'L(x, h, m)[1]' },
  );
});

test('a low-rank change starts at 0 and moves; sinusoids; global pools; layers of one example', () => {
  const machine =
    runSpec(`use nn { linear, low_rank, sinusoids, global_avg_pool, global_max_pool, flatten, standardize, conv2d }
use rules { sgd }
let x = ${wave(3, 4)}
model Base(x) { linear(x, 2) }
model Extra(x) { low_rank(x, 2, rank: 3) }
let before = max(abs(Extra(x)))
var start = 0.0
start <- before
train 1 { update Extra by sgd(0.1) minimizing mean((stop(Base(x)) + Extra(x) - 1)^2) }
var after = 0.0
after <- max(abs(Extra(x)))
var wave0 = 0.0
wave0 <- max(abs(sinusoids(7, 8)[5, :] - [sin(5), sin(0.5), sin(0.05), sin(0.005), cos(5), cos(0.5), cos(0.05), cos(0.005)]))
let image = ${wave(2, 3, 2, 6)}
var pools = 0.0
pools <- max(abs(global_avg_pool(image) - mean(reshape(image, 2, 6, 6), axis: 1))) + max(abs(global_max_pool(image) - max(reshape(image, 2, 6, 6), axis: 1)))
var rows = 0.0
rows <- abs(mean(standardize(flatten(image)))) + abs(std(standardize(flatten(image))[0]) - 1)
model C(x) { conv2d(x, 4) }
var single = 0.0
single <- max(abs(C(image)[0] - C(image[0])))
`);
  expect(machine.value('start')).toBe(0);
  expect(machine.value('after')).toBeGreaterThan(0);
  expect(machine.value('wave0')).toBeCloseTo(0, 8);
  expect(machine.value('pools')).toBeCloseTo(0, 12);
  expect(machine.value('rows')).toBeCloseTo(0, 4);
  expect(machine.value('single')).toBeCloseTo(0, 12);
});

test('a batch norm of as many examples as features, and of images as wide as deep', () => {
  const m = runSpec(`use nn { batch_norm }
let x = ${wave(4, 4)}
let image = ${wave(2, 3, 3, 3)}
model A(x, train) { batch_norm(x, train: train) }
model B(x, train) { batch_norm(x, train: train) }
let c = image[:, :, :, 1]
let (mean_, spread) = (mean(c), variance(c))
metric trained = max(abs(A(x, true)[:, 2] - (x[:, 2] - mean(x[:, 2])) / sqrt(variance(x[:, 2]) + 1e-5)))
metric images = max(abs(B(image, true)[:, :, :, 1] - (c - mean_) / sqrt(spread + 1e-5)))
metric used = max(abs(B(image, false)[:, :, :, 1] - c / sqrt(1 + 1e-5)))`);
  for (const name of ['trained', 'images', 'used']) expect(m.last(name), name).toBeLessThan(1e-12);
});

test('the derivative of spectral normalization holds the singular vectors, to order 2', () => {
  const m = runSpec(`use nn { spectral_norm }
use linalg { svd }
frozen W: f32[4, 3] ~ normal
frozen c: f32[4, 3] ~ normal
frozen D: f32[4, 3] ~ normal
model S(w) { spectral_norm(w, true, turns: 200) }
let warm = S(W)
frozen u = svd(W)[0][:, 0]
frozen v = svd(W)[2][:, 0]
fn f = dot(c, S(W))
fn held = dot(c, W / dot(u, W @ v))
fn moved(t) = held at { W: W + t * D }
metric gap = abs(f - held)
metric first = abs(dot(grad(f, W), D) - (moved(1e-5) - moved(-1e-5)) / 2e-5)
metric second = abs(dot(hvp(f, W, D), D) - (moved(1e-4) - 2 * held + moved(-1e-4)) / 1e-8)
metric size = abs(dot(hvp(f, W, D), D))`);
  expect(m.last('gap')).toBeLessThan(1e-12);
  expect(m.last('first')).toBeLessThan(1e-8);
  expect(m.last('second')).toBeLessThan(1e-6);
  expect(m.last('size')).toBeGreaterThan(1e-3);
});

test('spectral normalization finds the largest singular value and holds it', () => {
  const m = runSpec(`use nn { spectral_linear }
use linalg { svd }
let x = ${wave(3, 4)}
model D(x, train) { spectral_linear(x, 5, train) as own }
train 40 { let y = D(x, true); report size = norm(stop(y)) }
metric gap = max(abs(D(x, false) - x @ D.own.W / svd(D.own.W)[1][0]))
metric one = max(abs(D(x, true) - D(x, false)))`);
  expect(m.last('gap')).toBeLessThan(1e-9);
  expect(m.last('one')).toBeLessThan(1e-9);
});

test('a plain recurrent cell; one channel at a time; heads and back', () => {
  const m = runSpec(`use nn { rnn_cell, instance_norm, heads, merge_heads }
let x = ${wave(2, 3)}
let h = ${tide(2, 4)}
let image = ${wave(2, 3, 2, 6)}
model R(x, h) { rnn_cell(x, h) as own }
model I(x) { instance_norm(x) }
metric cell = max(abs(R(x, h) - tanh(x @ R.own.input.W + R.own.input.b + h @ R.own.U)))
let c = image[1, :, :, 4]
metric norm = max(abs(I(image)[1, :, :, 4] - (c - mean(c)) / sqrt(variance(c) + 1e-5)))
let t = ${wave(2, 5, 6)}
metric there = max(abs(heads(t, 3)[1, 2, 4] - t[1, 4, 4..6]))
metric back = max(abs(merge_heads(heads(t, 3)) - t)) + max(abs(merge_heads(heads(t[0], 3)) - t[0]))`);
  for (const name of ['cell', 'norm', 'there', 'back']) expect(m.last(name), name).toBeLessThan(1e-12);
});

test('a layer that does not fit says where', () => {
  const [error] = errorsOf(`use nn { conv2d }
model C(x) { conv2d(x, 4, size: 5, padding: "valid") }
metric m = sum(C(zeros(1, 3, 3, 2)))`);
  expect(error.code).toBe('OPT302');
  expect(error.message).toMatch(/reaches over 5 does not fit into 3/);
});
