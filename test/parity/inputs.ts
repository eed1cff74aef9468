/**
 * Writes what all parity programs read: fixed data and initial parameters, as npz files that both Saddle and the Python program open. The images are
 * rows of MNIST; parameters are Glorot's uniform numbers from a seed, made here once, so that no random stream has to agree between systems.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { generator, givenOf, type Tensor, workloads } from '../../bench/workload.ts';
import { loadSource } from '../../runtime/data/load.ts';
import { nodeDataHost } from '../../runtime/data/node-files.ts';
import { writeNpz } from '../../runtime/data/npz.ts';
import { cases } from './cases.ts';

/**
 * Writes digits.npz, dann.npz, rules.npz and optax.npz with their init-*.npz into `folder`, CASE.npz of the workloads, and workloads.json, which
 * says for each of their cases which workload it is, its steps and dims.
 */
export async function writeInputs(folder: string): Promise<void> {
  const rows = 2560;
  const { x, y } = await digits(rows);
  const next = generator(7);
  write('digits', { x: rowsOf(x, 0, 1280, 784), y: labels(y, 0, 1280) });
  write('init-digits', layers(next, [784, 256, 128, 10], ''));

  // The target domain: other digits, inverted and dimmed, so that the domains can be told apart.
  const target = rowsOf(x, 1280, 1280, 784);
  write('dann', {
    xs: rowsOf(x, 0, 1280, 784),
    ys: labels(y, 0, 1280),
    xt: { values: target.values.map((v) => 0.8 - 0.6 * v), shape: target.shape },
  });
  write('init-dann', {
    ...layers(next, [784, 256, 128, 64], 'f'),
    ...layers(next, [64, 10], 'l'),
    ...layers(next, [64, 32, 1], 'd'),
  });

  // A small regression-like task for the rules: 64 rows of 16 features, 4 classes, all rows at every step.
  const features = Float32Array.from({ length: 64 * 16 }, () => 2 * next() - 1);
  const task = {
    x: { values: features, shape: [64, 16] },
    y: {
      values: Int32Array.from({ length: 64 }, (_, i) => classOf(features.subarray(16 * i, 16 * i + 16))),
      shape: [64],
    },
  };
  const start = layers(next, [16, 12, 4], '');
  for (const name of ['rules', 'optax']) {
    write(name, task);
    write(`init-${name}`, start);
  }

  const settings: Record<string, object> = {};
  for (const { name, workload, steps, set } of cases) {
    if (!workload) continue;
    const { spec } = workloads[workload];
    settings[name] = { spec, steps, set };
    // One row, as the specs declare it.
    const given = Object.entries(givenOf(workloads[workload], set));
    write(name, Object.fromEntries(given.map(([field, t]) => [field, { ...t, shape: [1, ...t.shape] }])));
  }
  writeFileSync(path.join(folder, 'workloads.json'), JSON.stringify(settings));

  function write(name: string, arrays: Record<string, Tensor>): void {
    writeFileSync(path.join(folder, `${name}.npz`), writeNpz(arrays));
  }
}

/** The quadrant of the sums of the first and of the second half. */
function classOf(row: Float32Array): number {
  const sum = (part: Float32Array) => part.reduce((a, b) => a + b, 0);
  return (sum(row.subarray(0, 8)) > 0 ? 2 : 0) + (sum(row.subarray(8)) > 0 ? 1 : 0);
}

async function digits(rows: number): Promise<{ x: Float32Array; y: Int32Array }> {
  const host = nodeDataHost({ specFolder: path.dirname(fileURLToPath(import.meta.url)) });
  const fields = [
    { name: 'x', type: { dtype: 'f32', shape: [rows, 784] }, storage: 'f32', scale: 1 },
    { name: 'y', type: { dtype: 'i32', shape: [rows] }, storage: 'i32', scale: 1 },
  ] as const;
  const loaded = await loadSource('mnist:train', fields, [0, rows], host);
  const field = (name: string) => {
    const values = loaded.fields.get(name);
    if (!values) throw new Error(`mnist:train gives no field ${name}`);
    return values;
  };
  return { x: Float32Array.from(field('x')), y: Int32Array.from(field('y')) };
}

function rowsOf(x: Float32Array, from: number, count: number, width: number): Tensor {
  return { values: x.slice(from * width, (from + count) * width), shape: [count, width] };
}

function labels(y: Int32Array, from: number, count: number): Tensor {
  return { values: y.slice(from, from + count), shape: [count] };
}

/**
 * Weights and biases of consecutive layers, `W1`, `b1`, `W2`, … with a prefix. Each has a first axis of one row: the fields of a data set share
 * their rows, and parameters have none in common. Biases are not zero, so that a wrong one shows.
 */
function layers(next: () => number, sizes: readonly number[], prefix: string): Record<string, Tensor> {
  const result: Record<string, Tensor> = {};
  for (let l = 0; l + 1 < sizes.length; l++) {
    const [inputs, outputs] = [sizes[l], sizes[l + 1]];
    const limit = Math.sqrt(6 / (inputs + outputs));
    const draw = (length: number, scale: number) => Float32Array.from({ length }, () => (2 * next() - 1) * scale);
    result[`${prefix}W${l + 1}`] = { values: draw(inputs * outputs, limit), shape: [1, inputs, outputs] };
    result[`${prefix}b${l + 1}`] = { values: draw(outputs, 0.05), shape: [1, outputs] };
  }
  return result;
}
