/**
 * Scalar programs that the host evaluates in float64 at each step: schedules, hypers, random keys. They are the part of a step's
 * graph that depends on no tensor. Values are lists of numbers (scalars have one component, random keys two).
 */
import { op } from '../ops/table.ts';
import type { Attrs, DType } from '../ops/types.ts';

export interface HostInstruction {
  /** A primitive with a `scalar` meaning, 'random_key', 'constant' (attrs.value), or 'scalar' (attrs.name: 'seed', 'step', 'steps', 'progress', 'hyper:NAME'). */
  readonly op: string;
  readonly inputs: readonly number[];
  readonly attrs: Attrs;
  readonly dtype: DType;
  readonly inputDtypes: readonly DType[];
}

export interface HostProgram {
  readonly instructions: readonly HostInstruction[];
}

/** Scalars of one execution. `step` counts from 0 within its phase of `steps` steps. */
export interface Scalars {
  readonly seed: number;
  readonly step: number;
  readonly steps: number;
  /** Which chunk of the rows, from 0, in the passes of an eval that takes its rows in chunks. */
  readonly chunk?: number;
  /** Value of a hyper, already evaluated for this step. */
  hyper(name: string): number;
}

/** Evaluates all instructions; result i is the value of instruction i. */
export function evaluateHost(program: HostProgram, scalars: Scalars): number[][] {
  const values: number[][] = [];
  for (const instruction of program.instructions) values.push(evaluate(instruction, values, scalars));
  return values;
}

function evaluate(i: HostInstruction, values: readonly number[][], scalars: Scalars): number[] {
  if (i.op === 'constant') return [i.attrs.value as number];
  if (i.op === 'scalar') return [readScalar(i.attrs.name as string, scalars)];
  const args = i.inputs.map((k) => values[k]);
  const def = op(i.op);
  if (def.lower.family === 'host') {
    const inputs = args.map((data, k) => ({
      type: { dtype: i.inputDtypes[k], shape: data.length === 1 ? [] : [data.length] },
      data: Float64Array.from(data),
    }));
    const type = def.infer(
      inputs.map((a) => a.type),
      i.attrs,
    );
    return Array.from(def.reference(inputs, i.attrs, type).data);
  }
  if (!def.scalar) throw new Error(`host program: '${i.op}' has no scalar meaning`);
  return [
    def.scalar(
      args.map((a) => a[0]),
      i.attrs,
      { inputs: i.inputDtypes, output: i.dtype },
    ),
  ];
}

/** A scalar of the step by its name. */
export function readScalar(name: string, s: Scalars): number {
  switch (name) {
    case 'seed':
      return s.seed >>> 0;
    case 'step':
      return s.step;
    case 'steps':
      return s.steps;
    case 'chunk':
      return s.chunk ?? 0;
    case 'progress':
      return s.steps > 0 ? s.step / s.steps : 0;
    default:
      return s.hyper(name.slice('hyper:'.length));
  }
}
