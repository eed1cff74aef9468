/**
 * Follows the axis of the examples through a graph: which nodes hold one value per example and where their axis lies, and where it is reduced away. One
 * rule for each primitive that treats examples alike; at any other the graph is no function of reductions over the examples, and says which node is to blame.
 * An axis may be merged with others behind it (the rows of a product over [examples, time, features]): an example then has several entries in a row along it,
 * as many as the length of the axis is more than the number of examples.
 */
import { op as opOf } from '../ops/table.ts';
import type { Attrs, Node } from '../ops/types.ts';

/** How the parts of a reduction over some of the examples make that over all: elementwise primitives. */
export type Combine = 'add' | 'mul' | 'max' | 'min' | 'and' | 'or';

/** What a node is to the axis. */
export type Role = (
  | { /** One value per example along `axis`, or several in a row. */ readonly kind: 'rows'; readonly axis: number }
  | { /** A reduction over the examples. */ readonly kind: 'cut'; readonly combine: Combine }
) & {
  /** Attributes of the same node over another number of examples. */
  attrs(examples: number): Attrs;
  /** For each input that is not over the examples but meets them: the axis along which it repeats one value. */
  readonly uniform: readonly (number | undefined)[];
};

/** The node that mixes examples, or treats them by their place. */
export class Mixed extends Error {
  readonly node: Node;
  constructor(node: Node) {
    super(`'${node.op}' mixes examples`);
    this.node = node;
  }
}

type Axes = ReadonlyMap<Node, number>;

const list = (attrs: Attrs, name: string): readonly number[] => attrs[name] as readonly number[];
const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** Role of a node of which at least one input is over the examples. Throws Mixed. */
export function roleOf(node: Node, axes: Axes, examples: number): Role {
  const { family } = opOf(node.op).lower;
  const [x] = node.inputs;
  const a = axes.get(x);
  switch (family) {
    case 'elementwise':
      return together(node, axes);
    case 'alias':
      if (a === undefined) throw new Mixed(node);
      return rows(a, () => node.attrs);
    case 'reduce':
      return a === undefined ? mixed(node) : reduction(node, a);
    case 'index':
      return indexRole(node, axes, examples);
    case 'contraction':
      return node.op === 'dot_general' ? contraction(node, axes) : leading(node, axes);
    case 'gather':
      return node.op === 'gather' ? gather(node, axes) : mixed(node);
    case 'scatter':
      return node.op === 'scatter_add' ? scatter(node, axes) : mixed(node);
    case 'overlap':
      return a !== undefined && a < (node.attrs.axis as number) ? rows(a, () => node.attrs) : mixed(node);
    case 'sort':
    case 'scan':
      return a !== undefined && node.attrs.axis !== a ? rows(a, () => node.attrs) : mixed(node);
    default:
      return mixed(node);
  }
}

function mixed(node: Node): never {
  throw new Mixed(node);
}

const rows = (axis: number, attrs: (examples: number) => Attrs, uniform: Role['uniform'] = []): Role => ({
  kind: 'rows',
  axis,
  attrs,
  uniform,
});
const cut = (node: Node, combine: Combine, uniform: Role['uniform'] = []): Role => ({
  kind: 'cut',
  combine,
  attrs: () => node.attrs,
  uniform,
});

/** A node whose inputs meet along one axis. */
function together(node: Node, axes: Axes): Role {
  const axis = alike(node, axes);
  const uniform = node.inputs.map((i) => (axes.has(i) || i.type.shape.length === 0 ? undefined : axis));
  return rows(axis, () => node.attrs, uniform);
}

/** The axis that all inputs over the examples share; the others must be the same for every example. */
function alike(node: Node, axes: Axes): number {
  const found = new Set(node.inputs.flatMap((i) => axes.get(i) ?? []));
  if (found.size !== 1) mixed(node);
  const [axis] = found;
  for (const input of node.inputs)
    if (!axes.has(input) && input.type.shape.length > 0 && !isUniform(input, axis)) mixed(node);
  return axis;
}

/** Whether a value that does not depend on the examples is the same all along an axis, by its form. */
export function isUniform(node: Node, axis: number): boolean {
  return uniformInputs(node, axis) !== undefined;
}

/** Inputs of a value that is the same along `axis`, each with the axis along which it is so too; undefined where nothing says so. */
export function uniformInputs(node: Node, axis: number): readonly (number | undefined)[] | undefined {
  const all = (on: number): readonly (number | undefined)[] | undefined =>
    node.inputs.every((i) => i.type.shape.length === 0 || isUniform(i, on))
      ? node.inputs.map((i) => (i.type.shape.length === 0 ? undefined : on))
      : undefined;
  if (node.op === 'constant') return node.attrs.values === undefined ? [] : undefined;
  if (node.op === 'iota') return node.attrs.axis === axis ? undefined : [];
  if (node.op === 'broadcast') {
    const from = list(node.attrs, 'axes').indexOf(axis);
    return from < 0 || node.inputs[0].type.shape[from] === 1 ? [undefined] : all(from);
  }
  const { family } = opOf(node.op).lower;
  if (family === 'elementwise') return all(axis);
  if (family === 'alias')
    return isUniform(node.inputs[0], axis) ? node.inputs.map((_, i) => (i === 0 ? axis : undefined)) : undefined;
  return undefined;
}

/** A reduction along other axes keeps the examples; along theirs it ends them. */
function reduction(node: Node, a: number): Role {
  const { axes, axis } = node.attrs as { axes?: readonly number[]; axis?: number };
  if (axes === undefined) return axis === a ? mixed(node) : rows(a - Number((axis as number) < a), () => node.attrs);
  if (!axes.includes(a)) return rows(a - axes.filter((i) => i < a).length, () => node.attrs);
  const { lower } = opOf(node.op);
  return cut(node, (lower.family === 'reduce' ? lower.combine : 'add') as Combine);
}

/** Convolutions and the like: the examples are the first axis of the first input. */
function leading(node: Node, axes: Axes): Role {
  const [x, ...others] = node.inputs;
  return axes.get(x) === 0 && !others.some((o) => axes.has(o)) ? rows(0, () => node.attrs) : mixed(node);
}

function contraction(node: Node, axes: Axes): Role {
  const [l, r] = node.inputs;
  const [la, ra] = [axes.get(l), axes.get(r)];
  const [lc, rc] = [list(node.attrs, 'lhs_contract'), list(node.attrs, 'rhs_contract')];
  const [lb, rb] = [list(node.attrs, 'lhs_batch'), list(node.attrs, 'rhs_batch')];
  const paired = (mine: readonly number[], a: number | undefined): number => (a === undefined ? -1 : mine.indexOf(a));
  const [atL, atR] = [paired(lc, la), paired(rc, ra)];
  if (atL >= 0 || atR >= 0) {
    const k = Math.max(atL, atR);
    const onL = la === undefined ? isUniform(l, lc[k]) : atL === k;
    const onR = ra === undefined ? isUniform(r, rc[k]) : atR === k;
    const uniform = [la === undefined ? lc[k] : undefined, ra === undefined ? rc[k] : undefined];
    return onL && onR ? cut(node, 'add', uniform) : mixed(node);
  }
  const [batchL, batchR] = [paired(lb, la), paired(rb, ra)];
  if (batchL >= 0 || batchR >= 0) {
    const k = Math.max(batchL, batchR);
    const onL = la === undefined ? isUniform(l, lb[k]) : batchL === k;
    const onR = ra === undefined ? isUniform(r, rb[k]) : batchR === k;
    const uniform = [la === undefined ? lb[k] : undefined, ra === undefined ? rb[k] : undefined];
    return onL && onR ? rows(k, () => node.attrs, uniform) : mixed(node);
  }
  if (la !== undefined && ra !== undefined) mixed(node);
  const free = (rank: number, used: readonly number[], a: number): number =>
    Array.from({ length: rank }, (_, i) => i)
      .filter((i) => !used.includes(i))
      .indexOf(a);
  const freeL = l.type.shape.length - lb.length - lc.length;
  if (la !== undefined) return rows(lb.length + free(l.type.shape.length, [...lb, ...lc], la), () => node.attrs);
  return rows(lb.length + freeL + free(r.type.shape.length, [...rb, ...rc], ra as number), () => node.attrs);
}

/** Rows of a table at indices of the examples, or other axes of the examples at indices that they share. */
function gather(node: Node, axes: Axes): Role {
  const [x, indices] = node.inputs;
  const axis = node.attrs.axis as number;
  const [xa, ia] = [axes.get(x), axes.get(indices)];
  if (xa !== undefined && ia === undefined && xa !== axis)
    return rows(xa < axis ? xa : xa + indices.type.shape.length - 1, () => node.attrs);
  return xa === undefined && ia !== undefined ? rows(axis + ia, () => node.attrs) : mixed(node);
}

/** Sums of the examples by class. */
function scatter(node: Node, axes: Axes): Role {
  const [indices, updates] = node.inputs;
  const [ia, ua] = [axes.get(indices), axes.get(updates)];
  const axis = node.attrs.axis as number;
  if (ia === undefined) {
    if (ua === undefined || (ua >= axis && ua < axis + indices.type.shape.length)) mixed(node);
    return rows(ua < axis ? ua : ua - indices.type.shape.length + 1, () => node.attrs);
  }
  const same = ua === undefined ? isUniform(updates, axis + ia) : ua === axis + ia;
  return same ? cut(node, 'add', [undefined, ua === undefined ? axis + ia : undefined]) : mixed(node);
}

function indexRole(node: Node, axes: Axes, n: number): Role {
  const { attrs } = node;
  if (node.op === 'concat') {
    const role = together(node, axes);
    return role.kind === 'rows' && role.axis === attrs.axis ? mixed(node) : role;
  }
  const a = axes.get(node.inputs[0]) ?? mixed(node);
  const each = node.inputs[0].type.shape[a] / n;
  switch (node.op) {
    case 'broadcast': {
      const to = list(attrs, 'axes')[a];
      return rows(to, (k) => ({ ...attrs, shape: list(attrs, 'shape').with(to, k * each) }));
    }
    case 'reshape': {
      const shape = list(attrs, 'shape');
      const before = product(node.inputs[0].type.shape.slice(0, a));
      // what stands before it is the same, so that an example is as contiguous as it was
      const to = shape.findIndex((dim, i) => dim > 0 && dim % n === 0 && product(shape.slice(0, i)) === before);
      return to < 0 ? mixed(node) : rows(to, (k) => ({ ...attrs, shape: shape.with(to, (shape[to] / n) * k) }));
    }
    case 'permute':
      return rows(list(attrs, 'axes').indexOf(a), () => attrs);
    case 'slice': {
      const all = list(attrs, 'start')[a] === 0 && list(attrs, 'limit')[a] === n * each;
      return all && list(attrs, 'stride')[a] === 1
        ? rows(a, (k) => ({ ...attrs, limit: list(attrs, 'limit').with(a, k * each) }))
        : mixed(node);
    }
    case 'pad':
      return ['low', 'high', 'interior'].every((name) => list(attrs, name)[a] === 0)
        ? rows(a, () => attrs)
        : mixed(node);
    case 'flip':
      return list(attrs, 'axes').includes(a) ? mixed(node) : rows(a, () => attrs);
    case 'windows':
      return a < (attrs.axis as number) ? rows(a, () => attrs) : mixed(node);
    default:
      return mixed(node);
  }
}
