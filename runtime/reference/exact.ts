/** Evaluates the `exact` entries of a bundle on the values of another backend: the graph in float64, its results rounded to what cells hold. */
import type { BundleData, ExactEntry } from '../../compiler/bundle/format.ts';
import type { Scalars } from '../../compiler/bundle/host-program.ts';
import { InternalError, fail } from '../../compiler/diagnostics/diagnostic.ts';
import { reachable } from '../../compiler/ir/tensor/graph.ts';
import { parse } from '../../compiler/ir/tensor/parse.ts';
import type { NdArray, Node } from '../../compiler/ops/types.ts';
import type { Backend, NumberArray } from '../backend.ts';
import { scalarValue } from './backend.ts';
import { evaluate, FaultError } from './interpreter.ts';

/** Data sets of the program, with what was loaded of them by `set.field`. */
export interface LoadedData {
  readonly sets: readonly BundleData[];
  readonly fields: ReadonlyMap<string, NumberArray>;
}

/** Reads the cells that the graph needs, evaluates it, and writes its results. Throws OPT708 for an index out of range, OPT709 for values from which nothing can be drawn. */
export async function runExact(exact: ExactEntry, backend: Backend, data: LoadedData, scalars: Scalars): Promise<void> {
  const roots = parse(exact.graph);
  const leaves = reachable(roots).filter((n) => n.op === 'parameter');
  const ids = leaves.filter((n) => n.attrs.source === 'cell').map((n) => n.attrs.name as string);
  const cells = await backend.readCells([...new Set(ids)]);
  const values = faultless(roots, (leaf) => valueOf(leaf, cells, data, scalars));
  await backend.writeCells(new Map(exact.writes.map((cell, i) => [cell, typed(values[i])])));
}

function faultless(roots: readonly Node[], leaf: (node: Node) => NdArray): NdArray[] {
  try {
    return evaluate(roots, leaf);
  } catch (reason) {
    if (reason instanceof FaultError) fail(reason.code, undefined, `${reason.message} (in exact)`);
    throw reason;
  }
}

function valueOf(leaf: Node, cells: ReadonlyMap<string, NumberArray>, data: LoadedData, scalars: Scalars): NdArray {
  const { source, name } = leaf.attrs as { source: string; name: string };
  if (source === 'scalar') return { type: leaf.type, data: Float64Array.of(scalarValue(name, scalars)) };
  const found = source === 'cell' ? cells.get(name) : data.fields.get(name);
  if (!found) throw new InternalError(`exact reads the ${source} '${name}', which is not there`);
  return { type: leaf.type, data: Float64Array.from(found, scaled(name, source, data)) };
}

/** Bytes of a data field stand for numbers. */
function scaled(name: string, source: string, { sets }: LoadedData): (v: number) => number {
  const field =
    source === 'data' ? sets.flatMap((d) => d.fields.filter((f) => `${d.name}.${f.name}` === name))[0] : undefined;
  const scale = field?.storage === 'u8' ? field.scale : 1;
  return (v) => v * scale;
}

function typed({ type, data }: NdArray): NumberArray {
  if (type.dtype === 'f32') return Float32Array.from(data);
  return type.dtype === 'i32' ? Int32Array.from(data) : Uint32Array.from(data);
}
