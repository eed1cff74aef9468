/**
 * Between numbers and the 32-bit words of parameter slots and report slots. Scalars are computed on the host in float64 and rounded once, here.
 */
import type { BundleCell, BundleEntry, Condition, DType, TensorType } from '../../compiler/bundle/format.ts';
import { cellBytes, unpackHalves } from '../../compiler/bundle/halves.ts';
import { type Scalars, evaluateHost } from '../../compiler/bundle/host-program.ts';
import { InternalError } from '../../compiler/diagnostics/diagnostic.ts';

import type { NumberArray, StepOutputs } from '../backend.ts';

/** Writes a value as one word (little-endian, as all WebGPU hosts are). */
export function writeWord(view: DataView, byteOffset: number, dtype: DType, value: number): void {
  switch (dtype) {
    case 'f32':
      return view.setFloat32(byteOffset, value, true);
    case 'i32':
      return view.setInt32(byteOffset, value, true);
    case 'u32':
      return view.setUint32(byteOffset, value, true);
    case 'bool':
      return view.setUint32(byteOffset, value === 0 ? 0 : 1, true);
  }
}

export function readWord(view: DataView, byteOffset: number, dtype: DType): number {
  switch (dtype) {
    case 'f32':
      return view.getFloat32(byteOffset, true);
    case 'i32':
      return view.getInt32(byteOffset, true);
    case 'u32':
    case 'bool':
      return view.getUint32(byteOffset, true);
  }
}

/** Host values of one execution, and the step's parameter slot filled from them. */
export function fillParams(entry: BundleEntry, scalars: Scalars, view: DataView, slotOffset: number): number[][] {
  const values = evaluateHost(entry.host, scalars);
  for (const p of entry.params) {
    const value = values[p.value]?.[p.component];
    if (value === undefined) throw new InternalError(`entry '${entry.id}': parameter word ${p.word} has no value`);
    writeWord(view, slotOffset + 4 * p.word, p.dtype, value);
  }
  return values;
}

/** The outputs of one execution: those of the report slot (if any) and those that the host alone computes. */
export function readOutputs(
  entry: BundleEntry,
  hostValues: readonly number[][],
  view: DataView | undefined,
  slotOffset: number,
): StepOutputs {
  const values = new Map<string, number>();
  const objectives = new Map<string, number>();
  const word = (at: number, dtype: DType): number => {
    if (!view) throw new InternalError(`entry '${entry.id}' has outputs and no report buffer`);
    return readWord(view, slotOffset + 4 * at, dtype);
  };
  const holds = (when: Condition | undefined): boolean => {
    if (!when) return true;
    return ('word' in when ? word(when.word, 'bool') : hostValues[when.value][0]) !== 0;
  };
  const record = (output: { kind: string; name: string; when?: Condition }, value: number): void => {
    if (holds(output.when)) (output.kind === 'objective' ? objectives : values).set(output.name, value);
  };
  // in the order of the text, whoever computes them
  const ofHost = entry.hostOutputs.values();
  let next = ofHost.next().value;
  for (let at = 0; at <= entry.outputs.length; at++) {
    for (; next && next.at === at; next = ofHost.next().value) {
      const value = hostValues[next.value][0];
      record(next, next.dtype === 'f32' ? Math.fround(value) : value);
    }
    const output = entry.outputs[at];
    if (output) record(output, word(output.word, output.dtype));
  }
  return { values, objectives };
}

/** Number of elements, each one word on the device. */
export function elements(type: TensorType): number {
  return type.shape.reduce((a, b) => a * b, 1);
}

/** Values of a tensor as they lie on the device. The result may share memory with `values`. */
export function toDevice(values: NumberArray, dtype: DType): Float32Array | Int32Array | Uint32Array {
  switch (dtype) {
    case 'f32':
      return values instanceof Float32Array ? values : Float32Array.from(values);
    case 'i32':
      return values instanceof Int32Array ? values : Int32Array.from(values);
    case 'u32':
      return values instanceof Uint32Array ? values : Uint32Array.from(values);
    case 'bool':
      return Uint32Array.from(values, (v) => (v === 0 ? 0 : 1));
  }
}

/** Typed view of device bytes (whole, aligned words). */
export function fromDevice(bytes: ArrayBuffer, byteOffset: number, type: TensorType): NumberArray {
  const count = elements(type);
  if (type.dtype === 'f32') return new Float32Array(bytes, byteOffset, count);
  if (type.dtype === 'i32') return new Int32Array(bytes, byteOffset, count);
  return new Uint32Array(bytes, byteOffset, count);
}

/** The numbers of a cell from the bytes of its words. */
export function cellFromDevice(bytes: ArrayBuffer, byteOffset: number, cell: BundleCell): NumberArray {
  if (cell.storage !== 'f16') return fromDevice(bytes, byteOffset, cell.type);
  return unpackHalves(new Uint32Array(bytes, byteOffset, cellBytes(cell) / 4), elements(cell.type));
}
