/**
 * The elaborated program: what is left of a `.opt` file once names, templates, trials and rules are gone. Cells (persistent state), entries
 * (pure functions from cells, data and scalars to new cells and outputs, as tensor graphs), and the ordered schedule of phases that runs them.
 * Made by `elaborate/`, checked by `check/flow.ts`, rewritten entry by entry by `passes/`, compiled by `lower/` and `emit/`, interpreted by `runtime/reference`.
 */
import type { Node, TensorType } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { BundlePhase, BundleSolve, Claim, DataField } from '../bundle/format.ts';

export type CellKind = 'param' | 'var' | 'state' | 'frozen' | 'let';

/** Persistent state. Its id is its path: `dann/Features.linear_0.W`, `Features.linear_0.W#sgd.m` for a rule's state, `/` after the run's name; unique in the program. */
export interface Cell {
  readonly id: string;
  readonly type: TensorType;
  /** Kept as numbers of 16 bits; the value is f32 all the same. */
  readonly storage?: 'f16';
  readonly kind: CellKind;
  /** Run that owns it; '' for file-level values, which all runs of one seed share. */
  readonly run: string;
  /** Leaves of one tree (a model's parameters; one rule state over them) have the same group and lie side by side in memory, in this order. */
  readonly group: string;
  readonly span?: Span;
}

/** A scalar given by the host at each execution: run-time inputs that change without recompiling. */
export interface Hyper {
  readonly name: string;
  /** Scalar f32 graph over scalars 'step', 'steps', 'progress' and other hypers. */
  readonly value: Node;
  readonly span?: Span;
}

export interface Data {
  readonly name: string;
  /** File or named set. */
  readonly source: string;
  readonly rows: number;
  /** Rows taken, half open, or all. */
  readonly slice?: readonly [number, number];
  readonly fields: readonly DataField[];
  readonly span?: Span;
}

export type OutputKind = 'report' | 'metric' | 'objective' | 'result';

/** One execution unit: a graph evaluated with all reads before all writes. */
export interface Entry {
  readonly id: string;
  /** `by`: the statements of the main file that write it. */
  readonly writes: readonly { readonly cell: string; readonly value: Node; readonly by?: readonly Span[] }[];
  /** Scalars for 'report', 'metric', 'objective' (gathered on the device); any shape for the 'result' of an export. Objectives are recorded too so that a NaN ends the run. */
  readonly outputs: readonly {
    readonly name: string;
    readonly kind: OutputKind;
    readonly value: Node;
    /** bool scalar, of a 'report' under a condition: false where the execution records nothing. Absent where it always does. */
    readonly when?: Node;
    readonly span?: Span;
  }[];
  /** `parameter` nodes with source 'input', for exports. */
  readonly inputs: readonly { readonly name: string; readonly type: TensorType }[];
  /** Evaluated in float64 by the reference interpreter, on any device: `exact { … }`. It has writes only. */
  readonly exact?: boolean;
  /** Entries executed before this one, each `chunks` times with the scalar `chunk` counting: totals over chunks of the rows that an eval goes over. */
  readonly passes?: readonly { readonly entry: string; readonly chunks: number }[];
}

/** As in the bundle, with the place of a train phase. */
export type Phase = BundlePhase & { readonly span?: Span };

/** One `update` (or `<-` of a cell) as compiled, for `explain --stage updates` and the owner and direction checks. */
export interface UpdateRecord {
  readonly run: string;
  readonly entry: string;
  readonly span: Span;
  /** Cells moved, by id. */
  readonly targets: readonly string[];
  /** The same cells by the names that they have in the statement's text, for messages. */
  readonly written: readonly string[];
  /** As written: names for the report. */
  readonly targetNames: readonly string[];
  readonly sense: 'minimizing' | 'maximizing' | 'along' | 'write';
  /** Objective nodes (before differentiation), with the names under which they were written. */
  readonly objectives: readonly { readonly node: Node; readonly text: string; readonly span: Span }[];
  /** `reads` of every cell (id → version) at the time of the update; the target nodes with respect to which derivatives were taken. */
  readonly wrt: readonly Node[];
  /** Text of the pipelines as written: `sgd(lr, momentum: 0.9)`, `spsa()`. */
  readonly by: string;
  readonly with: string;
  /** True where this statement reads values written by an earlier statement of the same step (alternating), false where all are simultaneous. */
  readonly alternating: boolean;
}

export interface Run {
  readonly name: string;
  readonly mayFail: boolean;
  /** Offset added to the program's seed: 0 unless unpaired by `seed:`. */
  readonly seed?: number;
  readonly span?: Span;
}

/** Solvers of the library whose class a problem is of. */
export interface Fits {
  readonly problem: string;
  readonly solvers: readonly {
    readonly name: string;
    /** Parameters without a default: it cannot be called without knowing more of the problem. */
    readonly needs: readonly string[];
  }[];
}

export interface Export {
  readonly name: string;
  readonly entry: string;
}

export interface Program {
  readonly name: string;
  readonly hypers: readonly Hyper[];
  readonly data: readonly Data[];
  readonly cells: readonly Cell[];
  readonly entries: readonly Entry[];
  readonly schedule: readonly Phase[];
  readonly runs: readonly Run[];
  readonly exports: readonly Export[];
  readonly claims: readonly Claim[];
  readonly solves?: readonly BundleSolve[];
  /** Of programs elaborated for grading: which solvers of the library take the problem of each solve between phases. */
  readonly fits?: readonly Fits[];
  readonly updates: readonly UpdateRecord[];
  /** Models by displayed name (`dann.Features`) → their cells in order, for sessions, checkpoints and the owner check. */
  readonly models: readonly {
    readonly name: string;
    readonly run: string;
    readonly cells: readonly string[];
    readonly span?: Span;
    readonly frozen: boolean;
  }[];
}
