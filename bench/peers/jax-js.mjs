/** jax-js on WebGPU: the loss, its gradient and Adam (written by hand, the library has none) in one `jit`. */
import { blockUntilReady, defaultDevice, init, jit, nn, numpy as np, tree, valueAndGrad } from '@jax-js/jax';

/** @returns {Promise<import('../workload.ts').Contender>} */
export async function open(workload) {
  const devices = await init('webgpu');
  if (!devices.includes('webgpu')) throw new Error('jax-js found no WebGPU device');
  defaultDevice('webgpu');
  const batch = workload.y.length;
  const x = np.array(workload.x).reshape([batch, workload.layers[0].inputs]);
  const onehot = nn.oneHot(np.array(workload.y, { dtype: np.int32 }), 10);
  let params = workload.layers.map((l) => ({ W: np.array(l.W).reshape([l.inputs, l.outputs]), b: np.array(l.b) }));
  let m = tree.map((p) => np.zeros(p.shape), tree.ref(params));
  let v = tree.map((p) => np.zeros(p.shape), tree.ref(params));
  let t = np.array(0);
  let loss = np.array(0);

  function objective(p, inputs, targets) {
    let h = inputs;
    for (let l = 0; l < p.length; l++) {
      h = np.matmul(h, p[l].W).add(p[l].b);
      if (l < p.length - 1) h = nn.relu(h);
    }
    return nn
      .logSoftmax(h)
      .mul(targets)
      .sum()
      .mul(-1 / batch);
  }
  const step = jit((p, m0, v0, t0, inputs, targets) => {
    const [value, g] = valueAndGrad(objective)(tree.ref(p), inputs, targets);
    const k = t0.add(1);
    const m1 = tree.map((a, b) => a.mul(0.9).add(b.mul(0.1)), m0, tree.ref(g));
    const v1 = tree.map((a, b) => a.mul(0.999).add(np.square(b).mul(0.001)), v0, g);
    const c1 = np.array(1).sub(np.exp(k.ref.mul(Math.log(0.9))));
    const c2 = np.array(1).sub(np.exp(k.ref.mul(Math.log(0.999))));
    const p1 = tree.map(
      (a, b, c) =>
        a.sub(
          b
            .div(c1.ref)
            .div(np.sqrt(c.div(c2.ref)).add(1e-8))
            .mul(1e-3),
        ),
      p,
      tree.ref(m1),
      tree.ref(v1),
    );
    c1.dispose();
    c2.dispose();
    return [p1, m1, v1, k, value];
  });
  return {
    name: 'jax-js WebGPU',
    async run(n) {
      for (let i = 0; i < n; i++) {
        loss.dispose();
        [params, m, v, t, loss] = step(params, m, v, t, x.ref, onehot.ref);
      }
      tree.dispose(await blockUntilReady(tree.ref(params))); // Else each call would leave a reference behind.
    },
    async loss() {
      return (await loss.ref.data())[0];
    },
    async close() {
      for (const value of [params, m, v, t, x, onehot, loss]) tree.dispose(value);
    },
  };
}
