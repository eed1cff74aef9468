/**
 * What a session needs of a device. Two implementations: `device/` (plan and WGSL on WebGPU) and `reference/` (the tensor program in float64).
 * All numbers cross this border as typed arrays of the logical dtype (bool as Uint32Array of 0 and 1).
 */
import type { Scalars } from '../compiler/bundle/host-program.ts';
import { fail } from '../compiler/diagnostics/diagnostic.ts';
import type { Span } from '../compiler/source/source.ts';

export type NumberArray = Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array;

/** A field whose rows are read where they lie, because memory need not hold them all. */
export interface RowSource {
  readonly rows: number;
  /** These rows, one after the other, in the storage of the field. They lie in 0..rows. */
  read(rows: readonly number[]): Promise<NumberArray>;
  close(): Promise<void>;
}

/** All numbers of a field, row-major, or a way to read its rows. */
export type FieldSource = NumberArray | RowSource;

export function isRowSource(source: FieldSource): source is RowSource {
  return !ArrayBuffer.isView(source);
}

/** The numbers of a field for what cannot read it by rows. Throws OPT711 for rows that are read later. */
export function inMemory(name: string, source: FieldSource, what: string): NumberArray {
  if (!isRowSource(source)) return source;
  return fail('OPT711', undefined, `data '${name}' are read by rows, and ${what} needs them in memory`, {
    hint: 'take fewer rows: "file"[0..10000]',
  });
}

/** Values of an entry's scalar outputs for one execution, by name. */
export interface StepOutputs {
  /** Reports and metrics. */
  readonly values: ReadonlyMap<string, number>;
  /** Objectives: never shown, recorded so that a non-finite one ends the run. */
  readonly objectives: ReadonlyMap<string, number>;
}

/** The operation that first made a value not finite. */
export interface Origin {
  /** What it did: "this is the logarithm of a number below 0". */
  readonly what: string;
  /** What to do about it. */
  readonly hint: string;
  readonly span?: Span;
}

export interface DeviceInfo {
  /** 'hardware' | 'software' | 'reference' */
  readonly class: 'hardware' | 'software' | 'reference';
  readonly name: string;
  readonly vendor: string;
  readonly driver: string;
  readonly backend: string;
}

/** Counters since the backend was made; a caller takes differences. */
export interface DeviceStats {
  dispatches: number;
  submits: number;
  executions: number;
}

export interface Backend {
  readonly info: DeviceInfo;
  readonly stats: DeviceStats;
  /** Bytes of all live buffers, and their highest value. */
  readonly bytes: { readonly live: number; readonly peak: number };
  /**
   * Takes one field of a data set (row-major; storage as the bundle says). Rows to be read later can be given for a field that stays with the host
   * alone; they are closed with the backend. Throws SaddleError OPT711.
   */
  loadData(name: string, field: string, values: FieldSource): Promise<void>;
  /** Most executions that `submit` takes at once for this entry. May change from call to call (a submit is kept short). */
  capacity(entry: string): number;
  /**
   * Executes the entry once per element of `steps`, in order, as one submission; resolves when its outputs have been read back.
   * May be called again before it resolves: submissions are ordered. Rejects with SaddleError (device lost, fault, validation).
   */
  submit(entry: string, steps: readonly Scalars[]): Promise<StepOutputs[]>;
  /** Executes an export. Inputs and results are row-major, by name. */
  call(
    entry: string,
    inputs: Readonly<Record<string, NumberArray>>,
    scalars: Scalars,
  ): Promise<Record<string, NumberArray>>;
  /** Sets every cell to zero, so that a program may begin anew on the same device (another seed). */
  reset(): Promise<void>;
  /** Where a device can say so: what first made the output of this name, or the cell of this id, not finite. */
  originOf?(name: string): Origin | undefined;
  readCells(ids: readonly string[]): Promise<Map<string, NumberArray>>;
  writeCells(values: ReadonlyMap<string, NumberArray>): Promise<void>;
  dispose(): Promise<void>;
}
