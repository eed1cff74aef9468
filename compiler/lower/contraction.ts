/**
 * Contractions as tiles of accumulators in registers. Operands may be stored either way round (NN, TN, NT, TT), no transposes are made, and are
 * computed on the way in where that is cheap (prologue); elementwise work on the result is done before it is stored (epilogue).
 *
 * Schedule 'subgroup': a workgroup is one subgroup of S lanes; a lane owns four columns of R rows; per four steps of the shared axis the lanes load
 * R rows of the left operand once between them and hand them round by shuffles (2.5 times faster than loading on lavapipe, wgsl-limits.md 3).
 * Schedule 'register': a lane owns R rows by four columns and loads all it needs.
 */
import type { Node } from '../ops/types.ts';
import { BranchBuilder, type Value } from '../ir/kernel/builder.ts';
import {
  addIndex,
  clampIndex,
  divIndex,
  flatten,
  ix,
  lanePattern,
  modIndex,
  ofAtom,
  scaleIndex,
  unflatten,
  type IndexExpr,
} from '../ir/kernel/index-expr.ts';
import { walk, type Kernel } from '../ir/kernel/kernel.ts';
import { contractionOf, type Contraction } from './dims.ts';
import type { Root } from './nest.ts';
import { launchShape, type DeviceProfile } from './profile.ts';
import { Puller } from './pull.ts';
import { NotFusable, type Storage } from './storage.ts';

export interface ContractionSpec {
  readonly node: Node;
  /** The contraction itself or elementwise values of it, each with as many elements. */
  readonly roots: readonly Root[];
  /** Only to find out whether the roots can be computed from the contraction: the sums themselves are left out. */
  readonly probe?: boolean;
}

/** Contractions too small or thin for tiles are plain loops (`pull.ts`). */
export function isTiled(node: Node): boolean {
  const c = contractionOf(node);
  return node.type.dtype === 'f32' && c.m >= 4 && c.n >= 4 && c.k >= 4 && c.m * c.n * c.k >= 2048;
}

/** Rows of one tile in the epilogue, the contraction's value being given by `acc`. */
interface Tile {
  readonly batch: IndexExpr;
  readonly row0: IndexExpr;
  readonly rows: number;
  /** First column of this lane, in units of four columns. */
  readonly quad: IndexExpr;
}

export function lowerContraction(spec: ContractionSpec, storage: Storage, profile: DeviceProfile): Kernel {
  return profile.subgroups >= 4 && profile.subgroups <= 32
    ? new SubgroupSchedule(spec, storage, profile.subgroups).kernel()
    : registerTile(spec, storage, profile);
}

/** A contraction with the operand whose free axis gives rows on the left: the node's own order, or the other way round. */
interface Oriented {
  readonly c: Contraction;
  readonly inputs: readonly [Node, Node];
}

function oriented(node: Node): Oriented {
  const [lhs, rhs] = node.inputs;
  return { c: contractionOf(node), inputs: [lhs, rhs] };
}

/** The same with the few columns as rows: tiles are wider than high. */
function turned({ c, inputs: [lhs, rhs] }: Oriented): Oriented {
  return {
    c: {
      ...c,
      m: c.n,
      n: c.m,
      lhs: (batch, row, shared) => c.rhs(batch, shared, row),
      rhs: (batch, shared, column) => c.lhs(batch, column, shared),
      result: (batch, row, column) => c.result(batch, column, row),
    },
    inputs: [rhs, lhs],
  };
}

/** Which way an operand is contiguous: loads of four along the shared axis, or along its free axis. */
function alongShared({ c, inputs }: Oriented, storage: Storage, side: 0 | 1): boolean {
  const scattered = (shared: boolean): number => {
    const b = new BranchBuilder(1, 1);
    const p = new Puller(b, storage);
    b.loop(Math.max(1, Math.floor(c.k / 4)), ix(0), 1, [], (k) => {
      const free = side === 0 ? c.m : c.n;
      b.loop(Math.max(1, Math.floor(free / 4)), ix(0), 1, [], (f) => {
        const lane = ofAtom(b.lane());
        const kIndex = addIndex(scaleIndex(ofAtom(k), 4), ...(shared ? [lane] : []));
        const fIndex = addIndex(scaleIndex(ofAtom(f), 4), ...(shared ? [] : [lane]));
        const index = side === 0 ? c.lhs(ix(0), fIndex, kIndex) : c.rhs(ix(0), kIndex, fIndex);
        p.pull(inputs[side], index);
        return [];
      });
      return [];
    });
    let count = 0;
    walk({ workgroup: 1, branches: [b.finish()], subgroups: false }, (s) => {
      if (s.kind === 'let' && s.expr.kind === 'load' && lanePattern(s.expr.index).kind === 'gather') count++;
    });
    return count;
  };
  // Where neither way is contiguous the left operand is best read along the shared axis, the right one along its columns.
  return side === 0 ? scattered(true) <= scattered(false) : scattered(true) < scattered(false);
}

/** Four columns from `quad` on, not beyond the last. */
function columns(c: Contraction, quad: IndexExpr, lane: IndexExpr): IndexExpr {
  if (c.n % 4 === 0) return addIndex(scaleIndex(clampIndex(quad, 0, c.n / 4 - 1), 4), lane);
  return clampIndex(addIndex(scaleIndex(quad, 4), lane), 0, c.n - 1);
}

/** Four rows from `quad` on, not beyond the last. */
function rowQuad(c: Contraction, quad: IndexExpr, lane: IndexExpr): IndexExpr {
  if (c.m % 4 === 0) return addIndex(scaleIndex(clampIndex(quad, 0, c.m / 4 - 1), 4), lane);
  return clampIndex(addIndex(scaleIndex(quad, 4), lane), 0, c.m - 1);
}

/** Right operand for four steps of the shared axis from 4 * k on: one vector of four columns per step. */
function rightQuads(
  b: BranchBuilder,
  p: Puller,
  { c, inputs: [, rhs] }: Oriented,
  tile: Tile,
  k: IndexExpr,
  shared: boolean,
): Value[] {
  const k4 = scaleIndex(k, 4);
  if (!shared) {
    const column = columns(c, tile.quad, ofAtom(b.lane()));
    return [0, 1, 2, 3].map((kk) => p.pull(rhs, c.rhs(tile.batch, addIndex(k4, ix(kk)), column)));
  }
  const lane = ofAtom(b.lane());
  const byColumn = [0, 1, 2, 3].map((j) => {
    const column =
      c.n % 4 === 0 ? columns(c, tile.quad, ix(j)) : clampIndex(addIndex(scaleIndex(tile.quad, 4), ix(j)), 0, c.n - 1);
    return p.pull(rhs, c.rhs(tile.batch, addIndex(k4, lane), column));
  });
  return [0, 1, 2, 3].map((kk) => b.vector(byColumn.map((v) => b.component(v, kk))));
}

class SubgroupSchedule {
  private readonly spec: ContractionSpec;
  private readonly storage: Storage;
  private readonly lanes: number;
  private readonly sides: Oriented;

  constructor(spec: ContractionSpec, storage: Storage, lanes: number) {
    this.spec = spec;
    this.storage = storage;
    this.lanes = lanes;
    const own = oriented(spec.node);
    // A tile has 4 * lanes columns and 16 rows: few columns of many rows fill it better the other way round.
    this.sides = own.c.n <= 2 * lanes && own.c.m >= 4 * lanes ? turned(own) : own;
  }

  kernel(): Kernel {
    const { lanes, spec, sides } = this;
    const { c } = sides;
    const rows = c.m <= lanes ? lanes : Math.max(lanes, 16);
    const rowTiles = Math.ceil(c.m / rows);
    const columnTiles = Math.ceil(c.n / (4 * lanes));
    const b = new BranchBuilder(c.batch * rowTiles * columnTiles, lanes);
    const p = new Puller(b, this.storage);
    const g = ofAtom(b.group);
    const tile: Tile = {
      batch: divIndex(g, rowTiles * columnTiles),
      row0: scaleIndex(modIndex(divIndex(g, columnTiles), rowTiles), rows),
      rows,
      quad: addIndex(scaleIndex(modIndex(g, columnTiles), lanes), ofAtom(b.local)),
    };
    const leftShared = spec.probe === true || alongShared(sides, this.storage, 0);
    const rightShared = spec.probe === true || alongShared(sides, this.storage, 1);
    const zero = b.constant(0, 'f32');
    const zeros = b.vector([zero, zero, zero, zero]);
    let acc = Array.from({ length: rows }, () => zeros);
    if (c.k >= 4 && !spec.probe) {
      acc = b.loop(Math.floor(c.k / 4), ix(0), 1, acc, (k, sums) => {
        const left = this.left(b, p, tile, ofAtom(k), leftShared);
        const right = rightQuads(b, p, sides, tile, ofAtom(k), rightShared);
        return sums.map((sum, r) => right.reduce((total, column, kk) => b.mad(left(r, kk), column, total), sum));
      });
    }
    if (c.k % 4 !== 0 && !spec.probe) acc = this.rest(b, p, tile, acc);
    epilogue(b, spec, this.storage, c, tile, acc);
    return { workgroup: lanes, branches: [b.finish()], subgroups: true };
  }

  /** Loads four steps of the tile's rows, and returns how to get row r at step kk. */
  private left(
    b: BranchBuilder,
    p: Puller,
    tile: Tile,
    k: IndexExpr,
    shared: boolean,
  ): (r: number, kk: number) => Value {
    const { lanes } = this;
    const {
      c,
      inputs: [lhs],
    } = this.sides;
    const local = ofAtom(b.local);
    const lane = ofAtom(b.lane());
    const parts = Array.from({ length: tile.rows / lanes }, (_, h) => {
      if (shared) {
        // Lane i holds four steps of row i.
        const row = clampIndex(addIndex(tile.row0, local, ix(lanes * h)), 0, c.m - 1);
        return p.pull(lhs, c.lhs(tile.batch, row, addIndex(scaleIndex(k, 4), lane)));
      }
      // Lane i holds four rows at step i mod 4.
      const quad = addIndex(divIndex(tile.row0, 4), divIndex(local, 4), ix((lanes / 4) * h));
      return p.pull(lhs, c.lhs(tile.batch, rowQuad(c, quad, lane), addIndex(scaleIndex(k, 4), modIndex(local, 4))));
    });
    return (r, kk) => {
      const part = parts[Math.floor(r / lanes)];
      return shared ? b.shuffle(part, kk, r % lanes) : b.shuffle(part, r % 4, kk + 4 * Math.floor((r % lanes) / 4));
    };
  }

  /** The last k mod 4 steps, one at a time. */
  private rest(b: BranchBuilder, p: Puller, tile: Tile, acc: readonly Value[]): Value[] {
    const { lanes } = this;
    const {
      c,
      inputs: [lhs, rhs],
    } = this.sides;
    return b.loop(c.k, ix(c.k - (c.k % 4)), 1, acc, (k, sums) => {
      const parts = Array.from({ length: tile.rows / lanes }, (_, h) => {
        const row = clampIndex(addIndex(tile.row0, ofAtom(b.local), ix(lanes * h)), 0, c.m - 1);
        return p.pull(lhs, c.lhs(tile.batch, row, ofAtom(k)));
      });
      const right = p.pull(rhs, c.rhs(tile.batch, ofAtom(k), columns(c, tile.quad, ofAtom(b.lane()))));
      return sums.map((sum, r) => b.mad(b.shuffle(parts[Math.floor(r / lanes)], 0, r % lanes), right, sum));
    });
  }
}

function registerTile(spec: ContractionSpec, storage: Storage, profile: DeviceProfile): Kernel {
  const sides = oriented(spec.node);
  const { c } = sides;
  const shape = launchShape(profile);
  const rows = profile.class === 'software' && c.m >= 8 ? 8 : 4;
  const rowTiles = Math.ceil(c.m / rows);
  const quads = Math.ceil(c.n / 4);
  const tiles = c.batch * rowTiles * quads;
  const groups = Math.min(65535, Math.ceil(tiles / shape.workgroup));
  const b = new BranchBuilder(groups, shape.workgroup);
  const p = new Puller(b, storage);
  const [lhs, rhs] = spec.node.inputs;
  const leftShared = spec.probe === true || alongShared(sides, storage, 0);
  const rightShared = spec.probe === true || alongShared(sides, storage, 1);
  const start = addIndex(scaleIndex(ofAtom(b.group), shape.workgroup), ofAtom(b.local));
  b.loop(tiles, start, groups * shape.workgroup, [], (t) => {
    const index = ofAtom(t);
    const tile: Tile = {
      batch: divIndex(index, rowTiles * quads),
      row0: scaleIndex(modIndex(divIndex(index, quads), rowTiles), rows),
      rows,
      quad: modIndex(index, quads),
    };
    const zero = b.constant(0, 'f32');
    const zeros = b.vector([zero, zero, zero, zero]);
    let acc = Array.from({ length: rows }, () => zeros);
    const row = (r: number): IndexExpr => clampIndex(addIndex(tile.row0, ix(r)), 0, c.m - 1);
    if (c.k >= 4 && !spec.probe) {
      acc = b.loop(Math.floor(c.k / 4), ix(0), 1, acc, (k, sums) => {
        const k4 = scaleIndex(ofAtom(k), 4);
        const right = rightQuads(b, p, sides, tile, ofAtom(k), rightShared);
        const lane = ofAtom(b.lane());
        const left = leftShared
          ? sums.map((_, r) => p.pull(lhs, c.lhs(tile.batch, row(r), addIndex(k4, lane))))
          : Array.from({ length: rows }, (_, i) => {
              const quad = addIndex(divIndex(tile.row0, 4), ix(Math.floor(i / 4)));
              return p.pull(lhs, c.lhs(tile.batch, rowQuad(c, quad, lane), addIndex(k4, ix(i % 4))));
            });
        const at = (r: number, kk: number): Value =>
          leftShared ? b.component(left[r], kk) : b.component(left[4 * Math.floor(r / 4) + kk], r % 4);
        return sums.map((sum, r) => right.reduce((total, column, kk) => b.mad(at(r, kk), column, total), sum));
      });
    }
    if (c.k % 4 !== 0 && !spec.probe) {
      acc = b.loop(c.k, ix(c.k - (c.k % 4)), 1, acc, (k, sums) => {
        const right = p.pull(rhs, c.rhs(tile.batch, ofAtom(k), columns(c, tile.quad, ofAtom(b.lane()))));
        return sums.map((sum, r) => b.mad(p.pull(lhs, c.lhs(tile.batch, row(r), ofAtom(k))), right, sum));
      });
    }
    epilogue(b, spec, storage, c, tile, acc);
    return [];
  });
  return { workgroup: shape.workgroup, branches: [b.finish()], subgroups: false };
}

/** Computes the roots from the accumulators and stores them, row by row. */
function epilogue(
  b: BranchBuilder,
  spec: ContractionSpec,
  storage: Storage,
  c: Contraction,
  tile: Tile,
  acc: readonly Value[],
): void {
  const { node, roots } = spec;
  const store = (row: IndexExpr, column: IndexExpr, value: Value): void => {
    const index = c.result(tile.batch, row, column);
    const position = flatten(index, node.type.shape);
    const p = new Puller(b, storage, (asked, at) => {
      if (asked !== node && !roots.some((r) => r.node === asked)) return undefined;
      if (flatten(at, asked.type.shape).key !== position.key) throw new NotFusable(`${asked.op} of another element`);
      return asked === node ? value : undefined;
    });
    const values = roots.map((r) => p.pull(r.node, unflatten(position, r.node.type.shape)));
    roots.forEach((r, k) => r.targets.forEach((view) => b.store(view, position, values[k])));
  };
  const eachRow = (body: (row: IndexExpr, value: Value) => void): void => {
    b.loop(tile.rows, ix(0), 1, [], (r) => {
      b.within(addIndex(tile.row0, ofAtom(r)), c.m, (row) => body(row, b.pick(acc, ofAtom(r))));
      return [];
    });
  };
  if (c.n % 4 === 0) {
    b.within(tile.quad, c.n / 4, (quad) => {
      eachRow((row, value) => store(row, addIndex(scaleIndex(quad, 4), ofAtom(b.lane())), value));
    });
    return;
  }
  eachRow((row, value) => {
    const components = [0, 1, 2, 3].map((k) => b.component(value, k));
    b.loop(4, ix(0), 1, [], (k) => {
      b.within(addIndex(scaleIndex(tile.quad, 4), ofAtom(k)), c.n, (column) => {
        store(row, column, b.pick(components, ofAtom(k)));
      });
      return [];
    });
  });
}
