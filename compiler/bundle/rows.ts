/**
 * Row numbers that the host finds for each execution: which rows of a field that stays with the host a batch takes. A small program over tensors, evaluated
 * by the primitives' own float64 meanings, in which integers are exact.
 */
import { fail } from '../diagnostics/diagnostic.ts';
import { IndexFault } from '../ops/index.ts';
import { op } from '../ops/table.ts';
import type { Attrs, NdArray, TensorType } from '../ops/types.ts';
import { readScalar, type Scalars } from './host-program.ts';

export interface RowInstruction {
  /** A primitive, 'constant' (attrs.value or attrs.values) or 'scalar' (attrs.name). */
  readonly op: string;
  readonly inputs: readonly number[];
  readonly attrs: Attrs;
  readonly type: TensorType;
}

/** The value of the last instruction is the row numbers. */
export type RowProgram = readonly RowInstruction[];

/** The rows of one execution, row-major in the shape of the last instruction. Throws SaddleError OPT708 where an index is out of range in finding them, OPT709 where none can be drawn. */
export function evaluateRows(program: RowProgram, scalars: Scalars): Float64Array {
  const values: NdArray[] = [];
  for (const instruction of program) {
    try {
      values.push(evaluate(instruction, values, scalars));
    } catch (cause) {
      if (!(cause instanceof IndexFault)) throw cause;
      const code = instruction.op === 'fault_where' ? 'OPT709' : 'OPT708';
      fail(code, undefined, `${cause.message} (step ${scalars.step})`);
    }
  }
  return values[values.length - 1].data;
}

function evaluate({ op: name, inputs, attrs, type }: RowInstruction, values: readonly NdArray[], s: Scalars): NdArray {
  const size = type.shape.reduce((product, n) => product * n, 1);
  if (name === 'scalar') return { type, data: Float64Array.of(readScalar(attrs.name as string, s)) };
  if (name === 'constant') {
    const { value, values: list } = attrs;
    return {
      type,
      data: list ? Float64Array.from(list as readonly number[]) : new Float64Array(size).fill(value as number),
    };
  }
  return op(name).reference(
    inputs.map((i) => values[i]),
    attrs,
    type,
  );
}
