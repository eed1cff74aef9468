/**
 * Values of the elaborator: what an expression of the language stands for while templates are evaluated at their call sites.
 * Numbers that are known now (literals, dims and arithmetic on them) stay exact and take the type of what they meet; everything
 * computed at run time is a node of the tensor graph; the rest (templates, models, data sets, runs) exists only at compile time.
 */
import type * as ast from '../ast/nodes.ts';
import type { DataField } from '../bundle/format.ts';
import type { Cell } from '../ir/program.ts';
import type { DType, Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elements } from './elements.ts';
import type { ProblemInstance } from './problems.ts';
import type { Frame } from './scope.ts';

/** A number known at compile time, in float64. `integral` is false where it was written with a point or exponent, or divided. */
export interface Exact {
  readonly kind: 'exact';
  readonly value: number;
  readonly integral: boolean;
}

/** An array of literals, row-major; like a literal it takes the type of what it meets. */
export interface ExactArray {
  readonly kind: 'exactArray';
  readonly values: readonly number[];
  readonly shape: readonly number[];
  readonly integral: boolean;
}

/** A condition known at compile time. */
export interface Truth {
  readonly kind: 'truth';
  readonly value: boolean;
}

export interface Tensor {
  readonly kind: 'tensor';
  readonly node: Node;
}

export interface TupleValue {
  readonly kind: 'tuple';
  readonly items: readonly Value[];
}

export interface RecordValue {
  readonly kind: 'record';
  readonly fields: ReadonlyMap<string, Value>;
}

/** Ordered leaves with dotted paths: the parameters of a model, and gradients shaped like them. */
export interface Tree {
  readonly kind: 'tree';
  readonly leaves: readonly { readonly path: string; readonly node: Node }[];
}

/** `lo..hi` of a static length; `lo` may be a run-time i32 scalar. */
export interface RangeValue {
  readonly kind: 'range';
  readonly lo: Exact | Tensor;
  readonly length: number;
}

/** One instance of a model: a layer (or model body) with parameters of its own. */
export interface ModelValue {
  readonly kind: 'model';
  readonly instance: ModelInstance;
}

/** A part of a model, `Net.head`: the parameters whose path starts so. */
export interface PartValue {
  readonly kind: 'part';
  readonly instance: ModelInstance;
  readonly path: string;
}

export type TemplateDecl =
  | ast.FnDecl
  | ast.LayerDecl
  | ast.ModelDecl
  | ast.RuleDecl
  | ast.EstimatorDecl
  | ast.AggregatorDecl
  | ast.SolverDecl
  | ast.TrialDecl
  | ast.ProblemDecl
  | ast.SetDecl;

/** A template with the scope it was written in, and the arguments already given to it. */
export interface Template {
  readonly kind: 'template';
  readonly decl: TemplateDecl;
  readonly frame: Frame;
  readonly bound: ReadonlyMap<string, Value>;
  /** Where the arguments were written, for messages. */
  readonly spans?: ReadonlyMap<string, Span>;
}

/** A pipeline of rules, or of an estimator and an aggregator, given as an argument or by name. */
export interface PipelineValue {
  readonly kind: 'pipeline';
  /** Each a list of templates in order; rules: for a leaf, the first that takes it. */
  readonly alternatives: readonly (readonly Template[])[];
}

/** A linear map of vectors of a length, as a fn: what the solvers of linear systems are given. */
export interface LinearMap {
  readonly kind: 'linearMap';
  readonly size: number;
  apply(v: Node): Node;
}

export interface Builtin {
  readonly kind: 'builtin';
  readonly name: string;
}

/** A whole data set: loaded (fields are `data` parameters) or generated (fields are values). */
export interface Dataset {
  readonly kind: 'dataset';
  readonly name: string;
  readonly rows: number;
  readonly fields: ReadonlyMap<string, () => Value>;
  readonly loaded?: readonly DataField[];
  readonly span: Span;
}

/** Rows of a data set at one step. */
export interface Batch {
  readonly kind: 'batch';
  readonly dataset: Dataset;
  readonly index: Node;
  readonly count: number;
  /** i32 scalar: how many of the `count` rows count, where that is decided at run time. */
  readonly capped?: Node;
  readonly fields: ReadonlyMap<string, () => Value>;
}

/** `axis clients = 20`. */
export interface Axis {
  readonly name: string;
  readonly size: number;
  readonly span: Span;
}

export interface AxisValue {
  readonly kind: 'axis';
  readonly axis: Axis;
}

/** A value for each element of an axis: the leaves of `value` have the axis in front. */
export interface OverValue {
  readonly kind: 'over';
  readonly axis: Axis;
  readonly value: Value;
}

export interface Text {
  readonly kind: 'text';
  readonly value: string;
}

/** An argument passed by name: evaluated at each use, in the phase that uses it. */
export interface Thunk {
  readonly kind: 'thunk';
  readonly expr: ast.Expr;
  readonly frame: Frame;
}

/** The skeleton of problems that a solver takes. */
export interface ClassValue {
  readonly kind: 'class';
  readonly decl: ast.ClassDecl;
  readonly frame: Frame;
}

/** A problem with variables of its own, in one run or one evaluation. */
export interface ProblemValue {
  readonly kind: 'problem';
  readonly instance: ProblemInstance;
}

/** Where the variables of a level may live, leaf by leaf; undefined where a leaf is free. */
export interface SetProduct {
  readonly kind: 'setProduct';
  readonly sets: readonly (Template | undefined)[];
}

/** What `solve` gives as an expression; as a tree, the variables and multipliers that it found. */
export interface Solution {
  readonly kind: 'solution';
  readonly problem: string;
  readonly found: RecordValue;
  /** `s.x`, `s.objective`, `s.multipliers`, `s.lagrangian` and the problem's own names. */
  readonly fields: ReadonlyMap<string, Value>;
}

/** An elaborated run; members are read for claims, cells and models. */
export interface RunValue {
  readonly kind: 'run';
  readonly name: string;
  /** The problem that a run of a solver solves, whose fields are the run's. */
  readonly problem?: ProblemInstance;
  readonly members: ReadonlyMap<string, Value>;
  readonly series: ReadonlyMap<string, 'report' | 'metric'>;
}

/** Members declared by static index: `h[l]`, `W[l]`, `r[0]`. */
export interface Family {
  readonly kind: 'family';
  readonly name: string;
  readonly members: ReadonlyMap<number, Value>;
}

/** A declared cell, or several with the structure of `like` (a `var` or `state` of a tree); read as their current versions. */
export interface CellValue {
  readonly kind: 'cell';
  readonly cells: readonly CellRef[];
  readonly like: Value;
}

/** The examples of an objective that an estimator opens, as an axis. */
export interface ExampleAxis {
  readonly kind: 'exampleAxis';
  readonly elements: Elements;
  /** Inside of a map over the axis: the example at hand. */
  readonly at?: ExampleAt;
}

/** One example: its number, and its rows of the arrays. */
export interface ExampleAt {
  readonly index: Node;
  readonly rows: readonly Node[];
}

export type Value =
  | Exact
  | ExactArray
  | Truth
  | Tensor
  | TupleValue
  | RecordValue
  | Tree
  | RangeValue
  | ModelValue
  | PartValue
  | Template
  | PipelineValue
  | LinearMap
  | Builtin
  | Dataset
  | Batch
  | Text
  | Thunk
  | RunValue
  | ClassValue
  | ProblemValue
  | SetProduct
  | Solution
  | Family
  | AxisValue
  | OverValue
  | CellValue
  | ExampleAxis;

/** A cell of the program, or a local variable of one step (`persistent` false). */
export interface CellRef extends Cell {
  /** As people name it: `Features.linear_0.W`, without the run. */
  readonly label: string;
  readonly persistent: boolean;
  /** Of a state that does not persist: id of the local variable with which it is born. */
  readonly livesWith?: string;
  /** The axis that it has a value for each element of; its type has the axis in front. */
  readonly over?: Axis;
  /** In the text of one element: the cell over the axis of which this is the own part. */
  readonly elementOf?: CellRef;
}

export interface ModelInstance {
  /** Name as declared, and with the run before it. */
  readonly name: string;
  readonly id: string;
  readonly run: string;
  readonly template: Template;
  readonly span: Span;
  /** Dims in the types of its parameters, bound by its first call, by site and name. */
  readonly dims: Map<string, { readonly value: number; readonly span: Span }>;
  /** Parameters in order of first use, by path within the model. */
  readonly params: Map<string, CellRef>;
  /** Running statistics and other state of its layers, by path. */
  readonly states: Map<string, CellRef>;
  /** Initial values taken from another model (`model E = Net from Net`, a model given to a trial). */
  readonly from?: ModelInstance;
  /** True once its parameters were used as a whole, after which no new ones may appear. */
  closed?: Span;
  /** `allow OPT417` on its declaration: it may be left unmoved. */
  readonly unmovedAllowed: boolean;
  /** Itself a copy of another model: nobody needs to move it. */
  substituted: boolean;
  /** Of a model in a body: the frame of its declaration. Its cells are born there at each execution, and keep nothing. */
  readonly born?: Frame;
}

export const exact = (value: number, integral = Number.isInteger(value)): Exact => ({ kind: 'exact', value, integral });
export const truth = (value: boolean): Truth => ({ kind: 'truth', value });
export const tensor = (node: Node): Tensor => ({ kind: 'tensor', node });

/** Number type that an exact value takes where nothing decides. */
export function defaultType(v: Exact | ExactArray): DType {
  return v.integral ? 'i32' : 'f32';
}

/** Every shape of compound value that acts leaf by leaf. */
export function isCompound(v: Value): v is TupleValue | RecordValue | Tree {
  return v.kind === 'tuple' || v.kind === 'record' || v.kind === 'tree';
}

/** Parts of a value over an axis, each over it: of a tuple or record for each element, the tuple or record of values for all. */
export function partsOver({ axis, value }: OverValue): Value {
  const over = (part: Value): Value => ({ kind: 'over', axis, value: part });
  if (value.kind === 'tuple') return { kind: 'tuple', items: value.items.map(over) };
  if (value.kind === 'record')
    return { kind: 'record', fields: new Map([...value.fields].map(([name, field]) => [name, over(field)])) };
  return over(value);
}

/** What a value is, in a word, for messages. */
export function kindText(v: Value): string {
  switch (v.kind) {
    case 'exact':
      return `the number ${v.value}`;
    case 'exactArray':
      return 'an array of numbers';
    case 'truth':
      return 'a condition';
    case 'tensor':
      return `a value of type ${v.node.type.dtype}${v.node.type.shape.length > 0 ? `[${v.node.type.shape.join(', ')}]` : ''}`;
    case 'tuple':
      return `a tuple of ${v.items.length}`;
    case 'record':
      return `a record { ${[...v.fields.keys()].join(', ')} }`;
    case 'tree':
      return `a tree of ${v.leaves.length} leaves`;
    case 'range':
      return `a range of ${v.length}`;
    case 'model':
      return `the model ${v.instance.name}`;
    case 'part':
      return `the part ${v.path} of ${v.instance.name}`;
    case 'template':
      return `the ${v.decl.kind} ${v.decl.name.text}${v.bound.size > 0 ? ', of which some parameters are still open' : ''}`;
    case 'pipeline':
      return `a pipeline of ${v.alternatives[0]?.[0]?.decl.kind ?? 'rule'}s`;
    case 'linearMap':
      return 'a linear map';
    case 'builtin':
      return `the function ${v.name}`;
    case 'dataset':
      return `the data set ${v.name}`;
    case 'batch':
      return `a batch of ${v.dataset.name}`;
    case 'text':
      return 'a text';
    case 'thunk':
      return 'an expression given by name';
    case 'run':
      return `the run ${v.name}`;
    case 'class':
      return `the class ${v.decl.name.text}`;
    case 'problem':
      return `the problem ${v.instance.name}`;
    case 'setProduct':
      return 'the set of several variables';
    case 'solution':
      return `the solution of ${v.problem}`;
    case 'family':
      return `the family ${v.name}`;
    case 'exampleAxis':
      return "the axis of an objective's examples";
    case 'axis':
      return `the axis ${v.axis.name}`;
    case 'over':
      return `a value over the axis ${v.axis.name}`;
    case 'cell':
      return `the cell ${v.cells[0].label}`;
  }
}
