/**
 * From values to nodes: exact numbers take the type they meet, ranges become index tensors, models become their trees of parameters;
 * and back: compound values are taken apart into leaves and put together again.
 */
import { fail } from '../diagnostics/diagnostic.ts';
import { sizeOf } from '../ir/tensor/graph.ts';
import type { DType, Node, TensorType } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { here } from './axis-elements.ts';
import type { Elaboration } from './context.ts';
import {
  type Batch,
  type CellValue,
  defaultType,
  type Exact,
  type ExactArray,
  isCompound,
  kindText,
  type ModelInstance,
  type Template,
  tensor,
  type Tree,
  type Value,
} from './values.ts';

/** The parameters of a model (or of its part under `prefix`) as a tree of current values. */
export function modelTree(e: Elaboration, instance: ModelInstance, span: Span, prefix = ''): Tree {
  const leaves = modelCells(e, instance, span, prefix).map((cell) => ({
    path: cell.path,
    node: e.entry.read(cell.cell),
  }));
  return { kind: 'tree', leaves };
}

/** Cells of a model or of a part, in order, with paths below the part. */
export function modelCells(e: Elaboration, instance: ModelInstance, span: Span, prefix = '') {
  if (instance.params.size === 0 && !e.do.parametersBySignature(e, instance, span)) {
    fail('OPT317', span, `the model ${instance.name} has no parameters yet: their shapes come from its first call`, {
      labels: [{ span: instance.span, text: 'declared here' }],
      hint: `call ${instance.name}(…) in a statement before this one`,
    });
  }
  instance.closed ??= span;
  const found = [...instance.params]
    .filter(([path]) => prefix === '' || path === prefix || path.startsWith(`${prefix}.`))
    .map(([path, cell]) => ({ path: prefix === '' ? path : path.slice(prefix.length + 1), cell }));
  if (found.length === 0) {
    fail('OPT312', span, `the model ${instance.name} has no part '${prefix}'`, {
      labels: [{ span: instance.span, text: 'declared here' }],
      hint: `its parameters are ${[...instance.params.keys()].join(', ')}`,
    });
  }
  return found;
}

/** Models and parts become trees of their current values; everything else stays. */
export function plain(e: Elaboration, value: Value, span: Span): Value {
  switch (value.kind) {
    case 'model':
      return modelTree(e, value.instance, span);
    case 'part': {
      const cell = value.instance.params.get(value.path);
      return cell ? tensor(e.entry.read(cell)) : modelTree(e, value.instance, span, value.path);
    }
    case 'cell':
      return readCells(e, value, span);
    case 'solution':
      return value.found;
    default:
      return value;
  }
}

/** Current value of a declared cell, with its structure. */
export function readCells(e: Elaboration, value: CellValue, span: Span): Value {
  const nodes = value.cells.map((cell) => e.entry.read(here(e, cell)));
  const now = rebuild(e, value.like, nodes, span);
  const axis = value.cells[0]?.over;
  return axis && !e.elements.has(axis) ? { kind: 'over', axis, value: now } : now;
}

/** OPT315 unless all are whole numbers that the integer type holds. */
export function checkWhole(values: readonly number[], dtype: 'i32' | 'u32', span: Span): void {
  const bad = values.find((x) => !Number.isInteger(x));
  if (bad !== undefined) {
    fail('OPT315', span, `${bad} is not a whole number, but meets values of type ${dtype}`, {
      hint: 'convert the integers first: f32(x)',
    });
  }
  const [lo, hi] = dtype === 'i32' ? [-(2 ** 31), 2 ** 31] : [0, 2 ** 32];
  const out = values.find((x) => x < lo || x >= hi);
  if (out !== undefined)
    fail('OPT315', span, `${out} does not fit in ${dtype}`, { hint: `${dtype} holds ${lo} to ${hi - 1}` });
}

/** A node of exact numbers; a single one is repeated to `splat`. OPT301 and OPT315 where they do not fit the type. */
export function literal(
  e: Elaboration,
  v: Exact | ExactArray,
  dtype: DType,
  span: Span,
  splat: readonly number[] = [],
): Node {
  const values = v.kind === 'exact' ? [v.value] : v.values;
  const shape = v.kind === 'exact' ? splat : v.shape;
  if (dtype === 'bool') {
    fail('OPT301', span, 'a number stands where a condition (bool) is needed', { hint: 'compare it: x != 0' });
  }
  if (dtype !== 'f32') checkWhole(values, dtype, span);
  return v.kind === 'exact' ? e.graph.constant(v.value, { dtype, shape }) : e.graph.dense(v.values, { dtype, shape });
}

/** The value as one node; exact numbers become `dtype`, or f32 or i32 as they were written. */
export function toNode(e: Elaboration, given: Value, span: Span, dtype?: DType): Node {
  const value = plain(e, given, span);
  switch (value.kind) {
    case 'tensor':
      return value.node;
    case 'exact':
    case 'exactArray':
      return literal(e, value, dtype ?? defaultType(value), span);
    case 'truth':
      return e.constant(value.value ? 1 : 0, 'bool');
    case 'range':
      return rangeNode(e, value.lo, value.length, span);
    case 'tree':
      if (value.leaves.length === 1) return value.leaves[0].node;
      break;
    default:
      break;
  }
  fail('OPT304', span, `a number or tensor is needed here, not ${kindText(value)}`, {
    hint: neededHint(value, 'name one of its fields or leaves'),
  });
}

function neededHint(value: Value, otherwise: string): string {
  if (value.kind === 'template') return callHint(value);
  if (value.kind !== 'over') return otherwise;
  const { name } = value.axis;
  return `read it in map ${name} { … }, or reduce it: mean over ${name} { … }`;
}

/** How a template becomes a value. */
function callHint(t: Template): string {
  const open = (t.decl.params ?? []).filter((p) => !p.default && !t.bound.has(p.name.text));
  if (t.bound.size === 0 || open.length === 0) return `call it: ${t.decl.name.text}(…)`;
  return `give ${t.decl.name.text} what it still needs: ${open.map((p) => p.name.text).join(', ')}`;
}

/** lo, lo + 1, … as i32[length]. */
export function rangeNode(e: Elaboration, lo: Value, length: number, span: Span): Node {
  const iota = e.make('iota', [], { shape: [length], axis: 0, dtype: 'i32' });
  if (lo.kind === 'exact' && lo.value === 0) return iota;
  return e.make('add', [iota, broadcastTo(e, toNode(e, lo, span, 'i32'), [length])]);
}

/** An f32 node; integers are refused with a hint. */
export function toFloat(e: Elaboration, value: Value, span: Span): Node {
  const node = toNode(e, value, span, 'f32');
  if (node.type.dtype !== 'f32') {
    fail('OPT301', span, `f32 is needed here, but this has type ${e.typeText(node.type)}`, {
      hint: 'convert it: f32(x)',
    });
  }
  return node;
}

/** A whole number known at compile time (a dim, a count). */
export function toDim(e: Elaboration, value: Value, span: Span, what = 'a size'): number {
  if (value.kind === 'exact') {
    if (Number.isInteger(value.value)) return value.value;
    fail('OPT305', span, `${what} must be a whole number, not ${value.value}`, { hint: 'use div for whole division' });
  }
  fail('OPT305', span, `${what} must be known at compile time, but this is ${kindText(value)}`, {
    hint: 'use numbers, dim declarations, len(x) and arithmetic on them',
  });
}

/** A length or number of elements: a whole number known now, 0 or more. */
export function toSize(e: Elaboration, value: Value, span: Span, what: string): number {
  const size = toDim(e, value, span, what);
  if (size < 0) fail('OPT310', span, `${what} cannot be negative: ${size}`, { hint: 'sizes are 0 or more' });
  return size;
}

/** Repeats a value to `shape` by the rules of trailing alignment (which the caller has checked). */
export function broadcastTo(e: Elaboration, node: Node, shape: readonly number[]): Node {
  const own = node.type.shape;
  if (own.length === shape.length && own.every((d, i) => d === shape[i])) return node;
  if (node.op === 'constant' && node.attrs.value !== undefined) {
    return e.graph.constant(node.attrs.value as number, { dtype: node.type.dtype, shape });
  }
  const offset = shape.length - own.length;
  return e.make('broadcast', [node], { shape, axes: own.map((_, i) => i + offset) });
}

// ---------------------------------------------------------------- compound values

/** Leaves of any value that is made of numbers, in order, with paths ('' for a value that is one leaf). */
export function leaves(e: Elaboration, given: Value, span: Span): { path: string; value: Value }[] {
  const value = plain(e, given, span);
  switch (value.kind) {
    case 'tuple':
      return value.items.flatMap((item, i) => under(`${i}`, leaves(e, item, span)));
    case 'record':
      return [...value.fields].flatMap(([name, item]) => under(name, leaves(e, item, span)));
    case 'tree':
      return value.leaves.map((l) => ({ path: l.path, value: tensor(l.node) }));
    case 'dataset':
    case 'batch':
      if (value.kind === 'batch') refuseCapped(value, value.dataset.name, span);
      return [...value.fields].flatMap(([name, read]) => under(name, leaves(e, read(), span)));
    case 'exact':
    case 'exactArray':
    case 'truth':
    case 'tensor':
    case 'range':
      return [{ path: '', value }];
    default:
      fail('OPT304', span, `numbers or a tree of them are needed here, not ${kindText(value)}`, {
        hint: neededHint(value, 'name a value made of numbers'),
      });
  }
}

/** Refuses to read the whole of a batch of which the run decides how many rows count. */
export function refuseCapped(batch: Batch, name: string, span: Span): void {
  if (!batch.capped) return;
  fail('OPT304', span, `${name}, a batch of a run-time count, has no length that is known`, {
    hint: 'read it by element: mean over s as e { … e.x … }; count(s) is how many there are',
  });
}

function under(name: string, items: { path: string; value: Value }[]): { path: string; value: Value }[] {
  return items.map((l) => ({ path: l.path === '' ? name : `${name}.${l.path}`, value: l.value }));
}

/** Leaf nodes of a value. */
export function leafNodes(e: Elaboration, value: Value, span: Span, dtype?: DType): Node[] {
  return leaves(e, value, span).map((l) => toNode(e, l.value, span, dtype));
}

/** A value with the axes that it is over as leading dimensions: for what takes all elements together. */
export function withAxesInFront(e: Elaboration, given: Value, span: Span): Value {
  const value = plain(e, given, span);
  const inner = (v: Value) => withAxesInFront(e, v, span);
  if (value.kind === 'over') return inner(value.value);
  if (value.kind === 'tuple') return { ...value, items: value.items.map(inner) };
  if (value.kind === 'record')
    return { ...value, fields: new Map([...value.fields].map(([name, field]) => [name, inner(field)])) };
  return value;
}

/** Leaf nodes, of values over an axis too. */
export function leavesOver(e: Elaboration, value: Value, span: Span): Node[] {
  return leafNodes(e, withAxesInFront(e, value, span), span);
}

/** The same structure with other leaves, given in order. */
export function rebuild(e: Elaboration, like: Value, nodes: readonly Node[], span: Span): Value {
  let next = 0;
  const take = (value: Value): Value => {
    switch (value.kind) {
      case 'tuple':
        return { kind: 'tuple', items: value.items.map(take) };
      case 'record':
        return { kind: 'record', fields: new Map([...value.fields].map(([k, v]) => [k, take(v)])) };
      case 'tree':
        return { kind: 'tree', leaves: value.leaves.map((l) => ({ path: l.path, node: nodes[next++] })) };
      case 'model':
      case 'part':
      case 'cell':
        return take(plain(e, value, span));
      case 'over':
        return { ...value, value: take(value.value) };
      case 'dataset':
      case 'batch':
        return { kind: 'record', fields: new Map([...value.fields].map(([k, read]) => [k, take(read())])) };
      default:
        return tensor(nodes[next++]);
    }
  };
  return take(like);
}

/** Applies `f` to every leaf. */
export function mapLeaves(e: Elaboration, value: Value, span: Span, f: (leaf: Value) => Value): Value {
  const v = plain(e, value, span);
  if (v.kind === 'tuple') return { kind: 'tuple', items: v.items.map((x) => mapLeaves(e, x, span, f)) };
  if (v.kind === 'record') {
    return { kind: 'record', fields: new Map([...v.fields].map(([k, x]) => [k, mapLeaves(e, x, span, f)])) };
  }
  if (v.kind === 'tree') {
    return { kind: 'tree', leaves: v.leaves.map((l) => ({ path: l.path, node: toNode(e, f(tensor(l.node)), span) })) };
  }
  return f(v);
}

/** Marks what a value is made of: applies `f` to every node, of values over an axis too; what is known at compile time stays. */
export function mapNodes(e: Elaboration, value: Value, span: Span, f: (node: Node) => Node): Value {
  return mapLeaves(e, value, span, (leaf) => {
    if (leaf.kind === 'over') return { ...leaf, value: mapNodes(e, leaf.value, span, f) };
    return leaf.kind === 'tensor' ? tensor(f(leaf.node)) : leaf;
  });
}

/** Applies `f` leaf by leaf to values of one structure; single leaves meet every leaf of the others. */
export function zipLeaves(
  e: Elaboration,
  given: readonly Value[],
  spans: readonly Span[],
  f: (leaves: readonly Value[]) => Value,
): Value {
  const values = given.map((v, i) => plain(e, v, spans[i]));
  const first = values.findIndex(isCompound);
  if (first < 0) return f(values);
  const lead = values[first];
  const mismatch = (i: number): never =>
    fail('OPT313', spans[i], `${kindText(values[i])} does not match ${kindText(lead)} leaf by leaf`, {
      labels: [{ span: spans[first], text: `this is ${kindText(lead)}` }],
      hint: 'both need the same fields, or one of them must be a single number or tensor',
    });
  const column = (pick: (v: Value, i: number) => Value) => values.map((v, i) => (isCompound(v) ? pick(v, i) : v));
  if (lead.kind === 'tuple') {
    return {
      kind: 'tuple',
      items: lead.items.map((_, k) =>
        zipLeaves(
          e,
          column((v, i) => (v.kind === 'tuple' && v.items.length === lead.items.length ? v.items[k] : mismatch(i))),
          spans,
          f,
        ),
      ),
    };
  }
  if (lead.kind === 'record') {
    return {
      kind: 'record',
      fields: new Map(
        [...lead.fields.keys()].map((k) => [
          k,
          zipLeaves(
            e,
            column((v, i) =>
              v.kind === 'record' && v.fields.size === lead.fields.size && v.fields.has(k)
                ? (v.fields.get(k) as Value)
                : mismatch(i),
            ),
            spans,
            f,
          ),
        ]),
      ),
    };
  }
  const tree = lead as Tree;
  return {
    kind: 'tree',
    leaves: tree.leaves.map((leaf, k) => {
      const row = column((v, i) =>
        v.kind === 'tree' && v.leaves.length === tree.leaves.length ? tensor(v.leaves[k].node) : mismatch(i),
      );
      return { path: leaf.path, node: toNode(e, f(row), spans[first], 'f32') };
    }),
  };
}

/** Elements of all leaves. */
export function totalSize(e: Elaboration, value: Value, span: Span): number {
  return leaves(e, value, span).reduce((sum, l) => sum + sizeOf(shapeOf(e, l.value, span)), 0);
}

export function shapeOf(e: Elaboration, value: Value, span: Span): readonly number[] {
  if (value.kind === 'exact' || value.kind === 'truth') return [];
  if (value.kind === 'exactArray') return value.shape;
  if (value.kind === 'range') return [value.length];
  return toNode(e, value, span).type.shape;
}

export function sameType(a: TensorType, b: TensorType): boolean {
  return a.dtype === b.dtype && a.shape.length === b.shape.length && a.shape.every((d, i) => d === b.shape[i]);
}
