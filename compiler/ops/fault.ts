/** Run-time checks that are no index: a condition that must not hold. */
import { need } from './arrays.ts';
import { elementwise, named, type TypeRule } from './elementwise.ts';
import { IndexFault } from './index.ts';
import type { DType } from './types.ts';

const dtypes: readonly DType[] = ['f32', 'i32', 'u32', 'bool'];

const checkedTypes: TypeRule = {
  result: ([x, wrong], attrs) => {
    need(wrong === 'bool', () => `a condition is bool, not ${wrong}`);
    need(typeof attrs.message === 'string', () => 'a fault has a message');
    return x;
  },
  draw: (rng) => [dtypes[rng.integer(0, dtypes.length)], 'bool'],
};

export const faultOps = named({
  fault_where: {
    ...elementwise(2, {
      about:
        'x; where the condition holds, a fault of the run, which says {message}. Inputs: x, bool of its shape. Lowered as an elementwise node beside which the check stands.',
      types: checkedTypes,
      scalar: ([x, wrong], { message }) => {
        if (wrong) throw new IndexFault(String(message));
        return x;
      },
      wgsl: ([x]) => x,
      vector: true,
      d: [(_, t) => t],
      draw: (rng, dtype, input) =>
        input === 1 ? 0 : dtype === 'f32' ? rng.normal() : dtype === 'bool' ? rng.integer(0, 2) : rng.integer(0, 100),
      attrs: () => ({ message: 'this must not be' }),
      tolerance: { relative: 0, absolute: 0 },
    }),
    checked: 1,
  },
});
