/**
 * Long reductions with few results are done in two stages, so that many invocations share the work: element s of the first stage's extra leading axis
 * takes every S-th item. Contractions with few results and a long shared axis become a batch of shorter ones and a sum; scatter-adds become contractions.
 */
import type { Node } from '../ops/types.ts';
import { op as opOf } from '../ops/table.ts';
import { reachable, sizeOf } from '../ir/tensor/graph.ts';
import { inPieces } from './cumulative.ts';
import { contractionOf } from './dims.ts';
import { inBlocks } from './factor.ts';
import { convAsProduct } from './windows.ts';
import { inRuns } from './merge-sort.ts';
import type { DeviceProfile } from './profile.ts';

/** Items that one invocation may as well take alone. */
const SHORT = 2048;

export function splitReductions(roots: readonly Node[], profile: DeviceProfile): Node[] {
  const wanted = profile.class === 'software' ? 64 : 4096;
  const done = new Map<Node, Node>();
  for (const node of reachable(roots)) {
    const inputs = node.inputs.map((i) => done.get(i) ?? i);
    const same = inputs.every((input, k) => input === node.inputs[k]);
    const rebuilt: Node = same ? node : { ...node, inputs };
    done.set(node, split(rebuilt, wanted));
  }
  return roots.map((r) => done.get(r) as Node);
}

function split(node: Node, wanted: number): Node {
  const { lower } = opOf(node.op);
  if (lower.family === 'reduce' && node.attrs.axes !== undefined) return splitReduce(node, wanted);
  if (lower.family === 'scan') return inPieces(node, wanted);
  if (lower.family === 'sort') return inRuns(node);
  if (lower.family === 'factor') return inBlocks(node);
  if (node.op === 'conv') return convAsProduct(node);
  if (lower.family === 'contraction') return splitContraction(node, wanted);
  if (lower.family === 'scatter') return scatterAsProduct(node) ?? node;
  return node;
}

function splitReduce(node: Node, wanted: number): Node {
  const [x] = node.inputs;
  const axes = node.attrs.axes as readonly number[];
  const length = sizeOf(axes.map((a) => x.type.shape[a]));
  const outer = sizeOf(node.type.shape);
  if (length <= SHORT || outer === 0 || outer >= wanted) return node;
  const splits = Math.min(Math.ceil(wanted / outer), Math.floor(length / 256));
  if (splits < 2) return node;
  const type = { dtype: node.type.dtype, shape: [splits, ...node.type.shape] };
  if (wanted === 64) {
    const chunked = inChunks(node, x, axes, splits);
    if (chunked) return chunked;
  }
  // A half id keeps the order of ids: after the inputs, before the result.
  const partial: Node = { ...node, id: node.id - 0.5, type, attrs: { axes, $splits: splits } };
  return { ...node, inputs: [partial], attrs: { axes: [0] } };
}

/**
 * The first stage over consecutive pieces, where the size allows: then what is reduced can be stored by the same kernel. (Devices with many lanes want
 * neighbours to read neighbours instead.)
 */
function inChunks(node: Node, x: Node, axes: readonly number[], most: number): Node | undefined {
  const { shape } = x.type;
  const whole = axes.length === shape.length;
  if (!whole && axes.length !== 1) return undefined;
  const length = whole ? sizeOf(shape) : shape[axes[0]];
  const splits = divisor(length, most);
  if (splits < most / 2) return undefined;
  const at = whole ? 0 : axes[0];
  const flat: Node = whole
    ? {
        id: node.id - 0.8,
        op: 'reshape',
        inputs: [x],
        attrs: { shape: [length] },
        type: { dtype: x.type.dtype, shape: [length] },
        span: x.span,
      }
    : x;
  const pieces = splitAxis(flat, at, splits, node.id - 0.75);
  const kept = pieces.type.shape.filter((_, a) => a !== at + 1);
  const partial: Node = {
    ...node,
    id: node.id - 0.5,
    inputs: [pieces],
    attrs: { axes: [at + 1] },
    type: { dtype: node.type.dtype, shape: kept },
  };
  return { ...node, inputs: [partial], attrs: { axes: [at] } };
}

function splitContraction(node: Node, wanted: number): Node {
  const c = contractionOf(node);
  const results = c.batch * c.m * c.n;
  const contract = node.attrs.lhs_contract as readonly number[];
  if (contract.length !== 1 || node.type.dtype !== 'f32' || results === 0 || c.k < 1024) return node;
  // A tile of 16 x 32 results is one piece of work.
  const pieces = c.m >= 4 && c.n >= 4 ? c.batch * Math.ceil(c.m / 16) * Math.ceil(c.n / 32) : results;
  const target = wanted === 64 ? 16 : 256;
  if (pieces * 2 > target) return node;
  const splits = divisor(c.k, Math.ceil(target / pieces));
  if (splits < 2) return node;
  const lhsBatch = node.attrs.lhs_batch as readonly number[];
  const rhsBatch = node.attrs.rhs_batch as readonly number[];
  const rhsContract = node.attrs.rhs_contract as readonly number[];
  const left = splitAxis(node.inputs[0], contract[0], splits, node.id - 0.75);
  const right = splitAxis(node.inputs[1], rhsContract[0], splits, node.id - 0.7);
  const moved = (axis: number, at: number): number => (axis > at ? axis + 1 : axis);
  const partial: Node = {
    ...node,
    id: node.id - 0.5,
    inputs: [left, right],
    attrs: {
      lhs_contract: [contract[0] + 1],
      rhs_contract: [rhsContract[0] + 1],
      lhs_batch: [contract[0], ...lhsBatch.map((a) => moved(a, contract[0]))],
      rhs_batch: [rhsContract[0], ...rhsBatch.map((a) => moved(a, rhsContract[0]))],
    },
    type: { dtype: 'f32', shape: [splits, ...node.type.shape] },
  };
  return { ...node, op: 'reduce_sum', inputs: [partial], attrs: { axes: [0] } };
}

/** x with one axis as [splits, size / splits]. */
function splitAxis(x: Node, axis: number, splits: number, id: number): Node {
  const { shape } = x.type;
  const to = [...shape.slice(0, axis), splits, shape[axis] / splits, ...shape.slice(axis + 1)];
  return {
    id,
    op: 'reshape',
    inputs: [x],
    attrs: { shape: to },
    type: { dtype: x.type.dtype, shape: to },
    span: x.span,
  };
}

/** Greatest divisor of k up to `most` that leaves pieces of at least 64, of a multiple of four where there is one. */
function divisor(k: number, most: number): number {
  let best = 1;
  for (let d = 2; d <= most && k / d >= 64; d++) {
    if (k % d !== 0) continue;
    if ((k / d) % 4 === 0 || (k / best) % 4 !== 0) best = d;
  }
  return best;
}

/** Table sizes up to which a scatter-add is done as a product with a one-hot matrix that exists only in registers. */
const MAX_ONE_HOT = 8192;

/**
 * scatter_add(indices, updates) along the first axis as one_hot(indices)ᵀ @ updates: as much arithmetic as comparing every index with every row, but in
 * tiles. The indices pass through a gather from 0, 1, 2 …, which is the identity and raises the fault of an index out of range.
 */
function scatterAsProduct(node: Node): Node | undefined {
  const [indices, updates] = node.inputs;
  const rows = node.attrs.size as number;
  const count = sizeOf(indices.type.shape);
  const rank = indices.type.shape.length;
  const width = sizeOf(updates.type.shape.slice(rank));
  if (node.attrs.axis !== 0 || node.type.dtype !== 'f32' || count < 8 || width < 4 || rows < 4 || rows > MAX_ONE_HOT) {
    return undefined;
  }
  let id = node.id - 0.9;
  const make = (op: string, inputs: readonly Node[], type: Node['type'], attrs: Node['attrs']): Node => {
    id += 0.05;
    return { id, op, inputs, attrs, type, span: node.span, path: node.path };
  };
  const i32 = (...shape: number[]): Node['type'] => ({ dtype: 'i32', shape });
  const flat = make('reshape', [indices], i32(count), { shape: [count] });
  const numbers = make('iota', [], i32(rows), { shape: [rows], axis: 0, dtype: 'i32' });
  const checked = make('gather', [numbers, flat], i32(count), { axis: 0 });
  const spread = make('broadcast', [checked], i32(count, rows), { shape: [count, rows], axes: [0] });
  const columns = make('iota', [], i32(count, rows), { shape: [count, rows], axis: 1, dtype: 'i32' });
  const hot = make('eq', [spread, columns], { dtype: 'bool', shape: [count, rows] }, {});
  const weights = make('cast', [hot], { dtype: 'f32', shape: [count, rows] }, { dtype: 'f32' });
  const matrix = make('reshape', [updates], { dtype: 'f32', shape: [count, width] }, { shape: [count, width] });
  const attrs = { lhs_contract: [0], rhs_contract: [0], lhs_batch: [], rhs_batch: [] };
  const product = make('dot_general', [weights, matrix], { dtype: 'f32', shape: [rows, width] }, attrs);
  return { ...node, op: 'reshape', inputs: [product], attrs: { shape: node.type.shape } };
}
