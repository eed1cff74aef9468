/**
 * The bundle: everything a session needs, as plain JSON data (WGSL text included), and nothing of source or syntax.
 * Deterministic byte for byte for the same input. It is the only thing the runtime takes from the compiler.
 */
import type { DType, TensorType } from '../ops/types.ts';
import type { Binding, Command } from './commands.ts';
import type { HostProgram } from './host-program.ts';
import type { RowProgram } from './rows.ts';

/** The bundle's element types and shapes; re-exported because the runtime takes nothing else from the compiler. */
export type { DType, TensorType };

export const BUNDLE_VERSION = 2;

/** Where something comes from, for messages at run time (spans are resolved: the runtime has no sources). */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The whole line, for the excerpt of a message. */
  readonly text: string;
}

// ---------------------------------------------------------------- data

/** How a field's numbers are stored on the device. 'u8' packs four to a word and reads as `byte * scale`. */
export type Storage = 'f32' | 'i32' | 'u8';

export interface DataField {
  readonly name: string;
  /** Type of the whole field: the first dim is the number of rows. */
  readonly type: TensorType;
  readonly storage: Storage;
  readonly scale: number;
  /** Values must lie in lo <= v < hi; checked when loaded. */
  readonly range?: readonly [number, number];
  /** Column or columns of a table, as written. */
  readonly column?: string;
}

export interface BundleData {
  readonly name: string;
  readonly source: string;
  readonly rows: number;
  readonly slice?: readonly [number, number];
  /** A field without a buffer stays with the host: it is larger than the device binds, and entries take their rows as streams. */
  readonly fields: readonly (DataField & { readonly buffer?: string })[];
  readonly place?: Place;
}

/** What the host can tell about a data source at compile time, without loading it. */
export interface DataInfo {
  readonly rows: number;
  readonly fields: readonly {
    readonly name: string;
    readonly dtype: 'f32' | 'i32';
    readonly shape: readonly number[];
    readonly storage: Storage;
    readonly scale: number;
  }[];
}

// ---------------------------------------------------------------- memory

export type BufferRole = 'cells' | 'temps' | 'data' | 'params' | 'reports' | 'faults' | 'inputs' | 'streams';

/** A device buffer. 'params', 'reports' and 'streams' are rings: the runtime makes as many slots of `bytes` (a multiple of 256) as it submits steps at once. */
export interface BundleBuffer {
  readonly id: string;
  readonly role: BufferRole;
  readonly bytes: number;
}

export interface BundleCell {
  readonly id: string;
  readonly type: TensorType;
  /** In memory two numbers of 16 bits to a word, the first in the lower half. */
  readonly storage?: 'f16';
  readonly kind: 'param' | 'var' | 'state' | 'frozen' | 'let';
  readonly run: string;
  readonly buffer: string;
  /** Byte offset in the buffer. bool is stored as u32. */
  readonly offset: number;
}

// ---------------------------------------------------------------- kernels and plans

export interface BundleKernel {
  readonly id: string;
  /** For profiles: "update adam Features (6 leaves)". */
  readonly label: string;
  readonly wgsl: string;
  /** Access of binding 0, 1, … */
  readonly bindings: readonly ('read' | 'read_write' | 'uniform')[];
  readonly workgroup: readonly [number, number, number];
  /** 'subgroups', 'shader-f16', … */
  readonly features: readonly string[];
  readonly places: readonly Place[];
}

export type { Binding, Command };

/** One word of the step's parameter slot, written by the host. */
export interface ParamWord {
  readonly word: number;
  readonly dtype: DType;
  /** Index of the value in the host program, and component of it (keys have two). */
  readonly value: number;
  readonly component: number;
}

/** Where it is 0 the execution records no value: a further word of the report slot, or a value of the host program. */
export type Condition = { readonly word: number } | { readonly value: number };

export interface BundleEntry {
  readonly id: string;
  readonly commands: readonly Command[];
  /** Computes every parameter word from the step's scalars, in float64. */
  readonly host: HostProgram;
  readonly params: readonly ParamWord[];
  /** Scalars gathered on the device into the step's report slot. */
  readonly outputs: readonly {
    readonly name: string;
    readonly kind: 'report' | 'metric' | 'objective';
    readonly word: number;
    readonly dtype: DType;
    readonly when?: Condition;
    readonly place?: Place;
  }[];
  /** Outputs that are known on the host alone (schedules): value index in the host program. `at`: how many of `outputs` the text has before it. */
  readonly hostOutputs: readonly {
    readonly at: number;
    readonly name: string;
    readonly kind: 'report' | 'metric' | 'objective';
    readonly value: number;
    readonly dtype: DType;
    readonly when?: Condition;
    readonly place?: Place;
  }[];
  readonly inputs: readonly {
    readonly name: string;
    readonly type: TensorType;
    readonly buffer: string;
    readonly offset: number;
  }[];
  readonly results: readonly {
    readonly name: string;
    readonly type: TensorType;
    readonly buffer: string;
    readonly offset: number;
  }[];
  /** Rows of host fields that the host writes into a ring before each execution; the entry's commands begin with copies out of it. */
  readonly streams?: readonly BundleStream[];
  /** Where cells are written, for messages about their values. */
  readonly writers?: readonly { readonly place: Place; readonly cells: readonly string[] }[];
  /** Run-time checks: number n in word 0 of the faults buffer means fault n, from 1; `{index}` in its message is the i32 in word n.
   * Those of values (from which nothing can be drawn) are failures of the run, as values that are not finite are; others are mistakes in the program. */
  readonly faults: readonly { readonly message: string; readonly place?: Place; readonly ofValues?: true }[];
  /** Present where the entry is evaluated in float64 by the reference interpreter, whatever the device (`exact { … }`); it then has no commands. */
  readonly exact?: ExactEntry;
  /** Entries executed before this one, each `chunks` times with the scalar `chunk` counting from 0: totals over chunks of rows. */
  readonly passes?: readonly { readonly entry: string; readonly chunks: number }[];
  /** Estimates for scheduling and `explain --stage cost`. */
  readonly cost: { readonly flops: number; readonly bytes: number };
}

export interface BundleStream {
  readonly data: string;
  readonly field: string;
  readonly buffer: string;
  readonly rows: RowProgram;
}

/** A tensor graph as text (ir/tensor/print.ts), whose roots are the values of these cells. */
export interface ExactEntry {
  readonly graph: string;
  readonly writes: readonly string[];
}

// ---------------------------------------------------------------- schedule

/** When an eval that belongs to a train phase happens: after n updates. */
export interface EvalTimes {
  readonly at: readonly number[];
  readonly every?: number;
  readonly end: boolean;
}

/** A phase that the device may end: a report of its entry, an i32, says after each step how it stands. Steps behind the end do nothing. */
export interface Ends {
  /** 0: the step was taken, 1: the phase has ended before it, 2 + k: it has failed before it, for the reason k. */
  readonly output: string;
  readonly reasons: readonly string[];
}

/** Phases in textual order over the whole program; `run` is '' for file level. */
export type BundlePhase =
  /** Runs an entry once: initial values of cells, lets that later phases read, one-off evals (whose outputs are metrics). */
  | { readonly kind: 'once'; readonly name: string; readonly run: string; readonly entry: string }
  | {
      readonly kind: 'train';
      readonly name: string;
      readonly run: string;
      readonly steps: number;
      readonly entry: string;
      /** `train until C`: an entry with one bool output, run before each step. */
      readonly until?: string;
      readonly evals: readonly { readonly entry: string; readonly times: EvalTimes }[];
      readonly ends?: Ends;
    };

// ---------------------------------------------------------------- claims

/** A scalar expression over the results of runs. A series is a report or metric of one run ('' is the single run of a file without trials). */
export type ClaimExpr =
  | { readonly kind: 'number'; readonly value: number }
  | {
      readonly kind: 'series';
      readonly run: string;
      readonly name: string;
      readonly read: SeriesRead;
      /** Further runs that the value reads, none of which may have failed. */
      readonly reads?: readonly string[];
    }
  | { readonly kind: 'steps'; readonly run: string }
  | { readonly kind: 'op'; readonly op: string; readonly args: readonly ClaimExpr[] } // names of elementwise primitives: add, sub, mul, div, max, min, abs, log, …
  | { readonly kind: 'overSeeds'; readonly reduce: 'median' | 'mean'; readonly arg: ClaimExpr }
  | { readonly kind: 'members'; readonly reduce: 'highest' | 'lowest'; readonly args: readonly ClaimExpr[] } // of a sweep; failed members are skipped
  /** Bytes of these cells, and of the largest temporaries among these entries; `of` as written. */
  | {
      readonly kind: 'fact';
      readonly fact: 'peak_bytes' | 'bytes';
      readonly of: string;
      readonly cells: readonly string[];
      readonly entries: readonly string[];
    };
export type SeriesRead =
  | { readonly kind: 'last' }
  | { readonly kind: 'at'; readonly step: number }
  | { readonly kind: 'nondecreasing' }
  /** Of all values, or of the last few. */
  | { readonly kind: 'max' | 'min' | 'mean'; readonly last?: number };

/** Names of outputs that say how a solve stands begin so, which no name in a file can. */
export const SOLVE_PART = 'solve.';

/** Names of series that the ledgers of solves are made of begin so: kept with the results, shown as ledgers. */
export const LEDGER_PART = 'ledger.';

/** A solve that is a statement: what its ledger is made of. Series of a constraint c: `ledger.KEY.c.value`, `.bound`, `.violation`, `.multiplier`, `.slackness`. */
export interface BundleSolve {
  readonly run: string;
  readonly problem: string;
  /** Name of the phase and of the series: that of the problem, with a number where a run solves it again. */
  readonly key: string;
  /** As written. */
  readonly solver: string;
  readonly steps: number;
  /** Name of the phase in whose steps it is solved, again and again; the ledger is that of the last one. Series `ledger.KEY.status` and `.taken`: as `Ends` has it, and its steps. */
  readonly within?: string;
  /** It is a value, computed anew wherever it is read: nothing of it is recorded. */
  readonly unrecorded?: true;
  /** Whose first-order conditions the series `ledger.KEY.kkt` is of; absent where there is but one. */
  readonly residualOf?: 'players' | 'lower levels';
  /** Series of the objective and of the largest violation: before each step, and at the end. */
  readonly objective?: string;
  readonly violation?: string;
  readonly constraints: readonly {
    readonly name: string;
    readonly relation: '==' | '<=' | '>=';
    /** Elements; of several, the ledger shows the one that is missed most. */
    readonly count: number;
    readonly multiplier: boolean;
  }[];
}

/** Names of outputs that claims compute for themselves begin so, which no name in a file can. They are recorded only where finite. */
export const CLAIM_PART = 'claim.';

/** Whether a series is a part of a claim or of a ledger: recorded where finite, and never shown under its name. */
export const isPart = (name: string): boolean => name.startsWith(CLAIM_PART) || name.startsWith(LEDGER_PART);

export interface Claim {
  /** As written. */
  readonly text: string;
  readonly place?: Place;
  readonly seeds?: readonly [number, number]; // closed
  readonly body: ClaimBody;
}

export type ClaimBody =
  | {
      readonly kind: 'holds';
      readonly op: '==' | '!=' | '<' | '<=' | '>' | '>=' | '~=';
      readonly left: ClaimExpr;
      readonly right: ClaimExpr;
      readonly within?: ClaimExpr;
    }
  | { readonly kind: 'fails'; readonly run: string; readonly reason?: string }
  /** `a.status == "ok"`, or `!=` where `equal` is false. */
  | { readonly kind: 'status'; readonly run: string; readonly is: 'ok' | 'failed'; readonly equal: boolean }
  /** Parts joined by `or` or `and`. */
  | { readonly kind: 'any' | 'all'; readonly of: readonly ClaimBody[] };

export interface Bundle {
  readonly format: 'saddle-bundle';
  readonly version: typeof BUNDLE_VERSION;
  readonly name: string;
  readonly hypers: readonly { readonly name: string; readonly program: HostProgram }[];
  readonly data: readonly BundleData[];
  readonly buffers: readonly BundleBuffer[];
  readonly cells: readonly BundleCell[];
  readonly kernels: readonly BundleKernel[];
  readonly entries: readonly BundleEntry[];
  readonly schedule: readonly BundlePhase[];
  readonly runs: readonly { readonly name: string; readonly mayFail: boolean; readonly seed?: number }[];
  readonly models: readonly { readonly name: string; readonly run: string; readonly cells: readonly string[] }[];
  readonly exports: readonly { readonly name: string; readonly entry: string }[];
  readonly claims: readonly Claim[];
  readonly solves?: readonly BundleSolve[];
  /** Bytes of all buffers with one slot; per-entry peaks of temporaries. */
  readonly memory: { readonly total: number; readonly temps: Readonly<Record<string, number>> };
}
