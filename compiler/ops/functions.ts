/**
 * Which primitives are functions of the language under their own name: the elementwise ones of one or two inputs. A new record of the op table is one of
 * them without further ado; the list below names those that are written otherwise.
 */
import { ops } from './table.ts';
import type { DType, OpDef } from './types.ts';

/** Operators, conversions, how f16 is stored, run-time checks, powers, and minimum and maximum, which are reductions as well. */
const WRITTEN_OTHERWISE = new Set([
  'add', 'sub', 'mul', 'div', 'pow', 'integer_pow', 'floor_div', 'floor_mod', 'neg', 'not', 'and', 'or', 'xor', 'eq', 'ne', 'lt', 'le', 'gt', 'ge',
  'shift_left', 'shift_right', 'cast', 'bitcast', 'round_half', 'half_bits', 'half_value', 'fault_where', 'max', 'min',
]); // prettier-ignore

export interface ElementwiseFunction {
  readonly op: OpDef;
  readonly arity: 1 | 2;
  /** What it takes: f32, and integers where the primitive has them. */
  readonly accepts: readonly DType[];
  /** Element type of its result for f32 inputs. */
  readonly result: DType;
}

const scalar = (dtype: DType) => ({ dtype, shape: [] });

function accepted(op: OpDef, arity: number): DType[] {
  return (['f32', 'i32', 'u32'] as const).filter((dtype) => {
    try {
      op.infer(Array(arity).fill(scalar(dtype)), {});
      return true;
    } catch {
      return false;
    }
  });
}

export const elementwiseFunctions: readonly ElementwiseFunction[] = ops.flatMap((op) => {
  const { arity } = op;
  if (op.lower.family !== 'elementwise' || WRITTEN_OTHERWISE.has(op.name) || (arity !== 1 && arity !== 2)) return [];
  const result = op.infer(Array(arity).fill(scalar('f32')), {}).dtype;
  return [{ op, arity, accepts: accepted(op, arity), result }];
});
