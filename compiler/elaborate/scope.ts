/**
 * Lexical scopes and frames. A scope maps names to bindings; a frame adds what a body inherits from where it is evaluated: the
 * named path of call sites and the loop indices (both key random draws), and the model instance whose layers are being called.
 */
import type * as ast from '../ast/nodes.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { EntryBuilder } from './entry.ts';
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
      /** Cells that it stands for where `at` and derivatives name it, whatever it has become in the rule. */
      readonly cells?: readonly CellRef[];
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

  /** All visible names, innermost first, for did-you-mean. */
  *visible(): Iterable<string> {
    yield* this.names.keys();
    if (this.parent) yield* this.parent.visible();
  }
}

/** How often the statements of a body have been executed before: the count of a rule's updates, the position of a batch. */
export interface Execution {
  /** i32 scalar: executions before this one; undefined outside loops (zero). */
  readonly index: Node | undefined;
  /** Innermost loop: its static turn where it is an unrolled `repeat`. */
  readonly innermost:
    | { readonly kind: 'none' }
    | { readonly kind: 'train' }
    | { readonly kind: 'repeat'; readonly turn: number; readonly turns: number; readonly outer: Node | undefined };
}

/** One node of a rule that its body replaces as it goes. */
export interface RuleSlot {
  get(): Node;
  set(node: Node): void;
}

export interface Frame {
  readonly scope: Scope;
  /** Word for placement messages: where the text stands. */
  readonly body: 'file' | 'trial' | 'train' | 'eval' | 'fn' | 'layer' | 'model' | 'rule' | 'export';
  /** Named call sites from the run down to here. */
  readonly path: readonly string[];
  /** Index of every enclosing loop (step, repeat indices), i32 scalars, for keys of draws. */
  readonly indices: readonly Node[];
  readonly execution: Execution;
  /** Present in bodies of layers and models: whose parameters a layer call makes. */
  readonly owner?: { readonly instance: ModelInstance; readonly prefix: string };
  /** In the body of an initializer: whether its first draw, which has the key of the cell, was made; and a seed given with it. */
  readonly initializer?: { readonly seed: Node | undefined; drawn: boolean };
  /** Under an `if` that is decided at run time: what must hold for the text to count. Not set inside rules, whose counts are their statement's. */
  readonly condition?: Node;
  /** Nesting of template calls, against runaway recursion. */
  readonly depth: number;
  /** In a hyper, which the host evaluates: `step` and `steps` are f32 there, as hypers are. */
  readonly onHost?: boolean;
  /** In a static `for`: which turn, so that a layer called in it owns parameters for each. */
  readonly turn?: string;
  /** In a static `for`: where the families that its turns declare live. */
  readonly familyScope?: Scope;
  /** In a rule's body: `state` declarations and reports go to the update statement. */
  readonly ruleState?: (decl: ast.CellDecl, frame: Frame) => void;
  /** The p and g of a rule, leaf by leaf: what a conditional block may change beside cells. */
  readonly ruleSlots?: readonly RuleSlot[];
  readonly ruleReport?: (name: string, value: Node, span: Span) => void;
}

export const noLoop: Execution = { index: undefined, innermost: { kind: 'none' } };

/** A frame for a nested block: same place, new scope. */
export function nested(frame: Frame): Frame {
  return { ...frame, scope: new Scope(frame.scope) };
}
