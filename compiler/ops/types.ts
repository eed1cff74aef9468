/**
 * The vocabulary of the tensor IR and the contract of an op record.
 *
 * A tensor program is a graph of immutable nodes; a node has one op, ordered inputs, static attributes and one static type.
 * Everything the compiler, the reference interpreter and the tests know about a primitive is one `OpDef` record: its type rule, its
 * float64 meaning, both derivatives, batching, lowering, a sampler and a tolerance. A missing field is a type error.
 * Docs, fuzzers and checks iterate the table, so a new primitive is one record in one file.
 */
import type { Span } from '../source/source.ts';

export type DType = 'f32' | 'i32' | 'u32' | 'bool';

/** Static type of a value: element type and shape (scalars have shape []). Row-major. */
export interface TensorType {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Types of the results of a primitive that has several (`loop`, `cond`); only `part` reads such a value. Its dtype is then i32, its shape []. */
  readonly parts?: readonly TensorType[];
}

export type AttrValue = number | string | boolean | readonly number[] | readonly string[] | Region | undefined;
export type Attrs = Readonly<Record<string, AttrValue>>;

/**
 * A function body inside a node: `params` are `parameter` nodes with source 'region'. Regions that are evaluated (of `loop` and `cond`) are closed: their
 * results read only the params and constants. The rule of a `custom_gradient`, which differentiation applies in place, may also read outer nodes.
 */
export interface Region {
  readonly params: readonly Node[];
  readonly results: readonly Node[];
}

/** One value of the graph. Ids grow with creation, so an input's id is always below its user's: id order is a topological order. */
export interface Node {
  readonly id: number;
  readonly op: string;
  readonly inputs: readonly Node[];
  readonly attrs: Attrs;
  readonly type: TensorType;
  /** Where in the source the value comes from. */
  readonly span?: Span;
  /** Call path ("Features/linear.0"), for profiles and messages. */
  readonly path?: string;
}

/** Makes nodes. `make` infers the type by the op's record and throws `ShapeError` where the inputs do not fit. */
export interface Builder {
  make(op: string, inputs: readonly Node[], attrs?: Attrs): Node;
  /** Splat constant. */
  constant(value: number, type: TensorType): Node;
  /** Runs `body` with nodes attributed to `span` (and `path` where given). */
  at<T>(span: Span | undefined, body: () => T, path?: string): T;
}

/** Inputs of a primitive do not fit; the caller, who knows the spans, turns it into a located diagnostic. */
export class ShapeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ShapeError';
  }
}

/** A value of the reference interpreter; every dtype is held in float64 (i32, u32 exactly, bool as 0 and 1), row-major. */
export interface NdArray {
  readonly type: TensorType;
  readonly data: Float64Array;
  /** Results of a primitive that has several. */
  readonly parts?: readonly NdArray[];
}

/** Evaluates the results of a closed region for values of its params. */
export type RegionEvaluator = (region: Region, args: readonly NdArray[]) => NdArray[];

/** How a primitive becomes kernel code; the lowering of each family lives in `compiler/lower/`. */
export type Lowering =
  | { readonly family: 'elementwise'; readonly wgsl: WgslScalar }
  | { readonly family: 'reduce'; readonly combine: 'add' | 'mul' | 'max' | 'min' | 'and' | 'or' | 'argmax' | 'argmin' }
  /** Pure index arithmetic (broadcast, reshape, permute, slice, pad, concat, flip, iota): fused into loads. */
  | { readonly family: 'index' }
  | { readonly family: 'contraction' }
  | { readonly family: 'gather' | 'scatter' | 'overlap' | 'update' | 'scan' | 'sort' | 'factor' }
  /** Elementwise over the output index with integer words (random bits, shuffles). `wgsl` gets the flat index (u32) first, then every component of every input (a key is two). */
  | { readonly family: 'indexed'; readonly wgsl: WgslScalar }
  /** Evaluated on the host once per step; reaches kernels as a parameter word. */
  | { readonly family: 'host' }
  /** No code of its own: the value is its first input (stop, reversal, names, versions). */
  | { readonly family: 'alias' }
  /** A node with closed regions and several results (loop, cond). */
  | { readonly family: 'region' }
  /** One of the results of a region node. */
  | { readonly family: 'part' }
  /** Constants, cells, data, inputs. */
  | { readonly family: 'source' };

/** WGSL of one element. `functions` are helper functions (complete WGSL text, named by the namer's prefix `sd_`) that the expression calls. */
export interface WgslScalar {
  /** Expression text for scalar operand texts; dtypes are those of operands and result. */
  expr(
    args: readonly string[],
    dtypes: { readonly inputs: readonly DType[]; readonly output: DType },
    attrs: Attrs,
  ): string;
  readonly functions?: readonly string[];
  /** True where the same text is right for vec4 operands (component-wise built-ins and operators). Others are applied per component. */
  readonly vector?: boolean;
}

export interface DerivativeContext {
  readonly b: Builder;
  readonly node: Node;
  readonly inputs: readonly Node[];
  /** Reverse-mode derivatives of an f32 scalar by nodes it reads (zeros where none flows); for the few rules that transpose another. */
  pull(output: Node, wrt: readonly Node[]): Node[];
  readonly transform: Transforms;
}

/** Transformations of whole graphs, as the rules of primitives with regions need them; `autodiff/` provides them. */
export interface Transforms {
  /** Do derivatives flow from any of the leaves to each output? */
  active(outputs: readonly Node[], leaves: readonly Node[]): readonly boolean[];
  /** Cotangents of the `wrt` nodes for cotangents of the outputs; undefined where none flows. */
  vjp(outputs: readonly Node[], cotangents: readonly Node[], wrt: readonly Node[]): readonly (Node | undefined)[];
  /** Tangents of the outputs for tangents of the `wrt` nodes; zeros where none flows. */
  jvp(outputs: readonly Node[], wrt: readonly Node[], tangents: readonly Node[]): readonly Node[];
  /** The outputs with the given nodes replaced by their images, for n elements; shared where an output depends on no mapped image. */
  vectorize(outputs: readonly Node[], images: ReadonlyMap<Node, Image>, n: number): readonly Image[];
  /** Which outputs differ by element, where the given nodes do: the flags of the images that `vectorize` would make. */
  varies(outputs: readonly Node[], given: readonly Node[]): readonly boolean[];
  /**
   * Results of a closed region for elements that may not count: where p (bool scalar) is false they are arbitrary, but no run-time check fails and
   * nothing flows back into the arguments.
   */
  masked(region: Region, args: readonly Node[], p: Node): readonly Node[];
}

/** What a node becomes under batching: with a leading axis of length n, or shared by all elements. */
export interface Image {
  readonly node: Node;
  readonly mapped: boolean;
}

/** Derivatives and batching of a primitive with several results; index 0 … of `parts` each. */
export interface SeveralRules {
  /** Cotangents of the inputs for those of the parts (undefined is zero); `needed` says of which inputs they are asked. */
  vjp(
    ctx: DerivativeContext,
    cotangents: readonly (Node | undefined)[],
    needed: readonly boolean[],
  ): readonly (Node | undefined)[];
  /** Tangents of the parts for those of the inputs (undefined is zero). */
  jvp(ctx: DerivativeContext, tangents: readonly (Node | undefined)[]): readonly (Node | undefined)[];
  /** Images of the parts, where at least one input is mapped. */
  batch(ctx: BatchContext, inputs: readonly Node[], mapped: readonly boolean[]): readonly Image[];
  /** Which of the parts `batch` maps, without making them. */
  varies(node: Node, mapped: readonly boolean[], transform: Pick<Transforms, 'varies'>): readonly boolean[];
}

export interface BatchContext {
  readonly b: Builder;
  readonly node: Node;
  readonly n: number;
  readonly transform: Pick<Transforms, 'vectorize' | 'varies' | 'masked'>;
  /** Images of everything outside of the node, for primitives whose region reads outer nodes. */
  readonly outside: ReadonlyMap<Node, Image>;
}

/** A drawn test case: input types with values, and attributes. */
export interface OpSample {
  readonly inputs: readonly NdArray[];
  readonly attrs: Attrs;
}

/** Source of random numbers for samplers: deterministic, seeded by the test. */
export interface Rng {
  /** Uniform in [0, 1). */
  uniform(): number;
  normal(): number;
  /** Integer in [lo, hi). */
  integer(lo: number, hi: number): number;
  /** Length of an axis of a sample, above 0 unless it may be empty; absent where samplers choose small ones. */
  length?(empty: boolean): number;
}

export interface OpDef {
  readonly name: string;
  /** One line for the reference page. */
  readonly about: string;
  readonly arity: number | 'variadic';
  /** Result type; throws ShapeError with a message in terms of shapes and dtypes. */
  infer(inputs: readonly TensorType[], attrs: Attrs): TensorType;
  /** Float64 meaning. `evaluate` is there for primitives with regions. */
  reference(inputs: readonly NdArray[], attrs: Attrs, type: TensorType, evaluate?: RegionEvaluator): NdArray;
  /**
   * Scalar float64 meaning for elementwise ops, also used for host scalars. Arguments and result are numbers (bool 0/1; i32, u32 wrapped).
   */
  readonly scalar?: (
    args: readonly number[],
    attrs: Attrs,
    dtypes: { readonly inputs: readonly DType[]; readonly output: DType },
  ) => number;
  /** Reverse mode: cotangents of the inputs for cotangent g of the result; undefined where none flows. 'none' for ops without float results. */
  readonly vjp: ((ctx: DerivativeContext, g: Node) => readonly (Node | undefined)[]) | 'none';
  /** Forward mode: tangent of the result from tangents of the inputs (undefined is zero). */
  readonly jvp: ((ctx: DerivativeContext, tangents: readonly (Node | undefined)[]) => Node | undefined) | 'none';
  /**
   * Batching: inputs flagged `mapped` have an extra leading axis of length n; the result must have it too.
   * 'refused' for ops that `map` cannot batch (with the reason in `about`).
   */
  readonly batch: ((ctx: BatchContext, inputs: readonly Node[], mapped: readonly boolean[]) => Node) | 'refused';
  /** Rules of a primitive with several results, in place of `vjp`, `jvp` and `batch` above. */
  readonly several?: SeveralRules;
  /**
   * The first input that is checked while running: an index out of range, or a condition that holds, is a fault. Where the arity is fixed it is the only one, else all
   * inputs from it on are (see `checkedInputs`). Code that may run for elements that do not count gives 0 (false) instead.
   */
  readonly checked?: number;
  readonly lower: Lowering;
  /** A random valid case within the op's domain, at small odd shapes (including sizes 0 and 1). */
  sample(rng: Rng): OpSample;
  /** Allowed error of the device against float64: ulp-like relative part and absolute part. */
  readonly tolerance: { readonly relative: number; readonly absolute: number };
  /** Inputs at which derivatives do not exist (kinks) are kept at this distance by gradient checks; 0 where smooth. */
  readonly kink?: (inputs: readonly NdArray[]) => number;
}
