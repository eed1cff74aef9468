/** Primitives without inputs whose value is given: constants, and parameters, which the evaluator or the device supplies. */
import { InternalError } from '../diagnostics/diagnostic.ts';
import { drawArray, drawShape, dtypeAttr, need, shapeAttr, sizeOf, wrap } from './arrays.ts';
import { equatable, named } from './elementwise.ts';
import type { Attrs, OpDef, TensorType } from './types.ts';

const typeOf = (attrs: Attrs): TensorType => ({ dtype: dtypeAttr(attrs), shape: shapeAttr(attrs, 'shape') });

const given: Pick<OpDef, 'arity' | 'vjp' | 'jvp' | 'batch' | 'lower' | 'tolerance'> = {
  arity: 0,
  vjp: 'none',
  jvp: 'none',
  batch: ({ node }) => node,
  lower: { family: 'source' },
  tolerance: { relative: 0, absolute: 0 },
};

const SOURCES = ['cell', 'data', 'scalar', 'input', 'region'];

export const sourceOps = named({
  constant: {
    about: 'A value of {dtype} and {shape}: {value} everywhere, or the row-major list {values}.',
    ...given,
    infer: (_, attrs) => {
      const type = typeOf(attrs);
      const { value, values } = attrs;
      need((value === undefined) !== (values === undefined), () => 'a constant has either a value or values');
      const list = value === undefined ? (values as readonly number[]) : [value as number];
      need(
        values === undefined || (Array.isArray(values) && values.length === sizeOf(type.shape)),
        () => `a constant of ${sizeOf(type.shape)} elements needs as many values`,
      );
      need(
        list.every((v) => typeof v === 'number' && (type.dtype === 'f32' || wrap(type.dtype, v) === v)),
        () => `not every value of the constant is of dtype ${type.dtype}`,
      );
      return type;
    },
    reference: (_, attrs, type) => {
      const { value, values } = attrs;
      if (values !== undefined) return { type, data: Float64Array.from(values as readonly number[]) };
      return { type, data: new Float64Array(sizeOf(type.shape)).fill(value as number) };
    },
    sample: (rng) => {
      const [dtype] = equatable.draw(rng, 1, {});
      const array = drawArray(rng, { dtype, shape: drawShape(rng, 0, 3) });
      return { inputs: [], attrs: { dtype, shape: array.type.shape, values: Array.from(array.data) } };
    },
  },
  parameter: {
    about:
      "A leaf of {dtype} and {shape} that is supplied from outside: {source} is 'cell', 'data', 'scalar', 'input' or 'region', {name} says which.",
    ...given,
    infer: (_, attrs) => {
      need(SOURCES.includes(attrs.source as string), () => `a parameter's source is one of ${SOURCES.join(', ')}`);
      need(typeof attrs.name === 'string', () => 'a parameter has a name');
      return typeOf(attrs);
    },
    reference: (_, attrs) => {
      throw new InternalError(`parameter '${String(attrs.name)}' has no value of its own: its evaluator supplies it`);
    },
    sample: (rng) => {
      const [dtype] = equatable.draw(rng, 1, {});
      return { inputs: [], attrs: { source: 'cell', name: 'w', dtype, shape: drawShape(rng, 0, 3) } };
    },
  },
});
