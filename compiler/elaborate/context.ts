/**
 * The state of one elaboration: the graph, the program's parts so far, the run and the entry now being built, and the constructs
 * of the language as a table of functions (each construct lives in a file of its own and reaches the others through this table).
 */
import type * as ast from '../ast/nodes.ts';
import type { BundleSolve, Claim, DataInfo, EvalTimes, Place } from '../bundle/format.ts';
import { warning, type Diagnostic, fail, type DiagnosticParts } from '../diagnostics/diagnostic.ts';
import type { DiagnosticCode } from '../diagnostics/catalog.ts';
import type { Data, Export, Fits, Hyper, Phase, Run, UpdateRecord } from '../ir/program.ts';
import { Graph, sizeOf } from '../ir/tensor/graph.ts';
import { type DType, type Node, ShapeError, type TensorType } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import { EntryBuilder } from './entry.ts';
import type { Element } from './axis-elements.ts';
import type { Examples } from './chunks.ts';
import type { Exacted } from './exact.ts';
import type { Failures, InnerSolve } from './inner-solves.ts';
import type { Keeping } from './keeping.ts';
import { KnownCalls } from './known-calls.ts';
import type { Lifetime } from './lifetime.ts';
import type { Binding, Frame, Scope } from './scope.ts';
import { SeenLoops } from './turn-carried.ts';
import type { Axis, CellRef, CellValue, ModelInstance, Template, Thunk, Value } from './values.ts';
import type { LoadedState, WeightFile } from './weights.ts';
import { Witnesses } from './witness.ts';

export interface ElaborateOptions {
  /** Name of the program: the main file without its ending. */
  readonly name: string;
  /** Values for `dim` and `hyper` declarations of the main file, from `--set`. */
  readonly set: ReadonlyMap<string, number>;
  dataInfo(source: string, declaration: string): DataInfo | undefined;
  /** Module of a `use`, already parsed; undefined where it does not exist. */
  readImport(module: string, from: string): ast.Module | undefined;
  /** Source text of a span, for names of objectives and pipelines in reports. */
  text(span: Span): string;
  place(span: Span): Place;
  readonly limits?: Partial<Limits>;
  /** Files of initial values by the name of the model that takes them. */
  readonly weights?: ReadonlyMap<string, WeightFile>;
  /** For grading solvers: which solvers of the library take each problem (`Program.fits`), and marks at the points where objectives are computed. */
  readonly grading?: boolean;
}

export interface Limits {
  /** Nodes of one run, and of all; `repeat` and static `for` unroll. */
  readonly nodes: number;
  readonly allNodes: number;
  /** Turns of one unrolled loop. */
  readonly turns: number;
  /** Elements of one tensor. */
  readonly elements: number;
  /** Bytes of all cells and data together. */
  readonly bytes: number;
  /** Nesting of template calls. */
  readonly depth: number;
}

export const defaultLimits: Limits = {
  nodes: 200_000,
  allNodes: 2_000_000,
  turns: 10_000,
  elements: 2 ** 28,
  bytes: 2 ** 33,
  depth: 200,
};

/** Functions of the constructs, by what they take. */
export interface Constructs {
  expression(e: Elaboration, expr: ast.Expr, frame: Frame): Value;
  /** Statements of a block, then its value. */
  body(e: Elaboration, body: ast.Body, frame: Frame): Value | undefined;
  statement(e: Elaboration, stmt: ast.Stmt, frame: Frame): void;
  /** A trial with some arguments given. */
  trialTemplate(e: Elaboration, expr: ast.Expr, frame: Frame): Template;
  /** Names that a `use` brings into a scope. */
  importNames(e: Elaboration, use: ast.UseDecl, scope: Scope): void;
  binding(e: Elaboration, binding: Binding, name: string, span: Span): Value;
  /** Makes the parameters of a model that was not called yet, where its signature decides them. */
  parametersBySignature(e: Elaboration, instance: ModelInstance, span: Span): boolean;
  /** An estimator of the library, whose name needs no `use`. */
  libraryEstimator(e: Elaboration, name: string, span: Span): Template | undefined;
  /** Value of `~ NAME(args) TYPE` where NAME is an initializer written in the language; undefined where it is none. */
  initial(
    e: Elaboration,
    draw: ast.Draw,
    type: TensorType | undefined,
    path: readonly string[],
    frame: Frame,
    seed: Node | undefined,
  ): Node | undefined;
}

/** What a collective inside of a map was made of. */
export interface Met {
  /** Nodes of the element's text. */
  readonly roots: readonly Node[];
  readonly word: string;
  readonly span: Span;
  /** Id of the first node of the element's text. */
  readonly first: number;
}

export interface RunContext {
  readonly name: string;
  /** Nodes of the program before it, and of runs within it. */
  since: number;
  /** What the run has instantiated of declarations (cells, models, hypers), by declaration. */
  readonly instances: Map<object, Value>;
  readonly series: Map<string, 'report' | 'metric'>;
  /** Where the reports and metrics of `series` are recorded. */
  readonly recorded: Map<string, { readonly entry: string; readonly span: Span }>;
  readonly members: Map<string, Value>;
  /** Entry of statements outside phases; replaced after each phase. */
  once: EntryBuilder | undefined;
  /** The last train phase, to which an `eval every` directly after it belongs. */
  lastTrain: TrainPhase | undefined;
  /** Failures of solves within the phase under construction. */
  failures: Failures | undefined;
  /** Solves within the phase under construction, by name of the phase and the problem. */
  readonly inner: Map<string, InnerSolve>;
  /** Work at the end of the run: exports, which may use every cell. */
  readonly later: (() => void)[];
}

/** A train phase under construction. */
export interface TrainPhase {
  readonly phase: Extract<Phase, { kind: 'train' }>;
  readonly entry: EntryBuilder;
  readonly evals: { readonly entry: string; readonly times: EvalTimes }[];
  readonly frame: Frame;
}

export class Elaboration {
  readonly graph = new Graph();
  readonly options: ElaborateOptions;
  readonly limits: Limits;
  readonly do: Constructs;
  readonly witnesses = new Witnesses();
  /** Warnings, and errors after which elaboration could go on. */
  readonly diagnostics: Diagnostic[] = [];
  readonly errors: Diagnostic[] = [];

  /** Persistent cells of the program, and with local variables all of them, by id. */
  readonly cells = new Map<string, CellRef>();
  readonly allCells = new Map<string, CellRef>();
  /** Cells replaced by `at` or copied: nobody needs to move them. */
  readonly substituted = new Set<string>();
  /** What the cells that keep values of `let`s for later entries were computed as, by id. */
  readonly definitions = new Map<string, Node>();
  readonly entries: EntryBuilder[] = [];
  readonly schedule: Phase[] = [];
  readonly hypers: Hyper[] = [];
  readonly data: Data[] = [];
  /** `Model.path` of every parameter whose model has a file of initial values. */
  readonly loadedPaths = new Set<string>();
  /** By the same name, the states of such models, and whether the file has them. */
  readonly loadedStates = new Map<string, LoadedState>();
  readonly runs: Run[] = [];
  readonly exports: Export[] = [];
  readonly claims: Claim[] = [];
  readonly solves: BundleSolve[] = [];
  /** With `grading`: the solvers that fit, by solve between phases. */
  readonly fits: Fits[] = [];
  /** Reports of solvers, by run and name. */
  readonly solverSeries = new Set<string>();
  readonly updates: UpdateRecord[] = [];
  readonly models: ModelInstance[] = [];
  /** True where the file has trials or runs, so that its models belong to runs and not to the file. */
  hasRuns = false;
  /** The file's own context: shared values; in a file without trials also its one run. */
  readonly fileRun: RunContext;
  run: RunContext;
  entry: EntryBuilder;
  /** States of rules, by run, statement, cell and name. */
  readonly states = new Map<string, CellValue>();
  /** States of rules that move local variables, by variable. */
  readonly lifetimes = new Map<string, Lifetime>();
  /** True while the body of a loop is only looked at, to see what it changes (turns.ts). */
  looking = false;
  /** True while looks take derivatives as they are, after what stands in for them has misled one. */
  careful = false;
  /** Calls of fns whose graphs later calls copy. */
  readonly knownCalls = new KnownCalls();
  /** Loops in loops that were looked at. */
  readonly seenLoops = new SeenLoops();
  /** Counts what looks at more than the values at hand: derivatives, replacements, draws anew, what depends on the loops around. */
  lookedAround = 0;
  /** What the innermost `checkpoint keep` keeps: calls of these, marked with its number. */
  keeping: Keeping | undefined;
  nextKeep = 0;
  /** Values of arguments by name that follow from host scalars alone, in the entry that they were made in. */
  readonly scalarArguments = new WeakMap<Thunk, { readonly home: EntryBuilder; readonly value: Value }>();
  /** Bodies in which local variables are born, by id. */
  readonly births = new Map<string, Scope>();
  /** Scopes of the bodies that are being elaborated. */
  private readonly open = new Set<Scope>();
  /** True while the initial value of a rule's state is evaluated, in which p is the cell's value and g does not exist yet. */
  beginning = false;
  /** Claims, read once all runs are known. */
  readonly expects: { readonly stmt: ast.ExpectStmt; readonly frame: Frame; readonly run: RunContext }[] = [];
  /** The examples of the eval now elaborated. */
  examples: Examples | undefined;
  /** Values of the `exact { … }` of the statement now elaborated. */
  readonly exacts = new Map<ast.ExactExpr, Exacted>();
  /** Axes whose element the text elaborated now belongs to, innermost last. */
  elements: ReadonlyMap<Axis, Element> = new Map();
  /** What collectives inside of maps gave, with the values of an element that it was made of. */
  readonly collectives = new Map<Node, Met>();
  /** Fns that claims count the calls of, and where all fns of the file are declared, by name. */
  countedNames: ReadonlySet<string> = new Set();
  countedFns: ReadonlyMap<string, readonly string[]> = new Map();
  /** Counts the parts of claims that the program computes. */
  hiddenMetrics = 0;
  importDepth = 0;
  /** Declarations whose instance is being made, against definitions by themselves. */
  readonly instantiating = new Set<Binding>();
  /** Parameterless fns being evaluated, against definitions by themselves. */
  readonly evaluating = new Set<ast.FnDecl>();
  /** The statement of the main file now elaborated. */
  statement: Span | undefined;
  /** The innermost statement of the main file now elaborated. */
  innermost: Span | undefined;
  /** Name of the main file: `--set` reaches its dims and hypers only. */
  mainFile = '';
  /** The innermost call of a model, for messages about its parameters. */
  modelCall: Span | undefined;
  /** True while an eval, metric or condition is elaborated: nothing may be written. */
  observing = false;
  /** True while the expression before an `at` is elaborated, whose cells may all be replaced. */
  replacing = false;
  readonly entryNames = new Set<string>();
  /** Counts local variables, so that their ids differ. */
  nextLocal = 0;
  readonly modules = new Map<string, Scope>();
  /** Codes silenced by `allow` on the statement now elaborated. */
  allowed: readonly string[] = [];

  constructor(options: ElaborateOptions, constructs: Constructs) {
    this.options = options;
    this.limits = { ...defaultLimits, ...options.limits };
    this.do = constructs;
    this.fileRun = newRun('', 0);
    this.run = this.fileRun;
    this.entry = this.newEntry('once', 'init');
    this.run.once = this.entry;
    this.schedule.push({ kind: 'once', name: 'init', run: '', entry: this.entry.id });
  }

  // -------------------------------------------------------------- entries

  /** A new entry with a unique id made of the run's name and `name`. */
  newEntry(kind: EntryBuilder['kind'], name: string, init?: EntryBuilder): EntryBuilder {
    const base = this.run.name ? `${this.run.name}/${name}` : name;
    let id = base;
    for (let i = 1; this.entryNames.has(id); i++) id = `${base}_${i}`;
    this.entryNames.add(id);
    const entry = new EntryBuilder(this.graph, () => this.innermost, id, kind, this.run.name, init);
    this.entries.push(entry);
    return entry;
  }

  /** The entry of statements that stand outside phases; opened anew after each phase. */
  once(): EntryBuilder {
    if (!this.run.once) {
      this.run.once = this.newEntry('once', 'once');
      this.schedule.push({ kind: 'once', name: 'once', run: this.run.name, entry: this.run.once.id });
    }
    return this.run.once;
  }

  /** Evaluates with another entry as the current one. */
  within<T>(entry: EntryBuilder, body: () => T): T {
    const before = this.entry;
    this.entry = entry;
    try {
      return body();
    } finally {
      this.entry = before;
    }
  }

  /** Evaluates with the models and variables of a run, whatever text asks. The entry stays that of the text. */
  withRun<T>(run: RunContext, body: () => T): T {
    const before = this.run;
    this.run = run;
    try {
      return body();
    } finally {
      this.run = before;
    }
  }

  /** Evaluates the initial value of a rule's state that begins where the text stands. */
  begin<T>(body: () => T): T {
    const before = this.beginning;
    this.beginning = true;
    try {
      return body();
    } finally {
      this.beginning = before;
    }
  }

  /** Whether other values stand in for derivatives (stand-ins.ts). */
  get glancing(): boolean {
    return this.looking && !this.careful;
  }

  /** Elaborates text only to see what it changes. */
  look<T>(body: () => T): T {
    const before = this.looking;
    this.looking = true;
    try {
      return body();
    } finally {
      this.looking = before;
    }
  }

  /** Elaborates the text of a body, in which local variables are born. */
  inBody<T>(scope: Scope, body: () => T): T {
    const outer = this.open.has(scope);
    this.open.add(scope);
    try {
      return body();
    } finally {
      if (!outer) this.open.delete(scope);
    }
  }

  /** Whether a body is being elaborated: what is called from it may be given its variables by name. */
  isOpen(scope: Scope): boolean {
    return this.open.has(scope);
  }

  /** Evaluates text that only observes: an eval, a metric, an export. */
  observe<T>(body: () => T): T {
    const before = this.observing;
    this.observing = true;
    try {
      return body();
    } finally {
      this.observing = before;
    }
  }

  // -------------------------------------------------------------- cells

  /** A new cell; its id gets an ordinal where it is taken. */
  newCell(cell: Omit<CellRef, 'id' | 'run'> & { readonly id: string; readonly run?: string }): CellRef {
    let id = cell.id;
    for (let i = 1; this.allCells.has(id); i++) id = `${cell.id}_${i}`;
    const ref: CellRef = { ...cell, id, run: cell.run ?? this.run.name };
    if (cell.persistent && !cell.elementOf) this.cells.set(id, ref);
    this.allCells.set(id, ref);
    return ref;
  }

  /** Name with the run before it. */
  qualified(name: string): string {
    return this.qualifiedBy(this.run.name, name);
  }

  qualifiedBy(run: string, name: string): string {
    return run ? `${run}/${name}` : name;
  }

  // -------------------------------------------------------------- nodes

  constant(value: number, dtype: DType = 'f32', shape: readonly number[] = []): Node {
    const node = this.located(() => this.graph.constant(value, { dtype, shape }));
    this.checkSize(node);
    return node;
  }

  /** Makes a node; a misfit that no check foresaw becomes a located error. */
  make(op: string, inputs: readonly Node[], attrs: Parameters<Graph['make']>[2] = {}): Node {
    const node = this.located(() => this.graph.make(op, inputs, attrs));
    this.checkSize(node);
    return node;
  }

  private located(make: () => Node): Node {
    try {
      return make();
    } catch (error) {
      if (error instanceof ShapeError)
        fail('OPT302', this.graph.span, error.message, { hint: 'check the shapes of what meets here' });
      throw error;
    }
  }

  private checkSize(node: Node): void {
    const { nodes, allNodes } = this.limits;
    const own = node.id - this.run.since > nodes;
    if (own || node.id > allNodes) {
      const what = own && this.run.name ? `the run '${this.run.name}'` : 'the program';
      fail('OPT501', this.graph.span, `${what} grows past ${own ? nodes : allNodes} operations here`, {
        hint: 'a for is unrolled, as is a repeat of a few turns or one that needs its index when compiling: use fewer turns, or repeat',
      });
    }
    const size = sizeOf(node.type.shape);
    if (size <= this.limits.elements || node.type.shape.some((d) => this.witnesses.involved(d))) return;
    const { examples } = this;
    // An eval need not hold its examples at once; whether it does is known when all of it is read.
    if (examples && node.type.shape.includes(examples.rows)) examples.oversized ??= node;
    else
      fail('OPT503', this.graph.span, `a value of ${size} elements is too large: ${this.typeText(node.type)}`, {
        hint: `at most ${this.limits.elements} elements in one tensor`,
      });
  }

  scalar(name: 'seed' | 'step' | 'steps' | 'progress' | `hyper:${string}`): Node {
    const dtype: DType = name === 'seed' ? 'u32' : name === 'step' || name === 'steps' ? 'i32' : 'f32';
    return this.graph.parameter('scalar', name, { dtype, shape: [] });
  }

  // -------------------------------------------------------------- messages

  typeText(type: TensorType): string {
    return type.shape.length === 0 ? type.dtype : `${type.dtype}[${type.shape.map((d) => this.dim(d)).join(', ')}]`;
  }

  shapeText(shape: readonly number[]): string {
    return `[${shape.map((d) => this.dim(d)).join(', ')}]`;
  }

  dim(size: number): string {
    return this.witnesses.text(size);
  }

  /** Adds a warning unless `allow CODE` stands on the statement. */
  warn(code: DiagnosticCode, span: Span | undefined, message: string, parts: DiagnosticParts = {}): void {
    if (!this.allowed.includes(code)) this.diagnostics.push(warning(code, span, message, parts));
  }

  /** Refuses a construct of the language that this version does not elaborate. */
  notYet(what: string, span: Span, hint?: string): never {
    fail('OPT502', span, `${what} cannot be compiled yet`, {
      hint: hint ?? 'this version checks its text only; see docs/language.md for what runs',
    });
  }
}

/** `since`: nodes made before it. */
export function newRun(name: string, since: number): RunContext {
  return {
    name,
    since,
    instances: new Map(),
    series: new Map(),
    recorded: new Map(),
    members: new Map(),
    once: undefined,
    lastTrain: undefined,
    failures: undefined,
    inner: new Map(),
    later: [],
  };
}
