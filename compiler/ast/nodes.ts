/**
 * The syntax tree of a `.opt` file: plain immutable data, one interface per construct of the language, spans everywhere.
 * Made by `build.ts` from the concrete tree; printed canonically by `print.ts`. The tree says what was written and nothing of
 * what it means: names are unresolved text.
 */
import type { Span } from '../source/source.ts';

export interface Name {
  readonly text: string;
  readonly span: Span;
}

interface Base {
  readonly span: Span;
}

/** What has a name among the calls, draws, updates and phases of its body (sites.ts); absent in a node that no text stands for. */
export interface Site {
  readonly site?: string;
}

/** `parenthesized`: written in parentheses, which the span then covers; kept so that the formatter leaves them where they are. */
interface ExprBase extends Base {
  readonly parenthesized?: boolean;
}

// ---------------------------------------------------------------- expressions

export type Expr =
  | NumberLit
  | BoolLit
  | StringLit
  | NameRef
  | Member
  | Index
  | Call
  | Unary
  | Binary
  | RangeExpr
  | TupleExpr
  | RecordExpr
  | BraceList
  | ArrayLit
  | AtExpr
  | WithExpr
  | MapExpr
  | ReduceOver
  | ScanExpr
  | FixedExpr
  | IfExpr
  | CheckpointExpr
  | ExactExpr
  | FreshExpr
  | SolveExpr
  | AxisOp
  | EachExpr
  | PipelineExpr;

/** `integral` is false where the text has a point or an exponent. */
export interface NumberLit extends ExprBase {
  readonly kind: 'number';
  readonly value: number;
  readonly integral: boolean;
  readonly text: string;
}
export interface BoolLit extends ExprBase {
  readonly kind: 'bool';
  readonly value: boolean;
}
/** Only where a text is asked for: data sources, reasons of failure. */
export interface StringLit extends ExprBase {
  readonly kind: 'string';
  readonly value: string;
}
export interface NameRef extends ExprBase {
  readonly kind: 'name';
  readonly name: string;
}
/** `object.name` */
export interface Member extends ExprBase {
  readonly kind: 'member';
  readonly object: Expr;
  readonly name: Name;
}
/** `object[items]`; also families (`h[l]`), batches (`source[B]`, `D[n max N]`, `D[64] replacement weights w`). */
export interface Index extends ExprBase {
  readonly kind: 'index';
  readonly object: Expr;
  readonly items: readonly IndexItem[];
  readonly replacement: boolean;
  readonly weights?: Expr;
}
export type IndexItem =
  | { readonly kind: 'at'; readonly expr: Expr } // x[i], x[a..b] (a RangeExpr), x[tensor]
  | { readonly kind: 'all'; readonly span: Span } // :
  | { readonly kind: 'new'; readonly span: Span } // new axis
  | { readonly kind: 'capped'; readonly count: Expr; readonly max: Expr }; // D[n max N]
/** `callee(args) as name`; `name` only where `as` names a call. */
export interface Call extends ExprBase, Site {
  readonly kind: 'call';
  readonly callee: Expr;
  readonly args: readonly Arg[];
  readonly as?: Name;
}
export interface Arg extends Base {
  readonly name?: Name;
  readonly value: Expr;
}
export interface Unary extends ExprBase {
  readonly kind: 'unary';
  readonly op: '-' | 'not';
  readonly operand: Expr;
}
export type BinaryOp =
  '+' | '-' | '*' | '/' | '@' | 'div' | 'mod' | '^' | '==' | '!=' | '<' | '<=' | '>' | '>=' | '~=' | 'and' | 'or';
/** `~=` carries `within`. */
export interface Binary extends ExprBase {
  readonly kind: 'binary';
  readonly op: BinaryOp;
  readonly left: Expr;
  readonly right: Expr;
  readonly opSpan: Span;
  readonly within?: Expr;
}
/** `lo..hi` half open, `lo..=hi` closed. */
export interface RangeExpr extends ExprBase {
  readonly kind: 'range';
  readonly lo: Expr;
  readonly hi: Expr;
  readonly closed: boolean;
}
export interface TupleExpr extends ExprBase {
  readonly kind: 'tuple';
  readonly items: readonly Expr[];
}
/** `{ a: e, w }`: at least one field with a colon, or shorthand fields only where a record is meant. */
export interface RecordExpr extends ExprBase {
  readonly kind: 'record';
  readonly fields: readonly { readonly name: Name; readonly value: Expr; readonly shorthand: boolean }[];
}
/** `{ F, Bk }`: a list without colons, as after `minimizing`. After `=` a brace list of plain names is a record by shorthand: the elaborator decides by context. */
export interface BraceList extends ExprBase {
  readonly kind: 'bracelist';
  readonly items: readonly Expr[];
}
/** `[1, 2, 3]`, nested for matrices. */
export interface ArrayLit extends ExprBase {
  readonly kind: 'array';
  readonly items: readonly Expr[];
}
/** `e at { x: v }`, and `series at n` / `series at step n` in claims (`step` given, `bindings` empty). */
export interface AtExpr extends ExprBase {
  readonly kind: 'at';
  readonly expr: Expr;
  readonly bindings: readonly { readonly target: Expr; readonly value: Expr }[];
  readonly step?: Expr;
}
/** `grad(L, P) with est` and `D with { y: e }`. */
export interface WithExpr extends ExprBase, Site {
  readonly kind: 'with';
  readonly expr: Expr;
  readonly pipeline: Pipeline;
}
export interface MapHead {
  readonly over: Expr;
  readonly as?: Pattern;
}
/** `map b as e { … }`, zip `map a as x, b as y { … }` */
export interface MapExpr extends ExprBase {
  readonly kind: 'map';
  readonly heads: readonly MapHead[];
  readonly body: Body;
}
/** `mean over b as e { … }`, `sum over clients w` (`body` is then one expression). */
export interface ReduceOver extends ExprBase {
  readonly kind: 'reduceOver';
  readonly reducer: Name;
  readonly heads: readonly MapHead[];
  readonly body: Body;
}
/** Over elements, or while a condition of its state holds: it has `over`, or `condition` and `max`. */
export interface ScanExpr extends ExprBase {
  readonly kind: 'scan';
  readonly pattern: Pattern;
  readonly init: Expr;
  readonly element?: Pattern;
  readonly over?: Expr;
  readonly condition?: Expr;
  readonly max?: Expr;
  readonly checkpoint?: Expr;
  readonly body: Body; // holds `emit` and `next` statements
}
export interface FixedExpr extends ExprBase {
  readonly kind: 'fixed';
  readonly name: Name;
  readonly init: Expr;
  readonly body: Body;
  readonly until: Expr;
  readonly max?: Expr;
  readonly linear?: Expr; // `by SOLVER`
}
export interface IfExpr extends ExprBase {
  readonly kind: 'ifExpr';
  readonly condition: Expr;
  readonly then: Body;
  readonly otherwise?: Body | IfExpr;
}
export interface CheckpointExpr extends ExprBase {
  readonly kind: 'checkpoint';
  readonly keep: readonly Name[];
  readonly body: Body;
}
export interface ExactExpr extends ExprBase {
  readonly kind: 'exact';
  readonly body: Body;
}
export interface FreshExpr extends ExprBase, Site {
  readonly kind: 'fresh';
  readonly expr: Expr;
}
/** `solve q(w) by S(…)` as an expression. */
export interface SolveExpr extends ExprBase, Site {
  readonly kind: 'solveExpr';
  readonly problem: Expr;
  readonly solver?: Pipeline;
  readonly steps?: Expr;
  readonly until?: Expr;
}
/** `shift e along A by t`, `gather e over A`, `index of A`, `cut(x, A, d)` and `join(x, A, d)` are calls and not here. */
export interface AxisOp extends ExprBase {
  readonly kind: 'axisOp';
  readonly op: 'shift' | 'gather' | 'index';
  readonly body?: Body;
  readonly axis: Expr;
  readonly by?: Expr;
}
/** `each [1e-3, 1e-2]` */
export interface EachExpr extends ExprBase {
  readonly kind: 'each';
  readonly values: Expr;
}

/** A rule or aggregator given as a value: `fit(Mlp, clip(1) |> adam(1e-3))`, `fira() else adam()`; at least two stages or an `otherwise`. */
export interface PipelineExpr extends ExprBase {
  readonly kind: 'pipeline';
  readonly pipeline: Pipeline;
}

/** `{ statements; value }`: a body whose last expression is its value (`value` absent where there is none). */
export interface Body extends Base {
  readonly statements: readonly Stmt[];
  readonly value?: Expr;
}

export type Pattern =
  | { readonly kind: 'bind'; readonly name: Name; readonly span: Span }
  | { readonly kind: 'tuplePattern'; readonly items: readonly Pattern[]; readonly span: Span };

/** `a |> b(1) |> c`; `else` gives the pipeline of leaves that the first refuses. */
export interface Pipeline extends Base {
  readonly stages: readonly Expr[];
  readonly otherwise?: Pipeline;
}

// ---------------------------------------------------------------- types and parameters

/** `f32[n, 64]`, `f32`, `i32[*]`; `dims` absent where no bracket is written. */
export interface TypeExpr extends Base {
  readonly dtype: Name; // f32, f16, i32, u32, bool
  readonly dims?: readonly (Expr | { readonly kind: 'star'; readonly span: Span })[];
}
export type ParamKind =
  | 'value'
  | 'dim'
  | 'axis'
  | 'data'
  | 'set'
  | 'fn'
  | 'layer'
  | 'model'
  | 'rule'
  | 'estimator'
  | 'aggregator'
  | 'solver'
  | 'problem'
  | 'objective'
  | 'cells';
/** A parameter of a template: `x: f32[n, i]`, `o: dim`, `r: rule = sgd(1e-2)`, `lr = 0.1`. */
export interface Param extends Base {
  readonly name: Name;
  readonly type?: TypeExpr; // a tensor type …
  readonly paramKind: ParamKind; // … or 'value' without one, or the kind written
  readonly default?: Expr;
}
/** `~ normal(0, 1)`, `~ DIST f32[2]`, `~ DIST like T`, with `seed n`, `stream NAME`. */
export interface Draw extends Base {
  readonly dist: Name;
  readonly args: readonly Arg[];
  readonly type?: TypeExpr;
  readonly like?: Expr;
  readonly seed?: Expr;
  readonly stream?: Name;
}
/** Initial value of a cell: `= e` or `~ DIST`. */
export type Init = { readonly kind: 'value'; readonly expr: Expr } | { readonly kind: 'draw'; readonly draw: Draw };

// ---------------------------------------------------------------- statements and declarations

export type Stmt =
  | UseDecl
  | DimDecl
  | HyperDecl
  | AxisDecl
  | DataDecl
  | CellDecl
  | LayerDecl
  | ModelDecl
  | ModelInstance
  | FnDecl
  | RuleDecl
  | EstimatorDecl
  | AggregatorDecl
  | SolverDecl
  | ClassDecl
  | SetDecl
  | ProblemDecl
  | TrialDecl
  | RunDecl
  | LetStmt
  | LetMember
  | SampleStmt
  | BatchStmt
  | WriteStmt
  | UpdateStmt
  | TrainStmt
  | SolveStmt
  | EvalStmt
  | MetricStmt
  | ReportStmt
  | ExpectStmt
  | ExportDecl
  | RepeatStmt
  | WhileStmt
  | IfStmt
  | ForStmt
  | EveryStmt
  | FirstStmt
  | TogetherStmt
  | MapStmt
  | EmitStmt
  | NextStmt
  | StopWhenStmt
  | FailWhenStmt
  | MultipliersStmt
  | ExprStmt
  | OverStmt
  | ObjectiveStmt
  | ConstraintStmt
  | LowerLevelStmt
  | PlayerStmt
  | SetMember;

interface StmtBase extends Base {
  /** Codes silenced on this line by `allow CODE`. */
  readonly allow?: readonly Name[];
  /** Comment lines directly above, without their `//`, for documentation and the printer. */
  readonly doc?: readonly string[];
}

/** `use nn { linear, relu }`, `use "./mine.opt" { f }` */
export interface UseDecl extends StmtBase {
  readonly kind: 'use';
  readonly module: Name | StringLit;
  readonly names: readonly { readonly name: Name; readonly as?: Name }[];
}
export interface DimDecl extends StmtBase {
  readonly kind: 'dim';
  readonly name: Name;
  readonly value: Expr;
}
export interface HyperDecl extends StmtBase {
  readonly kind: 'hyper';
  readonly name: Name;
  readonly value: Expr;
}
export interface AxisDecl extends StmtBase {
  readonly kind: 'axis';
  readonly name: Name;
  readonly size: Expr;
}
/** Loaded (`from`) or generated (`value`). */
export interface DataDecl extends StmtBase {
  readonly kind: 'data';
  readonly name: Name;
  readonly from?: StringLit;
  readonly rows?: Expr; // "file"[a..b]
  readonly fields?: readonly DataField[];
  readonly value?: Expr; // = { x: e, y: e } or D with { … }
}
export interface DataField extends Base {
  readonly name: Name;
  readonly type: TypeExpr;
  readonly range?: Expr; // in 0..10
  readonly column?: Expr; // = "column" or cols a..b
}
/** `var x: T = e`, `param W: T ~ glorot`, `state m = e`, `frozen W: T ~ normal`; `over axis` after the name. */
export interface CellDecl extends StmtBase, Site {
  readonly kind: 'cell';
  readonly word: 'var' | 'param' | 'state' | 'frozen';
  readonly name: Name;
  readonly over?: Expr;
  readonly type?: TypeExpr;
  readonly init?: Init;
}
export interface LayerDecl extends StmtBase {
  readonly kind: 'layer';
  readonly name: Name;
  readonly params: readonly Param[];
  readonly result?: TypeExpr;
  readonly body: Body;
}
/** `model M(x: f32[n, 2]) { … }` */
export interface ModelDecl extends StmtBase {
  readonly kind: 'model';
  readonly name: Name;
  readonly params: readonly Param[];
  readonly result?: TypeExpr;
  readonly body: Body;
}
/** `model Q2 = Critic`, `model C = Conv(o: 32)`, `model E = Net from Net`, `model W[l] = Hidden` */
export interface ModelInstance extends StmtBase {
  readonly kind: 'modelInstance';
  readonly name: Name;
  readonly member?: Expr;
  readonly layer: Expr;
  readonly from?: Expr;
}
/** `fn f(a, b) = e`, `fn f(a) { … }`, parameterless `fn L = e` (`params` absent), with `gradient g -> e`. */
export interface FnDecl extends StmtBase {
  readonly kind: 'fn';
  readonly name: Name;
  readonly params?: readonly Param[];
  readonly result?: TypeExpr;
  readonly body: Body;
  /** True where the body was written in braces. */
  readonly braces: boolean;
  readonly gradient?: { readonly name: Name; readonly body: Expr; readonly span: Span };
  readonly opaque: boolean;
}
/** `for (p, g)`, `for (p: f32[m, n], g)`, `for tree (P, G)`, `for tree (P, G; L)` */
export interface RuleDecl extends StmtBase {
  readonly kind: 'rule';
  readonly name: Name;
  readonly params: readonly Param[];
  readonly tree: boolean;
  readonly value: Name;
  readonly valueType?: TypeExpr;
  readonly gradient: Name;
  readonly objective?: Name;
  readonly body: Body;
}
/** `for (L, P)` or `for (L over e, P)` */
export interface EstimatorDecl extends StmtBase {
  readonly kind: 'estimator';
  readonly name: Name;
  readonly params: readonly Param[];
  readonly objective: Name;
  readonly over?: Name;
  readonly cells: Name;
  readonly body: Body;
}
/** `for (Gs, P)` */
export interface AggregatorDecl extends StmtBase {
  readonly kind: 'aggregator';
  readonly name: Name;
  readonly params: readonly Param[];
  readonly directions: Name;
  readonly cells: Name;
  readonly body: Body;
}
/** `solver s(…) for CLASS (x in X, y; F, f, g) { … }`; positions left of `;` are levels' variables, right of it objectives and constraints. */
export interface SolverDecl extends StmtBase {
  readonly kind: 'solver';
  readonly name: Name;
  readonly params: readonly Param[];
  readonly problemClass: Name;
  readonly variables: readonly { readonly name: Name; readonly set?: Name }[];
  readonly parts: readonly Name[];
  readonly body: Body;
}
export interface ClassDecl extends StmtBase {
  readonly kind: 'class';
  readonly name: Name;
  readonly variables: readonly { readonly name: Name; readonly set?: Name }[];
  readonly parts: readonly Name[];
  readonly body: Body;
}
/** `set box(lo, hi) for x { project = …  contains = … }` */
export interface SetDecl extends StmtBase {
  readonly kind: 'set';
  readonly name: Name;
  readonly params: readonly Param[];
  readonly variable: Name;
  readonly body: Body; // SetMember statements
}
export interface SetMember extends StmtBase {
  readonly kind: 'setMember';
  readonly name: Name;
  readonly value: Expr;
}
export interface ProblemDecl extends StmtBase {
  readonly kind: 'problem';
  readonly name: Name;
  readonly params: readonly Param[];
  readonly body: Body;
}
export interface TrialDecl extends StmtBase {
  readonly kind: 'trial';
  readonly name: Name;
  readonly params: readonly Param[];
  readonly body?: Body; // trial t(…) { … }
  readonly alias?: Expr; // trial quad = federated(clients: ten)
}
/** `run a = fit(x) may fail`, `run r = solve p by s for 500` (value is a SolveExpr), `seed: 7` is an argument of the call. */
export interface RunDecl extends StmtBase {
  readonly kind: 'run';
  readonly name: Name;
  readonly member?: Expr;
  readonly value: Expr;
  readonly mayFail: boolean;
}
export interface LetStmt extends StmtBase {
  readonly kind: 'let';
  readonly pattern: Pattern;
  readonly type?: TypeExpr;
  readonly value: Expr;
}
/** `let h[l + 1] = e`: a member of a family. */
export interface LetMember extends StmtBase {
  readonly kind: 'letMember';
  readonly name: Name;
  readonly member: Expr;
  readonly value: Expr;
}
export interface SampleStmt extends StmtBase, Site {
  readonly kind: 'sample';
  readonly name: Name;
  readonly draw: Draw;
}
/** `batch s = source[B]` */
export interface BatchStmt extends StmtBase, Site {
  readonly kind: 'batch';
  readonly name: Name;
  readonly value: Expr;
}
/** `x <- e`, `(x, y) <- (a, b)`, `ring[i] <- row` */
export interface WriteStmt extends StmtBase {
  readonly kind: 'write';
  readonly target: Expr;
  readonly value: Expr;
}
export interface UpdateStmt extends StmtBase, Site {
  readonly kind: 'update';
  readonly targets: readonly Expr[];
  readonly by: Pipeline;
  readonly sense?: 'minimizing' | 'maximizing';
  /** One expression, or several from `{ L1, L2 }`. */
  readonly objectives: readonly Expr[];
  /** One in braces: `{ Fs }`, where a tuple of objectives stands for each of them. */
  readonly listed?: boolean;
  readonly along?: Expr;
  readonly with?: Pipeline;
}
/** `train N as name { … }`, `train until C max N as name { … }` */
export interface TrainStmt extends StmtBase, Site {
  readonly kind: 'train';
  readonly steps: Expr; // N, also the N of `max N`
  readonly until?: Expr;
  readonly name?: Name;
  readonly body: Body;
}
export interface SolveStmt extends StmtBase {
  readonly kind: 'solve';
  readonly solve: SolveExpr;
}
export interface EvalStmt extends StmtBase {
  readonly kind: 'eval';
  readonly at: readonly (Expr | { readonly kind: 'end'; readonly span: Span })[];
  readonly every?: Expr;
  readonly over?: Expr;
  readonly as?: Name;
  readonly chunks?: Expr;
  readonly body: Body;
}
/** `metric m = e`, `metric m[l] = e` */
export interface MetricStmt extends StmtBase {
  readonly kind: 'metric';
  readonly name: Name;
  readonly member?: Expr;
  readonly value: Expr;
}
/** `report a, b = e` */
export interface ReportStmt extends StmtBase {
  readonly kind: 'report';
  readonly items: readonly { readonly name: Name; readonly value?: Expr }[];
}
/** `expect E over seeds a..=b`, `expect A fails "why"` */
export interface ExpectStmt extends StmtBase {
  readonly kind: 'expect';
  readonly claim?: Expr;
  readonly fails?: { readonly run: Expr; readonly reason?: StringLit };
  readonly seeds?: RangeExpr;
}
export interface ExportDecl extends StmtBase {
  readonly kind: 'export';
  readonly fn: FnDecl;
}
export interface RepeatStmt extends StmtBase {
  readonly kind: 'repeat';
  readonly count: Expr;
  /** Cap of a count that the run decides. */
  readonly max?: Expr;
  readonly as?: Name;
  readonly restart: boolean;
  readonly body: Body;
}
export interface WhileStmt extends StmtBase {
  readonly kind: 'while';
  readonly condition: Expr;
  readonly max: Expr;
  readonly body: Body;
}
export interface IfStmt extends StmtBase {
  readonly kind: 'if';
  readonly condition: Expr;
  readonly then: Body;
  readonly otherwise?: Body | IfStmt;
}
/** Static: `for l in 0..n { … }`, `for A in [w2, w4] { … }` */
export interface ForStmt extends StmtBase {
  readonly kind: 'for';
  readonly name: Name;
  readonly over: Expr;
  readonly body: Body;
}
export interface EveryStmt extends StmtBase {
  readonly kind: 'every';
  readonly period: Expr;
  readonly body: Body;
}
export interface FirstStmt extends StmtBase {
  readonly kind: 'first';
  readonly body: Body;
}
export interface TogetherStmt extends StmtBase {
  readonly kind: 'together';
  readonly body: Body;
}
/** `map clients { … }` as a statement (its value unused). */
export interface MapStmt extends StmtBase {
  readonly kind: 'mapStmt';
  readonly map: MapExpr;
}
export interface EmitStmt extends StmtBase {
  readonly kind: 'emit';
  readonly value: Expr;
}
export interface NextStmt extends StmtBase {
  readonly kind: 'next';
  readonly value: Expr;
}
export interface StopWhenStmt extends StmtBase {
  readonly kind: 'stopWhen';
  readonly condition: Expr;
}
export interface FailWhenStmt extends StmtBase {
  readonly kind: 'failWhen';
  readonly condition: Expr;
  readonly reason?: StringLit;
}
export interface MultipliersStmt extends StmtBase {
  readonly kind: 'multipliers';
  readonly constraint: Name;
  readonly value: Expr;
}
/** An expression in statement position that is not the value of its body: always an error of meaning, kept for messages. */
export interface ExprStmt extends StmtBase {
  readonly kind: 'expr';
  readonly expr: Expr;
}
/** In problems and classes: `over x: f32[n] in SET = init` */
export interface OverStmt extends StmtBase {
  readonly kind: 'over';
  readonly name: Name;
  readonly type?: TypeExpr;
  readonly set?: Expr;
  readonly init?: Init;
}
/** `minimize F: e`, `maximize e` */
export interface ObjectiveStmt extends StmtBase {
  readonly kind: 'objective';
  readonly sense: 'minimize' | 'maximize';
  readonly name?: Name;
  readonly value: Expr;
}
/** `subject to name: a == b`, `subject to name: forall g in groups: …`, `subject to affine g == 0` in a class. */
export interface ConstraintStmt extends StmtBase {
  readonly kind: 'constraint';
  readonly name?: Name;
  readonly affine: boolean;
  readonly forall?: { readonly name: Name; readonly over: Expr };
  readonly relation: Expr; // a Binary with ==, <= or >=
}
/** `where y1, y2 solves { … }` */
export interface LowerLevelStmt extends StmtBase {
  readonly kind: 'lowerLevel';
  readonly variables: readonly Name[];
  readonly body: Body;
}
/** `player A moves X, Y minimizes E` */
export interface PlayerStmt extends StmtBase {
  readonly kind: 'player';
  readonly name: Name;
  readonly moves: readonly Expr[];
  readonly sense: 'minimizes' | 'maximizes';
  readonly value: Expr;
}

/** A whole file. `comments` are all comments in order; the printer puts them back. */
export interface Module {
  readonly kind: 'module';
  readonly file: string;
  readonly statements: readonly Stmt[];
  readonly comments: readonly { readonly text: string; readonly span: Span }[];
  readonly span: Span;
}
