/**
 * Lexical scopes and frames. A scope maps names to bindings; a frame adds what a body inherits from where it is evaluated: the
 * named path of call sites and the loop indices (both key random draws), and the model instance whose layers are being called.
 */
import type * as ast from '../ast/nodes.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { EntryBuilder } from './entry.ts';
import type { Lifetime } from './lifetime.ts';
import type { Opened } from './opened.ts';
import type { Work } from './estimators.ts';
import type { CellRef, ModelInstance, Value } from './values.ts';

/** Declarations of which each run has an instance of its own. */
export type Declared = ast.CellDecl | ast.ModelDecl | ast.ModelInstance | ast.HyperDecl;

export type Binding =
  /** A `let`, argument, pattern name: a value, computed in the entry `home` (undefined: known at compile time everywhere). */
  | { readonly kind: 'value'; readonly value: Value; readonly home?: EntryBuilder; readonly span: Span }
  /** A declaration that each run instantiates at first use: var, frozen, model, hyper. */
  | { readonly kind: 'declared'; readonly decl: Declared; readonly frame: Frame; readonly span: Span }
  /** A parameterless `fn`: evaluated at each naming. */
  | { readonly kind: 'named'; readonly decl: ast.FnDecl; readonly frame: Frame; readonly span: Span }
  /** A place with its own reading and writing: the p and g of a rule. */
  | {
      readonly kind: 'slot';
      read(): Value;
      readonly write?: (value: Value, span: Span) => void;
      /** Cells that it stands for, leaf by leaf, where `at` and derivatives name it, whatever it has become in the rule. */
      readonly cells?: readonly (CellRef | undefined)[];
      /** P of an estimator (where `at` replaces it, reads behind a `stop` stay as they are) or of a rule. */
      readonly varied?: 'estimator' | 'rule';
      /** The examples of an objective that an estimator may open. */
      readonly opened?: Opened;
      readonly span: Span;
    }
  /** Members by static index, declared one by one. */
  | { readonly kind: 'family'; readonly name: string; readonly members: Map<number, Binding>; readonly span: Span };

export class Scope {
  readonly parent: Scope | undefined;
  readonly names = new Map<string, Binding>();

  constructor(parent?: Scope) {
    this.parent = parent;
  }

  find(name: string): Binding | undefined {
    return this.names.get(name) ?? this.parent?.find(name);
  }

  set(name: string, binding: Binding): void {
    this.names.set(name, binding);
  }

  /** A name of this scope or of those around it up to `last`, which counts too. */
  findWithin(name: string, last: Scope): Binding | undefined {
    return this.names.get(name) ?? (this === last ? undefined : this.parent?.findWithin(name, last));
  }

  /** Whether it is this scope or one around it. */
  isWithin(outer: Scope): boolean {
    return this === outer || (this.parent?.isWithin(outer) ?? false);
  }

  /** All visible names, innermost first, for did-you-mean. */
  *visible(): Iterable<string> {
    yield* this.names.keys();
    if (this.parent) yield* this.parent.visible();
  }
}

/** Executions of text before this one: i32 scalar, undefined where there are none; 'counted' where the run decides. */
export type Index = Node | undefined | 'counted';

/** The innermost loop around text. */
export interface Loop {
  /** Its turn: a number where it is known, undefined outside of loops. */
  turn(): number | Node | undefined;
  /** How often text was reached before that is reached at every turn divisible by the period. */
  index(period: number): Index;
}

/** Where text stands among loops: what `every` counts, and how often the text is executed (execution.ts). */
export interface Execution {
  readonly loop: Loop;
  /** The text is reached at turns divisible by this; undefined where the period is not known. */
  readonly period: number | undefined;
  /** Whether the text is reached depends on the run. */
  readonly uncertain?: boolean;
}

/** Scalars of the innermost solve: i32, i32 and f32. */
export interface Clock {
  readonly step: Node;
  readonly steps: Node;
  readonly progress: Node;
}

/** A solver at work on a problem. */
export interface Solving {
  /** Publishes multipliers: `multipliers g = e`. */
  publish(stmt: ast.MultipliersStmt, value: Value): void;
  /** `lo(c)` or `hi(c)` of a name of the solver's header; undefined where it has no range. */
  bound(name: string, end: 'lo' | 'hi'): Value | undefined;
  /** Whether a cell is a variable of the problem. */
  moves(cell: CellRef): boolean;
}

/** A solve or phase that its text may end. */
export interface Ending {
  /** Whether a body may do so; its statements then are for `statements`. */
  ends(body: ast.Body): boolean;
  statements(list: readonly ast.Stmt[], frame: Frame): void;
}

/** One node of a rule that its body replaces as it goes. */
export interface RuleSlot {
  /** Of a state that a pure call declares: its first value. */
  readonly first?: Node;
  get(): Node;
  set(node: Node): void;
}

export interface Frame {
  readonly scope: Scope;
  /** Word for placement messages: where the text stands. */
  readonly body:
    | 'file'
    | 'trial'
    | 'train'
    | 'eval'
    | 'fn'
    | 'layer'
    | 'model'
    | 'rule'
    | 'estimator'
    | 'aggregator'
    | 'solver'
    | 'export';
  /** Named call sites from the run down to here. */
  readonly path: readonly string[];
  /** Index of every enclosing loop (step, repeat indices), i32 scalars, for keys of draws. */
  readonly indices: readonly Node[];
  readonly execution: Execution;
  /** Present in bodies of layers and models: whose parameters a layer call makes. */
  readonly owner?: { readonly instance: ModelInstance; readonly prefix: string };
  /** In the body of an initializer: whether its first draw, which has the key of the cell, was made; and a seed given with it. */
  readonly initializer?: { readonly seed: Node | undefined; drawn: boolean };
  /** Under an `if`, `every` or loop that is decided at run time: its word. Phases and declarations of the run cannot stand there. */
  readonly chosen?: string;
  /** Scope of the branch or turn, which the families that its text declares do not leave. */
  readonly branch?: Scope;
  /** States of rules that begin with the `repeat … restart` around the text. */
  readonly restart?: Lifetime;
  /** In a fn with a gradient clause that a checkpoint keeps: its lets are kept, for the clause. */
  readonly keepsLets?: boolean;
  /** Nesting of template calls, against runaway recursion. */
  readonly depth: number;
  /** In the text of a problem, for grading: its variables, whose values are the points at which objectives are computed. */
  readonly variables?: () => readonly CellRef[];
  /** In a solve within a phase: what `step`, `steps` and `progress` are there. */
  readonly clock?: Clock;
  /** In the body of a solver: what its own statements (`first`, `multipliers`) act on. */
  readonly solving?: Solving;
  /** In text that may end its solve or phase. */
  readonly ending?: Ending;
  /** In a hyper, which the host evaluates: `step` and `steps` are f32 there, as hypers are. */
  readonly onHost?: boolean;
  /** In a static `for`: which turn, so that a layer called in it owns parameters for each. */
  readonly turn?: string;
  /** In a static `for`: where the families that its turns declare live. */
  readonly familyScope?: Scope;
  /** In a rule's body: `state` declarations and reports go to the update statement. */
  readonly ruleState?: (decl: ast.CellDecl, frame: Frame) => void;
  /** The p and g of a rule, leaf by leaf, and states of a pure call as they are declared: what a rule may change beside cells. */
  readonly ruleSlots?: RuleSlot[];
  readonly ruleReport?: (name: string, value: Node, span: Span) => void;
  /** In the body of an estimator or aggregator: what it works for. */
  readonly work?: Work;
}

export const noLoop: Execution = { loop: { turn: () => undefined, index: () => undefined }, period: 1 };

/** Text that speaks for an update statement: what it moves is a leaf for it, and its states stand behind a stop. */
export function speaksForUpdate(frame: Frame): boolean {
  return frame.body === 'rule' || frame.body === 'estimator' || frame.body === 'aggregator';
}

/** A frame for a nested block: same place, new scope. */
export function nested(frame: Frame): Frame {
  return { ...frame, scope: new Scope(frame.scope) };
}
