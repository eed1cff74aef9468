/**
 * Long stable sorts: blocks sorted by counting ranks, then neighbouring runs merged until there is one. In a merge the place of an element is its place in its own
 * run plus the number of elements of the other run that come before it, found by bisection: every invocation works alone, and all of it is exact and
 * deterministic. Passes order indices; the last one stores values where values are asked for.
 */
import { sizeOf } from '../ir/tensor/graph.ts';
import { BranchBuilder, type Value } from '../ir/kernel/builder.ts';
import {
  addIndex,
  clampIndex,
  divIndex,
  flatten,
  ix,
  modIndex,
  ofAtom,
  ofVariable,
  scaleIndex,
  unflatten,
  type IndexExpr,
} from '../ir/kernel/index-expr.ts';
import type { Kernel } from '../ir/kernel/kernel.ts';
import type { Node } from '../ops/types.ts';
import type { Root } from './nest.ts';
import { launchShape, type DeviceProfile } from './profile.ts';
import { Puller } from './pull.ts';
import { precedes } from './sort.ts';
import type { Storage } from './storage.ts';

/** Elements of a block, which is sorted by comparing all with all. */
const BLOCK = 128;
/** Lengths up to which one pass of comparisons is quicker than several of merges. */
const SHORT = 512;

/** A long sort as a chain of passes: `$block` sorts blocks, `$run` merges runs of that length, given the order so far. */
export function inRuns(node: Node): Node {
  const axis = node.attrs.axis as number;
  const length = node.type.shape[axis];
  if (length <= SHORT || node.attrs.$run !== undefined || node.attrs.$block !== undefined) return node;
  const [x] = node.inputs;
  const { attrs } = node;
  let id = node.id - 0.9;
  const pass = (inputs: readonly Node[], more: Node['attrs']): Node => ({
    ...node,
    id: (id += 0.02),
    op: 'argsort',
    inputs,
    attrs: { ...attrs, ...more },
    type: { dtype: 'i32', shape: node.type.shape },
  });
  let order = pass([x], { $block: BLOCK });
  let run = BLOCK;
  for (; 2 * run < length; run *= 2) order = pass([x, order], { $run: run });
  return { ...node, inputs: [x, order], attrs: { ...attrs, $run: run } };
}

/** One pass over all elements of all lines; `place` gives what goes where along the axis. */
function everyElement(
  { node, targets }: Root,
  storage: Storage,
  profile: DeviceProfile,
  place: (line: Line, position: IndexExpr) => { at: IndexExpr; value: Value },
): Kernel {
  const axis = node.attrs.axis as number;
  const { shape } = node.type;
  const length = shape[axis];
  const total = sizeOf(shape);
  const launch = launchShape(profile);
  const groups = Math.max(1, Math.min(launch.maxGroups, Math.ceil(total / launch.workgroup)));
  const b = new BranchBuilder(groups, launch.workgroup);
  const p = new Puller(b, storage);
  const start = addIndex(scaleIndex(ofAtom(b.group), launch.workgroup), ofAtom(b.local));
  b.loop(total, start, groups * launch.workgroup, [], (i) => {
    const outer = unflatten(
      divIndex(ofAtom(i), length),
      shape.filter((_, a) => a !== axis),
    );
    const index = (k: IndexExpr): IndexExpr[] => [...outer.slice(0, axis), k, ...outer.slice(axis)];
    const line: Line = { b, length, pull: (x, k) => p.pull(x, index(k)) };
    const { at, value } = place(line, modIndex(ofAtom(i), length));
    for (const view of targets) b.store(view, flatten(index(at), shape), value);
    return [];
  });
  return { workgroup: launch.workgroup, branches: [b.finish()], subgroups: false };
}

/** The line along the sorted axis in which an element lies. */
interface Line {
  readonly b: BranchBuilder;
  readonly length: number;
  /** The element of a node at a place of this line. */
  pull(x: Node, k: IndexExpr): Value;
}

/** A computed i32 as an index of the line. */
function asPlace({ b, length }: Line, value: Value): IndexExpr {
  const clamped = b.clamp(value, 0, length - 1);
  return ofAtom({ kind: 'value', value: clamped.id, lo: 0, hi: length - 1 });
}

const i32 = (b: BranchBuilder, op: 'add' | 'sub' | 'select', ...args: Value[]): Value => b.op(op, args, 'i32');

/** First pass: each element's index goes to its rank within its block. */
export function lowerBlocks(root: Root, storage: Storage, profile: DeviceProfile): Kernel {
  const [x] = root.node.inputs;
  const descending = root.node.attrs.descending === true;
  return everyElement(root, storage, profile, (line, position) => {
    const { b, length } = line;
    const first = scaleIndex(divIndex(position, BLOCK), BLOCK);
    const mine = line.pull(x, position);
    const [rank] = b.loop(BLOCK, ix(0), 1, [b.constant(0, 'i32')], (turn, [count]) => {
      const k = addIndex(first, ofVariable(turn));
      const other = line.pull(x, clampIndex(k, 0, length - 1));
      const before = precedes(b, other, mine, descending);
      const earlier = b.op('lt', [b.index(k), b.index(position)], 'bool');
      const tied = b.op('and', [b.op('not', [precedes(b, mine, other, descending)], 'bool'), earlier], 'bool');
      // Places beyond the end come later than this one, so only `before` has to be kept from counting there.
      const real = b.op('and', [before, b.inside(k, 0, length - 1)], 'bool');
      const counts = b.op('or', [real, tied], 'bool');
      return [i32(b, 'add', count, b.op('cast', [counts], 'i32', { dtype: 'i32' }))];
    });
    return { at: asPlace(line, i32(b, 'add', b.index(first), rank)), value: b.index(position) };
  });
}

/** A later pass: runs of `$run` elements become runs of twice that. */
export function lowerMerge(root: Root, storage: Storage, profile: DeviceProfile): Kernel {
  const { node } = root;
  const [x, order] = node.inputs;
  const run = node.attrs.$run as number;
  const descending = node.attrs.descending === true;
  return everyElement(root, storage, profile, (line, position) => {
    const { b, length } = line;
    const number = divIndex(position, run);
    const odd = modIndex(number, 2);
    // The other run of the pair begins one run on, or one back; it may be short, or not there.
    const start = scaleIndex(addIndex(number, ix(1), scaleIndex(odd, -2)), run);
    const size = clampIndex(addIndex(ix(length), scaleIndex(start, -1)), 0, run);
    const source = line.pull(order, position);
    const mine = line.pull(x, asPlace(line, source));
    const isLeft = b.op('eq', [b.index(odd), b.constant(0, 'i32')], 'bool');
    const one = b.constant(1, 'i32');
    const turns = Math.ceil(Math.log2(run + 1));
    const [found] = b.loop(turns, ix(0), 1, [b.constant(0, 'i32'), b.index(size)], (_, [lo, hi]) => {
      const sum = i32(b, 'add', lo, hi);
      const middle = b.op('shift_right', [sum, one], 'i32');
      const at = asPlace(line, i32(b, 'add', b.index(start), middle));
      const other = line.pull(x, asPlace(line, line.pull(order, at)));
      // Of equal ones those of the left run come first.
      const beforeLeft = precedes(b, other, mine, descending);
      const beforeRight = b.op('not', [precedes(b, mine, other, descending)], 'bool');
      const before = b.op(
        'or',
        [b.op('and', [isLeft, beforeLeft], 'bool'), b.op('and', [b.op('not', [isLeft], 'bool'), beforeRight], 'bool')],
        'bool',
      );
      const open = b.op('lt', [lo, hi], 'bool');
      const up = b.op('and', [open, before], 'bool');
      const down = b.op('and', [open, b.op('not', [before], 'bool')], 'bool');
      return [i32(b, 'select', up, i32(b, 'add', middle, one), lo), i32(b, 'select', down, middle, hi)];
    });
    const own = addIndex(scaleIndex(divIndex(position, 2 * run), 2 * run), modIndex(position, run));
    return {
      at: asPlace(line, i32(b, 'add', b.index(own), found)),
      value: node.op === 'sort' ? mine : source,
    };
  });
}
