/**
 * jax-js on WebGPU: each workload is a function of its state under one `jit`. An optimizer, layer norm and the like are written by hand where the library has
 * none. Arrays are counted: an argument is used up by a call unless `.ref` is read.
 */
import {
  blockUntilReady,
  defaultDevice,
  grad,
  init,
  jit,
  jvp,
  lax,
  nn,
  numpy as np,
  tree,
  valueAndGrad,
} from '@jax-js/jax';

/** @typedef {import('../workload.ts').Given} Given */

const array = ({ values, shape }) => np.array(values).reshape([...shape]);
const arrays = (given, names) => Object.fromEntries(names.map((n) => [n, array(given[n])]));
const oneHot = ({ values }, classes) => nn.oneHot(np.array(values, { dtype: np.int32 }), classes);
const zeros = (t) => tree.map((p) => np.zeros(p.shape), tree.ref(t));
const matricesOf = (given) => Object.keys(given).filter((n) => /^[fld]?[Wb]\d$/.test(n));

const crossEntropy = (logits, targets, rows) =>
  nn
    .logSoftmax(logits)
    .mul(targets)
    .sum()
    .mul(-1 / rows);

function perceptron(p, x, prefix = '', layers = 3) {
  let h = x;
  for (let l = 1; l <= layers; l++) {
    h = np.matmul(h, p[`${prefix}W${l}`].ref).add(p[`${prefix}b${l}`].ref);
    if (l < layers) h = nn.relu(h);
  }
  return h;
}

/** Adam's step of a tree; t counts the steps before it. */
function adam({ p, m, v, t }, g) {
  const k = t.add(1);
  const m1 = tree.map((a, b) => a.mul(0.9).add(b.mul(0.1)), m, tree.ref(g));
  const v1 = tree.map((a, b) => a.mul(0.999).add(np.square(b).mul(0.001)), v, g);
  const c1 = np.array(1).sub(np.exp(k.ref.mul(Math.log(0.9))));
  const c2 = np.array(1).sub(np.exp(k.ref.mul(Math.log(0.999))));
  const moved = (a, b, c) =>
    a.sub(
      b
        .div(c1.ref)
        .div(np.sqrt(c.div(c2.ref)).add(1e-8))
        .mul(1e-3),
    );
  return { p: tree.map(moved, p, tree.ref(m1), tree.ref(v1)), m: m1, v: v1, t: k };
}

const adamState = (p) => ({ p, m: zeros(p), v: zeros(p), t: np.array(0) });
const less = (rate) => (a, b) => a.sub(b.mul(rate));
const loss = (state) => state.loss;

function mlp(given) {
  const rows = given.x.shape[0];
  const fixed = { x: array(given.x), y: oneHot(given.y, 10) };
  const objective = (p, { x, y }) => crossEntropy(perceptron(p, x), y, rows);
  const step = (state, data) => {
    const [value, g] = valueAndGrad(objective)(tree.ref(state.p), data);
    return { ...adam(state, g), loss: value };
  };
  return { state: { ...adamState(arrays(given, matricesOf(given))), loss: np.array(0) }, fixed, step, check: loss };
}

/** Without a reversal, which the library has not: stop(z) - z turns the gradient round and leaves the value. */
function dann(given) {
  const rows = given.xs.shape[0];
  const p = arrays(given, matricesOf(given));
  const fixed = {
    x: np.concatenate([array(given.xs), array(given.xt)]),
    y: oneHot(given.ys, 10),
    domain: np.concatenate([np.zeros([rows]), np.ones([rows])]),
  };
  const objective = (q, { x, y, domain }) => {
    const z = nn.relu(perceptron(q, x, 'f', 2));
    const label = crossEntropy(perceptron(q, z.ref.slice([0, rows]), 'l', 1), y, rows);
    const turned = lax.stopGradient(z.ref).mul(1.5).sub(z.mul(0.5));
    const d = perceptron(q, turned, 'd', 2).reshape([2 * rows]);
    return [label.ref.add(nn.softplus(d.ref).sub(d.mul(domain)).mean()), label];
  };
  const step = ({ p: q, m }, data) => {
    const [[, label], g] = valueAndGrad(objective, { hasAux: true })(tree.ref(q), data);
    const m1 = tree.map((a, b) => a.mul(0.9).add(b), m, g);
    return { p: tree.map(less(0.01), q, tree.ref(m1)), m: m1, loss: label };
  };
  return {
    state: { p, m: zeros(p), loss: np.array(0) },
    fixed,
    step,
    check: loss,
  };
}

/** Kernels [h, w, in, out] as the library has them, [out, in, h, w]. */
const kernel = (t) => np.transpose(array(t), [3, 2, 0, 1]);

function cnn(given) {
  const rows = given.x.shape[0];
  const p = { K1: kernel(given.K1), K2: kernel(given.K2), ...arrays(given, ['c1', 'c2', 'b']) };
  // The last layer reads features in the order of the library, channels first.
  p.W = np.transpose(array(given.W).reshape([7, 7, 32, 10]), [2, 0, 1, 3]).reshape([1568, 10]);
  const fixed = { x: array(given.x).reshape([rows, 1, 28, 28]), y: oneHot(given.y, 10) };
  const layer = (x, k, c) => {
    const y = nn.relu(lax.conv(x, k.ref, [1, 1], 'SAME').add(c.ref.reshape([1, -1, 1, 1])));
    const [n, o, h, w] = y.shape;
    return y.reshape([n, o, h / 2, 2, w / 2, 2]).max([3, 5]);
  };
  const objective = (q, { x, y }) => {
    const h = layer(layer(x, q.K1, q.c1), q.K2, q.c2).reshape([rows, 1568]);
    return crossEntropy(np.matmul(h, q.W.ref).add(q.b.ref), y, rows);
  };
  const step = (state, data) => {
    const [value, g] = valueAndGrad(objective)(tree.ref(state.p), data);
    return { p: tree.map(less(0.05), state.p, g), loss: value };
  };
  return { state: { p, loss: np.array(0) }, fixed, step, check: loss };
}

function transformer(given, { B, T, D, V, depth, heads }) {
  const names = Object.keys(given).filter((n) => n !== 'tokens');
  const top = ['E', 'P', 'nf', 'sf', 'Wh', 'bh'];
  const size = (t) => t.shape.slice(1).reduce((a, b) => a * b, 1);
  const part = (t, l) => array({ values: t.values.slice(l * size(t), (l + 1) * size(t)), shape: t.shape.slice(1) });
  const p = arrays(given, top);
  for (let l = 0; l < depth; l++) for (const n of names) if (!top.includes(n)) p[`${n}_${l}`] = part(given[n], l);
  const column = (from) => {
    const values = new Int32Array(B * T);
    for (let i = 0; i < B * T; i++) values[i] = given.tokens.values[Math.floor(i / T) * (T + 1) + (i % T) + from];
    return values;
  };
  const fixed = {
    // The gradient of a gather cannot be compiled by the library's jit; a product with ones and zeros can.
    inputs: oneHot({ values: column(0) }, V),
    targets: oneHot({ values: column(1) }, V),
    mask: np
      .tril(np.ones([T, T]))
      .sub(1)
      .mul(1e30),
  };
  const norm = (x, scale, shift) => {
    const c = x.ref.sub(x.mean(-1, { keepdims: true }));
    const s = np.sqrt(np.square(c.ref).mean(-1, { keepdims: true }).add(1e-5));
    return c.div(s).mul(scale.ref).add(shift.ref);
  };
  const split = (x) => np.transpose(x.reshape([B, T, heads, D / heads]), [0, 2, 1, 3]);
  const block = (x, q, l, mask) => {
    const linear = (a, n) => np.matmul(a, q[`W${n}_${l}`].ref);
    const affine = (a, n) => linear(a, n).add(q[`b${n}_${l}`].ref);
    const a = norm(x.ref, q[`n1_${l}`], q[`s1_${l}`]);
    const [query, key, value] = [affine(a.ref, 'q'), linear(a.ref, 'k'), affine(a, 'v')].map(split);
    const scores = np
      .matmul(query, np.transpose(key, [0, 1, 3, 2]))
      .mul(1 / Math.sqrt(D / heads))
      .add(mask.ref);
    const mixed = np.transpose(np.matmul(nn.softmax(scores), value), [0, 2, 1, 3]).reshape([B, T, D]);
    const h = x.add(affine(mixed, 'o'));
    return h.ref.add(affine(nn.gelu(affine(norm(h, q[`n2_${l}`], q[`s2_${l}`]), '1')), '2'));
  };
  const objective = (q, { inputs, targets, mask }) => {
    let x = np.matmul(inputs, q.E.ref).reshape([B, T, D]).add(q.P.ref);
    for (let l = 0; l < depth; l++) x = block(x, q, l, mask);
    const z = np.matmul(norm(x, q.nf, q.sf), q.Wh.ref).add(q.bh.ref);
    return crossEntropy(z.reshape([B * T, V]), targets, B * T);
  };
  const step = (state, data) => {
    const [value, g] = valueAndGrad(objective)(tree.ref(state.p), data);
    return { ...adam(state, g), loss: value };
  };
  return { state: { ...adamState(p), loss: np.array(0) }, fixed, step, check: loss };
}

const matmul = (given) => ({
  state: { C: array(given.C) },
  fixed: { A: array(given.A) },
  step: ({ C }, { A }) => ({ C: np.matmul(A, C) }),
  check: ({ C }) => C,
});

function chain(given) {
  const step = (_, { x }) => {
    const bent = np.tanh(x.ref.mul(0.7).sub(0.2)).mul(nn.sigmoid(x.ref));
    const round = np
      .square(x.ref)
      .mul(0.3)
      .sub(np.exp(np.square(x.ref).mul(-1)).mul(0.5));
    const y = bent.add(round).add(nn.relu(x).mul(0.1));
    return { y, total: y.ref.sum() };
  };
  const state = { y: np.zeros([given.x.shape[0]]), total: np.array(0) };
  return { state, fixed: { x: array(given.x) }, step, check: ({ y }) => y };
}

/** A function of what is given, without a state. */
const map = (of) => (given) => ({
  state: { y: np.array(0) },
  fixed: arrays(given, Object.keys(given)),
  step: (_, fixed) => ({ y: of(fixed) }),
  check: ({ y }) => y,
});
const softmax = map(({ x }) => nn.softmax(x));
const layernorm = map(({ x, scale, shift }) => {
  const c = x.ref.sub(x.mean(-1, { keepdims: true }));
  return c.ref
    .div(np.sqrt(np.square(c).mean(-1, { keepdims: true }).add(1e-5)))
    .mul(scale)
    .add(shift);
});

function hvp(given) {
  const rows = given.x.shape[0];
  const names = ['W1', 'b1', 'W2', 'b2'];
  const v = Object.fromEntries(names.map((n) => [n, array(given[`v${n}`])]));
  const fixed = { x: array(given.x), y: array(given.y), p: arrays(given, names), v };
  const step = (_, { x, y, p, v: direction }) => {
    const objective = (q) => {
      const h = np.tanh(np.matmul(x.ref, q.W1).add(q.b1));
      return np.square(np.matmul(h, q.W2).add(q.b2).reshape([rows]).sub(y.ref)).mean();
    };
    return { h: jvp(grad(objective), [p], [direction])[1] };
  };
  return { state: { h: zeros(fixed.p) }, fixed, step, check: ({ h }) => h.W1 };
}

function adam10m(given, { L, N }) {
  const leaves = ({ values }) =>
    Array.from({ length: L }, (_, l) => np.array(values.slice(l * N * N, (l + 1) * N * N)).reshape([N, N]));
  const fixed = { g: leaves(given.g) };
  return { state: adamState(leaves(given.p)), fixed, step: (state, { g }) => adam(state, g), check: ({ p }) => p[0] };
}

function rosenbrock(given) {
  const f = (x) => {
    const [a, b] = [x.ref.slice(0), x.slice(1)];
    return np.square(a.ref.sub(1)).add(np.square(b.sub(np.square(a))).mul(100));
  };
  const step = (state) => adam(state, grad(f)(state.p.ref));
  return { state: adamState(array(given.x)), fixed: {}, step, check: ({ p }) => p };
}

function auglag(given, { M, N }) {
  const fixed = { A: array(given.A), b: array(given.b) };
  const step = ({ x, lam }, { A, b }) => {
    const rest = (u) => np.matmul(A.ref, u).sub(b.ref);
    const lagrangian = (u) => {
      const r = rest(u.ref);
      return np.square(u).sum().mul(0.5).add(lam.ref.mul(r.ref).sum()).add(np.square(r).sum().mul(0.5));
    };
    let u = x;
    for (let i = 0; i < 10; i++) u = u.ref.sub(grad(lagrangian)(u).mul(0.05));
    return { x: u.ref, lam: lam.ref.add(rest(u)) };
  };
  return { state: { x: np.zeros([N]), lam: np.zeros([M]) }, fixed, step, check: ({ x }) => x };
}

function ortho(given) {
  const [, rows, width] = given.x.shape;
  const half = (of, i) => ({ values: of.values.slice((of.values.length / 2) * i, (of.values.length / 2) * (i + 1)) });
  const fixed = {
    x: [0, 1].map((i) => np.array(half(given.x, i).values).reshape([rows, width])),
    y: [0, 1].map((i) => oneHot(half(given.y, i), 10)),
  };
  const step = ({ p }, { x, y }) => {
    const of = (i) => valueAndGrad((q) => crossEntropy(perceptron(q, x[i]), y[i], rows))(tree.ref(p));
    const [value, g1] = of(0);
    const [, g2] = of(1);
    const joined = (q, a, b) => {
      const share = b.ref.mul(a.ref).sum().div(np.square(a.ref).sum());
      return q.sub(a.ref.add(b).sub(share.mul(a)).mul(0.05));
    };
    return { p: tree.map(joined, p, g1, g2), loss: value };
  };
  const state = { p: arrays(given, matricesOf(given)), loss: np.array(0) };
  return { state, fixed, step, check: loss };
}

const programs = {
  mlp,
  dann,
  cnn,
  transformer,
  matmul,
  chain,
  softmax,
  layernorm,
  hvp,
  adam10m,
  rosenbrock,
  auglag,
  ortho,
};

/** @returns {Promise<import('../contender.ts').Contender | undefined>} */
export async function open(spec, given, dims) {
  const devices = await init('webgpu');
  if (!devices.includes('webgpu')) throw new Error('jax-js found no WebGPU device');
  defaultDevice('webgpu');
  const { state: first, fixed, step, check } = programs[spec](given, dims);
  let state = first;
  const compiled = jit(step);
  return {
    name: 'jax-js WebGPU',
    async run(n) {
      for (let i = 0; i < n; i++) state = compiled(state, tree.ref(fixed));
      tree.dispose(await blockUntilReady(tree.ref(state))); // Else each call would leave a reference behind.
    },
    check: () => check(state).ref.data(),
    async close() {
      tree.dispose(state);
      tree.dispose(fixed);
    },
  };
}
