/**
 * TF.js on WebGPU: eager, with its own optimizers where it has them. The union package is needed for gradients. It has no right second derivatives (those
 * through tanh are dropped without an error), so the Hessian-vector product is left out.
 */
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-webgpu';

const tensor = ({ values, shape }) => tf.tensor(values, [...shape], values instanceof Int32Array ? 'int32' : 'float32');
const variables = (given, names) => Object.fromEntries(names.map((n) => [n, tf.variable(tensor(given[n]))]));
const oneHot = (t, classes) => tf.oneHot(tensor(t), classes).toFloat();
const matricesOf = (given) => Object.keys(given).filter((n) => /^[fld]?[Wb]\d$/.test(n));
const crossEntropy = (logits, targets) => tf.losses.softmaxCrossEntropy(targets, logits);

function perceptron(p, x, prefix = '', layers = 3) {
  let h = x;
  for (let l = 1; l <= layers; l++) {
    h = h.matMul(p[`${prefix}W${l}`]).add(p[`${prefix}b${l}`]);
    if (l < layers) h = h.relu();
  }
  return h;
}

/** One step of an optimizer of the library; the loss is kept. */
function descent(optimizer, objective) {
  let loss = tf.scalar(0);
  return {
    step() {
      loss.dispose();
      loss = optimizer.minimize(objective, true);
    },
    check: () => loss,
  };
}

const adam = () => tf.train.adam(1e-3, 0.9, 0.999, 1e-8);

function mlp(given) {
  const [x, y] = [tensor(given.x), oneHot(given.y, 10)];
  const p = variables(given, matricesOf(given));
  return descent(adam(), () => crossEntropy(perceptron(p, x), y));
}

const reversal = tf.customGrad((z) => ({ value: z.clone(), gradFunc: (g) => g.mul(-0.5) }));

function dann(given) {
  const rows = given.xs.shape[0];
  const x = tf.concat([tensor(given.xs), tensor(given.xt)]);
  const y = oneHot(given.ys, 10);
  const domain = tf.concat([tf.zeros([rows]), tf.ones([rows])]);
  const p = variables(given, matricesOf(given));
  const optimizer = tf.train.momentum(0.01, 0.9);
  let kept = tf.scalar(0);
  const objective = () => {
    const z = perceptron(p, x, 'f', 2).relu();
    const label = crossEntropy(perceptron(p, z.slice([0, 0], [rows, -1]), 'l', 1), y);
    kept.dispose();
    kept = tf.keep(label.clone());
    const d = perceptron(p, reversal(z), 'd', 2).reshape([2 * rows]);
    return label.add(d.softplus().sub(d.mul(domain)).mean());
  };
  return { ...descent(optimizer, objective), step: () => optimizer.minimize(objective), check: () => kept };
}

function cnn(given) {
  const rows = given.x.shape[0];
  const [x, y] = [tensor(given.x), oneHot(given.y, 10)];
  const p = variables(given, ['K1', 'c1', 'K2', 'c2', 'W', 'b']);
  const layer = (h, k, c) => tf.maxPool(tf.conv2d(h, k, 1, 'same').add(c).relu(), 2, 2, 'same');
  const logits = () =>
    layer(layer(x, p.K1, p.c1), p.K2, p.c2)
      .reshape([rows, 1568])
      .matMul(p.W)
      .add(p.b);
  return descent(tf.train.sgd(0.05), () => crossEntropy(logits(), y));
}

function transformer(given, { B, T, D, V, depth, heads }) {
  const top = ['E', 'P', 'nf', 'sf', 'Wh', 'bh'];
  const p = variables(given, top);
  for (let l = 0; l < depth; l++)
    for (const [n, t] of Object.entries(given)) {
      if (top.includes(n) || n === 'tokens') continue;
      const size = t.values.length / depth;
      const part = { values: t.values.slice(l * size, (l + 1) * size), shape: t.shape.slice(1) };
      p[`${n}_${l}`] = tf.variable(tensor(part));
    }
  const tokens = tensor(given.tokens);
  const inputs = tokens.slice([0, 0], [B, T]).flatten();
  const targets = tf.oneHot(tokens.slice([0, 1], [B, T]).flatten(), V).toFloat();
  const mask = tf.linalg
    .bandPart(tf.ones([T, T]), -1, 0)
    .sub(1)
    .mul(1e30);
  const norm = (x, scale, shift) => {
    const c = x.sub(x.mean(-1, true));
    return c.div(c.square().mean(-1, true).add(1e-5).sqrt()).mul(scale).add(shift);
  };
  const gelu = (x) =>
    x.mul(0.5).mul(
      x
        .add(x.pow(3).mul(0.044715))
        .mul(Math.sqrt(2 / Math.PI))
        .tanh()
        .add(1),
    );
  const split = (x) => x.reshape([B, T, heads, D / heads]).transpose([0, 2, 1, 3]);
  const block = (x, l) => {
    const linear = (a, n) => a.matMul(p[`W${n}_${l}`]);
    const affine = (a, n) => linear(a, n).add(p[`b${n}_${l}`]);
    const a = norm(x, p[`n1_${l}`], p[`s1_${l}`]);
    const [query, key, value] = [affine(a, 'q'), linear(a, 'k'), affine(a, 'v')].map(split);
    const scores = query
      .matMul(key, false, true)
      .mul(1 / Math.sqrt(D / heads))
      .add(mask);
    const mixed = scores
      .softmax()
      .matMul(value)
      .transpose([0, 2, 1, 3])
      .reshape([B * T, D]);
    const h = x.add(affine(mixed, 'o'));
    return h.add(affine(gelu(affine(norm(h, p[`n2_${l}`], p[`s2_${l}`]), '1')), '2'));
  };
  const objective = () => {
    let x = p.E.gather(inputs)
      .reshape([B, T, D])
      .add(p.P)
      .reshape([B * T, D]);
    for (let l = 0; l < depth; l++) x = block(x, l);
    return crossEntropy(norm(x, p.nf, p.sf).matMul(p.Wh).add(p.bh), targets);
  };
  return descent(adam(), objective);
}

/** A function whose value is kept until the next one. */
function kept(first, of) {
  let value = first;
  return {
    step() {
      const next = tf.tidy(() => of(value));
      value.dispose();
      value = next;
    },
    check: () => value,
  };
}

function matmul(given) {
  const A = tensor(given.A);
  return kept(tensor(given.C), (C) => A.matMul(C));
}

function chain(given) {
  const x = tensor(given.x);
  let total = tf.scalar(0);
  return kept(tf.scalar(0), () => {
    const bent = x.mul(0.7).sub(0.2).tanh().mul(x.sigmoid());
    const round = x.square().mul(0.3).sub(x.square().neg().exp().mul(0.5));
    const y = bent.add(round).add(x.relu().mul(0.1));
    total.dispose();
    total = tf.keep(y.sum());
    return y;
  });
}

function softmax(given) {
  const x = tensor(given.x);
  return kept(tf.scalar(0), () => x.softmax());
}

function layernorm(given) {
  const [x, scale, shift] = [given.x, given.scale, given.shift].map(tensor);
  return kept(tf.scalar(0), () => {
    const c = x.sub(x.mean(-1, true));
    return c.div(c.square().mean(-1, true).add(1e-5).sqrt()).mul(scale).add(shift);
  });
}

/** By the optimizer's own entry for given gradients. */
function adam10m(given, { L, N }) {
  const leaf = ({ values }, l) => tf.tensor2d(values.slice(l * N * N, (l + 1) * N * N), [N, N]);
  const names = Array.from({ length: L }, (_, l) => `leaf${l}`);
  const p = names.map((name, l) => tf.variable(leaf(given.p, l), true, name));
  const g = Object.fromEntries(names.map((name, l) => [name, leaf(given.g, l)]));
  const optimizer = adam();
  return { step: () => optimizer.applyGradients(g), check: () => p[0] };
}

function rosenbrock(given) {
  const x = tf.variable(tensor(given.x));
  const optimizer = adam();
  const f = () => {
    const [a, b] = [x.slice(0, 1), x.slice(1, 1)];
    return a.sub(1).square().add(b.sub(a.square()).square().mul(100)).sum();
  };
  return { step: () => optimizer.minimize(f), check: () => x };
}

function auglag(given, { M, N }) {
  const [A, b] = [tensor(given.A), tensor(given.b)];
  const x = tf.variable(tf.zeros([N]));
  const lam = tf.variable(tf.zeros([M]));
  const rest = () => A.dot(x).sub(b);
  const slope = tf.grad((u) => {
    const r = A.dot(u).sub(b);
    return u.square().sum().mul(0.5).add(lam.mul(r).sum()).add(r.square().sum().mul(0.5));
  });
  const step = () =>
    tf.tidy(() => {
      for (let i = 0; i < 10; i++) x.assign(x.sub(slope(x).mul(0.05)));
      lam.assign(lam.add(rest()));
    });
  return { step, check: () => x };
}

function ortho(given) {
  const [x1, x2] = tf.unstack(tensor(given.x));
  const [y1, y2] = tf.unstack(oneHot(given.y, 10));
  const p = variables(given, matricesOf(given));
  const list = Object.values(p);
  let loss = tf.scalar(0);
  const step = () =>
    tf.tidy(() => {
      const { value, grads: g1 } = tf.variableGrads(() => crossEntropy(perceptron(p, x1), y1), list);
      const { grads: g2 } = tf.variableGrads(() => crossEntropy(perceptron(p, x2), y2), list);
      for (const v of list) {
        const [a, b] = [g1[v.name], g2[v.name]];
        const share = b.mul(a).sum().div(a.square().sum());
        v.assign(v.sub(a.add(b).sub(share.mul(a)).mul(0.05)));
      }
      loss.dispose();
      loss = tf.keep(value);
    });
  return { step, check: () => loss };
}

const programs = { mlp, dann, cnn, transformer, matmul, chain, softmax, layernorm, adam10m, rosenbrock, auglag, ortho };

/** @returns {Promise<import('../contender.ts').Contender | undefined>} undefined where the system does not express the workload. */
export async function open(spec, given, dims) {
  if (!programs[spec]) return undefined;
  if (!(await tf.setBackend('webgpu'))) throw new Error('TF.js found no WebGPU device');
  await tf.ready();
  const { step, check } = programs[spec](given, dims);
  return {
    name: 'TF.js WebGPU',
    async run(n) {
      for (let i = 0; i < n; i++) step();
      await tf.backend().device.queue.onSubmittedWorkDone();
      const one = tf.tidy(() => check().flatten().slice(0, 1));
      await one.data(); // Work still queued in the backend is submitted here.
      one.dispose();
    },
    check: () => check().data(),
    async close() {
      tf.disposeVariables();
    },
  };
}
