/**
 * Cholesky factors and triangular systems. A small one is a kernel in which one invocation does a whole matrix (or a column of right sides), reading back what it
 * wrote itself. A large one is split in two along the diagonal, again and again, so that nearly all of the work is contractions:
 *
 *   [A11    ]   L11 = chol(A11), L21 = A21 L11⁻ᵀ,        [T11    ] [X1]   [B1]   X1 = T11⁻¹ B1
 *   [A21 A22]   L22 = chol(A22 - L21 L21ᵀ)               [T21 T22] [X2] = [B2]   X2 = T22⁻¹ (B2 - T21 X1)
 */
import { InternalError } from '../diagnostics/diagnostic.ts';
import { range } from '../ops/arrays.ts';
import type { Node } from '../ops/types.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import { BranchBuilder, type Value } from '../ir/kernel/builder.ts';
import {
  addIndex,
  clampIndex,
  divIndex,
  flatten,
  ix,
  modIndex,
  ofVariable,
  scaleIndex,
  unflatten,
  ofAtom,
  type IndexExpr,
} from '../ir/kernel/index-expr.ts';
import type { Kernel, View } from '../ir/kernel/kernel.ts';
import type { Root } from './nest.ts';
import { launchShape, type DeviceProfile } from './profile.ts';
import { Puller } from './pull.ts';
import type { Storage } from './storage.ts';

/** Rows up to which a block is done by one invocation: every block is a kernel that a driver compiles once, so large matrices have larger ones. */
const leafOf = (n: number): number => (n <= 512 ? 64 : 128);

/** Large factors and systems in blocks; small ones as they are. */
export function inBlocks(node: Node): Node {
  const n = node.inputs[0].type.shape.at(-2) as number;
  if (n <= leafOf(n)) return node;
  const blocks = new Blocks(node, leafOf(n));
  if (node.op === 'cholesky') return blocks.replaced(blocks.cholesky(blocks.symmetric(node.inputs[0])));
  if (node.op !== 'triangular_solve') throw new InternalError(`no blocks for ${node.op}`);
  const { lower, transpose } = node.attrs as { readonly lower: boolean; readonly transpose: boolean };
  return blocks.replaced(blocks.solve(node.inputs[0], node.inputs[1], lower, transpose));
}

/** Nodes over the last two axes, with ids between those of a node's inputs and its own. */
class Blocks {
  private readonly node: Node;
  private readonly lead: readonly number[];
  private readonly leaf: number;
  private id: number;

  constructor(node: Node, leaf: number) {
    this.node = node;
    this.leaf = leaf;
    this.lead = node.type.shape.slice(0, -2);
    this.id = node.id - 0.9;
  }

  /** The result under the id of the node that it stands for. */
  replaced(result: Node): Node {
    return { ...result, id: this.node.id };
  }

  cholesky(a: Node): Node {
    const n = a.type.shape.at(-1) as number;
    if (n <= this.leaf) return this.make('cholesky', [a], a.type.shape, {});
    const h = half(n);
    const top = this.cholesky(this.block(a, [0, h], [0, h]));
    const below = this.turn(this.solve(top, this.turn(this.block(a, [h, n], [0, h])), true, false));
    const rest = this.subtract(this.block(a, [h, n], [h, n]), this.times(below, below, true));
    const bottom = this.cholesky(rest);
    const zeros = this.make('constant', [], [...this.lead, h, n - h], { value: 0 });
    return this.join(this.join(top, zeros, 1), this.join(below, bottom, 1), 0);
  }

  solve(t: Node, b: Node, lower: boolean, transpose: boolean): Node {
    const n = t.type.shape.at(-1) as number;
    const columns = b.type.shape.at(-1) as number;
    if (n <= this.leaf) return this.make('triangular_solve', [t, b], b.type.shape, { lower, transpose });
    const h = half(n);
    const parts = [
      [0, h],
      [h, n],
    ] as const;
    // The block off the diagonal, read the way the equations read it.
    const off = lower ? this.block(t, parts[1], parts[0]) : this.block(t, parts[0], parts[1]);
    const coupling = transpose ? this.turn(off) : off;
    const own = parts.map((p) => this.block(t, p, p));
    const right = parts.map((p) => this.block(b, p, [0, columns]));
    const [first, second] = lower !== transpose ? [0, 1] : [1, 0];
    const x = this.solve(own[first], right[first], lower, transpose);
    const y = this.solve(own[second], this.subtract(right[second], this.times(coupling, x, false)), lower, transpose);
    return first === 0 ? this.join(x, y, 0) : this.join(y, x, 0);
  }

  symmetric(a: Node): Node {
    const sum = this.make('add', [a, this.turn(a)], a.type.shape, {});
    const two = this.make('constant', [], a.type.shape, { value: 0.5 });
    return this.make('mul', [sum, two], a.type.shape, {});
  }

  private make(op: string, inputs: readonly Node[], shape: readonly number[], attrs: Node['attrs']): Node {
    this.id += 0.9 / 65536;
    const { span, path } = this.node;
    return { id: this.id, op, inputs, attrs, type: { dtype: 'f32', shape }, span, path };
  }

  private block(x: Node, rows: readonly [number, number], columns: readonly [number, number]): Node {
    const start = [...this.lead.map(() => 0), rows[0], columns[0]];
    const limit = [...this.lead, rows[1], columns[1]];
    const shape = limit.map((end, a) => end - start[a]);
    return this.make('slice', [x], shape, { start, limit, stride: start.map(() => 1) });
  }

  private turn(x: Node): Node {
    const [rows, columns] = x.type.shape.slice(-2);
    const rank = this.lead.length;
    const axes = [...range(rank), rank + 1, rank];
    return this.make('permute', [x], [...this.lead, columns, rows], { axes });
  }

  private join(x: Node, y: Node, along: 0 | 1): Node {
    const axis = this.lead.length + along;
    const shape = x.type.shape.with(axis, x.type.shape[axis] + y.type.shape[axis]);
    return this.make('concat', [x, y], shape, { axis });
  }

  private subtract(x: Node, y: Node): Node {
    return this.make('sub', [x, y], x.type.shape, {});
  }

  /** x y, or x yᵀ. */
  private times(x: Node, y: Node, turned: boolean): Node {
    const rank = this.lead.length;
    const lead = range(rank);
    const columns = y.type.shape[turned ? rank : rank + 1];
    return this.make('dot_general', [x, y], [...x.type.shape.slice(0, -1), columns], {
      lhs_contract: [rank + 1],
      rhs_contract: [turned ? rank + 1 : rank],
      lhs_batch: lead,
      rhs_batch: lead,
    });
  }
}

/** Half of n, in whole tiles of a contraction. */
const half = (n: number): number => Math.ceil(n / 2 / 16) * 16;

// ---------------------------------------------------------------- small ones

export function lowerFactor(root: Root, storage: Storage, profile: DeviceProfile): Kernel {
  const { node } = root;
  const [count, n] = [sizeOf(node.type.shape.slice(0, -2)), node.inputs[0].type.shape.at(-1) as number];
  const columns = node.op === 'cholesky' ? 1 : (node.type.shape.at(-1) as number);
  const items = count * columns;
  const launch = launchShape(profile);
  const groups = Math.max(1, Math.min(launch.maxGroups, Math.ceil(items / launch.workgroup)));
  const b = new BranchBuilder(groups, launch.workgroup);
  const start = addIndex(scaleIndex(ofAtom(b.group), launch.workgroup), ofAtom(b.local));
  b.loop(items, start, groups * launch.workgroup, [], (item) => {
    const own = ofVariable(item);
    const matrix = new Matrix(b, new Puller(b, storage), root, divIndex(own, columns), n);
    if (node.op === 'cholesky') choleskyOf(matrix);
    else solveColumn(matrix, modIndex(own, columns));
    return [];
  });
  return { workgroup: launch.workgroup, branches: [b.finish()], subgroups: false };
}

/** What one invocation computes: a matrix of the result (or a column of it), written to all targets and read back from the first. */
class Matrix {
  readonly b: BranchBuilder;
  readonly node: Node;
  readonly n: number;
  private readonly p: Puller;
  private readonly targets: readonly View[];
  private readonly at: IndexExpr;

  constructor(b: BranchBuilder, p: Puller, { node, targets }: Root, at: IndexExpr, n: number) {
    this.b = b;
    this.p = p;
    this.node = node;
    this.targets = targets;
    this.at = at;
    this.n = n;
  }

  input(k: 0 | 1, row: IndexExpr, column: IndexExpr): Value {
    const x = this.node.inputs[k];
    return this.p.pull(x, [...unflatten(this.at, x.type.shape.slice(0, -2)), row, column]);
  }

  private place(row: IndexExpr, column: IndexExpr): IndexExpr {
    const { shape } = this.node.type;
    return flatten([...unflatten(this.at, shape.slice(0, -2)), row, column], shape);
  }

  /** An entry that this invocation has written: loaded here and nowhere further out, where it may not be written yet. */
  written(row: IndexExpr, column: IndexExpr): Value {
    const { b } = this;
    const before = b.loadFloor;
    b.loadFloor = b.depth;
    const value = b.load(this.targets[0], this.place(row, column));
    b.loadFloor = before;
    return value;
  }

  write(row: IndexExpr, column: IndexExpr, value: Value): void {
    for (const view of this.targets) this.b.store(view, this.place(row, column), value);
  }

  /** value - Σ_{k < count} term(k), for a count in 0..n that may be an index of an outer loop. */
  less(value: Value, count: IndexExpr, term: (k: IndexExpr) => readonly [Value, Value]): Value {
    const { b, n } = this;
    // The loop ends at n, so it starts at n - count; verifiers see that k lies in 0..n-1 by the clamp.
    const from = clampIndex(addIndex(ix(n), scaleIndex(count, -1)), 0, n);
    const [sum] = b.loop(n, from, 1, [value], (turn, [rest]) => {
      const k = clampIndex(addIndex(ofVariable(turn), count, ix(-n)), 0, n - 1);
      const [x, y] = term(k);
      return [b.op('sub', [rest, b.op('mul', [x, y], 'f32')], 'f32')];
    });
    return sum;
  }
}

/** Row by row: L_ij = (A_ij - Σ_{k<j} L_ik L_jk) / L_jj, and the root of that on the diagonal. */
function choleskyOf(m: Matrix): void {
  const { b, n } = m;
  const zero = b.constant(0, 'f32');
  b.loop(n, ix(0), 1, [], (row) => {
    const i = ofVariable(row);
    b.loop(n, clampIndex(addIndex(ix(n - 1), scaleIndex(i, -1)), 0, n - 1), 1, [], (turn) => {
      const j = clampIndex(addIndex(ofVariable(turn), i, ix(1 - n)), 0, n - 1);
      const both = b.op('add', [m.input(0, i, j), m.input(0, j, i)], 'f32');
      const own = b.op('mul', [both, b.constant(0.5, 'f32')], 'f32');
      const rest = m.less(own, j, (k) => [m.written(i, k), m.written(j, k)]);
      const onDiagonal = b.op('eq', [b.index(i), b.index(j)], 'bool');
      // An entry that is not written yet is not used: the diagonal is chosen there.
      const divided = b.op('div', [rest, m.written(j, j)], 'f32');
      m.write(i, j, b.op('select', [onDiagonal, rootOf(b, rest), divided], 'f32'));
      return [];
    });
    b.loop(n, addIndex(i, ix(1)), 1, [], (column) => {
      m.write(i, ofVariable(column), zero);
      return [];
    });
    return [];
  });
}

/** Square root; NaN of what is not positive, whatever the driver makes of it. */
function rootOf(b: BranchBuilder, x: Value): Value {
  const positive = b.op('gt', [x, b.constant(0, 'f32')], 'bool');
  return b.op('select', [positive, b.op('sqrt', [x], 'f32'), b.constant(Number.NaN, 'f32')], 'f32');
}

/** Forwards, or backwards where the equations are solved from the last. */
function solveColumn(m: Matrix, column: IndexExpr): void {
  const { b, n, node } = m;
  const { lower, transpose } = node.attrs as { readonly lower: boolean; readonly transpose: boolean };
  const forward = lower !== transpose;
  const row = (step: IndexExpr): IndexExpr => (forward ? step : addIndex(ix(n - 1), scaleIndex(step, -1)));
  const entry = (i: IndexExpr, k: IndexExpr): Value => (transpose ? m.input(0, k, i) : m.input(0, i, k));
  b.loop(n, ix(0), 1, [], (turn) => {
    const step = ofVariable(turn);
    const i = row(step);
    const rest = m.less(m.input(1, i, column), step, (s) => [entry(i, row(s)), m.written(row(s), column)]);
    m.write(i, column, b.op('div', [rest, entry(i, i)], 'f32'));
    return [];
  });
}
