/**
 * Every differentiable primitive against central differences in float64: reverse mode to orders 1 and 2 along random directions, and
 * forward mode against reverse mode. Barriers are left out: their derivatives differ from those of their values on purpose.
 */
import { describe, expect, it } from 'vitest';
import { grad, jvp } from '../../compiler/autodiff/index.ts';
import { ops } from '../../compiler/ops/table.ts';
import type { NdArray, Node, OpDef, OpSample, Rng } from '../../compiler/ops/types.ts';
import { seededRng, seedOf } from '../fuzz/rng.ts';
import { caseOf, moved, normals, run, smoothSamples, weighted } from './cases.ts';

const CASES = 8;
const STEP = 1e-5;

const differentiable = ops.filter((def) => (def.vjp !== 'none' && def.lower.family !== 'alias') || def.several);

/** Directions for the float inputs. */
function directions(sample: OpSample, rng: Rng): (NdArray | undefined)[] {
  return sample.inputs.map((input) => (input.type.dtype === 'f32' ? normals(rng, input.type) : undefined));
}

/** Sum of <x_i, y_i> and the sum of the sizes of its terms. */
function pairing(xs: readonly NdArray[], ys: readonly NdArray[]): { sum: number; scale: number } {
  let [sum, scale] = [0, 0];
  xs.forEach((x, i) =>
    x.data.forEach((v, k) => {
      sum += v * ys[i].data[k];
      scale += Math.abs(v * ys[i].data[k]);
    }),
  );
  return { sum, scale };
}

function check(def: OpDef, sample: OpSample, rng: Rng): void {
  const { graph, params, node } = caseOf(def, sample);
  const floats = params.filter((p) => p.type.dtype === 'f32');
  const along = directions(sample, rng);
  const defined = along.filter((d) => d !== undefined);
  const at = (step: number) => sample.inputs.map((input, i) => moved(input, along[i], step));
  const value = (root: Node, step: number) => run([root], params, at(step))[0].data[0];
  const central = (root: Node) => (value(root, STEP) - value(root, -STEP)) / (2 * STEP);
  const near = (actual: number, expected: number, scale: number, relative: number) =>
    expect(Math.abs(actual - expected)).toBeLessThan(relative * Math.max(scale, Math.abs(expected), 1e-3));

  // order 1
  const objective = weighted(graph, node, normals(rng, node.type));
  const first = grad(graph, objective, floats);
  const slopes = run(first.values, params, sample.inputs);
  const slope = pairing(slopes, defined);
  near(slope.sum, central(objective), slope.scale, 1e-6);

  // forward mode
  const tangents = defined.map((d, i) => graph.dense([...d.data], floats[i].type));
  const forward = jvp(graph, [objective], floats, tangents).values[0];
  near(value(forward, 0), slope.sum, slope.scale, 1e-10);

  // order 2: differentiate <gradient, fixed direction>
  const terms = first.values.map((g, i) => weighted(graph, g, normals(rng, floats[i].type)));
  const inner = terms.reduce((a, b) => graph.make('add', [a, b]));
  const second = pairing(run(grad(graph, inner, floats).values, params, sample.inputs), defined);
  near(second.sum, central(inner), second.scale, 1e-4);
  const forwardSecond = jvp(graph, [inner], floats, tangents).values[0];
  near(value(forwardSecond, 0), second.sum, second.scale, 1e-9);
}

describe('derivatives agree with central differences', () => {
  for (const def of differentiable) {
    it(def.name, () => {
      const rng = seededRng(seedOf(def.name));
      const samples = smoothSamples(def, rng, CASES, 1e-2);
      expect(samples).toHaveLength(CASES);
      for (const sample of samples) check(def, sample, rng);
    });
  }
});
