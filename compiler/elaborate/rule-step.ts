/**
 * A pure call of a rule, for methods that differentiate through an update: `let (q, s) = adam(1e-3).step(p, g)` begins with fresh states, and
 * `adam(1e-3).step(q, h, s)` goes on from s. The value is (new p, state); the state is a record of the rule's states and k, its count.
 * Nothing is written and nothing is stopped.
 */
import type * as ast from '../ast/nodes.ts';
import { fail } from '../diagnostics/diagnostic.ts';
import type { Node } from '../ops/types.ts';
import type { Span } from '../source/source.ts';
import type { Elaboration } from './context.ts';
import { leafNodes, leaves, plain, rebuild, toNode } from './convert.ts';
import { initialValue } from './cells.ts';
import { applyPipeline, type Moving } from './rules.ts';
import type { Frame, RuleSlot } from './scope.ts';
import { siteName } from '../ast/sites.ts';
import { staticType } from './types.ts';
import { exact, isCompound, kindText, type RecordValue, type Template, tensor, type Value } from './values.ts';

export function ruleStep(e: Elaboration, rule: Template, call: ast.Call, frame: Frame): Value {
  const [p, g, given] = call.args;
  const wrong = call.args.length < 2 || call.args.length > 3 || call.args.some((a) => a.name);
  if (wrong)
    fail('OPT311', call.span, 'step takes a value, a direction, and the state of an earlier step: step(p, g, state)', {
      hint: 'leave the state off to begin: let (q, s) = adam(1e-3).step(p, g)',
    });
  const value = plain(e, e.do.expression(e, p.value, frame), p.span);
  const nodes = leafNodes(e, value, p.span, 'f32');
  const direction = leafNodes(e, e.do.expression(e, g.value, frame), g.span, 'f32');
  if (nodes.length !== direction.length || nodes.some((n, i) => n.type.shape.join() !== direction[i].type.shape.join()))
    fail('OPT313', g.span, 'the direction is not shaped like the value that it moves', {
      labels: [{ span: p.span, text: `this is ${kindText(value)}` }],
      hint: 'write grad(L, p)',
    });
  const state = given && stateArgument(e, given, frame);
  const paths = leaves(e, value, p.span).map((l) => l.path);
  const moving = nodes.map((node, i): Moving => ({
    path: paths[i] || 'p',
    id: paths[i],
    initial: () => node,
    p: node,
    g: direction[i],
    written: false,
  }));
  const states = new States(e, state, value, paths);
  const k: Value = state?.fields.get('k') ?? exact(1, true);
  const path = [...frame.path, siteName(call)];
  applyPipeline(e, [rule], moving, {
    frame,
    path,
    names: 'step',
    structure: value,
    span: call.span,
    k,
    declare: (decl, inner, leaf) => states.declare(decl, inner, leaf),
  });
  if (!moving.every((m) => m.written))
    fail('OPT413', call.span, `the rule ${rule.decl.name.text} writes no p: it only changes the direction`, {
      hint: 'step a rule that moves p, such as sgd(lr)',
    });
  const next = e.graph.at(call.span, () => plusOne(e, k, call.span));
  return {
    kind: 'tuple',
    items: [
      rebuild(
        e,
        value,
        moving.map((m) => m.p),
        call.span,
      ),
      states.record(next),
    ],
  };
}

function stateArgument(e: Elaboration, arg: ast.Arg, frame: Frame): RecordValue {
  const value = plain(e, e.do.expression(e, arg.value, frame), arg.span);
  if (value.kind === 'record' && value.fields.has('k')) return value;
  fail('OPT313', arg.span, `a state comes from an earlier step of the rule, and this is ${kindText(value)}`, {
    hint: 'write let (q, s) = r.step(p, g), then r.step(q, h, s)',
  });
}

function plusOne(e: Elaboration, k: Value, span: Span): Value {
  if (k.kind === 'exact') return exact(k.value + 1, true);
  return tensor(e.make('add', [toNode(e, k, span), e.constant(1, 'i32')]));
}

/** The states of a rule as values: by name, and for a rule of leaves by leaf. */
class States {
  private readonly e: Elaboration;
  private readonly given: RecordValue | undefined;
  private readonly like: Value;
  private readonly paths: readonly string[];
  /** By name, then by leaf (-1: one for the whole tree). */
  private readonly now = new Map<string, Map<number, Value>>();

  constructor(e: Elaboration, given: RecordValue | undefined, like: Value, paths: readonly string[]) {
    this.e = e;
    this.given = given;
    this.like = like;
    this.paths = paths;
  }

  declare(decl: ast.CellDecl, frame: Frame, leaf: Moving | undefined): void {
    const { e } = this;
    const name = decl.name.text;
    const at = leaf ? this.paths.indexOf(leaf.id) : -1;
    const values = this.now.get(name) ?? new Map<number, Value>();
    this.now.set(name, values);
    const first = values.get(at) ?? this.earlier(name, at) ?? this.fresh(decl, frame);
    if (!values.has(at))
      leafNodes(e, first, decl.span).forEach((node, k) => frame.ruleSlots?.push(this.slot(values, at, k, node)));
    values.set(at, first);
    frame.scope.set(name, {
      kind: 'slot',
      span: decl.name.span,
      read: () => values.get(at) as Value,
      write: (value, span) => {
        const like = values.get(at) as Value;
        const before = leaves(e, like, span).map((l) => toNode(e, l.value, span));
        const after = leafNodes(e, value, span, before[0]?.type.dtype);
        if (after.length !== before.length || after.some((n, i) => e.typeText(n.type) !== e.typeText(before[i].type)))
          fail('OPT302', span, `the state ${name} is ${kindText(like)}, but the value written is ${kindText(value)}`, {
            labels: [{ span: decl.name.span, text: 'declared here' }],
            hint: 'a state keeps its type',
          });
        values.set(at, rebuild(e, like, after, span));
      },
    });
  }

  /** One node of a state, for text of the rule that is chosen or repeated. */
  private slot(values: Map<number, Value>, at: number, k: number, first: Node): RuleSlot {
    const { e } = this;
    const span = e.graph.span as Span;
    const nodes = (): Node[] => leafNodes(e, values.get(at) as Value, span);
    return {
      first,
      get: () => nodes()[k],
      set: (node) => void values.set(at, rebuild(e, values.get(at) as Value, nodes().with(k, node), span)),
    };
  }

  private fresh(decl: ast.CellDecl, frame: Frame): Value {
    const type = decl.type && staticType(this.e, decl.type, frame);
    const value = initialValue(this.e, decl, type, frame, [...frame.path, decl.name.text]);
    // A state is a value of the run: later steps may not be decided by what it is at first.
    return value.kind === 'exact' ? tensor(toNode(this.e, value, decl.span, 'f32')) : value;
  }

  private earlier(name: string, at: number): Value | undefined {
    if (!this.given) return undefined;
    const field = this.given.fields.get(name);
    if (!field) return undefined;
    if (at < 0 || !isCompound(this.like)) return field;
    return field.kind === 'record' ? field.fields.get(this.paths[at]) : undefined;
  }

  record(k: Value): Value {
    const fields = new Map<string, Value>([['k', k]]);
    for (const [name, values] of this.now) {
      const whole = values.get(-1) ?? (isCompound(this.like) ? undefined : values.get(0));
      const byLeaf = new Map([...values].map(([at, v]) => [this.paths[at], v]));
      fields.set(name, whole ?? { kind: 'record', fields: byLeaf });
    }
    return { kind: 'record', fields };
  }
}
