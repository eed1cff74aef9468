/** TF.js on WebGPU: eager, with its own Adam. The union package is needed for gradients. */
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-webgpu';

/** @returns {Promise<import('../workload.ts').Contender>} */
export async function open(workload) {
  if (!(await tf.setBackend('webgpu'))) throw new Error('TF.js found no WebGPU device');
  await tf.ready();
  const batch = workload.y.length;
  const x = tf.tensor2d(workload.x, [batch, workload.layers[0].inputs]);
  const onehot = tf.oneHot(tf.tensor1d(workload.y, 'int32'), 10).toFloat();
  const params = workload.layers.map((l) => ({
    W: tf.variable(tf.tensor2d(l.W, [l.inputs, l.outputs])),
    b: tf.variable(tf.tensor1d(l.b)),
  }));
  const optimizer = tf.train.adam(1e-3, 0.9, 0.999, 1e-8);
  let loss = tf.scalar(0);

  const objective = () =>
    tf.tidy(() => {
      let h = x;
      params.forEach((p, l) => {
        h = h.matMul(p.W).add(p.b);
        if (l < params.length - 1) h = h.relu();
      });
      return tf.losses.softmaxCrossEntropy(onehot, h);
    });
  return {
    name: 'TF.js WebGPU',
    async run(n) {
      for (let i = 0; i < n; i++) {
        loss.dispose();
        loss = optimizer.minimize(objective, true);
      }
      await tf.backend().device.queue.onSubmittedWorkDone();
      await loss.data(); // Work still queued in the backend is submitted here.
    },
    async loss() {
      return (await loss.data())[0];
    },
    async close() {
      tf.disposeVariables();
      optimizer.dispose();
    },
  };
}
