/**
 * Cells stored as numbers of 16 bits become cells of words that hold two each: reads unpack them, writes pack what was rounded before. Everything behind this
 * sees ordinary 32-bit words, so that no device has to know numbers of 16 bits. Runs first, on graphs whose derivatives are taken.
 */
import type { Cell } from '../ir/program.ts';
import type { Graph } from '../ir/tensor/graph.ts';
import { rewrite } from '../ir/tensor/rewrite.ts';
import { sizeOf } from '../ops/arrays.ts';
import { op } from '../ops/table.ts';
import { Terms } from '../ops/terms.ts';
import type { Node, TensorType } from '../ops/types.ts';

/** What lies in memory for a cell. */
export function memoryType({ type, storage }: Pick<Cell, 'type' | 'storage'>): TensorType {
  return storage === 'f16' ? { dtype: 'u32', shape: [Math.ceil(sizeOf(type.shape) / 2)] } : type;
}

/** The roots with cells of `halves` read as words. */
export function unpackReads(graph: Graph, roots: readonly Node[], halves: ReadonlyMap<string, Cell>): Node[] {
  if (halves.size === 0) return [...roots];
  return rewrite(graph, roots, (node) => {
    const cell =
      node.op === 'parameter' && node.attrs.source === 'cell' ? halves.get(String(node.attrs.name)) : undefined;
    return cell ? graph.at(node.span, () => unpacked(graph, cell), node.path) : node;
  });
}

function unpacked(graph: Graph, cell: Cell): Node {
  const t = new Terms(graph);
  const words = graph.parameter('cell', cell.id, memoryType(cell));
  const shape = [words.type.shape[0], 2];
  const shifts = t.broadcast(graph.dense([0, 16], { dtype: 'u32', shape: [2] }), shape, [1]);
  const each = graph.make('half_value', [graph.make('shift_right', [t.broadcast(words, shape, [0]), shifts])]);
  const size = sizeOf(cell.type.shape);
  const flat = t.reshape(each, [2 * shape[0]]);
  return t.reshape(size % 2 === 0 ? flat : t.slice(flat, [0], [size]), cell.type.shape);
}

/** The words of a value that is written. */
export function packed(graph: Graph, value: Node): Node {
  const t = new Terms(graph);
  let own = value;
  // the words round again
  while (own.op === 'round_half' || op(own.op).lower.family === 'alias') own = own.inputs[0];
  return graph.at(
    value.span,
    () => {
      const size = sizeOf(own.type.shape);
      const flat = t.reshape(own, [size]);
      const even =
        size % 2 === 0
          ? flat
          : graph.make('concat', [flat, graph.constant(0, { dtype: 'f32', shape: [1] })], { axis: 0 });
      const bits = graph.make('half_bits', [t.reshape(even, [Math.ceil(size / 2), 2])]);
      const half = (k: number) => t.reshape(t.slice(bits, [0, k], [bits.type.shape[0], k + 1]), [bits.type.shape[0]]);
      const high = graph.make('shift_left', [
        half(1),
        graph.constant(16, { dtype: 'u32', shape: [bits.type.shape[0]] }),
      ]);
      return graph.make('or', [half(0), high]);
    },
    value.path,
  );
}
