/** Drawn loops and branches for the table-driven suites. Samples have no graph, so their regions are made by hand; ids below zero stay clear of a graph's. */
import { drawArray } from './arrays.ts';
import { branchAttrs, FLAG, INDEX } from './closed.ts';
import type { Attrs, NdArray, Node, OpSample, Region, Rng, TensorType } from './types.ts';

let last = -(2 ** 31);

function hand(op: string, inputs: readonly Node[], type: TensorType, attrs: Attrs = {}): Node {
  return { id: last++, op, inputs, attrs, type };
}
const param = (type: TensorType) =>
  hand('parameter', [], type, { source: 'region', name: 'p', dtype: type.dtype, shape: type.shape });
const constant = (value: number, type: TensorType) =>
  hand('constant', [], type, { dtype: type.dtype, shape: type.shape, value });
const same = (op: string, ...inputs: Node[]) => hand(op, inputs, inputs[0].type);

const scalar: TensorType = { dtype: 'f32', shape: [] };

function drawSmallShape(rng: Rng): number[] {
  return Array.from({ length: rng.integer(0, 3) }, () => rng.integer(1, 4));
}

/** tanh(h w + x + i / 4) and a count as carries, h x as row; with or without a condition on the sum of h, a count, and in either direction. */
export function drawLoop(rng: Rng): OpSample {
  const max = rng.integer(1, 5);
  const type: TensorType = { dtype: 'f32', shape: drawSmallShape(rng) };
  const [counted, conditional] = [rng.uniform() < 0.4, rng.uniform() < 0.4];
  const reversed = !conditional && rng.uniform() < 0.4;
  const xs: TensorType = { dtype: 'f32', shape: [max, ...type.shape] };
  const inputs: NdArray[] = [
    ...(counted ? [drawArray(rng, INDEX, () => rng.integer(0, max + 1))] : []),
    drawArray(rng, type),
    drawArray(rng, INDEX),
    drawArray(rng, xs),
    drawArray(rng, type),
  ];
  const attrs = { carries: 2, xs: 1, max, counted, reversed, body: loopBody(type) };
  return { inputs, attrs: conditional ? { ...attrs, cond: loopCondition(type) } : attrs };
}

function loopBody(type: TensorType): Region {
  const params = [INDEX, type, INDEX, type, type].map(param);
  const [i, h, count, x, w] = params;
  const turn = hand('mul', [hand('cast', [i], scalar, { dtype: 'f32' }), constant(0.25, scalar)], scalar);
  const spread = hand('broadcast', [turn], type, { shape: type.shape, axes: [] });
  const next = same('tanh', same('add', same('add', same('mul', h, w), x), spread));
  return { params, results: [next, same('add', count, constant(1, INDEX)), same('mul', h, x)] };
}

function loopCondition(type: TensorType): Region {
  const params = [INDEX, type, INDEX, type].map(param);
  const sum = hand('reduce_sum', [params[1]], scalar, { axes: type.shape.map((_, a) => a) });
  return { params, results: [hand('lt', [sum, constant(0.5, scalar)], FLAG)] };
}

/** sin(x) y, or x + y; and an integer. */
export function drawBranches(rng: Rng): OpSample {
  const type: TensorType = { dtype: 'f32', shape: drawSmallShape(rng) };
  const branch = (make: (x: Node, y: Node, k: Node) => Node[]): Region => {
    const params = [type, type, INDEX].map(param);
    return { params, results: make(params[0], params[1], params[2]) };
  };
  return {
    inputs: [drawArray(rng, FLAG), drawArray(rng, type), drawArray(rng, type), drawArray(rng, INDEX)],
    attrs: branchAttrs([
      branch((x, y, k) => [same('mul', same('sin', x), y), k]),
      branch((x, y, k) => [same('add', x, y), same('add', k, constant(1, INDEX))]),
    ]),
  };
}
