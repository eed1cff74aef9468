/**
 * The maker of elementwise records. All inputs have one shape (the elaborator inserts broadcasts); the Jacobian of an
 * elementwise primitive is diagonal and so its own transpose, which is why one formula per input, "this many times the
 * derivative", serves both modes of differentiation.
 */
import { drawArray, drawShape, drawValue, need, sameShape, shapeText } from './arrays.ts';
import { addDefined, Terms } from './terms.ts';
import type { Attrs, Builder, DType, Node, OpDef, Rng, TensorType, WgslScalar } from './types.ts';

/** What a primitive accepts: the result dtype for input dtypes (ShapeError if they do not fit), and how to draw accepted ones. */
export interface TypeRule {
  result(dtypes: readonly DType[], attrs: Attrs): DType;
  draw(rng: Rng, arity: number, attrs: Attrs): readonly DType[];
}

/** All inputs have one dtype among `allowed`; the result has it too, or `result`. */
export function uniform(allowed: readonly DType[], result?: DType): TypeRule {
  return {
    result(dtypes) {
      const [first] = dtypes;
      need(
        allowed.includes(first) && dtypes.every((d) => d === first),
        () => `takes ${allowed.join(' or ')}, but got ${dtypes.join(' and ')}`,
      );
      return result ?? first;
    },
    draw: (rng, arity) => {
      const dtype = allowed[rng.integer(0, allowed.length)];
      return Array.from({ length: arity }, () => dtype);
    },
  };
}

export const float = uniform(['f32']);
export const numeric = uniform(['f32', 'i32', 'u32']);
export const signed = uniform(['f32', 'i32']);
export const integer = uniform(['i32', 'u32']);
export const logical = uniform(['bool', 'i32', 'u32']);
export const predicate = uniform(['f32'], 'bool');
export const ordered = uniform(['f32', 'i32', 'u32'], 'bool');
export const equatable = uniform(['f32', 'i32', 'u32', 'bool'], 'bool');

/** Where a derivative formula is written: the inputs x, y, z, the result `out`, and the abbreviations of `Terms`. */
export class Element extends Terms {
  readonly x: Node;
  readonly y: Node;
  readonly z: Node;
  readonly out: Node;

  constructor(b: Builder, node: Node, inputs: readonly Node[]) {
    super(b);
    [this.x, this.y, this.z] = inputs;
    this.out = node;
  }
}

/** t times the derivative by one input; undefined where it is zero everywhere. */
export type Formula = (c: Element, t: Node) => Node | undefined;

export interface ElementwiseSpec {
  readonly about: string;
  readonly types: TypeRule;
  readonly scalar: NonNullable<OpDef['scalar']>;
  readonly wgsl: WgslScalar['expr'];
  readonly functions?: readonly string[];
  readonly vector?: boolean;
  /** One formula per input; absent where the derivative is zero or the result is no float. */
  readonly d?: readonly Formula[];
  /** Draws an input inside the domain; by default any value of the dtype. */
  readonly draw?: (rng: Rng, dtype: DType, input: number) => number;
  readonly attrs?: (rng: Rng) => Attrs;
  /** Allowed error of the device; by default 4 ulp relative. */
  readonly tolerance?: OpDef['tolerance'];
  /** Distance of one element's arguments from the nearest place without a derivative. */
  readonly kink?: (args: readonly number[]) => number;
}

const EXACT_ENOUGH = { relative: 5e-7, absolute: 1e-30 };

/** Makes a record (but for its name) of an elementwise primitive with `arity` inputs. */
export function elementwise(arity: number, spec: ElementwiseSpec): Omit<OpDef, 'name'> {
  const { d, kink } = spec;
  const formula = (c: Element, i: number, t: Node | undefined) =>
    t && d && d[i] && [c.x, c.y, c.z][i].type.dtype === 'f32' ? d[i](c, t) : undefined;
  return {
    about: spec.about,
    arity,
    infer: (inputs, attrs) => {
      const [first] = inputs;
      need(
        inputs.every((input) => sameShape(input.shape, first.shape)),
        () => `needs equal shapes, but got ${inputs.map((i) => shapeText(i.shape)).join(' and ')}`,
      );
      const dtype = spec.types.result(
        inputs.map((i) => i.dtype),
        attrs,
      );
      return { dtype, shape: first.shape };
    },
    reference: (inputs, attrs, type) => {
      const dtypes = { inputs: inputs.map((i) => i.type.dtype), output: type.dtype };
      const args = inputs.map(() => 0);
      const data = new Float64Array(inputs[0].data.length);
      for (let k = 0; k < data.length; k++) {
        for (let i = 0; i < args.length; i++) args[i] = inputs[i].data[k];
        data[k] = spec.scalar(args, attrs, dtypes);
      }
      return { type, data };
    },
    scalar: spec.scalar,
    vjp: d ? ({ b, node, inputs }, g) => inputs.map((_, i) => formula(new Element(b, node, inputs), i, g)) : 'none',
    jvp: d
      ? ({ b, node, inputs }, tangents) => {
          const c = new Element(b, node, inputs);
          return addDefined(
            c,
            tangents.map((t, i) => formula(c, i, t)),
          );
        }
      : 'none',
    batch: ({ b, node, n }, inputs, mapped) => {
      const t = new Terms(b);
      return b.make(
        node.op,
        inputs.map((x, i) => (mapped[i] ? x : t.lead(x, n))),
        node.attrs,
      );
    },
    lower: {
      family: 'elementwise',
      wgsl: { expr: spec.wgsl, functions: spec.functions, vector: spec.vector ?? false },
    },
    sample: (rng) => {
      const attrs = spec.attrs?.(rng) ?? {};
      const shape = drawShape(rng, 0, 3);
      const inputs = spec.types.draw(rng, arity, attrs).map((dtype, i) => {
        const type: TensorType = { dtype, shape };
        return drawArray(rng, type, (r, t) => spec.draw?.(r, t, i) ?? drawValue(r, t));
      });
      return { inputs, attrs };
    },
    tolerance: spec.tolerance ?? EXACT_ENOUGH,
    kink: kink
      ? (inputs) => {
          let least = Infinity;
          for (let k = 0; k < inputs[0].data.length; k++) {
            least = Math.min(least, kink(inputs.map((input) => input.data[k])));
          }
          return least;
        }
      : undefined,
  };
}

/** Gives each record its key as name. */
export function named<K extends string>(records: Record<K, Omit<OpDef, 'name'>>): Record<K, OpDef> {
  const result: Partial<Record<K, OpDef>> = {};
  for (const [name, record] of Object.entries(records) as [K, Omit<OpDef, 'name'>][])
    result[name] = { name, ...record };
  return result as Record<K, OpDef>;
}
