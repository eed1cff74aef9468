/**
 * What a session needs of a device. Two implementations: `device/` (plan and WGSL on WebGPU) and `reference/` (the tensor program in float64).
 * All numbers cross this border as typed arrays of the logical dtype (bool as Uint32Array of 0 and 1).
 */
import type { Scalars } from '../compiler/bundle/host-program.ts';

export type NumberArray = Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array;

/** Values of an entry's scalar outputs for one execution, by name. */
export interface StepOutputs {
  /** Reports and metrics. */
  readonly values: ReadonlyMap<string, number>;
  /** Objectives: never shown, recorded so that a non-finite one ends the run. */
  readonly objectives: ReadonlyMap<string, number>;
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
  /** Uploads one field of a data set (row-major; storage as the bundle says). */
  loadData(name: string, field: string, values: NumberArray): Promise<void>;
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
  readCells(ids: readonly string[]): Promise<Map<string, NumberArray>>;
  writeCells(values: ReadonlyMap<string, NumberArray>): Promise<void>;
  dispose(): Promise<void>;
}
